"""The log of what was sent to an endpoint and what came back: as a table, a file, and a chain.

It holds no key, and of personal data only placeholders; still it is kept where only those who need it can read it.
"""

import hashlib
import json
from pathlib import Path

import pandas as pd

from cimlab._lines import read_lines
from cimlab._whole import whole_file
from cimlab.analysis.columns import need

LOG_COLUMNS = [
    "at", "purpose", "address", "model", "attempt", "status", "http", "reason", "sent", "received", "seconds",
    "tokens_in", "tokens_out", "cost", "cost_is",
]  # fmt: skip
_CHANGED = "line {} of the log is not the one that was chained"


def request_log(endpoint):
    """Return all that was sent and received, an attempt a row.

    Parameters
    ----------
    endpoint : Endpoint

    Returns
    -------
    pandas.DataFrame
        at (UTC), purpose, address, model, attempt, status, http (code), reason, sent and received (exactly; without the
        key), seconds, tokens_in, tokens_out (as the server reports), cost, and cost_is: "reported" by its tokens,
        "assumed" where it may have charged and did not say (then the most it can be), or "none".

    Examples
    --------
    >>> from cimlab.assistant import open_endpoint
    >>> len(request_log(open_endpoint("http://127.0.0.1:8000/v1", "small-model")))
    0
    """
    return pd.DataFrame(endpoint.log, columns=LOG_COLUMNS)


def write_log(log, path):
    """Write a log as JSON lines, whole or not at all.

    Parameters
    ----------
    log : pandas.DataFrame
        From `request_log`.
    path : str or pathlib.Path

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import tempfile
    >>> from cimlab.assistant import open_endpoint
    >>> log = request_log(open_endpoint("http://127.0.0.1:8000/v1", "small-model"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(read_log(write_log(log, Path(folder, "log.jsonl"))))
    0
    """
    lines = [_line(row) + "\n" for row in need(log, LOG_COLUMNS, "log").to_dict("records")]
    with whole_file(Path(path)) as place:
        place.write_text("".join(lines), encoding="utf-8")
    return Path(path)


def read_log(path):
    """Read a log that `write_log` wrote; ValueError if a line is none."""
    return pd.DataFrame(read_lines(path, LOG_COLUMNS, "line of a log"), columns=LOG_COLUMNS)


def chain_log(log, actor, role):
    """Make an audit trail of a log: each entry holds the hash of a line, so that no line can be changed unseen.

    Parameters
    ----------
    log : pandas.DataFrame
    actor, role : str
        Who asked, and in which role.

    Returns
    -------
    pandas.DataFrame
        As `cimlab.security.chain_entries` makes it; the texts are not in it.

    Examples
    --------
    >>> row = dict.fromkeys(LOG_COLUMNS, "") | {"at": "2026-06-30T09:00:00", "status": "answered", "sent": "…"}
    >>> log = pd.DataFrame([row])
    >>> trail = chain_log(log, "E07", "analyst")
    >>> check_log(log, trail)["intact"], check_log(log.assign(sent="nothing"), trail)["says"]
    (True, 'line 0 of the log is not the one that was chained')
    """
    from cimlab.security.audit import chain_entries

    rows = need(log, LOG_COLUMNS, "log").to_dict("records")
    events = {
        "at": [row["at"] for row in rows],
        "actor": actor,
        "role": role,
        "action": ["ask model" if row["sent"] else "keep back" for row in rows],
        "record": [_line_hash(row) for row in rows],
        "rows": 1,
        "reason": [str(row["status"]) for row in rows],
    }
    return chain_entries(pd.DataFrame(events))


def check_log(log, trail, head=None):
    """Check a log against its trail, and the trail itself: a dict with intact (bool) and says, as `verify_trail`."""
    from cimlab.security.audit import verify_trail

    found = verify_trail(trail, head)
    if not found["intact"]:
        return found
    hashes = [_line_hash(row) for row in need(log, LOG_COLUMNS, "log").to_dict("records")]
    for place, (now, then) in enumerate(zip(hashes, trail["record"], strict=False)):
        if now != then:
            return found | {"intact": False, "position": place, "kind": "changed", "says": _CHANGED.format(place)}
    if len(hashes) != len(trail):
        says = f"the log has {len(hashes)} lines, its trail {len(trail)}"
        return found | {"intact": False, "kind": "cut off", "says": says}
    return found


def _line(row):
    """Write a row in one fixed way: missing as null, numbers alike before and after reading."""
    fields = {}
    for name in LOG_COLUMNS:
        value = row[name]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fields[name] = None if pd.isna(value) else float(value) if is_number else str(value)
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


def _line_hash(row):
    return hashlib.sha256(_line(row).encode()).hexdigest()
