"""Run a few cells in a warm kernel, a warm isolated one or a cold one; used by the tests of the grader's kernels."""

import contextlib
import os
import time
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from cimlab.grading.zygote import NAME, VARIABLE


@contextlib.contextmanager
def provisioner(zygote):
    """Have Jupyter ask for warm kernels of a zygote; with None for cold ones by its own means."""
    factory = KernelProvisionerFactory.instance()
    chosen = factory.default_provisioner_name
    factory.default_provisioner_name = NAME if zygote else "local-provisioner"
    if zygote:
        os.environ[VARIABLE] = zygote.path
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        factory.default_provisioner_name = chosen


def run_cells(zygote, cells, folder, **settings):
    """Run cells as one notebook; return the notebook."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    settings = {"timeout": 60, "allow_errors": True, "shutdown_kernel": "immediate"} | settings
    with provisioner(zygote):
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            kernel_manager_class=AsyncKernelManager,
            resources={"metadata": {"path": str(folder)}},
            **settings,
        )
        client.execute()
    return notebook


def printed(cell):
    """Return what a cell has printed, or the name of its error."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}")
    return "".join(texts).strip()


def wait_until(condition, seconds=20):
    """Wait until a condition holds; return whether it does."""
    ends_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends_at:
        time.sleep(0.05)
    return condition()


def alive(pid):
    """Return whether a process runs (one that has ended and is not yet collected does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def processes_with(mark):
    """Return the ids of the processes whose command line holds a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes() and alive(path.parent.name):
                found.append(int(path.parent.name))
    return found
