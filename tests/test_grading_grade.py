"""`cimlab grade`: the marks of stock nbgrader, each hand-in with a verdict, nothing lost whatever is killed."""

import atexit
import builtins
import contextlib
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from cimlab.__main__ import main
from cimlab.grading import grade, grade_dask, grade_find, grade_plan, grade_ready, grade_run, isolate, zygote
from cimlab.grading.course import open_folders
from cimlab.grading.release import release
from tests import broken, tiny_lab
from tests.test_grading_class import nbgrader

pytestmark = pytest.mark.grading
LAB = tiny_lab.LAB
needs_links = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights there")
needs_warm = pytest.mark.skipif(bool(zygote.warm_available()), reason=str(zygote.warm_available()))
STOCK_TOO = ("right", "wrong-1", "empty", "renamed", "damaged")


@functools.cache
def _released():
    """A course with a date, and the gradebook that `cimlab release` makes."""
    course = tiny_lab.write_course(tempfile.mkdtemp(prefix="cimlab-tests-"), labs=False)
    release(course, [LAB])
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "cimlab") as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate="2026-10-12 12:00:00 UTC")
    atexit.register(shutil.rmtree, course, ignore_errors=True)
    return course


def make_course(folder):
    return Path(shutil.copytree(_released(), folder, dirs_exist_ok=True))


def hand_in(course, *students):
    made = broken.hand_ins(course, LAB)
    for student in students:
        made[student].write(course, student, LAB)
    return made


def path_of(course, student, step="submitted"):
    return course / step / student / LAB / f"{LAB}.ipynb"


MARKS = """
select s.student_id, n.name, b.name, b.type, s.timestamp, g.auto_score, g.manual_score, g.extra_credit,
    g.needs_manual_grade, c.auto_comment, c.manual_comment, m.late_submission_penalty, m.flagged
from submitted_assignment s join submitted_notebook m on m.assignment_id = s.id join notebook n on n.id = m.notebook_id
join base_cell b on b.notebook_id = n.id
left join grade g on g.notebook_id = m.id and g.cell_id = b.id
left join comment c on c.notebook_id = m.id and c.cell_id = b.id
order by 1, 2, 3, 4
"""


def everything(course, with_verdicts=True):
    """Return all that a gradebook says, without ids and times of grading."""
    with contextlib.closing(sqlite3.connect(course / "gradebook.db")) as gradebook:
        found = {"marks": gradebook.execute(MARKS).fetchall()}
        for table in ("student", "grade", "comment", "submitted_assignment", "submitted_notebook"):
            found[table] = gradebook.execute(f"select count(*) from {table}").fetchone()
        found["students"] = gradebook.execute("select * from student order by id").fetchall()
        if with_verdicts:
            columns = "student, verdict, reason, hand_in, lab, marked"
            found["verdicts"] = gradebook.execute(f"select {columns} from cimlab_verdict order by 1").fetchall()
    return found


