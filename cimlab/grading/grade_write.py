"""The gradebook of a course, as `cimlab grade` reads and writes it: each hand-in whole or not at all.

Marks come out of a private gradebook, which nbgrader itself has filled (see `grade_engine`). What is written here is
what nbgrader would have written: the automatic scores and comments, the time of the hand-in, a penalty; what a grader
has entered stays. A table of our own, `cimlab_verdict`, stands in the same database: one row for each hand-in, with the
verdict and the fingerprints of the hand-in and of the lab, written in the same transaction as the marks.

The graded notebook belongs to the marks but is a folder. It is first copied to a hidden place beside its own, under the
token of the row; then the transaction is committed; then it is moved. Whatever a killed run has left is told apart by
the token: committed, then it is moved now; or not, then it is removed (`Ledger.recover`).
"""

import contextlib
import glob
import os
import re
import secrets
import shutil
from datetime import datetime
from pathlib import Path

import sqlalchemy as sql
from nbgrader import api
from sqlalchemy.orm import Session

GRADED, REPAIRED, REVIEW = "graded", "graded after repair", "needs review"
LOCK_SECONDS = 60
TABLE = sql.Table(
    "cimlab_verdict",
    sql.MetaData(),
    sql.Column("assignment", sql.String(128), primary_key=True),
    sql.Column("student", sql.String(128), primary_key=True),
    sql.Column("verdict", sql.String(32), nullable=False),
    sql.Column("reason", sql.Text, nullable=False),  # what was repaired, or why somebody has to look
    sql.Column("seconds", sql.Float, nullable=False),
    sql.Column("hand_in", sql.String(64), nullable=False),  # fingerprints
    sql.Column("lab", sql.String(64), nullable=False),
    sql.Column("marked", sql.Boolean, nullable=False),  # whether there are marks of this hand-in
    sql.Column("token", sql.String(32), nullable=False),
    sql.Column("graded_at", sql.DateTime, nullable=False),
)
# What nbgrader knows of an assignment, and of one hand-in, in an order in which rows can be entered.
OF_LAB = ("assignment", "notebook", "base_cell", "grade_cells", "solution_cells", "task_cells", "source_cell")
OF_HAND_IN = ("student", "submitted_assignment", "submitted_notebook", "grade", "comment")
LEFT = re.compile(r"\.(.+)\.([0-9a-f]{32})(\.part|\.old)?")  # hidden folders: name, token, what it is
TABLES = api.Base.metadata.tables


def at(moment):
    """Do nothing: the tests end the process at these moments, to see that nothing is lost."""


def verdicts_of(url, lab):
    """Return {student: row of the table of verdicts} of a gradebook; nothing where `cimlab grade` has not been used.

    For readers: the report, the feedback.
    """
    engine = sql.create_engine(url)
    try:
        if not sql.inspect(engine).has_table(TABLE.name):
            return {}
        with engine.connect() as connection:
            rows = connection.execute(sql.select(TABLE).where(TABLE.c.assignment == lab)).mappings()
            return {row["student"]: dict(row) for row in rows}
    finally:
        engine.dispose()


