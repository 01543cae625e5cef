"""The customer base on a PostgreSQL server (服务器): roles, column rights, row-level security (行级安全), masks.

`load_server` makes a base in one of two ways, so that a lesson can attack both: "open", as it grew in many firms (every
account may read the table, the views only hide), and "locked" (the account has rights on columns, the server adds the
row rule to each query, the owner cannot log in and is under the rule too).
"""

import io
import re
import secrets
from contextlib import closing

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.security.access import ROW_RULES, view_name
from cimlab.security.grades import ROLES
from cimlab.security.masks import MASKS
from cimlab.security.postgres import connect_postgres, run_statements

SERVER_GUARDS = ["open", "locked"]
_LETTERS = "A-Za-z\u4e00-\u9fff"
# The masks of `access.mask_value` in the server's own language; x is the value without blanks around it.
_MASK_SQL = {
    "name": f"CASE WHEN x ~ '^[{_LETTERS}]([{_LETTERS} .·''’,-]*[{_LETTERS}])?[.]?$' THEN left(x, 1) || '*' "
            "ELSE '***' END",
    "phone": "(SELECT CASE WHEN d ~ '^1[0-9]{10}$' THEN left(d, 3) || '****' || right(d, 4) ELSE '***' END FROM "
             "(SELECT regexp_replace(regexp_replace(x, '[ ().-]', '', 'g'), '^([+]?86|0086)(?=1[0-9]{10}$)', '') AS d) "
             "AS digits)",
    "email": "CASE WHEN x ~* '^[^@\\s]+@[a-z0-9-]+([.][a-z0-9-]+)*[.][a-z]+$' "
             "THEN left(x, 1) || '***@' || lower(split_part(x, '@', 2)) ELSE '***' END",
    "id": "CASE WHEN x ~ '^[0-9]{17}[0-9Xx]$' THEN left(x, 1) || repeat('*', 16) || upper(right(x, 1)) ELSE '***' END",
    "age": "(SELECT CASE WHEN count(*) <> 1 OR min(age) NOT BETWEEN 0 AND 110 THEN '***' WHEN min(age) < 20 THEN "
           "'under 20' WHEN min(age) >= 80 THEN '80 and over' ELSE min(age) / 10 * 10 || '-' || min(age) / 10 * 10 + 9 "
           "END FROM (SELECT {year} - m[1]::int AS age FROM regexp_matches(x, "
           "'(?<![0-9])((?:19|20)[0-9][0-9])(?=[^0-9]|[0-9]{4}(?![0-9])|$)', 'g') AS m) AS years)",
    "address": "coalesce(substring(x FROM '^(?:[\u4e00-\u9fff]{2,3}省)?([\u4e00-\u9fff]{2,3})市') || '市', '***')",
    "hide": "'***'",
}  # fmt: skip
_ROW_SQL = {
    "all": "true",
    "own store": "store_id = (SELECT public.my_store())",
    "consented": "member_id IN (SELECT public.consented())",
}


def add_accounts(server, staff):
    """Make a role for each duty and an account for each person on a server, for all its bases.

    Parameters
    ----------
    server : PostgresServer
        What `start_postgres` returned.
    staff : pandas.DataFrame
        account, role: a row a person and role.

    Returns
    -------
    dict of str to str
        Account → its new password, drawn at random.

    Raises
    ------
    ValueError
        A column is missing, or a name is not of small letters, digits and underscores.
    """
    need(staff, ["account", "role"], "table of staff")
    words = {account: secrets.token_urlsafe(18) for account in dict.fromkeys(staff["account"])}
    lines = ["SET LOCAL log_statement = 'none'"]  # or the passwords would stand in the server's log
    lines += [_new_role(name) for name in [*map(_role, dict.fromkeys(staff["role"])), *map(_plain_name, words)]]
    lines += [f"ALTER ROLE {account} LOGIN PASSWORD '{word}'" for account, word in words.items()]
    lines += [
        f"GRANT {_role(role)} TO {account}" for account, role in zip(staff["account"], staff["role"], strict=True)
    ]
    run_statements(connect_postgres(server), lines)
    return words


