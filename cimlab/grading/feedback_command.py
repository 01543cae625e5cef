"""`cimlab feedback LAB`: a page for each student, by nbgrader's own generate_feedback, also for those without marks."""

import sys
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names, open_api, reason

CHAPTERS = "../../../../chapters/"


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
    settings.GenerateFeedback.preprocessors = []
    settings.FeedbackPage.chapters = chapters
    api.update_config(settings)
    graded = _students(api, "autograded", lab)
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
            _write_review(api, student, lab, why)
    return made


def _students(api, step, lab):
    folder = api.coursedir.format_path(getattr(api.coursedir, f"{step}_directory"), "*", lab)
    place = Path(folder).parts.index("*")
    root = Path(*Path(folder).parts[:place])
    found = [path for path in root.glob(str(Path(*Path(folder).parts[place:]))) if path.is_dir()]
    return sorted(path.parts[place] for path in found)


def _place(api, student, lab):
    return Path(api.coursedir.format_path(api.coursedir.feedback_directory, student, lab))


def unmarked(api, lab):
    """Return {student: why there are no marks} of those who have handed in."""
    import sqlalchemy as sql

    handed_in = _students(api, "submitted", lab)
    why = dict.fromkeys(handed_in, "It has not been graded yet.")
    engine = sql.create_engine(api.coursedir.db_url)
    try:
        with engine.connect() as connection:
            if sql.inspect(engine).has_table("cimlab_verdict"):
                text = "select student, reason, marked from cimlab_verdict where assignment = :lab"
                for student, words, marked in connection.execute(sql.text(text), {"lab": lab}):
                    if student in why and not marked and words:
                        why[student] = words
    finally:
        engine.dispose()
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


def _write_review(api, student, lab, why):
    from nbgrader.api import Gradebook, MissingEntry

    from cimlab._whole import whole_file
    from cimlab.grading.feedback_page import _who, make_review_page

    with Gradebook(api.coursedir.db_url, api.coursedir.course_id) as gradebook:
        try:
            who = _who(gradebook.find_student(student))
        except MissingEntry:
            who = student
    path = _place(api, student, lab) / f"{lab}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as place:
        place.write_text(make_review_page(lab, who, why), encoding="utf-8")


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
