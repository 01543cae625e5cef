"""The course folder and nbgrader's programming interface to it, for the commands of the instructor's wing."""

import contextlib
import difflib
import re
import shutil
import tempfile
from pathlib import Path

CONFIG = "nbgrader_config.py"


class CourseError(Exception):
    """Something in the course folder is not as a command needs it; the text says what to do."""


def find_course(start="."):
    """Return the folder of the course: the one at or above `start` that holds nbgrader_config.py.

    Raises
    ------
    CourseError
        If there is none, or it has no solutions/ (a student's copy has none).
    """
    start = Path(start).absolute()
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            if not (folder / "solutions").is_dir():
                raise CourseError(
                    f"{folder} has no solutions/: this command needs the instructor's copy of the course."
                )
            return folder
    raise CourseError(f"There is no {CONFIG} in {start} or above it: go to the folder of the course.")


def lab_names(course, wanted=()):
    """Return the names of the labs in solutions/, or of those that are wanted: its folders that hold notebooks.

    Raises
    ------
    CourseError
        If a wanted lab does not exist.
    """
    folders = {path.parent.name for path in (course / "solutions").glob("*/*.ipynb")}
    names = sorted(name for name in folders if not name.startswith("."))
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names
            raise CourseError(
                f"There is no lab {name!r} in {course / 'solutions'}. There is: {', '.join(near) or 'none'}."
            )
    return list(dict.fromkeys(wanted)) or names


def read_notebooks(course, lab, step="solutions"):
    """Return {name: notebook} of a lab, in the order of the names; most labs hold one, which has the name of the lab.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    lab : str
        Name of a folder in solutions/.
    step : str
        "solutions" or "labs".

    Raises
    ------
    CourseError
        If a file is no notebook.
    """
    import nbformat

    found = {}
    for path in sorted((course / step / lab).glob("*.ipynb")):
        try:
            found[path.stem] = nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat has many ways to refuse
            raise CourseError(f"{step}/{lab}/{path.name} cannot be read as a notebook: {error}") from None
    return found


def reports_folder(course, lab, out=None):
    """Return the folder into which a command writes about a lab: the one that is given, or reports/LAB.

    Raises
    ------
    CourseError
        If it is a file.
    """
    out = out or course / "reports" / lab
    if out.exists() and not out.is_dir():
        raise CourseError(f"{out} is a file: --out takes a folder.")
    return out


def all_cells(source):
    """Return the cells of a notebook, or of all notebooks of a lab ({name: notebook}), in their order."""
    return source.cells if hasattr(source, "cells") else [cell for part in source.values() for cell in part.cells]


def is_test(cell):
    """Return whether a cell is an automatic test.

    Parameters
    ----------
    cell : nbformat.NotebookNode

    Returns
    -------
    bool

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell
    >>> is_test(new_code_cell(metadata={"nbgrader": {"grade": True, "solution": False, "locked": True}}))
    True
    >>> is_test(new_code_cell(metadata={"nbgrader": {"grade": True, "solution": True}})), is_test(new_code_cell())
    (False, False)
    """
    settings = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(settings.get("grade")) and not settings.get("solution")


def plain(source):
    """Return the source of a cell without the lines that are for IPython (they are left blank).

    Parameters
    ----------
    source : str

    Returns
    -------
    str

    Examples
    --------
    >>> plain("%time\\nx = 1\\n!ls")
    '\\nx = 1\\n'
    """
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())


def check_ids(lab, notebooks):
    """Refuse a lab in which two graded cells have one id: marks and filed mistakes find their cell by it.

    Read-only cells that carry no points (a preparation) may be called the same in two notebooks.

    Raises
    ------
    CourseError
        With each id that stands twice, and where.
    """
    homes = {}
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            settings = cell.metadata.get("nbgrader", {})
            if any(settings.get(flag) for flag in ("grade", "solution", "task")):
                homes.setdefault(settings["grade_id"], []).append(f"{name}.ipynb")
    twice = [f"{cell!r} (in {' and in '.join(where)})" for cell, where in homes.items() if len(where) > 1]
    if twice:
        raise CourseError(
            f"solutions/{lab}: two graded cells have the same id: {', '.join(twice)}. An id may stand only once in all "
            "notebooks of a lab: give one of the two cells another."
        )