def load_server(server, base, tables, matrix, staff, *, guard="locked", as_of=None, roles=None):
    """Make a base on a server: its tables and the guard. The accounts are made before, by `add_accounts`.

    Parameters
    ----------
    server : PostgresServer
    base : str
        Name of the new base.
    tables : dict of str to pandas.DataFrame
        The tables to load; with consents, if a role sees the members who agreed only.
    matrix : pandas.DataFrame
        What `access_matrix` returns, for one table or (with ``pandas.concat``) several. Only roles of the staff count.
    staff : pandas.DataFrame
        account, role, store_id (missing for a role that sees all stores).
    guard : str
        "open" or "locked" (default), see above.
    as_of : str or datetime.date, optional
        Day on which an age band is counted; needed if a birth date is masked.
    roles : dict, optional
        Says which rows; `ROLES` by default.

    Raises
    ------
    ValueError
        There is no such guard, a column or a row rule is missing, an account has two stores, or a role of the staff is
        not in the matrix.

    References
    ----------
    PostgreSQL Documentation, chapters "Row Security Policies" and "Rules and Privileges".
    """
    if guard not in SERVER_GUARDS:
        raise ValueError(f"load_server: no guard {guard!r}; there are: {', '.join(SERVER_GUARDS)}")
    need(matrix, ["role", "table", "column", "right"], "access matrix")
    places = need(staff, ["account", "role", "store_id"], "table of staff")[["account", "store_id"]].drop_duplicates()
    twice = places.loc[places["account"].duplicated(), "account"]
    if len(twice):
        raise ValueError(f"the account {twice.iloc[0]!r} has two stores: give each person one account for each store")
    strange = sorted(set(staff["role"]) - set(matrix["role"]))
    if strange:
        raise ValueError(f"the matrix does not know the role {strange[0]!r}")
    make = open_sql if guard == "open" else lock_sql
    statements = make(matrix[matrix["role"].isin(staff["role"])], _plain_name(base), as_of=as_of, roles=roles)
    keeper, viewer = f"{base}_keeper", f"{base}_viewer"
    run_statements(connect_postgres(server), [_new_role(keeper), _new_role(viewer)])
    with connect_postgres(server).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"CREATE DATABASE {base}")
    engine = connect_postgres(server, database=base)
    _load(engine, tables | {"staff": places}, keeper)
    if guard == "open":
        statements.append(f"GRANT {keeper} TO {', '.join(places['account'])}")
    run_statements(engine, [*statements, "ANALYZE"])


def later_copy_sql(base, table="members"):
    """Write how the owner makes a copy of a table some day after the rights were given.

    Examples
    --------
    >>> later_copy_sql("crm")[1]
    'CREATE TABLE members_old (LIKE members)'
    """
    make = [f"SET LOCAL ROLE {base}_keeper", f"CREATE TABLE {table}_old (LIKE {table})", "RESET ROLE"]
    return [*make, f"INSERT INTO {table}_old SELECT * FROM {table}"]


