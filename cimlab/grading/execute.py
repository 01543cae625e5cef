"""Run a hand-in so that a dead kernel, an endless loop or a flood of output costs only what could not run."""

import os
import time

from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_locked
from traitlets import Integer

from cimlab.grading import own_data

DIED = "Python was ended by the code of this cell (by `exit`, or because the memory was full)."
NOT_RUN = "This cell was not run, because Python had been ended by a cell above it."
TIME_UP = "This cell was not run, because the cells above it had used up the time of the notebook."
START_TRIES = 3
FLOOD = "\n… output cut: this cell printed too much …\n"


def stop_heartbeat(client):
    """Stop asking a kernel whether it lives.

    Parameters
    ----------
    client : jupyter_client.KernelClient
    """
    channel = client.hb_channel
    # Who is stopped before the first beat would not notice, and open one socket after the other.
    while channel.is_alive() and not channel._running:
        time.sleep(0.001)
    if channel.is_alive():
        channel.stop()


class ExecuteAll(Execute):
    """nbgrader's `Execute`, which loses no cell that did run.

    Stock nbgrader drops the whole hand-in when the kernel dies, waits the full time at each cell once a kernel does not
    answer, and keeps everything that is printed in memory.
    """

    notebook_timeout = Integer(300, help="Seconds for one notebook; what is left over then is not run.").tag(
        config=True
    )
    max_output = Integer(1_000_000, help="Characters that one cell may print; the rest is dropped.").tag(config=True)

    def preprocess(self, nb, resources, km=None):
        # That a kernel does not start is never the student's fault: on a busy machine two may be given the same port.
        for _ in range(START_TRIES - 1):
            try:
                return self._run(nb, resources, km)
            except (RuntimeError, OSError) as error:
                if self.started:
                    raise
                self.log.warning("the kernel did not start (%s): once more", error)
        return self._run(nb, resources, km)

    def _run(self, nb, resources, km):
        self.ends_at = time.monotonic() + self.notebook_timeout
        self.reason_to_skip = None
        self.timeout_func = self._seconds_for
        self.started = False
        return super().preprocess(nb, resources, km)

    def start_new_kernel(self, **kwargs):
        return super().start_new_kernel(env=os.environ | self._own_variables(), **kwargs)

    async def _async_cleanup_kernel(self):
        if getattr(self, "kc", None) is not None:
            stop_heartbeat(self.kc)  # its thread would find its socket closed by the kernel manager
        await super()._async_cleanup_kernel()

    _cleanup_kernel = run_sync(_async_cleanup_kernel)

    def _own_variables(self):
        """Return the environment variables of a student who has data of their own (see `own_data`)."""
        converter = getattr(self.parent, "parent", None)  # its parent is the exporter
        coursedir, facts = getattr(converter, "coursedir", None), self.resources.get("nbgrader")
        if coursedir is None or not facts:
            return {}
        return own_data.environment(coursedir.root, facts["assignment"], facts["student"])

    def preprocess_cell(self, cell, resources, index):
        self.started = True
        self.printed = 0
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        if self.reason_to_skip is None and time.monotonic() >= self.ends_at:
            self.reason_to_skip = TIME_UP
        if self.reason_to_skip:
            _fail(cell, "NotRun", self.reason_to_skip)
            return cell, resources
        return self._run_cell(cell, resources, index)

    def _run_cell(self, cell, resources, index):
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            self.log.warning("the kernel died in cell %d: the cells after it get no points", index + 1)
            self.reason_to_skip = NOT_RUN
            _fail(cell, "KernelDied", DIED)
        if is_locked(cell) and any(output.get("name") == "stderr" for output in cell.outputs):
            # Validate has no IgnorePattern: there a student would be told that the test has failed.
            self.log.warning("cell '%s' writes to stderr", cell.metadata.nbgrader["grade_id"])
        return cell, resources

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream":
            text = msg["content"]["text"]
            room = self.max_output - self.printed
            self.printed += len(text)
            if room <= 0:
                return None
            if len(text) > room:
                msg["content"]["text"] = text[:room] + FLOOD
        return super().process_message(msg, cell, cell_index)

    def _seconds_for(self, _cell):
        left = max(1, self.ends_at - time.monotonic())
        return min(self.timeout, left) if self.timeout and self.timeout > 0 else left


def _fail(cell, name, sentence):
    cell.outputs.append(new_output("error", ename=name, evalue=sentence, traceback=[sentence]))
