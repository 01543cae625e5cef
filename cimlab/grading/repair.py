"""Grade damaged hand-ins: what editors, e-mail and students do to a notebook on its way.

Three doors of `nbgrader autograde` are used (see nbgrader_config.py), in this order:

1. `find_notebook` before a hand-in is looked at: a notebook under another name, in a folder or a zip file, is found.
2. `NotebookReader` when its file is read: the notebook that counts is chosen, other encodings and formats are read; a
   file that cannot be read is named with the reason and gets no score.
3. `RepairCells` before nbgrader's own cleaning: lost metadata comes back, copies lose theirs, missing test cells return
   to their place. The rule that makes it possible: in a lab the id of a cell is its grade id.

What was done stands at the top of the graded notebook for people, and in its metadata for programs: see `repairs`.
"""

from collections import defaultdict
from difflib import SequenceMatcher
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import SCHEMA_VERSION
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.log import get_logger

from cimlab.grading import own_data, repair_cells, repair_files
from cimlab.grading.course import CONFIG, CourseError
from cimlab.grading.feedback import split_hidden
from cimlab.grading.repair_read import UnreadableNotebook, read_notebook, read_released, read_with_notes

__all__ = ["NotebookReader", "RepairCells", "UnreadableNotebook", "find_notebook", "read_notebook", "repair", "repairs"]

REPORT = "repair-report"  # id of the cell at the top


# ---------------------------------------------------------------------------------------------------------------------
# 1 · the name


def find_notebook(assignment, student, notebooks):
    """Put a notebook that stands elsewhere under its right name, beside what was handed in (a hook of nbgrader).

    Parameters
    ----------
    assignment, student : str
        What nbgrader was called with; may be patterns and are not used.
    notebooks : list of str
        The paths of the notebooks of one hand-in; changed in place, as nbgrader goes on with this list.
    """
    folder = Path(notebooks[0]).parent
    layout = repair_files.lay_out(folder, _wanted(folder))
    for name, place in layout.places.items():
        path = str(folder / f"{name}.ipynb")
        if path not in notebooks:
            get_logger().warning("repair: %s: %s takes the place of the missing %s.ipynb", folder, place, name)
            notebooks.append(path)
    for reason in layout.review:
        get_logger().warning("repair: %s needs review: %s", folder, reason)
    if layout.places:
        for name in layout.missing:
            get_logger().warning("repair: %s needs review: %s.ipynb is not there", folder, name)


def _wanted(folder):
    """Return the student versions of the lab whose hand-in a folder is; without them only its name is known."""
    for course in folder.parents:
        if (course / CONFIG).is_file():
            found = repair_files.student_versions(course, folder.name)
            if found:
                return found
            break
    return {folder.name: []}


# ---------------------------------------------------------------------------------------------------------------------
# 2 · the file


class NotebookReader(NotebookExporter):
    """nbgrader's exporter, reading files that are not quite as they should be."""

    def from_filename(self, filename, resources=None, **keywords):
        path = Path(filename)
        try:
            notebook, notes = read_hand_in(path) if self._is_hand_in() else read_with_notes(path.read_bytes())
            if self._is_hand_in():
                own_data.check_seed(path.parent)
        except (UnreadableNotebook, CourseError) as reason:
            raise UnreadableNotebook(f"{filename} was not graded: {reason}") from None
        if notes:
            notebook.metadata["cimlab"] = {"repairs": notes}
        elif not self._is_hand_in():  # the grader's own notebook, read again
            raw = nbformat.read(path, as_version=4)
            notebook.metadata.update({key: value for key, value in raw.metadata.items() if key == "cimlab"})
        resources = resources or {}
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        return self.from_notebook_node(notebook, resources=resources, **keywords)

    def _is_hand_in(self):
        return bool(getattr(self.parent, "_sanitizing", True))  # nbgrader reads twice: the hand-in, then its own copy


def read_hand_in(path):
    """Return the notebook that counts for a file of a hand-in, and what was unusual about it.

    Parameters
    ----------
    path : pathlib.Path
        submitted/STUDENT/LAB/NAME.ipynb.

    Returns
    -------
    nbformat.NotebookNode
    list of str

    Raises
    ------
    UnreadableNotebook
        If nothing that can be read is there, or it is in doubt which notebook counts.
    """
    wanted = _wanted(path.parent)
    if not wanted.get(path.stem):
        return read_with_notes(path.read_bytes())
    layout = repair_files.find(path.parent, wanted)
    if path.stem in layout.notebooks:
        return layout.notebooks[path.stem], layout.notes[path.stem]
    own = [reason for reason in layout.review if path.name in reason]
    read_with_notes(path.read_bytes())  # says by itself what is wrong with this file, if anything is
    raise UnreadableNotebook(" ".join(own or layout.review) or "it holds nothing of this lab.")


# ---------------------------------------------------------------------------------------------------------------------
# 3 · the cells


