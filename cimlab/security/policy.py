"""A database management policy (数据库管理制度) that people read and a program checks; and a risk score (风险评估).

A clause that names a check can be held against facts: tables of accounts, backups, staff … as they are on a day. What
no fact was given for is "not checked", never "holds".
"""

import pandas as pd

from cimlab.analysis.columns import need

PARTS = ["general", "use", "change and upkeep", "security"]

DEFAULT_POLICY = """
policy: Management of the customer database of Xudong
clauses:
- id: G1
  part: general
  text: The database serves the service of customers who know of it. Every other use needs a decision in writing.
- id: G2
  part: general
  text: Each role has one owner in the firm who answers for its rights.
  check: roles have owners
- id: G3
  part: general
  text: Whoever works with customer data has signed the confidentiality agreement before the first day.
  check: agreements signed
- id: G4
  part: general
  text: Whoever works with customer data is trained every year.
  check: training done
  parameters: {max_days: 365}
- id: U1
  part: use
  text: A role reads what its purpose asks for, and every look is written in the audit trail.
- id: U2
  part: use
  text: A partner gets customer data only under a contract that is in force and says what the data are for.
  check: partners have contracts
- id: C1
  part: change and upkeep
  text: The base is backed up every day.
  check: backup is fresh
  parameters: {max_days: 1}
- id: C2
  part: change and upkeep
  text: Once a quarter a backup is restored on another machine and found complete.
  check: restore was tested
  parameters: {max_days: 92}
- id: C3
  part: change and upkeep
  text: Contacts are kept for three years and then removed or made anonymous.
  check: retention is kept
  parameters: {max_days: 1096}
- id: S1
  part: security
  text: Accounts without a second factor change their password twice a year; all do at once after an incident.
  check: passwords are fresh
  parameters: {max_days: 183}
- id: S2
  part: security
  text: Every place that holds customer data is encrypted, backups and laptops too.
  check: storage is encrypted
- id: S3
  part: security
  text: For an incident three people can be reached, and their numbers are tried twice a year.
  check: incident contacts
  parameters: {at_least: 3, max_days: 183}
"""

RISK_GRADES = [(4, "low"), (9, "medium"), (16, "high"), (25, "severe")]  # up to this score


def read_policy(text):
    """Read a policy, and refuse one that could not be checked as it is meant.

    Parameters
    ----------
    text : str
        YAML: policy (its name) and clauses, each with id, part (one of `PARTS`), text and, if a program can check it,
        check (one of ``CHECKS``) and parameters. See `DEFAULT_POLICY`.

    Returns
    -------
    pandas.DataFrame
        A row a clause: id, part, text, check (missing: people judge it), parameters (dict).

    Raises
    ------
    ValueError
        The text is no YAML or no policy, or a clause is wrong: the message says which and what.

    Examples
    --------
    >>> read_policy(DEFAULT_POLICY)["part"].value_counts(sort=False).to_dict()
    {'general': 4, 'use': 2, 'change and upkeep': 3, 'security': 3}
    >>> read_policy(DEFAULT_POLICY.replace("backup is fresh", "backup is frsh"))
    Traceback (most recent call last):
    ...
    ValueError: clause C1: no check 'backup is frsh'; did you mean 'backup is fresh'?
    """
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f", near line {line + 1}"
        raise ValueError(f"the policy is no YAML{where}: mind the blanks at the left and a : within a text") from error
    clauses = content.get("clauses") if isinstance(content, dict) else None
    if not isinstance(clauses, list) or not clauses:
        raise ValueError("the policy has no list of clauses: write clauses: and below it - id: …")
    rows = [_read_clause(clause, number) for number, clause in enumerate(clauses, start=1)]
    table = pd.DataFrame(rows, columns=["id", "part", "text", "check", "parameters"])
    twice = table.loc[table["id"].duplicated(), "id"]
    if len(twice):
        raise ValueError(f"clause {twice.iloc[0]}: the id is there twice")
    return table


