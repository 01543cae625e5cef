"""Warm kernels: they give what cold ones give, share nothing, and leave nothing behind."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from cimlab.grading import isolate, zygote
from tests.warm_kernels import alive, printed, processes_with, provisioner, run_cells, wait_until

needs_warm = pytest.mark.skipif(bool(zygote.warm_available()), reason=str(zygote.warm_available()))
IMPORTS = ["import numpy as np", "import pandas as pd", "import matplotlib.pyplot as plt"]


@pytest.fixture(scope="module")
def warm():
    if reason := zygote.warm_available():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MPLBACKEND", raising=False)  # as in a notebook
        with zygote.start_zygote(IMPORTS) as running:
            assert not running.left_out
            yield running


SHOWN = [
    "import numpy as np, pandas as pd, matplotlib.pyplot as plt\n"
    "frame = pd.DataFrame({'顾客': ['李娜', 'Bo'], 'n': [2, 3]})",
    "frame.groupby('顾客')['n'].sum()",
    "print(frame['n'].describe()); import sys; print('aside', file=sys.stderr)",
    "np.random.seed(3); np.random.rand(3).round(6).tolist(), np.random.default_rng(3).integers(0, 9, 5).tolist()",
    "plt.plot([1, 3, 2]); plt.title('a line');",
    "plt.show()",
    "x = 5\n%timeit -n1 -r1 -q x\n%xmode",
    "frame['z']",
    "import subprocess; print(subprocess.run(['echo', 'from below'], capture_output=True, text=True).stdout)",
    "!echo from the shell",
    "import os, time\n_ = os.system('echo below Python'); time.sleep(1)",
    "import threading; t = threading.Thread(target=print, args=('another thread',)); t.start(); t.join()",
    "for number in range(300): print(number)",
    "print('no end of line', end='')",
    "await __import__('asyncio').sleep(0); 'awaited'",
    "_, __, In[1][:6], Out[2].tolist(), x",
]


def test_results_are_those_of_a_cold_kernel(warm, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    # A kernel sends what is printed in pieces, cut wherever its clock strikes: what they come to is compared.
    notebooks = [run_cells(where, SHOWN, tmp_path, coalesce_streams=True) for where in (warm, None)]
    seen = [[_essence(cell.outputs) for cell in notebook.cells] for notebook in notebooks]
    assert "image/png" in str(seen[1]) and "KeyError" in str(seen[1])  # the cold kernel shows what is compared
    for source, of_warm, of_cold in zip(SHOWN, *seen, strict=True):
        assert of_warm == of_cold, source


def _essence(outputs):
    parts = []
    for output in outputs:
        output = dict(output)
        if output["output_type"] == "error":
            lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in output["traceback"]]
            output["traceback"] = [re.sub(r"ipykernel_\d+/\d+\.py", "cell", line) for line in lines]
        if "data" in output:
            output["data"] = {
                kind: re.sub(r"0x[0-9a-f]+", "0x", text) if "image" not in kind else len(text) > 1000
                for kind, text in output["data"].items()
            }
        parts.append(output)
    return parts


def test_data_are_loaded(warm, tmp_path):
    import cimlab

    notebook = run_cells(warm, ["import cimlab; print(len(cimlab.load('orders')))"], tmp_path)
    assert printed(notebook.cells[0]) == str(len(cimlab.load("orders")))


def test_kernels_share_neither_random_state_nor_variables(warm, tmp_path):
    draw = "import random, numpy as np; print(random.random(), np.random.rand())\nsecret = 1; np.secret = 1"
    one, two = (
        run_cells(warm, ["print('secret' in globals(), hasattr(__import__('numpy'), 'secret'))", draw], tmp_path)
        for _ in range(2)
    )
    drawn = [printed(notebook.cells[1]).split() for notebook in (one, two)]
    assert all(len(numbers) == 2 for numbers in drawn)
    assert drawn[0][0] != drawn[1][0] and drawn[0][1] != drawn[1][1]
    assert printed(two.cells[0]) == "False False"


def test_a_kernel_starts_from_the_zygote_with_the_libraries(warm, tmp_path):
    notebook = run_cells(warm, ["import sys; print('pandas' in sys.modules, sys.flags.isolated)"], tmp_path)
    assert printed(notebook.cells[0]) == "True 1"


def test_a_file_in_the_folder_does_not_take_the_place_of_a_library(warm, tmp_path):
    (tmp_path / "tqdm.py").write_text("fake = True\n")
    notebook = run_cells(warm, ["import tqdm; print(hasattr(tqdm, 'fake'))"], tmp_path)
    assert printed(notebook.cells[0]) == "False"
    assert printed(run_cells(None, ["import tqdm; print(hasattr(tqdm, 'fake'))"], tmp_path).cells[0]) == "True"


def test_a_cell_without_end_is_interrupted_and_the_next_runs(warm, tmp_path):
    notebook = run_cells(warm, ["while True: pass", "print(1)"], tmp_path, timeout=2, interrupt_on_timeout=True)
    assert printed(notebook.cells[0]).startswith("KeyboardInterrupt")
    assert printed(notebook.cells[1]) == "1"


def test_the_end_of_a_kernel_is_its_own(warm, tmp_path):
    execute = pytest.importorskip("cimlab.grading.execute")
    for end in ("import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)"):
        notebook = new_notebook(cells=[new_code_cell(text) for text in ("print(1)", end, "print(2)")])
        with provisioner(warm):
            execute.ExecuteAll(kernel_name="python3").preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
        assert printed(notebook.cells[0]) == "1"
        assert "Python was ended" in printed(notebook.cells[1]) and "not run" in printed(notebook.cells[2])
    assert printed(run_cells(warm, ["print(3)"], tmp_path).cells[0]) == "3"


SLEEPER = """
import subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]
process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
print(process.poll())
"""


def test_a_background_process_does_not_outlive_its_notebook(warm, tmp_path):
    mark = f"cimlab-sleeper-{os.getpid()}"
    cells = [SLEEPER.format(mark=mark), "time.sleep(1); print(process.poll())"]
    assert [printed(cell) for cell in run_cells(warm, cells, tmp_path).cells] == ["None", "None"]
    assert not processes_with(mark)


OWNER = """
import os, sys, time
from cimlab.grading import isolate, zygote
from tests.warm_kernels import run_cells

