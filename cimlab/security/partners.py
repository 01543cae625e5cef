"""Customer data for a partner (合作伙伴): a contract whose clauses a program keeps, for one purpose and until one day.

What a partner holds cannot be called back. So it gets few columns of few persons, under pseudonyms that fit no other
extract, and nothing after the end.
"""

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.collection.consent import consent_state
from cimlab.security.deidentify import pseudonyms
from cimlab.security.rules import read_rules

CONTRACT_KEYS = ["partner", "purpose", "consent", "columns", "valid_from", "valid_until", "key"]
# A rule a column; days are written 2026-06-30, so that the order of the text is the order of time.
PARTNER_MODEL = """
[request_definition]
r = partner, purpose, column, day

[policy_definition]
p = partner, purpose, column, first, last

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.partner == p.partner && r.purpose == p.purpose && r.column == p.column && r.day >= p.first && r.day <= p.last
"""


def check_contract(contract, dictionary, max_days=366, max_columns=4):
    """Hold a contract with a partner against what the house demands of it.

    Parameters
    ----------
    contract : dict
        partner, purpose (what for), consent (purpose of the consent that carries it, "marketing" …), columns (list),
        valid_from, valid_until (days), key (the secret of its pseudonyms), and revoked_on if it was ended.
    dictionary : pandas.DataFrame
        What ``cimlab.describe(table)`` returns: column and personal_data.
    max_days, max_columns : int
        The longest term, and the most columns.

    Returns
    -------
    pandas.DataFrame
        clause, holds (bool), evidence.

    Raises
    ------
    ValueError
        The contract lacks an entry, or a date is none.

    Examples
    --------
    >>> contract = {"partner": "print shop", "purpose": "birthday letter", "consent": "marketing", "columns": ["phone"],
    ...             "valid_from": "2026-01-01", "valid_until": "2026-06-30", "key": "a key of its own, long"}
    >>> dictionary = pd.DataFrame({"column": ["phone", "tier"], "personal_data": ["medium", "general"]})
    >>> check_contract(contract, dictionary)[["clause", "holds"]].to_numpy().tolist()[2]
    ['no column above general', False]
    """
    first, last = _term(contract)
    grades = need(dictionary, ["column", "personal_data"], "data dictionary").set_index("column")["personal_data"]
    columns = list(contract["columns"])
    unknown = [column for column in columns if column not in grades.index]
    above = [column for column in columns if grades.get(column) in ("medium", "high")]
    ids = [column for column in columns if column.endswith("_id") and grades.get(column) != "none"]
    days = (pd.Timestamp(last) - pd.Timestamp(first)).days + 1
    purpose = str(contract["purpose"]).strip()
    rows = [
        ("says what for", bool(purpose), purpose or "blank"),
        ("columns exist", not unknown, ", ".join(unknown) or "all"),
        ("no column above general", not above, ", ".join(above) or "none"),
        ("no id of the house", not ids, ", ".join(ids) or "pseudonyms instead"),
        ("few columns", 0 < len(columns) <= max_columns, f"{len(columns)}; at most {max_columns}"),
        ("ends", 0 < days <= max_days, f"{days} days; at most {max_days}"),
        ("own key", len(str(contract["key"])) >= 16, f"{len(str(contract['key']))} characters; at least 16"),
    ]
    return pd.DataFrame(rows, columns=["clause", "holds", "evidence"])


def contract_rules(contract):
    """Write a contract as rules that end by themselves.

    Parameters
    ----------
    contract : dict
        As in `check_contract`. With revoked_on it ends the day before.

    Returns
    -------
    str
        ``p, partner, purpose, column, first day, last day``: a line a column.

    Examples
    --------
    >>> contract = {"partner": "print shop", "purpose": "letter", "consent": "marketing", "columns": ["tier"],
    ...             "valid_from": "2026-01-01", "valid_until": "2026-06-30", "key": "a key of its own, long"}
    >>> print(contract_rules(contract | {"revoked_on": "2026-03-01"}))
    p, print shop, letter, tier, 2026-01-01, 2026-02-28
    """
    first, last = _term(contract)
    names = [contract["partner"], contract["purpose"], *contract["columns"]]
    if any(sign in str(name) for name in names for sign in ',\n\r"#'):
        raise ValueError("a name in the contract holds a comma, a quotation mark, a # or a line break")
    who = f"p, {contract['partner']}, {contract['purpose']}"
    return "\n".join(f"{who}, {column}, {first}, {last}" for column in contract["columns"])


