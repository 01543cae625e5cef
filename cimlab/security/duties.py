"""The duties under five laws (合规义务), each with its article, and computed where data can show whether it is met.

The table `duties.csv` beside this file is for teaching, as of June 2026: a selection in few words, no legal advice. Of
the Cybersecurity Law the articles of the text of 2017 are named; the amended one, in force since 2026-01-01, counts
them differently.
"""

from pathlib import Path

import pandas as pd

from cimlab.analysis.columns import need

LAWS = {
    "PIPL": "个人信息保护法 (2021)",
    "DSL": "数据安全法 (2021)",
    "CSL": "网络安全法 (2017)",
    "GDPR": "Regulation (EU) 2016/679",
    "CCPA": "California Civil Code, as amended by the CPRA",
}
STATES = ("met", "not met", "cannot be computed")
EXEMPT = ("contract", "employment", "emergency", "free trade zone list")
ROUTES = {
    "none": ("none", "standard contract", "certification", "security assessment"),  # what is enough, by route
    "standard contract or certification": ("standard contract", "certification", "security assessment"),
    "security assessment": ("security assessment",),
}


def duties_table():
    """Read the table of the duties.

    Returns
    -------
    pandas.DataFrame
        One row a duty and law: duty, title, law (a key of `LAWS`), article, who (is to do it), asks (in few words),
        evidence (what of this package answers it), check (missing: people must judge it), limit (as "30 days").

    Examples
    --------
    >>> table = duties_table()
    >>> table.loc[table["duty"] == "copy", ["law", "article", "limit"]].values.tolist()[1]
    ['GDPR', '12(3), 15', '1 month']
    """
    return pd.read_csv(Path(__file__).with_name("duties.csv"), dtype="str", encoding="utf-8")


def transfer_route(persons, sensitive=0, important_data=False, critical_operator=False, exempt=None):
    """Say which route a transfer across the border needs under the rules of China of 22 March 2024 (数据出境).

    Parameters
    ----------
    persons : int
        Different persons whose data (not sensitive ones) went abroad since 1 January, this transfer with them.
    sensitive : int
        Different persons whose sensitive data went abroad since 1 January.
    important_data : bool
        Data that an authority has named as important (重要数据) are among them.
    critical_operator : bool
        The sender runs critical infrastructure (关键信息基础设施).
    exempt : {None, "contract", "employment", "emergency", "free trade zone list"}
        A reason of articles 5 and 6: needed for a contract with the person, for staff, in an emergency, or not on the
        list of a free trade zone.

    Returns
    -------
    dict
        route ("none", "standard contract or certification", "security assessment"), why, article (of the Provisions).
        Notice, separate consent where consent is the basis, and an impact assessment are due on every route (art. 10).

    Raises
    ------
    ValueError
        A number is below 0, or the reason is not known.

    References
    ----------
    Cyberspace Administration of China (2024). Provisions on promoting and regulating cross-border data flows
    (促进和规范数据跨境流动规定), articles 5 to 8. As of June 2026; for teaching, no legal advice.

    Examples
    --------
    >>> [transfer_route(persons)["route"] for persons in (2_600, 100_000, 1_000_000)]
    ['none', 'standard contract or certification', 'security assessment']
    >>> transfer_route(2_600, sensitive=300)["route"]
    'standard contract or certification'
    """
    if persons < 0 or sensitive < 0 or exempt not in (None, *EXEMPT):
        raise ValueError(f"numbers of persons are 0 or more, and a reason is one of {', '.join(EXEMPT)}, or None")
    contract, assessment = "standard contract or certification", "security assessment"
    if important_data:
        route, why, article = assessment, "important data", "7"
    elif exempt:
        route, why, article = "none", f"exempt: {exempt}", "6" if exempt == EXEMPT[-1] else "5"
    elif critical_operator:
        route, why, article = assessment, "operator of critical infrastructure", "7(1)"
    elif persons >= 1_000_000 or sensitive >= 10_000:
        route, why, article = assessment, "1,000,000 persons, or 10,000 with sensitive data", "7(2)"
    elif persons >= 100_000:
        route, why, article = contract, "100,000 persons or more", "8"
    elif sensitive > 0:
        route, why, article = contract, "sensitive data of fewer than 10,000 persons", "8"
    else:
        route, why, article = "none", "fewer than 100,000 persons, nothing sensitive", "5(4)"
    return {"route": route, "why": why, "article": article}


