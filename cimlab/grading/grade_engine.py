"""The process that grades: nbgrader is imported and a zygote is at hand, and a copy of it is forked for each hand-in.

`cimlab grade` starts it (see `grade_run`) and writes one line of JSON for each hand-in to its standard input: the
folder of the task. The answer on standard output is a line when the hand-in is done. It ends with its input.

The folder of a task is a course of one hand-in: submitted/, and a gradebook that holds this lab and this student only.
nbgrader's own `autograde` works on it; result.json in the folder says what came out. Where forking is not to be had,
one process grades one hand-in after the other, and who asks for it starts as many as there are to be at once.
"""

import contextlib
import gc
import io
import json
import logging
import os
import re
import selectors
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from cimlab._whole import whole_file
from cimlab.grading.feedback import SENTENCES
from cimlab.grading.quick_start import spare_address_parsers
from cimlab.grading.zygote import SELDOM

ENDED = {"KernelDied", "NotRun"}
MEMORY = 3_000_000_000  # of the process that grades one hand-in; what student code uses is limited by its room
FILES = 500_000_000
STOCK_RUN = "cimlab.grading.execute.ExecuteAll"
APART_RUN = "cimlab.grading.apart.ExecuteApart"


def main(path):
    """Get ready, say so, and grade what is asked for."""
    spare_address_parsers()
    gc.set_threshold(*SELDOM)
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # nobody else writes there
    with contextlib.ExitStack() as open_ones:
        ready, zygotes, api = _get_ready(config, open_ones)
        answers.write(json.dumps(ready) + "\n")
        if "refused" in ready:
            return
        gc.collect()
        gc.freeze()
        if config["warm"]:
            _fork_for_each(config, api, zygotes, answers)
        else:
            for line in sys.stdin:
                task = json.loads(line)
                with _variables(task["variables"]):
                    _grade_and_note(api, config, task)
                answers.write(json.dumps({"done": task["folder"]}) + "\n")


@contextlib.contextmanager
def _variables(own):
    """Set the environment variables of one hand-in."""
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _get_ready(config, open_ones):
    """Start the zygotes while nbgrader is imported; return what to answer, the zygotes, and nbgrader's interface."""
    if not config["warm"]:
        if config["isolation"] in ("required", "bubblewrap"):
            return {"refused": config["reason"] or "Only warm kernels can be isolated."}, None, None
        return {"kernels": "cold", "why": [config["reason"]] if config["reason"] else []}, None, warm_api(config)
    from cimlab import datasets
    from cimlab.grading.grade_zygotes import Zygotes

    # The thread imports nothing: two threads that import may wait for one another for ever (CPython 3.11).
    zygotes = Zygotes(config)
    starter = threading.Thread(target=zygotes.start)
    starter.start()
    assert datasets
    try:
        api = warm_api(config)
    finally:
        starter.join()
        open_ones.callback(zygotes.close)
    if zygotes.refused:
        return {"refused": zygotes.refused}, None, None
    return {"kernels": zygotes.kernels, "why": zygotes.why}, zygotes, api


def warm_api(config):
    """Return nbgrader's interface with the settings of the course, for the private courses of the tasks."""
    from cimlab.grading.course import open_api
    from cimlab.grading.grade_quick import make_quick

    template = Path(config["template"])
    api = open_api(template)
    if config["warm"]:
        steps = api.config.Autograde.get("autograde_preprocessors")
        if steps:
            api.config.Autograde.autograde_preprocessors = [APART_RUN if one == STOCK_RUN else one for one in steps]
    folders = api.coursedir
    folders.directory_structure = "{nbgrader_step}/{student_id}/{assignment_id}"
    folders.source_directory, folders.release_directory = str(template / "solutions"), str(template / "labs")
    folders.submitted_directory, folders.autograded_directory = "submitted", "autograded"
    api.config.Exporter.optimistic_validation = True  # nbconvert's: a notebook is checked after the last step
    make_quick()
    warm_up(api, config)
    return api


def warm_up(api, config):
    """Grade the student version without running it: what nbgrader and its libraries do at the first time is done."""
    from ipykernel import kernelspec  # what a process of its own would import for each hand-in
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    from cimlab.grading import apart, provisioner

    assert kernelspec and apart and provisioner
    assert KernelProvisionerFactory.instance().default_provisioner_name and KernelSpecManager().find_kernel_specs()
    template, steps = Path(config["template"]), api.config.Autograde.get("autograde_preprocessors")
    if not steps:
        return
    with tempfile.TemporaryDirectory(prefix="cimlab-warm-up-", ignore_cleanup_errors=True) as folder:
        shutil.copytree(template / "labs" / config["lab"], Path(folder, "submitted", "nobody", config["lab"]))
        shutil.copy(template / "gradebook.db", folder)
        try:
            api.config.Autograde.autograde_preprocessors = [one for one in steps if "Execute" not in one]
            grade_one(api, Path(folder), config["lab"])
        finally:
            api.config.Autograde.autograde_preprocessors = steps


