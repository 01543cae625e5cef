"""Grades of information against roles (分级管理): who reads what, and why; which rights nobody needs.

Each column of a table has a grade: none (not about a person), general (一般), medium (中) or high (高度机密). Each role
has a purpose, and for each grade a right: "read", "masked" (a part of the value is hidden) or "none". What a purpose
does not ask for is not granted: that is least privilege (最小权限).
"""

import pandas as pd

from cimlab.analysis.columns import need

GRADES = ["none", "general", "medium", "high"]
RIGHTS = ["read", "masked", "none"]

_OPEN = ("read", "says nothing about a person")
_NO_HIGH = ("none", "the purpose can be reached without it")
# For each role: what it is for, which rows it sees (see access.ROW_RULES), a right and its reason for each grade, and
# under "columns" the exceptions, by the name of the column. A team would argue about each line: that is the use of it.
ROLES = {
    "cashier": {
        "purpose": "serve a member at the till of one store",
        "rows": "own store",
        "none": _OPEN,
        "general": ("read", "points and tier are told at the till"),
        "medium": ("none", "not needed to sell"),
        "high": _NO_HIGH,
        "columns": {
            "name": ("masked", "the surname is enough to greet a member"),
            "phone": ("masked", "the last digits tell which of two cards it is"),
        },
    },
    "salesman": {
        "purpose": "advise the members of one store and call them back",
        "rows": "own store",
        "none": _OPEN,
        "general": ("read", "advice rests on what the member is and bought"),
        "medium": ("masked", "a part is enough for advice"),
        "high": _NO_HIGH,
        "columns": {
            "name": ("read", "calls the member by name"),
            "phone": ("read", "calls back"),
        },
    },
    "service": {
        "purpose": "answer calls, deliver, settle complaints of all stores",
        "rows": "all",
        "none": _OPEN,
        "general": ("read", "a call may be about any purchase"),
        "medium": ("read", "finds the caller, sends goods to the address"),
        "high": ("masked", "two characters are enough to ask the caller for the rest"),
        "columns": {},
    },
    "analyst": {
        "purpose": "count and model customers; never contact one",
        "rows": "all",
        "none": _OPEN,
        "general": ("read", "the variables of the models"),
        "medium": ("none", "a model needs no names and numbers"),
        "high": _NO_HIGH,
        "columns": {"birth_date": ("masked", "an age band is a variable, a birthday is an identity")},
    },
    "marketing": {
        "purpose": "write to members who agreed to it",
        "rows": "consented",
        "none": _OPEN,
        "general": ("read", "chooses whom to write to"),
        "medium": ("masked", "checks a list by eye; the sending program holds the numbers"),
        "high": _NO_HIGH,
        "columns": {"address": ("none", "writes no letters")},
    },
    "database administrator": {
        "purpose": "keep the base running, backed up and repaired",
        "rows": "all",
        "none": _OPEN,
        "general": ("none", "looks after structure, not contents"),
        "medium": ("none", "looks after structure, not contents"),
        "high": ("none", "looks after structure, not contents"),
        "columns": {},
    },
    "auditor": {
        "purpose": "check that the rules are kept; changes nothing",
        "rows": "all",
        "none": _OPEN,
        "general": ("read", "compares what was done with what was allowed"),
        "medium": ("masked", "sees that a value is there and hidden, not what it is"),
        "high": ("masked", "sees that a value is there and hidden, not what it is"),
        "columns": {},
    },
}

# Two duties that one person may not hold together (职责分离), with the reason.
CONFLICTS = [
    ("database administrator", "auditor", "would audit the own work"),
    ("database administrator", "analyst", "could give the own analysis any data"),
    ("auditor", "marketing", "would judge the use that the own campaign makes of data"),
    ("auditor", "service", "would judge the own look-ups"),
    ("grants rights", "database administrator", "would grant and carry out with nobody between"),
    ("grants rights", "auditor", "would judge the own decisions"),
    ("holds keys", "database administrator", "encryption protects from nobody who holds base and key"),
]


