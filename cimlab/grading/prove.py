"""`cimlab prove`: prove that a lab marks right and wrong answers as its author intends, by nbgrader itself.

For each lab: the solution gets full marks, the student version gets none, each filed mistake gets exactly its points
and is told what is wrong, and labs/ is what solutions/ gives, byte for byte. Manually graded points are no part of it.
A hand-in is all notebooks of the lab.

One hand-in holds a wrong answer to several questions at once, since no question builds on another and each is marked by
its own tests: that takes a fifth of the time. Where such a hand-in is not marked as intended, each of its wrong answers
is graded again alone, and that result counts. Where it can be done, kernels are forked from a process that has imported
the lab's libraries and run its first cells, as `cimlab grade` does it: that changes nothing in what comes out.
"""

import concurrent.futures
import copy
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from cimlab.grading.course import (
    CourseError,
    all_cells,
    answer_of_tests,
    find_course,
    lab_names,
    lab_points,
    open_api,
    read_notebooks,
    reason,
    register,
    temporary_course,
)
from cimlab.grading.mistakes import as_text, bounds, read_mistakes
from cimlab.grading.quick_start import spare_address_parsers, warm_kernels
from cimlab.grading.release import tree_differences

SOLUTION, RELEASE = "solution", "student version"
CLOSE = 1e-6  # points are compared as numbers that were written as text


