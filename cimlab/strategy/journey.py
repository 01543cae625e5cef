"""The customer's journey and experience, measured (客户旅程与客户体验): steps, contacts, self-service, effort.

A journey crosses the channels. So the records of a customer must be known to belong together first: `who` is the table
that matching made (record_id, customer_id), where a record is a card, an account or a call.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

JOURNEY = {
    "visit": None,
    "view": "view",
    "cart": "add_to_cart",
    "checkout": "checkout",
    "purchase": "purchase",
}
_COLUMNS = ["customer_id", "at", "kind", "channel", "direction", "record_id", "part_of"]


def _wilson(table, hits, of, confidence):
    """Return the table with share, low and high (missing where nothing could happen)."""
    from statsmodels.stats.proportion import proportion_confint

    if not 0 < confidence < 1:
        raise ValueError(f"confidence is a share between 0 and 1, such as 0.95, not {confidence}")
    trials = table[of].where(table[of] > 0)
    low, high = proportion_confint(table[hits], trials.fillna(1), alpha=1 - confidence, method="wilson")
    known = trials.notna()
    return table.assign(share=table[hits] / trials, low=low.where(known), high=high.where(known))


def _customer_of(records, who):
    """Return the customer of each record, or the record itself where no `who` is given."""
    if who is None:
        return records
    known = need(who, ["record_id", "customer_id"], "table who is who")
    twice = known["record_id"].duplicated()
    if twice.any():
        raise ValueError(f"who: record {known.loc[twice, 'record_id'].iloc[0]} stands twice; a record has one customer")
    return records.map(known.set_index("record_id")["customer_id"])


def journey_steps(events, orders, days=14, as_of=None, who=None, confidence=0.95):
    """Count how many visits reach each step, and how many purchases are followed by another.

    Not every step leaves an event: who comes from a saved list puts an article into the cart without a view. So a step
    counts as reached if it or a later one was seen, or shares above 1 come out. Only purchases that lie at least `days`
    before the end can be judged for a repurchase (右删失): the others are no refusals.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``web_events``: session_id, happened_at, event, order_id.
    orders : pandas.DataFrame
        order_id, customer_ref, ordered_at: of all channels.
    days : int
        Window of the repurchase.
    as_of : datetime.date or str, optional
        The last day that is known; the day of the last order when left out.
    who : pandas.DataFrame, optional
        record_id, customer_id: then a purchase in another channel counts too, and an account that is not in it is left
        out. Without it, only purchases with the same account count.
    confidence : float

    Returns
    -------
    pandas.DataFrame
        step, seen (visits with this event), reached (with this or a later one), of (how many could reach it), share
        (reached / of), low, high (Wilson interval). Of the step "repurchase", reached and of count purchases.

    Raises
    ------
    ValueError
        A column is missing, there are no events, or a record has two customers.

    References
    ----------
    Wilson, E. (1927). Probable inference, the law of succession, and statistical inference. JASA 22(158).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["S1", "S1", "S2"], "event": ["add_to_cart", "purchase", "view"],
    ...     "happened_at": pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:05", "2026-06-02 10:00"]),
    ...     "order_id": [None, "O1", None]})
    >>> orders = pd.DataFrame({"order_id": ["O1", "O2"], "customer_ref": ["W1", "W1"],
    ...                        "ordered_at": pd.to_datetime(["2026-06-01 08:05", "2026-06-20 18:00"])})
    >>> journey_steps(events, orders)[["step", "seen", "reached", "of", "share"]]
             step  seen  reached  of  share
    0       visit     2        2   2    1.0
    1        view     1        2   2    1.0
    2        cart     1        1   2    0.5
    3    checkout     0        1   1    1.0
    4    purchase     1        1   1    1.0
    5  repurchase     0        0   1    0.0
    """
    events = need(events, ["session_id", "happened_at", "event", "order_id"], "table of events")
    orders = need(orders, ["order_id", "customer_ref", "ordered_at"], "orders table")
    if events.empty:
        raise ValueError("journey_steps: the table of events has no rows")
    steps = list(JOURNEY)
    visits = set(events["session_id"])
    seen = {step: set(events.loc[events["event"] == JOURNEY[step], "session_id"]) for step in steps[1:]}
    seen["visit"] = visits
    reached = {step: set().union(*(seen[later] for later in steps[row:])) for row, step in enumerate(steps)}
    counts = [len(reached[step]) for step in steps]
    table = pd.DataFrame({"step": steps, "seen": [len(seen[step]) for step in steps], "reached": counts})
    table["of"] = [counts[0], *counts[:-1]]
    again, could = _repurchases(events, orders, days, as_of, who)
    table.loc[len(table)] = ["repurchase", again, again, could]
    return _wilson(table.astype({"seen": "int64", "reached": "int64", "of": "int64"}), "reached", "of", confidence)


def _repurchases(events, orders, days, as_of, who):
    """Return how many purchases were followed by another within the window, of how many that could be."""
    end = pd.Timestamp(orders["ordered_at"].max() if as_of is None else as_of).normalize() + pd.Timedelta(days=1)
    orders = orders[orders["ordered_at"] < end]
    orders = orders.assign(customer_id=_customer_of(orders["customer_ref"], who)).dropna(subset=["customer_id"])
    window = pd.Timedelta(days=days)
    bought = set(events.loc[events["event"] == "purchase", "order_id"].dropna())
    base = orders[orders["order_id"].isin(bought) & (orders["ordered_at"] + window <= end)]
    pairs = base.merge(orders, on="customer_id", suffixes=("", "_next"))
    wait = pairs["ordered_at_next"] - pairs["ordered_at"]
    later = (pairs["order_id_next"] != pairs["order_id"]) & (wait > pd.Timedelta(0)) & (wait <= window)
    return pairs.loc[later, "order_id"].nunique(), len(base)


def _rows(record, at, kind, channel, direction, record_id, part_of=None):
    """Return the contacts of one kind; `record` says whose card, account or call it was."""
    return pd.DataFrame(
        {
            "record": record,
            "at": at,
            "kind": kind,
            "channel": channel,
            "direction": direction,
            "record_id": record_id,
            "part_of": part_of,
        }
    )


def _order_rows(tables):
    """Return the orders; one that came out of a visit or a call is a part of it."""
    orders = need(tables["orders"], ["order_id", "customer_ref", "channel", "ordered_at"], "orders table")
    part_of = orders["customer_ref"].where(orders["channel"] == "call")
    if "web_events" in tables:
        bought = need(tables["web_events"], ["session_id", "event", "order_id"], "web_events table")
        bought = bought[(bought["event"] == "purchase") & bought["order_id"].notna()].drop_duplicates("order_id")
        part_of = part_of.fillna(orders["order_id"].map(bought.set_index("order_id")["session_id"]))
    return _rows(
        orders["customer_ref"], orders["ordered_at"], "order", orders["channel"], "in", orders["order_id"], part_of
    )


def _call_rows(tables):
    calls = need(tables["calls"], ["call_id", "called_at"], "calls table")
    return _rows(calls["call_id"], calls["called_at"], "call", "call", "in", calls["call_id"])


def _ticket_rows(tables):
    tickets = need(tables["tickets"], ["ticket_id", "call_id", "opened_at"], "tickets table")
    call = tickets["call_id"]
    return _rows(call, tickets["opened_at"], "ticket", "call", "in", tickets["ticket_id"], call)


def _visit_rows(tables):
    events = need(tables["web_events"], ["session_id", "account_id", "happened_at"], "web_events table")
    visits = (
        events.groupby("session_id").agg(account_id=("account_id", "first"), at=("happened_at", "min")).reset_index()
    )
    return _rows(visits["account_id"], visits["at"], "visit", "web", "in", visits["session_id"])


def _message_rows(tables):
    sent = need(tables["campaign_contacts"], ["campaign_id", "member_id", "arm"], "campaign_contacts table")
    if "campaigns" not in tables:
        raise ValueError("touchpoints: campaign_contacts has no day; give the table campaigns too")
    campaigns = need(tables["campaigns"], ["campaign_id", "medium", "starts_on"], "campaigns table")
    sent = sent[sent["arm"] == "treated"].merge(campaigns, on="campaign_id", how="left")
    name = sent["campaign_id"] + "/" + sent["member_id"]
    return _rows(sent["member_id"], sent["starts_on"], "message", sent["medium"], "out", name)


def _review_rows(tables):
    reviews = need(tables["reviews"], ["review_id", "account_id", "reviewed_at"], "reviews table")
    return _rows(reviews["account_id"], reviews["reviewed_at"], "review", "web", "in", reviews["review_id"])


def _answer_rows(tables):
    answers = need(tables["questionnaire"], ["response_no", "member_id", "submitted_at"], "questionnaire table")
    number = answers["response_no"].astype("str")
    return _rows(answers["member_id"], answers["submitted_at"], "answer", "questionnaire", "in", number)


_SOURCES = {
    "orders": _order_rows,
    "calls": _call_rows,
    "tickets": _ticket_rows,
    "web_events": _visit_rows,
    "campaign_contacts": _message_rows,
    "reviews": _review_rows,
    "questionnaire": _answer_rows,
}


def touchpoints(tables, who):
    """Lay all contacts of each customer on one line of time, across the channels (触点).

    Who was held out of a campaign got no message: that is no contact. A visit is one contact, not one an event. An
    order in a visit, an order by telephone and a case opened by a call are parts of that contact: `part_of` names it,
    so that nothing is counted twice.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Any of orders, calls, tickets, web_events, campaign_contacts (with campaigns), reviews, questionnaire.
    who : pandas.DataFrame
        record_id (card, account or call), customer_id.

    Returns
    -------
    pandas.DataFrame
        customer_id (missing if nobody knows whose contact it was; these stand last), at, kind (order, call, ticket,
        visit, message, review, answer), channel, direction ("in" from the customer, "out" to the customer), record_id,
        part_of; by customer and time.

    Raises
    ------
    ValueError
        No such table was given, a column is missing, or a record has two customers.

    Examples
    --------
    >>> calls = pd.DataFrame({"call_id": ["C1"], "called_at": pd.to_datetime(["2026-06-02 10:00"])})
    >>> orders = pd.DataFrame({"order_id": ["O1", "O2"], "customer_ref": ["M1", "C1"], "channel": ["till", "call"],
    ...                        "ordered_at": pd.to_datetime(["2026-06-01 09:00", "2026-06-02 10:01"])})
    >>> who = pd.DataFrame({"record_id": ["M1", "C1"], "customer_id": ["K1", "K1"]})
    >>> touchpoints({"calls": calls, "orders": orders}, who)[["customer_id", "at", "kind", "part_of"]]
      customer_id                  at   kind part_of
    0          K1 2026-06-01 09:00:00  order     NaN
    1          K1 2026-06-02 10:00:00   call     NaN
    2          K1 2026-06-02 10:01:00  order      C1
    """
    wanted = [name for name in _SOURCES if name in tables]
    if not wanted:
        raise ValueError(f"touchpoints: give at least one of the tables {', '.join(_SOURCES)}")
    texts = ["record", "kind", "channel", "direction", "record_id", "part_of"]
    rows = pd.concat([_SOURCES[name](tables).astype(dict.fromkeys(texts, "str")) for name in wanted], ignore_index=True)
    rows["customer_id"] = _customer_of(rows["record"], who).astype("str")
    ordered = rows.sort_values(["customer_id", "at", "kind", "record_id"], na_position="last")
    return ordered[_COLUMNS].reset_index(drop=True)


def self_service_share(touches, by="M", alone=("web", "app"), kinds=("order", "call"), confidence=0.95):
    """Measure which part of the contacts the customers managed without staff (自助服务), period by period.

    A rising share is no gain by itself: it also rises when those who need help stay away. Look at `contacts` too. And
    count only `kinds` that were kept all the time: visits to the web shop are kept for 30 days, and the month in which
    they begin to count looks like a success.

    Parameters
    ----------
    touches : pandas.DataFrame
        As returned by `touchpoints`: at, kind, channel, record_id, part_of.
    by : str
        "M" month, "Q" quarter, "Y" year.
    alone : tuple of str
        Channels in which the customer does it alone.
    kinds : tuple of str
        What counts as a contact. An order by telephone and its call are counted once.
    confidence : float

    Returns
    -------
    pandas.DataFrame
        period, contacts, self_service, share, low, high (Wilson interval).

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> touches = pd.DataFrame({"at": pd.to_datetime(["2026-06-01", "2026-06-02"]), "channel": ["web", "till"],
    ...                         "kind": "order", "record_id": ["O1", "O2"], "part_of": None})
    >>> self_service_share(touches)[["period", "contacts", "self_service", "share"]]
        period  contacts  self_service  share
    0  2026-06         2             1    0.5
    """
    touches = need(touches, ["at", "channel", "kind", "record_id", "part_of"], "table of contacts")
    counted = touches[touches["kind"].isin(kinds)]
    counted = counted[counted["part_of"].isna() | ~counted["part_of"].isin(counted["record_id"])]
    counted = counted.assign(alone=counted["channel"].isin(alone))
    period = counted["at"].dt.to_period(by).rename("period")
    table = counted.groupby(period).agg(contacts=("alone", "size"), self_service=("alone", "sum")).reset_index()
    return _wilson(table, "self_service", "contacts", confidence)


def effort(touches, tickets, days=7):
    """Measure how much trouble it is to be a customer (客户费力度): calls for an order, calls again, days to an end.

    A case that is still open has no days yet. Leaving it out makes a slow service look fast; here it counts as longer
    than any that was closed (`median_days`), and beside it stands what leaving out would show (`median_closed`).

    Parameters
    ----------
    touches : pandas.DataFrame
        As returned by `touchpoints`: customer_id, at, kind.
    tickets : pandas.DataFrame
        opened_at, closed_at (missing while open).
    days : int
        A call within so many days of the customer's last one is a repeat.

    Returns
    -------
    pandas.DataFrame
        measure, value: orders, calls, calls_per_100_orders, known_calls (whose caller is known), repeat_calls,
        repeat_share (of the known calls), tickets, open_tickets, median_days, median_closed (days).

    Raises
    ------
    ValueError
        A column is missing, or a case was closed before it was opened.

    References
    ----------
    Dixon, M., Freeman, K. and Toman, N. (2010). Stop trying to delight your customers. Harvard Business Review 88(7/8).

    Examples
    --------
    >>> touches = pd.DataFrame({"customer_id": ["K1", "K1", "K1"], "kind": ["order", "call", "call"],
    ...                         "at": pd.to_datetime(["2026-06-01", "2026-06-03", "2026-06-06"])})
    >>> tickets = pd.DataFrame({"opened_at": pd.to_datetime(["2026-06-03"] * 3),
    ...                         "closed_at": pd.to_datetime(["2026-06-04", "2026-06-09", None])})
    >>> effort(touches, tickets).set_index("measure")["value"].to_dict()
    {'orders': 1.0, 'calls': 2.0, 'calls_per_100_orders': 200.0, 'known_calls': 2.0, 'repeat_calls': 1.0,
    'repeat_share': 0.5, 'tickets': 3.0, 'open_tickets': 1.0, 'median_days': 6.0, 'median_closed': 3.5}
    """
    touches = need(touches, ["customer_id", "at", "kind"], "table of contacts")
    took = need(tickets, ["opened_at", "closed_at"], "tickets table")
    took = (took["closed_at"] - took["opened_at"]) / pd.Timedelta(days=1)
    if (took < 0).any():
        raise ValueError(f"effort: ticket in row {took.index[took < 0][0]} was closed before it was opened")
    orders, calls = (touches["kind"] == "order").sum(), touches[touches["kind"] == "call"]
    known = calls.dropna(subset=["customer_id"]).sort_values(["customer_id", "at"])
    again = known.groupby("customer_id")["at"].diff() <= pd.Timedelta(days=days)
    median = took.fillna(np.inf).median()
    values = {
        "orders": orders,
        "calls": len(calls),
        "calls_per_100_orders": 100 * len(calls) / orders if orders else np.nan,
        "known_calls": len(known),
        "repeat_calls": again.sum(),
        "repeat_share": again.mean() if len(known) else np.nan,
        "tickets": len(took),
        "open_tickets": took.isna().sum(),
        "median_days": median if np.isfinite(median) else np.nan,
        "median_closed": took.median(),
    }
    return pd.DataFrame({"measure": list(values), "value": [float(value) for value in values.values()]})
