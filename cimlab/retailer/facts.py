"""Statistics by which a retailer's data can be told from invented data, on plain DataFrames: ours or anybody's.

`facts.yaml` lists the facts: which function measures each, with the band in which real retailers lie and its source.
`facts_measure.py` brings the tables of an edition into the form that these functions take; `facts_baskets.py` looks at
prices and pairs of articles. Nothing here makes data: floats and logarithms are allowed.

The tables, each with the columns that a fact needs (none needs all):

orders
    One row a purchase: `customer`, `ordered_at` (datetime), `amount`, `lines` (number of different articles).
"""

import numpy as np
import pandas as pd

__all__ = [
    "best_share",
    "cohort_retention",
    "compare",
    "compare_sums",
    "duplicate_share",
    "gap_figures",
    "log_sd",
    "month_peak",
    "one_time_share",
    "rank_correlation",
    "relative_spread",
    "repeat_counts",
    "repeat_figures",
    "response_bias",
    "retention_figures",
    "share",
    "sum_ratio",
    "trip_dispersion",
    "weekday_ratio",
]

WEEK, MONTH = pd.Timedelta(days=7), pd.Timedelta(days=30)


# --- who buys how much ----------------------------------------------------------------------------------------------


def best_share(orders, value=None, part=0.2):
    """Return the share of all revenue (or purchases) that the best customers bring.

    Parameters
    ----------
    orders : pandas.DataFrame
        `customer` and, if asked for, the column `value`.
    value : str, optional
        The column that is summed; purchases are counted when left out.
    part : float
        Which part of the customers are the best.

    Returns
    -------
    float
        0 to 1; equal customers give `part`.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer": [1, 2, 3, 4, 5], "amount": [60.0, 10.0, 10.0, 10.0, 10.0]})
    >>> best_share(orders, "amount")
    0.6
    """
    grouped = orders.groupby("customer")
    sums = (grouped.size() if value is None else grouped[value].sum()).sort_values(ascending=False)
    return float(sums.iloc[: round(len(sums) * part)].sum() / sums.sum())


def one_time_share(orders):
    """Return the share of the customers who bought once.

    Examples
    --------
    >>> one_time_share(pd.DataFrame({"customer": [1, 1, 2, 3, 4]}))
    0.75
    """
    return float((orders["customer"].value_counts() == 1).mean())


def trip_dispersion(orders):
    """Return the variance of the purchases of a customer, divided by their mean.

    Where all buy at one rate it is 1 or less (Poisson); it grows with the differences between the customers.

    Examples
    --------
    >>> trip_dispersion(pd.DataFrame({"customer": [1, 2, 2, 2]}))
    1.0
    """
    trips = orders["customer"].value_counts()
    return float(trips.var() / trips.mean())


def repeat_counts(orders, weeks=26):
    """Count what each customer buys in the weeks after the first purchase.

    Only those are counted whose first purchase lies far enough before the end of the data. Counting after the first
    purchase keeps the customers with no repeat in: on buyers alone a zero-truncated fit degenerates.

    Parameters
    ----------
    orders : pandas.DataFrame
        `customer` and `ordered_at`.
    weeks : int

    Returns
    -------
    pandas.Series of int64
        One number for each customer; purchases of the day of the first one are no repeats.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-01", "2026-02-01", "2026-01-05", "2026-12-31"])
    >>> repeat_counts(pd.DataFrame({"customer": ["a", "a", "b", "c"], "ordered_at": days})).tolist()
    [1, 0]
    """
    days = orders["ordered_at"].dt.normalize()
    first = days.groupby(orders["customer"]).transform("min")
    counted = first + weeks * WEEK <= days.max()
    repeat = (days > first) & (days <= first + weeks * WEEK)
    return repeat[counted].groupby(orders["customer"][counted]).sum().astype("int64")


