"""What a role gets to see of a table (访问控制): columns, rows, masks (脱敏), and attacks that try to get more.

SQLite has no users and no roles: whoever can read the file reads everything, so the file itself needs the rights of the
operating system and encryption. What SQLite can do is limit one *connection* (``set_authorizer``), and a program can
take that off again: it stops an attacker who gets SQL through a program (injection), not one who writes programs. A
server such as PostgreSQL keeps roles, column rights and row rules (row-level security) itself.

`open_as` knows three guards, so that a lesson can attack each: "view" (masked views beside the base), "authorizer"
(the same, and every other table refused) and "copy" (only what the role may see is carried over; the base stays away).
"""

import re
import sqlite3
from functools import partial
from pathlib import Path

import pandas as pd

from cimlab._sqlite import open_read_only, quote
from cimlab.analysis.columns import need
from cimlab.security.grades import ROLES
from cimlab.security.masks import MASKERS, MASKS, mask_value

GUARDS = ["view", "authorizer", "copy"]

# Which rows a role sees: a condition in SQL, and the columns of the table that it needs.
ROW_RULES = {
    "all": ("1", []),
    "own store": ("store_id = {store}", ["store_id"]),
    "consented": (
        "member_id IN (SELECT customer_ref FROM (SELECT customer_ref, action, max(recorded_at || consent_id) "
        "FROM main.consents WHERE purpose = 'marketing' GROUP BY customer_ref) WHERE action = 'given')",
        ["member_id"],
    ),
}

# What an honest question needs. A function that is not here is refused: load_extension loads a program.
_FUNCTIONS = {
    "abs", "avg", "coalesce", "count", "date", "datetime", "group_concat", "ifnull", "instr", "length", "like", "lower",
    "max", "min", "nullif", "replace", "round", "strftime", "substr", "sum", "total", "trim", "upper",
}  # fmt: skip


def view_name(table, role):
    """Return what the part of a table for a role is called.

    Examples
    --------
    >>> view_name("members", "database administrator")
    'members_database_administrator'
    """
    return f"{table}_{re.sub(r'[^a-z0-9]+', '_', role.lower())}"


def view_sql(matrix, role, table="members", roles=None, store=None):
    """Write the view of a role in SQL: no column it may not see, masks on others, the rows it needs.

    Parameters
    ----------
    matrix : pandas.DataFrame
        What `access_matrix` returns.
    role, table : str
    roles : dict, optional
        Says which rows; `ROLES` by default.
    store : str, optional
        The store of the person, if the role sees its own store only.

    Returns
    -------
    str
        A SELECT statement.

    Raises
    ------
    ValueError
        The matrix does not know the role or the table, nothing is granted, a row rule is unknown, or it needs a store
        or a column that is not there. No rule is never read as "all rows".

    Examples
    --------
    >>> matrix = pd.DataFrame({"role": "cashier", "table": "members", "column": ["store_id", "phone", "id_number"],
    ...                        "right": ["read", "masked", "none"]})
    >>> print(view_sql(matrix, "cashier", store="ST02"))
    SELECT "store_id", mask_phone("phone") AS "phone" FROM main."members" WHERE store_id = 'ST02'
    """
    matrix = need(matrix, ["role", "table", "column", "right"], "access matrix")
    mine = matrix[(matrix["role"] == role) & (matrix["table"] == table)]
    shown = mine[mine["right"].isin(["read", "masked"])]
    if shown.empty:
        raise ValueError(f"the matrix grants the role {role!r} nothing of the table {table!r}")
    rule = (ROLES if roles is None else roles).get(role, {}).get("rows")
    if rule not in ROW_RULES:
        raise ValueError(f"role {role!r}: no row rule {rule!r}; there are: {', '.join(ROW_RULES)}")
    condition, wants = ROW_RULES[rule]
    absent = [column for column in wants if column not in set(mine["column"])]
    if absent:
        raise ValueError(f"the rule {rule!r} for {role!r} needs the column {absent[0]}, which {table!r} has not")
    if rule == "own store" and not store:
        raise ValueError(f"the role {role!r} sees its own store only: say which, store=…")
    columns = [
        quote(column) if right == "read" else f"mask_{MASKS.get(column, 'hide')}({quote(column)}) AS {quote(column)}"
        for column, right in zip(shown["column"], shown["right"], strict=True)
    ]
    literal = "'" + str(store).replace("'", "''") + "'"
    return f"SELECT {', '.join(columns)} FROM main.{quote(table)} WHERE {condition.replace('{store}', literal)}"