def roles_table(roles=None):
    """Return the roles as a table that a meeting can go through: each right beside its reason.

    Parameters
    ----------
    roles : dict, optional
        In the form of `ROLES`, which is the default.

    Returns
    -------
    pandas.DataFrame
        role, purpose, rows, applies_to (a grade or, for an exception, a column), right, reason.

    Raises
    ------
    ValueError
        A role lacks its purpose, rows, or the right or reason for a grade; or there is no such right.

    Examples
    --------
    >>> table = roles_table()
    >>> table[table["role"] == "cashier"][["applies_to", "right"]].to_string(index=False, header=False).split()
    ['none', 'read', 'general', 'read', 'medium', 'none', 'high', 'none', 'name', 'masked', 'phone', 'masked']
    """
    rows = []
    for role, entry in (ROLES if roles is None else roles).items():
        absent = [key for key in ("purpose", "rows", *GRADES) if key not in entry]
        if absent:
            raise ValueError(f"role {role!r} does not say: {', '.join(absent)}")
        rules = {grade: entry[grade] for grade in GRADES} | dict(entry.get("columns", {}))
        for applies_to, rule in rules.items():
            if not isinstance(rule, tuple | list) or len(rule) != 2 or not str(rule[1]).strip():
                raise ValueError(f"role {role!r}, {applies_to}: give (right, reason), not {rule!r}")
            if rule[0] not in RIGHTS:
                raise ValueError(f"role {role!r}, {applies_to}: no right {rule[0]!r}; there are: {', '.join(RIGHTS)}")
            rows.append((role, entry["purpose"], entry["rows"], applies_to, *rule))
    return pd.DataFrame(rows, columns=["role", "purpose", "rows", "applies_to", "right", "reason"])


def access_matrix(dictionary, roles=None, table="members"):
    """Set the grade of each column against each role: read, masked or none, with the reason.

    Parameters
    ----------
    dictionary : pandas.DataFrame
        What ``cimlab.describe(table)`` returns: column and personal_data (its grade).
    roles : dict, optional
        In the form of `ROLES`, which is the default. An exception for a column goes before the rule for its grade.
    table : str
        Name of the table.

    Returns
    -------
    pandas.DataFrame
        A row a role and column: role, table, column, grade, right, reason. `plain_matrix` makes of it the matrix that
        hangs on the wall.

    Raises
    ------
    ValueError
        A column has no grade or one that does not exist: what is not graded is not granted to anybody.

    References
    ----------
    Sandhu, R. et al. (1996). Role-based access control models. Computer 29(2), 38-47.

    Examples
    --------
    >>> dictionary = pd.DataFrame({"column": ["phone", "tier"], "personal_data": ["medium", "general"]})
    >>> access_matrix(dictionary).query("role == 'cashier'")[["column", "right", "reason"]]
      column   right                                        reason
    0  phone  masked  the last digits tell which of two cards it is
    1   tier    read           points and tier are told at the till
    """
    dictionary = need(dictionary, ["column", "personal_data"], "data dictionary")
    ungraded = dictionary[~dictionary["personal_data"].isin(GRADES)]
    if len(ungraded):
        column, grade = ungraded.iloc[0][["column", "personal_data"]]
        raise ValueError(f"column {column!r} has the grade {grade!r}: grade it first, one of {', '.join(GRADES)}")
    rules = roles_table(roles).set_index(["role", "applies_to"])[["right", "reason"]]
    rows = []
    for role in rules.index.get_level_values("role").unique():
        for column, grade in zip(dictionary["column"], dictionary["personal_data"], strict=True):
            rule = rules.loc[(role, column if (role, column) in rules.index else grade)]
            rows.append((role, table, column, grade, rule["right"], rule["reason"]))
    return pd.DataFrame(rows, columns=["role", "table", "column", "grade", "right", "reason"])


def plain_matrix(matrix):
    """Lay the rights out as a plain matrix: a row a column of the table, a column a role.

    Parameters
    ----------
    matrix : pandas.DataFrame
        What `access_matrix` returns, for one table.

    Returns
    -------
    pandas.DataFrame
        grade, then a column a role, with read, masked or none; in the order of the data dictionary and of the roles.

    Raises
    ------
    ValueError
        A column is missing, or a role has two rights for one column (several tables in one matrix).

    Examples
    --------
    >>> dictionary = pd.DataFrame({"column": ["phone", "tier"], "personal_data": ["medium", "general"]})
    >>> plain_matrix(access_matrix(dictionary))[["grade", "cashier", "salesman", "analyst"]]
              grade cashier salesman analyst
    column
    phone    medium  masked     read    none
    tier    general    read     read    read
    """
    matrix = need(matrix, ["role", "column", "grade", "right"], "access matrix")
    if matrix.duplicated(["role", "column"]).any():
        raise ValueError("plain_matrix lays out one table: choose it first, matrix[matrix['table'] == …]")
    grades = matrix.drop_duplicates("column").set_index("column")[["grade"]]
    rights = {role: part.set_index("column")["right"] for role, part in matrix.groupby("role", sort=False)}
    return grades.assign(**rights)


