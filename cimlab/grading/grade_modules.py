"""What a lab's answers import while they run is imported once for the class.

The cells at the top of a lab name some libraries; its helpers import others where they use them (scipy, statsmodels,
scikit-learn), often a second and more in each kernel. `cell_imports` finds out which: a copy of the process runs the
model answers and the visible tests, and names the modules that came. Nothing else of it remains. `load` imports those,
before a kernel is forked: a kernel may know which libraries the model answers use, not what they are. What hidden tests
import comes out where they are run anyway (see `apart_memo.learn`), and only their kernels need it.
"""

import contextlib
import importlib
import io
import json
import os
import pickle
import select
import shutil
import signal
import sys
import tempfile
import time

from cimlab.grading.zygote import is_still_whole

SECONDS = 6  # for the cells; what they import, they mostly import soon
TRIES, PATIENCE = 5, 30  # how often it is tried what can be imported; seconds to wait for a copy


def cell_imports(notebooks, names):
    """Begin to find out which modules cells import.

    Parameters
    ----------
    notebooks : list of list of str
        The cells of each notebook in the order in which they are to be run.
    names : dict
        What the first cells have defined already; it stays as it is.

    Returns
    -------
    callable
        Waits for the modules, and returns them in the order in which they were complete.
    """
    home = tempfile.mkdtemp()
    wait = in_a_copy(lambda: _run(notebooks, names, home), PATIENCE)

    def modules():
        found = wait() or []
        shutil.rmtree(home, ignore_errors=True)  # here, since the copy may have been ended
        return found

    return modules


def forkable(modules):
    """Return those of some modules after whose import this process can still be forked (see `is_still_whole`)."""
    left_out = set()
    for _ in range(TRIES):
        modules = [name for name in modules if name.partition(".")[0] not in left_out]
        bad = in_a_copy(lambda tried=modules: load(tried), PATIENCE)() if modules else None
        if bad is None:
            return modules
        left_out.add(bad.partition(".")[0])
    return []


def load(modules):
    """Import modules; stop at the first after which this process can no longer be forked, and return its name."""
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
        if not is_still_whole():
            return name
    _look_for_thread_pools()
    return None


def _look_for_thread_pools():
    """Have scikit-learn do what it would do at the first clustering of each kernel: it looks through all libraries."""
    look = getattr(sys.modules.get("sklearn.utils.parallel"), "_get_threadpool_controller", None)
    if look is not None:
        look()


def tell(modules):
    """Tell who has started this process (see `zygote.start_zygote`) of modules."""
    os.write(1, json.dumps({"modules": modules}).encode() + b"\n")


def ask():
    """Ask who has started this process for modules, and import them."""
    os.write(1, b'{"asks": true}\n')
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 1 << 16)):
        line += more
    load(json.loads(line or b"[]"))


def in_a_copy(work, seconds):
    """Begin some work in a copy of this process, of which nothing else remains.

    Returns
    -------
    callable
        Waits for what the work returns, and returns it; None if that is lost, or has not come after so many seconds.
    """
    ends_at = time.monotonic() + seconds
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            os.setpgid(0, 0)
            data = pickle.dumps(work())
            with os.fdopen(writes, "wb") as pipe:
                pipe.write(data)
        finally:
            os._exit(0)
    os.close(writes)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    return lambda: _result_of(child, reads, ends_at)


def _result_of(child, reads, ends_at):
    in_time = select.select([reads], [], [], max(0, ends_at - time.monotonic()))[0]  # it is written at once
    with os.fdopen(reads, "rb") as pipe:
        data = pipe.read() if in_time else b""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what its code has started
    os.waitpid(child, 0)
    with contextlib.suppress(EOFError, pickle.UnpicklingError):
        return pickle.loads(data)


def _run(notebooks, names, home):
    """Run cells in a folder, as far as they can be run in some seconds; return the modules that came."""
    before, tempfile.tempdir = set(sys.modules), home
    os.chdir(home)
    signal.signal(signal.SIGALRM, _late)
    said = io.StringIO()
    with contextlib.suppress(TimeoutError), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        signal.alarm(SECONDS)
        for cells in notebooks:
            own = dict(names)
            for source in cells:
                _run_cell(source, own)
    signal.alarm(0)
    return new_modules(before)


def new_modules(before):
    """Return the modules that were not among some before, in the order in which they were complete."""
    return [name for name in sys.modules if name not in before and _has_that_name(name)]


def _late(*_):
    raise TimeoutError


def _run_cell(source, names):
    try:
        exec(compile(source, "<cell>", "exec"), names)
    except TimeoutError:
        raise
    except BaseException:  # a cell for IPython, a test that does not hold, an `exit`
        return


def _has_that_name(name):
    """Return whether a module would be found under that name; parts of libraries stand under others, too."""
    return getattr(getattr(sys.modules[name], "__spec__", None), "name", None) == name
