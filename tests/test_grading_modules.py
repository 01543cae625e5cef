"""What model answers import is imported once for the class, and nothing else of them comes near a student's code."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from cimlab.grading import grade_modules, grade_plan, grade_zygotes, zygote
from tests import tiny_lab
from tests.warm_kernels import printed, run_cells, wait_until

pytestmark = pytest.mark.skipif(zygote.warm_available() is not None, reason=str(zygote.warm_available()))


def used(folder, cells, names="{}", seconds=6, patience=60):
    """Ask a process with one thread what cells import; return what it prints. Its own modules stand in a folder."""
    code = f"""
import sys
sys.path.insert(0, {str(folder)!r})
from cimlab.grading import grade_modules
grade_modules.SECONDS, grade_modules.PATIENCE = {seconds}, {patience}
names = {names}
found = grade_modules.forkable(grade_modules.cell_imports({cells!r}, names)())
print([name for name in found if name.startswith("lib_")], sorted(names), [n for n in sys.modules if n[:4] == "lib_"])
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def libraries(tmp_path):
    texts = {
        "lib_one": "import lib_two",
        "lib_two": "",
        "lib_late": "",
        "lib_notebook": "import sys, types; sys.modules['tqdm.auto'] = types.ModuleType('tqdm.auto')",
        "lib_thread": "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_modules_are_found_in_a_copy_that_leaves_nothing(libraries):
    cells = ["def answer(n):\n    import lib_one\n    return n + given", "answer(1)", "given = 'changed'"]
    assert used(libraries, [cells], "{'given': 2}") == "['lib_two', 'lib_one'] ['given'] []"


def test_what_no_fork_would_survive_is_left_to_the_kernels(libraries):
    cells = ["import lib_two", "import lib_thread", "import lib_notebook", "import lib_late"]
    assert used(libraries, [cells]) == "['lib_two', 'lib_late'] [] []"


def test_a_cell_that_fails_costs_only_itself_and_one_that_does_not_end_what_follows(libraries):
    cells = ["%matplotlib inline", "1 / 0", "import lib_two", "exit()", "import lib_one", "while True:\n    pass"]
    started = time.monotonic()
    assert used(libraries, [[*cells, "import lib_late"]], seconds=1) == "['lib_two', 'lib_one'] [] []"
    assert time.monotonic() - started < 30
    deaf = "while True:\n    try:\n        while True:\n            pass\n    except Exception:\n        pass"
    assert used(libraries, [["import lib_two", deaf]], seconds=1, patience=3) == "[] [] []", "it is ended from outside"


def test_what_the_cells_write_and_start_is_gone(libraries):
    cells = [
        "open('left.txt', 'w').close()",
        "import subprocess, sys",
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4321)'])",
    ]
    assert used(libraries, [cells]).endswith("[] []")
    assert not (libraries / "left.txt").exists()
    assert wait_until(lambda: not any(b"time.sleep(4321)" in command for command in _commands()))


def _commands():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def test_students_and_examiners_have_the_modules_and_students_nothing_else(tmp_path):
    secret = "-".join(["the", "model", "answer", "of", "question", "seven"])
    solution = [[f"def answer():\n    import wave\n    return {secret!r}", "answer()"]]
    told = []
    with grade_zygotes.start_examiners(["given = 1"], [], None, solution=solution, heard=told.extend) as examiners:
        assert not examiners.left_out
        assert "wave" in told
        with zygote.start_zygote([grade_zygotes.ASK], None, lambda: told) as students:
            assert not students.left_out
            for running in (examiners, students):
                look = run_cells(running, ["import sys; print('wave' in sys.modules)", SEARCH], tmp_path)
                assert printed(look.cells[0]) == "True"
                assert (printed(look.cells[1]) == "0") == (running is students)


# The two halves of what is sought are never joined here, so that the search does not find itself.
SEARCH = """
import re
first, second, found = b"the-model-answer", b"-of-question-seven", 0
for line in open("/proc/self/maps"):
    begin, end = (int(part, 16) for part in line.split()[0].split("-"))
    if line.split()[1].startswith("rw") and "[v" not in line:
        with open("/proc/self/mem", "rb", 0) as memory:
            memory.seek(begin)
            try:
                data = memory.read(end - begin)
            except OSError:
                continue
        for at in re.finditer(first, data):
            found += data[at.end():at.end() + len(second)] == second
print(found)
"""


def test_a_process_that_is_told_of_no_modules_imports_none():
    with zygote.start_zygote([grade_zygotes.ASK]) as running:
        assert not running.left_out


def test_model_answers_that_cannot_be_read_are_none(tmp_path):
    assert grade_plan.model_cells(tmp_path) == []
    (tmp_path / "lab.ipynb").write_text("no notebook")
    assert grade_plan.model_cells(tmp_path) == []


def test_no_hidden_test_is_among_the_model_answers(tmp_path):
    hidden = "shown()\n### BEGIN HIDDEN TESTS\nimport wave\n### END HIDDEN TESTS"
    answer = "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"
    cells = [tiny_lab.cell("q1", answer, solution=True), tiny_lab.cell("t1", hidden, grade=True, locked=True, points=1)]
    folder = tmp_path / "solutions" / "lab"
    folder.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "lab.ipynb")
    assert grade_plan.model_cells(folder) == [[answer, "shown()"]]


def test_a_copy_that_is_lost_or_does_not_end_returns_nothing():
    assert grade_modules.in_a_copy(lambda: 1 / 0, 60)() is None
    assert grade_modules.in_a_copy(lambda: [1], 60)() == [1]
    started = time.monotonic()
    assert grade_modules.in_a_copy(lambda: time.sleep(300), 0.2)() is None
    assert time.monotonic() - started < 60


def test_the_thread_that_starts_the_processes_imports_nothing():
    """Beside the import of nbgrader it would wait for ever, now and then."""
    code = """
import sys
from cimlab import datasets
from cimlab.grading import grade_zygotes
grade_zygotes.lab_notebooks = lambda config: []
nothing = {"isolation": "auto", "hidden": [], "imports": [], "own_data": False, "sources": {}}
zygotes = grade_zygotes.Zygotes({**nothing, "solution": [["import wave"]]})
before = set(sys.modules)
zygotes.start()
zygotes.close()
print(zygotes.refused, sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None []", done.stderr
