"""Attacks on a PostgreSQL server, with the account of a colleague: by SQL, and at the door (pg_hba.conf, 防火墙规则).

Each attack is tried on a fresh connection, and what it changed is taken back.
"""

import io
from contextlib import closing

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.security.access import view_name
from cimlab.security.postgres import connect_postgres, put_file, reload_settings, run_statements
from cimlab.security.server_access import SERVER_GUARDS, add_accounts, later_copy_sql, load_server

DOOR_COLUMNS = ["type", "database", "user", "address", "method"]


def server_attacks(role, base, own="ST02", other="ST05", table="members", secret="phone"):
    """Write what an attacker with the account of a role would try on a server.

    Parameters
    ----------
    role, base : str
        base : the name of the base, by which its owner is called.
    own, other : str
        The store of the account, and one that it must not see.
    table, secret : str
        A column of the table that the role may not read in clear.

    Returns
    -------
    pandas.DataFrame
        attack, sql, via ("rows", "notice" or "error": how the loot would come), wants.

    References
    ----------
    PostgreSQL Documentation, "Rules and Privileges": what security_barrier is for.

    Examples
    --------
    >>> server_attacks("cashier", "open")["sql"].iloc[0]
    'SELECT phone FROM members WHERE phone IS NOT NULL'
    """
    view, keeper = view_name(table, role), f"{base}_keeper"
    start = f"SET crm.store = '{own}'; "
    peep = ("CREATE FUNCTION pg_temp.peep(text, text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS "
            f"$$BEGIN IF $1 <> '{own}' THEN RAISE NOTICE '%', $2; END IF; RETURN true; END$$; ")  # fmt: skip
    # The member is no table, and the message says so. A plain = would let the planner see that no row fits.
    tell = f"store_id LIKE '{other}' AND has_table_privilege(member_id, 'SELECT')"
    rows = [
        ("base table", f"SELECT {secret} FROM {table} WHERE {secret} IS NOT NULL", "rows", "the column in clear"),
        ("yes or no", f"SELECT 1 WHERE EXISTS (SELECT 1 FROM {table} WHERE left({secret}, 3) = '174')", "rows",
         "a fact, guessed"),
        ("other store", f"SELECT member_id FROM {table} WHERE store_id = '{other}'", "rows", "rows of others"),
        ("say another store", f"SET crm.store = '{other}'; SELECT * FROM {view} WHERE store_id = '{other}'", "rows",
         "rows of others"),
        ("peeping function", f"{start}{peep}SELECT count(*) FROM {view} WHERE pg_temp.peep(store_id, member_id)",
         "notice", "rows of others, before the view drops them"),
        ("telling error", f"{start}SELECT count(*) FROM {view} WHERE {tell}", "error", "a value, in the message"),
        ("become the owner", f"SET ROLE {keeper}; SELECT {secret} FROM {table}", "rows", "all rights of the owner"),
        ("become the superuser", "SET SESSION AUTHORIZATION postgres; SELECT 1", "rows", "all rights"),
        ("rule off", f"SET row_security = off; SELECT member_id FROM {table} WHERE store_id = '{other}'", "rows",
         "rows of others"),
        ("copy", f"COPY {table} TO STDOUT", "rows", "the whole table as a file"),
        ("run a program", "COPY (SELECT 1) TO PROGRAM 'id'", "rows", "the machine of the server"),
        ("statistics", f"SELECT histogram_bounds FROM pg_stats WHERE tablename = '{table}' AND attname = '{secret}'",
         "rows", "values kept by the planner"),
        ("raw statistics", "SELECT stavalues1 FROM pg_statistic LIMIT 1", "rows", "values kept by the planner"),
        ("later table", "SELECT * FROM members_old", "rows", "a copy that somebody made later"),
        ("who works where", "SELECT * FROM staff", "rows", "accounts to try"),
        ("move myself", f"UPDATE staff SET store_id = '{other}'", "rows", "the right to see another store"),
        ("own view", f"CREATE VIEW mine AS SELECT * FROM {table}; SELECT 1", "rows", "a door for later"),
        ("count", f"{start}SELECT count(*) FROM {table} HAVING count(*) > (SELECT count(*) FROM {view})", "rows",
         "how many there are"),
        ("estimate", f"SELECT reltuples FROM pg_class WHERE relname = '{table}' AND reltuples > 0", "rows",
         "about how many there are"),
        ("names of columns", f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0",
         "rows", "what else there is"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["attack", "sql", "via", "wants"])


def try_server_attacks(engine, attacks):
    """Run attacks on a server and say what each got.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        How the attacker connects, by `connect_postgres`.
    attacks : pandas.DataFrame
        attack, sql and via, as `server_attacks` writes them.

    Returns
    -------
    pandas.DataFrame
        attack, got ("refused"; "nothing": allowed, but no loot; "done": carried out; "rows"; "told": the loot stood in
        an error message), rows (of notices at most 100 are kept), first (the first values), says (what the server
        said).

    Raises
    ------
    ValueError
        A column is missing.
    """
    need(attacks, ["attack", "sql", "via"], "table of attacks")
    rows = [(one.attack, *_try(engine, one.sql, one.via)) for one in attacks.itertuples()]
    return pd.DataFrame(rows, columns=["attack", "got", "rows", "first", "says"])


def attack_both(server, tables, matrix, staff, account, as_of=None):
    """Make the base twice, open and locked, and attack both with one account.

    Parameters
    ----------
    server : PostgresServer
        A fresh one.
    tables, matrix, staff, as_of
        As in `load_server`; the tables hold members.
    account : str
        One of the staff that sees its own store only.

    Returns
    -------
    pandas.DataFrame
        A row an attack: open and locked (what it got, as in `try_server_attacks`).

    Raises
    ------
    ValueError
        There is no such account, or as in `load_server`.
    """
    mine = need(staff, ["account", "role", "store_id"], "table of staff").query("account == @account")
    if mine.empty or pd.isna(mine["store_id"].iloc[0]):
        raise ValueError(f"there is no account {account!r} with a store among the staff")
    _, role, own = mine.iloc[0]
    other = next(store for store in sorted(tables["members"]["store_id"].dropna().unique()) if store != own)
    words, got = add_accounts(server, staff), {}
    for base in SERVER_GUARDS:
        load_server(server, base, tables, matrix, staff, guard=base, as_of=as_of)
        run_statements(connect_postgres(server, database=base), later_copy_sql(base))
        engine = connect_postgres(server, account, words[account], base)
        tried = try_server_attacks(engine, server_attacks(role, base, own, other))
        got[base] = tried.set_index("attack")["got"]
    return pd.DataFrame(got)


def check_doors(doors):
    """Look for doors that stand open in a table of who may connect from where.

    Parameters
    ----------
    doors : pandas.DataFrame
        type ("host": with or without TLS, "hostssl": with TLS only), database, user, address (as 10.0.2.0/24), method;
        the rows of ``pg_hba.conf``, of which the first that fits counts.

    Returns
    -------
    pandas.DataFrame
        row (from 1), problem; empty if none was found.

    Raises
    ------
    ValueError
        A column is missing, or an address is none.

    Examples
    --------
    >>> doors = pd.DataFrame([["host", "crm", "all", "0.0.0.0/0", "trust"]], columns=DOOR_COLUMNS)
    >>> check_doors(doors)["problem"].tolist()
    ['asks for no password', 'open to every address', 'lets in without TLS from another machine']
    """
    import ipaddress

    found = []
    for row, door in enumerate(need(doors, DOOR_COLUMNS, "table of doors").itertuples(), start=1):
        try:
            network = ipaddress.ip_network(door.address)
        except ValueError as error:
            raise ValueError(f"row {row} of the doors: {door.address!r} is no address, such as 10.0.2.0/24") from error
        weak = {"trust": "asks for no password", "password": "password in clear", "md5": "weak hash of the password"}
        checks = {
            weak.get(door.method): door.method in weak,
            "open to every address": network.prefixlen == 0,
            "lets in without TLS from another machine": door.type != "hostssl" and not network.is_loopback,
            "the superuser comes from another machine": door.user == "postgres" and not network.is_loopback,
        }
        found += [(row, problem) for problem, bad in checks.items() if bad and door.method != "reject"]
    return pd.DataFrame(found, columns=["row", "problem"])


def set_doors(server, doors):
    """Write who may connect from where, and let the server read it. What is in no row is refused.

    Parameters
    ----------
    server : PostgresServer
    doors : pandas.DataFrame
        As in `check_doors`.

    Raises
    ------
    ValueError
        A column is missing, the server does not understand a row, or no row lets the superuser in from this machine:
        nothing is changed then.
    """
    need(doors, DOOR_COLUMNS, "table of doors")
    fits = doors["user"].isin(["postgres", "all"]) & doors["database"].isin(["postgres", "all"])
    if not (fits & doors["address"].str.startswith("127.0.0.1/") & (doors["method"] != "reject")).any():
        raise ValueError("no row lets the user postgres in from 127.0.0.1: you would lock yourself out")
    before = (server.folder / "data" / "pg_hba.conf").read_bytes()
    text = "\n".join(" ".join(row) for row in doors[DOOR_COLUMNS].astype("str").to_numpy()) + "\n"
    with connect_postgres(server).connect() as connection:
        put_file(server, "pg_hba.conf", text.encode())
        asked = "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL"
        wrong = connection.exec_driver_sql(asked).fetchall()
        if wrong:
            put_file(server, "pg_hba.conf", before)
            raise ValueError(f"row {wrong[0][0]} of the doors: {wrong[0][1]}")
    reload_settings(server)


def try_doors(server, attempts, words):
    """Knock at the doors of a server.

    Parameters
    ----------
    server : PostgresServer
    attempts : pandas.DataFrame
        user, database, source (the address to come from: on Linux each 127.x.y.z is an address of this machine).
    words : dict of str to str
        User → password that is tried.

    Returns
    -------
    pandas.DataFrame
        The attempts with got ("in" or "refused") and says.
    """
    from pg8000.exceptions import DatabaseError, InterfaceError
    from sqlalchemy.exc import DBAPIError

    rows = []
    for one in need(attempts, ["user", "database", "source"], "table of attempts").itertuples():
        engine = connect_postgres(
            server, one.user, words.get(one.user, ""), one.database, ssl_context=False, source_address=(one.source, 0)
        )
        try:
            with engine.connect():
                rows.append(("in", ""))
        except (DBAPIError, DatabaseError, InterfaceError) as error:
            rows.append(("refused", _message(getattr(error, "orig", error))))
    return attempts.reset_index(drop=True).join(pd.DataFrame(rows, columns=["got", "says"]))


def _try(engine, sql, via):
    from pg8000.exceptions import DatabaseError

    stream = io.BytesIO()
    with closing(engine.raw_connection()) as connection:
        driver = connection.driver_connection
        try:
            driver.execute_simple("BEGIN")
            if sql.startswith("COPY"):
                driver.execute_unnamed(sql, stream=stream)
                found = [[line] for line in stream.getvalue().decode().splitlines()]
                columns = True
            else:
                result = driver.execute_simple(sql)
                found, columns = result.rows or [], result.columns
        except DatabaseError as error:
            told = via == "error" and error.args[0].get("C") == "42P01"  # there is no table of the name …
            return ("told" if told else "refused"), int(told), "", _message(error)
        if via != "rows":
            found, columns = ([[note[b"M"].decode()] for note in driver.notices] if via == "notice" else []), True
    got = "rows" if found else "nothing" if columns else "done"
    return got, len(found), ", ".join(str(value) for value in found[0])[:40] if found else "", ""


def _message(error):
    return error.args[0].get("M", "") if isinstance(error.args[0], dict) else str(error.args[0])