def lock_sql(matrix, base, *, as_of=None, roles=None):
    """Write what locks a base: rights on columns, row rules, masking views, and nothing for the rest.

    The row rule is what stops a function that whispers; the security_barrier of the views is the second line behind it.

    Parameters
    ----------
    matrix : pandas.DataFrame
        role, table, column, right.
    base : str
        Its name; its owner is called base_keeper, the owner of its views base_viewer. Neither can log in.
    as_of : str or datetime.date, optional
    roles : dict, optional

    Returns
    -------
    list of str
        Statements for `run_statements`.

    Raises
    ------
    ValueError
        As in `load_server`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"role": "cashier", "table": "members", "column": ["store_id", "phone", "id_number"],
    ...                        "right": ["read", "masked", "none"]})
    >>> for line in lock_sql(matrix, "crm")[-4:]:
    ...     print(line[:97])
    GRANT SELECT ("store_id") ON members TO cashier
    CREATE VIEW members_cashier WITH (security_barrier) AS SELECT "store_id", mask_phone("phone"::tex
    ALTER VIEW members_cashier OWNER TO crm_viewer
    GRANT SELECT ON members_cashier TO cashier
    """
    keeper, viewer = f"{base}_keeper", f"{base}_viewer"
    everybody = ", ".join(_role(role) for role in dict.fromkeys(matrix["role"]))
    lines = [
        f"REVOKE ALL ON DATABASE {base} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {base} TO {everybody}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {everybody}, {viewer}",
        f"GRANT ALL ON SCHEMA public TO {keeper}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {keeper} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        *_function_sql(matrix, base, as_of, roles),
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {everybody}, {viewer}",
    ]
    for table, part in matrix.groupby("table", sort=False):
        lines += [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"]
        lines.append(f"GRANT SELECT ON {table} TO {viewer}")
        for role, rights in part.groupby("role", sort=False):
            lines += _role_sql(rights, role, table, viewer, roles)
    return lines


def open_sql(matrix, base, *, as_of=None, roles=None):
    """Write how a base often grew: each account may read each table, and views without a barrier do the hiding.

    The person's store is a setting of the session, which the program is trusted to set. Parameters, result and errors
    are those of `lock_sql`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"role": ["service"], "table": ["members"], "column": ["tier"], "right": ["read"]})
    >>> print(open_sql(matrix, "crm")[-3])
    CREATE VIEW members_service AS SELECT "tier" FROM members WHERE true
    """
    lines = [
        f"GRANT ALL ON DATABASE {base} TO PUBLIC",
        "GRANT ALL ON SCHEMA public TO PUBLIC",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {base}_keeper GRANT SELECT ON TABLES TO PUBLIC",
        *_function_sql(matrix, base, as_of, roles),
    ]
    for (table, role), rights in matrix.groupby(["table", "role"], sort=False):
        shown, view = _shown(rights), view_name(table, role)
        if shown:
            rule = _row_rule(role, rights, roles).replace("(SELECT public.my_store())", "current_setting('crm.store')")
            lines.append(f"CREATE VIEW {view} AS SELECT {shown} FROM {table} WHERE {rule}")
            lines += [f"ALTER VIEW {view} OWNER TO {base}_keeper", f"GRANT SELECT ON {view} TO PUBLIC"]
    return lines


def _function_sql(matrix, base, as_of, roles):
    """Write the masks, and the two functions by which a row rule learns who asks, with the rights of the owner."""
    masked = matrix.loc[matrix["right"] == "masked", "column"]
    kinds = list(dict.fromkeys(MASKS.get(column, "hide") for column in masked))
    if "age" in kinds and as_of is None:
        raise ValueError("a role sees age bands: say on which day, as_of=…")
    clean = "nullif(btrim(regexp_replace(normalize(x, NFKC), '\\s+', ' ', 'g')), '')"
    lines = []
    for kind in kinds:
        body = _MASK_SQL[kind].replace("{year}", str(pd.Timestamp(as_of).year) if as_of is not None else "")
        lines.append(f"CREATE FUNCTION mask_{kind}(x text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS "
                     f"$$SELECT {body} FROM (SELECT {clean} AS x) AS clean WHERE x IS NOT NULL$$")  # fmt: skip
    asked = {(ROLES if roles is None else roles).get(role, {}).get("rows") for role in set(matrix["role"])}
    owned = "SECURITY DEFINER STABLE SET search_path = pg_catalog, pg_temp"
    if "own store" in asked:
        lines.append(f"CREATE FUNCTION my_store() RETURNS text LANGUAGE sql {owned} AS "
                     "$$SELECT store_id FROM public.staff WHERE account = session_user$$")  # fmt: skip
    if "consented" in asked:
        lines.append(f"CREATE FUNCTION consented() RETURNS SETOF text LANGUAGE sql {owned} AS "
                     "$$SELECT customer_ref FROM (SELECT DISTINCT ON (customer_ref) customer_ref, action FROM "
                     "public.consents WHERE purpose = 'marketing' ORDER BY customer_ref, recorded_at DESC, consent_id "
                     "DESC) AS last WHERE action = 'given'$$")  # fmt: skip
    names = [re.match(r"CREATE FUNCTION (\w+)", line)[1] for line in lines]
    return lines + [f"ALTER FUNCTION {name} OWNER TO {base}_keeper" for name in names]


def _row_rule(role, rights, roles):
    rule = (ROLES if roles is None else roles).get(role, {}).get("rows")
    if rule not in _ROW_SQL:
        raise ValueError(f"role {role!r}: no row rule {rule!r}; there are: {', '.join(_ROW_SQL)}")
    absent = [column for column in ROW_RULES[rule][1] if column not in set(rights["column"])]
    if absent:
        raise ValueError(f"the rule {rule!r} for {role!r} needs the column {absent[0]}, which the table has not")
    return _ROW_SQL[rule]


def _shown(rights):
    """Write the columns of a view: in clear, masked, or left out."""
    columns = []
    for column, right in zip(rights["column"], rights["right"], strict=True):
        if right == "read":
            columns.append(f'"{column}"')
        elif right == "masked":
            columns.append(f'mask_{MASKS.get(column, "hide")}("{column}"::text) AS "{column}"')
    return ", ".join(columns)


def _role_sql(rights, role, table, viewer, roles):
    """Write what one role gets of one table: the row rule, the open columns, the view with the masked ones."""
    name, view, shown = _role(role), view_name(table, role), _shown(rights)
    if not shown:
        return []
    mine = f"pg_has_role(session_user, '{name}', 'member')"
    rule = f"{mine} AND {_row_rule(role, rights, roles)}"
    lines = [f"CREATE POLICY {view} ON {table} FOR SELECT TO {viewer}, {name} USING ({rule})"]
    plain = ", ".join(f'"{column}"' for column in rights.loc[rights["right"] == "read", "column"])
    lines += [f"GRANT SELECT ({plain}) ON {table} TO {name}"] if plain else []
    lines.append(f"CREATE VIEW {view} WITH (security_barrier) AS SELECT {shown} FROM {table}")
    return [*lines, f"ALTER VIEW {view} OWNER TO {viewer}", f"GRANT SELECT ON {view} TO {name}"]


def _role(role):
    return _plain_name(re.sub(r"[^a-z0-9]+", "_", role.lower()))


def _plain_name(name):
    """A name goes into SQL as it is: so nothing but small letters, digits and underscores."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", str(name)):
        raise ValueError(f"{name!r} is no name for the server: small letters, digits and _, a letter first")
    return name


def _new_role(name):
    there = f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"
    return f"DO $$BEGIN IF NOT EXISTS ({there}) THEN CREATE ROLE {name} NOLOGIN; END IF; END$$"


def _load(engine, tables, keeper):
    """Create the tables, fill them by COPY, and give them to the owner."""
    from pandas.api import types

    with closing(engine.raw_connection()) as connection:
        driver = connection.driver_connection
        driver.execute_simple("BEGIN")
        for name, table in tables.items():
            kinds = [
                "boolean" if types.is_bool_dtype(kind) else "bigint" if types.is_integer_dtype(kind)
                else "float8" if types.is_float_dtype(kind) else "timestamp" if types.is_datetime64_any_dtype(kind)
                else "text" for kind in table.dtypes
            ]  # fmt: skip
            columns = ", ".join(f'"{column}" {kind}' for column, kind in zip(table, kinds, strict=True))
            driver.execute_simple(f"CREATE TABLE {_plain_name(name)} ({columns})")
            text = io.BytesIO(table.to_csv(index=False, header=False).encode())
            driver.execute_unnamed(f"COPY {name} FROM STDIN WITH (FORMAT csv)", stream=text)
            driver.execute_simple(f"ALTER TABLE {name} OWNER TO {keeper}")
        driver.execute_simple("COMMIT")
