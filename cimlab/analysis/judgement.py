"""Predict without a history: ask people (experience, 经验预测), or look at something like it (analogy, 类推预测)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def three_point(estimates):
    """Turn three estimates of one person into an expected value and a spread (三点估计, PERT).

    Parameters
    ----------
    estimates : pandas.DataFrame
        One row per expert, with low (if all goes badly), likely, high (if all goes well).

    Returns
    -------
    pandas.DataFrame
        The table and `expected` = (low + 4 likely + high) / 6, `sd` = (high - low) / 6.

    Raises
    ------
    ValueError
        Somebody's likely value is not between low and high.

    References
    ----------
    Malcolm, D. et al. (1959). Application of a technique for research and development program evaluation. Operations
    Research 7(5).

    Examples
    --------
    >>> asked = pd.DataFrame({"expert": ["buyer"], "low": [80], "likely": [100], "high": [180]})
    >>> three_point(asked).round(1)
      expert  low  likely  high  expected    sd
    0  buyer   80     100   180     110.0  16.7
    """
    low, likely, high = (need(estimates, ["low", "likely", "high"])[name] for name in ("low", "likely", "high"))
    wrong = ~(low.le(likely) & likely.le(high))
    if wrong.any():
        raise ValueError(f"in row {wrong.idxmax()} the estimates are not in order: low ≤ likely ≤ high")
    return estimates.assign(expected=(low + 4 * likely + high) / 6, sd=(high - low) / 6)


def pool_estimates(estimates, weight=None):
    """Put the estimates of several experts together (专家意见综合).

    Parameters
    ----------
    estimates : pandas.DataFrame
        As returned by `three_point`: expected, sd.
    weight : str, optional
        Column with the weight of each expert, for example how good the last forecast was; all equal if not given.

    Returns
    -------
    pandas.DataFrame
        One row: experts, expected (weighted mean), sd_within (how unsure each is), sd_between (how far they differ),
        sd (both together), low and high (expected -/+ 2 sd).

    Examples
    --------
    >>> asked = pd.DataFrame({"expected": [100.0, 120.0], "sd": [10.0, 10.0]})
    >>> pool_estimates(asked).round(1)
       experts  expected  sd_within  sd_between    sd   low   high
    0        2     110.0       10.0        10.0  14.1  81.7  138.3
    """
    columns = need(estimates, ["expected", "sd"] if weight is None else ["expected", "sd", weight])
    weights = np.ones(len(columns)) if weight is None else columns[weight].to_numpy()
    if (weights < 0).any() or not weights.sum() > 0:
        raise ValueError("a weight is 0 or more, and one at least is more than 0")
    mean = np.average(columns["expected"], weights=weights)
    within = np.sqrt(np.average(columns["sd"] ** 2, weights=weights))
    between = np.sqrt(np.average((columns["expected"] - mean) ** 2, weights=weights))
    sd = np.hypot(within, between)
    row = {"experts": len(columns), "expected": mean, "sd_within": within, "sd_between": between, "sd": sd}
    return pd.DataFrame([row | {"low": mean - 2 * sd, "high": mean + 2 * sd}])


def delphi_rounds(answers, spread=0.25, moved=0.10):
    """Summarise the rounds of a Delphi survey, and say when to stop (德尔菲法).

    The experts do not meet. After each round they see the median and the middle half, and answer again. It ends when
    they are near each other *and* the median stands still; near each other alone may be the crowd following.

    Parameters
    ----------
    answers : pandas.DataFrame
        round (1, 2, …), expert, estimate (more than 0): one row per round and expert.
    spread : float
        The largest width of the middle half, as a part of the median, that counts as agreement (chosen).
    moved : float
        The largest change of the median since the round before, as a part of it, that counts as still (chosen).

    Returns
    -------
    pandas.DataFrame
        Per round: experts, median, q1, q3, spread ((q3 - q1) / median), moved (missing in round 1), stop (both are
        small enough).

    Raises
    ------
    ValueError
        An expert answered twice in a round, or an estimate is missing or not above 0.

    References
    ----------
    Dalkey, N. and Helmer, O. (1963). An experimental application of the Delphi method. Management Science 9(3).
    von der Gracht, H. (2012). Consensus measurement in Delphi studies. Technological Forecasting and Social Change 79.

    Examples
    --------
    >>> answers = pd.DataFrame({"round": [1, 1, 1, 2, 2, 2], "expert": ["a", "b", "c"] * 2,
    ...                         "estimate": [60, 100, 160, 90, 100, 110]})
    >>> delphi_rounds(answers)
       round  experts  median    q1     q3  spread  moved   stop
    0      1        3   100.0  80.0  130.0     0.5    NaN  False
    1      2        3   100.0  95.0  105.0     0.1    0.0   True
    """
    asked = need(answers, ["round", "expert", "estimate"], "table of answers")
    twice = asked[asked.duplicated(["round", "expert"])]
    if len(twice):
        raise ValueError(f"expert {twice['expert'].iloc[0]} answered twice in round {twice['round'].iloc[0]}")
    if not asked["estimate"].gt(0).all():
        raise ValueError("an estimate is missing or not above 0: leave out the row of an expert who did not answer")
    grouped = asked.groupby("round")["estimate"]
    rounds = grouped.agg(experts="size", median="median", q1=lambda e: e.quantile(0.25), q3=lambda e: e.quantile(0.75))
    rounds = rounds.reset_index()
    rounds["spread"] = (rounds["q3"] - rounds["q1"]) / rounds["median"]
    rounds["moved"] = rounds["median"].pct_change().abs()
    return rounds.assign(stop=rounds["spread"].le(spread) & rounds["moved"].le(moved))


def forecast_by_analogy(comparable, begun=None, factor=None):
    """Predict a launch from that of something like it, scaled to the size of the new one (类推预测).

    Parameters
    ----------
    comparable : pandas.Series
        What the comparable one sold in each period since its launch, in order.
    begun : pandas.Series, optional
        What the new one sold in its first periods: the factor is the ratio of the sums of these periods.
    factor : float, optional
        How large the new one is against the comparable one, if it has not begun: for example the ratio of the two
        cities' customers. Give this or `begun`.

    Returns
    -------
    pandas.DataFrame
        period (from 1), comparable, actual (missing where not begun), forecast (factor × comparable).

    Raises
    ------
    ValueError
        Neither or both of begun and factor, or nothing to scale by.

    Examples
    --------
    >>> forecast_by_analogy(pd.Series([10.0, 20.0, 40.0, 30.0]), begun=pd.Series([6.0, 9.0]))
       period  comparable  actual  forecast
    0       1        10.0     6.0       5.0
    1       2        20.0     9.0      10.0
    2       3        40.0     NaN      20.0
    3       4        30.0     NaN      15.0
    """
    if (begun is None) == (factor is None):
        raise ValueError("give either begun (what the new one sold so far) or factor (how large it is), not both")
    table = pd.DataFrame({"period": np.arange(1, len(comparable) + 1), "comparable": comparable.to_numpy()})
    table["actual"] = np.nan
    if begun is not None:
        known = len(begun)
        if not 0 < known <= len(comparable) or not comparable.iloc[:known].sum() > 0:
            raise ValueError(
                f"begun has {known} periods, comparable {len(comparable)}: the comparable one must have sold something "
                "in the periods that the new one has behind it"
            )
        table.loc[: known - 1, "actual"] = begun.to_numpy()
        factor = begun.sum() / comparable.iloc[:known].sum()
    return table.assign(forecast=factor * table["comparable"])