# ---------------------------------------------------------------------------------------------------------------------
# One process for each hand-in


def _fork_for_each(config, api, zygotes, answers):
    """Fork for each line of the input; end who takes too long; end all when the input ends."""
    running = {}  # descriptor of a process → (task, process, when it is ended)
    os.set_blocking(0, False)
    waiting = selectors.PollSelector()
    waiting.register(0, selectors.EVENT_READ)
    asked, rest = [], b""
    try:
        while True:
            until = min((ends_at for *_, ends_at in running.values()), default=float("inf"))
            pause = None if until == float("inf") else max(0.0, until - time.monotonic())
            for key, _ in waiting.select(pause):
                if key.fd == 0:
                    data = os.read(0, 1 << 16)
                    if not data:
                        return
                    *lines, rest = (rest + data).split(b"\n")
                    asked += [json.loads(line) for line in lines]
                else:
                    waiting.unregister(key.fd)
                    _bury(key.fd, running, answers, late=False)
            for watch, (_, _, ends_at) in list(running.items()):
                if ends_at <= time.monotonic():
                    waiting.unregister(watch)
                    _bury(watch, running, answers, late=True)
            while asked:
                try:
                    pid = _fork(config, api, zygotes.living(), asked[0])
                except OSError as error:  # too many processes, or too little memory: wait until one has ended
                    if running:
                        break
                    failure = f"no process could be started for it ({error})."
                    _note(Path(asked[0]["folder"]), {"failure": failure, "seconds": 0.0})
                    answers.write(json.dumps({"done": asked.pop(0)["folder"]}) + "\n")
                    continue
                watch = os.pidfd_open(pid)
                waiting.register(watch, selectors.EVENT_READ)
                running[watch] = (asked.pop(0), pid, time.monotonic() + config["deadline"])
    finally:
        for _, pid, _ in running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _fork(config, api, named, task):
    engine = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become_grader(engine, named, task)
            _grade_and_note(api, config, task)
        finally:
            os._exit(0)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def _become_grader(engine, named, task):
    import resource

    from cimlab.grading import isolate

    os.setpgid(0, 0)
    isolate.die_with_parent(engine)
    log = os.open(Path(task["folder"], "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for standard, own in ((0, nothing), (1, log), (2, log)):
        os.dup2(own, standard)
    os.environ.update(named | task["variables"])
    for name, most in (("AS", MEMORY), ("FSIZE", FILES), ("CORE", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _bury(watch, running, answers, late):
    task, pid, _ = running.pop(watch)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # also what is left of its group
    os.waitpid(pid, 0)
    os.close(watch)
    answers.write(json.dumps({"done": task["folder"], "late": late}) + "\n")


# ---------------------------------------------------------------------------------------------------------------------
# One hand-in


def _grade_and_note(api, config, task):
    """Grade the hand-in of a task; result.json is there when it is whole."""
    folder, started = Path(task["folder"]), time.monotonic()
    try:
        result = grade_one(api, folder, config["lab"])
    except BaseException:
        result = {"failure": f"the grader failed: {traceback.format_exc().strip().splitlines()[-1]}"}
        result["log"] = traceback.format_exc()
    _note(folder, {**result, "seconds": time.monotonic() - started})


def _note(folder, result):
    with whole_file(folder / "result.json") as place:
        place.write_text(json.dumps(result), encoding="utf-8")


def grade_one(api, folder, lab):
    """Have nbgrader grade the only hand-in of a private course.

    Returns
    -------
    dict
        failure (a sentence or None), repairs and doubts (lists of sentences), marks and timestamp (see
        `grade_write.read_marks`; None after a failure), log.
    """
    import nbformat

    from cimlab.grading.apart_look import look
    from cimlab.grading.course import reason
    from cimlab.grading.grade_write import read_marks
    from cimlab.grading.repair_files import student_versions

    api.coursedir.root = str(folder)
    api.coursedir.db_url = f"sqlite:///{folder / 'gradebook.db'}"
    student = next((folder / "submitted").iterdir()).name
    moment, unclear = moment_of(folder / "submitted" / student / lab)
    with _listening() as said:
        missing = lay_out(api, folder / "submitted" / student / lab)
        result = {"success": False} if missing else api.autograde(lab, "*")
    log = said.getvalue()
    repairs, doubts = told(log, student)
    found = {"failure": None, "repairs": repairs, "doubts": unclear + doubts, "marks": None, "log": log}
    found["timestamp"] = moment
    if not result["success"]:
        why = missing or plain_reason(reason({**result, "log": log or result.get("log", "")}), lab)
        return found | {"failure": why, "doubts": []}
    found["marks"], found["timestamp"] = read_marks(api.coursedir.db_url, lab, student)
    graded, released = folder / "autograded" / student / lab, student_versions(template_of(api), lab)
    for name in found["marks"]:
        path = graded / f"{name}.ipynb"
        if path.is_file():
            notebook = nbformat.read(path, as_version=4)
            found["doubts"] += look_at(notebook) + look(notebook, nbformat.NotebookNode(cells=released[name]))
        else:
            found["doubts"].append(f"{name}.ipynb was not handed in: its questions have no points")
    return found


@contextlib.contextmanager
def _listening():
    """Collect what nbgrader and the repairs say."""
    from traitlets.log import get_logger

    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger = get_logger()
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def moment_of(folder):
    """Return when it was handed in, and a sentence if nobody knows (see `grade_find.set_aside_time`)."""
    from nbgrader.utils import parse_utc

    from cimlab.grading.grade_find import NO_TIME, TIME

    if (folder / TIME).is_file():
        return parse_utc((folder / TIME).read_text(encoding="utf-8").strip()).isoformat(), []
    unclear = (folder / NO_TIME).exists()
    return None, [f"the time in {NO_TIME} cannot be read: whether it was late is not known"] * unclear


def lay_out(api, place):
    """Where nbgrader would see no notebook at all, look into folders and zip files; return why there is none, or ""."""
    from cimlab.grading import repair_files

    if any(place.glob("*.ipynb")):
        return ""
    layout = repair_files.lay_out(
        place, repair_files.student_versions(Path(api.coursedir.release_directory).parent, place.name)
    )
    for name, source in layout.places.items():
        api.log.warning("repair: %s takes the place of the missing %s.ipynb", source, name)
    if any(place.glob("*.ipynb")):
        return ""
    return " ".join(layout.review) or "there is no notebook in the hand-in. Ask the student to hand it in again."


def template_of(api):
    return Path(api.coursedir.release_directory).parent


def told(log, student):
    """Return what the repairs have said: what was put right, and what somebody has to look at.

    Examples
    --------
    >>> said = ["[WARNING] repair: li: `q1`: was missing; put back.", "[WARNING] repair: /x/y needs review: two files"]
    >>> told(chr(10).join(said), "li")
    (['`q1`: was missing; put back'], ['two files'])
    """
    repairs, doubts = [], []
    for line in log.splitlines():
        _, found, text = line.partition("repair: ")
        text = re.sub(r"^/.*?/submitted/[^/]+/[^/:]+?(: | (?=needs review))", "", text).removeprefix(f"{student}: ")
        _, review, why = text.partition("needs review: ")
        if found and review:
            doubts.append(why)
        elif found:
            repairs.append(text.rstrip("."))
    return list(dict.fromkeys(repairs)), list(dict.fromkeys(doubts))


def plain_reason(sentence, lab):
    """Say why nbgrader did not grade a hand-in, without the paths of the private course.

    Examples
    --------
    >>> plain_reason("cimlab.grading.repair.UnreadableNotebook: /tmp/x/a.ipynb was not graded: the file is empty.", "a")
    'the file is empty.'
    >>> plain_reason("nbgrader.converters.base.NbGraderException: No notebooks were matched by '/tmp/x'", "lab01")
    'there is no notebook of lab01 in the hand-in.'
    """
    if "was not graded: " in sentence:
        return sentence.partition("was not graded: ")[2]
    if "No notebooks" in sentence:
        return f"there is no notebook of {lab} in the hand-in."
    return f"nbgrader could not grade it: {re.sub(r'(/[^/ :]+)+/', '', sentence)}"


def look_at(notebook):
    """Return what a person should look at in a graded notebook, as sentences."""
    ended, stopped = [], []
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        ended += [error.ename for error in errors if error.ename in ENDED]
        if settings.get("grade") and not settings.get("solution"):
            stopped += [f"{settings['grade_id']} ({one.ename})" for one in errors if one.ename not in SENTENCES]
    found = []
    if ended:
        what = "the code ended Python, or used up the memory" if "KernelDied" in ended else "the time was used up"
        found.append(f"{what}: {ended.count('NotRun')} cells could not run, their tests have no points")
    if stopped:
        found.append(f"a test stopped by itself: {', '.join(stopped)}")
    return found