def check_duties(facts, as_of, duties=None):
    """Hold facts against the duties: met, not met, or cannot be computed.

    Parameters
    ----------
    facts : dict of str to pandas.DataFrame
        What is known; each may be left out:

        - messages, profiles, shared: one row a message or person, allowed (bool);
        - uses: effect, as `consent_withdrawn_effect` returns it;
        - consents: state and notice_version, as ``collection.consent_state`` returns it; the version in force is the
          newest one that is there, by its name;
        - plan: the findings of ``collection.audit_plan``; retention: the table of `retention_due`; left: the finds of
          `check_erased`;
        - requests: kind (copy, correction …), received_on, answered_on (missing: still open);
        - columns: personal_data (none, general, medium, high), protection (plain, masked, encrypted …);
        - partners: partner, contract_until; transfers: persons, sensitive (not counted before in this year), done;
        - assessments: use, began_on, assessed_on; incidents: noticed_at, told_at.
    as_of : str or datetime.date
        The day.
    duties : pandas.DataFrame, optional
        `duties_table` when left out.

    Returns
    -------
    pandas.DataFrame
        One row a duty and law: duty, law, article, state (one of `STATES`), found (in words).

    Raises
    ------
    ValueError
        A fact is not known, lacks a column, or a check of the table is not known.

    Examples
    --------
    >>> asked = pd.DataFrame({"kind": ["copy"], "received_on": ["2026-05-10"], "answered_on": ["2026-06-15"]})
    >>> state = check_duties({"requests": asked}, "2026-06-30")
    >>> state.loc[state["duty"] == "copy", ["law", "state", "found"]]
         law    state               found
    24  PIPL  not met  1 of 1 are too late
    25  GDPR  not met  1 of 1 are too late
    26  CCPA      met  0 of 1 are too late
    """
    duties = duties_table() if duties is None else duties
    duties = need(duties, ["duty", "law", "article", "check", "limit"], "table of duties")
    strange = sorted(set(facts) - set(FACTS)) + sorted(set(duties["check"].dropna()) - set(_CHECKS))
    if strange:
        raise ValueError(f"not known: {', '.join(strange)}; facts are: {', '.join(FACTS)}")
    day, rows = pd.Timestamp(as_of).normalize(), []
    for row in duties.itertuples():
        if pd.isna(row.check):
            rows.append((STATES[2], "people must judge it"))
            continue
        fact, function = _CHECKS[row.check]
        if fact not in facts:
            rows.append((STATES[2], f"no facts: {fact}"))
            continue
        wrong, of, what = function(need(facts[fact], FACTS[fact], f"fact {fact}"), row, day)
        found = f"{wrong} {what}" if of is None else f"{wrong} of {of} {what}"
        rows.append((STATES[2] if of == 0 else STATES[0] if wrong == 0 else STATES[1], found))
    return duties[["duty", "law", "article"]].assign(state=[r[0] for r in rows], found=[r[1] for r in rows])


# Fact → the columns that it needs.
FACTS = {
    "messages": ["allowed"],
    "profiles": ["allowed"],
    "shared": ["allowed"],
    "uses": ["effect"],
    "consents": ["state", "notice_version"],
    "plan": ["fault"],
    "retention": ["table", "rows", "due"],
    "left": ["table"],
    "requests": ["kind", "received_on", "answered_on"],
    "columns": ["personal_data", "protection"],
    "partners": ["partner", "contract_until"],
    "transfers": ["persons", "sensitive", "done"],
    "assessments": ["use", "began_on", "assessed_on"],
    "incidents": ["noticed_at", "told_at"],
}


def _after(times, limit):
    """Return the last moment that is in time: "30 days" after each."""
    number, unit = limit.split()
    return times + pd.DateOffset(**{unit.rstrip("s") + "s": int(number)})


def _agreed(table, row, day):
    return int((~table["allowed"].astype("bool")).sum()), len(table), "are without consent"


def _withdrawn(table, row, day):
    return int((table["effect"] == "must stop").sum()), len(table), "are planned without consent"


def _notice(table, row, day):
    given = table[table["state"] == "given"]
    return int((given["notice_version"] != given["notice_version"].max()).sum()), len(given), "stand on an old notice"


def _plan(table, row, day):
    return len(table), None, "faults in the collection plan"


def _retention(table, row, day):
    return int(table["due"].sum()), int(table["rows"].sum()), "rows are kept too long"


def _left(table, row, day):
    return len(table), None, "traces found after the erasure"


def _requests(table, row, day):
    mine = table[table["kind"] == row.duty]
    received, answered = pd.to_datetime(mine["received_on"]), pd.to_datetime(mine["answered_on"]).fillna(day)
    return int((answered > _after(received, row.limit)).sum()), len(mine), "are too late"


def _protected(table, row, day):
    high = table[table["personal_data"] == "high"]
    return int((high["protection"].fillna("plain") == "plain").sum()), len(high), "columns of grade high are plain"


def _graded(table, row, day):
    return int(table["personal_data"].isna().sum()), len(table), "columns have no grade"


def _contracts(table, row, day):
    ends = pd.to_datetime(table["contract_until"])
    return int((~(ends >= day)).sum()), len(table), "partners have no contract in force"


def _transfers(table, row, day):
    route = transfer_route(int(table["persons"].sum()), int(table["sensitive"].sum()))["route"]
    return int((~table["done"].fillna("none").isin(ROUTES[route])).sum()), len(table), f"lack the route: {route}"


def _assessed(table, row, day):
    late = ~(pd.to_datetime(table["assessed_on"]) <= pd.to_datetime(table["began_on"]))
    return int(late.sum()), len(table), "began before an assessment"


def _told(table, row, day):
    noticed, told = pd.to_datetime(table["noticed_at"]), pd.to_datetime(table["told_at"])
    late = told.isna() if pd.isna(row.limit) else ~(told <= _after(noticed, row.limit))
    return int(late.sum()), len(table), "were not told" if pd.isna(row.limit) else f"were not told in {row.limit}"


# Check → the fact that it reads, and the function: (wrong, of how many or None where each is a fault, in words).
_CHECKS = {
    "messages agreed": ("messages", _agreed),
    "profiles agreed": ("profiles", _agreed),
    "shared agreed": ("shared", _agreed),
    "withdrawals kept": ("uses", _withdrawn),
    "notice current": ("consents", _notice),
    "plan clean": ("plan", _plan),
    "retention kept": ("retention", _retention),
    "nothing left": ("left", _left),
    "requests in time": ("requests", _requests),
    "columns protected": ("columns", _protected),
    "columns graded": ("columns", _graded),
    "contracts in force": ("partners", _contracts),
    "transfer routes": ("transfers", _transfers),
    "assessed before": ("assessments", _assessed),
    "incidents told": ("incidents", _told),
}
