"""`cimlab feedback LAB`: a page for each student, by nbgrader's own generate_feedback, also for those without marks."""

import shutil
import sys
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names, open_api, read_notebooks, reason
from cimlab.grading.feedback import CHAPTERS
from cimlab.grading.grade_find import hand_ins

# What `nbgrader release_feedback` needs of a hand-in beside the pages.
FOR_RELEASE = ("timestamp.txt", "submission_secret.txt")


def add_arguments(parser):
    parser.add_argument("lab", metavar="LAB", help="a graded lab, for example lab03_database")
    parser.add_argument("--students", nargs="+", metavar="ID", help="only these students")
    parser.add_argument(
        "--chapters",
        default=CHAPTERS,
        metavar="ADDRESS",
        help="where students find the chapters, for the links (default: beside labs/, as `nbgrader fetch_feedback` "
        "puts the page)",
    )
    parser.epilog = (
        "Writes feedback/STUDENT/LAB/NOTEBOOK.html. Nothing of hidden tests, mark schemes or tracebacks is in a page: "
        "one in which a line of them is found is not written. `nbgrader release_feedback LAB` hands the pages out."
    )


def run(arguments):
    try:
        course = find_course()
        lab = lab_names(course, [arguments.lab])[0]
        made = write_pages(course, lab, arguments.students, arguments.chapters)
    except (CourseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(summary(made, lab))
    return 1 if made["failed"] else 0


def write_pages(course, lab, students=None, chapters=CHAPTERS):
    """Write the feedback of a lab.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    lab : str
        Name of a graded lab.
    students : list of str, optional
        Only these.
    chapters : str
        Where the chapters are, as seen from a page.

    Returns
    -------
    dict
        pages (student → paths of pages with marks), reviews (student → why there are no marks), failed (student → why
        no page could be made), waiting (number of students whose written answers wait for a person).

    Raises
    ------
    CourseError
        If nobody has been graded, or a student is unknown.
    """
    from traitlets.config import Config

    api = open_api(course)
    settings = Config()
    settings.GenerateFeedback.exporter_class = "cimlab.grading.feedback_page.FeedbackPage"
    settings.FeedbackPage.chapters = chapters
    api.update_config(settings)
    graded = hand_ins(api.coursedir, lab, "autograded")
    without = {student: why for student, why in unmarked(api, lab).items() if student not in graded}
    for student in students or []:
        if student not in graded and student not in without:
            raise CourseError(f"There is nothing of {student!r} in submitted/ for {lab}.")
    if not graded and not without:
        raise CourseError(f"Nobody's hand-in of {lab} has been graded yet: run `cimlab grade {lab}` first.")
    made = {"pages": {}, "reviews": {}, "failed": {}, "waiting": waiting(api, lab, students)}
    for student in graded:
        if students and student not in students:
            continue
        result = api.generate_feedback(lab, student, force=True)
        if result["success"]:
            made["pages"][student] = sorted(_place(api, student, lab).glob("*.html"))
        else:
            made["failed"][student] = reason(result)
    for student, why in without.items():
        if not students or student in students:
            made["reviews"][student] = why
            _write_review(api, student, lab, why, read_notebooks(course, lab))
    return made


def _place(api, student, lab):
    return Path(api.coursedir.format_path(api.coursedir.feedback_directory, student, lab))


def unmarked(api, lab):
    """Return {student: why there are no marks} of those who have handed in."""
    from cimlab.grading.grade_write import verdicts_of

    why = dict.fromkeys(hand_ins(api.coursedir, lab), "It has not been graded yet.")
    for student, row in verdicts_of(api.coursedir.db_url, lab).items():
        if student in why and not row["marked"] and row["reason"]:
            why[student] = row["reason"]
    return why


def waiting(api, lab, students=None):
    """Return how many students have a written answer that waits for a person."""
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(api.coursedir.db_url, api.coursedir.course_id) as gradebook:
        try:
            hand_ins = gradebook.find_assignment(lab).submissions
        except MissingEntry:
            return 0
        mine = [hand_in for hand_in in hand_ins if not students or hand_in.student_id in students]
        return sum(bool(hand_in.needs_manual_grade) for hand_in in mine)


def _write_review(api, student, lab, why, notebooks):
    """Write the page of a hand-in without marks under the name of each notebook; nothing older stays beside it."""
    from nbgrader.api import Gradebook, MissingEntry

    from cimlab.grading.feedback_page import make_review_page, name_of

    with Gradebook(api.coursedir.db_url, api.coursedir.course_id) as gradebook:
        try:
            who = name_of(gradebook.find_student(student))
        except MissingEntry:
            who = student
    page, folder = make_review_page(lab, who, why), _place(api, student, lab)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in notebooks:
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    for path in (hand_ins(api.coursedir, lab)[student] / name for name in FOR_RELEASE):
        if path.is_file() and not path.is_symlink():  # a link of a stranger may lead anywhere
            shutil.copy(path, folder)


def summary(made, lab):
    """Return what was made, in words."""
    pages = sum(map(len, made["pages"].values()))
    students = f"{len(made['pages'])} student{'s' * (len(made['pages']) != 1)}"
    lines = [f"feedback/: {pages} page{'s' * (pages != 1)} for {students} of {lab}."]
    if made["waiting"]:
        lines.append(
            f"{made['waiting']} of them still wait for a person's points (Nbgrader → Formgrader); their pages say so. "
            "Run this again after that."
        )
    for student, why in made["reviews"].items():
        lines.append(f"No marks: {student}. {why} The page says so.")
    for student, why in made["failed"].items():
        lines.append(f"! No page for {student}: {why}")
    return "\n".join(lines) + "\n"