class RepairCells(NbGraderPreprocessor):
    """Bring a hand-in back into the form of the lab; what was done is logged and stands at the top of the notebook."""

    def preprocess(self, nb, resources):
        info = resources["nbgrader"]
        with Gradebook(info["db_url"]) as gradebook:
            lab = lab_cells(gradebook.find_notebook(info["notebook"], info["assignment"]))
        released = released_cells(self.parent.parent.coursedir, info["assignment"], info["notebook"])
        # The database promises no order of its rows; the student version has it.
        places = {cell.id: place for place, cell in enumerate(released)}
        lab.sort(key=lambda source: places.get(source["name"], len(places)))
        about_file = nb.metadata.pop("cimlab", {}).get("repairs", [])
        notes = [f"{note[:1].upper()}{note[1:]}." for note in about_file] + repair(nb, lab, released)
        for note in notes:
            self.log.warning("repair: %s: %s", info["student"], note)
        if notes:
            text = "**What the grader repaired in this notebook**\n\n" + "\n".join(f"- {note}" for note in notes)
            nb.cells.insert(0, nbformat.v4.new_markdown_cell(text, id=REPORT))
            nb.metadata["cimlab"] = {"repairs": notes}
        return nb, resources


def released_cells(coursedir, lab, book):
    """Return the cells of the student version of a notebook, or none where there is no such file.

    Parameters
    ----------
    coursedir : nbgrader.coursedir.CourseDirectory
    lab, book : str
        The assignment, and the name of one of its notebooks.
    """
    folder = Path(coursedir.format_path(coursedir.release_directory, ".", lab))
    try:
        return list(read_released((folder / f"{book}.ipynb").read_bytes()))
    except (OSError, UnreadableNotebook):
        return []


def repairs(notebook):
    """Return what the grader repaired in a graded notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode or dict
        A notebook of autograded/.

    Returns
    -------
    list of str
        One sentence for each kind of repair; empty for a hand-in that was in order.

    Examples
    --------
    >>> repairs({"metadata": {"cimlab": {"repairs": ["`q1`: was missing; put back."]}}})
    ['`q1`: was missing; put back.']
    """
    return list(notebook["metadata"].get("cimlab", {}).get("repairs", []))


def lab_cells(notebook):
    """Return what the gradebook knows of a lab's cells, as a list of dicts in the order of the lab.

    Parameters
    ----------
    notebook : nbgrader.api.Notebook
        The lab as `nbgrader generate_assignment` registered it.

    Returns
    -------
    list of dict
        name, cell_type, source (with hidden tests), visible (without), checksum, locked, and the flags and points.
    """
    points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    graded = {cell.name for cell in notebook.grade_cells}
    answers = {cell.name for cell in notebook.solution_cells}
    tasks = {cell.name for cell in notebook.task_cells}
    return [
        {
            "name": cell.name,
            "cell_type": cell.cell_type,
            "source": cell.source,
            "visible": split_hidden(cell.source)[0],
            "checksum": cell.checksum,
            "locked": cell.locked,
            "grade": cell.name in graded,
            "solution": cell.name in answers,
            "task": cell.name in tasks,
            "points": points.get(cell.name),
        }
        for cell in notebook.source_cells
    ]


def repair(notebook, lab, released=()):
    """Give each cell of the lab its metadata back, take it from copies, put lost cells where they belong.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The hand-in; changed in place.
    lab : list of dict
        What `lab_cells` returns.
    released : list of nbformat.NotebookNode
        The cells of the student version, to find answers whose metadata and ids are both lost.

    Returns
    -------
    list of str
        What was done, one line for each kind of repair; empty for a hand-in in order.
    """
    notes = defaultdict(list)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"handed-in-report-{number}" if cell.id == REPORT else cell.id
    repair_cells.split_merged(notebook, lab, notes)
    found = _identify(notebook.cells, lab, released, notes)
    names = {index: name for name, index in found.items()}
    sources = {source["name"]: source for source in lab}
    for index, cell in enumerate(notebook.cells):
        old = cell.metadata.pop("nbgrader", None)
        if index in names:
            _label(cell, sources[names[index]], old if isinstance(old, dict) else {}, notes)
    _put_back(notebook, lab, found, notes)
    repair_cells.take_in_answers(notebook, lab, released, notes)
    repair_cells.put_tests_below(notebook, lab, released, notes)
    return [f"{', '.join(f'`{name}`' for name in names)}: {what}." for what, names in notes.items()]


def _identify(cells, lab, released, notes):
    """Return {name of a lab's cell: its index in the hand-in}."""
    sources = {source["name"]: source for source in lab}
    claims = {name: [] for name in sources}
    for index, cell in enumerate(cells):
        metadata = cell.metadata.get("nbgrader")
        name = metadata.get("grade_id") if isinstance(metadata, dict) else None
        other = next((one for one in (cell.id, cell.metadata.get("id")) if one in claims), None)  # Colab: in both
        if name not in claims and other:
            name = other
            notes["metadata was lost; found by the id of the cell"].append(name)
        if name in claims:
            claims[name].append(index)
    found = {name: _original(cells, sources[name], indexes) for name, indexes in claims.items() if indexes}
    copies = [name for name, indexes in claims.items() if len(indexes) > 1]
    if copies:
        notes["stood there more than once; the copies are ordinary cells now"] += copies
    lost = [name for name in sources if name not in found]
    if lost:
        taken = {index for indexes in claims.values() for index in indexes}
        for name, index in _aligned(cells, sources, released, taken).items():
            if name in lost:
                found[name] = index
                notes["metadata and id were lost; found by text and place"].append(name)
    return found


