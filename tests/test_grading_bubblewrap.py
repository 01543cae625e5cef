"""Rooms that bubblewrap makes: they promise what our own do, and no program is believed to be bubblewrap unseen."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from cimlab.__main__ import main
from cimlab.grading import bubblewrap, grade, grade_zygotes, isolate, zygote
from tests.test_grading_apart import (  # noqa: F401 (those that take `run` are run here, too)
    hand_in,
    test_a_test_reads_the_answer_and_says_what_is_wrong,
    test_an_endless_function_costs_its_own_test_only,
    test_files_of_the_hand_in_are_there_for_the_tests,
    test_the_end_of_python_is_named,
    test_the_hand_in_sees_nothing_of_the_tests,
    test_what_the_lab_defines_is_the_examiners_own,
)
from tests.test_grading_grade import LAB, everything, make_course
from tests.test_grading_grade import hand_in as hand_in_of
from tests.test_grading_isolation import (  # noqa: F401 (as above, with the fixtures of this file)
    LIMITS,
    MORE,
    seen,
    test_a_background_process_does_not_outlive_its_room,
    test_a_hand_in_that_does_not_fit_is_named,
    test_a_room_has_limits,
    test_a_room_has_no_rights_and_sees_nobody,
    test_a_room_holds_the_folder_and_the_data,
    test_nothing_is_written_outside,
    test_rooms_do_not_share_random_state,
    test_the_attempts_fail_for_the_right_reason,
    test_the_attempts_fail_in_a_room,
    test_the_end_of_a_kernel_is_the_end_of_its_room_only,
    test_what_all_processes_of_a_room_use_has_a_limit,
    try_everything,
)
from tests.test_grading_kernels import OWNER, SLEEPER
from tests.warm_kernels import alive, printed, processes_with, provisioner, run_cells, wait_until

ROOT = Path(__file__).resolve().parents[1]
SOMEBODY = 0x7100_0000  # a user id that nobody has
pytestmark = [pytest.mark.bubblewrap, pytest.mark.grading]


def room(**wishes):
    return isolate.Room(bubblewrap=bubblewrap.find_bubblewrap(), **wishes)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return try_everything(tmp_path_factory.mktemp("course"), {"room": room(**LIMITS)})


@pytest.fixture(scope="module")
def isolated():
    with zygote.start_zygote(["import numpy"], room(**LIMITS)) as running:
        yield running


@pytest.fixture
def inhabitants():
    """The processes of a room: its first, and the kernel; the one between them has ended."""
    return [1, 3]


def test_what_lies_in_tmp_can_be_shown(tmp_path):
    """The course itself, and its Python, may lie there: the room's own folder must not cover them."""
    with tempfile.TemporaryDirectory(prefix="shown-", dir="/tmp") as shown:
        Path(shown).chmod(0o755)
        Path(shown, "here.txt").write_text("seen", encoding="utf-8")
        cells = [f"print(open({f'{shown}/here.txt'!r}).read())", f"open({f'{shown}/new.txt'!r}, 'w')"]
        with zygote.start_zygote([], room(read_only=(shown,))) as server:
            read, written = map(printed, run_cells(server, cells, tmp_path).cells)
    assert read == "seen" and "Error: " in written, (read, written)


def test_a_room_that_would_show_what_must_stay_hidden_is_refused():
    with pytest.raises(isolate.IsolationError, match="must stay hidden"):
        zygote.start_zygote([], room(hidden=(f"{sys.prefix}/lib",)))