class Ledger:
    """The gradebook of one lab.

    Parameters
    ----------
    url : str
        The database, as in `CourseDirectory.db_url`.
    coursedir : nbgrader.coursedir.CourseDirectory
    lab : str
    """

    def __init__(self, url, coursedir, lab):
        self.coursedir, self.lab = coursedir, lab
        with api.Gradebook(url, coursedir.course_id):
            pass  # makes what is missing
        waits = {"timeout": LOCK_SECONDS} if url.startswith("sqlite") else {}
        self.engine = sql.create_engine(url, connect_args=waits)
        TABLE.create(self.engine, checkfirst=True)

    def close(self):
        self.engine.dispose()

    # -- reading

    def rows_of_lab(self):
        """Return {table: rows} of the registration; no rows of `assignment` if the lab is not in the gradebook."""
        with self.engine.connect() as connection:
            found = {"assignment": _rows(connection, "assignment", "name", [self.lab])}
            found["notebook"] = _rows(connection, "notebook", "assignment_id", _ids(found["assignment"]))
            for name in ("base_cell", "source_cell"):
                found[name] = _rows(connection, name, "notebook_id", _ids(found["notebook"]))
            for name in ("grade_cells", "solution_cells", "task_cells"):
                found[name] = _rows(connection, name, "id", _ids(found["base_cell"]))
        return found

    def rows_of(self, student):
        """Return {table: rows} of what is there of a student's hand-in, with the marks that a grader gave."""
        with self.engine.connect() as connection:
            found = {"student": _rows(connection, "student", "id", [student])}
            labs = _ids(_rows(connection, "assignment", "name", [self.lab]))
            handed_in = _rows(connection, "submitted_assignment", "student_id", [student])
            found["submitted_assignment"] = [row for row in handed_in if row["assignment_id"] in labs]
            ids = _ids(found["submitted_assignment"])
            found["submitted_notebook"] = _rows(connection, "submitted_notebook", "assignment_id", ids)
            for name in ("grade", "comment"):
                found[name] = _rows(connection, name, "notebook_id", _ids(found["submitted_notebook"]))
        return found

    def verdicts(self):
        """Return {student: row of the table of verdicts}, for those whose marks are still there."""
        with self.engine.connect() as connection:
            rows = connection.execute(sql.select(TABLE).where(TABLE.c.assignment == self.lab)).mappings()
            rows = {row["student"]: dict(row) for row in rows}
        known = self.scores()
        return {
            student: row
            for student, row in rows.items()
            if student in known and (not row["marked"] or self.place(student).is_dir())
        }

    def scores(self):
        """Return {student: (score, whether written answers wait for a grader)}."""
        hand_in, book, grade = api.SubmittedAssignment, api.SubmittedNotebook, api.Grade
        waits = sql.func.max(sql.case((grade.needs_manual_grade, 1), else_=0))
        of_lab = (
            sql.select(hand_in.student_id)
            .join(api.Assignment, hand_in.assignment_id == api.Assignment.id)
            .join(book, book.assignment_id == hand_in.id)
            .where(api.Assignment.name == self.lab)
            .group_by(hand_in.student_id)
        )
        marks = of_lab.add_columns(sql.func.sum(grade.score), waits).join(grade, grade.notebook_id == book.id)
        penalties = of_lab.add_columns(sql.func.sum(book.late_submission_penalty))
        with Session(self.engine) as session:
            less = {student: penalty or 0.0 for student, penalty in session.execute(penalties)}
            return {
                student: (max(0.0, score - less[student]), bool(waiting))
                for student, score, waiting in session.execute(marks)
            }

    # -- writing

    def save(self, student, found, folder=None):
        """Write what came out for one hand-in: the gradebook and autograded/ change together or not at all.

        Parameters
        ----------
        student : str
        found : dict
            verdict, reason, seconds, hand_in and lab (fingerprints), timestamp (text or None), and marks (see
            `read_marks`) or None.
        folder : pathlib.Path, optional
            The graded notebook. Without it there is no graded notebook of this hand-in: one of another hand-in is
            removed, one of the same stays, with its marks.
        """
        mine = (TABLE.c.assignment == self.lab) & (TABLE.c.student == student)
        token, place = secrets.token_hex(16), self.place(student)
        with self.engine.connect() as connection:
            before = connection.execute(sql.select(TABLE).where(mine)).mappings().one_or_none()
        same = bool(before and before["hand_in"] == found["hand_in"] and before["marked"] and place.is_dir())
        staged = place.with_name(f".{place.name}.{token}")
        if folder is not None:
            _copy_whole(folder, staged)
        elif not same and place.exists():
            staged.mkdir()  # empty: stands for the removal
        at("staged")
        with Session(self.engine) as session, session.begin():
            self._enter(session, student, found)
            row = {name: found[name] for name in ("verdict", "reason", "seconds", "hand_in", "lab")}
            row |= {"token": token, "graded_at": datetime.now(), "marked": folder is not None or same}
            session.execute(TABLE.delete().where(mine))
            session.execute(TABLE.insert().values(assignment=self.lab, student=student, **row))
            at("written")
        at("committed")
        if staged.exists():
            self._move(staged)
        at("moved")

    def _enter(self, session, student, found):
        """Enter the marks as nbgrader does (`init_assignment`, `SaveAutoGrades`, `AssignLatePenalties`)."""
        hand_in = _find_or_make(session, self.lab, student)
        if found["timestamp"]:
            hand_in.timestamp = datetime.fromisoformat(found["timestamp"])
        if found["marks"] is None:
            return
        cell = TABLES["base_cell"]
        for notebook in hand_in.notebooks:
            marks = found["marks"][notebook.name]
            # With nbgrader's `grade.name` each cell would be asked for by itself.
            mine = sql.select(cell.c.id, cell.c.name).where(cell.c.notebook_id == notebook.notebook_id)
            names = dict(map(tuple, session.execute(mine)))
            notebook.late_submission_penalty = marks["penalty"]
            for grade in notebook.grades:
                grade.auto_score, waits, by_hand = marks["grades"][names[grade.cell_id]]
                # Somebody may have given a mark while the hand-in was graded.
                grade.needs_manual_grade = waits or (grade.manual_score is not None and by_hand is None)
            for comment in notebook.comments:
                comment.auto_comment = marks["comments"][names[comment.cell_id]]

    # -- the folder of the graded notebook

    def place(self, student):
        return Path(self.coursedir.format_path(self.coursedir.autograded_directory, student, self.lab))

    def _move(self, staged):
        """Put a staged folder in its place; an empty one only takes away what is there."""
        target, old = staged.with_name(LEFT.fullmatch(staged.name)[1]), staged.with_name(f"{staged.name}.old")
        if not any(staged.iterdir()):
            shutil.rmtree(target, ignore_errors=True)
            staged.rmdir()
            return
        if target.exists():
            target.rename(old)
        at("between")
        staged.rename(target)
        at("replaced")
        shutil.rmtree(old, ignore_errors=True)

    def recover(self):
        """Finish or undo what a killed run has left."""
        with self.engine.connect() as connection:
            committed = set(connection.execute(sql.select(TABLE.c.token)).scalars())
        for place in glob.glob(str(self.place("*").parent)):  # noqa: PTH207
            left = [match for match in map(LEFT.fullmatch, os.listdir(place)) if match]  # noqa: PTH208
            for match in left:
                path = Path(place, match[0])
                if match[3] is None and match[2] in committed:
                    self._move(path)
            for match in left:
                shutil.rmtree(Path(place, match[0]), ignore_errors=True)


