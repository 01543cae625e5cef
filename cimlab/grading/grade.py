"""`cimlab grade LAB`: grade what is new or changed, each hand-in by nbgrader itself, several at once, isolated."""

import contextlib
import os
import sys
import time
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names, open_folders

ISOLATION = ("auto", "required", "bubblewrap", "off")


def add_arguments(parser):
    cores = os.cpu_count() or 1
    parser.add_argument("lab", metavar="LAB", help="for example lab03_database")
    parser.add_argument("--students", nargs="+", metavar="ID", help="only these (default: everybody)")
    parser.add_argument("--force", action="store_true", help="also what was graded before and has not changed")
    parser.add_argument(
        "--jobs", type=int, default=2 * cores, metavar="N", help="hand-ins at once (default: two for each core)"
    )
    parser.add_argument(
        "--isolation",
        choices=ISOLATION,
        default="auto",
        help="shut the code of students in (Linux): where it can be had, by us or by bubblewrap (auto); not at all "
        "without it (required); by bubblewrap or not at all (bubblewrap); never (off)",
    )
    parser.add_argument(
        "--engine", choices=("local", "dask"), default="local", help="this machine, or the workers of a Dask cluster"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="for --engine dask: tcp://host:8786")
    parser.epilog = (
        "Hand-ins are looked for in submitted/. Marks and comments that a grader has given stay. Killed at any moment, "
        "the command goes on where it was when it is given again. Exit status 1 where a hand-in needs review."
    )


def run(arguments):
    from sqlalchemy.exc import SQLAlchemyError

    from cimlab.grading.grade_run import RefusedToStart

    try:
        if (arguments.engine == "dask") != (arguments.scheduler is not None):
            raise UsageError("--engine dask and --scheduler ADDRESS need one another.")
        course = find_course()
        lab = lab_names(course, [arguments.lab])[0]
        done = grade(
            course,
            lab,
            students=arguments.students,
            force=arguments.force,
            jobs=arguments.jobs,
            isolation=arguments.isolation,
            scheduler=arguments.scheduler,
            say=lambda line: sys.stderr.write(f"{line}\n"),
        )
    except (UsageError, RefusedToStart) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (CourseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SQLAlchemyError as error:
        said = str(error.__cause__ or error).splitlines()[0]
        sys.stderr.write(f"The gradebook cannot be used ({said}). Is another program at work in it? Then try again.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. What was graded is kept: the same command goes on from here.\n")
        return 1
    sys.stdout.write(as_table(done))
    return 1 if any(row["verdict"] == "needs review" for row in done["rows"]) else 0


class UsageError(Exception):
    """The command line asks for what does not go together."""


def grade(course, lab, students=None, force=False, jobs=4, isolation="auto", scheduler=None, warm=True, say=str):
    """Grade the new and changed hand-ins of a lab; the gradebook and autograded/ are written.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    lab : str
        Name of a lab that exists.
    students : list of str, optional
        Only these.
    force : bool
        Also what has not changed.
    jobs : int
        Hand-ins at once.
    isolation : {"auto", "required", "bubblewrap", "off"}
    scheduler : str, optional
        Address of a Dask scheduler, whose workers grade.
    warm : bool
        Whether warm kernels may be used; without them there is no isolation.
    say : callable
        Is given each sentence about what could not be had.

    Returns
    -------
    dict
        lab, rows (one dict for each hand-in that was graded or needs review: student, verdict, reason, score, seconds),
        most (points), unchanged, waiting (numbers of hand-ins), kernels, seconds.

    Raises
    ------
    CourseError
        If the lab is not in the gradebook, or a student has handed nothing in.
    grade_run.RefusedToStart
        If isolation is required and cannot be had.
    """
    from cimlab.grading import grade_find
    from cimlab.grading.grade_plan import Plan
    from cimlab.grading.grade_write import Ledger

    started = time.monotonic()
    folders = open_folders(course)
    with _alone(course), contextlib.closing(_ledger(folders, lab, Ledger)) as ledger:
        ledger.recover()
        rows = ledger.rows_of_lab()
        if not rows["assignment"]:
            raise CourseError(f"The gradebook does not know {lab}: run `cimlab release {lab}` first.")
        found = _chosen(grade_find.hand_ins(folders, lab), students, lab, folders)
        plan = Plan(course, folders, lab, rows, ledger)
        new = plan.new(found, force)
        done = {"lab": lab, "unchanged": len(found) - len(new), "kernels": None, "rows": []}
        if new:
            done["kernels"] = plan.carry_out(new, jobs, isolation, scheduler, warm, say)
        done |= _summary(ledger, rows, found, new)
    return done | {"seconds": time.monotonic() - started}


def _ledger(folders, lab, make):
    url = folders.db_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise CourseError(f"There is no gradebook: run `cimlab release {lab}` first.")
    return make(url, folders, lab)


@contextlib.contextmanager
def _alone(course):
    """Hold the course against a second run."""
    from cimlab.retailer.folders import lock

    (course / ".cimlab").mkdir(exist_ok=True)
    try:
        with lock(course / ".cimlab"):
            yield
    except BlockingIOError:
        raise CourseError("Another `cimlab grade` is at work in this course: wait until it has ended.") from None


def _chosen(found, students, lab, folders):
    if not found:
        raise CourseError(
            f"There are no hand-ins of {lab} in {folders.submitted_directory}/: collect them first "
            f"(`nbgrader zip_collect {lab}`)."
        )
    if missing := sorted(set(students or ()) - set(found)):
        raise CourseError(f"No hand-in of {lab} by {', '.join(missing)} in {folders.submitted_directory}/.")
    return {student: path for student, path in found.items() if students is None or student in students}


def _summary(ledger, rows, found, new):
    most = sum(row["max_score"] for name in ("grade_cells", "task_cells") for row in rows[name])
    verdicts, scores = ledger.verdicts(), ledger.scores()
    shown = []
    for student in found:
        row = verdicts.get(student)
        if row and (student in new or row["verdict"] == "needs review"):
            entry = {name: row[name] for name in ("student", "verdict", "reason", "seconds")}
            shown.append(entry | {"score": scores[student][0] if row["marked"] else None})
    waiting = sum(scores[student][1] for student in found if student in scores and verdicts[student]["marked"])
    return {"rows": shown, "most": most, "waiting": waiting}


def as_table(done):
    """Return the result of `grade` as text."""
    rows, lines = done["rows"], []
    width = max([len(row["student"]) for row in rows] + [7])
    if rows:
        lines.append(f"{'student':<{width}}  verdict               points  seconds")
    for row in rows:
        score = "-" if row["score"] is None else f"{row['score']:g}/{done['most']:g}"
        line = f"{row['student']:<{width}}  {row['verdict']:<19} {score:>8} {row['seconds']:>8.1f}  {row['reason']}"
        lines.append(line.rstrip())
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}
    parts = [f"{number} {verdict}" for verdict, number in counts.items() if number]
    parts += [f"{done['unchanged']} unchanged"] * (done["unchanged"] > 0)
    parts += [f"{done['waiting']} with written answers that wait for a grader"] * (done["waiting"] > 0)
    lines.append(f"{done['lab']}, {done['seconds']:.0f} s: {', '.join(parts)}")
    return "\n".join(lines) + "\n"


VERDICTS = ("graded", "graded after repair", "needs review")
