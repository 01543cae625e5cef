"""Keep the base (维护): back up, restore, and prove the restore."""

import hashlib
import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool

from cimlab._sqlite import open_read_only, quote
from cimlab._whole import whole_file


def back_up(engine, path):
    """Copy the whole base into one file, while it is in use; an older backup is replaced only by a complete new one.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A SQLite base.
    path : str or pathlib.Path
        The file of the backup. Keep one on another machine: a disk that dies takes both.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ValueError
        The base is not SQLite, or the path is the base itself.

    References
    ----------
    SQLite, Online Backup API, https://sqlite.org/backup.html.

    Examples
    --------
    >>> import tempfile
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     back_up(engine, Path(folder) / "monday.db").name
    'monday.db'
    >>> engine.dispose()
    """
    if engine.dialect.name != "sqlite":
        raise ValueError(f"back_up copies SQLite bases; for {engine.dialect.name} use its own tool (pg_dump)")
    path = Path(path)
    if engine.url.database and Path(engine.url.database).resolve() == path.resolve():
        raise ValueError(f"{path} is the base itself: choose another file for the backup")
    with engine.connect() as connection:
        _copy(connection.connection.driver_connection, path)
    return path


def restore(backup, path):
    """Put a backup in the place of a base. What was written after the backup is lost.

    Parameters
    ----------
    backup : str or pathlib.Path
        A file made by `back_up`.
    path : str or pathlib.Path
        The file of the base; it is replaced only after the whole backup was read and found sound.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no backup, or it is damaged. The base stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = back_up(engine, Path(folder) / "monday.db")
    ...     restore(saved, Path(folder) / "base.db").name
    'base.db'
    >>> engine.dispose()
    """
    backup, path = Path(backup), Path(path)
    if not backup.is_file():
        raise FileNotFoundError(f"there is no backup {backup}")
    with closing(open_read_only(backup)) as source:
        _copy(source, path)
    return path


def fingerprint(base):
    """Return the number of rows and a hash of the contents of each table: equal contents, equal hash.

    Parameters
    ----------
    base : sqlalchemy.Engine or path
        A base or a backup file.

    Returns
    -------
    pandas.DataFrame
        table, rows, sha256: one row for each table that is there. The rows are taken in the order of their key, so that
        their place on the disk is no matter.

    References
    ----------
    FIPS 180-4, Secure Hash Standard.

    Examples
    --------
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> fingerprint(engine)["table"].tolist()[:2]
    ['customer_file', 'customer_history']
    >>> engine.dispose()
    """
    rows = [
        {"table": name, "rows": len(hashes), "sha256": _hash([columns, sorted(hashes.items(), key=repr)])}
        for name, (columns, hashes) in sorted(_contents(base).items())
    ]
    return pd.DataFrame(rows, columns=["table", "rows", "sha256"])


def prove_restore(base, backup):
    """Compare a base with a backup, table by table: are they equal, and if not, what would a restore bring and cost?

    Every table that is in one of the two is compared, also those that you made yourself.

    Parameters
    ----------
    base : sqlalchemy.Engine or path
        The base as it is now.
    backup : str or pathlib.Path
        A file made by `back_up`.

    Returns
    -------
    pandas.DataFrame
        table, rows_now, rows_backup, equal (both have the table, with the same columns and the same rows), only_backup
        (rows that a restore brings back), only_now (rows that it loses), changed (rows that it sets back). A row is
        known by its primary key; in a table without one, by all its values.

    Examples
    --------
    >>> import tempfile
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bool(prove_restore(engine, back_up(engine, Path(folder) / "monday.db"))["equal"].all())
    True
    >>> engine.dispose()
    """
    here, saved = _contents(base), _contents(backup)
    rows = []
    for name in sorted(here.keys() | saved.keys()):
        (_, now), (_, then) = here.get(name, _NO_TABLE), saved.get(name, _NO_TABLE)
        both = now.keys() & then.keys()
        rows.append(
            {
                "table": name,
                "rows_now": len(now),
                "rows_backup": len(then),
                "equal": here.get(name) == saved.get(name),
                "only_backup": len(then.keys() - now.keys()),
                "only_now": len(now.keys() - then.keys()),
                "changed": sum(now[key] != then[key] for key in both),
            }
        )
    columns = ["table", "rows_now", "rows_backup", "equal", "only_backup", "only_now", "changed"]
    return pd.DataFrame(rows, columns=columns)


_NO_TABLE = ([], {})


def _copy(source, path):
    """Copy a SQLite base to a file beside `path`, see that it is sound, then put it in place in one step."""
    try:
        with whole_file(path) as place:
            with closing(sqlite3.connect(place)) as target:
                source.backup(target)
                sound = target.execute("PRAGMA integrity_check").fetchone()[0]
            if sound != "ok":
                raise ValueError(f"the copy is damaged, {path} was left as it is: {sound}")
    except sqlite3.DatabaseError as error:
        raise ValueError(f"cannot copy, {path} was left as it is: {error}") from error
    except PermissionError as error:
        raise PermissionError(f"cannot replace {path}: close the programs that use it and try again") from error


def _contents(base):
    """Return of every table of a base, whoever made it: its columns, and key of a row → hash of the row."""
    engine = base if isinstance(base, Engine) else _open_file(base)
    looked = inspect(engine)
    keys = {name: looked.get_pk_constraint(name)["constrained_columns"] for name in looked.get_table_names()}
    with engine.connect() as connection:
        return {name: _row_hashes(connection, name, key) for name, key in keys.items()}


def _row_hashes(connection, name, key):
    rows = connection.exec_driver_sql(f"SELECT * FROM {quote(name)}")
    columns = list(rows.keys())
    places = [columns.index(column) for column in key] or range(len(columns))
    texts = [[_text(value) for value in row] for row in rows]
    found = sorted(((tuple(text[place] for place in places), _hash(text)) for text in texts), key=lambda pair: pair[1])
    # Rows that are alike, in a table without a key or with empty keys, are counted: the first, the second …
    times, hashes = Counter(), {}
    for one, sha in found:
        times[one] += 1
        hashes[*one, times[one]] = sha
    return columns, hashes


def _text(value):
    """Return a value as SQLite keeps it, so that bases of two kinds can be compared."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return None if value is None else str(value)


def _open_file(path):
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no base {path}")
    return create_engine(f"sqlite:///{Path(path).resolve().as_posix()}", poolclass=NullPool)


def _hash(value):
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode("utf-8")).hexdigest()