def add_arguments(parser):
    parser.add_argument("labs", nargs="*", metavar="LAB", help="for example lab03_database; all labs if none is named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    parser.add_argument(
        "--alone", action="store_true", help="one wrong answer a hand-in: slower, the last word in doubt"
    )
    parser.add_argument(
        "--mutants", action="store_true", help="instead: put small faults into the model answers; who notices them?"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the wrong answers only those with these names")
    parser.epilog = (
        "Wrong answers are filed in solutions/LAB/mistakes.yaml. Exit status 1 where anything is not as intended. "
        "Manually graded points are not counted."
    )


def run(arguments):
    if arguments.mutants:
        from cimlab.grading.mutants import run as run_mutants

        return run_mutants(arguments)
    started = time.monotonic()
    try:
        course = find_course()
        labs = lab_names(course, arguments.labs)
        results = [prove(course, lab, arguments.jobs, arguments.alone, arguments.only) for lab in labs]
    except CourseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for result in results:
        sys.stdout.write(as_table(result))
    breaches = sum(len(result["breaches"]) for result in results)
    verdict = "as intended" if not breaches else f"{breaches} breach{'es' * (breaches > 1)}"
    sys.stdout.write(f"{len(results)} lab{'s' * (len(results) != 1)}, {time.monotonic() - started:.0f} s: {verdict}\n")
    return 1 if breaches else 0


def prove(course, lab, jobs=1, alone=False, only=None):
    """Grade the solution, the student version and every filed mistake of one lab; return what came out.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course; nothing in it is changed.
    lab : str
        Name of a folder in solutions/.
    jobs : int
        Number of processes.
    alone : bool
        Give each wrong answer a hand-in of its own.
    only : list of str, optional
        Names of the wrong answers to grade; all when left out.

    Returns
    -------
    dict
        lab, points (what can be had automatically), manual (what cannot), rows (one dict for the solution, the student
        version and each mistake: name, expected, got, seconds, breaches) and breaches (all of them, as sentences).

    Raises
    ------
    CourseError
        If nbgrader cannot make the student version or mistakes.yaml cannot be read.
    """
    with temporary_course(course, [lab]) as temporary:
        register(temporary, [lab])
        source, release = read_notebooks(temporary, lab), read_notebooks(temporary, lab, "labs")
        points, manual = lab_points(source)
        mistakes, breaches = read_mistakes(course / "solutions" / lab / "mistakes.yaml", source)
        if only is not None:
            mistakes = _choose(mistakes, only)
        breaches += tree_differences(temporary / "labs" / lab, course / "labs" / lab)
        whole = [
            {"name": SOLUTION, "points": {}},
            {"name": RELEASE, "points": dict.fromkeys(points, 0)},
        ]
        owner = answer_of_tests(source)
        sheets = [[part] for part in whole] + make_sheets(mistakes, {} if alone else owner)
        right = {}  # what nbgrader made of the solution

        def grade(sheets):
            hand_ins = [_hand_in(sheet, release, source) for sheet in sheets]
            graded = _grade_all(temporary, lab, hand_ins, jobs)
            right.update({} if right else graded[0])
            pairs = zip(sheets, graded, strict=True)
            return [judge_sheet(sheet, result, points, owner, right) for sheet, result in pairs]

        rows = {row["name"]: row for part in grade(sheets) for row in part}
        doubtful = [
            sheet for sheet in sheets if len(sheet) > 1 and any(rows[part["name"]]["breaches"] for part in sheet)
        ]
        if doubtful:  # the answers may have disturbed one another: each alone has the last word
            again = grade([[part] for sheet in doubtful for part in sheet])
            rows |= {row["name"]: row for part in again for row in part}
        rows = [rows[part["name"]] for part in [*whole, *mistakes]]
    for row in rows:
        breaches += [f"{row['name']}: {sentence}" for sentence in row["breaches"]]
    return {"lab": lab, "points": points, "manual": manual, "rows": rows, "breaches": breaches}


def make_sheets(mistakes, owner):
    """Put wrong answers to different questions together, one sheet a hand-in.

    Parameters
    ----------
    mistakes : list of dict
        As `read_mistakes` returns them. One that costs points at another question than its own stays alone.
    owner : dict of str to str
        As `answer_of_tests` returns it; where a test is not in it, the mistake stays alone.

    Returns
    -------
    list of list of dict

    Examples
    --------
    >>> mistakes = [{"name": n, "cell": n[0], "points": {f"test_{n[0]}": 0}} for n in ["a1", "a2", "b1"]]
    >>> [[m["name"] for m in sheet] for sheet in make_sheets(mistakes, {"test_a": "a", "test_b": "b"})]
    [['a1', 'b1'], ['a2']]
    """
    by_cell, single = {}, []
    for mistake in mistakes:
        if all(owner.get(test) == mistake["cell"] for test in mistake["points"]):
            by_cell.setdefault(mistake["cell"], []).append(mistake)
        else:
            single.append([mistake])
    together = [[part for part in parts if part] for parts in itertools.zip_longest(*by_cell.values())]
    return together + single


def judge_sheet(sheet, graded, points, owner, right=None):
    """Return one row for each wrong answer of a graded hand-in, with what is not as intended.

    Parameters
    ----------
    sheet : list of dict
        What the hand-in holds: name, points (where they are other than full), says, cell.
    graded : dict
        What nbgrader made of it: failure (a sentence or None), got (test → points), errors (cell → errors), printed
        (cell → text), ends (cell → value of its last line, as text), log, seconds.
    points : dict of str to float
        The points of each test.
    owner : dict of str to str
        Which answer a test marks. The tests of questions without a wrong answer are judged with the first one.
    right : dict, optional
        What nbgrader made of the solution: which tests give partial credit, and what is said of the right answer.

    Returns
    -------
    list of dict
        name, expected (a number or [low, high]) and got (points of the whole lab, with this wrong answer only),
        seconds, breaches.
    """
    cells = {part.get("cell") for part in sheet}
    rows = []
    for place, part in enumerate(sheet):
        mine = [test for test in points if len(sheet) == 1 or owner[test] == part["cell"]]
        if place == 0 and len(sheet) > 1:
            mine += [test for test in points if owner[test] not in cells]
        expected = {test: bounds(part["points"].get(test, points[test])) for test in mine}
        rest = sum(points.values()) - sum(points[test] for test in mine)
        row = {"name": part["name"], "got": None}
        low, high = (rest + sum(ends) for ends in zip(*expected.values(), strict=True))
        row["expected"] = low if low == high else [low, high]
        row |= {"seconds": graded["seconds"] / len(sheet), "breaches": []}
        if graded["failure"]:
            row["breaches"] = [f"nbgrader could not grade it: {graded['failure']}"]
        else:
            row["got"] = rest + sum(graded["got"].get(test, 0) for test in mine)
            row["breaches"] = _breaches(part, expected, graded, points, right or {})
        rows.append(row)
    return rows


def as_table(result):
    """Return the result of `prove` as text."""
    full = sum(result["points"].values())
    lines = [f"{result['lab']}: {full:g} automatic points; {result['manual']:g} manual points are not proved here"]
    width = max(len(row["name"]) for row in result["rows"])
    lines.append(f"  {'hand-in':<{width}}  expected    got  seconds")
    for row in result["rows"]:
        got = "-" if row["got"] is None else f"{row['got']:g}"
        verdict = "ok" if not row["breaches"] else "NOT AS INTENDED"
        expected = as_text(row["expected"])
        lines.append(f"  {row['name']:<{width}}  {expected:>8}  {got:>5}  {row['seconds']:>7.1f}  {verdict}")
    lines += [f"  ! {sentence}" for sentence in result["breaches"]]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------------------------------------------------------
# Hand-ins


def _choose(mistakes, only):
    if unknown := sorted(set(only) - {mistake["name"] for mistake in mistakes}):
        raise CourseError(f"No wrong answer is filed under the name {', '.join(map(repr, unknown))}.")
    return [mistake for mistake in mistakes if mistake["name"] in only]


def _hand_in(sheet, release, source):
    """Return the notebooks of a sheet: nothing filled in, or the solution with the sheet's wrong answers."""
    if sheet[0]["name"] == RELEASE:
        return release
    return _filled(release, source, {part["cell"]: part["source"] for part in sheet if "cell" in part})


def _filled(release, source, other=()):
    """Return the student version with the solution's answers, some of them replaced by `other` ({cell: text})."""
    answers = {}
    for cell in all_cells(source):
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            answers[settings["grade_id"]] = cell.source
    answers |= dict(other)
    notebooks = copy.deepcopy(release)
    for cell in all_cells(notebooks):
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            cell.source = answers[settings["grade_id"]]
    return notebooks


# ---------------------------------------------------------------------------------------------------------------------
# Grading: one course folder and one gradebook for each process


def _grade_all(course, lab, hand_ins, jobs):
    from tqdm import tqdm

    jobs = max(1, min(jobs, len(hand_ins)))
    # "spawn": nbgrader starts event loops and threads, which a forked copy would inherit half-dead.
    context = multiprocessing.get_context("spawn")
    with (
        tqdm(total=len(hand_ins), desc=lab, unit="hand-in", disable=not sys.stderr.isatty()) as bar,
        warm_kernels(read_notebooks(course, lab)) as variables,
        concurrent.futures.ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start, initargs=(course, variables)
        ) as pool,
    ):
        waiting = [pool.submit(_grade, lab, hand_in, f"student{n}") for n, hand_in in enumerate(hand_ins)]
        for _ in concurrent.futures.as_completed(waiting):
            bar.update()
    return [future.result() for future in waiting]


