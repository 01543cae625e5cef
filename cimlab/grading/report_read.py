"""What `cimlab report` reads: the gradebook, the graded notebooks, the student version. Nothing is changed."""

import json
import os
import re
from pathlib import Path

import pandas as pd

from cimlab.grading.course import CourseError, all_cells, answer_of_tests, open_folders, read_notebooks
from cimlab.grading.export import GRADED, NOTHING, UNREAD, WAITING
from cimlab.grading.feedback import SENTENCES, UNFINISHED
from cimlab.grading.grade_find import hand_ins as found_in
from cimlab.grading.mistakes import read_mistakes


def gather(course, lab):
    """Read all that is known of a graded lab.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    lab : str
        Name of a lab that exists.

    Returns
    -------
    dict
        cells, grades, errors (see `report`), hand_ins (the whole class), due (None without a date), answers, given (see
        `report_similarity.alike`), minutes (student → minutes at work, where known), review (list of student and why),
        mistakes (list), notes (what could not be read, as sentences), heading (the title of the lab).

    Raises
    ------
    CourseError
        If there is no gradebook, it does not know the lab, or nobody has been graded yet.
    """
    from cimlab.grading.grade_write import REVIEW, verdicts_of

    folders, source = open_folders(course), read_notebooks(course, lab)
    found = _read_gradebook(folders, lab)
    found["cells"] = _in_order(found["cells"], source)
    found |= {"errors": [], "answers": [], "minutes": {}, "review": [], "notes": []}
    found["heading"] = next((line[2:] for cell in all_cells(source) for line in cell.source.splitlines()
                             if cell.cell_type == "markdown" and line.startswith("# ")), lab)  # fmt: skip
    hand_ins = found["hand_ins"]
    for student in _handed_in(folders, lab, hand_ins):
        graded = _read_cells(_path(folders, "autograded", student, lab), source)
        if not graded:
            hand_ins.loc[student, "status"] = UNREAD
            found["review"].append((student, "was handed in but not graded; .nbgrader.log has the reason"))
        else:
            handed_in = _read_cells(_path(folders, "submitted", student, lab), source)
            _take(found, student, graded, handed_in)
            _compare_times(found, student, [_path(folders, step, student, lab) for step in ("submitted", "autograded")])
    told = {student for student, _ in found["review"]}
    found["review"] += [
        (student, row["reason"])
        for student, row in sorted(verdicts_of(folders.db_url, lab).items())
        if row["verdict"] == REVIEW and (student not in told or hand_ins.loc[student, "status"] == UNREAD)
    ]
    read = set(hand_ins.index[hand_ins["status"].isin([GRADED, WAITING])])
    if not read:
        raise CourseError(
            f"Nobody's hand-in of {lab} has been graded yet: put the hand-ins into submitted/ "
            f"(`nbgrader zip_collect {lab}`), then run `cimlab grade {lab}`."
        )
    found["grades"] = found["grades"][found["grades"]["student"].isin(read)].reset_index(drop=True)
    found["errors"] = pd.DataFrame(found["errors"], columns=["student", "cell", "kind", "sentence"])
    found["answers"] = pd.DataFrame(found["answers"], columns=["student", "cell", "kind", "source"])
    found["given"] += _given(course, lab)
    try:
        found["mistakes"] = read_mistakes(course / "solutions" / lab / "mistakes.yaml", source)[0]
    except CourseError as error:
        found["mistakes"], first = [], str(error).splitlines()[0]
        found["notes"].append(f"No filed mistakes could be recognised. {first.replace(f'{course}{os.sep}', '')}")
    return found


def _path(folders, step, student, lab):
    return Path(folders.format_path(getattr(folders, f"{step}_directory"), student, lab))


def _read_cells(folder, names):
    """Return the cells of all notebooks of a hand-in that can be read, one notebook after the other."""
    return [cell for name in names for cell in cells_of(folder / f"{name}.ipynb")]


