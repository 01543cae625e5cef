"""What a release still tells, and what it is still good for: l-diversity, t-closeness, the use lost (可用性损失).

k-anonymity hides who a record is. It does not hide what all records of a class have in common, and it costs use: both
are measured here, and set against each other.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need
from cimlab.security.attacks import class_sizes
from cimlab.security.deidentify import make_k_anonymous, ranked


def l_diversity(table, quasi, sensitive):
    """Return how many sensitive values the poorest class holds, counted and weighed.

    Parameters
    ----------
    table : pandas.DataFrame
    quasi : list of str
    sensitive : str
        A missing value counts as a value.

    Returns
    -------
    dict
        distinct (int, the least number of different values), entropy (float, the least exp(entropy): as many values as
        if they were equally frequent; never above distinct).

    Raises
    ------
    ValueError
        The table has no row, a column is not there, or `sensitive` is one of the quasi-identifiers.

    References
    ----------
    Machanavajjhala, A. et al. (2007), as for `homogeneity_attack`.

    Examples
    --------
    >>> table = pd.DataFrame({"age": ["30-39"] * 4, "complaint": ["billing", "billing", "billing", "health"]})
    >>> {name: round(value, 2) for name, value in l_diversity(table, ["age"], "complaint").items()}
    {'distinct': 2, 'entropy': 1.75}
    """
    shares, _ = _shares(table, quasi, sensitive)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=1)
    return {"distinct": int((shares > 0).sum(axis=1).min()), "entropy": float(np.exp(entropy.min()))}


def t_closeness(table, quasi, sensitive, ordered=None):
    """Return how far the worst class is from the whole table (earth mover's distance).

    Parameters
    ----------
    table : pandas.DataFrame
    quasi : list of str
    sensitive : str
    ordered : bool, optional
        The values have an order, and a step to the next one costs 1 / (values - 1); else every change costs 1. Numbers,
        times and ordered categories have one when left out.

    Returns
    -------
    float
        0 (each class is like the whole) to 1.

    Raises
    ------
    ValueError
        As for `l_diversity`.

    References
    ----------
    Li, N., Li, T. and Venkatasubramanian, S. (2007). t-closeness: privacy beyond k-anonymity and l-diversity. ICDE.

    Examples
    --------
    >>> table = pd.DataFrame({"age": ["30-39", "30-39", "60+", "60+"], "spend": [1, 2, 3, 3]})
    >>> t_closeness(table, ["age"], "spend"), t_closeness(table, ["age"], "spend", ordered=False)
    (0.375, 0.5)
    """
    shares, whole = _shares(table, quasi, sensitive)
    column = table[sensitive]
    if ordered is None:
        times = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
        ordered = times or bool(getattr(column.dtype, "ordered", False))
    if len(whole) == 1:
        return 0.0
    apart = shares - whole
    if ordered:
        return float(np.abs(np.cumsum(apart, axis=1)).sum(axis=1).max() / (len(whole) - 1))
    return float(np.abs(apart).sum(axis=1).max() / 2)


def utility_lost(before, after, quasi, value=None):
    """Say what a release is still good for, beside the table that it was made of.

    Parameters
    ----------
    before, after : pandas.DataFrame
        The rows of `after` have the index that they had in `before`; suppressed rows are not there.
    quasi : list of str
        Columns of both (of `before` only, where the release dropped one).
    value : str, optional
        A column of numbers whose means per group somebody wants to know.

    Returns
    -------
    dict
        suppressed (share of the records), certainty_lost (0 nothing, 1 everything: how many of the values each shown
        one stands for, on average), average_class (records in a class), discernibility (sum of the squared sizes; a
        suppressed record counts as a class of all), and with `value` mean_error: how far the means per group are off
        for somebody who spreads each record evenly over what its label stands for; on average over the records and the
        columns, as part of the overall mean.

    Raises
    ------
    ValueError
        A column is not there, or a row of the release is not one of `before` (by its index).

    References
    ----------
    Xu, J. et al. (2006). Utility-based anonymization using local recoding. KDD 2006 (normalized certainty penalty, here
    by ranks). Bayardo, R. and Agrawal, R. (2005). Data privacy through optimal k-anonymization. ICDE 2005.

    Examples
    --------
    >>> before = pd.DataFrame({"age": [18, 25, 60, 71], "spend": [10.0, 20.0, 50.0, 40.0]})
    >>> utility_lost(before, make_k_anonymous(before, ["age"], 2), ["age"], "spend")
    {'suppressed': 0.0, 'certainty_lost': 0.333..., 'average_class': 2.0, 'discernibility': 8, 'mean_error': 0.166...}
    """
    asked = [*quasi, *([value] if value else [])]
    old, shown = need(before, asked, "table before"), [column for column in quasi if column in after]
    if old.index.has_duplicates or after.index.has_duplicates or not after.index.isin(old.index).all():
        raise ValueError("each row of the release needs the index that it had before, and no index may repeat")
    gone = len(old) - len(after)
    wide = [_width(old[column], after.index, after[column]) if column in shown else 1.0 for column in quasi]
    sizes = class_sizes(after, shown) if shown else pd.Series(len(after), index=after.index)
    lost = {
        "suppressed": gone / len(old),
        "certainty_lost": float((np.mean(wide) * len(after) + gone) / len(old)),
        "average_class": float(len(after) / (1 / sizes).sum()),
        "discernibility": int(sizes.sum() + gone * len(old)),
    }
    if value:
        errors = [_mean_error(old, after[column], column, value) for column in shown]
        lost["mean_error"] = float(np.mean(errors) / abs(old[value].mean())) if errors else np.nan
    return lost


def risk_utility_curve(table, quasi, sensitive, ks=(1, 2, 5, 10, 20), least=1):
    """Make the table k-anonymous for several k: what the risk falls to, and what is left of the use.

    Parameters
    ----------
    table, quasi, sensitive, least
        As for `make_k_anonymous`.
    ks : iterable of int

    Returns
    -------
    pandas.DataFrame
        One row a k: k, smallest_class, mean_risk and max_risk (the prosecutor's), distinct (l-diversity), t, utility
        (1 - certainty_lost), and mean_error if `sensitive` is a number.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [18, 25, 60, 71], "spend": [10.0, 20.0, 50.0, 40.0]})
    >>> risk_utility_curve(table, ["age"], "spend", ks=[1, 2])[["k", "max_risk", "distinct", "utility"]].round(2)
       k  max_risk  distinct  utility
    0  1       1.0         1     1.00
    1  2       0.5         2     0.67
    """
    value = sensitive if pd.api.types.is_numeric_dtype(need(table, [sensitive])[sensitive]) else None
    rows = []
    for k in ks:
        release = make_k_anonymous(table, quasi, k, sensitive, least)
        sizes = class_sizes(release, quasi)
        lost = utility_lost(table, release, quasi, value)
        row = {"k": k, "smallest_class": int(sizes.min()), "mean_risk": (1 / sizes).mean(), "max_risk": 1 / sizes.min()}
        row |= {
            "distinct": l_diversity(release, quasi, sensitive)["distinct"],
            "t": t_closeness(release, quasi, sensitive),
        }
        row["utility"] = 1 - lost["certainty_lost"]
        rows.append(row | ({"mean_error": lost["mean_error"]} if value else {}))
    return pd.DataFrame(rows)


def _shares(table, quasi, sensitive):
    """Return the shares of the sensitive values in each class (classes x values) and in the whole table."""
    if sensitive in quasi:
        raise ValueError(f"{sensitive} cannot be both: known to the attacker, and what he must not learn")
    wanted = need(table, [*quasi, sensitive], "table")
    group = wanted.groupby(list(quasi), dropna=False, observed=True).ngroup().to_numpy()
    code, values = pd.factorize(wanted[sensitive], sort=True, use_na_sentinel=False)
    if not len(wanted):
        raise ValueError("the table has no rows")
    counts = np.zeros((group.max() + 1, len(values)))
    np.add.at(counts, (group, code), 1)
    return counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / len(wanted)


def _stands_for(old, kept, shown):
    """Return the label number of each kept row, and which of the old values each label stands for (labels x values)."""
    rank, values = ranked(old)
    rank = pd.Series(rank, index=old.index).loc[kept].to_numpy()
    label = pd.factorize(shown, use_na_sentinel=False)[0]
    stands = np.zeros((label.max() + 1, len(values)), dtype=bool)
    stands[label, rank] = True
    if pd.api.types.is_numeric_dtype(old) or pd.api.types.is_datetime64_any_dtype(old):
        real = stands[:, : len(values) - int(old.isna().any())]  # a range stands for all that lies within
        real |= np.logical_or.accumulate(real, axis=1) & np.logical_or.accumulate(real[:, ::-1], axis=1)[:, ::-1]
    return label, stands


def _width(old, kept, shown):
    """Return for how many of the values a shown one stands, on average: 0 for one, 1 for all."""
    label, stands = _stands_for(old, kept, shown)
    return float((stands.sum(axis=1)[label] - 1).mean() / max(stands.shape[1] - 1, 1))


def _mean_error(old, shown, column, value):
    """Return how far the means per old value are off if each record is spread evenly over what its label stands for."""
    label, stands = _stands_for(old[column], shown.index, shown)
    spread = stands / stands.sum(axis=1, keepdims=True)
    amounts = old.loc[shown.index, value].to_numpy(dtype=float)
    there = ~np.isnan(amounts)
    sums, counts = (np.bincount(label[there], weight, len(stands)) for weight in (amounts[there], None))
    weight = counts @ spread
    told = np.divide(sums @ spread, weight, out=np.full(len(weight), np.nan), where=weight > 0)
    groups = old[value].groupby(ranked(old[column])[0])
    off = np.abs(told - groups.mean().to_numpy())
    known = ~np.isnan(off)
    return float(np.average(off[known], weights=groups.size().to_numpy()[known])) if known.any() else np.nan
