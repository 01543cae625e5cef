"""An isolated kernel: what the code of a hand-in tries in its room, and the same tried without a room as a control.

The tests with one of the fixtures `kernels`, `isolated` and `seen` are run in rooms that bubblewrap makes, too (see
test_grading_bubblewrap).
"""

import dataclasses
import functools
import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from cimlab.datasets import data_folder
from cimlab.grading import isolate, room_memory, zygote
from tests.warm_kernels import printed, processes_with, provisioner, run_cells

REASON = zygote.warm_available() or isolate.isolation_available()
needs_room = pytest.mark.skipif(bool(REASON), reason=str(REASON))
LIMITS = {"disk": 20 * isolate.MB, "file_size": 10 * isolate.MB, "memory": 600 * isolate.MB, "processes": 60}
LIMITS["all_memory"] = 1_000 * isolate.MB

# Each attempt prints what it got, or ends with an error. {…} is filled in by `kernels`.
ATTEMPTS = {
    "solution": "print(open('{course}/solutions/lab/lab.ipynb').read())",
    "other hand-in": "print(open('{course}/submitted/other/lab/lab.ipynb').read())",
    "link": "print(open('link.ipynb').read())",
    "course folder": "import os; print('submitted' in os.listdir('{course}'))",
    "parent's port": "import socket; print(socket.create_connection(('127.0.0.1', {port}), 3).recv(9).decode())",
    "zygote": "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
    "s.connect('{zygote}'); print('in')",
    "other process": "import os; os.kill({pid}, 0); print('there')",
    "write": "import pathlib; pathlib.Path('{course}/written').write_text('x'); print('written')",
    "environment": "import os; print(os.environ['SECRET_TOKEN'])",
}
CONTROL = {
    "solution": "the solution",
    "other hand-in": "another's work",
    "link": "the solution",
    "course folder": "True",
    "parent's port": "hello",
    "zygote": "in",
    "other process": "there",
    "write": "written",
    "environment": "token",
}
MORE = {
    "shadow": "print(open('/etc/shadow').read())",
    "home": "print(open('{home_file}', 'rb').read(9))",
    "network": "import socket; socket.create_connection(('192.0.2.1', 80), 3)",
    "write to libraries": "open('{prefix}/written', 'w')",
    "write to the package": "open('{package}/written', 'w')",
    "write to the data": "open('{data}/written', 'w')",
    "write to the system": "open('/usr/written', 'w')",
    "write to the root": "open('/written', 'w')",
    "write to the devices": "open('/dev/written', 'w')",
    "change the system": "open('/proc/sys/kernel/hostname', 'w').write('x')",
    "mount": "import ctypes, os; c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.mount(b'none', b'/tmp', b'tmpfs', 0, None): raise OSError(ctypes.get_errno(), 'mount')",
    "namespace": "import ctypes, os; c = ctypes.CDLL(None)\n"
    "child = os.fork()\n"  # a process with threads may not do it anyway
    "if child == 0: os._exit(c.unshare(0x10000000) != 0)\n"
    "if os.waitpid(child, 0)[1]: raise OSError('unshare')",
    "become root": "import os; os.setuid(0)",
    "end the room's first process by signal": "import os; os.kill(1, 9); print('still here'); raise OSError",
    "memory": "block = bytearray(2_000_000_000)",
    "one file": "open('big', 'wb').write(bytes(15_000_000))",
    "the room's other processes": """
import glob
ways = [way for name in ("root", "cwd", "fd/*") for way in glob.glob(f"/proc/[0-9]*/{{name}}")]
found = [path for way in ways for up in ("{course}", "/../../..") for path in glob.glob(way + up + "/solutions/*/*")]
print(len(ways) > 2)
assert not found, found
open("{course}/solutions/lab/lab.ipynb")
""",
    "many files": "for n in range(9): open(f'part{{n}}', 'wb').write(bytes(5_000_000))",
}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    if REASON:
        pytest.skip(REASON)
    return try_everything(tmp_path_factory.mktemp("course"), {"room": isolate.Room(**LIMITS), "control": None})