def lab_points(source):
    """Return ({id of an automatic test: its points}, the sum of the points that a person gives)."""
    points, manual = {}, 0
    for cell in all_cells(source):
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("grade") and not settings.get("solution"):
            points[settings["grade_id"]] = settings["points"]
        elif settings.get("grade") or settings.get("task"):
            manual += settings["points"]
    return points, manual


def answer_of_tests(source):
    """Return {id of an automatic test: id of the answer cell that it marks}: the last answer above it."""
    if not hasattr(source, "cells"):  # the notebooks of a lab
        return {test: cell for part in source.values() for test, cell in answer_of_tests(part).items()}
    owner, answer = {}, None
    for cell in source.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution") and cell.cell_type == "code":
            answer = settings["grade_id"]
        elif settings.get("grade") and not settings.get("solution"):
            owner[settings["grade_id"]] = answer
    return owner


@contextlib.contextmanager
def temporary_course(course, labs):
    """Make a copy of the course that holds only its settings and the sources of some labs; yield its folder."""
    # On Windows a gradebook may still be open for a moment: what cannot be removed is left to the system.
    with tempfile.TemporaryDirectory(prefix="cimlab-", ignore_cleanup_errors=True) as folder:
        folder = Path(folder).resolve()
        shutil.copy(course / CONFIG, folder)
        for lab in labs:
            shutil.copytree(
                course / "solutions" / lab,
                folder / "solutions" / lab,
                ignore=shutil.ignore_patterns("mutants.*", ".ipynb_checkpoints"),
            )
        yield folder


def open_folders(course):
    """Return nbgrader's `CourseDirectory` with the settings of a course folder: where everything lies."""
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config.loader import PyFileConfigLoader

    return CourseDirectory(config=PyFileConfigLoader(CONFIG, path=str(course)).load_config())


def open_api(course, gradebook=None):
    """Return nbgrader's programming interface (`nbgrader.apps.NbGraderAPI`) with the settings of a course folder.

    Parameters
    ----------
    course : pathlib.Path
        The folder; its nbgrader_config.py is read, nothing from the home directory.
    gradebook : str, optional
        URL of the database to use instead of the course's own.
    """
    from nbgrader.apps import NbGraderAPI
    from traitlets.config.loader import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG, path=str(course)).load_config()
    # The commands have their own words; nbgrader's log is shown where something has failed.
    config.NbGraderAPI.log_level = "WARN"
    if gradebook:
        config.CourseDirectory.db_url = gradebook
    return NbGraderAPI(config=config)


def register(course, labs, gradebook=None):
    """Run nbgrader's generate_assignment: labs/ of this folder is written, the cells are entered in the gradebook.

    Raises
    ------
    CourseError
        If nbgrader refuses, with its words, or two graded cells of a lab have one id.
    """
    api = open_api(course, gradebook)
    for lab in labs:
        check_ids(lab, read_notebooks(course, lab))
        result = api.generate_assignment(lab, force=True)
        if not result["success"]:
            raise CourseError(f"nbgrader cannot make the student version of {lab}:\n{reason(result)}")
        for path in (course / "labs" / lab).rglob("*.ipynb"):
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))  # the same bytes on Windows
    return api


def reason(result):
    """Return the sentence of the exception out of nbgrader's log, which hides it in a long traceback."""
    lines = [line.strip() for line in result.get("log", "").splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Notebook|Missing\w*): ", line)]
    return (named or lines or result["error"].strip().splitlines())[-1]
