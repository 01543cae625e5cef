"""What nbgrader does anew for each hand-in and each cell is done once, in the process that grades (see `grade_engine`).

None of it changes what comes out: the private gradebooks are gone in a moment and need not reach the disk in time; the
statements of the database are translated once, not with each of the dozen times that nbgrader opens a gradebook; and
nbgrader's own schema is checked once, not with each cell.
"""

import sqlite3
import types

import jsonschema
import sqlalchemy
from nbgrader import api
from nbgrader.nbgraderformat import common
from sqlalchemy.pool import NullPool

_engine, _place, _validators = [], {}, {}


def make_quick():
    """Change nbgrader in this process, which works on private gradebooks only."""
    make = api.create_engine

    def create_engine(url, **settings):
        _place["path"] = url.removeprefix("sqlite:///")
        if not _engine:
            _engine.append(make("sqlite://", creator=_connect, poolclass=NullPool, **settings))
            sqlalchemy.event.listen(_engine[0], "connect", _hurry)
        return _engine[0]

    api.create_engine = create_engine
    api.Base.metadata.create_all = lambda **_: None  # a private gradebook has its tables
    common.jsonschema = types.SimpleNamespace(validate=_validate)


def _connect():
    return sqlite3.connect(_place["path"], check_same_thread=False)


def _hurry(connection, _record):
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


def _validate(instance, schema):
    """As `jsonschema.validate`, for a schema that is the same each time."""
    if id(schema) not in _validators:
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        _validators[id(schema)] = kind(schema), schema
    error = jsonschema.exceptions.best_match(_validators[id(schema)][0].iter_errors(instance))
    if error is not None:
        raise error
