"""Hostile and broken hand-ins of the tiny lab: what they try, what they earn honestly, what stock nbgrader gave them.

Each is graded by `cimlab grade` in `test_grading_hostile`. `STOCK` holds what nbgrader 0.9.6 with its own settings made
of them; it was recorded by the command below (Linux, as root: each is graded in a PID namespace and with limits of its
own, because some of them would end the session that grades them).

    .venv/bin/python -m tests.hostile NAME …      # prints the recorded line anew; without names for all
"""

import contextlib
import copy
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from tests import tiny_lab

LAB = tiny_lab.LAB
RIGHT_1 = 'def clean(phone):\n    return phone.replace(" ", "").replace("-", "")'
RIGHT_2 = 'totals = orders.groupby("customer", as_index=False)["spent"].sum()'
WRONG_1, WRONG_2 = "def clean(phone):\n    return phone", "totals = None"
SECRETS = {  # text that only this place holds
    "solution": "secret of the solution",
    "hidden test": "think of other signs than the space",
    "expected value": "15.5",
    "another's hand-in": "secret of another student",
    "home": "secret of the home",
    "gradebook": "source_cell",
    "network": "secret of the network",
}


@dataclass
class Hostile:
    """A hand-in that is not as it should be.

    Attributes
    ----------
    tries : str
        What it tries, or what happened to it.
    one, two : str
        Its answers to the two questions (3 points each).
    earned : int
        The points of its honest part.
    files : dict of str to str
        Further files that are handed in.
    change : callable
        Changes the notebook.
    raw : callable
        Is given the folder and the text of the notebook, and writes what is handed in.
    """

    tries: str
    one: str = WRONG_1
    two: str = WRONG_2
    earned: int = 0
    files: dict = field(default_factory=dict)
    change: callable = None
    raw: callable = None


def after(code, answer):
    """Return an answer below some code of which the errors do not count."""
    return (
        "try:\n"
        + "\n".join(f"    {line}" for line in code.splitlines())
        + (f"\nexcept Exception as error:\n    print('failed', type(error).__name__, error)\n{answer}")
    )


