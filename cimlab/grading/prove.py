"""`cimlab prove`: prove that a lab marks right and wrong answers as its author intends, by nbgrader itself.

For each lab: the solution gets full marks, the student version gets none, each filed mistake gets exactly its points
and is told what is wrong, and labs/ is what solutions/ gives, byte for byte. Manually graded points are no part of it.
"""

import concurrent.futures
import copy
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names, open_api, reason, register, temporary_course
from cimlab.grading.mistakes import read_mistakes
from cimlab.grading.release import tree_differences

SOLUTION, RELEASE = "solution", "student version"


def add_arguments(parser):
    parser.add_argument("labs", nargs="*", metavar="LAB", help="for example lab03_database; all labs if none is named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    parser.epilog = (
        "Wrong answers are filed in solutions/LAB/mistakes.yaml. Exit status 1 where anything is not as intended. "
        "Manually graded points are not counted."
    )


def run(arguments):
    started = time.monotonic()
    try:
        course = find_course()
        results = [prove(course, lab, arguments.jobs) for lab in lab_names(course, arguments.labs)]
    except CourseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for result in results:
        sys.stdout.write(as_table(result))
    breaches = sum(len(result["breaches"]) for result in results)
    verdict = "as intended" if not breaches else f"{breaches} breach{'es' * (breaches > 1)}"
    sys.stdout.write(f"{len(results)} lab{'s' * (len(results) != 1)}, {time.monotonic() - started:.0f} s: {verdict}\n")
    return 1 if breaches else 0


def prove(course, lab, jobs=1):
    """Grade the solution, the student version and every filed mistake of one lab; return what came out.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course; nothing in it is changed.
    lab : str
        Name of a folder in solutions/.
    jobs : int
        Number of processes.

    Returns
    -------
    dict
        lab, points (what can be had automatically), manual (what cannot), rows (one dict for each hand-in: name,
        expected, got, seconds, breaches) and breaches (all of them, as sentences).

    Raises
    ------
    CourseError
        If nbgrader cannot make the student version or mistakes.yaml cannot be read.
    """
    with temporary_course(course, [lab]) as temporary:
        register(temporary, [lab])
        source = _read(temporary / "solutions" / lab / f"{lab}.ipynb")
        release = _read(temporary / "labs" / lab / f"{lab}.ipynb")
        points, manual = lab_points(source)
        mistakes, breaches = read_mistakes(course / "solutions" / lab / "mistakes.yaml", source)
        breaches += tree_differences(temporary / "labs" / lab, course / "labs" / lab)
        hand_ins = [
            {"name": SOLUTION, "notebook": _filled(release, source), "expected": points},
            {"name": RELEASE, "notebook": release, "expected": dict.fromkeys(points, 0)},
        ]
        for mistake in mistakes:
            notebook = _filled(release, source, {mistake["cell"]: mistake["source"]})
            expected = {**points, **mistake["points"]}
            hand_ins.append(
                {"name": mistake["name"], "notebook": notebook, "expected": expected, "says": mistake["says"]}
            )
        rows = _grade_all(temporary, lab, hand_ins, jobs)
    for row in rows:
        breaches += [f"{row['name']}: {sentence}" for sentence in row["breaches"]]
    return {"lab": lab, "points": points, "manual": manual, "rows": rows, "breaches": breaches}


def lab_points(source):
    """Return ({id of an automatic test: its points}, the sum of the points that a person gives)."""
    points, manual = {}, 0
    for cell in source.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("grade") and not settings.get("solution"):
            points[settings["grade_id"]] = settings["points"]
        elif settings.get("grade") or settings.get("task"):
            manual += settings["points"]
    return points, manual


def as_table(result):
    """Return the result of `prove` as text."""
    full = sum(result["points"].values())
    lines = [f"{result['lab']}: {full:g} automatic points; {result['manual']:g} manual points are not proved here"]
    width = max(len(row["name"]) for row in result["rows"])
    lines.append(f"  {'hand-in':<{width}}  expected    got  seconds")
    for row in result["rows"]:
        got = "-" if row["got"] is None else f"{row['got']:g}"
        verdict = "ok" if not row["breaches"] else "NOT AS INTENDED"
        lines.append(f"  {row['name']:<{width}}  {row['expected']:>8g}  {got:>5}  {row['seconds']:>7.1f}  {verdict}")
    lines += [f"  ! {sentence}" for sentence in result["breaches"]]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------------------------------------------------------
