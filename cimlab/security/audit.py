"""An audit trail (审计日志) in which tampering shows, and what the trail tells about misuse.

Each entry holds the hash of the entry before it: who changes, removes, adds or moves one breaks the chain at that
place. Who may rewrite the file can make the whole chain again, or cut off its end; that shows only against a head
(number of entries and last hash) that was published before, where the writer of the trail cannot reach it.
"""

import hashlib
import json
from pathlib import Path

import pandas as pd

from cimlab._lines import read_lines
from cimlab._whole import whole_file
from cimlab.analysis.columns import need

ENTRY = ["at", "actor", "role", "action", "record", "rows", "reason"]
TRAIL_COLUMNS = ["entry_no", *ENTRY, "previous", "hash"]
GENESIS = "0" * 64  # the hash "before" the first entry

# A finding is a question to the person, no verdict. All limits are there to be argued about.
MISUSE_RULES = {
    "hours": {"from": 7, "to": 22},
    "many": {"rows": 200, "within": "1h"},
    "watched": {"records": {}},
    "need": {
        "actions": {
            "cashier": ["read"],
            "salesman": ["read"],
            "service": ["read", "change"],
            "analyst": ["count"],
            "marketing": ["read", "export"],
            "database administrator": ["back up", "restore"],
            "auditor": ["read"],
        }
    },
}
_SETTINGS = {"hours": {"from", "to"}, "many": {"rows", "within"}, "watched": {"records"}, "need": {"actions"}}


def entry_hash(entry):
    """Return the SHA-256 hash of an entry: of all its fields but the hash itself, in one fixed way of writing.

    Parameters
    ----------
    entry : dict
        With all `TRAIL_COLUMNS` but hash.

    Returns
    -------
    str
        64 hexadecimal digits.

    References
    ----------
    FIPS 180-4, Secure Hash Standard; RFC 8785, JSON Canonicalization Scheme (the idea: keys in order, no blanks).

    Examples
    --------
    >>> entry = {"entry_no": 1, "at": "2026-06-30 09:00", "actor": "E07", "role": "cashier", "action": "read",
    ...          "record": "M1", "rows": 1, "reason": "", "previous": GENESIS}
    >>> entry_hash(entry) == entry_hash(entry | {"at": pd.Timestamp("2026-06-30 09:00")})
    True
    >>> entry_hash(entry) == entry_hash(entry | {"rows": 2})
    False
    """
    return hashlib.sha256(_canonical(entry).encode("utf-8")).hexdigest()


def append_entry(trail, *, at, actor, role, action, record, rows=1, reason=""):
    """Add one entry at the end of a trail.

    Parameters
    ----------
    trail : pandas.DataFrame or None
        What this function returned before; None begins a trail.
    at : str or datetime
        Not before the last entry: a clock that goes back hides something.
    actor, role, action, record : str
        Who, in which role, did what ("read", "change", "export" …), to which record. No personal data here: a trail is
        kept long and read by many.
    rows : int
        How many records.
    reason : str
        Number of the call or case that made it necessary.

    Returns
    -------
    pandas.DataFrame
        A new table with `TRAIL_COLUMNS`; the old one stays as it was.

    Raises
    ------
    ValueError
        The trail lacks a column, a field is blank, rows is no count, or the time is unreadable or before the last.

    Examples
    --------
    >>> trail = append_entry(None, at="2026-06-30 09:00", actor="E07", role="cashier", action="read", record="M1")
    >>> trail = append_entry(trail, at="2026-06-30 09:05", actor="E07", role="cashier", action="read", record="M2")
    >>> bool(trail.loc[1, "previous"] == trail.loc[0, "hash"])
    True
    """
    event = {"at": at, "actor": actor, "role": role, "action": action, "record": record, "rows": rows, "reason": reason}
    return _extend(trail, pd.DataFrame([event]))


