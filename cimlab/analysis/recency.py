"""Recency, frequency, monetary value: who bought lately, often, for much (RFM)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need, orders_until

# Which scores of recency and frequency (from, to) make a segment: the usual map of 5 × 5 cells, each in one segment.
RFM_SEGMENTS = {
    "champions": {"r": (5, 5), "f": (4, 5)},
    "loyal": {"r": (3, 4), "f": (4, 5)},
    "potential loyalists": {"r": (4, 5), "f": (2, 3)},
    "new": {"r": (5, 5), "f": (1, 1)},
    "promising": {"r": (4, 4), "f": (1, 1)},
    "need attention": {"r": (3, 3), "f": (3, 3)},
    "about to sleep": {"r": (3, 3), "f": (1, 2)},
    "cannot lose": {"r": (1, 2), "f": (5, 5)},
    "at risk": {"r": (1, 2), "f": (3, 4)},
    "hibernating": {"r": (1, 2), "f": (1, 2)},
}


def rfm(orders, as_of, customer="customer_id"):
    """Measure recency, frequency and monetary value of each customer.

    Parameters
    ----------
    orders : pandas.DataFrame
        order_id, ordered_at, amount (CNY) and the column `customer`. A table of lines does too: an order counts once.
    as_of : datetime.date or str
        The day from which one looks back. Later orders are left out.
    customer : str
        Column that says whose order it is; orders without a customer are left out.

    Returns
    -------
    pandas.DataFrame
        One row per customer: the column `customer`, recency (days since the last order), frequency (number of orders),
        monetary (sum of the amounts).

    Raises
    ------
    ValueError
        A column is not there, or nobody had bought by that day.

    References
    ----------
    Hughes, A. M. (1994). Strategic Database Marketing. Probus.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["o1", "o2", "o3"], "customer_id": ["a", "b", "a"],
    ...                        "ordered_at": pd.to_datetime(["2026-06-01", "2026-06-28", "2026-06-20"]),
    ...                        "amount": [10.0, 25.0, 30.0]})
    >>> rfm(orders, as_of="2026-06-30")
      customer_id  recency  frequency  monetary
    0           a       10          2      40.0
    1           b        2          1      25.0
    """
    known = orders_until(orders, as_of, ["order_id", "amount"], customer)
    grouped = known.groupby(customer)
    last = grouped["ordered_at"].max().dt.normalize()
    measures = {
        "recency": (pd.Timestamp(as_of).normalize() - last).dt.days,
        "frequency": grouped["order_id"].nunique(),
        "monetary": grouped["amount"].sum(),
    }
    return pd.DataFrame(measures).reset_index()


def rfm_scores(table, bins=5):
    """Score each measure from 1 to 5 by the fifth of the customers in which it lies; 5 is best (五分位打分).

    Who has the same value gets the same score, that of the lowest place which they share, even if the fifths are
    unequal then: where 40 % of the customers bought once, all of them get 1, and nobody gets 2.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `rfm`.
    bins : int
        Number of scores.

    Returns
    -------
    pandas.DataFrame
        The table and r_score (5 for the latest), f_score, m_score, and `cell`, the three as a text: "555" is best.

    Examples
    --------
    >>> table = pd.DataFrame({"recency": [1, 9, 30, 90, 200], "frequency": [9, 1, 4, 1, 1],
    ...                       "monetary": [900.0, 30.0, 200.0, 50.0, 10.0]})
    >>> rfm_scores(table)["cell"].tolist()
    ['555', '412', '344', '213', '111']
    """
    measures = need(table, ["recency", "frequency", "monetary"], "RFM table")
    scored = table.copy()
    for name, values in zip("rfm", (-measures["recency"], measures["frequency"], measures["monetary"]), strict=True):
        scored[f"{name}_score"] = np.ceil(values.rank(method="min") * bins / len(values)).astype("int64")
    parts = [scored[f"{name}_score"].astype("str") for name in "rfm"]
    return scored.assign(cell=parts[0] + parts[1] + parts[2])


def rfm_segments(scored):
    """Name the segment of each customer by recency and frequency: `RFM_SEGMENTS` says which scores make which.

    Parameters
    ----------
    scored : pandas.DataFrame
        As returned by `rfm_scores`, with scores from 1 to 5.

    Returns
    -------
    pandas.DataFrame
        The table and `segment`.

    Raises
    ------
    ValueError
        A score is not from 1 to 5.

    Examples
    --------
    >>> rfm_segments(pd.DataFrame({"r_score": [5, 1, 3], "f_score": [5, 4, 3]}))["segment"].tolist()
    ['champions', 'at risk', 'need attention']
    """
    scores = need(scored, ["r_score", "f_score"], "table of scores")
    if not scores.isin(range(1, 6)).all(axis=None):
        raise ValueError("the segments are made for scores from 1 to 5: call rfm_scores(table, bins=5)")
    segment = pd.Series(pd.NA, index=scored.index, dtype="str")
    for name, cells in RFM_SEGMENTS.items():
        segment[scores["r_score"].between(*cells["r"]) & scores["f_score"].between(*cells["f"])] = name
    return scored.assign(segment=segment)


def rfm_octants(table):
    """Sort customers into eight groups: each measure better than the mean or not (八类客户).

    The usual scheme in Chinese textbooks. A mean is pulled up by a few large customers, so that most lie below it.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `rfm`.

    Returns
    -------
    pandas.DataFrame
        The table and `group`, `group_zh`. "important" spends more than the mean, "general" less; then by recency and
        frequency: "value" (lately, often), "develop" (lately, seldom), "keep" (long ago, often), "win back" (long ago,
        seldom).

    Examples
    --------
    >>> table = pd.DataFrame({"recency": [1, 90], "frequency": [9, 1], "monetary": [900.0, 30.0]})
    >>> rfm_octants(table)[["group", "group_zh"]]
                   group group_zh
    0    important value   重要价值客户
    1  general win back   一般挽留客户
    """
    measures = need(table, ["recency", "frequency", "monetary"], "RFM table")
    mean = measures.mean()
    much = measures["monetary"].ge(mean["monetary"])
    lately, often = measures["recency"].le(mean["recency"]), measures["frequency"].ge(mean["frequency"])
    conditions = [lately & often, lately & ~often, ~lately & often]
    kind = np.select(conditions, ["value", "develop", "keep"], "win back")
    kind_zh = np.select(conditions, ["价值", "发展", "保持"], "挽留")
    group = pd.Series(np.where(much, "important ", "general "), index=table.index) + kind
    group_zh = pd.Series(np.where(much, "重要", "一般"), index=table.index) + kind_zh + "客户"
    return table.assign(group=group.astype("str"), group_zh=group_zh.astype("str"))