def _cell(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


EQUAL = """\
class Equal(str):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = str.__hash__
def clean(phone):
    return Equal(phone)"""
EQUAL_TABLE = """\
class Table(pd.DataFrame):
    def __eq__(self, other): return True
    def equals(self, other): return True
    def tolist(self): return [15.5, 20.0]
totals = Table({"customer": ["C1", "C2"], "spent": [0.0, 0.0]})"""
FRAMES = """\
import sys
def expected():
    frame = sys._getframe(1)
    while frame:
        for name in ("expected", "right", "examples"):
            if name in frame.f_locals:
                return frame.f_locals[name]
        frame = frame.f_back
def clean(phone):
    print(expected())
    found = expected()
    return next((one[1] for one in found or [] if one[0] == phone), phone)"""
MEMORY = """\
import gc
def clean(phone):
    for thing in gc.get_objects():
        if type(thing) is tuple and len(thing) > 1 and thing[0] in (phone, (phone,)) and type(thing[1]) is str:
            return thing[1]
    return phone"""
TRACE = """\
import sys
seen = []
def trace(frame, event, argument):
    if "examples" in frame.f_locals or "expected" in frame.f_locals:
        seen.append(str(frame.f_locals))
    return trace
sys.settrace(trace)
def clean(phone):
    sys.settrace(trace)
    return seen[-1] if seen else phone"""
PATCH_PANDAS = """\
import pandas.testing, pandas as p
for name in ("assert_frame_equal", "assert_series_equal", "assert_index_equal"):
    setattr(pandas.testing, name, lambda *a, **k: None)
p.DataFrame.equals = lambda *a: True
p.DataFrame.__eq__ = lambda *a: True"""
PATCH_CHECKS = """\
import cimlab.checks as c, cimlab._compare as d
for name in ("equal", "cases", "table", "require", "refuses", "accepts", "call"):
    setattr(c, name, lambda *a, **k: None)
c.answer = lambda names, name, *a: names.get(name)
d.compare = lambda *a: None"""
TRANSFORMER = """\
get_ipython().input_transformers_cleanup.append(lambda lines: [] if any("checks." in l for l in lines) else lines)"""
AST_TRANSFORMER = """\
import ast
class Empty(ast.NodeTransformer):
    def visit_Module(self, node):
        node.body = [] if "checks." in ast.unparse(node) else node.body
        return node
get_ipython().ast_transformers.append(Empty())"""
RUN_CELL = """\
shell = get_ipython()
usual = type(shell).run_cell_async
async def run(self, source, *a, **k):
    return await usual(self, source, *a, **{**k, **({"transformed_cell": "pass"} if "checks." in source else {})})
type(shell).run_cell_async = run"""
HOOK = """\
def quiet(info):
    import cimlab.checks as c
    c.equal = c.cases = lambda *a, **k: None
    globals()["checks"] = c
get_ipython().events.register("pre_run_cell", quiet)"""
BUILTINS = """\
import builtins
builtins.isinstance = lambda *a: True
builtins.type = lambda *a: str
builtins.globals = lambda: {"clean": str, "totals": 1}
builtins.AssertionError = BaseException
builtins.len = lambda *a: 1"""
EXPORTER = """\
import cimlab.grading.apart_talk as talk, cimlab.grading.apart_values as values
usual = talk.Talk._answer
def lie(self, message):
    if message.get("name") == "totals":
        return {"value": LIE}
    return usual(self, message)
talk.Talk._answer = lie"""
MANY_ROWS = '{"t": "table", "c": {"t": "index", "v": {"t": "objects", "s": [0], "v": []}, "n": None}, "v": [], ' + (
    '"i": {"t": "range index", "v": [0, 10**18, 1], "n": None}}'
)
RAW_LINE = """\
import cimlab.grading.apart_talk as talk
def shout(self, text):
    for _ in range(5):
        self.connection.sendall(b"\\xff" * 1000)
talk.Talk.send_text = shout"""
READ_IN = "print([text for text in In if 'checks' in text], _ih[-3:])"
SOLUTIONS = """\
import glob, os
found = [path for place in ("..", "../..", "../../..", "{course}") for path in
         glob.glob(f"{place}/**/solutions/**/*.ipynb", recursive=True)]
print(found)
print(open(found[0]).read())"""
OTHERS = """\
import glob
for path in glob.glob("{course}/submitted/**/*.ipynb", recursive=True) + glob.glob("../../**/*.ipynb", recursive=True):
    print(open(path).read())"""
OWN_NOTEBOOK = """\
import glob
for path in glob.glob("**/*", recursive=True):
    print(open(path).read())"""
GRADEBOOK = """\
import sqlite3
with sqlite3.connect("file:{course}/gradebook.db?mode=rw", uri=True) as base:
    print(base.execute("SELECT sql FROM sqlite_master").fetchall())
    base.execute("UPDATE grade SET auto_score = 99, manual_score = 99")"""
HOME = """\
import pathlib
for place in ("{home}", str(pathlib.Path.home())):
    for path in pathlib.Path(place).glob("*.txt"):
        print(path.read_text())
        path.unlink()
import shutil; shutil.rmtree("{home}")"""
NETWORK = """\
import socket
print(socket.create_connection(("127.0.0.1", {port}), 3).recv(99))
print("reached the network")"""
KILL_PARENT = "import os, signal; os.kill(os.getppid(), signal.SIGKILL); import time; time.sleep(1)"
KILL_ALL = "import os, signal; os.kill(-1, signal.SIGKILL)"
BOMB = """\
import os, time
for _ in range(300):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)"""
OUTLIVES = """\
import subprocess, sys
code = "import time, sqlite3; time.sleep(6); base = sqlite3.connect('{course}/gradebook.db');"
code += "base.execute('UPDATE grade SET auto_score = 99'); base.commit()"
subprocess.Popen([sys.executable, "-c", code, "{mark}"], start_new_session=True, stderr=subprocess.DEVNULL)"""
DEAF = """\
def clean(phone):
    import time
    while True:
        try:
            time.sleep(0.02)
        except BaseException:
            pass"""
THREAD = """\
import threading, time
def flood():
    for _ in range(100):
        print("x" * 10_000)
        time.sleep(0.01)
threading.Thread(target=flood).start()"""
MODULES = ("pandas.py", "cimlab.py", "ipykernel_launcher.py", "sitecustomize.py", "json.py")
MODULE_LIE = '{"t": "module", "n": "os"}'
YOURS_LIE = '{"t": "yours", "of": 0}'
DEEP_LIE = "[" * 5000 + "]" * 5000
NAMES = {"t": "module", "n": "__main__"}  # where a test has its names
NAMES_LIE = {
    "t": "table",
    "c": {"t": "index", "v": {"t": "objects", "s": [2], "v": ["customer", "spent"]}, "n": None},
    "i": {"t": "range index", "v": [0, 2, 1], "n": None},
    "v": [{"t": "objects", "s": [2], "v": ["C1", "C2"]}, {"t": "objects", "s": [2], "v": [NAMES, NAMES]}],
}


def _skip_tests(notebook):
    for cell in notebook.cells:
        if cell.id.startswith("test"):
            cell.metadata["tags"] = ["skip-execution"]


def _edit_tests(notebook):
    for cell in notebook.cells:
        if cell.id.startswith("test"):
            cell.source = "pass"


def _delete_tests(notebook):
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("test")]


