"""Tests out of reach: the code of a hand-in and the tests of its lab run in two processes.

`ExecuteApart` takes the place of `execute.ExecuteAll` among nbgrader's `autograde_preprocessors`. A student's cells run
in the kernel of the hand-in, as always. The tests run in a second kernel, the *examiner's*, which never sees a line of
the student's code, and what a test reads of the student's work crosses as plain data (`apart_values`); functions are
called by message (`apart_talk`). So there is nothing to find in the kernel of the hand-in: no test, no expected value;
and what the code does there (patched asserts, libraries or checks, an `__eq__` that is always true) does nothing to the
tests.

The examiner begins with the cells that students cannot change. Where warm kernels are to be had, `start_examiners`
keeps a process in which that is done once for the whole class.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets import Integer

from cimlab.grading.apart_line import Lines
from cimlab.grading.apart_look import top_names
from cimlab.grading.execute import DIED, NOT_RUN, TIME_UP, ExecuteAll, _fail
from cimlab.grading.zygote import VARIABLE as WARM_KERNELS
from cimlab.grading.zygote import start_zygote

VARIABLE = "CIMLAB_EXAMINERS"  # names the socket of the process from which examiners are forked
MODULE = "__import__('cimlab.grading.{}', fromlist=['_'])"
FOREIGN = "This cell is none of the lab's: it was not run."


def start_examiners(notebook, imports=(), room=None):
    """Start a process from which the examiners of a lab are forked; name its `path` in CIMLAB_EXAMINERS.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The instructor's (solutions/ or labs/: only cells that students cannot change are taken).
    imports : iterable of str
        Import statements, as from `zygote.lab_imports`.
    room : isolate.Room, optional
        As for `zygote.start_zygote`.

    Returns
    -------
    zygote.Zygote
    """
    setup = []
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and settings.get("solution"):
            break  # what comes after an answer may build on it
        if cell.cell_type == "code" and settings.get("locked") and not settings.get("grade"):
            setup.append(cell.source)
    begin = f"{MODULE.format('apart_examiner')}.warm({setup!r})"
    own = "import cimlab.checks, cimlab.grading.apart_examiner"
    return start_zygote([*imports, own, *([begin] if setup else [])], room)


def is_test(cell):
    """Return whether a cell is an automatic test."""
    return cell.cell_type == "code" and is_grade(cell) and is_locked(cell) and not is_solution(cell)


class ExecuteApart(ExecuteAll):
    """`ExecuteAll`, with the tests in a kernel of their own."""

    grace = Integer(20, help="Seconds that a test may take beyond the time for a cell, in which it asks the student's "
                    "code.").tag(config=True)  # fmt: skip

    patience = Integer(8, help="Seconds in which an interrupted kernel has to obey, before it is ended.").tag(
        config=True
    )

    def _run(self, nb, resources, km):
        self.examiner, self.private = None, None
        self.lines = Lines()
        self.originals = _originals(resources)
        self.waiting = []  # cells that the examiner has to run before the next test
        self.answers, self.reserved = set(), set()
        for cell in nb.cells:
            if cell.cell_type != "code" or is_test(cell):
                continue
            if self._is_ours(cell):
                self.reserved |= top_names(self._source(cell))
            elif is_solution(cell) and (self.originals is None or self._name(cell) in self.originals):
                self.answers |= top_names(self._source(cell))
        if self.originals is None:  # the names are then the student's choice
            self.answers -= self.reserved
        try:
            return super()._run(nb, resources, km)
        finally:
            self._dismiss()
            self.lines.close()
            if self.private:
                shutil.rmtree(self.private, ignore_errors=True)

    def start_new_kernel(self, **kwargs):
        self.private = self.private or tempfile.mkdtemp(prefix="cimlab-hand-in-")
        shutil.rmtree(self.private)
        kwargs.setdefault("cwd", _without_tests(self.resources.get("metadata", {}).get("path") or ".", self.private))
        return super().start_new_kernel(**kwargs)

    def start_new_kernel_client(self, **kwargs):
        client = super().start_new_kernel_client(**kwargs)
        _without_heartbeat(client)
        self.socket = "socket" in run_sync(_quietly)(self, f"{MODULE.format('apart_room')}.prepare()")
        return client

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        if not is_test(cell):
            if self._is_ours(cell):
                self.waiting.append(self._source(cell))
            return super().preprocess_cell(cell, resources, index)
        self.started = True
        self.printed = 0
        if self.reason_to_skip is None and time.monotonic() >= self.ends_at:
            self.reason_to_skip = TIME_UP
        if self.reason_to_skip:
            _fail(cell, "NotRun", self.reason_to_skip)
        elif not self._is_ours(cell):
            _fail(cell, "NotRun", FOREIGN)
        else:
            cell.source = self._source(cell)
            run_sync(self._examine)(cell, index)
        return cell, resources

    # -- what is the instructor's -------------------------------------------------------------------------------------

    def _is_ours(self, cell):
        """Return whether a cell is one that students cannot change (nbgrader has put its source back)."""
        if not is_locked(cell) or is_solution(cell):
            return False
        return self.originals is None or self._name(cell) in self.originals

    def _source(self, cell):
        return (self.originals or {}).get(self._name(cell), cell.source)

    @staticmethod
    def _name(cell):
        return cell.metadata.nbgrader["grade_id"]

    # -- the examiner -------------------------------------------------------------------------------------------------

    async def _examine(self, cell, index):
        """Run a test in the examiner's kernel while that of the hand-in answers its questions."""
        seconds = self._seconds_for(cell)
        try:
            desk, ends = await self._connected(seconds)
        except OSError as error:  # this examiner does not come to the line: another one may
            self.log.warning("the examiner does not answer (%s): another one is called", error)
            await self._dismiss_now()
            desk, ends = await self._connected(seconds)
        to_hand_in, to_examiner = ends
        asked = self.kc.execute(
            f"{MODULE.format('apart_room')}.serve({to_hand_in!r})", silent=True, store_history=False, allow_stdin=False
        )
        watching = asyncio.ensure_future(self._watch(asked, seconds))
        begin = f"begin({to_examiner!r}, {sorted(self.answers)!r}, {sorted(self.reserved)!r})"
        desk.printed, desk.ends_at = 0, time.monotonic() + seconds + self.grace
        try:
            await _quietly(desk, f"{MODULE.format('apart_examiner')}.{begin}")
            await desk.async_execute_cell(cell, index, store_history=True)
        except DeadKernelError:
            self.log.warning("the examiner died in '%s'", cell.metadata.nbgrader["grade_id"])
            _fail(cell, "KernelDied", "The test could not be finished: what it was given is too large.")
            await self._dismiss_now()
        finally:
            if time.monotonic() > desk.ends_at - 1:
                await self._dismiss_now()  # it may be busy still
            await watching
        if not await self.km.is_alive() and self.reason_to_skip is None:
            self.log.warning("the kernel died in '%s'", cell.metadata.nbgrader["grade_id"])
            self.reason_to_skip = NOT_RUN
            if not any(output.output_type == "error" for output in cell.outputs):
                _fail(cell, "KernelDied", DIED)

    async def _connected(self, seconds):
        """Return the examiner, and what each kernel needs to take its end of a new line."""
        try:
            desk = await self._called(seconds)
        except Exception as error:  # not the student's fault
            self.log.error("the examiner did not come: %s", error)
            await self._dismiss_now()
            raise
        both = self.socket and desk.socket
        return desk, self.lines.put_up(*((self.km, desk.km) if both else (None, None)))

    async def _watch(self, asked, seconds):
        """Wait until the kernel of the hand-in has nothing more to answer; interrupt it when the time is up."""
        draining = asyncio.ensure_future(_drain(self.kc))
        try:
            for limit, act in (
                (seconds, self.km.interrupt_kernel),
                (self.patience, self._end_kernel),
                (self.patience, None),
            ):
                if await self._answered(asked, limit):
                    return
                if act is not None:
                    await act()
        finally:
            self.lines.hang_up()
            draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await draining

    async def _answered(self, asked, seconds):
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            with contextlib.suppress(Exception):
                message = await self.kc.shell_channel.get_msg(timeout=min(left, 1))
                if message["parent_header"].get("msg_id") == asked:
                    return True
                continue
            if not await self.km.is_alive():
                return True
        return False

    async def _end_kernel(self):
        self.log.warning("the kernel does not obey: it is ended")
        await self.km.signal_kernel(9)

    async def _called(self, seconds):
        """Return the examiner, who has done the cells above; call a new one if there is none."""
        if self.examiner is None:
            self.examiner = await _Desk.called(self, self.nb)
        desk = self.examiner
        for source in self.waiting:
            if source in desk.done:
                desk.done.remove(source)
                continue
            desk.ends_at = time.monotonic() + seconds + self.grace
            if not await desk.do(source):
                self.log.warning("the examiner cannot run a cell of the lab: %s", source.splitlines()[0])
        desk.past += self.waiting
        self.waiting = []
        return desk

    def _dismiss(self):
        if self.examiner is not None:
            run_sync(self.examiner.leave)()
            self.examiner = None

    async def _dismiss_now(self):
        """Send the examiner away; the next one begins with all that this one was told."""
        if self.examiner is not None:
            desk, self.examiner = self.examiner, None
            self.waiting = [*desk.past, *self.waiting]
            await desk.leave()