# Hand-ins


def _read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def _filled(release, source, other=()):
    """Return the student version with the solution's answers, some of them replaced by `other` ({cell: text})."""
    answers = {}
    for cell in source.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            answers[settings["grade_id"]] = cell.source
    answers |= dict(other)
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            cell.source = answers[settings["grade_id"]]
    return notebook


# ---------------------------------------------------------------------------------------------------------------------
# Grading: one course folder and one gradebook for each process


def _grade_all(course, lab, hand_ins, jobs):
    from tqdm import tqdm

    jobs = max(1, min(jobs, len(hand_ins)))
    # "spawn": nbgrader starts event loops and threads, which a forked copy would inherit half-dead.
    context = multiprocessing.get_context("spawn")
    with (
        tqdm(total=len(hand_ins), desc=lab, unit="hand-in", disable=not sys.stderr.isatty()) as bar,
        concurrent.futures.ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start, initargs=(course,)
        ) as pool,
    ):
        waiting = [pool.submit(_grade, lab, hand_in, f"student{n}") for n, hand_in in enumerate(hand_ins)]
        for _ in concurrent.futures.as_completed(waiting):
            bar.update()
    return [future.result() for future in waiting]


def _start(course):
    """Give this process its own copy of the course."""
    global _course, _api, _folder
    _folder = tempfile.TemporaryDirectory(prefix="cimlab-", ignore_cleanup_errors=True)
    _course = Path(_folder.name).resolve() / "course"
    shutil.copytree(course, _course)
    _api = open_api(_course)


def _grade(lab, hand_in, student):
    """Grade one hand-in with nbgrader; return the row of the table."""
    import nbformat
    from nbgrader.api import Gradebook

    started = time.monotonic()
    folder = _course / "submitted" / student / lab
    folder.mkdir(parents=True)
    nbformat.write(hand_in["notebook"], folder / f"{lab}.ipynb")
    result = _api.autograde(lab, student)
    expected = hand_in["expected"]
    row = {"name": hand_in["name"], "expected": sum(expected.values()), "got": None, "breaches": []}
    if result["success"]:
        with Gradebook(_api.coursedir.db_url) as gradebook:
            grades = gradebook.find_submission_notebook(lab, lab, student).grades
            got = {grade.cell.name: grade.auto_score for grade in grades if grade.cell.name in expected}
        graded = nbformat.read(_course / "autograded" / student / lab / f"{lab}.ipynb", as_version=4)
        row["got"] = sum(got.values())
        row["breaches"] = _breaches(hand_in, got, _errors(graded), result.get("log", ""))
    else:
        row["breaches"] = [f"nbgrader could not grade it: {reason(result)}"]
    row["seconds"] = time.monotonic() - started
    return row


def _errors(graded):
    """Return {id of a cell: the errors it shows}; an answer cell's own error counts for the tests below it."""
    return {
        cell.metadata.get("nbgrader", {}).get("grade_id", cell.id): [
            output for output in cell.outputs if output.output_type == "error"
        ]
        for cell in graded.cells
        if cell.cell_type == "code"
    }


def _breaches(hand_in, got, errors, log):
    expected = hand_in["expected"]
    found = [
        f"{test} gives {got.get(test, 0):g} of {points:g} intended points{_heard(errors.get(test))}"
        for test, points in expected.items()
        if got.get(test) != points
    ]
    lost = [error for test in expected for error in errors.get(test, [])]
    for test in expected:
        for error in errors.get(test, []):
            if error.ename != "CheckFailed":
                found.append(
                    f"{test} stops with {error.ename}: {error.evalue[:200]} (a check has to say what is wrong: use "
                    "cimlab.checks)"
                )
    says = hand_in.get("says")
    if says and not any(says.lower() in error.evalue.lower() for error in lost):
        heard = " / ".join(error.evalue for error in lost) or "nothing"
        found.append(f"no check says {says!r}; they say: {heard}")
    if hand_in["name"] == SOLUTION and "writes to stderr" in log:
        cells = sorted({line.split("'")[1] for line in log.splitlines() if "writes to stderr" in line})
        found.append(f"{', '.join(cells)} writes to stderr: the Validate button would call that a failure")
    return found


def _heard(errors):
    return f" ({errors[0].evalue})" if errors else ""
