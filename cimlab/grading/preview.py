"""`cimlab preview LAB`: whose marks would a changed lab change, by how much and why – before anything is written.

The hand-ins that have marks are graded with solutions/ as it is now, in a copy of the course that is thrown away; the
gradebook and autograded/ are only read.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

import pandas as pd

from cimlab.grading import own_data
from cimlab.grading.course import (
    CourseError,
    find_course,
    lab_names,
    open_api,
    register,
    reports_folder,
    temporary_course,
)
from cimlab.grading.feedback import SENTENCES
from cimlab.grading.grade import ISOLATION

RIGHT = "right"
SAME = "its text is the same: what it calls was changed, or the data, or it is a matter of chance"


def add_arguments(parser):
    parser.add_argument("lab", metavar="LAB", help="a lab that is graded and whose tests or points have been changed")
    parser.add_argument("--students", nargs="+", metavar="ID", help="only these students")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="hand-ins at once")
    parser.add_argument("--isolation", choices=ISOLATION, default="auto", help="as in `cimlab grade` (default: auto)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: reports/LAB)")
    parser.epilog = (
        "Writes preview.html and preview.csv and nothing else: no mark is changed. The files hold personal data: keep "
        "them out of Git. To take the changes over: cimlab release LAB, then cimlab grade LAB --force."
    )


def run(arguments):
    from cimlab.grading.grade_run import RefusedToStart

    try:
        course = find_course()
        lab = lab_names(course, [arguments.lab])[0]
        out = reports_folder(course, lab, arguments.out)
        data = preview(course, lab, arguments.students, arguments.jobs, arguments.isolation)
        files = write(out, data)
    except (CourseError, RefusedToStart, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(as_text(data) + "".join(f"{path}\n" for path in files))
    return 0


def preview(course, lab, students=None, jobs=1, isolation="auto"):
    """Grade the hand-ins of a lab once more, aside, and compare.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course; nothing in it is changed.
    lab : str
        Name of a graded lab.
    students : list of str, optional
        Only these.
    jobs : int
        Hand-ins at once.
    isolation : str
        As in `cimlab.grading.grade.grade`.

    Returns
    -------
    dict
        lab; points (student, before, after, change: the whole lab, what a person gave included); changes (student,
        check, before, after, change, said, says, why: one row for each check whose points change); of (the maximum
        before and after); notes (sentences on what is not comparable).

    Raises
    ------
    CourseError
        If nobody's hand-in has marks.
    """
    with contextlib.ExitStack() as stack:
        aside = stack.enter_context(temporary_course(course, [lab]))
        api = open_api(course)
        before = read_marks(_copy_of_gradebook(api, aside), lab, api.coursedir)
        known = sorted(set(before["marks"]["student"]) & set(before["run"]))
        wanted = [student for student in known if not students or student in students]
        if not wanted:
            raise CourseError(
                f"There are no marks of {lab} to compare with: grade the hand-ins first (`cimlab grade {lab}`)."
            )
        register(aside, [lab])
        for name in (own_data.SEEDS, own_data.SECRET, f"{own_data.FOLDER}/{lab}.json"):  # each student's own data
            if (course / name).is_file():
                (aside / name).parent.mkdir(exist_ok=True)
                shutil.copy(course / name, aside / name)
        for student in wanted:
            source = Path(api.coursedir.format_path(api.coursedir.submitted_directory, student, lab))
            if source.is_dir():
                shutil.copytree(source, aside / "submitted" / student / lab, symlinks=True)
        reasons = _grade(aside, lab, jobs, isolation)
        new_api = open_api(aside)
        after = read_marks(new_api.coursedir.db_url, lab, new_api.coursedir)
    return compare(lab, before, after, wanted, reasons)


def _copy_of_gradebook(api, aside):
    """Return the address of a copy of the gradebook, so that not even reading can change it."""
    url = api.coursedir.db_url
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///"):
        return url
    if not path.is_file():
        raise CourseError(f"There is no gradebook {path}: nothing has been graded yet.")
    import sqlite3

    from cimlab._sqlite import open_read_only

    copy = aside / "before.db"
    with contextlib.closing(open_read_only(path)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
        old.backup(new)  # also while a grading run is writing
    return f"sqlite:///{copy}"


def _grade(aside, lab, jobs, isolation):
    """Grade the hand-ins of the copy; return {student: why there are no marks}."""
    from cimlab.grading.grade import grade

    done = grade(aside, lab, jobs=jobs, isolation=isolation, say=lambda text: None)
    return {row["student"]: row["reason"] for row in done["rows"] if row["score"] is None}


def read_marks(url, lab, coursedir):
    """Read the marks and what the checks said.

    Parameters
    ----------
    url : str
        Address of a gradebook.
    lab : str
    coursedir : nbgrader.coursedir.CourseDirectory
        Says where autograded/ is.

    Returns
    -------
    dict
        marks (see `report_read.grades_of`), tests (cell → text and points), by_hand (cell → points, of the questions
        that a person grades), said ((student, cell) → sentence), run (the students with a graded notebook).
    """
    from nbgrader.api import Gradebook, MissingEntry

    from cimlab.grading.report_read import cells_of, errors_of, grades_of

    with Gradebook(url, coursedir.course_id) as gradebook:
        try:
            assignment = gradebook.find_assignment(lab)
        except MissingEntry:
            raise CourseError(f"The gradebook does not know {lab}: nothing has been graded yet.") from None
        marks = grades_of(gradebook, assignment)
        most = {cell.name: cell.max_score for book in assignment.notebooks for cell in book.grade_cells}
        tasks = {cell.name: cell.max_score for book in assignment.notebooks for cell in book.task_cells}
        answers = {cell.name for book in assignment.notebooks for cell in book.solution_cells}
        texts = {cell.name: cell.source for book in assignment.notebooks for cell in book.source_cells}
    tests = {cell: {"of": of, "text": texts.get(cell, "")} for cell, of in most.items() if cell not in answers}
    by_hand = {cell: of for cell, of in (most | tasks).items() if cell not in tests}
    said, ran = {}, []
    for student in sorted(set(marks["student"])):
        folder = Path(coursedir.format_path(coursedir.autograded_directory, student, lab))
        if folder.is_dir():
            ran.append(student)
        for cell in (cell for path in sorted(folder.glob("*.ipynb")) for cell in cells_of(path)):
            name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
            for kind, words in errors_of(cell)[:1] if name else []:
                said[student, name] = words if kind in SENTENCES else f"{kind}: {words}"
    return {"marks": marks, "tests": tests, "by_hand": by_hand, "said": said, "run": ran}


# ---------------------------------------------------------------------------------------------------------------------
# the comparison


def compare(lab, before, after, students, reasons):
    """Compare two sets of marks; see `preview` for what comes out.

    Parameters
    ----------
    lab : str
    before, after : dict
        As `read_marks` returns them.
    students : list of str
        Whom to compare.
    reasons : dict of str to str
        Why somebody has no marks after.
    """
    notes = [f"{student} would have no marks: {reasons[student]}" for student in students if student in reasons]
    notes += _notes_on_tests(before, after)
    old = before["marks"].set_index(["student", "cell"])
    new = after["marks"].set_index(["student", "cell"])
    marked = set(after["marks"]["student"])
    compared = [student for student in students if student not in reasons and student in marked]
    totals, changes = [], []
    for student in compared:
        own = _by_hand(old, student, before["by_hand"])
        total = {"student": student, "before": own, "after": own}
        for check in dict.fromkeys([*after["tests"], *before["tests"]]):
            row = _change(student, check, old, new, before, after)
            total["before"] += row["before"]
            total["after"] += row["after"]
            if row["change"]:
                changes.append(row)
        totals.append({**total, "change": total["after"] - total["before"]})
    columns = ["student", "check", "before", "after", "change", "said", "says", "why"]
    of = [
        sum(test["of"] for test in part["tests"].values()) + sum(part["by_hand"].values()) for part in (before, after)
    ]
    return {
        "lab": lab,
        "points": pd.DataFrame(totals, columns=["student", "before", "after", "change"]),
        "changes": pd.DataFrame(changes, columns=columns),
        "of": tuple(of),
        "notes": notes,
    }


def _by_hand(old, student, cells):
    """Return the points of a student that come from a person, or from an untouched answer."""
    mine = old.loc[[student]] if student in old.index.get_level_values(0) else old.iloc[:0]
    mine = mine[mine.index.get_level_values(1).isin(list(cells))]
    return float((mine["manual"].fillna(mine["auto"]).fillna(0) + mine["extra"].fillna(0)).sum())


def _change(student, check, old, new, before, after):
    key = (student, check)
    was = old.loc[key] if key in old.index else None
    now = new.loc[key] if key in new.index else None
    by_hand = was is not None and pd.notna(was["manual"])
    extra = 0.0 if was is None or pd.isna(was["extra"]) else was["extra"]
    points = [0.0 if part is None or pd.isna(part["auto"]) else part["auto"] for part in (was, now)]
    if by_hand:
        points = [was["manual"], was["manual"] if check in after["tests"] else 0.0]
    points = [
        float(value + extra * (check in part["tests"])) for value, part in zip(points, (before, after), strict=True)
    ]
    return {
        "student": student,
        "check": check,
        "before": points[0],
        "after": points[1],
        "change": round(points[1] - points[0], 9),
        "said": _heard(before, key, points[0]),
        "says": _heard(after, key, points[1]),
        "why": why(check, before["tests"], after["tests"]),
    }


def _heard(part, key, points):
    """Return what a check said, or how far it was content where it said nothing."""
    if key[1] not in part["tests"]:
        return ""
    silent = RIGHT if points >= part["tests"][key[1]]["of"] else "part of the points" if points > 0 else "no points"
    return part["said"].get(key, silent)


def why(check, before, after):
    """Say what is different about a check.

    Parameters
    ----------
    check : str
    before, after : dict of str to dict
        Check → text and points.

    Examples
    --------
    >>> why("t", {"t": {"of": 1, "text": "a"}}, {"t": {"of": 2, "text": "a"}})
    'it is worth 2 instead of 1'
    """
    if check not in before:
        return "it is new"
    if check not in after:
        return "it was taken away"
    reasons = []
    if before[check]["text"] != after[check]["text"]:
        reasons.append("its text was changed")
    if before[check]["of"] != after[check]["of"]:
        reasons.append(f"it is worth {after[check]['of']:g} instead of {before[check]['of']:g}")
    return " and ".join(reasons) or SAME


def _notes_on_tests(before, after):
    new, gone = set(after["tests"]) - set(before["tests"]), set(before["tests"]) - set(after["tests"])
    notes = []
    if new or gone:
        names = ", ".join(sorted(new | gone))
        notes.append(
            f"Checks were added or taken away ({names}): nbgrader refuses to release that while there are hand-ins."
        )
    if set(before["by_hand"]) != set(after["by_hand"]):
        notes.append("The questions that a person grades are others now: their old points stand in this comparison.")
    return notes


# ---------------------------------------------------------------------------------------------------------------------
# what the instructor reads


def as_text(data):
    """Return the comparison as text for the terminal."""
    points, changes = data["points"], data["changes"]
    moved = points[points["student"].isin(changes["student"])].sort_values(["change", "student"])
    lines = [headline(data)]
    if len(moved):
        width = max(len("student"), *(len(student) for student in moved["student"]))
        lines.append(f"  {'student':<{width}}  before  after  change")
    for row in moved.itertuples():
        lines.append(f"  {row.student:<{width}}  {row.before:>6g}  {row.after:>5g}  {row.change:>+6g}")
        for change in changes[changes["student"] == row.student].itertuples():
            lines.append(f"    {change.check}: {change.before:g} → {change.after:g} ({change.why})")
            lines += [f"      before: {change.said}", f"      after:  {change.says}"]
    lines += [f"! {note}" for note in data["notes"]]
    if len(moved):
        lines.append(
            f"Nothing was written. To take it over: cimlab release {data['lab']}; cimlab grade {data['lab']} --force"
        )
    return "\n".join(lines) + "\n"


def headline(data):
    """Return the whole comparison in one sentence."""
    points = data["points"]
    up, down = int((points["change"] > 0).sum()), int((points["change"] < 0).sum())
    even = data["changes"]["student"].nunique() - up - down
    if not up + down + even:
        return f"{data['lab']}: no mark of {len(points)} hand-ins would change."
    more = f" {even} more would have other points in single checks, and the same in all." if even else ""
    means = [f"{points[name].mean():.2f} of {of:g}" for name, of in zip(("before", "after"), data["of"], strict=True)]
    return (
        f"{data['lab']}: the marks of {up + down} of {len(points)} hand-ins would change, {up} up, {down} down; "
        f"mean {' → '.join(means)}.{more}"
    )


def write(out, data):
    """Write preview.csv and preview.html; return their paths."""
    from cimlab.grading.preview_page import page
    from cimlab.grading.report import csv_text
    from cimlab.grading.report_command import write_all

    files = {"preview.html": page(data).encode("utf-8"), "preview.csv": csv_text(data["changes"]).encode("utf-8-sig")}
    write_all(out, files)
    return [out / name for name in files]
