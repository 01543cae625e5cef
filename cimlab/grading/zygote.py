"""Warm kernels (Linux): one process imports the libraries of a lab once, and a copy of it is forked for each hand-in.

`start_zygote` starts that process, the zygote. It imports ipykernel and the import statements it is given, starts no
thread, and waits at a socket. Each request (see `provisioner`) forks a kernel, in a room of its own if one is wanted
(see `isolate`). A kernel ends when who asked for it says so or is gone; the zygote and all its kernels end when its
owner does, however that happens.

Between the zygote and a kernel stands a keeper: it ends whatever the kernel has left running, and only then itself.
"""

import ast
import contextlib
import gc
import json
import os
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cimlab.grading import bubblewrap, isolate
from cimlab.grading.course import plain
from cimlab.grading.kernel import CHANNELS, PASSED_ON, QUIET, ROOM, complain, keep

PREFIXES = ("cimlab-zygote-", "cimlab-kernel-")  # of private folders
VARIABLE = "CIMLAB_ZYGOTE"  # names the socket of the zygote, for the processes that grade
EXAMINERS = "CIMLAB_EXAMINERS"  # as VARIABLE, for the kernels of the tests (see `apart`)
NAME = "cimlab-warm"  # of the provisioner: JUPYTER_DEFAULT_PROVISIONER_NAME
# These look at their import whether they are in a notebook, and would find that they are not.
NOTEBOOK_AWARE = ("tqdm.auto", "tqdm.autonotebook", "plotly.io", "matplotlib_inline.backend_inline")
# What a kernel imports at its start, and at its first plot.
KERNEL = """
import ipykernel.kernelapp, ipykernel.ipkernel, ipykernel.zmqshell, IPython.core.completerlib, pdb, pickle
import cimlab.grading.kernel_output, IPython.core.debugger, IPython.core.logger, IPython.core.oinspect
import IPython.extensions.storemagic, tornado.platform.asyncio
try:
    import ipykernel.debugger
except ImportError:
    pass
"""
PLOTS = """
if "matplotlib" in __import__("sys").modules:
    import matplotlib.backends.backend_agg, IPython.core.pylabtools
    import PIL.BmpImagePlugin, PIL.GifImagePlugin, PIL.JpegImagePlugin, PIL.PpmImagePlugin, PIL.features
"""
# When Python looks for rings of objects that nobody needs: its usual values cost 4 % of a short run.
SELDOM = (10_000, 10, 10)
START = "import sys; sys.path.append(sys.argv[1]); from cimlab.grading.zygote import serve; serve(*sys.argv[2:])"


def warm_available():
    """Return None if warm kernels can be had on this machine, or a sentence that says why not."""
    if sys.platform != "linux":
        return "Warm kernels need Linux; each notebook starts Python and its libraries anew here, which takes longer."
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return "Warm kernels need Linux 5.3 or newer; each notebook starts Python and its libraries anew here."
    return None


def lab_imports(notebook):
    """Return the import statements of the cells of a lab that students cannot change.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    list of str

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> locked = {"nbgrader": {"locked": True, "solution": False}}
    >>> cells = [new_code_cell("%xmode Minimal\\nimport json\\nx = 1", metadata=locked), new_code_cell("import csv")]
    >>> lab_imports(new_notebook(cells=cells))
    ['import json']
    """
    found = []
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not settings.get("locked") or settings.get("solution"):
            continue
        with contextlib.suppress(SyntaxError):
            found += imports_of(cell.source)
    return list(dict.fromkeys(found))


def imports_of(source):
    """Return the import statements of a cell, each as code.

    Examples
    --------
    >>> imports_of("import os\\nfrom re import compile\\nx = 1")
    ['import os', 'from re import compile']
    """
    statements = ast.parse(plain(source)).body
    return [ast.unparse(one) for one in statements if isinstance(one, ast.Import | ast.ImportFrom)]