def chain_entries(events):
    """Make a trail of many entries at once; the same as `append_entry` for each.

    Parameters
    ----------
    events : pandas.DataFrame
        at, actor, role, action, record, rows, reason, in the order of time.

    Returns
    -------
    pandas.DataFrame
        With `TRAIL_COLUMNS`.

    Raises
    ------
    ValueError
        As in `append_entry`; the message says which row.

    Examples
    --------
    >>> events = pd.DataFrame({"at": ["2026-06-30 09:00"], "actor": ["E07"], "role": ["cashier"], "action": ["read"],
    ...                        "record": ["M1"], "rows": [1], "reason": ["greet"]})
    >>> int(chain_entries(events)["entry_no"].iloc[0])
    1
    """
    return _extend(None, events)


def publish_head(trail):
    """Return what to publish of a trail, day by day, where its writer cannot reach it: on paper, at the auditor's.

    Examples
    --------
    >>> publish_head(pd.DataFrame(columns=TRAIL_COLUMNS))["count"]
    0
    """
    need(trail, TRAIL_COLUMNS, "audit trail")
    return {"count": len(trail), "hash": str(trail["hash"].iloc[-1]) if len(trail) else GENESIS}


def verify_trail(trail, head=None):
    """Check a trail, and find the first place where it is broken and how.

    Parameters
    ----------
    trail : pandas.DataFrame
    head : dict, optional
        What `publish_head` returned at some time before. Without it a chain that was made again from some place on, or
        lost its end, looks sound.

    Returns
    -------
    dict
        intact (bool); position (row of the table, from 0) and entry_no of the first broken entry, or None; kind:
        "intact", "changed", "removed", "inserted", "reordered", "cut off" or "rewritten"; says: a sentence.

    Raises
    ------
    ValueError
        A column is missing.

    References
    ----------
    Schneier, B., Kelsey, J. (1999). Secure audit logs to support computer forensics. ACM TISSEC 2(2), 159-176.

    Examples
    --------
    >>> trail = append_entry(None, at="2026-06-30 09:00", actor="E07", role="cashier", action="read", record="M1")
    >>> verify_trail(trail)["kind"], verify_trail(trail.assign(actor="E08"))["kind"]
    ('intact', 'changed')
    >>> verify_trail(trail.iloc[:0], head=publish_head(trail))["kind"]
    'cut off'
    """
    entries = need(trail, TRAIL_COLUMNS, "audit trail").to_dict("records")
    for place, kind, why in _breaks(entries):
        number = entries[place]["entry_no"] if place < len(entries) else None
        says = f"row {place} (entry {number}): {why}"
        return {"intact": False, "position": place, "entry_no": number, "kind": kind, "says": says}
    if head is not None and head["count"] > len(entries):
        says = f"{head['count']} entries were published, {len(entries)} are there: the end was cut off"
        return {"intact": False, "position": len(entries), "entry_no": None, "kind": "cut off", "says": says}
    if head is not None and head["count"] and entries[head["count"] - 1]["hash"] != head["hash"]:
        place = head["count"] - 1
        says = f"the hash of entry {head['count']} is not the published one: an entry up to it was rewritten"
        found = {"position": place, "entry_no": entries[place]["entry_no"]}
        return {"intact": False, **found, "kind": "rewritten", "says": says}
    says = f"{len(entries)} entries, the chain holds" + ("" if head else "; no published head to hold its end against")
    return {"intact": True, "position": None, "entry_no": None, "kind": "intact", "says": says}


