"""Are marks and sentences the same when tests run apart from the code of the hand-in? One lab after the other.

For each lab the solution, the student version and (with --mistakes) every filed wrong answer are run twice, as in
grading: by `ExecuteAll` (tests in the kernel of the hand-in) and by `ExecuteApart` (tests in the examiner's). Printed
is one line for each lab, and each difference. Exit status 1 where there is one.

    .venv/bin/python tools/compare_apart.py [--mistakes] [LAB …]
"""

import argparse
import contextlib
import copy
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import nbformat
from nbgrader.utils import determine_grade

from cimlab.grading import grade_zygotes, isolate, prove, zygote
from cimlab.grading.apart import ExecuteApart
from cimlab.grading.course import answer_of_tests, is_test
from cimlab.grading.execute import ExecuteAll
from cimlab.grading.grade_zygotes import first_cells, tests_of
from cimlab.grading.mistakes import read_mistakes

CHANCE = re.compile(r"0x[0-9a-f]+|PosixPath\('[^']*'\)|'/tmp/[^']*'")  # differs from run to run
ROOT = Path(__file__).resolve().parent.parent


def hand_ins(lab, mistakes):
    """Yield (name, notebook) of each hand-in of a lab; the hidden tests stand in all of them."""
    for path in sorted((ROOT / "solutions" / lab).glob("*.ipynb")):
        source = nbformat.read(path, as_version=4)
        release = nbformat.read(ROOT / "labs" / lab / path.name, as_version=4)
        stubs = {cell.id: cell.source for cell in release.cells}
        answers = {cell.id for cell in source.cells if cell.metadata.get("nbgrader", {}).get("solution")}
        yield f"{path.stem} solution", path, source
        yield f"{path.stem} release", path, _with(source, {one: stubs[one] for one in answers if one in stubs})
        if mistakes:
            filed, _ = read_mistakes(ROOT / "solutions" / lab / "mistakes.yaml", source)
            filed = [one for one in filed if one["cell"] in answers]
            for sheet in prove.make_sheets(filed, answer_of_tests(source)):
                name = " + ".join(one["name"] for one in sheet)
                yield name, path, _with(source, {one["cell"]: one["source"] for one in sheet})


def _with(source, other):
    notebook = copy.deepcopy(source)
    for cell in notebook.cells:
        cell.source = other.get(cell.id, cell.source)
    return notebook


def run(kind, notebook, folder):
    """Run a hand-in; return ({test: (points, sentences)}, seconds)."""
    notebook = copy.deepcopy(notebook)
    started = time.monotonic()
    settings = {"shutdown_kernel": "immediate", "iopub_timeout": 60, "raise_on_iopub_timeout": False, "timeout": 90}
    runner = kind(kernel_name="python3", notebook_timeout=600, **settings)
    runner.preprocess(notebook, {"metadata": {"path": str(folder)}})
    seconds, found = time.monotonic() - started, {}
    for cell in filter(is_test, notebook.cells):
        cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
        try:
            points = determine_grade(cell)[0]
        except ValueError as error:
            points = f"{error}"
        said = [f"{one.ename}: {one.evalue}" for one in cell.outputs if one.output_type == "error"]
        said += [one.text for one in cell.outputs if one.output_type == "stream"]
        said += [one.data.get("text/plain") for one in cell.outputs if one.output_type == "execute_result"]
        found[cell.metadata.nbgrader["grade_id"]] = (points, [CHANCE.sub("…", text) for text in said])
    return found, seconds


@contextlib.contextmanager
def warm(notebook):
    """Have warm, isolated kernels for a lab."""
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    KernelProvisionerFactory.instance().default_provisioner_name = zygote.NAME
    imports, room = zygote.lab_imports(notebook), isolate.Room(hidden=(str(ROOT / "solutions"),))
    with (
        zygote.start_zygote(imports, room) as kernels,
        grade_zygotes.start_examiners(first_cells(notebook), imports, room, *tests_of([notebook], {})) as examiners,
        mock.patch.dict(os.environ, {zygote.VARIABLE: kernels.path, zygote.EXAMINERS: examiners.path}),
    ):
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labs", nargs="*")
    parser.add_argument("--mistakes", action="store_true")
    arguments = parser.parse_args()
    labs = arguments.labs or sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())
    differences = 0
    for lab in labs:
        count, wrong, took = 0, [], {ExecuteAll: 0.0, ExecuteApart: 0.0}
        full = Counter()
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            place, path_before = Path(folder, lab), None
            place.mkdir()
            for name, path, notebook in hand_ins(lab, arguments.mistakes):
                if path != path_before:
                    stack.close()
                    stack.enter_context(warm(notebook))
                    path_before = path
                results = {}
                for kind in took:
                    results[kind], seconds = run(kind, notebook, place)
                    took[kind] += seconds
                stock, ours = results[ExecuteAll], results[ExecuteApart]
                count += 1
                if name.endswith((" solution", " release")):
                    full[name.split()[-1]] += sum(points or 0 for points, _ in ours.values())
                wrong += [(name, test, stock[test], ours[test]) for test in stock if stock[test] != ours[test]]
        sys.stdout.write(
            f"{lab}: {count} hand-ins, solution {full['solution']:g}, release {full['release']:g}, "
            f"{took[ExecuteAll] / count:.2f} s together, {took[ExecuteApart] / count:.2f} s apart, "
            f"{len(wrong)} differences\n"
        )
        for name, test, stock, ours in wrong:
            sys.stdout.write(f"  {name}: {test}\n    together {stock}\n    apart    {ours}\n")
        sys.stdout.flush()
        differences += len(wrong)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
