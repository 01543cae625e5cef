"""Who may do what, as rules in a text that a program enforces (访问规则, with pycasbin): duties, stores, columns.

Rules live outside the base: they say *no* before a query is written. `open_for` asks them, and opens a SQLite base with
what they granted (see `access.open_as`); a wrong rule is a wrong lock, so the rules are attacked too.
"""

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.security.access import open_as
from cimlab.security.grades import ROLES

EVERY_STORE = "every store"
_PARTS = """
[request_definition]
r = account, role, store, table, column, right

[policy_definition]
p = role, table, column, right

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = p.role == r.role && p.table == r.table && p.column == r.column && p.right == r.right && """
# As a beginner writes it: a name stands for itself, so who is called like a role has it; any store may be named.
NAIVE_MODEL = _PARTS + f'(g(r.account, r.role, r.store) || g(r.account, r.role, "{EVERY_STORE}"))\n'
RULE_MODEL = NAIVE_MODEL.rstrip() + f' && r.account != r.role && r.store != "{EVERY_STORE}"\n'
REQUEST = ["account", "role", "store", "table", "column", "right"]


def rules_text(matrix, staff, roles=None):
    """Write an access matrix and the staff as rules.

    Parameters
    ----------
    matrix : pandas.DataFrame
        What `access_matrix` returns.
    staff : pandas.DataFrame
        account, role, store_id: a row a person and role; the store counts for a role that sees its own store only.
    roles : dict, optional
        In the form of `ROLES`, which is the default.

    Returns
    -------
    str
        ``p, role, table, column, right`` and ``g, account, role, store``: a line a rule.

    Raises
    ------
    ValueError
        A column is missing, a name holds a comma or a line break, a role is unknown, an account is called like a role,
        or a store is missing.

    Examples
    --------
    >>> matrix = pd.DataFrame([["cashier", "members", "tier", "read"]], columns=["role", "table", "column", "right"])
    >>> staff = pd.DataFrame([["till_02", "cashier", "ST02"]], columns=["account", "role", "store_id"])
    >>> print(rules_text(matrix, staff))
    p, cashier, members, tier, read
    g, till_02, cashier, ST02
    """
    roles = ROLES if roles is None else roles
    granted = need(matrix, ["role", "table", "column", "right"], "access matrix").query("right != 'none'")
    lines = [("p", *row) for row in granted.itertuples(index=False, name=None)]
    for account, role, store in need(staff, ["account", "role", "store_id"], "table of staff").to_numpy().tolist():
        if role not in roles:
            raise ValueError(f"account {account!r}: there is no role {role!r}")
        if account in roles:
            raise ValueError(f"the account {account!r} is called like a role")
        own = roles[role].get("rows") == "own store"
        if own and (pd.isna(store) or store == EVERY_STORE):
            raise ValueError(f"account {account!r}: the role {role!r} sees its own store only, say which")
        lines.append(("g", account, role, store if own else EVERY_STORE))
    for line in lines:
        if any(sign in str(part) for part in line for sign in ',\n\r"#'):
            raise ValueError(f"a name in the rules holds a comma, a quotation mark, a # or a line break: {line}")
    return "\n".join(", ".join(line) for line in lines)


def read_rules(text, model=RULE_MODEL):
    """Make of rules what enforces them.

    Parameters
    ----------
    text : str
        What `rules_text` wrote.
    model : str
        How rules are matched: `RULE_MODEL`, or `NAIVE_MODEL` for the attack.

    Returns
    -------
    casbin.Enforcer
        ``enforce(account, role, store, table, column, right)`` says True or False.

    References
    ----------
    Apache Casbin, Model syntax and RBAC with domains, https://casbin.apache.org/docs.

    Examples
    --------
    >>> rules = read_rules("p, cashier, members, tier, read\\ng, till_02, cashier, ST02")
    >>> rules.enforce("till_02", "cashier", "ST02", "members", "tier", "read")
    True
    >>> rules.enforce("till_02", "cashier", "ST05", "members", "tier", "read")
    False
    """
    import casbin
    from casbin.persist.adapters.string_adapter import StringAdapter

    made = casbin.Model()
    made.load_model_from_text(model)
    return casbin.Enforcer(made, StringAdapter(text))


