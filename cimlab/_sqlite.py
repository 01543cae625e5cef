"""SQLite files as files: look into one without a trace, and name its tables and columns safely."""

import sqlite3
from pathlib import Path


def open_read_only(path):
    """Open a SQLite file so that nothing can be written to it; a name that is mistyped makes no new, empty base.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    sqlite3.Connection

    Raises
    ------
    sqlite3.OperationalError
        There is no such file.

    Examples
    --------
    >>> open_read_only("nowhere.db")
    Traceback (most recent call last):
    sqlite3.OperationalError: unable to open database file
    """
    return sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)


def table_columns(door):
    """Return the tables of a SQLite base by name, each with its columns.

    Parameters
    ----------
    door : sqlite3.Connection

    Returns
    -------
    dict of str to list of str
        Table → its columns; without views and SQLite's own tables.

    Examples
    --------
    >>> from contextlib import closing
    >>> with closing(sqlite3.connect(":memory:")) as door:
    ...     _ = door.execute("CREATE TABLE lines (order_id, amount)")
    ...     _ = door.execute("CREATE TABLE customers (customer_id INTEGER PRIMARY KEY AUTOINCREMENT)")
    ...     table_columns(door)
    {'customers': ['customer_id'], 'lines': ['order_id', 'amount']}
    """
    rows = door.execute(
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table' AND m.name NOT GLOB 'sqlite_*' ORDER BY m.name, c.cid"
    )
    columns = {}
    for table, column in rows:
        columns.setdefault(table, []).append(column)
    return columns


def quote(name):
    """Return a name of a table or column as SQL text, whatever signs it holds.

    Examples
    --------
    >>> print(quote('size "L" in cm'))
    "size ""L"" in cm"
    """
    return '"' + str(name).replace('"', '""') + '"'
