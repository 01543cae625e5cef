"""What a score earns: whom to contact, how many, and how far chance moves the answer (利润曲线)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need
from cimlab.mining.judging import checked_scores, draw_weights, ranked_hits


def break_even(value, cost, success=1.0):
    """Return the probability from which on a contact pays (盈亏平衡点): cost / (value × success).

    Parameters
    ----------
    value : float
        What a success brings, CNY.
    cost : float
        Of one contact, CNY.
    success : float
        Share of the hits in which the contact does its work, 0 to 1.

    Returns
    -------
    float
        Above 1, no contact pays.

    Raises
    ------
    ValueError
        A number is out of its range.

    References
    ----------
    Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.

    Examples
    --------
    >>> break_even(value=100, cost=5, success=0.1)
    0.5
    """
    if not (value > 0 and cost >= 0 and 0 < success <= 1):
        raise ValueError(
            f"value must be above 0, cost 0 or more, success above 0 and at most 1; they are {value}, {cost}, {success}"
        )
    return cost / (value * success)


def profit_curve(actual, score, value, cost, success=1.0):
    """Say what it would have earned to contact the first n by score, for each n (利润曲线).

    profit = hits × success × value − n × cost

    Parameters
    ----------
    actual : pandas.Series or array of bool
        Who is a hit: the customer whom the contact is meant for, such as one who else stays away.
    score : pandas.Series or array
        Any number; a high one is contacted first.
    value, cost, success : float
        As for `break_even`; success is an assumption until an experiment measures it.

    Returns
    -------
    pandas.DataFrame
        One row per n from 0: contacted, share (of all), score (of the n-th; missing for 0), hits, precision (missing
        for 0), recall, profit (CNY).

    Raises
    ------
    ValueError
        As `lift_table` and `break_even`.

    References
    ----------
    Neslin, S. et al. (2006). Defection detection: measuring and understanding the predictive accuracy of customer churn
    models. Journal of Marketing Research 43(2).

    Examples
    --------
    >>> curve = profit_curve([True, False, True, False], [0.9, 0.6, 0.5, 0.1], value=10, cost=3)
    >>> curve[["contacted", "hits", "profit"]]
       contacted  hits  profit
    0          0   0.0     0.0
    1          1   1.0     7.0
    2          2   1.0     4.0
    3          3   2.0    11.0
    4          4   2.0     8.0
    """
    break_even(value, cost, success)
    y, s = checked_scores(actual, score, probability=False)
    ranked = ranked_hits(y, s)
    n, hits = np.arange(len(y) + 1), np.r_[0.0, ranked["hit"].cumsum()]
    return pd.DataFrame(
        {
            "contacted": n,
            "share": n / len(y),
            "score": np.r_[np.nan, ranked["score"]],
            "hits": hits,
            "precision": np.r_[np.nan, hits[1:] / n[1:]],
            "recall": hits / y.sum(),
            "profit": hits * success * value - n * cost,
        }
    )


def best_contacts(curve):
    """Return the row of a profit curve with the highest profit; of several the one with the fewest contacts.

    Parameters
    ----------
    curve : pandas.DataFrame
        As returned by `profit_curve`.

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> curve = profit_curve([True, False, True, False], [0.9, 0.6, 0.5, 0.1], value=10, cost=3)
    >>> best_contacts(curve)[["contacted", "profit"]].tolist()
    [3.0, 11.0]
    """
    need(curve, ["contacted", "profit"], "profit curve")
    return curve.loc[curve["profit"].round(9).idxmax()].rename("best")


def profit_bands(actual, score, value, cost, success=1.0, draws=300, seed=1, confidence=0.9):
    """Say how far chance moves a profit curve: draw the customers anew, again and again (自助法).

    Parameters
    ----------
    actual, score, value, cost, success
        As for `profit_curve`.
    draws, seed : int
    confidence : float
        Share of the draws between low and high, at each point of the curve by itself.

    Returns
    -------
    bands : pandas.DataFrame
        One row per per cent of the customers, 0 to 100: contacted, share, low, high (CNY).
    best : pandas.Series
        The best number to contact in each draw.

    Raises
    ------
    ValueError
        As `profit_curve`.

    References
    ----------
    Efron, B. and Tibshirani, R. (1993). An introduction to the bootstrap. Chapman & Hall.

    Examples
    --------
    >>> bands, best = profit_bands([True, False] * 50, range(100), value=10, cost=3, draws=50)
    >>> bool((bands["low"] <= bands["high"]).all()), len(best)
    (True, 50)
    """
    break_even(value, cost, success)
    y, s = checked_scores(actual, score, probability=False)
    hits = ranked_hits(y, s)["hit"].to_numpy()
    order = np.lexsort([y, -s])
    group = np.unique(-s[order], return_inverse=True)[1]
    grid = np.linspace(0, 1, 101) * len(y)
    profits, best = [], []
    for weight in draw_weights(len(y), draws, seed):
        mean = np.bincount(group, weight * y[order]) / np.maximum(np.bincount(group, weight), 1)
        drawn = np.repeat(mean[group], weight)
        profit = np.r_[0.0, drawn.cumsum() * success * value - np.arange(1, len(hits) + 1) * cost]
        profits.append(np.interp(grid, np.arange(len(profit)), profit))
        best.append(int(profit.round(9).argmax()))
    low, high = np.quantile(profits, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    bands = pd.DataFrame({"contacted": grid, "share": grid / len(y), "low": low, "high": high})
    return bands, pd.Series(best, name="contacted")