def graded_cells(course, student):
    """Return what stands in a graded notebook: (id, source, kinds of outputs)."""
    cells = nbformat.read(path_of(course, student, "autograded"), as_version=4).cells
    return [(cell.source, [one.output_type for one in cell.get("outputs", [])]) for cell in cells]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class: (course graded by us, the same graded by nbgrader, what our run returned, what it said)."""
    course = make_course(tmp_path_factory.mktemp("ours"))
    hand_in(course, *STOCK_TOO, "kernel-killed")
    moments = {"right": "2026-10-12 20:00:00 +0800", "wrong-1": "2026-10-13 01:00:00 UTC"}
    moments |= {"damaged": "2026-10-13 01:00:01 UTC", "kernel-killed": "yesterday, I think"}
    for student, moment in moments.items():
        (path_of(course, student).parent / "timestamp.txt").write_text(moment)
    stock = tmp_path_factory.mktemp("stock") / "course"
    shutil.copytree(course, stock)
    shutil.rmtree(stock / "submitted" / "kernel-killed")
    if os.name == "posix":
        shutil.copytree(course / "submitted/right", course / "submitted/link")
        (course / "submitted/link" / LAB / "friend").symlink_to(course / "gradebook.db")
    assert nbgrader(stock, "autograde", LAB).returncode == 1  # one cannot be read
    said = []
    done = grade.grade(course, LAB, say=said.append)
    return course, stock, done, said


def row_of(done, student):
    return next(row for row in done["rows"] if row["student"] == student)


def test_marks_are_those_of_nbgrader_in_every_field(graded):
    course, stock, *_ = graded
    ours, theirs = everything(course)["marks"], everything(stock, with_verdicts=False)["marks"]
    assert {row[0] for row in theirs} == set(STOCK_TOO)
    assert [row for row in ours if row[0] in STOCK_TOO] == theirs
    assert any(row[4] and "2026-10-13 01:00" in row[4] for row in ours) and any(row[5] for row in ours)


def test_export_and_formgrader_see_what_nbgrader_would_have_left(graded):
    from cimlab.grading.course import open_api

    course, stock, *_ = graded
    shown = []
    for folder in (course, stock):
        assert nbgrader(folder, "export").returncode == 0
        lines = (folder / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
        rows = open_api(folder).get_submissions(LAB)
        keys = [key for key in rows[0] if key not in ("id",)]
        shown.append(
            (
                [line for line in lines if line.split(",")[1] in STOCK_TOO],
                [[row[key] for key in keys] for row in rows if row["student"] in STOCK_TOO],
            )
        )
    assert shown[0] == shown[1] and len(shown[0][0]) == len(shown[0][1]) == len(STOCK_TOO)


def test_graded_notebooks_are_those_of_nbgrader(graded):
    course, stock, *_ = graded
    for student in ("right", "wrong-1", "empty", "renamed"):
        assert graded_cells(course, student) == graded_cells(stock, student)
        facts = path_of(course, student, "autograded").stat(), path_of(stock, student, "autograded").stat()
        assert facts[0].st_mode == facts[1].st_mode
    assert not (course / "autograded" / "damaged" / LAB).exists()
    assert not list((course / "autograded").glob("*/.*"))


def test_every_hand_in_has_one_verdict_with_its_reason(graded):
    course, _, done, _ = graded
    assert {row["student"] for row in done["rows"]} == {path.name for path in (course / "submitted").iterdir()}
    verdicts = {row["student"]: (row["verdict"], row["score"]) for row in done["rows"]}
    assert verdicts["right"] == ("graded", 6) and verdicts["wrong-1"][0] == verdicts["empty"][0] == "graded"
    assert verdicts["renamed"] == ("graded after repair", 6) and verdicts["damaged"] == ("needs review", None)
    assert "takes the place of the missing" in row_of(done, "renamed")["reason"]
    assert "hand it in again" in row_of(done, "damaged")["reason"]
    dead = row_of(done, "kernel-killed")
    assert dead["verdict"] == "needs review" and dead["score"] is not None and "ended Python" in dead["reason"]
    assert "whether it was late is not known" in dead["reason"]
    table = grade.as_table(done)
    assert "damaged" in table and "hand it in again" in table and " needs review" in table.splitlines()[-1]
    assert "damaged" in (course / ".nbgrader.log").read_text()


@needs_links
def test_a_link_is_refused_and_costs_nobody_else(graded):
    _, _, done, _ = graded
    row = row_of(done, "link")
    assert (row["verdict"], row["score"]) == ("needs review", None) and "symbolic link" in row["reason"]
    assert "friend" in row["reason"]


def test_what_could_not_be_had_is_said(graded):
    _, _, done, said = graded
    possible = not zygote.warm_available() and not isolate.isolation_available()
    assert done["kernels"] == ("isolated" if possible else done["kernels"])
    assert bool(said) == (not possible)


def test_only_what_is_new_or_changed_is_graded_again(graded, tmp_path, monkeypatch):
    course = tmp_path / "course"
    shutil.copytree(graded[0], course, symlinks=True)
    before = everything(course)
    with monkeypatch.context() as patch:
        patch.setattr(grade_run, "Engine", None)  # not even started
        done = grade.grade(course, LAB)
    assert done["unchanged"] == len(list((course / "submitted").iterdir()))
    assert {row["verdict"] for row in done["rows"]} == {"needs review"}, "those are named each time"
    assert everything(course) == before

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "cimlab") as gradebook:
        mark = gradebook.find_grade("q3_why", LAB, LAB, "wrong-1")
        mark.manual_score, mark.needs_manual_grade = 3, False
        gradebook.find_comment("q3_why", LAB, LAB, "wrong-1").manual_comment = "well said"
        gradebook.db.commit()
    shutil.copy(path_of(course, "right"), path_of(course, "wrong-1"))
    (path_of(course, "empty").parent / "note.txt").write_text("new")
    path_of(course, "renamed").with_name(f"{LAB} (1).ipynb").write_text("now it is broken")
    done = grade.grade(course, LAB, students=["wrong-1", "renamed"])
    assert {row["student"]: row["verdict"] for row in done["rows"]} == {"wrong-1": "graded", "renamed": "needs review"}
    after = everything(course)
    mine = {row[2]: row for row in after["marks"] if row[0] == "wrong-1" and row[3] == "GradeCell"}
    assert mine["q3_why"][6:9] == (3, None, 1), "the mark stays, and waits to be confirmed, as with nbgrader"
    assert sum(row[5] or 0 for row in mine.values()) == 6
    assert any(row[10] == "well said" for row in after["marks"])
    assert not path_of(course, "renamed", "autograded").exists(), "it was the notebook of another hand-in"
    others = [row for row in before["marks"] if row[0] not in ("wrong-1", "renamed")]
    assert [row for row in after["marks"] if row[0] not in ("wrong-1", "renamed")] == others


def test_a_lab_whose_checks_have_changed_is_graded_again(graded, tmp_path):
    from cimlab.grading.grade_write import Ledger

    course = tmp_path / "course"
    shutil.copytree(graded[0], course, symlinks=True)
    folders = open_folders(course)

    def new():
        with contextlib.closing(Ledger(folders.db_url, folders, LAB)) as ledger:
            plan = grade_plan.Plan(course, folders, LAB, ledger.rows_of_lab(), ledger)
            return set(plan.new(grade_find.hand_ins(folders, LAB), force=False))

    assert not new()
    with contextlib.closing(sqlite3.connect(course / "gradebook.db")) as gradebook:
        gradebook.execute("update source_cell set source = source || '#' where name = 'test_q2_totals'")
        gradebook.commit()
    assert new() == {path.name for path in (course / "submitted").iterdir()}


def test_what_the_modules_of_a_lab_import_belongs_to_its_version(tmp_path, monkeypatch):
    package = tmp_path / "cimlab"
    files = {
        "labs/lab01.py": "import pandas\nfrom cimlab import checks, mining",
        "checks.py": "def equal():\n    from cimlab._compare import compare",
        "_compare.py": "from cimlab import checks",
        "mining/__init__.py": "",
        "mining/trees.py": "from cimlab.analysis.value import worth",
        "analysis/value.py": "from cimlab.retailer import draws",
        "analysis/credit.py": "",
        "labs/lab02.py": "",
        "retailer/draws.py": "",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(grade_find, "PACKAGE", package)
    seen = {}
    for name in files:
        before = grade_find.lab_version([], ["from cimlab.labs import lab01 as lab"])
        (package / name).write_text(files[name] + "\n")
        seen[name] = grade_find.lab_version([], ["from cimlab.labs import lab01 as lab"]) != before
    assert [name for name, changed in seen.items() if changed] == list(files)[:6]


# ---------------------------------------------------------------------------------------------------------------------
# Killed at any moment

KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
from cimlab.grading import grade_find, grade_write
from cimlab.grading.course import open_folders
from tests.test_grading_grade import everything, LAB

made, work = Path(sys.argv[1]), Path(sys.argv[2])
folders = open_folders(made)
source = grade_write.Ledger(folders.db_url, folders, LAB)
results = {}
for student in ("right", "wrong-1"):
    marks, moment = grade_write.read_marks(folders.db_url, LAB, student)
    results[student] = {"verdict": "graded", "reason": "", "seconds": 1.0, "hand_in": "x", "lab": "y", "marks": marks,
                        "timestamp": moment}
results["damaged"] = {**results["right"], "verdict": "needs review", "marks": None, "hand_in": "z", "timestamp": None}
moments = ["staged", "written", "committed", "between", "replaced", "moved"]

def write(course, end=None):
    # "right" is new, "wrong-1" has been graded before, the graded notebook of "damaged" has to go
    own = open_folders(course)
    ledger = grade_write.Ledger(own.db_url, own, LAB)
    ledger.recover()
    passed = []
    def at(moment):
        passed.append(moment)
        if len(passed) == end:
            os.kill(os.getpid(), signal.SIGKILL)
    grade_write.at = at
    done = ledger.verdicts()
    for student, result in results.items():
        if student not in done or done[student]["hand_in"] != result["hand_in"]:
            ledger.save(student, result, source.place(student) if result["marks"] else None)
    ledger.close()
    return passed

def fresh(name):
    course = work / name
    shutil.copytree(made, course, symlinks=True)
    shutil.rmtree(course / "autograded/right")
    shutil.copytree(course / "autograded/wrong-1", course / "autograded/damaged")
    (course / "autograded/wrong-1" / LAB / "old").write_text("old")
    return course

def state(course):
    files = sorted(str(path.relative_to(course)) for path in (course / "autograded").rglob("*") if path.is_file())
    return repr(everything(course)), files

whole = fresh("whole")
passed = write(whole)
for number in range(1, len(passed) + 1):
    course = fresh(f"killed-{number}")
    child = os.fork()
    if child == 0:
        write(course, number)
        os._exit(7)
    status = os.waitpid(child, 0)[1]
    again = write(course)
    same = state(course) == state(whole)
    print(json.dumps([number, passed[number - 1], os.WIFSIGNALED(status), same, len(again)]))
    shutil.rmtree(course)
print(json.dumps(state(whole)[1]))
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_while_it_writes_the_gradebook_is_as_if_never_interrupted(graded, tmp_path):
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, graded[0], tmp_path],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
    )
    *rows, files = [json.loads(line) for line in done.stdout.splitlines()] or [[done.stderr]]
    assert not done.returncode, done.stderr
    assert len(rows) >= 15 and {row[1] for row in rows} >= {"staged", "written", "committed", "between", "moved"}
    assert all(killed for _, _, killed, _, _ in rows)
    assert [row for row in rows if not row[3]] == []
    assert len({row[4] for row in rows}) > 3, "what was written before is not written again"
    assert not any("damaged" in name or name.endswith("old") for name in files)


@needs_warm
def test_killed_while_it_grades_the_next_run_goes_on(graded, tmp_path):
    course = make_course(tmp_path)
    hand_in(course, "right", "wrong-1", "empty", "endless-loop")
    program = [sys.executable, "-W", "ignore", "-m", "cimlab", "grade", LAB, "--jobs", "2"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(program, cwd=course, env=environment, stderr=subprocess.DEVNULL) as run:
        from tests.warm_kernels import alive, wait_until

        assert wait_until(lambda: list((course / "autograded").glob(f"*/{LAB}")) or run.poll() is not None, 300)
        engines = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        os.kill(run.pid, signal.SIGKILL)
    kept = everything(course)["verdicts"]
    assert kept and len(kept) < 4
    assert engines and wait_until(lambda: not any(map(alive, engines)), 60)
    done = grade.grade(course, LAB, students=["right", "wrong-1", "empty"])
    assert done["unchanged"] == len([row for row in kept if row[0] != "endless-loop"])
    ours, theirs = everything(course), everything(graded[0])
    wanted = {"right", "wrong-1", "empty"}
    strip = [[(*row[:4], *row[5:]) for row in one["marks"] if row[0] in wanted] for one in (ours, theirs)]
    assert strip[0] == strip[1] and strip[0]


@needs_warm
def test_the_end_of_the_process_that_grades_costs_nobody(graded, tmp_path, monkeypatch):
    course = make_course(tmp_path)
    hand_in(course, "right", "empty")
    submit, ended = grade_run.Engine.submit, []

    def and_kill(engine, folder, variables):
        future = submit(engine, folder, variables)
        if not ended:
            ended.append(engine.process.pid)
            engine.process.kill()
        return future

    monkeypatch.setattr(grade_run.Engine, "submit", and_kill)
    done = grade.grade(course, LAB, jobs=2)
    assert {row["student"]: row["score"] for row in done["rows"]} == {"right": 6, "empty": 0} and ended


@needs_warm
def test_the_time_of_a_hand_in_ends(graded, tmp_path, monkeypatch):
    course = make_course(tmp_path)
    hand_in(course, "right")
    monkeypatch.setattr(grade_plan, "MARGIN", -299.9)
    done = grade.grade(course, LAB)
    assert [(row["verdict"], row["score"]) for row in done["rows"]] == [("needs review", None)]
    assert "was stopped" in done["rows"][0]["reason"]


@needs_warm
def test_where_a_process_cannot_be_started_it_waits_or_says_so(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from cimlab.grading import grade_engine

    left, forks = [0, 1, 0, 1, 1], []

    def fork(_config, _api, _named, task):
        forks.append(task["folder"])
        if left.pop(0):
            raise BlockingIOError("no more processes")
        return subprocess.Popen(["sleep", "0.2"], start_new_session=True).pid

    monkeypatch.setattr(grade_engine, "_fork", fork)
    places = [tmp_path / name for name in "abc"]
    for place in places:
        place.mkdir()
    reading, writing = os.pipe()
    os.write(writing, b"".join(json.dumps({"folder": str(place)}).encode() + b"\n" for place in places))
    told = []

    def write(line):
        told.append(json.loads(line)["done"][-1])
        if len(told) == 3:
            os.close(writing)

    kept = os.dup(0)
    os.dup2(reading, 0)
    try:
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            engine = SimpleNamespace(living=dict), SimpleNamespace(write=write)
            grade_engine._fork_for_each({"deadline": 60}, None, *engine)
    finally:
        os.dup2(kept, 0)
        os.set_blocking(0, True)
        os.close(kept)
        os.close(reading)
    assert told == ["a", "b", "c"] and [path[-1] for path in forks] == ["a", "b", "b", "c", "c"]
    assert "no process could be started" in json.loads((places[2] / "result.json").read_text())["failure"]
    assert not (places[1] / "result.json").exists()


def test_where_no_process_can_be_forked_kernels_are_cold_and_it_is_said(graded, tmp_path):
    course = make_course(tmp_path)
    hand_in(course, "right", "empty")
    said = []
    done = grade.grade(course, LAB, jobs=2, warm=False, say=said.append)
    assert done["kernels"] == "cold" and "not isolated" in said[-1]
    assert {row["student"]: row["score"] for row in done["rows"]} == {"right": 6, "empty": 0}


@needs_warm
def test_without_isolation_nothing_is_graded_where_it_is_required(tmp_path, monkeypatch, capsys):
    course = make_course(tmp_path)
    hand_in(course, "right")
    monkeypatch.chdir(course)
    monkeypatch.setenv("CIMLAB_TRUTH", str(Path(sys.prefix, "bin")))  # what must be hidden lies where Python is
    assert main(["grade", LAB, "--isolation", "required"]) == 2
    assert "must stay hidden" in capsys.readouterr().err
    assert not (course / "autograded").exists()


def test_what_was_isolated_is_started_again_isolated_or_not_at_all(monkeypatch):
    from types import SimpleNamespace

    from cimlab.grading import grade_zygotes

    rooms = []

    def start(_imports, room, *_more, **_named):
        rooms.append(room)
        if room and len(rooms) > 2:
            raise isolate.IsolationError("the namespaces are used up")
        return SimpleNamespace(path="", _process=SimpleNamespace(poll=lambda: -9), close=bool)  # it has been ended

    monkeypatch.setattr(zygote, "start_zygote", start)
    monkeypatch.setattr(grade_zygotes, "lab_notebooks", lambda config: [])
    zygotes = grade_zygotes.Zygotes(
        {"isolation": "auto", "hidden": [], "imports": [], "solution": [], "own_data": False}
    )
    zygotes.start()
    assert zygotes.kernels == "isolated" and len(rooms) == 2
    with pytest.raises(RuntimeError, match="the namespaces are used up"):
        zygotes.living()
    assert len(rooms) == 4 and all(rooms)


@pytest.mark.parametrize(("had", "asked"), [("isolated", "required"), ("warm", "auto"), ("cold", "auto")])
def test_a_second_process_that_grades_is_isolated_as_the_first(had, asked, monkeypatch):
    from types import SimpleNamespace

    started = []

    def start(config):
        started.append(config["isolation"])
        dead = SimpleNamespace(poll=lambda: -9)
        return SimpleNamespace(ready={"kernels": had}, process=dead, close=bool, submit=lambda *_: object())

    monkeypatch.setattr(grade_run, "Engine", start)
    pool = grade_run.Pool({"isolation": "auto", "warm": True}, 2)
    pool._begin(SimpleNamespace(folder="", variables={}))
    assert started == ["auto", asked]


@needs_warm
def test_two_dask_workers_give_the_same_marks(graded, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra [cluster])")
    course = make_course(tmp_path / "course")
    hand_in(course, "right", "wrong-1", "damaged")
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    )
    with cluster:
        done = grade.grade(course, LAB, scheduler=cluster.scheduler_address)
    wanted = {row["student"]: (row["verdict"], row["score"]) for row in graded[2]["rows"]}
    assert {row["student"]: (row["verdict"], row["score"]) for row in done["rows"]} == {
        student: wanted[student] for student in ("right", "wrong-1", "damaged")
    }
    assert graded_cells(course, "right") == graded_cells(graded[0], "right")


@pytest.mark.parametrize(("happens", "told"), [(None, "late"), ("ended", "ended"), (False, "done"), (True, "late")])
def test_a_worker_tells_what_happened_and_ends_a_cold_process_that_takes_too_long(happens, told, tmp_path, monkeypatch):
    import concurrent.futures
    from types import SimpleNamespace

    answer, ended = concurrent.futures.Future(), []
    if happens == "ended":
        answer.set_exception(grade_run.EngineEnded())
    elif happens is not None:
        answer.set_result(happens)
    process = SimpleNamespace(kill=lambda: ended.append("killed"))
    engine = SimpleNamespace(submit=lambda *_: answer, process=process)
    monkeypatch.setattr(grade_dask, "_engine", lambda *_: (engine, tmp_path))
    monkeypatch.setattr(grade_dask, "end", ended.append)
    (tmp_path / "task").mkdir()
    task = grade_dask.pack(tmp_path / "task")
    config = {"warm": False, "deadline": 0.05}
    assert grade_dask.grade_there("class", config, b"", task, {})[0] == told
    assert ended == (["killed", "class"] if happens is None else ["class"] if happens == "ended" else [])


# ---------------------------------------------------------------------------------------------------------------------
# The command line


def test_words_that_do_not_fit_are_refused(tmp_path, monkeypatch, capsys):
    course = make_course(tmp_path)
    monkeypatch.chdir(course)
    assert main(["grade", LAB, "--engine", "dask"]) == 2
    assert "need one another" in capsys.readouterr().err
    assert main(["grade", "lab99"]) == 1 and "There is no lab" in capsys.readouterr().err
    (course / "gradebook.db").rename(course / "away")
    assert main(["grade", LAB]) == 1 and "cimlab release" in capsys.readouterr().err
    (course / "away").rename(course / "gradebook.db")
    assert main(["grade", LAB]) == 1 and "There are no hand-ins" in capsys.readouterr().err
    hand_in(course, "right")
    assert main(["grade", LAB, "--students", "nobody"]) == 1 and "by nobody" in capsys.readouterr().err


def test_two_runs_in_one_course_do_not_meet(tmp_path, capsys, monkeypatch):
    course = make_course(tmp_path)
    hand_in(course, "right")
    monkeypatch.chdir(course)
    with grade._alone(course):
        assert main(["grade", LAB]) == 1
    assert "Another `cimlab grade`" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------------
# What is handed in


def a_hand_in(tmp_path):
    folder = tmp_path / "li" / LAB
    folder.mkdir(parents=True)
    (folder / f"{LAB}.ipynb").write_text("{}")
    return folder


def test_a_fingerprint_tells_names_and_bytes(tmp_path):
    folder = a_hand_in(tmp_path)
    first = grade_find.take(folder)
    assert first == grade_find.take(folder, tmp_path / "copy") and first[1] == []
    assert (tmp_path / "copy" / f"{LAB}.ipynb").read_text() == "{}"
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    assert grade_find.take(folder, ignore=[".ipynb_checkpoints"]) == first
    assert grade_find.take(folder)[0] != first[0]
    (folder / f"{LAB}.ipynb").write_text("[]")
    assert grade_find.take(folder, ignore=[".ipynb_checkpoints"])[0] != first[0]


@needs_links
@pytest.mark.parametrize(
    ("trick", "words"),
    [
        (lambda folder: (folder / "a").symlink_to("/etc/passwd"), "symbolic link"),
        (lambda folder: (folder / "a").symlink_to(folder.parent), "symbolic link"),
        (lambda folder: (folder.rename(folder.with_name("b")), folder.symlink_to("b")), "symbolic link"),
        (lambda folder: os.mkfifo(folder / "a.ipynb"), "pipe"),
        (lambda folder: (folder / "/".join("d" * 40)).mkdir(parents=True), "deep"),
        (lambda folder: [(folder / str(n)).touch() for n in range(2001)], "more than 2000 files"),
        (lambda folder: os.truncate(folder / f"{LAB}.ipynb", 30_000_000_000), "too large"),
        (lambda folder: [(folder / f"{n}.csv").write_bytes(b"x" * 60_000_000) for n in range(4)], "too large"),
    ],
    ids=["link to a file", "link to a folder", "link as folder", "pipe", "deep", "many", "sparse", "much"],
)
def test_tricks_with_files_are_refused(tmp_path, trick, words):
    folder = a_hand_in(tmp_path)
    trick(folder)
    with pytest.raises(grade_find.Refused, match=words):
        grade_find.take(folder, tmp_path / "copy", largest=100_000_000)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-10-12 20:00:00 +0800", True),
        ("yesterday", False),
        ("", False),
        ("9" * 2_000, False),
        (b"\xff\xfe", False),
    ],
)
def test_a_time_that_cannot_be_read_is_set_aside(tmp_path, text, kept):
    folder = a_hand_in(tmp_path)
    (folder / "timestamp.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    grade_find.set_aside_time(folder)
    assert (folder / "timestamp.txt").exists() == kept
    assert (folder / "timestamp.unreadable.txt").exists() != kept
    grade_find.set_aside_time(folder)


def test_a_large_file_beside_the_notebook_is_left_out(tmp_path):
    folder = a_hand_in(tmp_path)
    with (folder / "film.mp4").open("wb") as file:
        file.truncate(30_000_000_000)
    _, notes = grade_find.take(folder, tmp_path / "copy", largest=20_000_000)
    assert notes == ["film.mp4 was left out, it is too large (30000 MB)"]
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [f"{LAB}.ipynb"]


# ---------------------------------------------------------------------------------------------------------------------
# What a lab prepares


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("import json\nx = [1, {'a': (2, None)}]\nx", True),
        ("import pandas as pd\nframe = pd.DataFrame({'a': [1]})", True),
        ("def f():\n    return x", False),
        ("class A:\n    pass", False),
        ("a = lambda: 1", False),
        ("x = 1\nprint(x)", True),  # the last line is for the eye: the kernel runs it
        ("print(1)\nx = 1", False),
        ("import random\nrandom.seed(1)\nx = random.random()", False),
        ("import numpy as np\nnp.random.seed(1)\nx = 1", False),
        ("import numpy as np\nrng = np.random.default_rng(1)", False),
        ("import tempfile\nx = tempfile.mkdtemp()[1:]", False),
        ("import os\nx = os.sep + 'tmp'", False),
        (
            "import pathlib, tempfile\np = pathlib.Path(tempfile.gettempdir(), 'a')\n"
            "x = p.exists() or p.write_text('')\np = 1",
            False,
        ),  # the second time it does not write
        ("import io\nx = [[io.StringIO()]]", False),
        ("%matplotlib inline", False),
    ],
)
def test_only_what_makes_no_difference_is_prepared(source, kept, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        grade_ready.warm([source])
        assert bool(grade_ready._prepared) == kept
    finally:
        grade_ready.warm([])


def test_what_a_library_draws_while_it_is_imported_is_not_drawn_by_a_cell(tmp_path, monkeypatch):
    """Some make the name of a temporary folder: the cell would be run twice, and its answer would be the same."""
    draw = "import random\nimport numpy as np\nrandom.random(), np.random.rand()\n"
    (tmp_path / "draws_by_itself.py").write_text(draw, encoding="utf-8")
    (tmp_path / "draws_below.py").write_text(f"{draw}import draws_by_itself\n{draw}", encoding="utf-8")
    (tmp_path / "fails_below.py").write_text(f"{draw}1 / 0", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    runs, run = [], grade_ready._run
    monkeypatch.setattr(grade_ready, "_run", lambda *given: runs.append(1) or run(*given))
    usual = builtins.__import__
    try:
        grade_ready.warm(["import draws_below\nx = 1"])
        assert grade_ready._prepared and len(runs) == 1
        failing = "try:\n    import fails_below\nexcept ZeroDivisionError:\n    y = 2"
        grade_ready.warm([failing])
        assert len(runs) == 2 and grade_ready._prepared
        grade_ready.warm(["import random\nx = 1\nrandom.random()\ny = 2"])
        assert len(runs) == 4 and not grade_ready._prepared
        assert builtins.__import__ is usual
    finally:
        grade_ready.warm([])
        for name in ("draws_below", "draws_by_itself"):
            sys.modules.pop(name, None)


def test_what_python_translates_is_no_act_of_a_cell(tmp_path, monkeypatch):
    """On a new machine the first import of a module is followed by its translation, which Python writes down."""
    (tmp_path / "never_seen_before.py").write_text("number = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    try:
        grade_ready.warm(["from never_seen_before import number\nx = number"])
        assert grade_ready._prepared and list(tmp_path.glob("__pycache__/never_seen_before*"))
    finally:
        grade_ready.warm([])
        sys.modules.pop("never_seen_before", None)


def test_no_command_waits_for_the_parsers_of_web_addresses(tmp_path):
    """They take longer than nbgrader itself; nobody asks them anything."""
    code = (
        "import sys\nfrom cimlab.__main__ import main\n"
        "try:\n    main(['grade', 'lab99', '--students', 'nobody'])\n"
        "finally:\n    import nbformat\n    sys.stdout.write(str('lark' in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "False", done.stderr


@needs_warm
def test_a_kernel_takes_what_is_prepared_only_as_its_first_cell(tmp_path):
    from tests.warm_kernels import printed, run_cells

    setup = "import os\nimport numpy as np\nx = np.array([os.getpid()])\nx.dtype.name"
    look = "print(x[0] == os.getpid())"
    begin = f"__import__('cimlab.grading.grade_ready', fromlist=['_']).warm({[setup]!r})"
    with zygote.start_zygote(["import numpy", begin]) as running:
        assert not running.left_out
        notebook = run_cells(running, [setup, look, setup, look], tmp_path)
        assert notebook.cells[0].outputs[0].data["text/plain"].strip("'").startswith("int")
        assert [printed(notebook.cells[place]) for place in (1, 3)] == ["False", "True"]
        first = run_cells(running, ["y = 1", setup, look], tmp_path)
        assert printed(first.cells[2]) == "True"


def test_soak_with_random_kills(tmp_path):
    """Hundreds of hand-ins, killed again and again: CIMLAB_SOAK=500 (a number of hand-ins); some minutes."""
    count = int(os.environ.get("CIMLAB_SOAK", "0"))
    if not count:
        pytest.skip("CIMLAB_SOAK=500 runs it")
    import random

    course, draw = make_course(tmp_path / "killed"), random.Random(8)
    kinds = ["right", "wrong-1", "wrong-2", "empty", "renamed", "damaged", "metadata-lost", "right-own-cells"]
    made = broken.hand_ins(course, LAB)
    for number in range(count):
        made[kinds[number % len(kinds)]].write(course, f"s{number:03}", LAB)
    whole = tmp_path / "whole"
    shutil.copytree(course, whole)
    program = [sys.executable, "-W", "ignore", "-m", "cimlab", "grade", LAB]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}

    def run(folder, seconds=None):
        with subprocess.Popen(program, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return None

    started = time.monotonic()
    assert run(whole) == 1
    most, kills = (time.monotonic() - started) * 0.25, 0
    while run(course, draw.uniform(1, most)) is None:
        kills += 1
        with contextlib.closing(sqlite3.connect(course / "gradebook.db")) as gradebook:
            assert gradebook.execute("pragma integrity_check").fetchone() == ("ok",)
    sys.stdout.write(f"\n{count} hand-ins, {kills} kills\n")
    assert kills > 5 and everything(course) == everything(whole)
    names = [sorted(str(path.relative_to(one)) for path in (one / "autograded").rglob("*")) for one in (course, whole)]
    assert names[0] == names[1]


def test_the_sentences_of_a_failure_hold_no_path_of_the_private_course():
    from cimlab.grading.grade_engine import plain_reason

    said = plain_reason("RuntimeError: something in /tmp/a/b.txt went wrong", LAB)
    assert said == "nbgrader could not grade it: RuntimeError: something in b.txt went wrong"