if __name__ == "__main__":
    room = isolate.Room() if sys.argv[1] == "room" else None
    with zygote.start_zygote([], room) as running:
        print(running.pid, flush=True)
        if os.fork() == 0:  # as the grader does for each hand-in
            cell = {cell!r} + "time.sleep(600)"
            run_cells(running, [cell], sys.argv[2])
        time.sleep(600)
"""


@needs_warm
@pytest.mark.parametrize("kind", ["plain", "room"])
@pytest.mark.parametrize("killed", ["owner", "zygote"])
def test_killing_the_owner_or_the_zygote_ends_all_kernels(kind, killed, tmp_path):
    if kind == "room" and (reason := isolate.isolation_available()):
        pytest.skip(reason)
    mark = f"cimlab-{kind}-{killed}-{os.getpid()}"
    script = tmp_path / "owner.py"
    script.write_text(OWNER.format(cell=SLEEPER.format(mark=mark)))
    command = [sys.executable, str(script), kind, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as owner:
        pid = int(owner.stdout.readline())
        try:
            assert wait_until(lambda: processes_with(mark), 60)  # a kernel has started its sleeper
            os.kill(owner.pid if killed == "owner" else pid, signal.SIGKILL)
            assert wait_until(lambda: not alive(pid)), "the zygote lives"
            assert wait_until(lambda: not processes_with(mark)), "what a kernel has started lives"
        finally:
            os.killpg(owner.pid, signal.SIGKILL)


@needs_warm
def test_a_kernel_ends_with_the_process_that_asked_for_it(warm, tmp_path):
    mark = f"cimlab-grader-{os.getpid()}"
    code = f"""
    from types import SimpleNamespace
    from tests.warm_kernels import run_cells
    cell = {SLEEPER.format(mark=mark)!r} + "time.sleep(600)"
    run_cells(SimpleNamespace(path={warm.path!r}), [cell], {str(tmp_path)!r})
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=Path(__file__).parents[1]) as grader:
        assert wait_until(lambda: len(processes_with(mark)) > 1, 60)
        grader.kill()
    assert wait_until(lambda: not processes_with(mark))
    assert printed(run_cells(warm, ["print(4)"], tmp_path).cells[0]) == "4"  # the zygote goes on


