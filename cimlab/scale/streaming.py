"""Events as a stream (流式处理): windows over the time of the event, a watermark, and events that come late.

An event happens (event time, 事件时间) and arrives (processing time, 处理时间); a phone in a tunnel sends later.
Nobody can wait for ever, so a watermark (水位线) says: "I do not expect events older than this any more". A window
whose end it passes is closed; an event of a closed window is late, and one must decide what becomes of it.
"""

import numpy as np
import pandas as pd

from cimlab.plots.style import need_columns

WINDOW_COLUMNS = ["start", "end", "key", "events", "late", "closed_at"]
LATE_WAYS = {
    "drop": "the window stays as it was sent; of the event only the number remains",
    "aside": "the window stays as it was sent; the event is kept for a nightly correction",
    "correct": "the window is put right and sent once more; its count must be kept for ever",
}


def arrivals(events, seed=14, usual="20s", late_share=0.05, late="3h", time="happened_at"):
    """Say when events arrive: most within seconds, some hours later, from phones that were offline.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``web_events``: event_id, and the moment.
    seed : int
    usual, late : str
        Mean delay of an event in time, and of one from a phone that was offline.
    late_share : float
        Share of the events that come from a phone that was offline.
    time : str
        Column of the moment at which it happened.

    Returns
    -------
    pandas.DataFrame
        The events in the order of their arrival, with `arrived_at` (to the millisecond). The delays are drawn by
        event_id: the order of the rows does not change them.

    Raises
    ------
    ValueError
        A column is missing, a moment is blank, or the share is not between 0 and 1.

    Examples
    --------
    >>> times = pd.date_range("2026-06-01 08:00", periods=3, freq="1min")
    >>> events = pd.DataFrame({"event_id": ["a", "b", "c"], "happened_at": times})
    >>> stream = arrivals(events, late_share=0)
    >>> bool((stream["arrived_at"] > stream["happened_at"]).all())
    True
    """
    need_columns(events, ["event_id", time], "arrivals")
    need_moments(events, time, "arrivals")
    if not 0 <= late_share <= 1:
        raise ValueError(f"arrivals: late_share is a share between 0 and 1, not {late_share}")
    draw, stream = np.random.default_rng(seed), events.sort_values("event_id", kind="stable")
    offline = draw.random(len(stream)) < late_share
    means = np.where(offline, pd.Timedelta(late).total_seconds(), pd.Timedelta(usual).total_seconds())
    delay = pd.to_timedelta(np.ceil(1000 * draw.exponential(means)), unit="ms")
    stream["arrived_at"] = stream[time] + delay.as_unit("us")
    return stream.sort_values(["arrived_at", "event_id"], ignore_index=True)


def window_starts(moment, size, step=None):
    """Return the starts of the windows in which a moment lies.

    Tumbling windows (滚动窗口) follow each other: each moment lies in one. Sliding windows (滑动窗口) start every
    `step` and overlap: a moment lies in size / step of them. A window holds its start, not its end.

    Parameters
    ----------
    moment : pandas.Timestamp
    size : str or pandas.Timedelta
        Length of a window: "1h", "1D". Windows start at whole steps since midnight of 1 January 1970.
    step : str or pandas.Timedelta, optional
        From one start to the next; left out, the windows tumble.

    Returns
    -------
    list of pandas.Timestamp
        The earliest first.

    Raises
    ------
    ValueError
        A length is not above 0, or the step is longer than the window: events would lie in none.

    Examples
    --------
    >>> [str(start.time()) for start in window_starts(pd.Timestamp("2026-06-01 08:50"), "1h")]
    ['08:00:00']
    >>> [str(start.time()) for start in window_starts(pd.Timestamp("2026-06-01 08:50"), "1h", step="30min")]
    ['08:00:00', '08:30:00']
    """
    size, step = pd.Timedelta(size), pd.Timedelta(size if step is None else step)
    if not pd.Timedelta(0) < step <= size:
        raise ValueError(f"windows of {size} every {step}: the step must be above 0 and no longer than the window")
    start, found = moment.floor(step), []
    while start > moment - size:
        found.append(start)
        start = start - step
    return found[::-1]


