"""Choose a system (选型): criteria with weights, what knocks an option out, and how firm the winner is.

`KINDS`, `SCORES`, `WEIGHTS` and `COSTS` are an example to be replaced by one's own: kinds of system, never brands, and
scores (1 to 5, more is better) that somebody judged. A sum of judgements is a judgement.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

KINDS = pd.DataFrame(
    [
        ("cloud suite", "云端套件", "one supplier runs everything; paid by user and month"),
        ("on-premise package", "本地部署软件包", "bought once, run in one's own computer room"),
        ("own build", "自主开发", "own programmers build what is needed and keep it alive"),
        ("packaged CDP", "成品客户数据平台", "joins the data of all channels; sales and service stay where they are"),
        ("open source", "开源系统", "no licence to pay; setting up, hardening and upkeep are one's own work"),
    ],
    columns=["kind", "kind_zh", "what"],
)
SCORES = pd.DataFrame(
    {
        "requirements": [4, 3, 5, 4, 3],
        "functions": [5, 4, 2, 3, 3],
        "performance": [4, 3, 3, 5, 3],
        "security": [3, 4, 4, 3, 2],
        "cost": [2, 3, 1, 3, 5],
    },
    index=pd.Index(KINDS["kind"], name="kind"),
)
WEIGHTS = pd.Series({"requirements": 0.30, "functions": 0.20, "performance": 0.15, "security": 0.20, "cost": 0.15})
COSTS = pd.DataFrame(
    [
        ("cloud suite", "setting up", 120000.0, "once", 0, 0.00),
        ("cloud suite", "fee by user", 180000.0, "yearly", 1, 0.05),
        ("on-premise package", "licence and computers", 450000.0, "once", 0, 0.00),
        ("on-premise package", "upkeep", 110000.0, "yearly", 1, 0.02),
        ("on-premise package", "new computers", 150000.0, "once", 4, 0.00),
        ("own build", "programming", 600000.0, "once", 0, 0.00),
        ("own build", "two programmers", 260000.0, "yearly", 1, 0.04),
        ("packaged CDP", "joining the channels", 200000.0, "once", 0, 0.00),
        ("packaged CDP", "fee by profile", 130000.0, "yearly", 1, 0.05),
        ("open source", "setting up and hardening", 180000.0, "once", 0, 0.00),
        ("open source", "upkeep", 120000.0, "yearly", 1, 0.03),
    ],
    columns=["kind", "item", "amount", "times", "year", "growth"],
)


def _read(scores, weights):
    """Return scores in the order of the weights, and the weights with sum 1; or say what does not fit."""
    weights = pd.Series(weights, dtype="float64")
    if scores.index.has_duplicates:
        raise ValueError(f"scores: {scores.index[scores.index.duplicated()][0]} stands twice")
    only = weights.index.symmetric_difference(scores.columns)
    if len(only):
        raise ValueError(f"scores and weights name different criteria: {', '.join(map(str, only))} stands in one only")
    if weights.isna().any() or (weights < 0).any() or weights.sum() <= 0:
        raise ValueError("weights: each is 0 or more, and at least one is above 0")
    blank = scores.isna().any(axis=1)
    if blank.any():
        raise ValueError(f"scores: {scores.index[blank][0]} is not scored on each criterion; a blank is not a 0")
    weights = weights.sort_index()
    return scores[weights.index].astype("float64"), weights / weights.sum()


def weighted_scores(scores, weights, knock_out=None):
    """Add up the scores of each option by the weights, after knocking out those that fail a must.

    A sum lets a good price pay for a hole in security. What nothing can pay for is no weight but a `knock_out`.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row an option, a column a criterion; more is better.
    weights : pandas.Series or dict
        Criterion → weight; divided by their sum.
    knock_out : dict, optional
        Criterion → the least score that is allowed.

    Returns
    -------
    pandas.DataFrame
        Indexed by option: score, rank (1 the best; equal scores share a rank; missing if out), out (criteria that it
        fails, blank if none); the best first, those that are out last.

    Raises
    ------
    ValueError
        Criteria that do not fit, a blank score, weights below 0, or a knock-out on an unknown criterion.

    References
    ----------
    Belton, V. and Stewart, T. (2002). Multiple Criteria Decision Analysis. Kluwer.

    Examples
    --------
    >>> scores = pd.DataFrame({"security": [4, 1], "cost": [2, 5]}, index=["suite", "open"])
    >>> weighted_scores(scores, {"security": 1, "cost": 1})
           score  rank out
    open     3.0   1.0
    suite    3.0   1.0
    >>> weighted_scores(scores, {"security": 1, "cost": 1}, knock_out={"security": 2})
           score  rank       out
    suite    3.0   1.0
    open     3.0   NaN  security
    """
    scores, weights = _read(scores, weights)
    unknown = [name for name in knock_out or {} if name not in scores]
    if unknown:
        raise ValueError(f"weighted_scores: knock_out names {unknown[0]}; the criteria are {', '.join(scores)}")
    fails = pd.DataFrame({name: scores[name] < least for name, least in (knock_out or {}).items()}, index=scores.index)
    table = pd.DataFrame({"score": (scores @ weights).round(12)})
    out = [", ".join(fails.columns[row]) for row in fails.to_numpy(dtype=bool)]
    table["rank"] = table["score"].where([not names for names in out]).rank(ascending=False, method="min")
    table["out"] = pd.Series(out, index=table.index, dtype="str")
    ordered = (
        table.rename_axis("_kind").reset_index().sort_values(["rank", "score", "_kind"], ascending=[True, False, True])
    )
    return ordered.set_index("_kind").rename_axis(scores.index.name)


def sensitivity(scores, weights, draws=2000, concentration=20, seed=0):
    """Draw the weights again and again around the given ones, and count how often each option wins.

    Nobody means 0.30 exactly. The draws are Dirichlet with the given weights as mean: the higher the `concentration`,
    the nearer they stay (at 20, a weight of 0.20 has a standard deviation of 0.09).

    Parameters
    ----------
    scores : pandas.DataFrame
        A row an option, a column a criterion.
    weights : pandas.Series or dict
    draws : int
    concentration : float
    seed : int

    Returns
    -------
    pandas.DataFrame
        Indexed by option: score (with the given weights), wins (share of the draws; equal winners share it),
        beats_first (share of the draws in which it stands above the winner of the given weights), best_rank,
        worst_rank; by score, the best first.

    Raises
    ------
    ValueError
        Scores and weights that do not fit, or no draws.

    References
    ----------
    Butler, J., Jia, J. and Dyer, J. (1997). Simulation techniques for the sensitivity analysis of multi-criteria
    decision models. European Journal of Operational Research 103(3).

    Examples
    --------
    >>> scores = pd.DataFrame({"security": [4, 1, 1], "cost": [2, 5, 1]}, index=["suite", "open", "poor"])
    >>> sensitivity(scores, {"security": 0.6, "cost": 0.4}).round(1)
           score  wins  beats_first  best_rank  worst_rank
    suite    3.2   0.8          0.0          1           2
    open     2.6   0.2          0.2          1           2
    poor     1.0   0.0          0.0          3           3
    """
    if draws < 1 or concentration <= 0:
        raise ValueError("sensitivity: draws is 1 or more, concentration above 0")
    scores, weights = _read(scores, weights)
    order = weighted_scores(scores, weights).index
    scores, used = scores.loc[order], weights[weights > 0]
    drawn = np.random.default_rng(seed).dirichlet(used * concentration, size=draws)
    sums = (drawn @ scores[used.index].to_numpy().T).round(12)  # a row a draw, a column an option
    top = sums == sums.max(axis=1, keepdims=True)
    ranks = pd.DataFrame(sums, columns=order).rank(axis=1, ascending=False, method="min").astype("int64")
    return pd.DataFrame(
        {
            "score": scores @ weights,
            "wins": (top / top.sum(axis=1, keepdims=True)).mean(axis=0),
            "beats_first": (sums > sums[:, :1]).mean(axis=0),
            "best_rank": ranks.min(),
            "worst_rank": ranks.max(),
        }
    )


def break_point(scores, weights, criterion):
    """Find the weights of one criterion at which the winner changes; the others keep their proportions.

    Each score is a straight line in that weight, so the points are where the highest line is overtaken.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row an option, a column a criterion.
    weights : pandas.Series or dict
    criterion : str

    Returns
    -------
    pandas.DataFrame
        winner, from_weight, to_weight, now (the given weight lies here): from 0 to 1 without a gap. One row means that
        no weight of this criterion changes the winner.

    Raises
    ------
    ValueError
        Scores and weights that do not fit, an unknown criterion, or no other criterion that has a weight.

    Examples
    --------
    >>> scores = pd.DataFrame({"security": [4, 1], "cost": [2, 5]}, index=["suite", "open"])
    >>> break_point(scores, {"security": 0.4, "cost": 0.6}, "cost")
      winner  from_weight  to_weight    now
    0  suite          0.0        0.5  False
    1   open          0.5        1.0   True
    """
    scores, weights = _read(scores, weights)
    if criterion not in weights.index:
        raise ValueError(f"break_point: there is no criterion {criterion!r}; there are {', '.join(weights.index)}")
    others = weights.drop(criterion)
    if others.sum() <= 0:
        raise ValueError(
            f"break_point: no criterion but {criterion} has a weight, so there is nothing to weigh it against"
        )
    at_zero = scores[others.index] @ (others / others.sum())
    slope = scores[criterion] - at_zero
    lines = pd.DataFrame({"at_zero": at_zero, "slope": slope}).sort_index()
    start, rows = 0.0, []
    winner = lines.sort_values(["at_zero", "slope"], ascending=False, kind="stable").index[0]
    while True:
        steeper = lines[lines["slope"] > lines.loc[winner, "slope"] + 1e-12]
        cross = (lines.loc[winner, "at_zero"] - steeper["at_zero"]) / (steeper["slope"] - lines.loc[winner, "slope"])
        cross = cross[cross < 1 - 1e-12].clip(lower=start)
        end = cross.min() if len(cross) else 1.0
        if end > start + 1e-12 or not len(cross):
            rows.append((winner, start, end))
        if not len(cross):
            break
        ties = steeper.loc[cross.index[cross <= end + 1e-12], "slope"]
        start, winner = end, ties.idxmax()
    table = pd.DataFrame(rows, columns=["winner", "from_weight", "to_weight"])
    now = weights[criterion]
    last = table["to_weight"] == 1
    return table.assign(now=(table["from_weight"] <= now) & ((now < table["to_weight"]) | last))


def rank_reversals(scores, weights, scale="range"):
    """Leave out one option after the other, and see whether the order of the others changes.

    With ``scale="range"`` each criterion is first stretched so that the worst option there is 0 and the best 1, as many
    do. Then an option that nobody wants may decide who wins, because it sets the ends. With ``scale="fixed"`` (points
    that mean something by themselves) this cannot happen.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row an option, a column a criterion.
    weights : pandas.Series or dict
    scale : str
        "range" or "fixed".

    Returns
    -------
    pandas.DataFrame
        without (the option left out), above and below: the pairs that stand the other way round when it is missing
        (above in the full list, below without it). No rows: no reversal.

    Raises
    ------
    ValueError
        Scores and weights that do not fit, or another scale.

    References
    ----------
    Belton, V. and Gear, T. (1983). On a short-coming of Saaty's method of analytic hierarchies. Omega 11(3).

    Examples
    --------
    >>> scores = pd.DataFrame({"security": [4, 5, 1], "cost": [4, 2, 2]}, index=["a", "b", "c"])
    >>> rank_reversals(scores, {"security": 0.6, "cost": 0.4})
      without above below
    0       c     a     b
    >>> len(rank_reversals(scores, {"security": 0.6, "cost": 0.4}, scale="fixed"))
    0
    """
    if scale not in ("range", "fixed"):
        raise ValueError(f"rank_reversals: scale is range or fixed, not {scale!r}")
    scores, weights = _read(scores, weights)

    def total(table):
        if scale == "range":
            width = (table.max() - table.min()).replace(0, 1)
            table = (table - table.min()) / width
        return (table @ weights).round(12)

    full, rows = total(scores).sort_index(), []
    for option in full.index:
        less = total(scores.drop(index=option))
        names = [name for name in full.index if name != option]
        rows += [
            (option, high, low) for high in names for low in names if full[high] > full[low] and less[high] < less[low]
        ]
    return pd.DataFrame(rows, columns=["without", "above", "below"])


def cost_of_ownership(costs, years, rate):
    """Add up what each option costs over the years, and what that is in money of today (总拥有成本).

    Parameters
    ----------
    costs : pandas.DataFrame
        kind, item, amount (CNY), times ("once" or "yearly"), year (when it is paid, or paid first; 0 today, 1 at the
        end of the first year), growth (of a yearly amount, a year).
    years : int
        Years of use.
    rate : float
        Interest a year by which later money counts less.

    Returns
    -------
    pandas.DataFrame
        Indexed by kind: at_start (paid in year 0), paid (all, as it will be paid), present_value (CNY), a_year (the
        equal yearly sum that has this present value); the cheapest by present value first.

    Raises
    ------
    ValueError
        A column is missing, times is another word, years is below 1, or the rate is -1 or less.

    Examples
    --------
    >>> costs = pd.DataFrame({"kind": ["bought", "rented"], "item": ["licence", "fee"], "amount": [250.0, 100.0],
    ...                       "times": ["once", "yearly"], "year": [0, 1], "growth": [0.0, 0.0]})
    >>> cost_of_ownership(costs, years=3, rate=0.10).round(1)
            at_start   paid  present_value  a_year
    kind
    rented       0.0  300.0          248.7   100.0
    bought     250.0  250.0          250.0   100.5
    """
    costs = need(costs, ["kind", "item", "amount", "times", "year", "growth"], "table of costs")
    if years < 1 or rate <= -1:
        raise ValueError("cost_of_ownership: years is 1 or more, and rate above -1 (0.08 for 8 % a year)")
    other = costs[~costs["times"].isin(["once", "yearly"])]
    if len(other):
        raise ValueError(
            f"cost_of_ownership: {other['item'].iloc[0]} is paid {other['times'].iloc[0]!r}; say once or yearly"
        )
    plan = costs.merge(pd.DataFrame({"when": np.arange(years + 1)}), how="cross")
    since = plan["when"] - plan["year"]
    plan = plan[(since == 0) | ((plan["times"] == "yearly") & (since > 0))]
    paid = plan["amount"] * (1 + plan["growth"]) ** (plan["when"] - plan["year"]).where(plan["times"] == "yearly", 0)
    flows = plan.assign(
        at_start=paid.where(plan["when"] == 0, 0.0), paid=paid, present_value=paid / (1 + rate) ** plan["when"]
    )
    table = flows.groupby("kind")[["at_start", "paid", "present_value"]].sum()
    annuity = sum((1 + rate) ** -year for year in range(1, years + 1))
    return table.assign(a_year=table["present_value"] / annuity).sort_values("present_value", kind="stable")