def _double_test(notebook):
    notebook.cells.append(copy.deepcopy(_cell(notebook, "test_q1_clean")))


def _no_metadata(notebook):
    for cell in notebook.cells:
        cell.metadata.clear()


def _flip_flags(notebook):
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("grade"):
            settings |= {"points": 100, "solution": True, "locked": False}


def _edit_setup(notebook):
    _cell(notebook, "setup").source += "\nchecks.equal = checks.cases = lambda *a, **k: None"


def _forged_setup(notebook):
    forged = tiny_lab.cell("more_setup", PATCH_CHECKS, locked=True)
    notebook.cells.insert(1, forged)


def _forged_answer(notebook):
    names = "class Yes:\n    def __getattr__(self, name): return lambda *a, **k: None\nchecks = pd = globals = Yes()"
    notebook.cells.insert(2, tiny_lab.cell("more_answers", names, solution=True))


def _forged_test(notebook):
    notebook.cells.append(tiny_lab.cell("test_more", "100", grade=True, locked=True, points=100))


def _script(notebook):
    _cell(notebook, "q2_totals").source += "\nfrom IPython.display import HTML\nHTML('<script>alert(1)</script>')"


def _other_language(notebook):
    notebook.metadata["kernelspec"] = {"name": "bash", "display_name": "sh", "language": "bash"}


def _write(name=f"{LAB}.ipynb", text=lambda text: text, encoding="utf-8"):
    def raw(folder, notebook):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text(notebook).encode(encoding))

    return raw


def _link(target):
    def raw(folder, notebook):
        (folder / f"{LAB}.ipynb").write_text(notebook, encoding="utf-8")
        (folder / "table.csv").symlink_to(folder.parents[2] / target)

    return raw


def _linked_notebook(folder, _):
    (folder / f"{LAB}.ipynb").symlink_to(folder.parents[1] / "first" / LAB / f"{LAB}.ipynb")