def try_rules(rules, requests):
    """Ask the rules many times.

    Parameters
    ----------
    rules : casbin.Enforcer
    requests : pandas.DataFrame
        account, role, store, table, column, right.

    Returns
    -------
    pandas.DataFrame
        The requests with allowed (bool).

    Raises
    ------
    ValueError
        A column is missing.
    """
    asked = need(requests, REQUEST, "table of requests").astype("str")
    return requests.assign(allowed=[rules.enforce(*row) for row in asked.itertuples(index=False, name=None)])


def rule_attacks(account, role, store, other="ST05", table="members", column="tier", secret="phone"):
    """Write what somebody would ask who wants more than the own duty.

    Parameters
    ----------
    account, role, store : str
        Of the attacker.
    other : str
        A store that is not the attacker's.
    table, column, secret : str
        A column that the role may read in the own store, and one that it may not.

    Returns
    -------
    pandas.DataFrame
        attack and the request; "honest work" is among them, and must be allowed.

    Examples
    --------
    >>> rule_attacks("till_02", "cashier", "ST02")["attack"].tolist()[:3]
    ['honest work', 'secret column', 'other store']
    """
    rows = [
        ("honest work", account, role, store, column, "read"),
        ("secret column", account, role, store, secret, "read"),
        ("other store", account, role, other, column, "read"),
        ("all stores at once", account, role, EVERY_STORE, column, "read"),
        ("other role", account, "service", store, secret, "read"),
        ("called like a role", role, role, other, column, "read"),
        ("nobody", "nobody", role, store, column, "read"),
        ("any sign", "*", "*", "*", "*", "*"),
        ("no store", account, role, "", column, "read"),
        ("other right", account, role, store, column, "write"),
        ("injected", account, role, f'{other}" || "1" == "1', column, "read"),
    ]
    attacks = pd.DataFrame(rows, columns=["attack", "account", "role", "store", "column", "right"])
    return attacks.assign(table=table)[["attack", *REQUEST]]


def granted_columns(rules, account, role, columns, store=None):
    """Ask the rules for each column what an account may do with it.

    Parameters
    ----------
    rules : casbin.Enforcer
    account, role : str
        Who asks, and in which duty: the purpose belongs to the request.
    columns : pandas.DataFrame
        table and column.
    store : str, optional
        Whose rows are asked for.

    Returns
    -------
    pandas.DataFrame
        role, table, column, right ("read", "masked" or "none"), as `open_as` takes it.
    """
    asked = need(columns, ["table", "column"], "table of columns").drop_duplicates()
    place, rights = store or "-", []
    for table, column in asked.itertuples(index=False, name=None):
        allowed = [right for right in ("read", "masked") if rules.enforce(account, role, place, table, column, right)]
        rights.append(allowed[0] if allowed else "none")
    return asked.assign(role=role, right=rights)[["role", "table", "column", "right"]].reset_index(drop=True)


def open_for(database, account, role, rules, columns, *, store=None, **options):
    """Open a SQLite base for an account, with the columns and rows that the rules grant.

    Parameters
    ----------
    database : str, pathlib.Path or sqlalchemy.Engine
    account, role : str
    rules : casbin.Enforcer
    columns : pandas.DataFrame
        table and column of all that is in the base; what is missing here is not granted.
    store : str, optional
        Whose rows are asked for.
    **options
        as_of, guard and roles, for `open_as`.

    Returns
    -------
    sqlite3.Connection
        See `open_as`.

    Raises
    ------
    PermissionError
        The rules grant this account nothing in this role and store.
    """
    matrix = granted_columns(rules, account, role, columns, store)
    if (matrix["right"] == "none").all():
        where = f" in the store {store}" if store else ""
        raise PermissionError(f"the rules grant {account!r} nothing as {role!r}{where}")
    return open_as(database, role, matrix, store=store, **options)