def try_everything(course, rooms):
    """Return {kind of room: {attempt: what it gave}}, and under "written" the files that were there afterwards."""
    for name, text in (
        ("solutions/lab", "the solution"),
        ("submitted/other/lab", "another's work"),
        ("submitted/me/lab", "mine"),
    ):
        (course / name).mkdir(parents=True)
        (course / name / "lab.ipynb").write_text(text)
    mine = course / "submitted/me/lab"
    (mine / "link.ipynb").symlink_to(course / "solutions/lab/lab.ipynb")
    os.mkfifo(mine / "pipe")
    home_file = next((path for path in sorted(Path.home().iterdir()) if path.is_file()), Path.home() / "none")
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_TOKEN", "token")
        results = {}
        for kind, room in rooms.items():
            wanted = room and dataclasses.replace(room, hidden=(str(course / "solutions"),))
            attempts = ATTEMPTS | MORE if room else ATTEMPTS
            with zygote.start_zygote([], wanted) as running:
                facts = {
                    "course": course, "port": listener.getsockname()[1], "pid": os.getpid(), "zygote": running.path,
                    "home_file": home_file, "prefix": sys.prefix, "data": data_folder().absolute(),
                    "package": Path(isolate.__file__).parents[1],
                }  # fmt: skip
                cells = {name: text.format(**facts) for name, text in attempts.items()}
                with _greeter(listener):
                    notebook = run_cells(running, list(cells.values()), mine)
                results[kind] = dict(zip(cells, map(printed, notebook.cells), strict=True))
        results["written"] = [str(path.relative_to(course)) for path in course.rglob("*")]
    return results


class _greeter:
    """Say hello to whoever connects."""

    def __init__(self, listener):
        import threading

        listener.settimeout(0.1)
        self.listener, self.going = listener, True
        self.thread = threading.Thread(target=self.greet)

    def greet(self):
        while self.going:
            try:
                with self.listener.accept()[0] as connection:
                    connection.sendall(b"hello")
            except TimeoutError:
                pass

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.going = False
        self.thread.join()


@pytest.mark.parametrize("name", CONTROL)
def test_the_attempts_succeed_without_a_room(kernels, name):
    assert kernels["control"][name] == CONTROL[name]


REFUSED = [
    "FileNotFoundError",
    "PermissionError",
    "ConnectionRefusedError",
    "ProcessLookupError",
    "OSError",
    "KeyError",
    "MemoryError",
]


@pytest.mark.parametrize("name", [*ATTEMPTS, *MORE])
def test_the_attempts_fail_in_a_room(kernels, name):
    if name == "home" and not next((path for path in Path.home().iterdir() if path.is_file()), None):
        pytest.skip("there is no file in the home of this user")
    got = kernels["room"][name].removeprefix("still here\n").removeprefix("True\n")
    assert got.startswith(tuple(f"{error}:" for error in REFUSED)), got


def test_the_attempts_fail_for_the_right_reason(kernels):
    room = kernels["room"]
    for name in ("solution", "other hand-in", "link", "course folder", "shadow", "zygote"):
        assert room[name].startswith("FileNotFoundError"), name
    assert "Network is unreachable" in room["network"]
    assert room["memory"].startswith("MemoryError")
    assert "File too large" in room["one file"] and "No space left" in room["many files"]
    assert "Read-only" in room["write to the system"]


def test_nothing_is_written_outside(kernels):
    assert not [name for name in kernels["written"] if "part" in name or "big" in name]


@pytest.fixture(scope="module")
def isolated():
    if REASON:
        pytest.skip(REASON)
    with zygote.start_zygote(["import numpy"], isolate.Room(**LIMITS)) as running:
        yield running


LOOK = {
    "folder": "import os; print(os.getcwd(), sorted(os.listdir()))",
    "processes": "print(sorted(int(n) for n in os.listdir('/proc') if n.isdigit()))",
    "rights": "lines = open('/proc/self/status').readlines()\n"
    "print([line.split()[1] for line in lines if line.startswith(('Cap', 'NoNewPrivs'))])",
    "user": "import pathlib; print(os.getuid(), os.getgid(), os.getgroups(), pathlib.Path.home())",
    "first process's environment": "print(open('/proc/1/environ').read())",
    "open files": "paths = [f'/proc/self/fd/{n}' for n in range(300)]\n"
    "print([os.readlink(path) for path in paths if os.path.lexists(path)])",
    "zygote's connection": """
import socket
kinds = set()
for n in range(300):
    try:
        with socket.socket(fileno=os.dup(n)) as one:
            kinds.add(one.type.name)
    except OSError:
        pass
print(sorted(kinds))
""",
    "limits": "import resource as r\n"
    "names = ('NPROC', 'FSIZE', 'NOFILE', 'CORE', 'CPU')\n"
    "print([r.getrlimit(getattr(r, f'RLIMIT_{name}'))[1] for name in names])",
    "bomb": """
import os, signal, time
children = []
try:
    while len(children) < 400:
        child = os.fork()
        if child == 0:
            time.sleep(60); os._exit(0)
        children.append(child)
    print("no end")
except OSError as error:
    print(len(children) < 60, error.strerror)
for child in children:
    os.kill(child, signal.SIGKILL); os.waitpid(child, 0)
""",
    "own loopback": "import socket; s = socket.create_server(('127.0.0.1', 0))\n"
    "socket.create_connection(s.getsockname()).close(); s.close(); print('own')",
    "shell": "import subprocess\n"
    "print(subprocess.run('echo ok > note; cat note', shell=True, capture_output=True, text=True).stdout)",
    "data": "import cimlab; print(len(cimlab.load('orders')))",
    "plot": "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show(); print('plotted')",
    "pool": "import joblib\n"
    "print(sum(joblib.Parallel(2, backend='threading')(joblib.delayed(abs)(-n) for n in range(4))))",
}