def least_privilege(granted, used):
    """Find the rights that nobody used: candidates to be taken back.

    Parameters
    ----------
    granted : pandas.DataFrame
        role, column, right, and table if there are several; rows with the right "none" grant nothing.
    used : pandas.DataFrame
        role, column (and table): what was looked at in a time long enough for every duty to come up once, from the
        audit trail.

    Returns
    -------
    pandas.DataFrame
        The rows of `granted` that nobody used, the highest grade first if there are grades. A right that is needed
        once a year is in it too: ask before taking it back.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> granted = pd.DataFrame({"role": ["service", "service", "cashier"], "column": ["phone", "id_number", "phone"],
    ...                         "right": ["read", "masked", "none"]})
    >>> least_privilege(granted, pd.DataFrame({"role": ["service"], "column": ["phone"]}))
          role     column   right
    0  service  id_number  masked
    """
    keys = _keys(granted, used)
    rights = granted[granted["right"] != "none"]
    idle = rights[~_pairs(rights, keys).isin(_pairs(used, keys))]
    if "grade" in idle:
        idle = idle.sort_values("grade", key=lambda grade: -grade.map(GRADES.index), kind="stable")
    return idle.reset_index(drop=True)


def rights_report(granted, used):
    """Sum up each role: how much it may see, how much of it is idle, and what it saw without a right.

    Parameters
    ----------
    granted : pandas.DataFrame
        What `access_matrix` returns.
    used : pandas.DataFrame
        role, column (and table), as in `least_privilege`.

    Returns
    -------
    pandas.DataFrame
        A row a role, also one that is only in `used`: read, masked, none (columns), read_high (columns of the highest
        grade read in clear), unused (rights), without_right (columns used that were not granted).

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> granted = access_matrix(pd.DataFrame({"column": ["phone"], "personal_data": ["medium"]}))
    >>> used = pd.DataFrame({"role": ["analyst"], "column": ["phone"]})
    >>> rights_report(granted, used).loc[["analyst", "service"], ["read", "none", "unused", "without_right"]]
             read  none  unused  without_right
    role
    analyst     0     1       0              1
    service     1     0       1              0
    """
    need(granted, ["grade"], "table of granted rights")
    keys = _keys(granted, used)
    uses = used[keys].drop_duplicates()
    allowed = granted[granted["right"] != "none"]
    stray = uses[~_pairs(uses, keys).isin(_pairs(allowed, keys))]
    roles = list(dict.fromkeys([*granted["role"], *used["role"]]))
    high = granted[(granted["grade"] == "high") & (granted["right"] == "read")]
    counts = {right: granted[granted["right"] == right] for right in RIGHTS}
    counts |= {"read_high": high, "unused": least_privilege(granted, used), "without_right": stray}
    report = pd.DataFrame({name: part["role"].value_counts() for name, part in counts.items()}, index=roles)
    return report.fillna(0).astype("int64").rename_axis("role")


def check_separation(assignments, conflicts=None):
    """Find persons who hold two duties that must not be in one hand (职责分离).

    Parameters
    ----------
    assignments : pandas.DataFrame
        person, role: a row a duty of a person.
    conflicts : list of (str, str, str), optional
        Two duties and the reason; `CONFLICTS` by default.

    Returns
    -------
    pandas.DataFrame
        person, first, second, reason; empty if all is well. It knows only the pairs in the list.

    Raises
    ------
    ValueError
        A column is missing or holds a blank: a duty without a person cannot be checked.

    Examples
    --------
    >>> staff = pd.DataFrame({"person": ["Bo", "Bo", "An"], "role": ["auditor", "database administrator", "auditor"]})
    >>> check_separation(staff)
      person                   first   second                    reason
    0     Bo  database administrator  auditor  would audit the own work
    """
    assignments = need(assignments, ["person", "role"], "table of assignments")
    if assignments.isna().any(axis=None):
        raise ValueError(f"check_separation: row {assignments.index[assignments.isna().any(axis=1)][0]} has a blank")
    rows = []
    for person, roles in assignments.groupby("person")["role"]:
        held = set(roles)
        for first, second, reason in CONFLICTS if conflicts is None else conflicts:
            if {first, second} <= held:
                rows.append((person, first, second, reason))
    return pd.DataFrame(rows, columns=["person", "first", "second", "reason"])


def _keys(granted, used):
    """Check both tables, and return what a right is known by; the table counts only if both name it."""
    need(granted, ["role", "column", "right"], "table of granted rights")
    need(used, ["role", "column"], "table of uses")
    if "table" in granted and "table" not in used and len(set(granted["table"])) > 1:
        raise ValueError("rights in several tables were granted: the table of uses must have a column table too")
    return ["role", "table", "column"] if "table" in granted and "table" in used else ["role", "column"]


def _pairs(frame, keys):
    return pd.Series(list(frame[keys].itertuples(index=False, name=None)), index=frame.index, dtype=object)