def open_as(database, role, matrix, *, roles=None, store=None, as_of=None, guard="copy"):
    """Open a base for a role: a connection that reads the role's views and nothing else.

    Parameters
    ----------
    database : str, pathlib.Path or sqlalchemy.Engine
        A SQLite base in a file.
    role : str
    matrix : pandas.DataFrame
        What `access_matrix` returns, for one table or (with ``pandas.concat``) several.
    roles : dict, optional
        Says which rows; `ROLES` by default.
    store : str, optional
        The store of the person, for a role that sees its own store only.
    as_of : str or datetime.date, optional
        Day on which an age band is counted; needed if a birth date is masked.
    guard : str
        "copy" (default): the masked rows are copied into a base in memory as they are now, and the file is closed.
        "authorizer": views on the open file, every other table refused; it looks safe, and a WITH clause that borrows
        the name of a view gets through. "view": views on the open file, nothing refused but writing. The last two are
        there to be attacked.

    Returns
    -------
    sqlite3.Connection
        Its views are called `view_name(table, role)`. Close it after use.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, guard or table, or see `view_sql`.

    References
    ----------
    SQLite, Compile-Time Authorization Callbacks, https://sqlite.org/c3ref/set_authorizer.html.
    OWASP, SQL Injection Prevention Cheat Sheet.

    Examples
    --------
    >>> import tempfile
    >>> from contextlib import closing
    >>> matrix = pd.DataFrame({"role": "service", "table": "t", "column": ["a", "phone"], "right": ["read", "masked"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with closing(sqlite3.connect(Path(folder, "base.db"))) as base, base:
    ...         _ = base.execute("CREATE TABLE t AS SELECT 1 AS a, '17402010123' AS phone")
    ...     with closing(open_as(Path(folder, "base.db"), "service", matrix)) as connection:
    ...         connection.execute("SELECT * FROM t_service").fetchall()
    [(1, '174****0123')]
    """
    if guard not in GUARDS:
        raise ValueError(f"open_as: no guard {guard!r}; there are: {', '.join(GUARDS)}")
    tables = need(matrix, ["role", "table", "right"], "access matrix").query("role == @role and right != 'none'")
    names = {table: view_name(table, role) for table in dict.fromkeys(tables["table"])}
    selects = {table: view_sql(matrix, role, table, roles, store) for table in names}
    if not names:
        raise ValueError(f"the matrix grants the role {role!r} nothing")
    if as_of is None and any("mask_age(" in select for select in selects.values()):
        raise ValueError(f"the role {role!r} sees age bands: say on which day, as_of=…")
    base = _open_file(database)
    try:
        for kind in MASKERS:
            base.create_function(f"mask_{kind}", 1, partial(mask_value, kind=kind, as_of=as_of), deterministic=True)
        for table, select in selects.items():
            _prove_columns(base, table, matrix[(matrix["role"] == role) & (matrix["table"] == table)])
            base.execute(f"CREATE TEMP VIEW {quote(names[table])} AS {select}")
        connection = _copy_views(base, names.values()) if guard == "copy" else base
    except BaseException:
        base.close()
        raise
    connection.execute("PRAGMA query_only = ON")
    if guard != "view":
        masks = set() if guard == "copy" else {f"mask_{kind}" for kind in MASKERS}
        connection.set_authorizer(partial(_authorize, frozenset(names.values()), frozenset(_FUNCTIONS | masks)))
    return connection


def attack_queries(role, table="members", secret="id_number"):
    """Write what an attacker with the rights of a role would try: one statement each.

    Parameters
    ----------
    role, table : str
    secret : str
        A column of the table that the role may not see in clear.

    Returns
    -------
    pandas.DataFrame
        attack, sql, wants (what it is for). None of them harms the file: writes that get through stay in the
        transaction, and `try_attacks` takes that back.

    References
    ----------
    MITRE, CWE-89: SQL injection.

    Examples
    --------
    >>> attack_queries("cashier")["sql"].iloc[1]
    'SELECT store_id FROM members_cashier UNION ALL SELECT id_number FROM members'
    """
    view, found = view_name(table, role), f"{table} WHERE {secret} IS NOT NULL"
    rows = [
        ("base table", f"SELECT {secret} FROM {found}", "the column in clear"),
        ("union", f"SELECT store_id FROM {view} UNION ALL SELECT {secret} FROM {table}", "the column in clear"),
        ("subquery", f"SELECT (SELECT max({secret}) FROM {table}) FROM {view} LIMIT 1", "one value in clear"),
        ("yes or no", f"SELECT 1 WHERE EXISTS (SELECT 1 FROM {table} WHERE {secret} LIKE '99%')", "a fact, guessed"),
        ("count", f"SELECT count(*) FROM {table}", "how many there are"),
        ("borrowed name", f"WITH {view} AS (SELECT {secret} FROM {found}) SELECT * FROM {view}", "the column in clear"),
        ("own view", f"CREATE TEMP VIEW mine AS SELECT * FROM {table}", "a door for later"),
        ("list of tables", "SELECT name, sql FROM sqlite_master", "what else there is"),
        ("pragma", f"PRAGMA table_info({table})", "the hidden columns"),
        ("pragma as table", f"SELECT * FROM pragma_table_info('{table}')", "the hidden columns"),
        ("switch off", "PRAGMA query_only = OFF", "the right to write"),
        ("attach", "ATTACH DATABASE ':memory:' AS thief", "a place to carry data to"),
        ("change", f"UPDATE {table} SET store_id = 'ST99'", "changed data"),
        ("delete", f"DELETE FROM {table}", "damage"),
        ("two in one", f"SELECT 1; DELETE FROM {table}", "damage, behind a question"),
        ("drop the view", f"DROP VIEW {view}", "the view replaced"),
        ("load a program", "SELECT load_extension('thief')", "any program"),
    ]
    return pd.DataFrame(rows, columns=["attack", "sql", "wants"])