def find_misuse(trail, rules=None):
    """Find entries that ask for an explanation.

    Parameters
    ----------
    trail : pandas.DataFrame
        entry_no, at, actor, role, action, record, rows.
    rules : dict, optional
        Any of: "hours" (from, to: hours of the day; outside is a finding), "many" (rows, within: an actor who has
        touched more rows in this time, up to the entry), "watched" (records: record → why it is watched, a colleague or
        a VIP), "need" (actions: role → what its purpose asks for; a role that is not named may do nothing).
        `MISUSE_RULES` by default.

    Returns
    -------
    pandas.DataFrame
        entry_no, at, actor, role, action, record, rows, rule, why; a row an entry and rule. Who stays just under every
        limit is not in it.

    Raises
    ------
    ValueError
        A column is missing, or a rule is unknown or lacks a setting.

    Examples
    --------
    >>> trail = append_entry(None, at="2026-06-30 03:10", actor="E07", role="cashier", action="export", record="all")
    >>> find_misuse(trail)[["rule", "why"]]
        rule                                          why
    0  hours                        at 03:10, outside 7 to 22
    1   need  the purpose of a cashier asks for: read
    """
    columns = ["entry_no", "at", "actor", "role", "action", "record", "rows"]
    trail = need(trail, columns, "audit trail").reset_index(drop=True)
    trail["at"] = pd.to_datetime(trail["at"])
    found = []
    for name, settings in (MISUSE_RULES if rules is None else rules).items():
        if name not in _RULES:
            raise ValueError(f"find_misuse: no rule {name!r}; there are: {', '.join(_RULES)}")
        absent = sorted(_SETTINGS[name] - set(settings))
        if absent:
            raise ValueError(f"find_misuse: the rule {name!r} lacks: {', '.join(absent)}")
        why = _RULES[name](trail, settings)
        found.append(trail.loc[why.index].assign(rule=name, why=why))
    table = pd.concat(found) if found else trail.iloc[:0].assign(rule="", why="")
    return table.sort_values("entry_no", kind="stable").reset_index(drop=True)


def write_trail(trail, path):
    """Write a trail as JSON lines, whole or not at all.

    Parameters
    ----------
    trail : pandas.DataFrame
    path : str or pathlib.Path

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import tempfile
    >>> trail = append_entry(None, at="2026-06-30 09:00", actor="E07", role="cashier", action="read", record="M1")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     verify_trail(read_trail(write_trail(trail, Path(folder, "trail.jsonl"))))["kind"]
    'intact'
    """
    entries = need(trail, TRAIL_COLUMNS, "audit trail").to_dict("records")
    with whole_file(Path(path)) as place:
        place.write_text("".join(_canonical(entry, with_hash=True) + "\n" for entry in entries), encoding="utf-8")
    return Path(path)


def read_trail(path):
    """Read a trail that `write_trail` wrote.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ValueError
        A line is no entry; the message says which.
    """
    trail = pd.DataFrame(read_lines(path, TRAIL_COLUMNS, "entry of a trail"), columns=TRAIL_COLUMNS)
    return trail.assign(at=pd.to_datetime(trail["at"]))


def _canonical(entry, with_hash=False):
    """Write an entry in the one way that is hashed: keys in order, no blanks, times as ISO, missing as null."""
    fields = {}
    for name in TRAIL_COLUMNS if with_hash else TRAIL_COLUMNS[:-1]:
        value = entry[name]
        if pd.isna(value):
            fields[name] = None
        elif name == "at":
            fields[name] = pd.Timestamp(value).isoformat()
        else:
            fields[name] = int(value) if name in ("entry_no", "rows") else str(value)
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _extend(trail, events):
    events = need(events, ENTRY, "table of events")
    entries = [] if trail is None else need(trail, TRAIL_COLUMNS, "audit trail").to_dict("records")
    for place, event in enumerate(events.to_dict("records")):
        blank = [name for name in ENTRY[:-1] if pd.isna(event[name]) or not str(event[name]).strip()]
        if blank:
            raise ValueError(f"audit trail, event {place}: {blank[0]} is blank")
        if not isinstance(event["rows"], int) or isinstance(event["rows"], bool) or event["rows"] < 0:
            raise ValueError(f"audit trail, event {place}: rows is {event['rows']!r}, no count")
        try:
            event["at"] = pd.Timestamp(event["at"])
        except ValueError as error:
            raise ValueError(f"audit trail, event {place}: at is {event['at']!r}, no time") from error
        last = entries[-1] if entries else {"entry_no": 0, "hash": GENESIS}
        if entries and event["at"] < pd.Timestamp(last["at"]):
            raise ValueError(f"audit trail, event {place}: {event['at']} is before the last entry, {last['at']}")
        entry = {"entry_no": int(last["entry_no"]) + 1, **event, "previous": last["hash"]}
        entries.append(entry | {"hash": entry_hash(entry)})
    return pd.DataFrame(entries, columns=TRAIL_COLUMNS)