@pytest.mark.parametrize("killed", ["owner", "zygote", "bubblewrap"])
def test_nothing_outlives_whoever_has_made_it(killed, tmp_path):
    mark = f"cimlab-bubblewrap-{killed}-{os.getpid()}"
    script = tmp_path / "owner.py"
    wanted = f"isolate.Room(bubblewrap={bubblewrap.find_bubblewrap()!r}, disk=43_210_987)"
    script.write_text(OWNER.format(cell=SLEEPER.format(mark=mark)).replace("isolate.Room()", wanted))
    command = [sys.executable, str(script), "room", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as owner:
        pid = int(owner.stdout.readline())
        try:
            assert wait_until(lambda: processes_with(mark), 60)  # a kernel has started its sleeper
            makers = processes_with("43210987")
            assert makers
            for one in {"owner": [owner.pid], "zygote": [pid], "bubblewrap": makers}[killed]:
                os.kill(one, signal.SIGKILL)
            assert wait_until(lambda: not processes_with(mark)), "what a kernel has started lives"
            assert wait_until(lambda: not processes_with("43210987")), "bubblewrap lives"
            assert killed == "bubblewrap" or wait_until(lambda: not alive(pid)), "the zygote lives"
        finally:
            os.killpg(owner.pid, signal.SIGKILL)


# ---------------------------------------------------------------------------------------------------------------------
# Tests apart, a class


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The cells of test_grading_apart, run apart: {name: cell}."""
    from cimlab.grading.apart import ExecuteApart

    notebook, folder = hand_in(), tmp_path_factory.mktemp("lab")
    executor = ExecuteApart(
        kernel_name="python3", timeout=8, shutdown_kernel="immediate", iopub_timeout=30, raise_on_iopub_timeout=False
    )
    (folder / "lab.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    imports, first = zygote.lab_imports(notebook), grade_zygotes.first_cells(notebook)
    with (
        zygote.start_zygote(imports, room()) as kernels,
        grade_zygotes.start_examiners(first, imports, room()) as examiners,
    ):
        assert not examiners.left_out
        with provisioner(kernels), pytest.MonkeyPatch.context() as patch:
            patch.setenv(zygote.EXAMINERS, examiners.path)
            executor.preprocess(notebook, {"metadata": {"path": str(folder)}})
    return {cell.id: cell for cell in notebook.cells}


def test_a_class_gets_the_same_marks(tmp_path, monkeypatch, capsys):
    course, other = make_course(tmp_path / "one"), tmp_path / "other"
    hand_in_of(course, "right", "wrong-1", "kernel-killed")
    shutil.copytree(course, other)
    monkeypatch.chdir(course)
    assert main(["grade", LAB, "--isolation", "bubblewrap"]) == 1  # one has ended its kernel: needs review
    told = capsys.readouterr()
    assert f"shut in by bubblewrap ({bubblewrap.find_bubblewrap()})" in told.err and "your rights" not in told.err
    assert grade.grade(other, LAB, isolation="off")["kernels"] == "warm"
    got = everything(course)
    assert got == everything(other) and {row[5] for row in got["marks"]} >= {0.0, 2.0, 3.0}


# ---------------------------------------------------------------------------------------------------------------------
# Where it is used, where it is refused


def zygotes_for(isolation, monkeypatch, own="Not here."):
    monkeypatch.setattr(isolate, "isolation_available", lambda: own)
    monkeypatch.setattr(grade_zygotes, "lab_notebooks", lambda config: [])
    return grade_zygotes.Zygotes(
        {"isolation": isolation, "hidden": [], "imports": [], "solution": [], "own_data": False}
    )


def test_it_is_used_where_our_own_rooms_cannot_be_had(monkeypatch, tmp_path):
    zygotes = zygotes_for("auto", monkeypatch)
    zygotes.start()
    try:
        program = bubblewrap.find_bubblewrap()
        assert zygotes.kernels == "isolated" and not zygotes.refused
        assert zygotes.why == ["Not here.", f"The code of students is shut in by bubblewrap ({program})."]
        look = "import os; print(os.getcwd(), os.getuid())"
        assert printed(run_cells(zygotes.students, [look], tmp_path).cells[0]) == f"/home/student/{tmp_path.name} 65534"
        monkeypatch.setattr(isolate, "isolation_available", lambda: None)
        zygotes.students._process.kill()
        zygotes.students._process.wait()
        zygotes.living()
        assert len(zygotes.ways) == 1 and zygotes.ways[0].bubblewrap, "it is started again as it was announced"
    finally:
        zygotes.close()


@pytest.mark.parametrize("isolation", ["required", "bubblewrap"])
def test_where_neither_can_be_had_it_is_said_what_to_install(isolation, monkeypatch):
    monkeypatch.setattr(bubblewrap, "find_bubblewrap", lambda: None)
    zygotes = zygotes_for(isolation, monkeypatch)
    zygotes.start()
    assert zygotes.kernels is None and "apt install bubblewrap" in zygotes.refused
    assert ("Not here." in zygotes.refused) == (isolation == "required")


PRETENDER = """
while [ "$1" != --info-fd ]; do shift; done
echo "{\\"child-pid\\": $$}" >&"$2"
exec /bin/cat
"""
BROKEN = {
    "forbidden": ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "No permissions to create new"),
    "too old": ("echo 'bwrap: Unknown option --size' >&2; exit 1", "is too old. Install bubblewrap 0.8 or newer"),
    "silent": ("exit 3", "ended with 3, and said nothing"),
    "talks": ("echo", "does not say which process is in the room"),
    "makes no namespaces": (PRETENDER, "has made no namespace of its own"),
}


def make_broken(folder, name):
    program = folder / bubblewrap.PROGRAM
    program.write_text(f"#!/bin/bash\n{BROKEN[name][0]}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_refused_with_a_plain_sentence(name, tmp_path):
    program = make_broken(tmp_path, name)
    said = bubblewrap._tried(str(program))
    assert said.startswith(f"Bubblewrap ({program}) ") and BROKEN[name][1] in said and said.endswith("."), said
    assert "Traceback" not in said and "\n" not in said


@pytest.mark.parametrize(("setting", "hint"), [("1\n", True), ("0\n", False), (None, False)])
def test_where_apparmor_forbids_it_that_is_said(setting, hint, tmp_path, monkeypatch):
    if setting:
        (tmp_path / "setting").write_text(setting)
    monkeypatch.setattr(bubblewrap, "APPARMOR", tmp_path / "setting")
    assert ("AppArmor forbids it" in bubblewrap._tried(str(make_broken(tmp_path, "forbidden")))) == hint


def test_nothing_is_graded_with_a_broken_one(tmp_path, monkeypatch, capsys):
    course = make_course(tmp_path / "course")
    hand_in_of(course, "right")
    make_broken(tmp_path, "forbidden")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(course)
    assert main(["grade", LAB, "--isolation", "bubblewrap"]) == 2
    said = capsys.readouterr().err
    assert "does not work on this system: bwrap: No permissions to create new namespace." in said
    assert not (course / "autograded").exists()


# ---------------------------------------------------------------------------------------------------------------------
# Root runs bubblewrap in another way than everybody else: both must hold


def closed(path):
    """Return the outermost folder above a path that not everybody may enter, or None."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 1), None)


def become_somebody():
    """Give up root in this process, which then still can use this Python and this checkout, wherever they lie."""
    isolate.call("unshare", isolate.NEW_MOUNT, what="mounts of its own")
    isolate._mount(None, "/", None, isolate.RECURSIVE | isolate.PRIVATE)
    needed = {Path(path).resolve() for path in (sys.prefix, sys.base_prefix, ROOT)}
    needed = {path: os.open(path, os.O_PATH) for path in needed if closed(path)}
    for folder in {closed(path) for path in needed}:
        isolate._mount("tmpfs", folder, "tmpfs", 0, "mode=755")
    for path, descriptor in needed.items():
        path.mkdir(parents=True, exist_ok=True)
        isolate._mount(f"/proc/self/fd/{descriptor}", path, None, isolate.BIND | isolate.RECURSIVE)
    isolate._become(SOMEBODY)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="what an ordinary user gets is seen above")
def test_an_ordinary_user_gets_the_same():
    folder = Path(tempfile.mkdtemp(prefix="cimlab-somebody-"))
    try:
        os.chown(folder, SOMEBODY, SOMEBODY)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "JUPYTER"))}
        environment |= {"HOME": str(folder), "CIMLAB_MUST_RUN": "bubblewrap"}
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
            environment[f"JUPYTER_{name}"] = str(folder)
        command = [sys.executable, "-m", "pytest", __file__, "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
        command += ["--basetemp", str(folder / "base"), "-k", "attempts or room_has or room_holds or background"]
        done = subprocess.run(
            command, preexec_fn=become_somebody, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= len(MORE), done.stdout[-300:]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