@pytest.fixture
def inhabitants():
    """The processes of a room: its first, and the kernel."""
    return [1, 2]


@pytest.fixture(scope="module")
def seen(isolated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "table.csv").write_text("a,b\n1,2\n")
    return dict(zip(LOOK, map(printed, run_cells(isolated, list(LOOK.values()), folder).cells), strict=True)), folder


def test_a_room_holds_the_folder_and_the_data(seen):
    import cimlab

    seen, folder = seen
    assert seen["folder"] == f"/home/student/{folder.name} ['table.csv']"
    assert seen["data"] == str(len(cimlab.load("orders")))
    assert seen["own loopback"] == "own" and seen["shell"] == "ok" and seen["plot"] == "plotted" and seen["pool"] == "6"
    assert sorted(path.name for path in folder.iterdir()) == ["table.csv"]


def test_a_room_has_no_rights_and_sees_nobody(seen, inhabitants):
    seen, _ = seen
    assert seen["processes"] == str(inhabitants)
    assert seen["rights"] == str(["0000000000000000"] * 5 + ["1"])
    assert seen["user"].startswith("65534 65534 []") or seen["user"].startswith("65534 65534 [65534")
    assert seen["user"].endswith("/home/student")
    for secret in ("SSH", "TOKEN", "USERNAME", "VIRTUAL_ENV", "PYTEST"):
        assert secret not in seen["first process's environment"]
    assert seen["zygote's connection"] == "['SOCK_STREAM']"  # the channels; that of the keeper is SOCK_SEQPACKET
    assert not [name for name in eval(seen["open files"]) if name.startswith("/") and name != "/dev/null"]


def test_a_room_has_limits(seen):
    seen, _ = seen
    assert seen["limits"] == str([LIMITS["processes"], LIMITS["file_size"], 512, 0, 600])
    assert seen["bomb"] == "True Resource temporarily unavailable"


SLEEPER = """
import os, subprocess, sys
command = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]
process = subprocess.Popen(command, start_new_session=True)
"""


CHILDREN = """
import os, time
def fill(size):
    block = bytearray(size)
    for at in range(0, size, 4096):
        block[at] = 1
    return block
before = fill({before})
children = []
for number in range(5):
    child = os.fork()
    if child == 0:
        own = fill({own})
        time.sleep(30)
        os._exit(0)
    children.append(child)
time.sleep({seconds})
print("still here")
for child in children:
    os.kill(child, 9)
"""


def test_what_all_processes_of_a_room_use_has_a_limit(isolated, tmp_path):
    shared = CHILDREN.format(before=400 * isolate.MB, own=0, seconds=2)  # five times over, if it counted for each
    assert printed(run_cells(isolated, [shared], tmp_path).cells[0]) == "still here"
    each = CHILDREN.format(before=0, own=400 * isolate.MB, seconds=20)  # none has too much
    with pytest.raises(DeadKernelError):
        run_cells(isolated, [each], tmp_path)
    assert printed(run_cells(isolated, ["print(5)"], tmp_path).cells[0]) == "5"


ORPHANS = """
import os, time
for _ in range(20):
    child = os.fork()
    if child == 0:
        if os.fork():
            os._exit(0)
        time.sleep(0.05)
        os._exit(0)
    os.waitpid(child, 0)
time.sleep(1.5)
stats = [open(f"/proc/{name}/stat").read() for name in os.listdir("/proc") if name.isdigit()]
states = [stat.rpartition(")")[2].split()[0] for stat in stats]
print(states.count("Z"))
"""


def test_orphans_of_a_room_are_buried(isolated, tmp_path):
    assert printed(run_cells(isolated, [ORPHANS], tmp_path).cells[0]) == "0"


def test_nobody_looks_into_the_first_process_of_a_room(isolated, tmp_path):
    look = "open('/proc/1/mem', 'rb')", "import os; os.listdir('/proc/1/fd')", "open(f'/proc/{os.getpid()}/mem', 'rb')"
    first, files, own = map(printed, run_cells(isolated, list(look), tmp_path).cells)
    assert "PermissionError" in first and "PermissionError" in files and "Error" not in own


