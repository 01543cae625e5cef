"""Does a firm pay, and how long do we wait? Credit situation, ageing, score and terms (企业客户：信用状况)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need
from cimlab.analysis.firms import business_situation, operating_situation

# Points of the credit score: the value that gets none, the value that gets all, and the weight. They are chosen, as in
# the credit manual of a small firm: how a firm paid us counts for two thirds, what its statements say for one third.
CREDIT_POINTS = {
    "collection_rate": {"worst": 0.60, "best": 1.00, "weight": 25},
    "mean_days_past_due": {"worst": 60.0, "best": 0.0, "weight": 25},
    "default_share": {"worst": 0.25, "best": 0.0, "weight": 15},
    "current_ratio": {"worst": 0.80, "best": 2.00, "weight": 10},
    "debt_ratio": {"worst": 0.90, "best": 0.40, "weight": 10},
    "net_margin": {"worst": -0.05, "best": 0.08, "weight": 10},
    "revenue_growth": {"worst": -0.20, "best": 0.15, "weight": 5},
}
# From which score on which grade, days until payment, and the credit limit in months of usual orders; chosen too.
CREDIT_TERMS = {
    "A": {"from": 80, "terms_days": 60, "months": 3.0},
    "B": {"from": 65, "terms_days": 30, "months": 2.0},
    "C": {"from": 50, "terms_days": 15, "months": 1.0},
    "D": {"from": 0, "terms_days": 0, "months": 0.0},
}
ORDER_COLUMNS = ["ordered_on", "amount", "due_on", "paid_on", "paid"]


def credit_situation(orders, as_of, firm="enterprise_id", default_after=90):
    """Measure how each firm pays us (信用状况).

    Only what could be known on that day is used: a later payment is none yet.

    Parameters
    ----------
    orders : pandas.DataFrame
        The column `firm`, ordered_on, amount, due_on, paid_on, paid (table ``enterprise_orders``).
    as_of : datetime.date or str
        The day from which one looks back.
    firm : str
        Column that says whose order it is.
    default_after : int
        Days past due from which on an open amount counts as default (90, as for banks under Basel II).

    Returns
    -------
    pandas.DataFrame
        One row per firm, amounts in CNY; rates are missing for a firm that had nothing due:

        - orders, invoiced; due: what had to be paid before that day;
        - collection_rate (回款率): part of `due` that was paid;
        - mean_days_to_pay (平均回款天数): from the order to the payment, of the orders that are paid;
        - mean_days_past_due: of the orders that were due, from the due day to the payment or, if anything is open, to
          `as_of`; in time counts as 0;
        - most_days_past_due: of what is open;
        - default_share (违约率): part of `due` that is open for more than `default_after` days;
        - open: not paid; overdue: not paid though it was due.

    Raises
    ------
    ValueError
        A column is not there.

    References
    ----------
    Basel Committee (2006). International Convergence of Capital Measurement, paragraph 452: default after 90 days.

    Examples
    --------
    >>> orders = pd.DataFrame({"enterprise_id": ["E1", "E1"], "amount": [300.0, 100.0], "paid": [300.0, 0.0],
    ...                        "ordered_on": pd.to_datetime(["2026-01-01", "2026-01-01"]),
    ...                        "due_on": pd.to_datetime(["2026-01-31", "2026-01-31"]),
    ...                        "paid_on": pd.to_datetime(["2026-02-10", None])})
    >>> situation = credit_situation(orders, as_of="2026-06-30")
    >>> situation[["due", "collection_rate", "mean_days_to_pay", "mean_days_past_due", "default_share"]]
         due  collection_rate  mean_days_to_pay  mean_days_past_due  default_share
    0  400.0             0.75              40.0                80.0           0.25
    """
    known = _known(orders, as_of, [firm])
    day = pd.Timestamp(as_of).normalize()
    known["was_due"] = known["due_on"] < day
    known["due"] = known["amount"].where(known["was_due"], 0.0)
    known["collected"] = (known["amount"] - known["open"]).where(known["was_due"], 0.0)
    known["days_to_pay"] = (known["paid_on"] - known["ordered_on"]).dt.days.where(known["open"] == 0)
    ended = known["paid_on"].where(known["open"] == 0, day)
    known["days_late"] = (ended - known["due_on"]).dt.days.clip(lower=0).where(known["was_due"])
    known["overdue"] = known["open"].where(known["was_due"], 0.0)
    known["defaulted"] = known["open"].where(known["days_past_due"] > default_after, 0.0)
    grouped = known.groupby(firm)
    sums = grouped[["amount", "due", "collected", "open", "overdue", "defaulted"]].sum()
    due = sums["due"].where(sums["due"] > 0)
    situation = {
        "orders": grouped.size(),
        "invoiced": sums["amount"],
        "due": sums["due"],
        "collection_rate": sums["collected"] / due,
        "mean_days_to_pay": grouped["days_to_pay"].mean(),
        "mean_days_past_due": grouped["days_late"].mean(),
        "most_days_past_due": grouped["days_past_due"].max(),
        "default_share": sums["defaulted"] / due,
        "open": sums["open"],
        "overdue": sums["overdue"],
    }
    return pd.DataFrame(situation).reset_index()


def ageing_table(orders, as_of, edges=(30, 60, 90), by=None):
    """Sort what is open by how long it is past due (账龄分析).

    Parameters
    ----------
    orders : pandas.DataFrame
        As for `credit_situation`.
    as_of : datetime.date or str
        The day of the table.
    edges : iterable of int
        Last day of each bucket but the last.
    by : str, optional
        Column of firms, salesmen, …: one row for each that owes anything, one column per bucket.

    Returns
    -------
    pandas.DataFrame
        Without `by`: bucket, invoices, open (CNY), share. With `by`: a column with the open CNY per bucket and `total`,
        the greatest debtor first.

    Examples
    --------
    >>> orders = pd.DataFrame({"enterprise_id": ["E1", "E1", "E2"], "amount": [300.0, 100.0, 100.0],
    ...                        "paid": [0.0, 40.0, 0.0], "ordered_on": pd.to_datetime(["2026-01-01"] * 3),
    ...                        "due_on": pd.to_datetime(["2026-07-15", "2026-06-10", "2026-01-31"]),
    ...                        "paid_on": pd.to_datetime([None, "2026-06-20", None])})
    >>> ageing_table(orders, as_of="2026-06-30").round(2)
            bucket  invoices   open  share
    0  not yet due         1  300.0   0.65
    1         1-30         1   60.0   0.13
    2        31-60         0    0.0   0.00
    3        61-90         0    0.0   0.00
    4      over 90         1  100.0   0.22
    """
    edges = list(edges)
    if edges != sorted(set(edges)) or not edges or edges[0] <= 0:
        raise ValueError(f"the edges of the buckets must rise from above 0, such as (30, 60, 90), not {edges}")
    known = _known(orders, as_of, [] if by is None else [by])
    owed = known[known["open"] > 0]
    starts = [1, *[edge + 1 for edge in edges[:-1]]]
    spans = [f"{start}-{edge}" for start, edge in zip(starts, edges, strict=True)]
    labels = ["not yet due", *spans, f"over {edges[-1]}"]
    bucket = pd.cut(owed["days_past_due"], [-np.inf, 0, *edges, np.inf], labels=labels).rename("bucket")
    if by is not None:
        table = owed.pivot_table(index=by, columns=bucket, values="open", aggfunc="sum", observed=False, fill_value=0.0)
        table.columns = labels
        table["total"] = table.sum(axis="columns")
        return table.sort_values("total", ascending=False, kind="stable").reset_index()
    grouped = owed["open"].groupby(bucket, observed=False)
    table = pd.DataFrame({"invoices": grouped.size(), "open": grouped.sum()}).reset_index()
    total = table["open"].sum()
    return table.assign(bucket=table["bucket"].astype("str"), share=table["open"] / total if total else 0.0)


def credit_score(table, points=None):
    """Score the credit of each firm from 0 to 100 with stated weights (信用评分).

    Between the worst and the best value of an indicator the points rise in a straight line. What is not known is left
    out, and the rest counts for more; `known` says how much of the weight was there.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per firm, with the indicators as columns: those of `credit_situation`, joined with the last year of
        `business_situation` and `operating_situation`.
    points : dict, optional
        Indicator to worst, best and weight; `CREDIT_POINTS` if not given.

    Returns
    -------
    pandas.DataFrame
        The table and `score` (missing if nothing is known), `known` (0 to 1).

    Raises
    ------
    ValueError
        An indicator is no column, or its best value is its worst.

    References
    ----------
    Anderson, R. (2007). The Credit Scoring Toolkit. Oxford University Press: expert scorecards.

    Examples
    --------
    >>> firms = pd.DataFrame({"enterprise_id": ["E1", "E2"], "collection_rate": [1.0, 0.7], "debt_ratio": [0.5, None]})
    >>> points = {"collection_rate": {"worst": 0.5, "best": 1.0, "weight": 60},
    ...           "debt_ratio": {"worst": 0.9, "best": 0.4, "weight": 40}}
    >>> credit_score(firms, points)
      enterprise_id  collection_rate  debt_ratio  score  known
    0            E1              1.0         0.5   92.0    1.0
    1            E2              0.7         NaN   40.0    0.6
    """
    points = CREDIT_POINTS if points is None else points
    values = need(table, list(points), "table of firms").astype("float64")
    rules = pd.DataFrame(points).T
    if (rules["best"] == rules["worst"]).any() or not rules["weight"].gt(0).all():
        raise ValueError("each indicator needs a best value other than its worst, and a weight above 0")
    reached = ((values - rules["worst"]) / (rules["best"] - rules["worst"])).clip(0, 1)
    weight = values.notna() * rules["weight"]
    total = weight.sum(axis="columns")
    score = 100 * (reached * rules["weight"]).sum(axis="columns") / total.where(total > 0)
    return table.assign(score=score, known=total / rules["weight"].sum())


def credit_terms(scored, monthly, terms=None, least_known=0.5):
    """Turn scores into terms: days until payment and the most that may be open (账期与信用额度).

    Parameters
    ----------
    scored : pandas.DataFrame
        As returned by `credit_score`.
    monthly : str
        Column with what the firm orders in a usual month (CNY).
    terms : dict, optional
        Grade to from (the least score), terms_days and months (of the usual orders, as the limit); `CREDIT_TERMS` if
        not given.
    least_known : float
        Of whom less than this part of the weight is known gets the terms of the lowest grade, whatever the score.

    Returns
    -------
    pandas.DataFrame
        The table and `grade`, `terms_days` (0: payment in advance), `credit_limit` (CNY).

    Examples
    --------
    >>> scored = pd.DataFrame({"enterprise_id": ["E1", "E2", "E3"], "score": [85.0, 60.0, 90.0],
    ...                        "known": [1.0, 1.0, 0.2], "monthly": [1000.0, 500.0, 800.0]})
    >>> credit_terms(scored, "monthly")[["enterprise_id", "grade", "terms_days", "credit_limit"]]
      enterprise_id grade  terms_days  credit_limit
    0            E1     A          60        3000.0
    1            E2     C          15         500.0
    2            E3     D           0           0.0
    """
    values = need(scored, ["score", "known", monthly], "table of scores")
    ladder = pd.DataFrame(CREDIT_TERMS if terms is None else terms).T.sort_values("from", ascending=False)
    grade = pd.Series(ladder.index[-1], index=scored.index, dtype="str")
    for name, rung in ladder.iloc[::-1].iterrows():
        grade[values["score"].ge(rung["from"]) & values["known"].ge(least_known)] = name
    days, months = grade.map(ladder["terms_days"]).astype("int64"), grade.map(ladder["months"])
    return scored.assign(grade=grade, terms_days=days, credit_limit=months * values[monthly])


def score_on(orders, years, as_of, firm="enterprise_id", statement_days=120, points=None):
    """Score each firm as one could have done on a day of the past (当日可知的评分).

    A payment after that day is none yet, and the statement of a year is not known before it was handed in. A score that
    may see more is tested on its own answers (leakage, 数据泄漏).

    Parameters
    ----------
    orders, firm
        As for `credit_situation`.
    years : pandas.DataFrame
        As for `business_situation` and `operating_situation`.
    as_of : datetime.date or str
        The day on which the score is made.
    statement_days : int
        Days from the end of a year until its statement is there (120: four months, as for firms listed in China).
    points : dict, optional

    Returns
    -------
    pandas.DataFrame
        One row per firm that had ordered by then: `credit_situation`, the ratios of the last year that was known, and
        `score` and `known` of `credit_score`.

    References
    ----------
    Anderson (2007): a scorecard is built on what is known at the time of the decision, and judged by what comes after.

    Examples
    --------
    >>> days = {"ordered_on": "2025-01-01", "due_on": "2025-01-31", "paid_on": "2025-01-20"}
    >>> orders = pd.DataFrame({"enterprise_id": ["E1"], "amount": [300.0], "paid": [300.0]})
    >>> orders = orders.assign(**{name: pd.Timestamp(day) for name, day in days.items()})
    >>> years = pd.DataFrame({"enterprise_id": ["E1", "E1"], "year": [2023, 2024]})
    >>> amounts = ["employees", "revenue", "profit", "assets", "current_assets", "inventory", "receivables"]
    >>> for name in [*amounts, "liabilities", "current_liabilities", "equity"]:
    ...     years[name] = [100.0, 100.0]
    >>> [int(score_on(orders, years, day)["year"].iloc[0]) for day in ("2025-03-31", "2025-06-30")]
    [2023, 2024]
    """
    ends = pd.to_datetime(years["year"].astype("str") + "-12-31")
    seen = years[ends + pd.Timedelta(days=statement_days) <= pd.Timestamp(as_of)]
    ratios = business_situation(seen, firm).merge(operating_situation(seen, firm), on=[firm, "year"])
    last = ratios.groupby(firm, as_index=False).tail(1)
    return credit_score(credit_situation(orders, as_of, firm).merge(last, on=firm, how="left"), points)


def paid_after(orders, as_of, until, firm="enterprise_id", default_after=90):
    """Measure what came of the orders that were placed after a day: the outcome of a back-test (回测结果).

    Only orders count that were due more than `default_after` days before `until`: what is open of them then is lost.

    Parameters
    ----------
    orders, firm
        As for `credit_situation`; `paid` as it stood on the day `until`.
    as_of : datetime.date or str
        The day of the score; orders after it count.
    until : datetime.date or str
        The last day that the table knows of.
    default_after : int
        Days past due from which on an open amount counts as lost.

    Returns
    -------
    pandas.DataFrame
        One row per firm that ordered: `firm`, orders, sold and lost (CNY).

    Examples
    --------
    >>> orders = pd.DataFrame({"enterprise_id": ["E1"] * 3, "amount": [300.0, 100.0, 50.0], "paid": [300.0, 20.0, 0.0],
    ...                        "ordered_on": pd.to_datetime(["2025-07-01", "2025-08-01", "2026-05-01"]),
    ...                        "due_on": pd.to_datetime(["2025-07-31", "2025-08-31", "2026-05-31"]),
    ...                        "paid_on": pd.to_datetime(["2025-08-20", "2025-09-01", None])})
    >>> paid_after(orders, as_of="2025-06-30", until="2026-06-30")
      enterprise_id  orders   sold  lost
    0            E1       2  400.0  80.0
    """
    known = _known(orders, until, [firm])
    ripe = known["due_on"] < pd.Timestamp(until).normalize() - pd.Timedelta(days=default_after)
    later = known[(known["ordered_on"] > pd.Timestamp(as_of)) & ripe]
    return later.groupby(firm, as_index=False).agg(
        orders=("amount", "size"), sold=("amount", "sum"), lost=("open", "sum")
    )


def terms_profit(tested, margin, thresholds=range(0, 100, 5), stay=0.0, least_known=0.5):
    """Work out what a rule "terms from this score on" would have earned, for each threshold (评分门槛的盈亏).

    A firm with terms earns the margin on what it was sold, less what it did not pay; one without terms the margin on
    the part that it still buys, paid in advance. A *wrong yes* is a firm with terms that cost more than it earned, a
    *wrong no* one without terms that would have earned.

    Parameters
    ----------
    tested : pandas.DataFrame
        One row per firm: score and known, as they stood before; sold and lost (CNY), as `paid_after` returns them.
    margin : float
        Part of the price that is left when the goods are paid for (0 to 1).
    thresholds : iterable of float
    stay : float
        Part of the sales that stays if a firm must pay in advance (0 to 1). No table knows it: assume, and try others.
    least_known : float
        As in `credit_terms`.

    Returns
    -------
    pandas.DataFrame
        One row per threshold: threshold, yes (firms with terms), wrong_yes, wrong_no, lost (CNY, of the firms with
        terms), forgone (CNY of margin, of the wrong no), profit (CNY).

    References
    ----------
    Anderson (2007): the cut-off of a scorecard follows from the cost of the two errors.

    Examples
    --------
    >>> tested = pd.DataFrame({"score": [90.0, 60.0, 20.0], "known": [1.0, 1.0, 1.0], "sold": [1000.0] * 3,
    ...                        "lost": [0.0, 100.0, 600.0]})
    >>> terms_profit(tested, margin=0.2, thresholds=[0, 50, 80])
       threshold  yes  wrong_yes  wrong_no   lost  forgone  profit
    0          0    3          1         0  700.0      0.0  -100.0
    1         50    2          0         0  100.0      0.0   300.0
    2         80    1          0         1    0.0    200.0   200.0
    """
    values = need(tested, ["score", "known", "sold", "lost"], "table of tested firms")
    gain, earned = margin * values["sold"], margin * values["sold"] - values["lost"]
    rows = []
    for threshold in thresholds:
        yes = values["score"].ge(threshold) & values["known"].ge(least_known)
        wrong_no = ~yes & (earned > 0)
        row = {"threshold": threshold, "yes": yes.sum(), "wrong_yes": (yes & (earned < 0)).sum()}
        row |= {"wrong_no": wrong_no.sum(), "lost": values["lost"][yes].sum()}
        row |= {"forgone": (1 - stay) * gain[wrong_no].sum(), "profit": earned[yes].sum() + stay * gain[~yes].sum()}
        rows.append(row)
    return pd.DataFrame(rows)


def _known(orders, as_of, columns):
    """The orders as they stood on that day: placed by then, payments by then; with open and days_past_due."""
    known = need(orders, [*columns, *ORDER_COLUMNS], "table of orders")
    day = pd.Timestamp(as_of).normalize()
    known = known[known["ordered_on"] <= day].copy()
    paid_by_then = known["paid_on"] <= day
    known["paid"] = known["paid"].where(paid_by_then, 0.0)
    known["paid_on"] = known["paid_on"].where(paid_by_then)
    known["open"] = (known["amount"] - known["paid"]).round(2).clip(lower=0.0)
    late = (day - known["due_on"]).dt.days.clip(lower=0)
    known["days_past_due"] = late.where(known["open"] > 0, 0)
    return known
