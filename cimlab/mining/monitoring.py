"""Watch events as they come (近实时监测): carts left behind, a till that fails, a day unlike others; alert and answer.

Each watch walks through time and uses only what was known at that moment: cut the events off at any hour, and the
alerts before that hour stay the same. A table of alerts has alert_at (when the watch could know), rule, about (whom or
what), since (when it began) and evidence (in words).
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

ALERT_COLUMNS = ["alert_at", "rule", "about", "since", "evidence"]


def replay(events, every="1h", time="happened_at"):
    """Play events as if they came now: one piece for each tick of the clock.

    Parameters
    ----------
    events : pandas.DataFrame
    every : str
        Length of a tick, such as "1h" or "15min".
    time : str
        Column of the moment.

    Yields
    ------
    tuple of (pandas.Timestamp, pandas.DataFrame)
        The end of the tick, and the events that came in it, in order; also ticks without events.

    Raises
    ------
    ValueError
        The column is missing or holds a blank.

    Examples
    --------
    >>> events = pd.DataFrame({"happened_at": pd.to_datetime(["2026-06-01 08:10", "2026-06-01 10:30"])})
    >>> [(str(until.time()), len(piece)) for until, piece in replay(events)]
    [('09:00:00', 1), ('10:00:00', 0), ('11:00:00', 1)]
    """
    need(events, [time], "table of events")
    if events[time].isna().any():
        raise ValueError(
            f"replay: event {events.index[events[time].isna()][0]} has no {time}, so its place is not known"
        )
    ordered = events.sort_values(time, kind="stable")
    if ordered.empty:
        return
    ticks = ordered[time].dt.floor(every)
    pieces = dict(list(ordered.groupby(ticks)))
    for start in pd.date_range(ticks.iloc[0], ticks.iloc[-1], freq=every):
        yield start + pd.Timedelta(every), pieces.get(start, ordered.iloc[:0])


def abandoned_carts(events, wait="60min"):
    """Find visits that put something into the cart and bought nothing, as soon as this can be known.

    Nobody knows at once that a cart is left: the watch waits. Waiting short disturbs people who are still choosing,
    waiting long comes too late.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``web_events``: session_id, account_id, happened_at, event, product_id.
    wait : str
        Silence after which a cart counts as left.

    Returns
    -------
    pandas.DataFrame
        An alert a visit, by time: alert_at (last event + wait), rule "cart left", about (account_id, missing if not
        logged in), since (last event), evidence, and session_id, articles (how many are in the cart). A visit at the
        very end, for which the waiting time is not over, is not in it.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["S1", "S1", "S2"], "account_id": ["W1", "W1", "W2"],
    ...     "happened_at": pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:05", "2026-06-01 12:00"]),
    ...     "event": ["view", "add_to_cart", "view"], "product_id": ["P1", "P1", "P2"]})
    >>> abandoned_carts(events)[["alert_at", "about", "articles"]]
                 alert_at about  articles
    0 2026-06-01 09:05:00    W1         1
    """
    columns = ["session_id", "account_id", "happened_at", "event", "product_id"]
    events = need(events, columns, "table of events").sort_values("happened_at", kind="stable")
    step = events["event"].map({"add_to_cart": 1, "remove_from_cart": -1}).fillna(0)
    in_cart = step.groupby([events["session_id"], events["product_id"]]).sum().clip(lower=0, upper=1)
    visits = events.groupby("session_id").agg(since=("happened_at", "max"), about=("account_id", "first"))
    visits["articles"] = in_cart.groupby("session_id").sum()
    bought = visits.index.isin(events.loc[events["event"] == "purchase", "session_id"])
    left = visits[(visits["articles"] > 0) & ~bought].reset_index().astype({"articles": "int64"})
    left["alert_at"] = left["since"] + pd.Timedelta(wait)
    left = left[left["alert_at"] <= events["happened_at"].max()]
    left["rule"] = pd.Series("cart left", index=left.index, dtype="str")
    left["evidence"] = [f"{n} article{'s' if n > 1 else ''} in the cart, nothing bought" for n in left["articles"]]
    left["evidence"] = left["evidence"].astype("str")
    return left.sort_values(["alert_at", "session_id"])[[*ALERT_COLUMNS, "session_id", "articles"]].reset_index(
        drop=True
    )


def failing_checkouts(events, usual, wait="15min", level=0.001):
    """Alert when so many checkouts in a row end without a purchase that it is no chance any more: is the payment down?

    If a share `usual` of the checkouts fails on a good day, k failures in a row have the chance usual**k. The alert
    comes with the first k for which this is `level` or less, once in each run.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``web_events``: session_id, happened_at, event.
    usual : float
        Share of the checkouts that usually end without a purchase, from the past.
    wait : str
        A checkout has failed when no purchase came within this time.
    level : float
        Smaller gives fewer false alarms, and later true ones.

    Returns
    -------
    pandas.DataFrame
        Alerts: alert_at, rule "payment down?", about (missing), since (first failed checkout of the run), evidence.

    Raises
    ------
    ValueError
        `usual` is not between 0 and 1, or a column is missing.

    Examples
    --------
    >>> times = pd.date_range("2026-06-01 08:00", periods=5, freq="30min")
    >>> events = pd.DataFrame({"session_id": list("abcde"), "happened_at": times, "event": "checkout"})
    >>> failing_checkouts(events, usual=0.1)[["alert_at", "evidence"]]
                 alert_at                                   evidence
    0 2026-06-01 09:15:00  3 checkouts in a row failed, usually 10 %
    """
    if not 0 < usual < 1:
        raise ValueError(f"failing_checkouts: usual is a share between 0 and 1, not {usual}")
    needed = int(np.ceil(np.log(level) / np.log(usual) - 1e-9))
    rows, run, since = [], 0, None
    for known_at, failed, began in checkout_outcomes(events, wait).itertuples(index=False):
        run, since = (run + 1, since if run else began) if failed else (0, None)
        if run == needed:
            words = f"{run} checkouts in a row failed, usually {100 * usual:.0f} %"
            rows.append([known_at, "payment down?", None, since, words])
    return _alerts(rows)


def checkout_outcomes(events, wait="15min"):
    """Say of each checkout how it ended, in the order in which that was known.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``web_events``: session_id, happened_at, event.
    wait : str
        A checkout has failed when no purchase came within this time.

    Returns
    -------
    pandas.DataFrame
        known_at (of the purchase, else when the wait was over), failed (bool), began. A checkout at the very end, whose
        outcome is not known yet, is not in it.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:02", "2026-06-01 09:00", "2026-06-01 12:00"])
    >>> events = pd.DataFrame({"session_id": ["a", "a", "b", "c"], "happened_at": times,
    ...                        "event": ["checkout", "purchase", "checkout", "view"]})
    >>> checkout_outcomes(events)[["known_at", "failed"]]
                 known_at  failed
    0 2026-06-01 08:02:00   False
    1 2026-06-01 09:15:00    True
    """
    events, wait = need(events, ["session_id", "happened_at", "event"], "table of events"), pd.Timedelta(wait)
    starts = events[events["event"] == "checkout"].groupby("session_id")["happened_at"].min().rename("began")
    bought = events[events["event"] == "purchase"].groupby("session_id")["happened_at"].min().rename("bought")
    table = starts.to_frame().join(bought)
    in_time = (table["bought"] - table["began"]) <= wait
    table["known_at"] = table["bought"].where(in_time, table["began"] + wait)
    table["failed"] = ~in_time
    table = table[table["known_at"] <= events["happened_at"].max()]
    return table.sort_values(["known_at", "began"], kind="stable", ignore_index=True)[["known_at", "failed", "began"]]


def watch_counts(counts, learn=14, weight=0.3, limit=3.0):
    """Watch a count per period by a control chart (控制图): an average that weighs the last values most, its limits.

    Level and scatter are learned from the first periods and then from all that came before without an alert; a count is
    compared with what was known the period before. Limits stand `limit` standard errors from the level; the scatter is
    that of a Poisson count, or the measured one where that is larger.

    Parameters
    ----------
    counts : pandas.Series
        One count a period, in order, none missing: events a day, say.
    learn : int
        Periods to learn from first.
    weight : float
        Weight of the newest count in the average, 0 to 1: small sees slow changes, 1 sees single days only.
    limit : float
        Width of the limits; 3 gives about one false alarm in 370 periods for weight 1.

    Returns
    -------
    pandas.DataFrame
        From period `learn` on: count, average (the weighted one), expected, low, high, and alert ("high", "low" or
        missing).

    Raises
    ------
    ValueError
        The series is too short, a count is missing or below 0, or a parameter is out of range.

    References
    ----------
    Roberts, S. W. (1959). Control chart tests based on geometric moving averages. Technometrics 1, 239–250.
    Borror, C., Champ, C. and Rigdon, S. (1998). Poisson EWMA control charts. J. Quality Technology 30, 352–361.

    Examples
    --------
    >>> days = pd.date_range("2026-06-01", periods=20)
    >>> counts = pd.Series([30, 33, 28, 31] * 4 + [30, 31, 60, 62], index=days)
    >>> watch_counts(counts, learn=10)["alert"].dropna().to_dict()
    {Timestamp('2026-06-19 00:00:00'): 'high', Timestamp('2026-06-20 00:00:00'): 'high'}
    """
    if counts.isna().any() or (counts < 0).any():
        raise ValueError("watch_counts: counts are whole numbers from 0 on, without a gap; fill empty periods with 0")
    if not (2 <= learn < len(counts) and 0 < weight <= 1 and limit > 0):
        raise ValueError(
            f"watch_counts: learn={learn} must lie between 2 and {len(counts) - 1}, weight={weight} between 0 and 1"
        )
    past = list(counts.iloc[:learn].astype("float64"))
    average, rows = float(np.mean(past)), []
    spread = limit * np.sqrt(weight / (2 - weight))
    for value in counts.iloc[learn:].astype("float64"):
        expected = float(np.mean(past))
        error = np.sqrt(max(expected, np.var(past, ddof=1)))
        low, high = max(0.0, expected - spread * error), expected + spread * error
        average = weight * value + (1 - weight) * average
        alert = "high" if average > high else "low" if average < low else None
        rows.append([value, average, expected, low, high, alert])
        if alert is None:  # what raised an alert is not taken for normal
            past.append(value)
    table = pd.DataFrame(
        rows, columns=["count", "average", "expected", "low", "high", "alert"], index=counts.index[learn:]
    )
    return table.astype({"count": "int64", "alert": "str"})


def answer_alerts(alerts, agreed, most_per_person=1, days=7):
    """Give each alert its answer: a message only to who agreed to marketing, and not too often; else somebody looks.

    Parameters
    ----------
    alerts : pandas.DataFrame
        With alert_at, rule, about.
    agreed : set of str
        Accounts that agree to marketing messages at that time.
    most_per_person : int
        Messages to one person within `days`.
    days : int

    Returns
    -------
    pandas.DataFrame
        The alerts in order of time with a column answer: "message", "no message: no consent", "no message: one is
        enough", "no message: not logged in", or "call the person on duty" for what is about no customer.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> alerts = pd.DataFrame({"alert_at": pd.to_datetime(["2026-06-01", "2026-06-02", "2026-06-02"]),
    ...                        "rule": "cart left", "about": ["W1", "W1", "W2"]})
    >>> answer_alerts(alerts, agreed={"W1"})["answer"].tolist()
    ['message', 'no message: one is enough', 'no message: no consent']
    """
    need(alerts, ["alert_at", "rule", "about"], "table of alerts")
    ordered = alerts.sort_values("alert_at", kind="stable")
    sent, answers = {}, []
    for row in ordered.itertuples():
        recent = [at for at in sent.get(row.about, []) if row.alert_at - at < pd.Timedelta(days=days)]
        if row.rule != "cart left":
            answer = "call the person on duty"
        elif pd.isna(row.about):
            answer = "no message: not logged in"
        elif row.about not in agreed:
            answer = "no message: no consent"
        elif len(recent) >= most_per_person:
            answer = "no message: one is enough"
        else:
            answer = "message"
            sent.setdefault(row.about, []).append(row.alert_at)
        answers.append(answer)
    return ordered.assign(answer=pd.Series(answers, index=ordered.index, dtype="str"))


def judge_alerts(alerts, incidents, until=None):
    """Hold alerts against what truly happened: seen or missed, how late, how many false.

    Parameters
    ----------
    alerts : pandas.DataFrame
        With alert_at.
    incidents : pandas.DataFrame
        What truly happened: begins, ends (moments).
    until : str or pandas.Timedelta, optional
        An alert counts for an incident up to this time after its end (0 when left out).

    Returns
    -------
    tuple of (pandas.DataFrame, int)
        The incidents with seen (bool) and delay (Timedelta from the beginning to the first alert, missing if not seen);
        and the number of false alarms.

    Raises
    ------
    ValueError
        A column is missing, or an incident ends before it begins.

    Examples
    --------
    >>> alerts = pd.DataFrame({"alert_at": pd.to_datetime(["2026-06-01 09:00", "2026-06-05 09:00"])})
    >>> incidents = pd.DataFrame({"begins": ["2026-06-01 08:00"], "ends": ["2026-06-01 12:00"]}, dtype="datetime64[us]")
    >>> judged, false = judge_alerts(alerts, incidents)
    >>> judged["delay"].iloc[0], false
    (Timedelta('0 days 01:00:00'), 1)
    """
    need(alerts, ["alert_at"], "table of alerts")
    incidents = need(incidents, ["begins", "ends"], "table of incidents")
    if (incidents["ends"] < incidents["begins"]).any():
        raise ValueError("judge_alerts: an incident ends before it begins")
    grace = pd.Timedelta(until or 0)
    at, matched, delays = alerts["alert_at"], pd.Series(False, index=alerts.index), []
    for row in incidents.itertuples():
        hits = at.between(row.begins, row.ends + grace)
        matched |= hits
        delays.append(at[hits].min() - row.begins if hits.any() else pd.NaT)
    delay = pd.Series(pd.to_timedelta(delays), index=incidents.index, dtype="timedelta64[us]")
    return incidents.assign(seen=delay.notna(), delay=delay), int((~matched).sum())


def _alerts(rows):
    """Return rows of alerts as a table with fixed types, also when there are none."""
    table = pd.DataFrame(rows, columns=ALERT_COLUMNS)
    types = {"alert_at": "datetime64[us]", "since": "datetime64[us]", "rule": "str", "about": "str", "evidence": "str"}
    return table.astype(types)