def cells_of(path):
    """Return the cells of a graded notebook, as JSON holds them; none where it cannot be read."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return cells if isinstance(cells, list) else []


def errors_of(cell):
    """Return [(name, text)] of the errors that stand below a cell."""
    errors = [output for output in cell.get("outputs", []) if output.get("output_type") == "error"]
    return [(_text(error.get("ename", "")), _text(error.get("evalue", ""))) for error in errors]


# ---------------------------------------------------------------------------------------------------------------------
# the gradebook


def _read_gradebook(folders, lab):
    from nbgrader.api import Gradebook, MissingEntry
    from sqlalchemy.exc import SQLAlchemyError

    url = folders.db_url
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.is_file():
        raise CourseError(
            f"There is no gradebook {file}: `cimlab release {lab}` makes it, `cimlab grade {lab}` fills it."
        )
    try:
        with Gradebook(url, folders.course_id) as gradebook:
            try:
                assignment = gradebook.find_assignment(lab)
            except MissingEntry:
                raise CourseError(
                    f"The gradebook does not know {lab}: run `cimlab release {lab}`, collect the hand-ins, then run "
                    f"`cimlab grade {lab}`."
                ) from None
            return _tables(gradebook, assignment)
    except SQLAlchemyError as error:
        said = str(error.__cause__ or error).splitlines()[0]
        raise CourseError(
            f"The gradebook {file if url.startswith('sqlite') else 'of this course'} cannot be read ({said}). If a "
            "grading run is at work, wait until it has ended; otherwise take your backup."
        ) from None


def _tables(gradebook, assignment):
    notebooks = assignment.notebooks
    grades = grades_of(gradebook, assignment)
    grades["points"] = grades["manual"].fillna(grades["auto"]) + grades["extra"].fillna(0)
    waiting = set(grades.loc[grades["waits"], "student"])
    sources = [cell for book in notebooks for cell in book.source_cells]
    return {
        "cells": {cell.name: cell.max_score for book in notebooks for cell in (*book.grade_cells, *book.task_cells)},
        "grades": grades[["student", "cell", "points", "waits"]],
        "due": assignment.duedate,
        "hand_ins": _hand_ins(gradebook, assignment, waiting),
        "given": [(cell.cell_type, cell.source or "") for cell in sources],
    }


def grades_of(gradebook, assignment):
    """Return one row for each hand-in and graded cell of an assignment.

    Parameters
    ----------
    gradebook : nbgrader.api.Gradebook
    assignment : nbgrader.api.Assignment

    Returns
    -------
    pandas.DataFrame
        student, cell, auto, manual and extra (points, NaN where there are none), waits (for a person).
    """
    from nbgrader.api import BaseCell, Grade, SubmittedAssignment, SubmittedNotebook

    student, scores = SubmittedAssignment.student_id, (Grade.auto_score, Grade.manual_score, Grade.extra_credit)
    query = (
        gradebook.db.query(student, BaseCell.name, *scores, Grade.needs_manual_grade)
        .select_from(Grade)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .where(SubmittedAssignment.assignment_id == assignment.id)
    )
    points = ["auto", "manual", "extra"]
    table = pd.DataFrame([tuple(row) for row in query], columns=["student", "cell", *points, "waits"])
    return table.astype(dict.fromkeys(points, float) | {"waits": bool})


def _hand_ins(gradebook, assignment, waiting):
    """Return the class: student (index), last_name, first_name, timestamp, late (seconds), penalty, status."""
    handed_in = {hand_in.student_id: hand_in for hand_in in assignment.submissions}
    rows = {}
    for student in sorted(gradebook.students, key=lambda student: student.id):
        hand_in = handed_in.get(student.id)
        row = {"last_name": student.last_name or "", "first_name": student.first_name or ""}
        row |= {"timestamp": None, "late": 0.0, "penalty": 0.0, "status": NOTHING}
        if hand_in is not None:
            row["timestamp"], row["penalty"] = hand_in.timestamp, hand_in.late_submission_penalty or 0.0
            row["late"] = hand_in.total_seconds_late if assignment.duedate else 0.0
            row["status"] = WAITING if student.id in waiting else GRADED
        rows[student.id] = row
    columns = ["last_name", "first_name", "timestamp", "late", "penalty", "status"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.astype({"timestamp": "datetime64[us]", "late": float, "penalty": float})


def _in_order(maxima, source):
    """Return the graded cells in the order of the lab, each with the answer that it marks."""
    owner = answer_of_tests(source)
    order = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in all_cells(source)]
    names = sorted(maxima, key=lambda name: (order.index(name) if name in order else len(order), name))
    questions = [owner.get(name) or name for name in names]
    return pd.DataFrame({"question": questions, "max": [float(maxima[name]) for name in names]}, index=names)


# ---------------------------------------------------------------------------------------------------------------------
# the notebooks


def _handed_in(folders, lab, hand_ins):
    """Return who handed in; a folder in submitted/ of whom the gradebook knows nothing gets a row."""
    for student in found_in(folders, lab):
        if student not in hand_ins.index:
            hand_ins.loc[student] = ["", "", pd.NaT, 0.0, 0.0, UNREAD]
        elif hand_ins.loc[student, "status"] == NOTHING:
            hand_ins.loc[student, "status"] = UNREAD
    return list(hand_ins.index[hand_ins["status"] != NOTHING])


def _take(found, student, graded, handed_in):
    """Take the failed checks, the answers, the repairs and the times out of a hand-in."""
    ended, faults = set(), []
    for cell in graded:
        settings = cell.get("metadata", {}).get("nbgrader", {})
        name, text = settings.get("grade_id"), _text(cell.get("source", ""))
        if cell.get("id") == "repair-report":
            found["review"] += [(student, line[2:]) for line in text.splitlines() if line.startswith("- ")]
        if settings.get("solution"):
            found["answers"].append((student, name, cell["cell_type"], text))
        if name not in found["cells"].index or settings.get("solution"):
            continue
        for kind, sentence in errors_of(cell):
            found["errors"].append((student, name, kind, sentence))
            ended |= {kind} & UNFINISHED
            faults += [f"{name} stopped by itself ({kind})"] * (kind not in SENTENCES)
    if ended:
        faults.append(f"cells could not run to their end ({', '.join(sorted(ended))})")
    found["review"] += [(student, fault) for fault in faults]
    from cimlab.grading.report import working_minutes

    minutes = working_minutes(
        moment
        for cell in handed_in
        if isinstance(cell, dict) and isinstance(cell.get("metadata"), dict)
        and isinstance(cell["metadata"].get("execution"), dict)
        for key, moment in cell["metadata"]["execution"].items()
        if key in ("iopub.execute_input", "shell.execute_reply") and isinstance(moment, str)
    )  # fmt: skip
    if minutes is not None:
        found["minutes"][student] = minutes


def _text(value):
    """Return a text of a notebook; half characters (lone surrogates) become question marks."""
    return ("".join(value) if isinstance(value, list) else str(value)).encode("utf-8", "replace").decode("utf-8")


def _compare_times(found, student, folders):
    stamps = [folder / "timestamp.txt" for folder in folders]
    if all(stamp.is_file() for stamp in stamps):
        submitted, graded = (stamp.read_text(encoding="utf-8", errors="replace").strip() for stamp in stamps)
        if submitted != graded:
            found["review"].append((student, "has handed in again since: `cimlab grade` takes the new hand-in"))


def _given(course, lab):
    """Return the cells of the student version and of the chapter with the same number, as (kind, source)."""
    number = re.match(r"lab(\d+)_", lab)
    paths = sorted((course / "labs" / lab).glob("*.ipynb"))
    paths += sorted((course / "chapters").glob(f"{number.group(1)}_*.ipynb")) if number else []
    return [(cell["cell_type"], _text(cell["source"])) for path in paths for cell in cells_of(path)]