def stream_windows(pieces, size, step=None, wait="10min", late="drop", by=None, time="happened_at"):
    """Count events in windows while they come, one event at a time: a generator that speaks when a window closes.

    It keeps a count for each open window (its state, 状态) and one moment: the latest event time seen. The watermark is
    that moment less `wait`. Small pieces or large, the result is the same.

    Parameters
    ----------
    pieces : iterable of pandas.DataFrame
        Events in the order of their arrival, one or some at a time; ``[stream]`` for all.
    size, step : str
        Of the windows, as in `window_starts`.
    wait : str
        How long to wait for events that come late.
    late : {"drop", "aside", "correct"}
        What becomes of an event of a closed window; ``LATE_WAYS`` says it in words. Each is counted in any case.
    by : str, optional
        Count each value of this column apart.
    time : str
        Column of the moment at which it happened.

    Yields
    ------
    dict
        "what" is one of: "window" (closed, with start, end, key, events, at = the watermark), "correction" (the same
        window with its new count), "late" (an event that came after its window was closed: start, end, key, event =
        its row as a dict, or None for "drop"), "state" (after each event: kept = counts in memory), and at the end of
        the stream "open" (windows that the watermark has not passed).

    Raises
    ------
    ValueError
        A column is missing, a moment is blank, or `late` is none of the three.

    References
    ----------
    Akidau and others (2015). *The dataflow model*, VLDB.
    """
    if late not in LATE_WAYS:
        raise ValueError(f"stream_windows: late is one of {', '.join(LATE_WAYS)}, not {late!r}")
    size, wait, counts, closed, newest = pd.Timedelta(size), pd.Timedelta(wait), {}, {}, None
    for event in one_by_one(pieces, [time, *([by] if by else [])], time):
        watermark, key = (None if newest is None else newest - wait), (event[by] if by else "all")
        for start in window_starts(event[time], size, step):
            window = {"start": start, "end": start + size, "key": key}
            if watermark is None or start + size > watermark:
                counts[start, key] = counts.get((start, key), 0) + 1
                continue
            yield window | {"what": "late", "event": event if late == "aside" else None, "at": watermark}
            if late == "correct":
                closed[start, key] = closed.get((start, key), 0) + 1
                yield window | {"what": "correction", "events": closed[start, key], "at": watermark}
        newest = event[time] if newest is None else max(newest, event[time])
        for start, done in sorted(place for place in counts if place[0] + size <= newest - wait):
            window = {"start": start, "end": start + size, "key": done, "events": counts.pop((start, done))}
            closed |= {(start, done): window["events"]} if late == "correct" else {}
            yield window | {"what": "window", "at": newest - wait}
        yield {"what": "state", "kept": len(counts) + len(closed)}
    for start, key in sorted(counts):
        yield {"what": "open", "start": start, "end": start + size, "key": key, "events": counts[start, key]}


def run_windows(stream, size, step=None, wait="10min", late="drop", by=None, time="happened_at"):
    """Let a whole stream run through `stream_windows`, and put its outcome into tables.

    Parameters
    ----------
    stream : pandas.DataFrame
        Events in the order of their arrival, such as from `arrivals`.
    size, step, wait, late, by, time
        As in `stream_windows`.

    Returns
    -------
    dict
        - "windows": DataFrame, a row a window and key by time: start, end, key, events (as last sent), late (how many
          of its events came too late, whatever became of them), closed_at (the watermark; blank if still open);
        - "late": DataFrame of the late events themselves, only for ``late="aside"``, else without rows;
        - "state": Series, the counts in memory after each event.

    Raises
    ------
    ValueError
        As in `stream_windows`.

    Examples
    --------
    >>> happened = pd.to_datetime(["2026-06-01 08:10", "2026-06-01 09:40", "2026-06-01 08:20"])
    >>> stream = pd.DataFrame({"happened_at": happened})
    >>> run_windows(stream, "1h")["windows"][["start", "events", "late"]]
                    start  events  late
    0 2026-06-01 08:00:00       1     1
    1 2026-06-01 09:00:00       1     0
    >>> run_windows(stream, "1h", late="correct")["windows"]["events"].tolist()
    [2, 1]
    """
    windows, aside, state = {}, [], []
    for said in stream_windows([stream], size, step, wait, late, by, time):
        if said["what"] == "state":
            state.append(said["kept"])
            continue
        place = (said["start"], said["key"])
        row = windows.setdefault(place, [said["start"], said["end"], said["key"], 0, 0, pd.NaT])
        if said["what"] == "late":
            row[4] += 1
            aside += [said["event"]] if late == "aside" else []
        else:
            row[3] = said["events"]
        if pd.isna(row[5]):
            row[5] = said.get("at", pd.NaT)
    table = pd.DataFrame(sorted(windows.values(), key=lambda row: (row[0], str(row[2]))), columns=WINDOW_COLUMNS)
    table["closed_at"] = pd.to_datetime(table["closed_at"])
    return {
        "windows": table,
        "late": pd.DataFrame(aside, columns=stream.columns),
        "state": pd.Series(state, name="kept", dtype="int64"),
    }