def check_policy(policy, facts, as_of):
    """Hold the facts against each clause.

    Parameters
    ----------
    policy : pandas.DataFrame
        What `read_policy` returns.
    facts : dict of str to pandas.DataFrame
        Name → table, as `policy_checks` lists them. What is not given is not checked.
    as_of : str or datetime.date
        The day.

    Returns
    -------
    pandas.DataFrame
        id, part, holds (True, False or missing: not checked), evidence (what was found, in words).

    Raises
    ------
    ValueError
        A column is missing in the policy or in a fact, or a date lies after the day.

    Examples
    --------
    >>> facts = {"backups": pd.DataFrame({"made_on": ["2026-06-28"]})}
    >>> table = check_policy(read_policy(DEFAULT_POLICY), facts, as_of="2026-06-30").set_index("id")
    >>> table.loc["C1", "evidence"], int(table["holds"].isna().sum())
    ('the last is of 2026-06-28, 2 days old; at most 1', 11)
    """
    policy = need(policy, ["id", "part", "check", "parameters"], "policy")
    rows = []
    for identity, part, check, parameters in policy.itertuples(index=False, name=None):
        if pd.isna(check):
            holds, evidence = pd.NA, "not checked: no program can, ask people"
        elif CHECKS[check][1] not in facts:
            holds, evidence = pd.NA, f"not checked: no fact {CHECKS[check][1]!r} was given"
        else:
            function, fact, columns, _ = CHECKS[check]
            table = need(facts[fact], columns, f"fact {fact!r}")
            holds, evidence = function(_dated(table, fact, as_of), pd.Timestamp(as_of), **parameters)
        rows.append((identity, part, holds, evidence))
    table = pd.DataFrame(rows, columns=["id", "part", "holds", "evidence"])
    return table.astype({"holds": "boolean"})


def policy_checks():
    """List the checks that a clause can name, the facts they need and their parameters.

    Returns
    -------
    pandas.DataFrame
        check, fact, columns, parameters.

    Examples
    --------
    >>> policy_checks().set_index("check").loc["backup is fresh"].tolist()
    ['backups', 'made_on', 'max_days']
    """
    rows = [(name, fact, ", ".join(columns), ", ".join(wants)) for name, (_, fact, columns, wants) in CHECKS.items()]
    return pd.DataFrame(rows, columns=["check", "fact", "columns", "parameters"])


def risk_score(checklist):
    """Score risks: likelihood × impact, the worst first.

    Parameters
    ----------
    checklist : pandas.DataFrame
        risk, likelihood and impact, each a whole number from 1 to 5; other columns are kept.

    Returns
    -------
    pandas.DataFrame
        The checklist with score (1 to 25) and grade (low up to 4, medium up to 9, high up to 16, severe), sorted by
        score, then impact: of two equal products, the rare disaster goes before the daily trouble. The product is a
        help to rank, no amount of money: 2 × 5 is not "twice" 1 × 5.

    Raises
    ------
    ValueError
        A column is missing, or a value is blank or no whole number from 1 to 5.

    References
    ----------
    NIST SP 800-30 Rev. 1 (2012). Guide for Conducting Risk Assessments.

    Examples
    --------
    >>> risk_score(pd.DataFrame({"risk": ["lost laptop", "leak"], "likelihood": [4, 2], "impact": [2, 5]}))
              risk  likelihood  impact  score   grade
    0         leak           2       5     10    high
    1  lost laptop           4       2      8  medium
    """
    need(checklist, ["risk", "likelihood", "impact"], "checklist")
    for column in ("likelihood", "impact"):
        bad = checklist[~checklist[column].isin([1, 2, 3, 4, 5])]
        if len(bad):
            risk, value = bad.iloc[0][["risk", column]]
            raise ValueError(f"risk {risk!r}: {column} is {value!r}; give a whole number from 1 to 5")
    scored = checklist.astype({"likelihood": "int64", "impact": "int64"})
    scored["score"] = scored["likelihood"] * scored["impact"]
    scored["grade"] = [next(grade for limit, grade in RISK_GRADES if score <= limit) for score in scored["score"]]
    return scored.sort_values(["score", "impact", "risk"], ascending=[False, False, True]).reset_index(drop=True)


def _read_clause(clause, number):
    if not isinstance(clause, dict) or not str(clause.get("id") or "").strip():
        raise ValueError(f"clause number {number} has no id")
    name = f"clause {clause['id']}"
    unknown = set(clause) - {"id", "part", "text", "check", "parameters"}
    if unknown:
        raise ValueError(f"{name}: unknown entry {min(map(str, unknown))!r}")
    if clause.get("part") not in PARTS:
        raise ValueError(f"{name}: part is {clause.get('part')!r}; there are: {', '.join(PARTS)}")
    if not isinstance(clause.get("text"), str) or not clause["text"].strip():
        raise ValueError(f"{name}: it has no text")
    check, parameters = clause.get("check"), clause.get("parameters") or {}
    if check is None and parameters:
        raise ValueError(f"{name}: it has parameters and no check")
    if check is not None:
        _check_call(name, check, parameters)
    return str(clause["id"]), clause["part"], clause["text"].strip(), check, parameters


