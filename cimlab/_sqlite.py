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


def quote(name):
    """Return a name of a table or column as SQL text, whatever signs it holds.

    Examples
    --------
    >>> print(quote('size "L" in cm'))
    "size ""L"" in cm"
    """
    return '"' + str(name).replace('"', '""') + '"'
