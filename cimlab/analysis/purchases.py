"""How often will a customer still buy? The BG/NBD model, and the hold-out that judges it.

Nobody tells a shop that he is leaving for good. The model supposes that customers buy at random, each at his own rate
(rates follow a gamma distribution: r, alpha), and that after each purchase each may leave, with his own chance (a beta
distribution: a, b). From a customer's few purchases follows how likely he is still there.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need, orders_until

WEEK = pd.Timedelta(days=7)


def clv_summary(orders, until, customer="customer_id"):
    """Summarise each customer in the four numbers that the models of customer lifetime value need.

    Purchases on one day count as one, since the models count occasions. Note that `recency` is not that of RFM: here it
    runs from the first purchase to the last.

    Parameters
    ----------
    orders : pandas.DataFrame
        ordered_at, amount (CNY) and the column `customer`.
    until : datetime.date or str
        The last day that counts.
    customer : str
        Column that says whose order it is; orders without a customer are left out.

    Returns
    -------
    pandas.DataFrame
        One row per customer: frequency (days with a repeat purchase: the first is none), recency (weeks from the first
        to the last purchase), T (weeks from the first purchase to `until`), monetary_value (mean amount of a repeat
        day, CNY; missing if there is none).

    Raises
    ------
    ValueError
        A column is not there, or nobody had bought by that day.

    References
    ----------
    Fader, P., Hardie, B. and Lee, K. (2005). RFM and CLV: using iso-value curves for customer base analysis. Journal of
    Marketing Research 42(4).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                        "ordered_at": pd.to_datetime(["2026-06-01", "2026-06-15", "2026-06-22"])})
    >>> clv_summary(orders, until="2026-06-29")
      customer_id  frequency  recency    T  monetary_value
    0           a          1      2.0  4.0            30.0
    1           b          0      0.0  1.0             NaN
    """
    known = orders_until(orders, until, ["amount"], customer)
    known["day"] = known["ordered_at"].dt.normalize()
    days = known.groupby([customer, "day"])["amount"].sum().reset_index()
    grouped = days.groupby(customer)
    first, last = grouped["day"].min(), grouped["day"].max()
    repeats = days[days["day"] > days[customer].map(first)].groupby(customer)["amount"]
    summary = {
        "frequency": grouped.size() - 1,
        "recency": (last - first) / WEEK,
        "T": (pd.Timestamp(until).normalize() - first) / WEEK,
        "monetary_value": repeats.mean(),
    }
    return pd.DataFrame(summary, index=first.index).reset_index()


def fit_bgnbd(summary):
    """Find the parameters of the BG/NBD model under which these purchases are likeliest (maximum likelihood).

    Parameters
    ----------
    summary : pandas.DataFrame
        As returned by `clv_summary`: frequency, recency, T (weeks).

    Returns
    -------
    pandas.Series
        r, alpha (purchase rates: mean r / alpha a week), a, b (chance of leaving after a purchase: mean a / (a + b)),
        log_likelihood.

    Raises
    ------
    ValueError
        No customer bought twice, or a recency is greater than T.

    References
    ----------
    Fader, P., Hardie, B. and Lee, K. (2005). "Counting your customers" the easy way. Marketing Science 24(2).

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [0, 1, 0, 4, 2, 0], "recency": [0.0, 5.0, 0.0, 28.0, 9.0, 0.0],
    ...                         "T": [30.0, 30.0, 20.0, 30.0, 25.0, 10.0]})
    >>> round(float(fit_bgnbd(summary)["log_likelihood"]), 1)
    -27.8
    """
    from scipy.optimize import minimize

    x, t_x, age = _numbers(summary)
    if x.sum() == 0:
        raise ValueError("no customer bought on two days or more: there is nothing to learn a rate from")
    # Time is measured in the longest age and parameters in logarithms, so that all of them are near 0 for the search.
    unit = age.max()

    def cost(logs):
        return -_log_likelihood(np.exp(logs), x, t_x / unit, age / unit).mean()

    best = minimize(cost, np.zeros(4), method="L-BFGS-B", bounds=[(-12, 12)] * 4, options={"ftol": 1e-12})
    r, alpha, a, b = np.exp(best.x) * [1, unit, 1, 1]
    found = {"r": r, "alpha": alpha, "a": a, "b": b}
    found["log_likelihood"] = _log_likelihood((r, alpha, a, b), x, t_x, age).sum()
    return pd.Series(found, name="BG/NBD")


def probability_alive(summary, parameters):
    """Return how likely each customer is still one at the end of his T (活跃概率).

    Parameters
    ----------
    summary : pandas.DataFrame
        As returned by `clv_summary`.
    parameters : pandas.Series
        As returned by `fit_bgnbd`.

    Returns
    -------
    pandas.Series
        0 to 1, indexed as the summary. In this model nobody leaves before the first repeat purchase: who has none is
        alive with 1.

    References
    ----------
    Fader, P., Hardie, B. and Lee, K. (2008). Computing P(alive) using the BG/NBD model. Note, brucehardie.com.

    Examples
    --------
    >>> parameters = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    >>> summary = pd.DataFrame({"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86]})
    >>> probability_alive(summary, parameters).round(3).tolist()
    [0.727, 1.0]
    """
    x, t_x, age = _numbers(summary)
    alive = 1 / (1 + _odds_of_having_left(x, t_x, age, parameters))
    return pd.Series(alive, index=summary.index, name="alive")


def _hypergeometric(a, b, c, z):
    """Return Gauss's function 2F1; for a large c, where scipy's may overflow, by its series, which is short there."""
    from scipy.special import hyp2f1

    c, z = np.broadcast_arrays(np.asarray(c, dtype=float), np.asarray(z, dtype=float))
    large = c - a > 40
    values = hyp2f1(a, b, np.where(large, 1 + abs(a), c), np.where(large, 0.0, z))
    term = total = np.ones(int(large.sum()))
    for k in range(300):
        term = term * (a + k) * (b + k) / ((c[large] + k) * (k + 1)) * z[large]
        total = total + term
    values[large] = total
    return values


def expected_purchases(summary, parameters, weeks):
    """Return how many purchases are expected of each customer in the coming weeks.

    Parameters
    ----------
    summary : pandas.DataFrame
        As returned by `clv_summary`.
    parameters : pandas.Series
        As returned by `fit_bgnbd`.
    weeks : float
        How far ahead, from the end of T.

    Returns
    -------
    pandas.Series
        Expected number of purchase days, indexed as the summary.

    References
    ----------
    Fader, Hardie and Lee (2005). The hypergeometric function is turned round by Euler's formula: the powers
    of a frequent customer would else be too small for a computer.

    Examples
    --------
    >>> parameters = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    >>> summary = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    >>> expected_purchases(summary, parameters, weeks=39).round(3).tolist()
    [1.226]
    """
    x, t_x, age = _numbers(summary)
    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    if abs(a - 1) < 1e-6:  # the formula divides by a - 1: its limit is finite, but nearer no digit of it is left
        a = 1 + 1e-6
    z = weeks / (alpha + age + weeks)
    still_nothing = (1 - z) ** (a - 1) * _hypergeometric(a + b - 1 - r, a - 1, a + b + x - 1, z)
    expected = (a + b + x - 1) / (a - 1) * (1 - still_nothing)
    expected = expected / (1 + _odds_of_having_left(x, t_x, age, parameters))
    return pd.Series(expected, index=summary.index, name="expected_purchases")


def holdout(orders, split, end, customer="customer_id"):
    """Learn from the time up to a day, predict the time after it, and put beside it what came (留出检验).

    Parameters
    ----------
    orders : pandas.DataFrame
        ordered_at, amount and the column `customer`.
    split : datetime.date or str
        The last day to learn from.
    end : datetime.date or str
        The last day to predict.
    customer : str

    Returns
    -------
    pandas.DataFrame
        The table of `clv_summary` at `split`, with alive, expected (purchase days from the next day to `end`) and
        actual. Who came after `split` is not in it: nobody could have predicted them.

    Raises
    ------
    ValueError
        As `clv_summary` and `fit_bgnbd`, or `end` is not after `split`.

    References
    ----------
    Fader, Hardie and Lee (2005).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b", "a", "c"], "amount": 10.0,
    ...                        "ordered_at": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-02-01", "2026-04-01",
    ...                                                      "2026-04-01"])})
    >>> holdout(orders, split="2026-03-01", end="2026-04-30")[["customer_id", "frequency", "actual"]]
      customer_id  frequency  actual
    0           a          1       1
    1           b          0       0
    """
    split, end = pd.Timestamp(split).normalize(), pd.Timestamp(end).normalize()
    if end <= split:
        raise ValueError(f"the end, {end.date()}, must be after the split, {split.date()}")
    summary = clv_summary(orders, split, customer)
    parameters = fit_bgnbd(summary)
    later = orders_until(orders, end, [], customer)
    days = later["ordered_at"].dt.normalize()[later["ordered_at"] >= split + pd.Timedelta(days=1)]
    actual = days.groupby(later[customer]).nunique()
    return summary.assign(
        alive=probability_alive(summary, parameters),
        expected=expected_purchases(summary, parameters, (end - split) / WEEK),
        actual=summary[customer].map(actual).fillna(0).astype("int64"),
    )


def holdout_table(compared, most=7):
    """Compare prediction and truth by how often customers had bought before.

    Parameters
    ----------
    compared : pandas.DataFrame
        As returned by `holdout`.
    most : int
        Customers with so many repeat purchases or more are one group.

    Returns
    -------
    pandas.DataFrame
        frequency (the last one is "7+"), customers, expected and actual (means per customer), and `ratio` (expected /
        actual; missing if nobody bought).

    References
    ----------
    Fader, Hardie and Lee (2005).

    Examples
    --------
    >>> compared = pd.DataFrame({"frequency": [0, 0, 1, 9], "expected": [0.2, 0.4, 0.8, 4.0], "actual": [0, 1, 1, 5]})
    >>> holdout_table(compared, most=2).round(2)
      frequency  customers  expected  actual  ratio
    0         0          2       0.3     0.5    0.6
    1         1          1       0.8     1.0    0.8
    2        2+          1       4.0     5.0    0.8
    """
    columns = need(compared, ["frequency", "expected", "actual"], "table of a hold-out")
    grouped = columns.groupby(columns["frequency"].clip(upper=most))
    table = grouped[["expected", "actual"]].mean()
    table.insert(0, "customers", grouped.size())
    table["ratio"] = table["expected"] / table["actual"].where(table["actual"] > 0)
    table = table.reset_index()
    names = table["frequency"].astype("str")
    return table.assign(frequency=names.where(table["frequency"] < most, names + "+"))


def _numbers(summary):
    """Frequency, recency and T as arrays, checked."""
    table = need(summary, ["frequency", "recency", "T"], "summary").astype("float64")
    wrong = ~(table["recency"].between(0, table["T"]) & table["frequency"].ge(0))
    if wrong.any():
        raise ValueError(f"row {wrong.idxmax()} is impossible: frequency ≥ 0 and 0 ≤ recency ≤ T (use clv_summary)")
    return (table[name].to_numpy() for name in ("frequency", "recency", "T"))


def _log_likelihood(parameters, x, t_x, age):
    """The log-likelihood of each customer: either still there at T, or left right after the last purchase.

    Sums of logarithms stand for products, since the gamma function of 200 purchases is beyond any float.
    """
    from scipy.special import betaln, gammaln

    r, alpha, a, b = parameters
    buys = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    stayed = -(r + x) * np.log(alpha + age)
    repeats = np.maximum(x, 1)  # only to keep the logarithm of those without a repeat purchase from failing
    left = np.log(a) - np.log(b + repeats - 1) - (r + x) * np.log(alpha + t_x)
    return buys + np.logaddexp(stayed, np.where(x > 0, left, -np.inf))


def _odds_of_having_left(x, t_x, age, parameters):
    """How much likelier it is that a customer left after the last purchase than that he is still there."""
    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    odds = np.log(a) - np.log(b + np.maximum(x, 1) - 1) + (r + x) * np.log((alpha + age) / (alpha + t_x))
    return np.where(x > 0, np.exp(np.minimum(odds, 700)), 0.0)  # exp(700) is as good as certain