def _breaks(entries):
    """Yield (position, kind, why) of what is broken; the first one counts."""
    hashes = [entry["hash"] for entry in entries]
    where = {value: place for place, value in reversed(list(enumerate(hashes)))} | {GENESIS: -1}
    for place, entry in enumerate(entries):
        before = hashes[place - 1] if place else GENESIS
        after = entries[place + 1]["previous"] if place + 1 < len(entries) else None
        if not _sound(entry):
            if after == before:
                yield place, "inserted", "the entries around it belong together"
            yield place, "changed", "its contents do not give its hash"
        if where[entry["hash"]] < place:
            yield place, "inserted", f"it is a copy of row {where[entry['hash']]}"
        if entry["previous"] != before:
            yield _broken_link(entries, where, place, before, after)
        if entry["entry_no"] != place + 1:
            kind = "removed" if entry["entry_no"] > place + 1 else "inserted"
            yield place, kind, f"entry {place + 1} should stand here"


def _sound(entry):
    try:
        return entry_hash(entry) == entry["hash"]
    except (ValueError, TypeError):  # a time or a number that is none any more
        return False


def _broken_link(entries, where, place, before, after):
    """Tell what happened when an entry does not hold the hash of the one before it."""
    number = entries[place]["entry_no"]
    last = entries[place - 1]["entry_no"] if place else 0
    origin = where.get(entries[place]["previous"])
    if origin is not None and origin > place:
        return place, "reordered", f"it follows row {origin}, which now stands after it"
    if origin is not None:
        return origin + 1, "inserted", f"row {place} follows row {origin}: what is between was added"
    if after == before:
        return place, "inserted", "the entries around it belong together"
    if number > last + 1:
        missing = f"entry {last + 1} is" if number == last + 2 else f"entries {last + 1} to {number - 1} are"
        return place, "removed", f"before it, {missing} missing"
    return max(place - 1, 0), "changed", "it was changed and given a new hash; the next entry holds the old one"


def _hours(trail, settings):
    outside = ~trail["at"].dt.hour.between(settings["from"], settings["to"] - 1)
    times = trail.loc[outside, "at"].dt.strftime("%H:%M")
    return "at " + times + f", outside {settings['from']} to {settings['to']}"


def _many(trail, settings):
    window = pd.Timedelta(settings["within"])
    why = {}
    for _, mine in trail.sort_values("at", kind="stable").groupby("actor"):
        total = mine.rolling(window, on="at")["rows"].sum()
        for place in total.index[total > settings["rows"]]:
            why[place] = f"{int(total[place])} rows within {settings['within']}, more than {settings['rows']}"
    return pd.Series(why, dtype="str").sort_index()


def _watched(trail, settings):
    why = trail["record"].map(lambda record: settings["records"].get(record)).dropna()
    return ("watched record: " + why.astype("str")).astype("str")


def _need(trail, settings):
    known = settings["actions"]
    bad = [action not in known.get(role, []) for role, action in zip(trail["role"], trail["action"], strict=True)]
    return trail.loc[bad, "role"].map(
        lambda role: f"the purpose of a {role} asks for: {', '.join(known.get(role, [])) or 'nothing'}"
    )


_RULES = {"hours": _hours, "many": _many, "watched": _watched, "need": _need}