def _rows(connection, table, column, values):
    table = TABLES[table]
    found = connection.execute(sql.select(table).where(table.c[column].in_(values)))
    return [dict(row) for row in found.mappings()]


def _ids(rows):
    return [row["id"] for row in rows]


def _find_or_make(session, lab, student):
    """Return the hand-in of a student in the gradebook, ready for marks (as nbgrader's `add_submission` does)."""
    if session.get(api.Student, student) is None:
        session.add(api.Student(id=student))
    assignment = session.scalars(sql.select(api.Assignment).where(api.Assignment.name == lab)).one()
    kind = api.SubmittedAssignment
    mine = sql.select(kind).where(kind.assignment_id == assignment.id, kind.student_id == student)
    hand_in = session.scalars(mine).one_or_none()
    if hand_in is None:
        hand_in = kind(assignment_id=assignment.id, student_id=student)
        session.add(hand_in)
        session.flush()
        for notebook in assignment.notebooks:
            book = api.SubmittedNotebook(notebook_id=notebook.id, assignment_id=hand_in.id)
            session.add(book)
            session.flush()
            for cell in [*notebook.grade_cells, *notebook.task_cells]:
                session.add(api.Grade(cell_id=cell.id, notebook_id=book.id))
            for cell in [*notebook.solution_cells, *notebook.task_cells]:
                session.add(api.Comment(cell_id=cell.id, notebook_id=book.id))
        session.flush()
        session.refresh(hand_in)
    return hand_in


def _copy_whole(source, target):
    """Copy a folder so that it is whole on the disk as soon as it has its name."""
    part = target.with_name(f"{target.name}.part")
    shutil.copytree(source, part)
    for path in [*part.rglob("*"), part]:
        with contextlib.suppress(OSError):  # Windows opens no folders
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    part.rename(target)


# ---------------------------------------------------------------------------------------------------------------------
# Private gradebooks


def make_private(path, course_id, rows):
    """Make a gradebook that holds one lab and nothing else."""
    # Where there are no tables, nbgrader asks a process of its own for the version of its tables: two seconds.
    with _opened(path) as connection:
        api.Base.metadata.create_all(connection)
    with api.Gradebook(f"sqlite:///{path}", course_id):
        pass
    add_rows(path, rows, OF_LAB)


def add_rows(path, rows, tables):
    """Enter rows of another gradebook, with their ids."""
    with _opened(path) as connection:
        for name in tables:
            if rows[name]:
                connection.execute(TABLES[name].insert(), rows[name])


@contextlib.contextmanager
def _opened(path):
    engine = sql.create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def read_marks(url, lab, student):
    """Return what nbgrader has written about one hand-in, in a form that JSON can carry.

    Returns
    -------
    (dict, str or None)
        For each notebook penalty, grades ({cell: [automatic score, whether it waits for a grader, score by hand]}) and
        comments ({cell: text}); and the time of the hand-in.
    """
    with api.Gradebook(url) as gradebook:
        hand_in = gradebook.find_submission(lab, student)
        marks = {}
        for notebook in hand_in.notebooks:
            grades = _of_cells(gradebook.db, notebook, "grade", ("auto_score", "needs_manual_grade", "manual_score"))
            comments = _of_cells(gradebook.db, notebook, "comment", ("auto_comment",))
            marks[notebook.name] = {
                "penalty": notebook.late_submission_penalty,
                "grades": {name: list(row) for name, *row in grades},
                "comments": dict(map(tuple, comments)),
            }
        return marks, hand_in.timestamp and hand_in.timestamp.isoformat()


def _of_cells(session, notebook, table, columns):
    """Return rows of what a table holds for the cells of a submitted notebook: the name of the cell, the columns."""
    table, cell = TABLES[table], TABLES["base_cell"]
    wanted = sql.select(cell.c.name, *[table.c[name] for name in columns])
    return session.execute(wanted.join_from(table, cell).where(table.c.notebook_id == notebook.id)).all()