def _start(course, variables):
    """Give this process its own copy of the course."""
    global _course, _api, _folder
    spare_address_parsers()
    os.environ.update(variables)
    _folder = tempfile.TemporaryDirectory(prefix="cimlab-", ignore_cleanup_errors=True)
    _course = Path(_folder.name).resolve() / "course"
    shutil.copytree(course, _course)
    _api = open_api(_course)


def _grade(lab, hand_in, student):
    """Grade one hand-in with nbgrader; return what came out: failure, got, errors, printed, ends, log, seconds."""
    import nbformat
    from nbgrader.api import Gradebook

    started = time.monotonic()
    folder = _course / "submitted" / student / lab
    folder.mkdir(parents=True)
    for name, notebook in hand_in.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    result = _api.autograde(lab, student)
    graded = {"failure": None, "got": {}, "errors": {}, "printed": {}, "ends": {}, "log": result.get("log", "")}
    if result["success"]:
        with Gradebook(_api.coursedir.db_url) as gradebook:
            notebooks = gradebook.find_submission(lab, student).notebooks
            graded["got"] = {grade.cell.name: grade.auto_score for book in notebooks for grade in book.grades}
        for name in hand_in:
            path = _course / "autograded" / student / lab / f"{name}.ipynb"
            _take_outputs(graded, nbformat.read(path, as_version=4))
    else:
        graded["failure"] = reason(result)
    return graded | {"seconds": time.monotonic() - started}


