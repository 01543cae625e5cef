"""A leak, step by step against the clock (数据泄露应急响应): what is due when, who was affected, what was done in time.

The laws are given in short, for a lesson, with the place to read them; whoever is in earnest asks a lawyer.
"""

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.security.grades import GRADES

STEPS = ["found", "contained", "assessed", "reported", "told", "learned"]

# Hours from the moment named in `since`; 0 is the law's "immediately" or "without delay", which names no hour.
DUTIES = pd.DataFrame(
    [
        (
            "PIPL",
            "Art. 57",
            "authority",
            0,
            "found",
            "immediately: remedy, and notify the authority for personal information",
            "Personal Information Protection Law of the PRC (2021), Art. 57",
        ),
        (
            "PIPL",
            "Art. 57",
            "persons",
            0,
            "found",
            "immediately; may be left out if the remedy prevents harm effectively, unless the authority orders it",
            "Personal Information Protection Law of the PRC (2021), Art. 57",
        ),
        (
            "Incident reporting measures",
            "Art. 4",
            "authority",
            4,
            "found",
            "4 hours to the provincial cyberspace office, from the grade 'relatively large' on (persons: a million)",
            "Measures for National Cybersecurity Incident Reporting, Cyberspace Administration of China (2025), Art. 4",
        ),
        (
            "GDPR",
            "Art. 33",
            "authority",
            72,
            "found",
            "72 hours after becoming aware, unless a risk to persons is unlikely; later only with reasons",
            "Regulation (EU) 2016/679, Art. 33",
        ),
        (
            "GDPR",
            "Art. 34",
            "persons",
            0,
            "assessed",
            "without undue delay, if the risk to persons is high",
            "Regulation (EU) 2016/679, Art. 34",
        ),
    ],
    columns=["law", "article", "whom", "hours", "since", "what", "source"],
)
LARGE = 1_000_000  # persons from which an incident is "relatively large" in the measures of 2025

# The drill: what can be done, in one good order (others keep the rules too).
DRILL_STEPS = [
    "write down the time and who found it",
    "call the three people of the incident list",
    "copy the logs and the disk as evidence",
    "lock the account and close the leak",
    "find out which records were read",
    "decide which laws and deadlines apply",
    "report to the authority",
    "tell the persons affected",
    "answer the press",
    "clean and reinstall the machine",
    "restore and watch",
    "write down what was learned, without blame",
]

# What has to stand before what, and why.
DRILL_RULES = [
    (0, 3, "without the time of finding, no deadline can be proved"),
    (1, 4, "one alone neither decides nor sleeps: call first"),
    (2, 9, "who reinstalls first has destroyed the evidence"),
    (3, 4, "close the leak before counting what ran out"),
    (3, 7, "a message to the persons also warns the thief: close first"),
    (4, 5, "which law applies follows from whose data and of what grade"),
    (4, 7, "tell the right persons, and what was read of each"),
    (5, 6, "know to whom to report, and by when"),
    (6, 8, "the authority does not learn it from the newspaper"),
    (7, 8, "nor do the persons"),
    (9, 10, "restore onto a clean machine"),
    (10, 11, "learn when it is over, not while it burns"),
]


