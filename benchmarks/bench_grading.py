"""A class graded by `cimlab grade` against stock nbgrader: make bench-grading ARGS="--hand-ins 100 --sample 20"

The hand-ins are the solution of a real lab with its filed mistakes, so that right and wrong answers are among them.
`cimlab grade` grades them all, isolated; `nbgrader autograde` grades a sample of the same, one after the other, as it
does; what it would take for all is scaled up, without the time that it takes to start. The marks of the sample must be
the same in every field. One half of the sample is graded before the class and one after it, so that a machine which
becomes slower or faster meanwhile, as shared ones do, is so for both.

How much is gained depends on the lab: what it prepares and what its tests work out is done once for the class, what its
answers do is done for each hand-in. Lab 8, the default, has much of the former, lab 1 little of either: try several.

Last, the code cells of the sample are run bare: in a copy of a process that has the lab's libraries imported, by
IPython, with no kernel, no messages, no gradebook. What grading costs above that is what the grader costs.
"""

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import nbformat
import processes

from cimlab.grading.course import answer_of_tests, read_notebooks
from cimlab.grading.mistakes import read_mistakes
from cimlab.grading.prove import _filled, make_sheets
from cimlab.grading.release import release

ROOT = Path(__file__).resolve().parents[1]
GATE, AIM, CPU_GATE = 6.0, 8.0, 2.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", default="lab08_profiles", help="default %(default)s")
    parser.add_argument("--hand-ins", type=int, default=100, metavar="N", help="default %(default)s")
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="of these for stock (default %(default)s)")
    parser.add_argument("--jobs", type=int, help="of cimlab grade (default: its own)")
    arguments = parser.parse_args()
    sample = max(2, min(arguments.sample, arguments.hand_ins))
    jobs = ["--jobs", str(arguments.jobs)] if arguments.jobs else []
    everybody = {student(number) for number in range(arguments.hand_ins)}
    with tempfile.TemporaryDirectory(prefix="cimlab-bench-") as folder:
        course, halves = Path(folder, "course"), [Path(folder, f"stock{number}") for number in range(2)]
        notebooks = make_class(course, arguments.lab, arguments.hand_ins)
        for number, half in enumerate(halves):
            some = {student(one) for one in range(sample) if one % 2 == number}
            shutil.copytree(course, half, ignore=lambda _, names, some=some: {*names} & everybody - some)
        start = timed(halves[0], "nbgrader", "--version")
        before = timed(halves[0], "nbgrader", "autograde", arguments.lab)
        ours = timed(course, "cimlab", "grade", arguments.lab, "--isolation", "required", *jobs)
        after = timed(halves[1], "nbgrader", "autograde", arguments.lab)
        stock = [sum(both) - first for both, first in zip(zip(before, after, strict=True), start, strict=True)]
        different = compare(marks(course), marks(halves[0]) | marks(halves[1]))
        bare = [bare_cpu(course, arguments.lab, notebook) for notebook in notebooks[:sample]]
    return report(arguments, sample, start, stock, ours, different, statistics.mean(bare))


def student(number):
    return f"student{number:04}"


def make_class(course, lab, count):
    """Make a course with one lab and `count` hand-ins; return the notebooks handed in."""
    (course / "solutions").mkdir(parents=True)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    shutil.copytree(ROOT / "solutions" / lab, course / "solutions" / lab)
    release(course, [lab])
    source, released = read_notebooks(course, lab), read_notebooks(course, lab, "labs")
    mistakes = read_mistakes(course / "solutions" / lab / "mistakes.yaml", source)[0]
    sheets = [[], *make_sheets(mistakes, answer_of_tests(source))]
    made = []
    for number in range(count):
        sheet = sheets[number % len(sheets)]
        notebooks = _filled(released, source, {part["cell"]: part["source"] for part in sheet})
        folder = course / "submitted" / student(number) / lab
        folder.mkdir(parents=True)
        (folder / "timestamp.txt").write_text("2026-10-12 20:00:00 UTC")
        for name, notebook in notebooks.items():
            nbformat.write(notebook, folder / f"{name}.ipynb")
        made.append(notebooks)
    return made


def timed(course, name, *words):
    """Run a command; return its wall time and the processor time of all its processes, in seconds.

    The processor time is read from /proc while they run: what a room's processes have used is told to nobody when the
    room is ended.
    """
    program = Path(sysconfig.get_path("scripts"), name)
    environment = os.environ | {"CIMLAB_DATA": os.environ.get("CIMLAB_DATA", str(ROOT / "datasets"))}
    started, cpu = time.monotonic(), {}
    with (course.parent / "said").open("w+b") as said:
        process = subprocess.Popen([program, *words], cwd=course, env=environment, stdout=said, stderr=said)
        processes.watch(process, {}, cpu, every=0.05)
        wall = time.monotonic() - started
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{name} {' '.join(words)}: {said.read()[-3000:].decode()}")
    say(f"{name} {words[0]}: {wall:.1f} s, {sum(cpu.values()):.1f} CPU-s")
    return wall, sum(cpu.values())