@dataclass
class Zygote:
    """A running zygote; use it in a `with` statement, or close it.

    Attributes
    ----------
    path : str
        Its socket. Put it into the environment variable CIMLAB_ZYGOTE for the processes that start kernels.
    pid : int
    left_out : list of str
        Import statements that a kernel has to run itself: they failed, started threads or ask for a notebook.
    """

    path: str
    pid: int
    left_out: list
    _process: subprocess.Popen = field(repr=False)
    _folder: str = field(repr=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the zygote and all its kernels."""
        end(self._process, self._folder, 10)


def end(process, folder, seconds):
    """End a process that ends with its input, after some seconds by force; remove its folder."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def start_zygote(imports=(), room=None, answer=None, heard=None):
    """Start a process from which warm kernels are forked.

    Parameters
    ----------
    imports : iterable of str
        Import statements, as from `lab_imports`.
    room : isolate.Room, optional
        What each kernel is shown and may use; the folder of the data is shown too. Without it kernels are warm, but see
        and do what this user may.
    answer, heard : callable, optional
        An import may ask for a list of modules (`grade_modules.ask`), which `answer` returns; or tell of one (`tell`),
        which `heard` is given.

    Returns
    -------
    Zygote

    Raises
    ------
    isolate.IsolationError
        If a room is wanted and cannot be made here.
    RuntimeError
        If warm kernels cannot be had here, or the zygote does not start.
    """
    if reason := warm_available():
        raise RuntimeError(reason)
    if room:
        available = bubblewrap.bubblewrap_available if room.bubblewrap else isolate.isolation_available
        if reason := available():
            raise isolate.IsolationError(reason)
        room = _with_data(room)
        room.shown()  # refuses what would show a hidden folder
    folder = private_folder(PREFIXES[0])
    config = {"owner": os.getpid(), "imports": list(imports), "socket": f"{folder}/socket"}
    config["room"] = asdict(room) if room else None
    Path(folder, "config.json").write_text(json.dumps(config))
    environment = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    environment |= QUIET | {name: os.environ.get(name, value) for name, value in ROOM.items() if name != "HOME"}
    environment |= {"HOME": folder, "MPLCONFIGDIR": folder}
    environment.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    _take_font_list(folder)
    package = str(Path(__file__).absolute().parents[2])
    command = [sys.executable, "-I", "-c", START, package, f"{folder}/config.json"]
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    said = _converse(process, answer, heard)
    if said is None:
        words = Path(folder, "log").read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        end(process, folder, 10)
        raise RuntimeError(f"The process for warm kernels did not start: {words[-1]}")
    return Zygote(config["socket"], process.pid, said["left_out"], process, folder)


def _converse(process, answer, heard):
    """Return what a process says when it is ready; None if it has ended."""
    for line in process.stdout:
        said = json.loads(line)
        if "left_out" in said:
            return said
        if "modules" in said and heard:
            heard(said["modules"])
        if "asks" in said:
            with contextlib.suppress(OSError):
                process.stdin.write(json.dumps(answer() if answer else []).encode() + b"\n")
                process.stdin.flush()
    return None


def private_folder(prefix):
    """Make a folder for this user only, with a path that is short enough for a socket in it."""
    place = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix=prefix, dir="/tmp" if len(os.fsencode(place)) > 60 else place)


def _with_data(room):
    from cimlab.datasets import data_folder

    with contextlib.suppress(FileNotFoundError):
        shown = (*room.read_only, str(data_folder().absolute()))
        return isolate.Room(**{**asdict(room), "read_only": shown})
    return room


def _take_font_list(folder):
    """Matplotlib's list of fonts takes seconds to make: use the one that this user has."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    known = os.environ.get("MPLCONFIGDIR") or Path(cache) / "matplotlib"
    for path in Path(known).glob("fontlist-*.json"):
        shutil.copy(path, folder)


# ---------------------------------------------------------------------------------------------------------------------
# The zygote


def serve(config_path, *left_out):
    """Import, then fork a kernel for each request, until the owner is gone (what the zygote does)."""
    config = json.loads(Path(config_path).read_text())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*SELDOM)
    owner = os.pidfd_open(config["owner"])
    if os.getppid() != config["owner"]:
        sys.exit("its owner is gone")

    for statement in [KERNEL, *config["imports"], PLOTS]:
        if statement not in left_out and not _import(statement):
            # What has been imported stays, and so do its threads: begin again without it.
            again = [sys.executable, "-I", "-c", START, sys.argv[1], config_path, *left_out, statement]
            os.execv(sys.executable, again)
    room = isolate.Room(**config["room"]) if config["room"] else None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(config["socket"])
        listener.listen(64)
        gc.collect()
        gc.freeze()
        os.write(1, json.dumps({"left_out": [one for one in left_out if one in config["imports"]]}).encode() + b"\n")
        _loop(listener, owner, room)
    _remove(Path(config_path).parent)


def _import(statement):
    """Run an import statement; return whether the process is still as it must be: one thread, no notebook's module."""
    try:
        exec(statement, {})
    except BaseException:
        return False
    return is_still_whole()