def _take_outputs(graded, notebook):
    """Add what the tests of a graded notebook show: errors, printed text, the value of the last line."""
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not settings.get("grade"):
            continue
        name, text = settings["grade_id"], []
        graded["errors"][name] = [output for output in cell.outputs if output.output_type == "error"]
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stdout":
                text.append(output.text)
            elif output.output_type == "display_data":
                text.append(output.data.get("text/markdown") or output.data.get("text/plain", ""))
            elif output.output_type == "execute_result":
                graded["ends"][name] = output.data.get("text/plain", "")
        graded["printed"][name] = " ".join("\n".join(text).split())


def _breaches(part, expected, graded, points, right):
    got, errors = graded["got"], graded["errors"]
    found = []
    for test, (low, high) in expected.items():
        if got.get(test) is None or not low - CLOSE <= got[test] <= high + CLOSE:
            heard = _heard(errors.get(test))
            found.append(f"{test} gives {got.get(test) or 0:g} of {as_text([low, high])} intended points{heard}")
        if low < high and right and not _is_number(right.get("ends", {}).get(test)):
            found.append(f"{test} gives all points or none: file one number for it, not a range")
    found += [
        f"{test} ends in {end[:60]!r}, for which nbgrader gives full points: end in a plain number, `float(...)`"
        for test, end in graded.get("ends", {}).items()
        if test in expected and not _is_number(end)
    ]
    lost = [error for test in expected for error in errors.get(test, [])]
    for test in expected:
        for error in errors.get(test, []):
            if error.ename != "CheckFailed":
                found.append(
                    f"{test} stops with {error.ename}: {error.evalue[:200]} (a check has to say what is wrong: use "
                    "cimlab.checks)"
                )
    says = part.get("says")
    if says and not any(says.lower() in error.evalue.lower() for error in lost):
        short = [test for test in expected if got.get(test, 0) < points[test]]
        printed = {test: graded.get("printed", {}).get(test, "") for test in short}
        fits = [test for test, text in printed.items() if " ".join(says.lower().split()) in text.lower()]
        if not fits:
            heard = " / ".join([error.evalue for error in lost] + [text[:300] for text in printed.values() if text])
            found.append(f"no check says {says!r}; they say: {heard or 'nothing'}")
        elif any(" ".join(says.lower().split()) in right.get("printed", {}).get(test, "").lower() for test in fits):
            found.append(f"{fits[0]} prints {says!r} for the solution too: file words that only this mistake is told")
    if part["name"] == SOLUTION and "writes to stderr" in graded["log"]:
        cells = sorted({line.split("'")[1] for line in graded["log"].splitlines() if "writes to stderr" in line})
        found.append(f"{', '.join(cells)} writes to stderr: the Validate button would call that a failure")
    return found


def _heard(errors):
    return f" ({errors[0].evalue})" if errors else ""


def _is_number(text):
    """Tell whether nbgrader takes this value of a test's last line for a number of points."""
    try:
        return text is not None and float(text) >= 0
    except ValueError:
        return False
