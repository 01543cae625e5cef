"""What will a customer spend? The Gamma-Gamma model, and customer lifetime value (客户终身价值)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need
from cimlab.analysis.purchases import expected_purchases, probability_alive

WEEKS_PER_MONTH = 365.25 / 12 / 7


def fit_gamma_gamma(summary):
    """Find the parameters of the Gamma-Gamma model under which these mean amounts are likeliest (maximum likelihood).

    The model: amounts vary around each customer's own mean (gamma, p), and these means vary between customers (gamma,
    q and v). It holds only if who buys often does not spend more or less each time: look at
    ``correlate(summary, "frequency", "monetary_value")`` first; a value near 0 is needed.

    Parameters
    ----------
    summary : pandas.DataFrame
        As returned by `clv_summary`; only customers with a repeat purchase of more than 0 CNY are used.

    Returns
    -------
    pandas.Series
        p, q, v, log_likelihood.

    Raises
    ------
    ValueError
        Fewer than three customers with a repeat purchase.

    References
    ----------
    Fader, P. and Hardie, B. (2013). The Gamma-Gamma model of monetary value. Note, brucehardie.com.

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [3, 1, 4, 2, 0], "monetary_value": [20.0, 50.0, 25.0, 90.0, None]})
    >>> round(float(fit_gamma_gamma(summary)["log_likelihood"]), 1)
    -18.1
    """
    from scipy.optimize import minimize
    from scipy.special import gammaln

    table = need(summary, ["frequency", "monetary_value"], "summary")
    table = table[table["frequency"].gt(0) & table["monetary_value"].gt(0)]
    if len(table) < 3:
        raise ValueError(f"{len(table)} customers have a repeat purchase: too few to learn amounts from")
    x, mean = table["frequency"].to_numpy("float64"), table["monetary_value"].to_numpy("float64")

    def log_likelihood(p, q, v, mean):
        constant = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        return constant + (p * x - 1) * np.log(mean) + p * x * np.log(x) - (p * x + q) * np.log(v + x * mean)

    # Money is measured in the mean amount and parameters in logarithms, so that all of them are near 0 for the search.
    unit = mean.mean()
    start, bounds = np.log([2, 4, 2]), [(-12, 12)] * 3
    best = minimize(
        lambda logs: -log_likelihood(*np.exp(logs), mean / unit).mean(),
        start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12},
    )  # fmt: skip
    p, q, v = np.exp(best.x) * [1, 1, unit]
    found = {"p": p, "q": q, "v": v, "log_likelihood": log_likelihood(p, q, v, mean).sum()}
    return pd.Series(found, name="Gamma-Gamma")


def expected_average_value(summary, parameters):
    """Return the mean amount that each customer is expected to spend on a purchase in the long run.

    Two purchases say little about a customer: his mean is pulled towards that of all. Who has no repeat purchase gets
    the mean of all.

    Parameters
    ----------
    summary : pandas.DataFrame
        As returned by `clv_summary`.
    parameters : pandas.Series
        As returned by `fit_gamma_gamma`.

    Returns
    -------
    pandas.Series
        CNY per purchase day, indexed as the summary.

    Raises
    ------
    ValueError
        q is 1 or less: the mean of all is not finite.

    References
    ----------
    Fader and Hardie (2013).

    Examples
    --------
    >>> parameters = pd.Series({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> summary = pd.DataFrame({"frequency": [0, 1, 9], "monetary_value": [None, 60.0, 60.0]})
    >>> expected_average_value(summary, parameters).round(1).tolist()
    [35.2, 52.4, 58.8]
    """
    p, q, v = (parameters[name] for name in ("p", "q", "v"))
    if q <= 1:
        raise ValueError(f"q is {q:.2f}: amounts differ so much that they have no finite mean; leave out the extremes")
    table = need(summary, ["frequency", "monetary_value"], "summary")
    x, mean = table["frequency"], table["monetary_value"].where(table["frequency"] > 0, 0.0)
    expected = p * (v + x * mean) / (p * x + q - 1)
    return expected.rename("expected_value")


def customer_lifetime_value(summary, bgnbd, gamma_gamma, months=12, yearly_discount=0.10, margin=1.0):
    """Work out what each customer will bring in the coming months, in money of today (客户终身价值, CLV).

    Parameters
    ----------
    summary : pandas.DataFrame
        As returned by `clv_summary`.
    bgnbd, gamma_gamma : pandas.Series
        As returned by `fit_bgnbd` and `fit_gamma_gamma`.
    months : int
        How far ahead.
    yearly_discount : float
        By how much money in a year is worth less (0.10 is 10 %).
    margin : float
        Part of the amount that is profit; 1.0 gives revenue.

    Returns
    -------
    pandas.DataFrame
        The summary, with alive, expected_purchases (in these months), expected_value (CNY per purchase) and clv (CNY):
        the purchases of each month × value × margin, discounted to today.

    References
    ----------
    Fader, Hardie and Lee (2005), RFM and CLV: using iso-value curves; here for a limited time.

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86], "monetary_value": [40.0]})
    >>> bgnbd = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    >>> gamma_gamma = pd.Series({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> value = customer_lifetime_value(summary, bgnbd, gamma_gamma, margin=0.3)
    >>> value[["expected_purchases", "expected_value", "clv"]].round(2)
       expected_purchases  expected_value   clv
    0                1.56           39.14  17.5
    """
    if not (months >= 1 and yearly_discount > -1):
        raise ValueError("months is 1 or more, and yearly_discount a part such as 0.10")
    value = expected_average_value(summary, gamma_gamma)
    before, worth = 0.0, 0.0
    for month in range(1, months + 1):
        so_far = expected_purchases(summary, bgnbd, month * WEEKS_PER_MONTH)
        worth = worth + (so_far - before) / (1 + yearly_discount) ** (month / 12)
        before = so_far
    return summary.assign(
        alive=probability_alive(summary, bgnbd),
        expected_purchases=before,
        expected_value=value,
        clv=worth * value * margin,
    )
