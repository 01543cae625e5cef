"""Warm kernels against cold ones: .venv/bin/python benchmarks/bench_kernels.py [--rounds 5]

A notebook that loads pandas, matplotlib and scikit-learn, a table of the course, a model and a plot is run in a cold
kernel (as nbgrader starts it), in a warm one and in a warm isolated one, in turn, and the ratios of the medians are
printed. *ready* is the time from the request until the kernel answers, *first result* until the first cell, which
imports the libraries, has run, *whole* until the kernel has been shut down at once. All three run in this order in
each round, so that another load of the machine meets them alike. The verdict: warm and isolated kernels give the first
result at least twice as fast as cold ones.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from cimlab.grading import isolate, zygote
from cimlab.grading.provisioner import NAME

IMPORTS = [
    "import pandas as pd",
    "import matplotlib.pyplot as plt",
    "import sklearn.linear_model",
    "import sklearn.cluster",
    "import cimlab",
]
CELLS = [
    "\n".join(IMPORTS),
    "orders = cimlab.load('orders')",
    "numbers = orders.select_dtypes('number').dropna().head(2000)\n"
    "model = sklearn.cluster.KMeans(3, n_init=1, random_state=0).fit(numbers)",
    "plt.hist(model.labels_);",
]
STEPS = ("ready", "first result", "whole")
GATE = 2.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default %(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    kinds = {"cold": None, "warm": None, "isolated": isolate.Room()}
    for kind, reason in (("warm", zygote.warm_available()), ("isolated", isolate.isolation_available())):
        if reason:
            say(f"{kind}: {reason}")
            del kinds[kind]
    factory = KernelProvisionerFactory.instance()
    running, times = {}, {kind: [] for kind in kinds}
    try:
        for kind in set(kinds) - {"cold"}:
            started = time.monotonic()
            running[kind] = zygote.start_zygote(IMPORTS, kinds[kind])
            say(f"{kind}: the zygote took {time.monotonic() - started:.1f} s, once for a class")
        for number in range(arguments.rounds + 1):
            for kind in kinds:
                taken = measure(factory, running.get(kind))
                if number:  # the first round only warms the disk
                    times[kind].append(taken)
    finally:
        for one in running.values():
            one.close()
    return report(times)


def measure(factory, server):
    """Return the seconds until ready, until the first result and for the whole notebook."""
    factory.default_provisioner_name = NAME if server else "local-provisioner"
    os.environ[zygote.VARIABLE] = server.path if server else ""
    with tempfile.TemporaryDirectory() as folder:
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            kernel_manager_class=AsyncKernelManager,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": folder}},
        )
        return asyncio.run(_timed(client, notebook))


async def _timed(client, notebook):
    started, marks = time.monotonic(), []
    async with client.async_setup_kernel():
        marks.append(time.monotonic() - started)
        for index, cell in enumerate(notebook.cells):
            await client.async_execute_cell(cell, index)
            if index == 0:
                marks.append(time.monotonic() - started)
    return [*marks, time.monotonic() - started]


def report(times):
    medians = {kind: [statistics.median(values) for values in zip(*rows, strict=True)] for kind, rows in times.items()}
    say(f"{'':10}" + "".join(f"{step:>16}" for step in STEPS))
    for kind, row in medians.items():
        ratios = [cold / own for cold, own in zip(medians["cold"], row, strict=True)]
        say(f"{kind:10}" + "".join(f"{own:8.2f} s {ratio:4.1f} x" for own, ratio in zip(row, ratios, strict=True)))
    if hasattr(os, "getloadavg"):
        say(f"load of the machine {os.getloadavg()[0]:.1f}")
    missed = [kind for kind, row in medians.items() if kind != "cold" and medians["cold"][1] / row[1] < GATE]
    say("verdict: " + (f"{', '.join(missed)}: less than {GATE} x" if missed else "as it should be"))
    return 1 if missed else 0


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
