"""Keep the base (维护): back up, restore, and prove the restore."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.pool import NullPool

from cimlab._sqlite import open_read_only
from cimlab._whole import whole_file
from cimlab.database.schema import BASE


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
        table, rows, sha256. The rows are taken in the order of their key, so that their place on the disk is no matter.

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
    table_hashes = [(table, _row_hashes(base, table)) for table in BASE.sorted_tables]
    rows = [{"table": t.name, "rows": len(h), "sha256": _hash(sorted(h.items()))} for t, h in table_hashes]
    return pd.DataFrame(rows).sort_values("table", ignore_index=True)


def prove_restore(base, backup):
    """Compare a base with a backup, table by table: are they equal, and if not, what would a restore bring and cost?

    Parameters
    ----------
    base : sqlalchemy.Engine or path
        The base as it is now.
    backup : str or pathlib.Path
        A file made by `back_up`.

    Returns
    -------
    pandas.DataFrame
        table, rows_now, rows_backup, equal, only_backup (rows that a restore brings back), only_now (rows that it
        loses), changed (rows that it sets back).

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
    rows = []
    for table in BASE.sorted_tables:
        now, then = _row_hashes(base, table), _row_hashes(backup, table)
        both = now.keys() & then.keys()
        rows.append(
            {
                "table": table.name,
                "rows_now": len(now),
                "rows_backup": len(then),
                "equal": now == then,
                "only_backup": len(then.keys() - now.keys()),
                "only_now": len(now.keys() - then.keys()),
                "changed": sum(now[key] != then[key] for key in both),
            }
        )
    return pd.DataFrame(rows).sort_values("table", ignore_index=True)


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


def _row_hashes(base, table):
    engine = base if isinstance(base, Engine) else _open_file(base)
    with engine.connect() as connection:
        rows = connection.execute(select(table)).all()
    keys = [table.columns.keys().index(column.name) for column in table.primary_key]
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    return {tuple(text[place] for place in keys): _hash(text) for text in texts}


def _open_file(path):
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no base {path}")
    return create_engine(f"sqlite:///{Path(path).resolve().as_posix()}", poolclass=NullPool)


def _hash(value):
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode("utf-8")).hexdigest()