def test_a_process_that_hides_its_memory_counts_with_all_of_it(tmp_path):
    page = os.sysconf("SC_PAGE_SIZE")
    for pid, resident, parts in ((1, 100, "Pss: 4 kB\nSwapPss: 4 kB\nRss: 400 kB\n"), (2, 100, None), (3, None, None)):
        folder = tmp_path / str(pid)
        folder.mkdir()
        if resident:
            (folder / "statm").write_text(f"500 {resident} 3 1 0 9 0")
        if parts:
            (folder / "smaps_rollup").write_text(parts)
    (tmp_path / "self").mkdir()
    used = 100 * page + 8 * 1024
    assert room_memory.too_much(used - 1, tmp_path) and not room_memory.too_much(used, tmp_path)


def test_a_background_process_does_not_outlive_its_room(isolated, tmp_path):
    mark = f"cimlab-room-{os.getpid()}"
    sleeper, watch = SLEEPER.format(mark=mark), "import time; time.sleep(1); print(process.poll())"
    assert printed(run_cells(isolated, [sleeper, watch], tmp_path).cells[1]) == "None"
    assert not processes_with(mark)


def test_the_end_of_a_kernel_is_the_end_of_its_room_only(isolated, tmp_path):
    execute = pytest.importorskip("cimlab.grading.execute")
    mark = f"cimlab-end-{os.getpid()}"
    sleeper = SLEEPER.format(mark=mark)
    for end in ("os._exit(0)", "os.kill(os.getpid(), 9)", "os.killpg(0, 9)", "os.abort()"):
        notebook = new_notebook(cells=[new_code_cell(text) for text in ("print(1)", f"{sleeper}\n{end}", "print(2)")])
        with provisioner(isolated):
            execute.ExecuteAll(kernel_name="python3").preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
        assert printed(notebook.cells[0]) == "1", end
        assert "Python was ended" in printed(notebook.cells[1]), end
        assert not processes_with(mark), end
    assert printed(run_cells(isolated, ["print(3)"], tmp_path).cells[0]) == "3"


def test_rooms_do_not_share_random_state(isolated, tmp_path):
    draw = (
        "import random, numpy as np, tempfile, uuid\n"
        "print(random.random(), np.random.rand(), tempfile.mktemp(), uuid.uuid4())"
    )
    one, two = (printed(run_cells(isolated, [draw], tmp_path).cells[0]).split() for _ in range(2))
    assert len(one) == 4 and not set(one) & set(two)


def test_a_hand_in_that_does_not_fit_is_named(isolated, tmp_path):
    (tmp_path / "big").write_bytes(bytes(LIMITS["disk"] + isolate.MB))
    with pytest.raises(RuntimeError, match="The files handed in do not fit into 20 MB"):
        run_cells(isolated, ["1"], tmp_path)
    (tmp_path / "big").unlink()
    assert printed(run_cells(isolated, ["print(3)"], tmp_path).cells[0]) == "3"


@needs_room
def test_what_lies_in_tmp_or_in_a_home_can_be_shown(tmp_path):
    """The course itself, and its Python, may lie there: the room's own folders must not cover them."""
    folder = functools.partial(tempfile.TemporaryDirectory, dir="/tmp")
    with folder(prefix="shown-") as shown, folder(prefix="beside-") as beside:
        for path in map(Path, (shown, beside)):
            path.chmod(0o755)
            (path / "here.txt").write_text("seen", encoding="utf-8")
        cells = [
            f"print(open({f'{shown}/here.txt'!r}).read())",
            f"print(open({f'{beside}/here.txt'!r}).read())",
            f"open({f'{shown}/new.txt'!r}, 'w')",
        ]
        with zygote.start_zygote([], isolate.Room(read_only=(shown,))) as server:
            read, other, written = map(printed, run_cells(server, cells, tmp_path).cells)
    assert read == "seen" and other.startswith("FileNotFoundError") and "Error: " in written, (read, other, written)


@needs_room
def test_a_room_that_would_show_what_must_stay_hidden_is_refused():
    with pytest.raises(isolate.IsolationError, match="must stay hidden"):
        zygote.start_zygote([], isolate.Room(hidden=(f"{sys.prefix}/lib",)))


def test_without_isolation_none_is_pretended(monkeypatch):
    monkeypatch.setattr(isolate, "isolation_available", lambda: "Not here.")
    monkeypatch.setattr(zygote, "warm_available", lambda: None)
    with pytest.raises(isolate.IsolationError, match="Not here"):
        zygote.start_zygote([], isolate.Room())


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are of Linux")
def test_a_system_that_refuses_says_so(monkeypatch):
    isolate.isolation_available.cache_clear()
    monkeypatch.setattr(isolate, "TRIAL", "import sys; sys.exit('the system refuses new namespaces')")
    try:
        assert isolate.isolation_available() == (
            "This system does not let hand-ins be isolated: the system refuses new namespaces."
        )
        monkeypatch.setattr(isolate, "OLDEST", (99, 0))
        isolate.isolation_available.cache_clear()
        assert isolate.isolation_available().startswith("Linux 99.0 or newer is needed")
    finally:
        isolate.isolation_available.cache_clear()
