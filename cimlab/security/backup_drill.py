"""A disaster, played with real files (备份与恢复演练): which backup to take, what is lost, how long it takes.

RPO (恢复点目标) is how many hours of work may be lost; RTO (恢复时间目标) how many hours until the shop works again. A
plan promises them; a drill measures them. A backup that was never restored is a hope.
"""

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from cimlab._sqlite import open_read_only, quote
from cimlab.analysis.columns import need
from cimlab.database import back_up, restore

# Where a copy lies: what takes it along, and the hours to fetch it.
PLACES = {
    "same disk": {"dies_with_disk": True, "reached_by_ransom": True, "fetch_hours": 0.0, "elsewhere": False},
    "connected disk": {"dies_with_disk": False, "reached_by_ransom": True, "fetch_hours": 0.1, "elsewhere": False},
    "disk in the safe": {"dies_with_disk": False, "reached_by_ransom": False, "fetch_hours": 0.5, "elsewhere": False},
    "other town": {"dies_with_disk": False, "reached_by_ransom": False, "fetch_hours": 3.0, "elsewhere": True},
}
DISASTERS = ["disk", "delete", "ransom"]
RESTORE_HOURS, PROVE_HOURS = 0.5, 0.5  # for the exercise; in earnest measured in the last drill

# A day's plan: when each backup begins, how long it takes, where it goes.
SCHEDULE = pd.DataFrame(
    [
        ("night", "2026-06-30 02:00", 60, "disk in the safe"),
        ("noon", "2026-06-30 12:00", 30, "connected disk"),
        ("evening", "2026-06-30 18:00", 30, "same disk"),
    ],
    columns=["backup", "starts_at", "minutes", "place"],
)


def make_operations(day="2026-06-30", members=40, count=300, seed=1):
    """Make a day of work on a base of loyalty points: the log of operations.

    Parameters
    ----------
    day : str
    members, count : int
        Cards, and operations between 0:00 and 24:00, most of them from 9 to 21.
    seed : int

    Returns
    -------
    pandas.DataFrame
        at, kind ("join", "points"), member_id, points; in the order of time. The first ones make the cards.

    Raises
    ------
    ValueError
        Fewer operations than cards.

    Examples
    --------
    >>> make_operations(members=2, count=3)["kind"].tolist()
    ['join', 'join', 'points']
    """
    if count < members or members < 1:
        raise ValueError("make_operations: each card is an operation, so count is not below members, and members not 0")
    draw = np.random.default_rng(seed)
    names = [f"M{number:03}" for number in range(1, members + 1)]
    start = pd.Timestamp(day)
    rows = [(start, "join", name, 0) for name in names]
    seconds = np.sort(draw.integers(9 * 3600, 21 * 3600, count - members))
    for second in seconds.tolist():
        name, points = names[int(draw.integers(members))], int(draw.integers(1, 200))
        rows.append((start + pd.Timedelta(seconds=second), "points", name, points))
    return pd.DataFrame(rows, columns=["at", "kind", "member_id", "points"])


def play_day(folder, operations, schedule, disaster):
    """Play a day with real files: work, back up, and let the disaster happen.

    Parameters
    ----------
    folder : str or pathlib.Path
        An empty one; holds base.db and a file for each backup.
    operations : pandas.DataFrame
        As `make_operations` returns them.
    schedule : pandas.DataFrame
        backup, starts_at, minutes, place (one of `PLACES`).
    disaster : dict
        kind: "disk" (the disk dies, with all on it), "delete" (a wrong DELETE takes the cards below M020; nobody sees
        it at once) or "ransom" (base and connected backups are encrypted); made, noticed: moments, the second not
        before the first. Nothing is backed up or worked on after `noticed`.

    Returns
    -------
    pandas.DataFrame
        A row a backup that was begun: backup, place, starts_at, finished_at, path, finished (before it all stopped),
        readable (the file is still a base).

    Raises
    ------
    ValueError
        A column is missing, the kind or a place is unknown, or `noticed` lies before `made`.

    Examples
    --------
    >>> import tempfile
    >>> disaster = {"kind": "disk", "made": "2026-06-30 15:00", "noticed": "2026-06-30 15:00"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     play_day(folder, make_operations(), SCHEDULE, disaster)[["backup", "finished", "readable"]].values.tolist()
    [['night', True, True], ['noon', True, True]]
    """
    operations = need(operations, ["at", "kind", "member_id", "points"], "log of operations")
    kind, made, noticed = read_disaster(disaster)
    halt = noticed if kind == "delete" else made
    plan = _plan(schedule, Path(folder), halt)
    base = _empty_base(Path(folder, "base.db"))
    moments = [*zip(plan["starts_at"], plan["path"], strict=True)] + ([(made, None)] if kind == "delete" else [])
    last = pd.Timestamp.min
    for moment, path in sorted(moments, key=lambda pair: (pair[0], pair[1] is None)):
        replay(base, operations, last, moment)
        last = moment
        if path is None:
            _wrong_delete(base)
        else:
            _save(base, path)
    replay(base, operations, last, halt)
    for path in plan.loc[~plan["finished"], "path"]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for path in [base, *plan["path"][_hit(plan, kind)]] if kind != "delete" else []:
        _spoil(path, kind)
    return plan.assign(readable=[table_sums(path) is not None for path in plan["path"]])