class _Desk(ExecuteAll):
    """The kernel of the examiner."""

    @classmethod
    async def called(cls, owner, nb):
        desk = cls(parent=owner)
        desk.nb, desk.km, desk.kc = nb, None, None
        desk.kernel_name = owner.kernel_name
        desk.reset_execution_trackers()
        desk.timeout_func = desk._seconds_for
        desk.ends_at, desk.printed, desk.past = time.monotonic() + owner.startup_timeout, 0, []
        desk.private = tempfile.mkdtemp(prefix="cimlab-examiner-")
        # In rooms of their own both kernels then know the folder by the same name.
        folder = Path(desk.private, Path(owner.resources.get("metadata", {}).get("path") or "lab").absolute().name)
        folder.mkdir()
        desk.resources = {"metadata": {"path": str(folder)}}
        usual = os.environ.get(WARM_KERNELS)
        if os.environ.get(VARIABLE):
            os.environ[WARM_KERNELS] = os.environ[VARIABLE]
        try:
            desk.km = desk.create_kernel_manager()
            await desk.async_start_new_kernel(cwd=str(folder))
        finally:
            if usual is not None:
                os.environ[WARM_KERNELS] = usual
        await desk.async_start_new_kernel_client()
        _without_heartbeat(desk.kc)
        kind, *done = (await _quietly(desk, f"{MODULE.format('apart_examiner')}.prepare()")).rstrip("\n").split("\0")
        desk.socket, desk.done = kind == "socket", done
        return desk

    def _seconds_for(self, _cell):
        return max(1, self.ends_at - time.monotonic())

    async def do(self, source):
        """Run a cell that is no test; return whether it went well."""
        asked = self.kc.execute(source, silent=False, store_history=False, stop_on_error=False)
        reply = await _reply(self.kc, asked, self._seconds_for(None))
        return reply is not None and reply["content"]["status"] == "ok"

    async def leave(self):
        try:
            if self.km is not None:
                await self._async_cleanup_kernel()
        finally:
            shutil.rmtree(self.private, ignore_errors=True)