def affected_persons(trail, suspicious, groups=None, columns=None):
    """Compute from the audit trail whose records were read in suspicious entries, and the highest grade that was seen.

    Parameters
    ----------
    trail : pandas.DataFrame
        entry_no, at, actor, role, action, record, rows.
    suspicious : pandas.DataFrame
        With entry_no: what `audit.find_misuse` returns, or a part of it after people have looked.
    groups : dict of str to list of str, optional
        What a record that stands for many means, such as "all" → all numbers of cards.
    columns : pandas.DataFrame, optional
        What `grades.access_matrix` returns: says which grade a role reads in clear.

    Returns
    -------
    pandas.DataFrame
        A row a record: record, entries, actors, first_at, last_at, and with `columns` grade (the highest that the role
        read in clear; "none" if it read nothing personal). The most read first.

    Raises
    ------
    ValueError
        A column is missing, an entry is not in the trail, or `rows` says more than `record` names: then who was
        affected is not known, and must not be guessed.

    Examples
    --------
    >>> trail = pd.DataFrame({"entry_no": [1, 2], "at": pd.to_datetime(["2026-06-30 03:10", "2026-06-30 09:00"]),
    ...     "actor": "E07", "role": "service", "action": "read", "record": ["all", "M1"], "rows": [2, 1]})
    >>> affected_persons(trail, trail.head(1), groups={"all": ["M1", "M2"]})[["record", "entries"]].values.tolist()
    [['M1', 1], ['M2', 1]]
    """
    trail = need(trail, ["entry_no", "at", "actor", "role", "record", "rows"], "audit trail")
    numbers = set(need(suspicious, ["entry_no"], "table of suspicious entries")["entry_no"])
    absent = sorted(numbers - set(trail["entry_no"]))
    if absent:
        raise ValueError(f"affected_persons: entry {absent[0]} is not in the trail")
    groups = {} if groups is None else groups
    seen = trail[trail["entry_no"].isin(numbers)]
    seen = seen.assign(records=[list(groups.get(record, [record])) for record in seen["record"]])
    short = seen[seen["records"].map(len) < seen["rows"]]
    if len(short):
        number, record, rows = short.iloc[0][["entry_no", "record", "rows"]]
        raise ValueError(f"entry {number} read {rows} rows of {record!r}: say in groups which records these are")
    clear = _grade_in_clear(columns)
    seen["grade"] = [clear.get(role, "none") for role in seen["role"]]
    each = seen.drop(columns="record").explode("records").rename(columns={"records": "record"})
    each["rank"] = each["grade"].map(GRADES.index)
    whose = each.groupby("record").agg(
        entries=("entry_no", "nunique"),
        actors=("actor", lambda names: ", ".join(sorted(set(names)))),
        first_at=("at", "min"),
        last_at=("at", "max"),
        rank=("rank", "max"),
    )
    whose = whose.reset_index().sort_values(["entries", "record"], ascending=[False, True], ignore_index=True)
    whose["grade"] = whose["rank"].map(lambda rank: GRADES[int(rank)])
    return whose.drop(columns=["rank"] if columns is not None else ["rank", "grade"])


def which_duties(persons, *, harm_prevented=False, risk="high", in_europe=False, duties=None):
    """Say which duties to report and to tell apply, and why.

    Parameters
    ----------
    persons : int
        Affected.
    harm_prevented : bool
        The remedy prevents harm effectively: the copy was encrypted and the key is safe.
    risk : str
        For the persons: "unlikely", "some" or "high" (identity numbers, addresses with names …).
    in_europe : bool
        GDPR applies: goods are offered to persons in the European Union, or their behaviour is watched.
    duties : pandas.DataFrame, optional
        In the form of `DUTIES`.

    Returns
    -------
    pandas.DataFrame
        law, article, whom, hours, since, applies, why, source.

    Raises
    ------
    ValueError
        `risk` is none of the three, or the number of persons is negative.

    Examples
    --------
    >>> which_duties(2676)[["law", "whom", "applies"]].query("applies").values.tolist()
    [['PIPL', 'authority', True], ['PIPL', 'persons', True]]
    """
    if risk not in ("unlikely", "some", "high") or persons < 0:
        raise ValueError("which_duties: risk is unlikely, some or high; persons is 0 or more")
    rules = {
        ("PIPL", "authority"): (persons > 0, "personal information leaked"),
        ("PIPL", "persons"): (
            persons > 0 and not harm_prevented,
            "the remedy prevents the harm" if harm_prevented else "harm is possible",
        ),
        ("Incident reporting measures", "authority"): (
            persons >= LARGE,
            f"{persons:,} persons, the limit is {LARGE:,}",
        ),
        ("GDPR", "authority"): (in_europe and persons > 0 and risk != "unlikely", _europe(in_europe, risk)),
        ("GDPR", "persons"): (
            in_europe and persons > 0 and risk == "high" and not harm_prevented,
            _europe(in_europe, risk),
        ),
    }
    table = (DUTIES if duties is None else duties).copy()
    answers = [rules[key] for key in zip(table["law"], table["whom"], strict=True)]
    table["applies"] = [bool(applies) for applies, _ in answers]
    table["why"] = [why for _, why in answers]
    return table[["law", "article", "whom", "hours", "since", "applies", "why", "source"]]