def _check_call(name, check, parameters):
    """See that a clause names a check that exists, with the parameters that it takes."""
    import difflib

    if check not in CHECKS:
        near = difflib.get_close_matches(str(check), CHECKS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(CHECKS)}"
        raise ValueError(f"{name}: no check {check!r}; {hint}")
    wants = CHECKS[check][3]
    if not isinstance(parameters, dict) or set(parameters) != set(wants):
        given = ", ".join(map(str, parameters)) if parameters else "nothing"
        raise ValueError(f"{name}: the check {check!r} takes {', '.join(wants) or 'no parameters'}, not {given}")
    for key, value in parameters.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name}: {key} is {value!r}; give a whole number")


def _dated(table, fact, as_of):
    """Read the dates of a fact; what has not happened yet is no evidence."""
    for column in [column for column in table if column.endswith("_on")]:
        try:
            table[column] = pd.to_datetime(table[column])
        except ValueError as error:
            raise ValueError(f"fact {fact!r}: {column} holds something that is no date") from error
        late = table[table[column] > pd.Timestamp(as_of)]
        if len(late):
            raise ValueError(f"fact {fact!r}: {column} {late[column].iloc[0].date()} lies after {as_of}")
    return table


def _names(table, column):
    names = sorted(table[column].astype("str"))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _all_good(table, good, column, what):
    """Judge a fact of which each row must be good; no rows are no evidence."""
    if table.empty:
        return pd.NA, "not checked: the fact has no rows"
    bad = table[~good.fillna(False).astype(bool)]
    if bad.empty:
        return True, f"all {len(table)}: {what}"
    return False, f"{len(bad)} of {len(table)} not: {_names(bad, column)} ({what})"


def _young(dates, as_of, max_days):
    return (as_of.normalize() - dates.dt.normalize()).dt.days <= max_days


def _filled(texts):
    return texts.fillna("").astype("str").str.strip() != ""


def _fresh_backup(table, as_of, max_days, column="made_on"):
    last = table[column].max()
    if pd.isna(last):
        return False, "there is none"
    days = (as_of.normalize() - last.normalize()).days
    return (
        days <= max_days,
        f"the last is of {last.date()}, {days} day{'' if days == 1 else 's'} old; at most {max_days}",
    )


def _restore_tested(table, as_of, max_days):
    return _fresh_backup(table[table["succeeded"].fillna(False).astype(bool)], as_of, max_days, "tested_on")


def _contacts(table, as_of, at_least, max_days):
    reached = int(_young(table["tried_on"], as_of, max_days).sum())
    return reached >= at_least, f"{reached} of {len(table)} tried within {max_days} days; at least {at_least}"


# Check → function (table, as_of, parameters), name of the fact, its columns, its parameters.
CHECKS = {
    "passwords are fresh": (
        lambda t, day, max_days: _all_good(
            t,
            _young(t["changed_on"], day, max_days) | t["second_factor"].fillna(False).astype(bool),
            "account",
            f"changed within {max_days} days or with a second factor",
        ),
        "accounts", ["account", "changed_on", "second_factor"], ["max_days"],
    ),
    "backup is fresh": (_fresh_backup, "backups", ["made_on"], ["max_days"]),
    "restore was tested": (_restore_tested, "restores", ["tested_on", "succeeded"], ["max_days"]),
    "storage is encrypted": (
        lambda t, _: _all_good(t, t["encrypted"], "place", "encrypted"), "storage", ["place", "encrypted"], [],
    ),
    "roles have owners": (
        lambda t, _: _all_good(t, _filled(t["owner"]), "role", "with an owner"),
        "roles", ["role", "owner"], [],
    ),
    "retention is kept": (
        lambda t, day, max_days: _all_good(
            t, _young(t["oldest_on"], day, max_days), "table", f"nothing older than {max_days} days"
        ),
        "holdings", ["table", "oldest_on"], ["max_days"],
    ),
    "training done": (
        lambda t, day, max_days: _all_good(
            t, _young(t["trained_on"], day, max_days), "person", f"trained within {max_days} days"
        ),
        "training", ["person", "trained_on"], ["max_days"],
    ),
    "agreements signed": (
        lambda t, _: _all_good(t, t["signed_on"] <= t["started_on"], "person", "signed before the first day"),
        "agreements", ["person", "started_on", "signed_on"], [],
    ),
    "partners have contracts": (
        lambda t, day: _all_good(
            t,
            (pd.to_datetime(t["valid_until"]) >= day.normalize()) & _filled(t["purpose"]),
            "partner",
            "a contract in force that says what for",
        ),
        "partners", ["partner", "valid_until", "purpose"], [],
    ),
    "incident contacts": (_contacts, "contacts", ["name", "tried_on"], ["at_least", "max_days"]),
}  # fmt: skip