def _without_tests(folder, private):
    """Copy the folder of a hand-in to a private one: nbgrader has put the hidden tests back into the notebook there.

    Returns
    -------
    str
        The copy, which has the name of the folder.
    """
    folder = Path(folder).absolute()
    copy = Path(private, folder.name)

    def not_to_copy(place, names):
        return [name for name in names if not Path(place, name).is_symlink() and not _ordinary(Path(place, name))]

    shutil.copytree(folder, copy, symlinks=True, ignore=not_to_copy)
    for path in [*copy.rglob("*.ipynb"), *copy.rglob("*.ipynb.*")]:
        if path.is_symlink():
            continue
        path.chmod(0o600)
        try:
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
            for cell in notebook.cells:
                if is_test(cell):
                    cell.source = ""
            path.write_text(nbformat.writes(notebook), encoding="utf-8")
        except Exception:
            path.unlink()
    return str(copy)


def _ordinary(path):
    return path.is_dir() or path.is_file()


def _without_heartbeat(client):
    """The kernel gives its socket away (see `apart_line`): stop asking there."""
    if client.hb_channel.is_alive():
        client.hb_channel.stop()


async def _quietly(client, code):
    """Run a line in the kernel of a client, and return what it has printed."""
    asked = client.kc.execute(code, silent=True, store_history=False, allow_stdin=False)
    printed, ends_at = [], time.monotonic() + client.startup_timeout
    while (left := ends_at - time.monotonic()) > 0:
        message = await client.kc.iopub_channel.get_msg(timeout=left)
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            raise RuntimeError(message["content"]["evalue"])
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    await _reply(client.kc, asked, max(1, ends_at - time.monotonic()))
    return "".join(printed)


async def _reply(client, asked, seconds):
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        with contextlib.suppress(Exception):
            message = await client.shell_channel.get_msg(timeout=left)
            if message["parent_header"].get("msg_id") == asked:
                return message
    return None


async def _drain(client):
    """Throw away what a kernel publishes while nobody listens."""
    while True:
        with contextlib.suppress(Exception):
            await client.iopub_channel.get_msg(timeout=1)


def _originals(resources):
    """Return {id of a cell that students cannot change, or of an answer: its source in the lab} from the gradebook."""
    facts = (resources or {}).get("nbgrader") or {}
    if not {"db_url", "assignment", "notebook"} <= set(facts):
        return None
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(facts["db_url"]) as gradebook:
        try:
            notebook = gradebook.find_notebook(facts["notebook"], facts["assignment"])
        except MissingEntry:
            return None
        return {cell.name: cell.source for cell in notebook.source_cells}