def is_still_whole():
    """Return whether this process is as it must be to be forked: one thread, no module that asks for a notebook."""
    return len(os.listdir("/proc/self/task")) == 1 and not any(name in sys.modules for name in NOTEBOOK_AWARE)  # noqa: PTH208


@dataclass
class _Kernel:
    connection: socket.socket
    keeper: int
    watch: int  # a descriptor that becomes readable when the keeper has ended
    folder: str  # of the process that asked for it


def _loop(listener, owner, room):
    kernels = {}  # descriptor of the connection or of the watch → kernel
    # PollSelector has no descriptor of its own, which a fork would share.
    with selectors.PollSelector() as waiting:
        for source in (listener, owner, 0):
            waiting.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in waiting.select()}
            if ready & {owner, 0}:
                break
            # New connections last: they may get the numbers of those that are closed here.
            for descriptor in sorted(ready, key=lambda one: one == listener.fileno()):
                kernel = kernels.get(descriptor)
                if descriptor == listener.fileno():
                    kernel = _accept(listener, owner, room, kernels)
                    if kernel:
                        for part in (kernel.connection.fileno(), kernel.watch):
                            kernels[part] = kernel
                            waiting.register(part, selectors.EVENT_READ)
                elif kernel and descriptor == kernel.watch:
                    for part in (kernel.connection.fileno(), kernel.watch):
                        kernels.pop(part, None)
                        with contextlib.suppress(KeyError):
                            waiting.unregister(part)
                    _report_end(kernel)
                elif kernel and not _obey(kernel):
                    waiting.unregister(descriptor)  # nobody listens any more; the watch tells of the end
    for kernel in kernels.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(kernel.keeper, signal.SIGTERM)
    for kernel in {kernel.keeper: kernel for kernel in kernels.values()}.values():
        if not select.select([kernel.watch], [], [], 5)[0]:
            os.kill(kernel.keeper, signal.SIGKILL)
        _report_end(kernel)


def _obey(kernel):
    """Send the kernel the signal that is asked for; end it if who asked for it is gone, and return False."""
    try:
        number = int(kernel.connection.recv(16) or 0)
    except (OSError, ValueError):
        number = 0
    with contextlib.suppress(ProcessLookupError):
        if number in (0, signal.SIGTERM):
            os.kill(kernel.keeper, signal.SIGTERM)
        else:
            os.killpg(kernel.keeper, number)
    return number != 0


def _report_end(kernel):
    code = os.waitstatus_to_exitcode(os.waitpid(kernel.keeper, 0)[1])
    try:
        kernel.connection.send(json.dumps({"exit": code}).encode())
    except OSError:  # who asked for it is gone, and has not tidied up
        _remove(kernel.folder)
    kernel.connection.close()
    os.close(kernel.watch)


def _accept(listener, owner, room, kernels):
    connection, _ = listener.accept()
    connection.settimeout(5)
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, 1 << 18, len(CHANNELS))
        request = json.loads(data)
    except (OSError, ValueError):  # somebody looked whether there is a zygote
        connection.close()
        return None
    zygote = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        try:
            for other in kernels.values():
                other.connection.close()
            for known in (owner, *{other.watch for other in kernels.values()}):
                os.close(known)
            listener.close()
            keep(zygote, connection, request, descriptors, room)
        except BaseException as error:
            complain(connection, error)
        os._exit(1)
    with contextlib.suppress(OSError):
        os.setpgid(keeper, keeper)
    for descriptor in descriptors:
        os.close(descriptor)
    return _Kernel(connection, keeper, os.pidfd_open(keeper), request["private"])


def _remove(folder):
    if Path(folder).name.startswith(PREFIXES):
        shutil.rmtree(folder, ignore_errors=True)