def choose_backup(backups, disaster):
    """Choose the newest backup that is finished, readable and free of the fault, and say what it costs.

    Parameters
    ----------
    backups : pandas.DataFrame
        As `play_day` returns them.
    disaster : dict
        As in `play_day`.

    Returns
    -------
    dict
        backup, place, path, starts_at (all None if there is none), hours_lost (RPO: from the state in the backup to
        the moment when work stopped; what the log of operations brings back is not yet counted), hours_down (RTO:
        fetch, restore, prove, from `noticed` on), and rejected (backup → why).

    Raises
    ------
    ValueError
        As in `play_day`.

    Examples
    --------
    >>> backups = SCHEDULE.assign(starts_at=pd.to_datetime(SCHEDULE["starts_at"]), path="x", readable=True)
    >>> backups["finished_at"] = backups["starts_at"] + pd.to_timedelta(backups["minutes"], unit="min")
    >>> disaster = {"kind": "delete", "made": "2026-06-30 11:00", "noticed": "2026-06-30 20:00"}
    >>> choice = choose_backup(backups.assign(finished=True), disaster)
    >>> choice["backup"], choice["hours_lost"], choice["rejected"]["evening"]
    ('night', 18.0, 'holds the fault of 11:00')
    """
    columns = ["backup", "place", "starts_at", "path", "finished", "readable"]
    table = need(backups, columns, "table of backups")
    kind, made, noticed = read_disaster(disaster)
    rejected = {}
    for row in table.itertuples():
        if not row.finished:
            rejected[row.backup] = "was not finished"
        elif not row.readable:
            rejected[row.backup] = "is lost or encrypted"
        elif kind == "delete" and row.starts_at >= made:
            rejected[row.backup] = f"holds the fault of {made:%H:%M}"
    good = table[~table["backup"].isin(rejected)].sort_values("starts_at")
    if good.empty:
        names = ["backup", "place", "path", "starts_at", "hours_lost", "hours_down"]
        return dict.fromkeys(names) | {"rejected": rejected}
    best = good.iloc[-1]
    stopped = noticed if kind == "delete" else made
    down = PLACES[best["place"]]["fetch_hours"] + RESTORE_HOURS + PROVE_HOURS
    lost = (stopped - best["starts_at"]).total_seconds() / 3600
    chosen = best[["backup", "place", "path", "starts_at"]].to_dict()
    return chosen | {"hours_lost": lost, "hours_down": down, "rejected": rejected}


def recover(choice, operations, folder, log_until=None):
    """Restore the chosen backup into a new file, bring the log of operations back, and prove the result.

    Parameters
    ----------
    choice : dict
        As `choose_backup` returns it.
    operations : pandas.DataFrame
        The whole log: to compute what should be there.
    folder : str or pathlib.Path
        Gets restored.db.
    log_until : str or datetime, optional
        The log was kept elsewhere, and is played again from the backup up to this moment; the wrong DELETE is no line
        of it. Without it the work after the backup is lost.

    Returns
    -------
    dict
        path, expected and restored (`table_sums`), proven (they are equal), operations_lost.

    Raises
    ------
    ValueError
        No backup was chosen.

    Examples
    --------
    >>> recover({"path": None}, make_operations(), "nowhere")
    Traceback (most recent call last):
    ValueError: there is no backup to restore: everything is lost
    """
    if choice["path"] is None:
        raise ValueError("there is no backup to restore: everything is lost")
    path = restore(choice["path"], Path(folder, "restored.db"))
    end = choice["starts_at"]
    if log_until is not None:
        end = pd.Timestamp(log_until)
        replay(path, operations, choice["starts_at"], end)
    right = _empty_base(Path(folder, "expected.db"))
    replay(right, operations, pd.Timestamp.min, end)
    expected, restored = table_sums(right), table_sums(path)
    proven = restored is not None and expected.equals(restored)
    lost = int((operations["at"] > end).sum())
    return {"path": path, "expected": expected, "restored": restored, "proven": proven, "operations_lost": lost}


def replay(path, operations, after, until):
    """Do the operations of a part of the log: later than `after`, and not later than `until`.

    Parameters
    ----------
    path : str or pathlib.Path
        The base.
    operations : pandas.DataFrame
        at, kind, member_id, points.
    after, until : pandas.Timestamp

    Returns
    -------
    int
        How many were done.
    """
    part = operations[(operations["at"] > after) & (operations["at"] <= until)]
    with closing(sqlite3.connect(path)) as connection, connection:
        for kind, name, points in zip(part["kind"], part["member_id"], part["points"].tolist(), strict=True):
            if kind == "join":
                connection.execute("INSERT INTO members VALUES (?, ?)", (name, points))
            else:
                connection.execute("UPDATE members SET points = points + ? WHERE member_id = ?", (points, name))
    return len(part)


