"""A class with all hostile hand-ins of `tests.hostile`, graded at once by `cimlab grade`, between honest ones."""

import hashlib
import shutil
import socket
import threading
import time

import nbformat
import pytest

from cimlab.grading import isolate, zygote
from tests import hostile
from tests.hostile import HOSTILE, LAB, SECRETS, STOCK
from tests.warm_kernels import processes_with

REASON = zygote.warm_available() or isolate.isolation_available()
pytestmark = pytest.mark.skipif(bool(REASON), reason=str(REASON))
HONEST = ("a-first", "m-middle", "z-last")
MARK = "cimlab-hostile-mark"
LIMITS = """
c.Execute.timeout = 12
c.ExecuteAll.notebook_timeout = 60
c.ExecuteApart.patience = 2
"""


def student(name):
    return "h-" + "".join(sign if sign.isalnum() else "-" for sign in name)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """What became of the class."""
    if REASON:
        pytest.skip(REASON)
    from cimlab.grading.course import register
    from cimlab.grading.grade import grade

    course, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    hostile.write_course(course)
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(LIMITS)
    register(course, [LAB])
    (home / "letter.txt").write_text(SECRETS["home"], encoding="utf-8")
    for name in HONEST:
        hostile.write_hand_in(course, name, hostile.HONEST, {})
    shutil.copytree(course / "submitted" / HONEST[0], course / "submitted" / "first")
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        reached = []
        threading.Thread(target=_listen, args=(server, reached), daemon=True).start()
        facts = {"course": course, "home": home, "port": server.getsockname()[1], "mark": MARK}
        for name, hand_in in HOSTILE.items():
            hostile.write_hand_in(course, student(name), hand_in, facts)
        before = digest(course / "solutions") | digest(course / "submitted") | digest(home)
        started = time.monotonic()
        done = grade(course, LAB, jobs=4, isolation="required")
        seconds = time.monotonic() - started
    return {
        "course": course,
        "rows": {row["student"]: row for row in done["rows"]},
        "kernels": done["kernels"],
        "seconds": seconds,
        "same": before == digest(course / "solutions") | digest(course / "submitted") | digest(home),
        "reached": reached,
    }


def _listen(server, reached):
    try:
        while True:
            with server.accept()[0] as connection:
                reached.append(connection.getpeername())
                connection.sendall(SECRETS["network"].encode())
    except OSError:
        pass


def notebook_of(graded, name):
    path = graded["course"] / "autograded" / name / LAB / f"{LAB}.ipynb"
    return nbformat.read(path, as_version=4) if path.is_file() else None


def automatic(graded, name):
    """Return the automatic points of a student in the gradebook; None if there are none."""
    from nbgrader.api import Gradebook

    if graded["rows"].get(name, {}).get("score", 0) is None:
        return None
    with Gradebook(f"sqlite:///{graded['course'] / 'gradebook.db'}") as gradebook:
        notebook = gradebook.find_submission_notebook(LAB, LAB, name)
        return sum(grade.auto_score or 0 for grade in notebook.grades)


def test_everybody_has_a_verdict(graded):
    assert graded["kernels"] == "isolated"
    assert set(graded["rows"]) == {*HONEST, "first", *map(student, HOSTILE)}
    assert all(row["verdict"] != "needs review" or row["reason"] for row in graded["rows"].values())


def test_it_is_no_small_set():
    assert len(HOSTILE) >= 40 and set(STOCK) == set(HOSTILE)


def test_stock_nbgrader_gives_many_of_them_marks(graded):
    """Otherwise the set would prove nothing."""
    gained = [name for name, facts in STOCK.items() if (facts["points"] or 0) > HOSTILE[name].earned]
    lost = [name for name, facts in STOCK.items() if (facts["points"] or 0) < HOSTILE[name].earned]
    read = [name for name, facts in STOCK.items() if facts["read"]]
    harm = [name for name, facts in STOCK.items() if facts["harm"] or facts["status"] not in (0, 1)]
    assert len(gained) >= 8 and len(lost) >= 8 and len(read) >= 4 and len(harm) >= 4


@pytest.mark.parametrize("name", HOSTILE)
def test_no_mark_is_gained_and_no_honest_one_lost(graded, name):
    row, points = graded["rows"][student(name)], automatic(graded, student(name))
    if row["verdict"] == "needs review" and points is None:
        return
    assert points == HOSTILE[name].earned, row


UNREADABLE = {"link to a hand-in", "link to the gradebook", "cut off", "empty file"}


@pytest.mark.parametrize("name", HOSTILE)
def test_only_what_cannot_be_read_has_no_marks(graded, name):
    assert (automatic(graded, student(name)) is None) == (name in UNREADABLE), graded["rows"][student(name)]


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_read(graded, name):
    notebook = notebook_of(graded, student(name))
    told = hostile.outputs_of_answers(notebook) if notebook else ""
    assert not [place for place, secret in SECRETS.items() if secret in told]


@pytest.mark.parametrize("name", [*HONEST, "first"])
def test_the_honest_lose_nothing(graded, name):
    assert automatic(graded, name) == 6 and graded["rows"][name]["verdict"] == "graded"


def test_nothing_is_changed_and_nothing_runs_on(graded):
    assert graded["same"] and not graded["reached"] and not processes_with(MARK)


def test_it_is_over_in_time(graded):
    assert graded["seconds"] < 400
