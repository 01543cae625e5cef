"""Sessions of visitors (会话窗口): windows that end by silence, cut from a stream and from the whole table."""

import pandas as pd

from cimlab.plots.style import need_columns
from cimlab.scale.streaming import need_moments, one_by_one


def stream_sessions(pieces, gap="30min", wait="10min", who="account_id", time="happened_at"):
    """Cut the events of each visitor into sessions (会话窗口) while they come: silence of `gap` ends one.

    A session has no fixed length. An event that comes late may join two open sessions into one. One whose time is over
    when it comes is yielded as late, never lost in silence; one that comes after its session was closed, but is young
    enough itself, begins a session of its own.

    Parameters
    ----------
    pieces : iterable of pandas.DataFrame
        Events in the order of their arrival; ``[stream]`` for all.
    gap, wait : str
        Silence that ends a session, and how long to wait for late events.
    who, time : str
        Columns of the visitor and of the moment at which it happened.

    Yields
    ------
    dict
        "what" ("session", at the end of the stream "open", or "late"), who, start, end (moments of the first and the
        last event), events.

    Raises
    ------
    ValueError
        A column is missing, or a moment or a visitor is blank.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:50", "2026-06-01 08:25"])
    >>> stream = pd.DataFrame({"account_id": "W1", "happened_at": times})
    >>> [(said["what"], said["events"]) for said in stream_sessions([stream], wait="1h")]
    [('open', 3)]
    """
    gap, wait, state, newest = pd.Timedelta(gap), pd.Timedelta(wait), {}, None
    for event in one_by_one(pieces, [who, time], time, who):
        moment, person = event[time], event[who]
        opened = state.setdefault(person, [])
        near = [s for s in opened if s["start"] - gap < moment < s["end"] + gap]
        alone = {"who": person, "start": moment, "end": moment, "events": 1}
        if not near and newest is not None and moment + gap <= newest - wait:
            yield alone | {"what": "late"}
            continue
        joined = [*near, alone]
        ends = {"start": min(s["start"] for s in joined), "end": max(s["end"] for s in joined)}
        opened[:] = [s for s in opened if s not in near]
        opened.append({"who": person, **ends, "events": sum(s["events"] for s in joined)})
        newest = moment if newest is None else max(newest, moment)
        for other, sessions in list(state.items()):
            for done in [s for s in sessions if s["end"] + gap <= newest - wait]:
                sessions.remove(done)
                yield done | {"what": "session"}
            if not sessions:
                del state[other]
    for sessions in state.values():
        for still in sessions:
            yield still | {"what": "open"}


def batch_sessions(events, gap="30min", who="account_id", time="happened_at"):
    """Cut the events of each visitor into sessions when all of them are there.

    Parameters
    ----------
    events : pandas.DataFrame
    gap, who, time
        As in `stream_sessions`.

    Returns
    -------
    pandas.DataFrame
        who, start, end, events, by visitor and time.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:10", "2026-06-01 09:00"])
    >>> batch_sessions(pd.DataFrame({"account_id": "W1", "happened_at": times}))["events"].tolist()
    [2, 1]
    """
    need_columns(events, [who, time], "batch_sessions")
    for column in [who, time]:
        need_moments(events, column, "batch_sessions")
    ordered = events.sort_values([who, time], kind="stable")
    number = (ordered.groupby(who)[time].diff() >= pd.Timedelta(gap)).groupby(ordered[who]).cumsum()
    sessions = ordered.groupby([ordered[who].rename("who"), number.rename("number")])[time]
    return sessions.agg(start="min", end="max", events="size").reset_index().drop(columns="number")
