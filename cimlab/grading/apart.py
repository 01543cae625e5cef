"""Tests out of reach: the code of a hand-in and the tests of its lab run in two processes.

`ExecuteApart` takes the place of `execute.ExecuteAll` among nbgrader's `autograde_preprocessors`. A student's cells run
in the kernel of the hand-in, as always. The tests run in a second kernel, the *examiner's*, which never sees a line of
the student's code, and what a test reads of the student's work crosses as plain data (`apart_values`); functions are
called by message (`apart_talk`). So there is nothing to find in the kernel of the hand-in: no test, no expected value;
and what the code does there (patched asserts, libraries or checks, an `__eq__` that is always true) does nothing to the
tests.

The examiner begins with the cells that students cannot change; `grade_zygotes.start_examiners` keeps a process in which
that is done once for the whole class. Both kernels are warm ones (see `zygote`): others have no line to talk on.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbgrader.utils import is_locked, is_solution
from traitlets import Integer

from cimlab.grading.apart_line import Line, new_token
from cimlab.grading.apart_look import top_names
from cimlab.grading.course import is_test
from cimlab.grading.execute import DIED, NOT_RUN, ExecuteAll, _fail, stop_heartbeat
from cimlab.grading.zygote import EXAMINERS
from cimlab.grading.zygote import VARIABLE as WARM_KERNELS

MODULE = "__import__('cimlab.grading.{}', fromlist=['_'])"
FOREIGN = "This cell is none of the lab's: it was not run."


class ExecuteApart(ExecuteAll):
    """`ExecuteAll`, with the tests in a kernel of their own."""

    grace = Integer(20, help="Seconds that a test may take beyond the time for a cell, in which it asks the student's "
                    "code.").tag(config=True)  # fmt: skip

    patience = Integer(8, help="Seconds in which an interrupted kernel has to obey, before it is ended.").tag(
        config=True
    )

    def _run(self, nb, resources, km):
        self.examiner, self.line = None, Line()
        self.originals = _originals(resources)
        self.setup = []  # the cells so far that each examiner has to run
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
        with tempfile.TemporaryDirectory(prefix="cimlab-hand-in-", ignore_cleanup_errors=True) as self.private:
            try:
                return super()._run(nb, resources, km)
            finally:
                self.line.hang_up()
                run_sync(self._dismiss)()

    def start_new_kernel(self, **kwargs):
        kwargs.setdefault("cwd", _without_tests(self.resources.get("metadata", {}).get("path") or ".", self.private))
        return super().start_new_kernel(**kwargs)

    def start_new_kernel_client(self, **kwargs):
        client = super().start_new_kernel_client(**kwargs)
        stop_heartbeat(client)  # the kernel gives its socket away (see `apart_line`)
        run_sync(_quietly)(self, f"{MODULE.format('apart_line')}.free_the_socket()")
        return client

    def _run_cell(self, cell, resources, index):
        if not is_test(cell):
            if self._is_ours(cell):
                self.setup.append(self._source(cell))
            return super()._run_cell(cell, resources, index)
        if self._is_ours(cell):
            cell.source = self._source(cell)
            run_sync(self._examine)(cell, index)
        else:
            _fail(cell, "NotRun", FOREIGN)
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
            desk, token = await self._called(seconds)
        except (RuntimeError, OSError) as error:  # not the student's fault: another one may come
            self.log.warning("the examiner does not answer (%s): another one is called", error)
            await self._dismiss()
            desk, token = await self._called(seconds)
        asked = self.kc.execute(
            f"{MODULE.format('apart_room')}.serve({token!r})", silent=True, store_history=False, allow_stdin=False
        )
        watching = asyncio.ensure_future(self._watch(asked, seconds))
        desk.printed, desk.ends_at = 0, time.monotonic() + seconds + self.grace
        try:
            await desk.async_execute_cell(cell, index, store_history=True)
        except DeadKernelError:
            self.log.warning("the examiner died in '%s'", cell.metadata.nbgrader["grade_id"])
            _fail(cell, "KernelDied", "The test could not be finished: what it was given is too large.")
            await self._dismiss()
        finally:
            if time.monotonic() > desk.ends_at - 1:
                await self._dismiss()  # it may be busy still
            await watching
        if not await self.km.is_alive() and self.reason_to_skip is None:
            self.log.warning("the kernel died in '%s'", cell.metadata.nbgrader["grade_id"])
            self.reason_to_skip = NOT_RUN
            if not any(output.output_type == "error" for output in cell.outputs):
                _fail(cell, "KernelDied", DIED)

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
            self.line.hang_up()
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
        """Return the examiner, who has done the cells above, and the hand-in's token for a new line to it.

        If there is no examiner, a new one is called.
        """
        if self.examiner is None:
            self.examiner = _Desk.beside(self)  # known before it comes: so it is sent away, whatever happens
            await self.examiner.come()
        desk = self.examiner
        for source in self.setup[desk.ran :]:
            desk.ran += 1
            if source in desk.done:
                desk.done.remove(source)
                continue
            desk.ends_at = time.monotonic() + seconds + self.grace
            if not await desk.do(source):
                self.log.warning("the examiner cannot run a cell of the lab: %s", source.splitlines()[0])
        return desk, self.line.put_up(self.km, desk.km, desk.token)

    async def _dismiss(self):
        """Send the examiner away, if there is one."""
        if self.examiner is not None:
            desk, self.examiner = self.examiner, None
            await desk.leave()


class _Desk(ExecuteAll):
    """The kernel of the examiner."""

    @classmethod
    def beside(cls, owner):
        desk = cls(parent=owner)
        desk.nb, desk.km, desk.kc = owner.nb, None, None
        desk.kernel_name = owner.kernel_name
        desk.reset_execution_trackers()
        desk.timeout_func = desk._seconds_for
        desk.ends_at, desk.printed, desk.ran = time.monotonic() + owner.startup_timeout, 0, 0
        desk.private = tempfile.mkdtemp(prefix="cimlab-examiner-")
        # In rooms of their own both kernels then know the folder by the same name.
        folder = Path(desk.private, Path(owner.resources.get("metadata", {}).get("path") or "lab").absolute().name)
        desk.resources = {"metadata": {"path": str(folder)}}
        return desk

    async def come(self):
        """Start the kernel and make it an examiner's."""
        folder = self.resources["metadata"]["path"]
        Path(folder).mkdir()
        env = os.environ | self.parent._own_variables()
        env[WARM_KERNELS] = env.get(EXAMINERS) or env.get(WARM_KERNELS, "")
        self.km = self.create_kernel_manager()
        await self.async_start_new_kernel(cwd=folder, env=env)
        await self.async_start_new_kernel_client()
        stop_heartbeat(self.kc)
        owner, self.token = self.parent, new_token()
        told = f"prepare({self.token!r}, {sorted(owner.answers)!r}, {sorted(owner.reserved)!r})"
        self.done = json.loads(await _quietly(self, f"{MODULE.format('apart_examiner')}.{told}"))

    def _seconds_for(self, _cell):
        return max(1, self.ends_at - time.monotonic())

    async def do(self, source):
        """Run a cell that is no test; return whether it went well."""
        settings = {"store_history": False, "stop_on_error": False, "timeout": self._seconds_for(None)}
        with contextlib.suppress(TimeoutError):
            return (await self.kc.execute(source, reply=True, **settings))["content"]["status"] == "ok"
        return False

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
        if path.is_symlink() or not path.is_file():
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


async def _quietly(client, code):
    """Run a line in the kernel of a client, and return what it has printed."""
    printed, settings = [], {"silent": True, "store_history": False, "allow_stdin": False}

    def hear(message):
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            printed.append(message["content"]["text"])

    reply = await client.kc.execute_interactive(code, timeout=client.startup_timeout, output_hook=hear, **settings)
    if reply["content"]["status"] == "error":
        raise RuntimeError(reply["content"]["evalue"])
    return "".join(printed)


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