def _original(cells, source, indexes):
    """Choose among copies: the cell that kept the id, but for a written answer one that was written in."""
    if source["solution"] and source["grade"]:
        changed = [index for index in indexes if cells[index].source.strip() != source["source"].strip()]
        indexes = changed or indexes
    return next((index for index in indexes if cells[index].id == source["name"]), indexes[-1])


def _aligned(cells, sources, released, taken):
    """Find cells by their place between cells whose text is unchanged: {name: index}."""
    own = [cell.source.strip() for cell in cells]
    theirs = [cell.source.strip() for cell in released]
    pairs = {}
    for kind, i1, i2, j1, j2 in SequenceMatcher(a=theirs, b=own, autojunk=False).get_opcodes():
        block = [(i, None) for i in range(i1, i2)]
        if kind == "equal" or i2 - i1 == j2 - j1:
            block = zip(range(i1, i2), range(j1, j2), strict=True)
        elif kind == "replace":
            # Cells were added or lost here: the first cell of the right type that is still free, in order.
            free = iter(range(j1, j2))
            block = [
                (i, next((j for j in free if cells[j].cell_type == released[i].cell_type), None)) for i in range(i1, i2)
            ]
        for i, j in block:
            name = released[i].metadata.get("nbgrader", {}).get("grade_id")
            if name not in sources or j is None or j in taken:
                continue
            # A fixed cell has to look like itself: its text is written over, and a student's own cell must not be hit.
            if not sources[name]["locked"] or SequenceMatcher(a=theirs[i], b=own[j]).ratio() > 0.6:
                pairs[name] = j
    return pairs


def _label(cell, source, old, notes):
    """Write the metadata of one cell anew from the gradebook, and the text of a cell that students may not change."""
    name = source["name"]
    if cell.cell_type != source["cell_type"]:
        notes[f"had become a {cell.cell_type} cell; it is a {source['cell_type']} cell again"].append(name)
        _change_type(cell, source["cell_type"])
    flags = {key: source[key] for key in ("grade", "solution", "locked", "task")}
    changed = any(old.get(key, False) != value for key, value in flags.items() if key != "locked")
    if old and (changed or old.get("points") != source["points"]):
        notes["the grading settings had been changed; they were put back"].append(name)
    cell.metadata = nbformat.from_dict(_metadata(source))
    if source["locked"] and cell.source.strip() != source["source"].strip():
        if cell.source.strip() != source["visible"].strip():
            notes["the text had been changed; the original was put back"].append(name)
        cell.source = source["source"]


def _metadata(source):
    settings = {key: source[key] for key in ("grade", "solution", "locked", "task", "cell_type", "checksum")}
    settings |= {"grade_id": source["name"], "schema_version": SCHEMA_VERSION}
    if source["points"] is not None:
        settings["points"] = source["points"]
    fixed = {"deletable": False, "editable": False} if source["locked"] else {"deletable": False}
    return {**fixed, "nbgrader": settings}


def _change_type(cell, kind):
    cell.cell_type = kind
    for key in ("outputs", "execution_count", "attachments"):
        cell.pop(key, None)
    if kind == "code":
        cell.outputs, cell.execution_count = [], None


def _put_back(notebook, lab, found, notes):
    """Insert what is missing: cells that students may not change, and written answers (for the grader to see)."""
    order = [source["name"] for source in lab]
    kept = {index: name for name, index in found.items()}
    here = [(kept.get(index), cell) for index, cell in enumerate(notebook.cells)]
    for position, source in enumerate(lab):
        if source["name"] in found or not (source["locked"] or source["grade"]):
            continue
        notes["was missing; put back"].append(source["name"])
        before, after = set(order[:position]), set(order[position + 1 :])
        if source["grade"] or source["task"]:
            # A test comes as late as it can, after everything that the student may have written for its question.
            place = next((i for i, (name, _) in enumerate(here) if name in after), len(here))
        else:
            # What a lab prepares comes as early as it can.
            place = max((i + 1 for i, (name, _) in enumerate(here) if name in before), default=0)
        here.insert(place, (source["name"], _new_cell(source)))
    notebook.cells = [cell for _, cell in here]


def _new_cell(source):
    text = source["source"]
    if source["solution"]:
        # Other than the untouched text, so that it waits for a grader instead of getting 0.
        text += "\n\n*(This answer was missing from the hand-in: look for it elsewhere in the notebook.)*"
    new = nbformat.v4.new_code_cell if source["cell_type"] == "code" else nbformat.v4.new_markdown_cell
    return new(text, id=source["name"], metadata=nbformat.from_dict(_metadata(source)))