def partner_extract(members, consents, contract, *, partner, purpose, day):
    """Make what a partner gets on a day: if the contract grants it, of those members who agree on that day.

    Parameters
    ----------
    members, consents : pandas.DataFrame
    contract : dict
        As in `check_contract`.
    partner, purpose : str
        Who asks, and what for.
    day : str or datetime.date
        When.

    Returns
    -------
    pandas.DataFrame
        pseudonym and the columns, sorted by pseudonym, so that the order tells nothing.

    Raises
    ------
    PermissionError
        Another partner or purpose, before the beginning, after the end, or revoked.
    ValueError
        The contract lacks an entry, or a column is missing.

    Examples
    --------
    >>> contract = {"partner": "print shop", "purpose": "letter", "consent": "marketing", "columns": ["tier"],
    ...             "valid_from": "2026-01-01", "valid_until": "2026-06-30", "key": "a key of its own, long"}
    >>> partner_extract(None, None, contract, partner="print shop", purpose="letter", day="2026-07-01")
    Traceback (most recent call last):
    ...
    PermissionError: 'print shop' may not have tier for 'letter' on 2026-07-01
    """
    rules, written = read_rules(contract_rules(contract), PARTNER_MODEL), _day(day)
    for column in contract["columns"]:
        if not rules.enforce(partner, purpose, column, written):
            raise PermissionError(f"{partner!r} may not have {column} for {purpose!r} on {written}")
    after = pd.Timestamp(written) + pd.Timedelta(days=1)  # who withdraws on the day itself is left out
    state = consent_state(consents, after, members["member_id"], [contract["consent"]])
    agreed = state.loc[state["state"] == "given", "customer_ref"]
    rows = members[members["member_id"].isin(agreed)]
    extract = need(rows, list(contract["columns"]), "table of members")
    extract.insert(0, "pseudonym", pseudonyms(rows["member_id"], contract["key"]))
    return extract.sort_values("pseudonym", ignore_index=True)


def join_extracts(first, second, on):
    """Attack: lay two extracts side by side and count the persons who can be told in both.

    Parameters
    ----------
    first, second : pandas.DataFrame
        Of two partners, or of two contracts of one partner.
    on : list of str
        Columns that both have.

    Returns
    -------
    dict of str to int
        first, second (rows), joined (rows that are the only ones of their kind in both, and so fit one to one).

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> join_extracts(pd.DataFrame({"a": [1, 2, 2]}), pd.DataFrame({"a": [1, 2, 3]}), ["a"])
    {'first': 3, 'second': 3, 'joined': 1}
    """
    keys = [need(table, list(on), "extract").drop_duplicates(keep=False) for table in (first, second)]
    return {"first": len(first), "second": len(second), "joined": len(keys[0].merge(keys[1], on=list(on)))}


def _day(day):
    try:
        return pd.Timestamp(day).date().isoformat()
    except ValueError as error:
        raise ValueError(f"{day!r} is no day, such as 2026-06-30") from error


def _term(contract):
    """Return the first and the last day; a contract that was revoked ends the day before."""
    absent = [key for key in CONTRACT_KEYS if key not in contract]
    if absent:
        raise ValueError(f"the contract does not say: {', '.join(absent)}")
    last = pd.Timestamp(_day(contract["valid_until"]))
    if contract.get("revoked_on"):
        last = min(last, pd.Timestamp(_day(contract["revoked_on"])) - pd.Timedelta(days=1))
    return _day(contract["valid_from"]), _day(last)
