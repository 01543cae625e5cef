"""Encryption at rest (静态加密) of a whole base: the stolen file tells nothing without the password.

It protects from a lost laptop, a disk thrown away, a copied file. Whoever is inside the running program still reads
all; for that see `sealing` (single fields). A plain copy, a journal or an old backup beside it undoes all of it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd

from cimlab._whole import whole_file


def encrypt_file(plain, path, password):
    """Write an encrypted copy of a SQLite base. The plain file stays: delete it, and its backups, yourself.

    Parameters
    ----------
    plain : str or pathlib.Path
        A SQLite base that anybody can open.
    path : str or pathlib.Path
        The encrypted file; replaced only by a complete new one.
    password : str
        SQLCipher makes the key of it (PBKDF2, 256,000 rounds, a salt of its own for each file).

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such base, the password is empty, or both paths are the same.

    References
    ----------
    Zetetic, SQLCipher, https://www.zetetic.net/sqlcipher/design/: each page AES-256-CBC with its own HMAC.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with closing(sqlite3.connect(Path(folder, "plain.db"))) as base, base:
    ...         _ = base.execute("CREATE TABLE t AS SELECT '17402010123' AS phone")
    ...     safe = encrypt_file(Path(folder, "plain.db"), Path(folder, "safe.db"), "three old trams")
    ...     with closing(open_encrypted(safe, "three old trams")) as base:
    ...         base.execute("SELECT phone FROM t").fetchall()
    [('17402010123',)]
    """
    import sqlcipher3

    plain, path = Path(plain), Path(path)
    if not plain.is_file():
        raise FileNotFoundError(f"there is no base {plain}")
    if plain.resolve() == path.resolve():
        raise ValueError("encrypt_file makes a copy: give it another path than the plain base")
    _password(password)
    with whole_file(path) as place, closing(sqlcipher3.connect(str(plain))) as base:
        try:
            base.execute("ATTACH DATABASE ? AS sealed KEY ?", (str(place), password))
            base.execute("SELECT sqlcipher_export('sealed')")
            base.execute("DETACH DATABASE sealed")
        except sqlcipher3.DatabaseError as error:
            raise ValueError(f"{plain} cannot be copied: {error}") from error
    return path


def open_encrypted(path, password):
    """Open an encrypted base for reading and writing.

    Parameters
    ----------
    path : str or pathlib.Path
    password : str

    Returns
    -------
    sqlcipher3.dbapi2.Connection
        Used like one of sqlite3. Close it after use.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file; the password is wrong or the file was changed (nobody can say which of them).

    Examples
    --------
    >>> open_encrypted("nowhere.db", "three old trams")
    Traceback (most recent call last):
    FileNotFoundError: there is no base nowhere.db
    """
    import sqlcipher3

    _password(password)
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no base {path}")
    connection = sqlcipher3.connect(str(path))
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = {_literal(password)}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlcipher3.DatabaseError as error:
        connection.close()
        raise ValueError(f"{Path(path).name} cannot be opened: wrong password, or a damaged file") from error
    return connection


def change_password(path, old, new):
    """Encrypt a base anew with another password. Copies made before still open with the old one.

    Parameters
    ----------
    path : str or pathlib.Path
    old, new : str

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileNotFoundError, ValueError
        As in `open_encrypted`, or the new password is empty.

    Examples
    --------
    >>> change_password("nowhere.db", "a", "")
    Traceback (most recent call last):
    ValueError: the password is empty: that is no protection
    """
    _password(new)
    with closing(open_encrypted(path, old)) as base:
        base.execute(f"PRAGMA rekey = {_literal(new)}")
    return Path(path)


def steal_files(folder, values):
    """Attack a folder: try to open each file as a thief would, and search its bytes for what he is after.

    Parameters
    ----------
    folder : str or pathlib.Path
    values : list of str
        Texts to look for, such as phone numbers that should be secret.

    Returns
    -------
    pandas.DataFrame
        A row a file: file, opens (SQLite reads it without a key), tables (that it shows), found (of `values`, in the
        bytes: a deleted row, a journal, an old backup count too).

    Raises
    ------
    ValueError
        There is nothing to look for.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "list.csv").write_text("phone\\n17402010123\\n", encoding="utf-8")
    ...     steal_files(folder, ["17402010123"])
           file  opens  tables  found
    0  list.csv  False       0      1
    """
    if isinstance(values, str) or not all(values) or not len(values):
        raise ValueError("steal_files looks for a list of texts, none of them empty")
    wanted = [str(value).encode("utf-8") for value in values]
    rows = []
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        content = path.read_bytes()
        tables = _tables(path)
        name = path.relative_to(folder).as_posix()
        rows.append((name, tables is not None, tables or 0, sum(value in content for value in wanted)))
    return pd.DataFrame(rows, columns=["file", "opens", "tables", "found"])


def _password(password):
    if not password:
        raise ValueError("the password is empty: that is no protection")


def _literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def _tables(path):
    """Return the number of tables that SQLite shows without a key, or None if it cannot read the file."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            tables = base.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    except sqlite3.DatabaseError:
        return None
    return tables if path.stat().st_size else None
