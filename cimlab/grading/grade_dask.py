"""Hand-ins graded by the workers of a Dask cluster: the same code on each machine, which needs no files of the course.

A task travels as a tar file of its folder, and comes back with the graded notebook; the gradebook is written by who
asked for it. Each worker starts a process that grades, as this machine would (`grade_run.Engine`), for as long as the
class lasts. The workers need the same version of cimlab, and the same data (CIMLAB_DATA where it is another edition);
the retailer of a student's own is made there from its seed.
"""

import atexit
import contextlib
import io
import shutil
import tarfile
import tempfile
import threading
import uuid
from pathlib import Path

from cimlab import _own
from cimlab.grading.grade_run import Engine, EngineEnded, RefusedToStart
from cimlab.grading.kernel import DATA

WAIT_SECONDS = "30s"
RESULT = ("result.json", "log", "autograded")
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 brought it
_here, _lock = {}, threading.Lock()


class Cluster:
    """The workers of a cluster, used as `grade_run.Pool` is."""

    def __init__(self, config, scheduler):
        try:
            import distributed
        except ImportError:
            raise RefusedToStart(
                'Dask is not installed here: `pip install "cimlab[cluster]"`, or leave out --engine dask.'
            ) from None
        self.distributed, self.name = distributed, uuid.uuid4().hex
        try:
            self.client = distributed.Client(scheduler, timeout=WAIT_SECONDS)
        except (OSError, TimeoutError) as error:
            raise RefusedToStart(f"The Dask scheduler at {scheduler} does not answer: {error}.") from None
        try:
            course = pack(Path(config["template"]), [CONFIG_FILE, "labs", "solutions", "gradebook.db"])
            self.course = self.client.scatter(course, broadcast=True)
            self.config = config
            answers = self.client.run(begin, self.name, config, course)
        except BaseException:
            self.client.close()
            raise
        if not answers:
            self.client.close()
            raise RefusedToStart(f"The Dask scheduler at {scheduler} has no workers.")
        if refused := {answer["refused"] for answer in answers.values() if "refused" in answer}:
            self.close()
            raise RefusedToStart("; ".join(sorted(refused)))
        worst = max(answers.values(), key=lambda answer: ("isolated", "warm", "cold").index(answer["kernels"]))
        self.ready = {**worst, "why": sorted({line for answer in answers.values() for line in answer["why"]})}

    def run(self, tasks):
        """Yield (task, what happened) as the tasks are done: "done", "late" or "ended"."""
        waiting, running = iter(tasks), {}
        done = self.distributed.as_completed()
        most = 2 * sum(self.client.ncores().values())
        while True:
            while len(running) < most and (task := next(waiting, None)) is not None:
                future = self.client.submit(
                    grade_there, self.name, self.config, self.course, pack(task.folder), task.variables, pure=False
                )
                running[future] = task
                done.add(future)
            if not running:
                return
            future = next(done)
            task = running.pop(future)
            try:
                happened, result = future.result()
                unpack(result, task.folder)
            except Exception:  # the worker was lost, and the one after it too
                happened = "ended"
            yield task, happened

    def close(self):
        with contextlib.suppress(Exception):
            self.client.run(end, self.name)
        self.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


CONFIG_FILE = "nbgrader_config.py"


def pack(folder, names=None):
    """Return a folder, or some of what is in it, as the bytes of a tar file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in names or sorted(path.name for path in folder.iterdir()):
            if (folder / name).exists():
                tar.add(folder / name, arcname=name)
    return packed.getvalue()


def unpack(packed, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, **SAFELY)


# ---------------------------------------------------------------------------------------------------------------------
# On a worker


def begin(name, config, course):
    """Start the process that grades on this worker, if it is not there yet; return what it says."""
    try:
        return _engine(name, config, course)[0].ready
    except RefusedToStart as reason:
        return {"refused": str(reason)}


def _engine(name, config, course):
    with _lock:
        if name not in _here:
            folder = Path(tempfile.mkdtemp(prefix="cimlab-grade-")).resolve()
            unpack(course, folder)
            hidden = [path for path in config["hidden"] if Path(path).exists()]
            engine = Engine({**config, "template": str(folder), "hidden": [*hidden, str(folder)]})
            _here[name] = engine, folder
            atexit.register(end, name)
        return _here[name]


def grade_there(name, config, course, packed, variables):
    """Grade one hand-in on a worker; return what happened, and the result as a tar file."""
    engine, folder = _engine(name, config, course)
    (folder / "tasks").mkdir(exist_ok=True)
    task = Path(tempfile.mkdtemp(dir=folder / "tasks"))
    unpack(packed, task)
    # A process that forks looks at the time itself; one that does not can only be ended.
    patience = None if config["warm"] else config["deadline"]
    try:
        happened = "late" if engine.submit(task, with_data_of_here(variables)).result(patience) else "done"
    except (EngineEnded, TimeoutError) as error:
        if isinstance(error, TimeoutError):
            engine.process.kill()
        end(name)
        happened = "late" if isinstance(error, TimeoutError) else "ended"
    try:
        return happened, pack(task, RESULT)
    finally:
        shutil.rmtree(task, ignore_errors=True)


def with_data_of_here(variables):
    """Return the variables of a hand-in, with the folder in which the student's own retailer stands on this machine.

    Examples
    --------
    >>> with_data_of_here({"LANG": "C"})
    {'LANG': 'C'}
    """
    if _own.VARIABLE not in variables:
        return variables
    return variables | {DATA: str(_own.own_folder(int(variables[_own.VARIABLE])))}


def end(name):
    """End the process that grades on this worker."""
    with _lock:
        engine, folder = _here.pop(name, (None, None))
    if engine is not None:
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)