@needs_warm
def test_what_a_fork_would_break_is_left_to_the_kernel(tmp_path, monkeypatch):
    threaded = "import threading, time; threading.Thread(target=time.sleep, args=[600], daemon=True).start()"
    imports = ["import csv", "import no_such_module", "import tqdm.auto", threaded]
    with zygote.start_zygote(imports) as running:
        assert sorted(running.left_out) == sorted(imports[1:])
        cells = ["import sys; print('csv' in sys.modules, 'tqdm.auto' in sys.modules)", "import no_such_module"]
        notebook = run_cells(running, cells, tmp_path)
    assert printed(notebook.cells[0]) == "True False"
    assert printed(notebook.cells[1]).startswith("ModuleNotFoundError")


@needs_warm
def test_a_zygote_that_is_gone_is_named(tmp_path):
    with zygote.start_zygote() as running:
        pass
    assert not Path(running.path).parent.exists() and not alive(running.pid)
    with pytest.raises(RuntimeError, match="process for warm kernels does not answer"):
        run_cells(running, ["1"], tmp_path)


def test_without_a_zygote_a_kernel_starts_as_always_and_the_log_says_so(tmp_path, monkeypatch, caplog):
    import logging

    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    notebook = new_notebook(cells=[new_code_cell("print(5)")])
    with provisioner(_Nowhere()):
        del os.environ[zygote.VARIABLE]
        with caplog.at_level(logging.WARNING):
            NotebookClient(notebook, kernel_name="python3", kernel_manager_class=AsyncKernelManager).execute()
    assert printed(notebook.cells[0]) == "5"


class _Nowhere:
    path = "nowhere"


def test_other_systems_get_a_sentence(monkeypatch):
    isolate.isolation_available.cache_clear()
    monkeypatch.setattr(sys, "platform", "win32")
    try:
        assert zygote.warm_available().startswith("Warm kernels need Linux")
        assert isolate.isolation_available().startswith("Hand-ins are isolated by namespaces of Linux")
        with pytest.raises(RuntimeError, match="Warm kernels need Linux"):
            zygote.start_zygote(room=isolate.Room())
    finally:
        isolate.isolation_available.cache_clear()


def test_everything_imports_where_unix_is_missing():
    code = """
    import jupyter_client.provisioning, jupyter_client.asynchronous, ctypes, os, signal, socket, sys
    del os.fork, signal.SIGKILL, socket.AF_UNIX, os.geteuid
    sys.modules |= {"fcntl": None, "resource": None}
    sys.platform = "win32"
    import cimlab.grading.provisioner, cimlab.grading.kernel
    from cimlab.grading import isolate, zygote
    assert isolate.isolation_available() and zygote.warm_available()
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True)


def test_imports_come_from_locked_cells_only():
    locked, test = {"locked": True, "solution": False}, {"locked": True, "solution": False, "grade": True}
    cells = [
        new_code_cell("import os\n%matplotlib inline\nfrom math import pi", metadata={"nbgrader": locked}),
        new_code_cell("import csv", metadata={"nbgrader": {"locked": False, "solution": True}}),
        new_code_cell("import os\nassert (", metadata={"nbgrader": locked}),
        new_code_cell("!pip list\nimport os\nimport json as j", metadata={"nbgrader": test}),
    ]
    assert zygote.lab_imports(new_notebook(cells=cells)) == ["import os", "from math import pi", "import json as j"]