def table_sums(path):
    """Return rows and a hash of the contents of each table of a file; None if it is no readable base.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    pandas.DataFrame or None
        table, rows, sha256. Equal contents, equal hash, wherever they lie on the disk.

    Examples
    --------
    >>> table_sums("nowhere.db") is None
    True
    """
    if not Path(path).is_file():
        return None
    rows = []
    try:
        with closing(open_read_only(path)) as base:
            listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
            for (name,) in base.execute(listed).fetchall():
                content = sorted(json.dumps(row, default=repr) for row in base.execute(f"SELECT * FROM {quote(name)}"))
                rows.append((name, len(content), hashlib.sha256("\n".join(content).encode()).hexdigest()))
    except sqlite3.DatabaseError:
        return None
    return pd.DataFrame(rows, columns=["table", "rows", "sha256"]) if rows else None


def check_321(schedule):
    """Hold a plan against the rule 3-2-1: three copies, on two kinds of disk, one in another place.

    Parameters
    ----------
    schedule : pandas.DataFrame
        backup and place (one of `PLACES`). The base itself is the first copy.

    Returns
    -------
    pandas.DataFrame
        rule, holds, says. The fourth rule was added since ransom programs look for backups: one copy out of reach.

    Raises
    ------
    ValueError
        A column is missing or a place is unknown.

    References
    ----------
    Krogh, P. (2009). The DAM Book: the rule. CISA, StopRansomware Guide: offline, encrypted, tested backups.

    Examples
    --------
    >>> check_321(SCHEDULE)["holds"].tolist()
    [True, True, False, True]
    """
    places = _known_places(schedule)
    kinds = sorted({"same disk", *places})
    away = sorted({place for place in places if PLACES[place]["elsewhere"]})
    safe = sorted({place for place in places if not PLACES[place]["reached_by_ransom"]})
    rows = [
        ("3 copies", len(places) >= 2, f"the base and {len(places)} backups"),
        ("2 kinds of disk", len(kinds) >= 2, ", ".join(kinds)),
        ("1 in another place", bool(away), ", ".join(away) or "none: fire and thieves take all"),
        ("1 out of reach", bool(safe), ", ".join(safe) or "none: a ransom program reaches all"),
    ]
    return pd.DataFrame(rows, columns=["rule", "holds", "says"])


def _known_places(schedule):
    places = need(schedule, ["backup", "place"], "schedule")["place"].tolist()
    odd = sorted(set(places) - set(PLACES))
    if odd:
        raise ValueError(f"no place {odd[0]!r} for a backup; there are: {', '.join(PLACES)}")
    return places


def _plan(schedule, folder, halt):
    """Return the backups that are begun before all stops, with their files."""
    _known_places(schedule)
    plan = need(schedule, ["backup", "place", "starts_at", "minutes"], "schedule")
    plan["starts_at"] = pd.to_datetime(plan["starts_at"])
    plan["finished_at"] = plan["starts_at"] + pd.to_timedelta(plan.pop("minutes"), unit="min")
    plan = plan[plan["starts_at"] < halt].sort_values("starts_at", ignore_index=True)
    return plan.assign(path=[folder / f"{name}.db" for name in plan["backup"]], finished=plan["finished_at"] <= halt)


def read_disaster(disaster):
    """Return kind, made and noticed of a disaster, or say what is wrong with it.

    Examples
    --------
    >>> read_disaster({"kind": "flood", "made": "2026-06-30", "noticed": "2026-06-30"})
    Traceback (most recent call last):
    ValueError: no disaster 'flood'; there are: disk, delete, ransom
    """
    kind, made = disaster["kind"], pd.Timestamp(disaster["made"])
    noticed = pd.Timestamp(disaster["noticed"])
    if kind not in DISASTERS:
        raise ValueError(f"no disaster {kind!r}; there are: {', '.join(DISASTERS)}")
    if noticed < made:
        raise ValueError("a disaster cannot be noticed before it happens: look at made and noticed")
    return kind, made, noticed


def _empty_base(path):
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE members (member_id TEXT PRIMARY KEY, points INTEGER NOT NULL)")
    return path


def _wrong_delete(base):
    with closing(sqlite3.connect(base)) as connection, connection:
        connection.execute("DELETE FROM members WHERE member_id < 'M020'")


def _save(base, path):
    engine = create_engine(f"sqlite:///{base.resolve().as_posix()}", poolclass=NullPool)
    back_up(engine, path)
    engine.dispose()


def _hit(plan, kind):
    reached = "dies_with_disk" if kind == "disk" else "reached_by_ransom"
    return plan["place"].map(lambda place: PLACES[place][reached]).astype(bool)


def _spoil(path, kind):
    """The disk dies, or a program encrypts the file and keeps the key."""
    if kind == "disk":
        path.unlink()
    else:
        path.write_bytes(os.urandom(path.stat().st_size))
