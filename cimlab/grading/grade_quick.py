"""What nbgrader does anew for each hand-in and each cell is done once, in the process that grades (see `grade_engine`).

None of it changes what comes out: the private gradebooks are gone in a moment and need not reach the disk in time; the
statements of the database are translated once, not with each of the dozen times that nbgrader opens a gradebook; what
is asked of it cell by cell is fetched for a notebook at once; and what nbgrader's own schema has allowed is not checked
again with each cell. Nobody else writes to a private gradebook: what has been read from it stays true.
"""

import functools
import json
import sqlite3
import types

import jsonschema
import sqlalchemy
from jupyter_client import jsonutil, session
from nbgrader import api
from nbgrader.nbgraderformat import common
from nbgrader.preprocessors import saveautogrades
from sqlalchemy.pool import QueuePool

_engine, _place, _validators = [], {}, {}
VALID = 10_000  # so many pieces of metadata are remembered at most


def make_quick():
    """Change nbgrader in this process, which works on private gradebooks only."""
    make = api.create_engine

    def create_engine(url, **settings):
        path = url.removeprefix("sqlite:///")
        if not _engine:
            # One connection for as long as a gradebook is open: without a pool it is one for each cell.
            _engine.append(make("sqlite://", creator=_connect, poolclass=QueuePool, pool_size=1, **settings))
            sqlalchemy.event.listen(_engine[0], "connect", _hurry)
        if path != _place.get("path"):
            _engine[0].dispose()
            _place.update(path=path, courses=set())
        return _engine[0]

    api.create_engine = create_engine
    api.sessionmaker = functools.partial(api.sessionmaker, expire_on_commit=False)
    api.inspect = lambda _engine: types.SimpleNamespace(get_table_names=lambda: list(api.Base.metadata.tables))
    api.Base.metadata.create_all = lambda **_: None  # a private gradebook has its tables
    book = api.Gradebook
    book.check_course = _once_for_each_course(book.check_course)
    book.find_source_cell = _of_a_notebook(book.find_source_cell, _source_cells)
    book.find_graded_cell = _of_a_notebook(book.find_graded_cell, _graded_cells)
    book.find_grade = _of_a_notebook(book.find_grade, _grades)
    book.find_comment = _of_a_notebook(book.find_comment, _comments)
    saveautogrades.Gradebook = _WrittenAtOnce
    common.jsonschema = types.SimpleNamespace(validate=_validate)
    session.extract_dates = _read_date


def _connect():
    return sqlite3.connect(_place["path"], check_same_thread=False)


def _hurry(connection, _record):
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


def _once_for_each_course(check):
    @functools.wraps(check)
    def check_course(self, course_id="default_course", **facts):
        if facts or course_id not in _place["courses"]:
            found = check(self, course_id, **facts)
            _place["courses"].add(course_id)
            return found
        return None  # nbgrader asks for it when it opens a gradebook, and drops the answer

    return check_course


class _WrittenAtOnce(api.Gradebook):
    """A gradebook for `SaveAutoGrades`, which commits after each cell: it is written when it is closed."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self._session, self.db = self.db, _Later(self.db)

    def close(self):
        self.db = self._session
        self.db.commit()
        super().close()


class _Later:
    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        return getattr(self._session, name)

    def commit(self):
        """Wait until the gradebook is closed."""


# ---------------------------------------------------------------------------------------------------------------------
# What nbgrader asks for cell by cell


def _of_a_notebook(find, fetch):
    """Return a `find` of a gradebook that fetches the rows of all cells of a notebook when it is asked for the first.

    It returns the same objects as nbgrader's own, which is still asked for a cell that is not among them.
    """

    @functools.wraps(find)
    def find_one(self, name, notebook, assignment, *student):
        known = self.__dict__.setdefault("_of_notebooks", {})
        which = (fetch, notebook, assignment, *student)
        if which not in known:
            known[which] = fetch(self.db, notebook, assignment, *student)
        found = known[which].get(name)
        return find(self, name, notebook, assignment, *student) if found is None else found

    return find_one


def _source_cells(db, notebook, assignment):
    return _cells(db, api.SourceCell, notebook, assignment)


def _graded_cells(db, notebook, assignment):  # nbgrader looks for a task where it finds no other
    return _cells(db, api.TaskCell, notebook, assignment) | _cells(db, api.GradeCell, notebook, assignment)


def _grades(db, *where):
    return _results(db, api.Grade, api.TaskCell, *where) | _results(db, api.Grade, api.GradeCell, *where)


def _comments(db, *where):
    return _results(db, api.Comment, api.TaskCell, *where) | _results(db, api.Comment, api.SolutionCell, *where)


def _cells(db, kind, notebook, assignment):
    rows = (
        db.query(kind)
        .join(api.Notebook, api.Notebook.id == kind.notebook_id)
        .join(api.Assignment, api.Assignment.id == api.Notebook.assignment_id)
        .filter(api.Notebook.name == notebook, api.Assignment.name == assignment)
    )
    return {row.name: row for row in rows}


def _results(db, kind, cell, notebook, assignment, student):
    """Return {name of a cell: the row of `kind` for it} of a student's notebook, for the cells of one kind."""
    rows = (
        db.query(kind, cell.name)
        .join(cell, cell.id == kind.cell_id)
        .join(api.SubmittedNotebook, api.SubmittedNotebook.id == kind.notebook_id)
        .join(api.Notebook, api.Notebook.id == api.SubmittedNotebook.notebook_id)
        .join(api.SubmittedAssignment, api.SubmittedAssignment.id == api.SubmittedNotebook.assignment_id)
        .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
        .filter(
            api.Notebook.name == notebook,
            api.Assignment.name == assignment,
            api.SubmittedAssignment.student_id == student,
        )
    )
    return {name: row for row, name in rows}


# ---------------------------------------------------------------------------------------------------------------------
# What kernels send


def _read_date(header):
    """As `jsonutil.extract_dates`, which looks for dates in each field of a header; one of them is the date."""
    if not isinstance(header, dict) or "date" not in header:
        return header
    return header | {"date": jsonutil.extract_dates(header["date"])}


# ---------------------------------------------------------------------------------------------------------------------
# The schema of nbgrader's metadata


def _validate(instance, schema):
    """As `jsonschema.validate`; what a schema has allowed once it allows again.

    nbgrader reads its schema from the file for each notebook: it is known by what it says.
    """
    said = json.dumps(schema, sort_keys=True)
    if said not in _validators:
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        _validators[said] = kind(schema), set()
    validator, valid = _validators[said]
    text = json.dumps(instance, sort_keys=True, default=repr)
    if text in valid:
        return
    error = jsonschema.exceptions.best_match(validator.iter_errors(instance))
    if error is not None:
        raise error
    if len(valid) < VALID:
        valid.add(text)