def batch_windows(events, size, step=None, by=None, time="happened_at"):
    """Count events in windows when all of them are there: what a stream should come to in the end.

    Parameters
    ----------
    events : pandas.DataFrame
    size, step, by, time
        As in `stream_windows`.

    Returns
    -------
    pandas.DataFrame
        start, end, key, events, by time; windows without events have no row.

    Raises
    ------
    ValueError
        A column is missing, or a moment is blank.

    Examples
    --------
    >>> events = pd.DataFrame({"happened_at": pd.to_datetime(["2026-06-01 08:50", "2026-06-01 09:10"])})
    >>> batch_windows(events, "1h", step="30min")[["start", "events"]]
                    start  events
    0 2026-06-01 08:00:00       1
    1 2026-06-01 08:30:00       2
    2 2026-06-01 09:00:00       1
    """
    need_columns(events, [time, *([by] if by else [])], "batch_windows")
    need_moments(events, time, "batch_windows")
    pairs = events.assign(
        start=[window_starts(moment, size, step) for moment in events[time]], key=events[by] if by else "all"
    ).explode("start")
    counts = pairs.groupby(["start", "key"]).size().rename("events").reset_index()
    counts["start"] = pd.to_datetime(counts["start"])
    counts.insert(1, "end", counts["start"] + pd.Timedelta(size))
    return counts.sort_values(["start", "key"], ignore_index=True)


def one_by_one(pieces, columns, time, who=None):
    """Yield the events of the pieces as dicts, checked."""
    for piece in pieces:
        if isinstance(piece, pd.DataFrame) and piece.empty:
            continue
        need_columns(piece, columns, "a stream of events")
        for column in [time, *([who] if who else [])]:
            need_moments(piece, column, "a stream of events")
        yield from piece.to_dict("records")


def need_moments(events, column, what):
    """Refuse events whose place is not known."""
    if events[column].isna().any():
        row = events.index[events[column].isna()][0]
        raise ValueError(f"{what}: {column} is blank in row {row}, so its window is not known; leave such rows out")


def draw_windows(windows, title, unit="events", ax=None):
    """Draw the count of each window, and on top of it the late events that are not in it.

    Parameters
    ----------
    windows : pandas.DataFrame
        "windows" of `run_windows`, without sliding (they would overlap): start, end, events, late.
    title : str
    unit : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing, or windows overlap.
    """
    from cimlab.plots.style import PALETTE, axes_for

    need_columns(windows, ["start", "end", "events", "late"], "draw_windows")
    counts = windows.groupby(["start", "end"], as_index=False)[["events", "late"]].sum()
    if (counts["end"].shift() > counts["start"]).any():
        raise ValueError("draw_windows: sliding windows overlap, and so would their bars; use plots.lines for them")
    ax = axes_for(ax, figsize=(9, 4))
    look = {"align": "edge", "width": 0.9 * (counts["end"] - counts["start"])}
    ax.bar(counts["start"], counts["events"], color=PALETTE[0], label="in the window", **look)
    if counts["late"].any():
        look |= {"color": "white", "edgecolor": PALETTE[4], "hatch": "///", "linewidth": 1}
        some = counts[counts["late"] > 0]
        look["width"] = look["width"][some.index]
        ax.bar(some["start"], some["late"], bottom=some["events"], label="came too late", **look)
    return _finish(ax, title, "time at which it happened (event time)", f"{unit} per window", [ax.xaxis])


def draw_arrivals(stream, wait, title, time="happened_at", ax=None):
    """Draw each event by when it arrived and when it happened, with the watermark: what lies below it may be late.

    Parameters
    ----------
    stream : pandas.DataFrame
        From `arrivals`; some hours or a day of it can be read best.
    wait : str
        The watermark stays this far behind the latest event time seen.
    title : str
    time : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing.
    """
    from cimlab.plots.style import PALETTE, axes_for

    need_columns(stream, [time, "arrived_at"], "draw_arrivals")
    ordered = stream.sort_values("arrived_at", kind="stable")
    mark = ordered[time].cummax() - pd.Timedelta(wait)
    below = ordered[time] < mark
    ax = axes_for(ax, figsize=(9, 4.5))
    look = {"linestyle": "", "markersize": 6}
    ax.plot(ordered.loc[~below, "arrived_at"], ordered.loc[~below, time], marker="o", color=PALETTE[0], **look)
    ax.plot(ordered.loc[below, "arrived_at"], ordered.loc[below, time], marker="X", color=PALETTE[4], **look)
    ax.step(ordered["arrived_at"], mark, where="post", color="#333333", linestyle="--")
    ax.lines[0].set_label("in time")
    ax.lines[1].set_label("older than the watermark")
    ax.lines[2].set_label(f"watermark (newest event less {wait})")
    return _finish(ax, title, "time at which it arrived", "time at which it happened", [ax.xaxis, ax.yaxis])


def _finish(ax, title, xlabel, ylabel, axes):
    """Write the dates, labels and the legend."""
    from matplotlib import dates

    from cimlab.plots.style import set_title

    for axis in axes:
        locator = dates.AutoDateLocator(maxticks=8)
        axis.set_major_locator(locator)
        axis.set_major_formatter(dates.ConciseDateFormatter(locator))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.18), ncols=3)
    set_title(ax, title)
    return ax