QUERY = """
select s.student_id, n.name, b.name, s.timestamp, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade,
    c.auto_comment, c.manual_comment, m.late_submission_penalty
from submitted_assignment s join submitted_notebook m on m.assignment_id = s.id join notebook n on n.id = m.notebook_id
join base_cell b on b.notebook_id = n.id
left join grade g on g.notebook_id = m.id and g.cell_id = b.id
left join comment c on c.notebook_id = m.id and c.cell_id = b.id
"""


def marks(course):
    """Return all marks of a gradebook: {(student, notebook, cell): what stands there}."""
    with contextlib.closing(sqlite3.connect(course / "gradebook.db")) as gradebook:
        rows = [(*row[:3], b"", *row[3:]) for row in gradebook.execute(QUERY)]
    found = {}
    for row in rows:  # an answer that is graded by hand stands there twice: as an answer and as a grade
        found.setdefault(row[:3], set()).add(row[4:])
    return found


def compare(ours, stock):
    """Return the cells of the sample whose marks differ."""
    return sorted(key for key, row in stock.items() if ours.get(key) != row)


def bare_cpu(course, lab, notebooks):
    """Return the processor time of the code cells of a hand-in, run by IPython in a copy of a warm process."""
    source = read_notebooks(course, lab)
    hidden = {cell.id: cell.source for part in source.values() for cell in part.cells}
    total = 0.0
    for notebook in notebooks.values():
        cells = [
            hidden[cell.id] if cell.metadata.get("nbgrader", {}).get("grade") else cell.source
            for cell in notebook.cells
            if cell.cell_type == "code"
        ]
        total += float(_warm(course, lab, source).ask(cells))
    return total


class Warm:
    """A process that has the lab's libraries imported; a copy of it runs cells and says what that cost."""

    CODE = """
import json, os, resource, sys
from IPython.core.interactiveshell import InteractiveShell
for statement in json.loads(sys.stdin.readline()):
    exec(statement, {})
answers = os.fdopen(os.dup(1), "w", buffering=1)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1); os.dup2(nothing, 2)
        shell = InteractiveShell.instance()
        for cell in json.loads(line):
            shell.run_cell(cell)
        os._exit(0)
    usage = os.wait4(child, 0)[2]
    answers.write(f"{usage.ru_utime + usage.ru_stime}\\n")
"""

    def __init__(self, course, imports):
        from cimlab.grading.kernel import QUIET

        environment = os.environ | QUIET | {"CIMLAB_DATA": str(ROOT / "datasets"), "MPLBACKEND": "agg"}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", self.CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=environment,
            cwd=course,
        )
        self.process.stdin.write(json.dumps(imports) + "\n")

    def ask(self, cells):
        self.process.stdin.write(json.dumps(cells) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


def _warm(course, lab, source, made={}):  # noqa: B006 (one for the whole run)
    from cimlab.grading.zygote import lab_imports

    if lab not in made:
        imports = [statement for notebook in source.values() for statement in lab_imports(notebook)]
        made[lab] = Warm(course, imports)
    return made[lab]


def report(arguments, sample, start, stock, ours, different, bare):
    count = arguments.hand_ins
    scaled = [first + (whole - first) * count / sample for first, whole in zip(start, stock, strict=True)]
    ratio, cost = scaled[0] / ours[0], ours[1] / count / bare
    say(f"{arguments.lab}, {count} hand-ins, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    say(f"{'':34}{'wall':>9}{'CPU':>9}  per hand-in")
    say(f"{f'nbgrader, from a sample of {sample}':34}{scaled[0]:7.1f} s{scaled[1]:7.1f} s  {scaled[0] / count:.2f} s")
    say(f"{'cimlab grade, isolated':34}{ours[0]:7.1f} s{ours[1]:7.1f} s  {ours[0] / count:.2f} s")
    say(f"bare cells: {bare:.2f} CPU-s a hand-in; the grader: {ours[1] / count:.2f}, that is {cost:.2f} x")
    say(f"marks of the sample: {'the same in every field' if not different else f'DIFFERENT: {different[:5]}'}")
    missed = [text for text, bad in (
        (f"only {ratio:.1f} x", ratio < GATE), (f"{cost:.2f} x the bare cells", cost > CPU_GATE), ("marks", different),
    ) if bad]  # fmt: skip
    say(f"{ratio:.1f} x as fast as nbgrader (wanted {GATE:g}, aim {AIM:g})")
    say("verdict: " + (f"not as it should be: {', '.join(missed)}" if missed else "as it should be"))
    return 1 if missed else 0


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