def try_attacks(connection, attacks):
    """Run attacks on a connection and say what each got.

    Parameters
    ----------
    connection : sqlite3.Connection
        A fresh one: an attack that gets through (attach, own view) changes it.
    attacks : pandas.DataFrame
        attack and sql, as `attack_queries` writes them.

    Returns
    -------
    pandas.DataFrame
        attack, got ("refused", "nothing": allowed, but no rows; "done": carried out; "rows"), rows, first (the first
        values), says (the message in plain words).

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> from contextlib import closing
    >>> with closing(sqlite3.connect(":memory:")) as open_door:
    ...     try_attacks(open_door, pd.DataFrame({"attack": ["a", "b"], "sql": ["SELECT 7", "SELECT x FROM y"]}))
      attack      got  rows first                                  says
    0      a     rows     1     7
    1      b  refused     0        there is no table y for this role
    """
    attacks = need(attacks, ["attack", "sql"], "table of attacks")
    rows = []
    for attack, sql in zip(attacks["attack"], attacks["sql"], strict=True):
        try:
            cursor = connection.execute(sql)
            found = cursor.fetchall()
            got = "done" if cursor.description is None else ("rows" if found else "nothing")
            first = ", ".join(str(value) for value in found[0]) if found else ""
            rows.append((attack, got, len(found), first, ""))
        except (sqlite3.Error, sqlite3.Warning) as error:  # two statements at once are a Warning in Python 3.11
            rows.append((attack, "refused", 0, "", _plain(str(error))))
        finally:
            connection.rollback()
    return pd.DataFrame(rows, columns=["attack", "got", "rows", "first", "says"])


def _open_file(database):
    """Open the file for reading only; a name that is mistyped must not make a new, empty base."""
    path = getattr(getattr(database, "url", None), "database", database)
    if not path or str(path) == ":memory:":
        raise ValueError("open_as needs a base in a file: one in memory has no door that could be opened for reading")
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no base {path}")
    return open_read_only(path)


def _prove_columns(base, table, granted):
    """SQLite reads a name in quotes that it does not know as a text: ask for the columns before they are used."""
    has = {row[1] for row in base.execute(f"PRAGMA main.table_info({quote(table)})")}
    absent = [column for column in granted["column"] if column not in has]
    if absent:
        what = f"column {absent[0]!r} in the table {table!r}" if has else f"table {table!r}"
        raise ValueError(f"the base has no {what}, which the matrix names")


def _copy_views(base, names):
    """Carry the contents of the views into a base in memory, and close the file: what is not there cannot leak."""
    memory = sqlite3.connect(":memory:")
    for name in names:
        cursor = base.execute(f"SELECT * FROM {quote(name)}")
        columns = [column[0] for column in cursor.description]
        memory.execute(f"CREATE TABLE {quote(name)} ({', '.join(map(quote, columns))})")
        memory.executemany(f"INSERT INTO {quote(name)} VALUES ({', '.join('?' * len(columns))})", cursor)
    memory.commit()
    base.close()
    return memory


def _authorize(views, functions, action, first, second, _, within):
    """Answer SQLite's question about each step of a statement: what is not allowed is refused."""
    allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and (first in views or within in views))
        or (action == sqlite3.SQLITE_FUNCTION and second.lower() in functions)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _plain(message):
    if message.startswith("no such table: "):
        return f"there is no table {message.removeprefix('no such table: ')} for this role"
    if match := re.fullmatch(r"access to (.+) is prohibited", message):
        return f"this role may not read {match[1]}"
    if message.startswith("not authorized"):
        return "this role may only read its own views"
    return "this connection only reads" if "readonly" in message else message
