"""The processes from which the kernels of a class are forked: for the code of students, and for the tests."""

import concurrent.futures
import threading
from pathlib import Path

from cimlab.grading import bubblewrap, isolate, zygote
from cimlab.grading.apart_look import top_names
from cimlab.grading.course import is_test, read_notebooks

# What a kernel would import or fill at its first table, its first picture and the first question of a test. The picture
# is drawn beside pyplot, which knows nothing of it.
FIRST_TIMES = """
import io, sys
import cimlab.grading.apart_room
if "pandas" in sys.modules:
    import pandas.io.formats.html, pandas.io.formats.string
    sys.modules["pandas"].DataFrame({"a": [1.5, None], "b": ["x", "y"]})._repr_html_()
if "matplotlib" in sys.modules:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure()
    axes = figure.add_subplot(title="a", xlabel="b", ylabel="c")
    axes.plot([1, 2], label="d")
    axes.bar([1, 2], [1, 2])
    axes.legend()
    FigureCanvasAgg(figure).print_png(io.BytesIO())
"""
ASK = "__import__('cimlab.grading.grade_modules', fromlist=['_']).ask()"


class Zygotes:
    """The processes from which kernels are forked: for the code of students, and for the tests where they run apart."""

    def __init__(self, config):
        self.config, self.refused, self.why, self.kernels = config, None, [], None
        self.students, self.examiners = None, None
        self.ways = ways_to_isolate(config["isolation"], tuple(config["hidden"]))
        notebooks = lab_notebooks(config)
        # Each student who has other data has another beginning.
        self.first = [] if config["own_data"] else common_cells(notebooks)
        self.tests, self.answers = tests_of(notebooks, config["sources"]) if self.first else ((), ())
        self.solution = [cells[len(self.first) :] for cells in config["solution"]]

    def start(self):
        """Start them in the first way that can be had; `why` then says what could not, `refused` that none could."""
        reasons = []
        for room in self.ways:
            try:
                self._start(room)
            except (isolate.IsolationError, RuntimeError) as error:
                self.close()
                reasons += [str(error)] * (str(error) not in reasons)
            else:
                self.why = reasons
                if room and room.bubblewrap:
                    self.why = [*reasons, f"The code of students is shut in by bubblewrap ({room.bubblewrap})."]
                return
        self.refused = " ".join(reasons)

    def _start(self, room):
        """Both at once: each takes a second or two to import."""
        imports, failed = self.config["imports"], []
        modules = concurrent.futures.Future()  # what the model answers import, which the examiners find out

        def start_other():
            try:
                given = self.first, imports, room, self.tests, self.answers, self.solution
                self.examiners = start_examiners(*given, heard=modules.set_result)
            except Exception as error:
                failed.append(error)
            finally:
                if not modules.done():
                    modules.set_result([])

        other = threading.Thread(target=start_other)
        other.start()
        try:
            ready = [*student_imports(self.first, imports), ASK]
            self.students = zygote.start_zygote(ready, room, modules.result)
        finally:
            other.join()
        if failed:
            raise failed[0]
        self.kernels = "isolated" if room else "warm"
        self.ways = [room]  # so it is announced: they are not started again in another way

    def living(self):
        """Start them again if one has been ended; return the environment variables that name them."""
        if any(one._process.poll() is not None for one in (self.students, self.examiners)):
            self.close()
            self.start()
            if self.refused:
                raise RuntimeError(self.refused)
        return {zygote.VARIABLE: self.students.path, zygote.EXAMINERS: self.examiners.path}

    def close(self):
        for one in (self.students, self.examiners):
            if one is not None:
                one.close()
        self.students = self.examiners = None


def start_examiners(cells, imports=(), room=None, tests=(), answers=(), solution=(), heard=None):
    """Start a process from which the examiners of a lab are forked (see `apart`); name its `path` in CIMLAB_EXAMINERS.

    Parameters
    ----------
    cells : list of str
        What each examiner begins with, as from `first_cells`; it is run once.
    imports : iterable of str
        Import statements, as from `zygote.lab_imports`.
    room : isolate.Room, optional
        As for `zygote.start_zygote`.
    tests, answers : list of str
        The test cells of the lab, and the names that its answer cells define: what tests compute without an answer is
        computed once (see `apart_memo`).
    solution : list of list of str
        The cells of the lab's model answer below the first, for each notebook: what they import is imported once (see
        `grade_modules`), and told to `heard`.

    Returns
    -------
    zygote.Zygote
    """
    more = f"{list(tests)!r}, {sorted(answers)!r}, {list(solution)!r}"
    begin = f"__import__('cimlab.grading.apart_examiner', fromlist=['_']).warm({cells!r}, {more})"
    own = "import cimlab.checks, cimlab.grading.apart_examiner"
    return zygote.start_zygote([*imports, own, *([begin] if cells or solution else [])], room, heard=heard)


def ways_to_isolate(isolation, hidden):
    """Return the rooms to be tried one after the other; None stands for no room.

    Examples
    --------
    >>> [way and bool(way.bubblewrap) for way in ways_to_isolate("auto", ())]
    [False, True, None]
    >>> [way and bool(way.bubblewrap) for way in ways_to_isolate("required", ())]
    [False, True]
    """
    own = isolate.Room(hidden=hidden)
    through = isolate.Room(hidden=hidden, bubblewrap=bubblewrap.find_bubblewrap() or bubblewrap.PROGRAM)
    return {"auto": [own, through, None], "required": [own, through], "bubblewrap": [through], "off": [None]}[isolation]


def lab_notebooks(config):
    """Return the student versions of the lab's notebooks."""
    return list(read_notebooks(Path(config["template"]), config["lab"], "labs").values())


def first_cells(notebook):
    """Return the code cells at the top of a lab that students cannot change, before the first answer or test."""
    found = []
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code":
            continue
        if not settings.get("locked") or settings.get("solution") or settings.get("grade"):
            break
        found.append(cell.source)
    return found


def common_cells(notebooks):
    """Return the first cells that all kernels of a lab run: of several notebooks each has its own beginning."""
    return first_cells(notebooks[0]) if len(notebooks) == 1 else []


def tests_of(notebooks, sources):
    """Return the tests of a lab as the instructor has written them, and the names that its answer cells define.

    Parameters
    ----------
    notebooks : list of nbformat.NotebookNode
        The student version.
    sources : dict
        Of the cells, by their ids: with the hidden tests.
    """
    cells = [cell for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"]
    tests = [sources.get(cell.metadata.nbgrader["grade_id"], cell.source) for cell in cells if is_test(cell)]
    answers = {name for cell in cells if _is_answer(cell) for name in top_names(cell.source)}
    return tests, sorted(answers)


def _is_answer(cell):
    """As nbgrader's `is_solution`, without the import of nbgrader: the kernels need not wait for it."""
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def student_imports(first, imports):
    """Return what the process does from which the kernels of students are forked: imports, and the first cells."""
    ready = [f"__import__('cimlab.grading.grade_ready', fromlist=['_']).warm({first!r})"] if first else []
    return [*imports, *ready, FIRST_TIMES]