def repeat_figures(orders, weeks=26):
    """Fit the negative binomial distribution (NBD) and the Poisson distribution to `repeat_counts`.

    Parameters
    ----------
    orders : pandas.DataFrame
        `customer` and `ordered_at`.
    weeks : int

    Returns
    -------
    dict
        `zeros`, the share of customers without a repeat; `nbd_zeros` and `poisson_zeros`, the same as the fits say;
        `nbd_error` and `poisson_error`, these minus what was seen; `gain`, the log-likelihood of the NBD minus that
        of the Poisson, per customer; `shape`, the shape of the gamma distribution of the buying rates.

    References
    ----------
    Ehrenberg, A. (1959). The pattern of consumer purchases. Applied Statistics 8(1).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    counts = repeat_counts(orders, weeks).to_numpy()
    values, times = np.unique(counts, return_counts=True)
    weights, mean = times / times.sum(), counts.mean()

    def nbd(log_shape):
        shape = np.exp(log_shape)  # for a given shape the best mean is that of the counts
        terms = gammaln(shape + values) - gammaln(shape) - gammaln(values + 1) - shape * np.log1p(mean / shape)
        return float(weights @ (terms + values * np.log(mean / (mean + shape))))

    shape = np.exp(minimize_scalar(lambda x: -nbd(x), bounds=(-6, 9), method="bounded").x)
    poisson = float(weights @ (values * np.log(mean) - mean - gammaln(values + 1)))
    zeros, nbd_zeros, poisson_zeros = float((counts == 0).mean()), (1 + mean / shape) ** -shape, np.exp(-mean)
    return {
        "zeros": zeros,
        "nbd_zeros": nbd_zeros,
        "poisson_zeros": poisson_zeros,
        "nbd_error": nbd_zeros - zeros,
        "poisson_error": poisson_zeros - zeros,
        "gain": nbd(np.log(shape)) - poisson,
        "shape": shape,
    }


def cohort_retention(orders, months=12):
    """Return the share of the customers who buy again in the first, second, … 30 days after the first purchase.

    Parameters
    ----------
    orders : pandas.DataFrame
        `customer` and `ordered_at`; with a column `newcomer` only the customers are counted for whom it is true, since
        the first purchase in the data is no beginning for those who were customers before.
    months : int
        How many spans of 30 days; customers whose first purchase does not leave room for all of them are left out.

    Returns
    -------
    pandas.Series
        Index 1 to `months`, values 0 to 1.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-01", "2026-02-05", "2026-01-01", "2026-02-01", "2026-02-20", "2026-04-05"])
    >>> cohort_retention(pd.DataFrame({"customer": list("aabbbc"), "ordered_at": days}), months=2).tolist()
    [1.0, 0.0]
    """
    last = orders["ordered_at"].max()
    if "newcomer" in orders:
        orders = orders[orders["newcomer"]]
    first = orders.groupby("customer")["ordered_at"].transform("min").dt.normalize()
    whole = first + (months + 1) * MONTH <= last
    month = (orders["ordered_at"] - first)[whole] // MONTH
    seen = pd.DataFrame({"customer": orders["customer"][whole], "month": month}).drop_duplicates()
    return seen["month"].value_counts().reindex(range(1, months + 1), fill_value=0) / seen["customer"].nunique()


def retention_figures(orders, months=11):
    """Return how the curve of `cohort_retention` begins and how it goes on.

    Returns
    -------
    dict
        `first`, the share in the first month; `last`, the mean of the last three; `fall`, `last` divided by `first`;
        `tail`, the mean of the last three divided by that of the three before: near 1 where the curve has become flat.
    """
    curve = cohort_retention(orders, months)
    last, before = curve.iloc[-3:].mean(), curve.iloc[-6:-3].mean()
    return {"first": curve.iloc[0], "last": last, "fall": last / curve.iloc[0], "tail": last / before}


def gap_figures(orders, least=10):
    """Return how the days between the purchases of a customer are spread.

    Parameters
    ----------
    orders : pandas.DataFrame
        `customer` and `ordered_at`.
    least : int
        Gaps that a customer needs for the figure within customers.

    Returns
    -------
    dict
        `median`, in days; `pooled`, standard deviation to mean of all gaps; `within`, the median over the customers of
        standard deviation to mean of their own gaps (exponential gaps give just below 1).
    """
    days = orders["ordered_at"].dt.normalize()
    visits = pd.DataFrame({"customer": orders["customer"], "day": days}).drop_duplicates()
    visits = visits.sort_values(["customer", "day"])
    gaps = visits.groupby("customer")["day"].diff().dt.days.dropna()
    own = gaps.groupby(visits["customer"]).agg(["size", "mean", "std"])
    own = own[own["size"] >= least]
    return {
        "median": gaps.median(),
        "pooled": gaps.std() / gaps.mean(),
        "within": (own["std"] / own["mean"]).median(),
    }


def rank_correlation(orders, first, second):
    """Return Spearman's rank correlation of two of the measures of the customers.

    Parameters
    ----------
    orders : pandas.DataFrame
        `customer`, `ordered_at`, `amount`.
    first, second : str
        `recency` (later is more), `frequency`, `monetary` (the sum) or `value` (the mean of a purchase).

    Returns
    -------
    float
        −1 to 1.
    """
    grouped = orders.groupby("customer")
    amounts = grouped["amount"].agg(["size", "sum", "mean"])
    amounts.columns = ["frequency", "monetary", "value"]
    ranks = amounts.assign(recency=grouped["ordered_at"].max())[[first, second]].rank()
    return float(ranks[first].corr(ranks[second]))


# --- baskets and time -----------------------------------------------------------------------------------------------


def log_sd(table, of):
    """Return the standard deviation of the logarithms of a column; values that are not above 0 are left out.

    Examples
    --------
    >>> round(log_sd(pd.DataFrame({"amount": [10.0, 100.0, 1000.0]}), "amount"), 3)
    2.303
    """
    values = table[of].to_numpy(dtype=float)
    return float(np.log(values[values > 0]).std(ddof=1))


def share(table, of, where=None, weights=None):
    """Return the mean of an expression over the rows that a condition picks: a share, if the expression is a condition.

    Parameters
    ----------
    table : pandas.DataFrame
    of : str
        An expression over the columns, as `DataFrame.eval` reads it: ``"lines == 1"``, ``"stars"``.
    where : str, optional
        The condition.
    weights : str, optional
        A column of weights of the rows.

    Returns
    -------
    float

    Examples
    --------
    >>> share(pd.DataFrame({"lines": [1, 1, 2, 8], "web": [True, False, True, True]}), "lines == 1", "web")
    0.3333333333333333
    """
    rows = choose(table, where)
    values = rows.eval(of, engine="python").to_numpy(dtype=float)
    return float(np.average(values, weights=None if weights is None else rows[weights]))


def choose(table, where):
    """Return the rows that a condition picks; all if there is none."""
    return table if where is None else table.query(where, engine="python")


def compare(table, of, where, against):
    """Return the share of `share` in one group minus that in another one.

    Parameters
    ----------
    table : pandas.DataFrame
    of, where, against : str
        The expression, and the conditions of the two groups.

    Returns
    -------
    float

    Examples
    --------
    >>> table = pd.DataFrame({"blank": [True, True, False, False], "hour": [18, 19, 19, 9]})
    >>> round(compare(table, "blank", "hour >= 17", "hour < 10"), 3)
    0.667
    """
    return share(table, of, where) - share(table, of, against)


def sum_ratio(table, above, below, where=None):
    """Return the sum of one column divided by that of another one, over the rows that a condition picks.

    Examples
    --------
    >>> sum_ratio(pd.DataFrame({"refund": [0.0, 5.0], "amount": [30.0, 20.0]}), "refund", "amount")
    0.1
    """
    rows = choose(table, where)
    return float(rows[above].sum() / rows[below].sum())


def compare_sums(table, above, below, where, against):
    """Return the `sum_ratio` of one group divided by that of another one."""
    return sum_ratio(table, above, below, where) / sum_ratio(table, above, below, against)


def relative_spread(table, of):
    """Return the standard deviation of a column divided by its mean.

    Examples
    --------
    >>> relative_spread(pd.DataFrame({"lines": [1, 3]}), "lines")
    0.7071067811865476
    """
    return float(table[of].std() / table[of].mean())


def weekday_ratio(orders):
    """Return the purchases of the busiest day of the week divided by those of the quietest; 1 is no week at all.

    Every day from the first to the last counts, also one without a purchase.
    """
    days = orders["ordered_at"].dt.normalize().value_counts()
    days = days.reindex(pd.date_range(days.index.min(), days.index.max()), fill_value=0)
    means = days.groupby(days.index.day_of_week).mean()
    return float(means.max() / means.min())


def month_peak(orders, value=None):
    """Return the purchases (or the sum of `value`) per day in the best month of the year, the mean month being 1.

    Months of which the data hold less than 20 days are left out.
    """
    values = pd.Series(1, index=orders.index) if value is None else orders[value]
    days = values.groupby(orders["ordered_at"].dt.normalize()).sum()
    days = days.reindex(pd.date_range(days.index.min(), days.index.max()), fill_value=0)
    months = days.groupby(days.index.to_period("M")).agg(["mean", "size"])
    months = months.loc[months["size"] >= 20, "mean"]
    by_month = months.groupby(months.index.month).mean()
    return float(by_month.max() / by_month.mean())


# --- records and answers --------------------------------------------------------------------------------------------


def duplicate_share(records, channel):
    """Return the share of the records of a channel that are a second, third, … record of the same person.

    Examples
    --------
    >>> records = pd.DataFrame({"person": ["a", "a", "b", "c"], "channel": "till"})
    >>> duplicate_share(records, "till")
    0.25
    """
    persons = records.loc[records["channel"] == channel, "person"].dropna()
    return float(persons.duplicated().mean())


def response_bias(survey, of, weighted=False):
    """Return by how much the mean of those who answered differs from that of all who were asked.

    Parameters
    ----------
    survey : pandas.DataFrame
        One row an invitation: the column `of`, `answered` (boolean) and `propensity`, the chance of an answer.
    of : str
        A column known for all who were asked.
    weighted : bool
        Weight each answer by one divided by the chance of it.

    Returns
    -------
    float
        In the unit of the column; 0 is no bias.

    References
    ----------
    Horvitz, D., Thompson, D. (1952). A generalization of sampling without replacement. JASA 47(260).
    """
    answers = survey[survey["answered"]]
    weights = 1 / answers["propensity"] if weighted else None
    return float(np.average(answers[of], weights=weights) - survey[of].mean())