HOSTILE = {
    # -- lies about values
    "equal text": Hostile("a text whose == is always true", EQUAL, EQUAL_TABLE),
    "equal table": Hostile("a table whose == is always true", two=EQUAL_TABLE),
    "mocks": Hostile("answers with itself", "from unittest.mock import MagicMock\nclean = MagicMock()",
                     "totals = MagicMock()"),
    # -- patches what it can reach
    "patched checks": Hostile("replaces cimlab.checks", two=after(PATCH_CHECKS, WRONG_2)),
    "patched pandas": Hostile("replaces pandas.testing and DataFrame.equals", two=after(PATCH_PANDAS, WRONG_2)),
    "patched builtins": Hostile("replaces isinstance, type, globals, AssertionError", one=after(BUILTINS, WRONG_1)),
    "input transformer": Hostile("empties test cells as text", one=after(TRANSFORMER, WRONG_1)),
    "AST transformer": Hostile("empties test cells as code", one=after(AST_TRANSFORMER, WRONG_1)),
    "patched run_cell": Hostile("runs something else than the test", one=after(RUN_CELL, WRONG_1)),
    "hook before cells": Hostile("patches the checks before each cell", one=after(HOOK, WRONG_1)),
    "patched asserts": Hostile(
        "an excepthook and an IPython handler that swallow errors",
        one=after("get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)\nimport sys\n"
                  "sys.excepthook = lambda *a: None", WRONG_1),
    ),
    "checks as a name": Hostile("defines names that the tests use", two="class checks:\n    answer = equal = cases = "
                                "staticmethod(lambda *a, **k: None)\npd = checks\ntotals = None"),
    # -- looks for the tests and what they expect
    "reads In": Hostile("reads the tests from the input history", two=after(READ_IN, WRONG_2)),
    "reads frames": Hostile("reads the expected value from the caller's frame", FRAMES),
    "searches memory": Hostile("looks for the expected value in memory", MEMORY),
    "traces": Hostile("traces the tests", TRACE),
    "last traceback": Hostile(
        "reads the traceback of the last failed test",
        two=after("import sys, traceback\nprint(sys.last_value, vars(sys).get('last_traceback'))\n"
                  "frame = sys.last_traceback\nwhile frame:\n    print(frame.tb_frame.f_locals)\n"
                  "    frame = frame.tb_next",
                  WRONG_2),
    ),
    # -- changes the exporter
    "lies a module": Hostile("hands over a module", two=after(EXPORTER.replace("LIE", MODULE_LIE), "")),
    "lies a loan": Hostile("hands over what the examiner has lent", two=after(EXPORTER.replace("LIE", YOURS_LIE), "")),
    "lies its names": Hostile("a table that holds the examiner's names", two=after(
        EXPORTER.replace("LIE", repr(NAMES_LIE)), "")),
    "lies many rows": Hostile("a table of 10^18 rows", two=after(EXPORTER.replace("LIE", MANY_ROWS), "")),
    "lies deeply": Hostile("a value nested 5,000 deep", two=after(
        "import json\n" + EXPORTER.replace("LIE", f"json.loads({DEEP_LIE!r})"), "")),
    "lies large": Hostile("a text of 200 MB", two='totals = "x" * 200_000_000'),
    "talks nonsense": Hostile("writes bytes to the line", RIGHT_1, after(RAW_LINE, WRONG_2), earned=3),
    "holds itself": Hostile("a list that holds itself", RIGHT_1, "totals = []\ntotals.append(totals)", earned=3),
    "own notebook": Hostile("reads the tests from its own notebook on the disk", two=after(OWN_NOTEBOOK, WRONG_2)),
    # -- metadata and cells
    "skip-execution": Hostile("tags the tests so that they are not run", change=_skip_tests),
    "edited tests": Hostile("edits the tests", change=_edit_tests),
    "deleted tests": Hostile("deletes the tests", RIGHT_1, RIGHT_2, 6, change=_delete_tests),
    "doubled test": Hostile("has copied a test", RIGHT_1, RIGHT_2, 6, change=_double_test),
    "no metadata": Hostile("another editor has dropped all metadata", RIGHT_1, RIGHT_2, 6, change=_no_metadata),
    "flipped flags": Hostile("tests are answers of 100 points", change=_flip_flags),
    "edited setup": Hostile("replaces the checks in the locked cell", change=_edit_setup),
    "forged setup": Hostile("adds a locked cell that replaces the checks", change=_forged_setup),
    "forged answer": Hostile("adds an answer that defines the names of the tests", change=_forged_answer),
    "forged test": Hostile("adds a test of 100 points", change=_forged_test),
    "other kernel": Hostile("asks for a kernel that is not there", RIGHT_1, RIGHT_2, 6, change=_other_language),
    "script": Hostile("a script in its output", RIGHT_1, RIGHT_2, 6, change=_script),
    # -- files
    "module in the folder": Hostile(
        "files that are imported instead of libraries", RIGHT_1, RIGHT_2, 6,
        files=dict.fromkeys(MODULES, "raise SystemExit('taken over')"),
    ),
    "link to the gradebook": Hostile("a link to the gradebook", RIGHT_1, RIGHT_2, 6, raw=_link("gradebook.db")),
    "link to a hand-in": Hostile("its notebook is a link to another's", raw=_linked_notebook),
    "cut off": Hostile("the file ends in the middle", raw=_write(text=lambda text: text[: len(text) // 2])),
    "empty file": Hostile("the file is empty", raw=_write(text=lambda _: "")),
    "UTF-16": Hostile("another encoding", RIGHT_1, RIGHT_2, 6, raw=_write(encoding="utf-16")),
    "renamed": Hostile("another file name", RIGHT_1, RIGHT_2, 6, raw=_write(f"{LAB} (1).ipynb")),
    # -- reaches out
    "solutions": Hostile("reads the solutions", two=after(SOLUTIONS, WRONG_2)),
    "other hand-ins": Hostile("reads the work of others", two=after(OTHERS, WRONG_2)),
    "gradebook": Hostile("reads and writes the gradebook", two=after(GRADEBOOK, WRONG_2)),
    "home": Hostile("reads and deletes files in the home", two=after(HOME, WRONG_2)),
    "network": Hostile("talks to a server", two=after(NETWORK, WRONG_2)),
    "outlives": Hostile("a process that outlives the kernel and writes the gradebook", RIGHT_1,
                        after(OUTLIVES, RIGHT_2), 6),
    # -- ends and exhausts
    "exit": Hostile("ends Python in an answer", RIGHT_1, "import os\nos._exit(0)", 3),
    "exit in a function": Hostile(
        "ends Python in a function", "def clean(phone):\n    import os\n    os._exit(0)", RIGHT_2),
    "SystemExit": Hostile("`exit` in a function", "def clean(phone):\n    raise SystemExit(0)", RIGHT_2, 3),
    "kills its parent": Hostile("kills its parent", RIGHT_1, f"{KILL_PARENT}\n{RIGHT_2}", 6),
    "kills all": Hostile("kills all that it sees", RIGHT_1, KILL_ALL, 3),
    "endless loop": Hostile("a loop without end", RIGHT_1, "import time\nwhile True:\n    time.sleep(0.02)", 3),
    "deaf loop": Hostile("a loop that ignores interrupts, in a function", DEAF, RIGHT_2),
    "stops itself": Hostile(
        "stops its own process", RIGHT_1, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", 3),
    "fork bomb": Hostile("300 processes", RIGHT_1, after(BOMB, RIGHT_2), 6),
    "memory": Hostile("30 GB of memory", RIGHT_1, after("block = bytearray(30_000_000_000)", RIGHT_2), 6),
    "flood": Hostile("prints 50 MB", RIGHT_1, f'for _ in range(50):\n    print("x" * 1_000_000)\n{RIGHT_2}', 6),
    "thread": Hostile("a thread that prints while tests run", RIGHT_1, f"{THREAD}\n{RIGHT_2}", 6),
    "recursion": Hostile("calls itself without end", "def clean(phone):\n    return clean(phone)", RIGHT_2, 3),
}  # fmt: skip

STOCK_FILE = Path(__file__).with_name("hostile_stock.json")
# Points out of 6, or why there are none.
STOCK = json.loads(STOCK_FILE.read_text(encoding="utf-8")) if STOCK_FILE.is_file() else {}


def notebook_of(hand_in, facts):
    """Return the notebook of a hand-in; `facts` fill in the braces of its code (course, home, port, mark)."""
    notebook = copy.deepcopy(tiny_lab.notebook())
    for name, source in (("q1_clean", hand_in.one), ("q2_totals", hand_in.two)):
        _cell(notebook, name).source = _filled(source, facts)
    # What students get holds no hidden test.
    hidden = _cell(notebook, "test_q1_hidden")
    hidden.source = hidden.source.split("### BEGIN HIDDEN")[0]
    _cell(notebook, "q4_task").source = "**Question 4** (2 points): name an example."
    if hand_in.change:
        hand_in.change(notebook)
    return notebook


def _filled(source, facts):
    for name, value in facts.items():
        source = source.replace(f"{{{name}}}", str(value))
    return source


def write_hand_in(course, student, hand_in, facts):
    """Write what a student hands in."""
    folder = Path(course) / "submitted" / student / LAB
    folder.mkdir(parents=True)
    text = json.dumps(notebook_of(hand_in, facts), ensure_ascii=False, indent=1)  # nbformat would repair it
    if hand_in.raw:
        hand_in.raw(folder, text)
    else:
        (folder / f"{LAB}.ipynb").write_text(text, encoding="utf-8")
    for name, content in hand_in.files.items():
        (folder / name).write_text(content, encoding="utf-8")


def write_course(folder, labs=True):
    """Make a course whose solution and honest students hold the secrets; return its folder."""
    notebook = tiny_lab.notebook()
    answer = _cell(notebook, "q1_clean")
    answer.source = answer.source.replace('replace("-", "")', 'replace("-", "")  # secret of the solution')
    return tiny_lab.write_course(folder, notebook, labs=labs)


HONEST = Hostile("nothing", f"{RIGHT_1}  # secret of another student", RIGHT_2, 6)


# ---------------------------------------------------------------------------------------------------------------------
# What stock nbgrader makes of them

STOCK_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
c.Execute.timeout = 8
"""


def stock(name, prepared):
    """Grade a hand-in with nbgrader's own settings, in a PID namespace of its own; return what came out."""
    with tempfile.TemporaryDirectory(prefix="cimlab-stock-", ignore_cleanup_errors=True) as folder:
        course, home = Path(folder, "course"), Path(folder, "home")
        shutil.copytree(prepared, course)
        home.mkdir()
        (course / "nbgrader_config.py").write_text(STOCK_CONFIG.format(root=str(course)), encoding="utf-8")
        (home / "letter.txt").write_text(SECRETS["home"], encoding="utf-8")
        write_hand_in(course, "first", HONEST, {})
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=_greet, args=(server,), daemon=True).start()
            port = server.getsockname()[1]
            facts = {"course": course, "home": home, "port": port, "mark": "cimlab-stock"}
            write_hand_in(course, "hostile", HOSTILE[name], facts)
            done = _nbgrader(course, home, "autograde", LAB, alone=name != "outlives")
        time.sleep(7 if name == "outlives" else 0)
        found = _marks(course / "gradebook.db")
        told = [path.read_text(errors="replace") for path in course.glob(f"autograded/hostile/{LAB}/*.ipynb")]
        read = [place for place, secret in SECRETS.items() if any(_told(text, secret) for text in told)]
        harm = "" if found.get("first") == 6 else "another's marks changed or lost"
        harm = harm or ("" if (home / "letter.txt").is_file() else "the home deleted")
        return {"points": found.get("hostile"), "read": read, "harm": harm, "status": done}


def _nbgrader(course, home, *arguments, alone=True):
    own = {**os.environ, "HOME": str(home), "PYTHONPATH": str(tiny_lab.ROOT)}
    own["PATH"] = sysconfig.get_path("scripts") + os.pathsep + own["PATH"]  # nbgrader calls alembic
    own_processes = "unshare --pid --fork --kill-child --mount-proc" if alone else ""
    limits = f'ulimit -v 6000000 -u 4000; exec {own_processes} bash -c \'"$@"; exit $?\' _ "$@"'
    run = ["bash", "-c", limits, "_", sys.executable, "-m", "nbgrader", *arguments]
    try:
        return subprocess.run(run, cwd=course, env=own, capture_output=True, timeout=150, check=False).returncode
    except subprocess.TimeoutExpired:
        return "does not end"


def _greet(server):
    with contextlib.suppress(OSError):
        while True:
            with server.accept()[0] as connection:
                connection.sendall(b"secret of the network")


def _told(printed, secret):
    """Return whether the outputs of student cells hold a secret."""
    try:
        notebook = nbformat.reads(printed, as_version=4)
    except Exception:
        return False
    return secret in outputs_of_answers(notebook)


def outputs_of_answers(notebook):
    """Return all that the cells of a graded notebook which are no tests have put out, as one text."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
            texts += [json.dumps(output, ensure_ascii=False) for output in cell.outputs]
    return "\n".join(texts)


def _marks(gradebook):
    """Return {student: points}; nothing if the gradebook cannot be read any more."""
    marks = {}
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{gradebook}?mode=ro", uri=True)) as base,
    ):
        for student, score in base.execute(
            """
            SELECT submitted_assignment.student_id, grade.auto_score FROM grade
            JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
            JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
            """
        ).fetchall():
            marks[student] = marks.get(student, 0) + (score or 0)
    return marks


def record(names):
    known = dict(STOCK)
    with tempfile.TemporaryDirectory(prefix="cimlab-stock-") as folder:
        course = Path(folder, "course")
        course.mkdir()
        write_course(course, labs=False)
        (course / "nbgrader_config.py").write_text(STOCK_CONFIG.format(root=str(course)), encoding="utf-8")
        _nbgrader(course, Path(folder), "generate_assignment", LAB)
        for name in names or HOSTILE:
            known[name] = stock(name, course)
            sys.stdout.write(f"{name}: {known[name]}\n")
            sys.stdout.flush()
            kept = {one: known[one] for one in HOSTILE if one in known}
            STOCK_FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(sys.argv[1:])