def incident_timeline(times, duties=None):
    """Set the steps of an incident against the clock.

    Parameters
    ----------
    times : dict of str to str or datetime
        Each of `STEPS` (or a part of them) → when it was done. "found" is needed: from then on the clocks run.
    duties : pandas.DataFrame, optional
        What `which_duties` returns; only those that apply are looked at. "reported" is for the authority, "told" for
        the persons.

    Returns
    -------
    steps : pandas.DataFrame
        step, at, hours (since "found").
    clocks : pandas.DataFrame
        law, article, whom, due_at, done_at, hours_left (negative: late; missing: not done), kept. Where the law says
        "immediately", due_at is the moment itself and kept is missing: whether it was fast enough is for people to say.

    Raises
    ------
    ValueError
        "found" is missing, a step is unknown, or one lies before "found".

    Examples
    --------
    >>> duties = which_duties(2676, in_europe=True)
    >>> _, clocks = incident_timeline({"found": "2026-06-30 08:00", "reported": "2026-07-03 09:00"}, duties)
    >>> clocks.query("law == 'GDPR' and whom == 'authority'")[["hours_left", "kept"]].values.tolist()
    [[-1.0, False]]
    """
    odd = [step for step in times if step not in STEPS]
    if odd or "found" not in times:
        raise ValueError(f"incident_timeline: {odd[0] if odd else 'found'!r} … the steps are {', '.join(STEPS)}")
    moments = {step: pd.Timestamp(times[step]) for step in STEPS if step in times}
    steps = pd.DataFrame({"step": list(moments), "at": list(moments.values())})
    steps["hours"] = (steps["at"] - moments["found"]).dt.total_seconds() / 3600
    early = steps[steps["hours"] < 0]
    if len(early):
        raise ValueError(f"incident_timeline: {early['step'].iloc[0]!r} lies before 'found'")
    rows = []
    applying = which_duties(0) if duties is None else duties
    for duty in applying[applying["applies"]].itertuples():
        start = moments.get(duty.since)
        due = pd.NaT if start is None else start + pd.Timedelta(hours=duty.hours)
        done = moments.get("reported" if duty.whom == "authority" else "told", pd.NaT)
        left = (due - done).total_seconds() / 3600 if pd.notna(due) and pd.notna(done) else float("nan")
        kept = None if duty.hours == 0 else bool(pd.notna(done) and done <= due)
        rows.append((duty.law, duty.article, duty.whom, due, done, left, kept))
    names = ["law", "article", "whom", "due_at", "done_at", "hours_left", "kept"]
    clocks = pd.DataFrame(rows, columns=names).astype({"due_at": "datetime64[us]", "done_at": "datetime64[us]"})
    return steps, clocks.assign(kept=clocks["kept"].astype(object))


def judge_order(order):
    """Score an order of the steps of the drill: which rules it keeps, and what each broken one costs.

    Parameters
    ----------
    order : list of str
        All of `DRILL_STEPS`, each once, in the order in which you would do them.

    Returns
    -------
    score : float
        Share of the rules that are kept, 0 to 1.
    broken : pandas.DataFrame
        first, second, why: what should have been before what.

    Raises
    ------
    ValueError
        A step is missing, there twice, or unknown.

    Examples
    --------
    >>> judge_order(DRILL_STEPS)[0]
    1.0
    >>> score, broken = judge_order(DRILL_STEPS[::-1])
    >>> score, len(broken) == len(DRILL_RULES)
    (0.0, True)
    """
    order = list(order)
    wrong = sorted(set(order) ^ set(DRILL_STEPS))
    if wrong or len(order) != len(DRILL_STEPS):
        what = f"{wrong[0]!r} is missing or unknown" if wrong else "a step is there twice"
        raise ValueError(f"judge_order: {what}; put all of DRILL_STEPS in order, each once")
    at = {step: order.index(step) for step in DRILL_STEPS}
    pairs = [(DRILL_STEPS[first], DRILL_STEPS[second], why) for first, second, why in DRILL_RULES]
    broken = [pair for pair in pairs if at[pair[0]] > at[pair[1]]]
    return 1 - len(broken) / len(pairs), pd.DataFrame(broken, columns=["first", "second", "why"])


def _grade_in_clear(columns):
    """Return for each role the highest grade that it reads in clear."""
    if columns is None:
        return {}
    clear = need(columns, ["role", "grade", "right"], "access matrix").query("right == 'read'")
    ranks = clear["grade"].map(GRADES.index).groupby(clear["role"]).max()
    return {role: GRADES[rank] for role, rank in ranks.items()}


def _europe(in_europe, risk):
    return f"the risk for persons is: {risk}" if in_europe else "GDPR does not apply"
