"""Is a label given to some groups more than to others (公平性)? The rate by group, its ratio, and how sure that is."""

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint


def label_rates(labels, label, groups, reference=None, confidence=0.95, least_ratio=0.8):
    """Compare how often a label is given to the groups of the customers, such as genders or age bands.

    Parameters
    ----------
    labels : pandas.DataFrame
        customer_id and label.
    label : str
    groups : pandas.Series
        The group of each customer who could have the label, by customer_id; a missing group is left out.
    reference : str, optional
        The group with which the others are compared; the one with the highest rate when left out.
    confidence : float
        Of the intervals.
    least_ratio : float
        A ratio below is called "lower", one above 1 / least_ratio "higher" (the four-fifths rule of American labour
        law), if the interval of the ratio lies on that side of 1.

    Returns
    -------
    pandas.DataFrame
        One row per group: group, customers, labelled, rate, low, high (Wilson interval of the rate), ratio (to the rate
        of the reference), ratio_low, ratio_high (Katz interval), verdict ("reference", "alike", "lower", "higher",
        "too few to say": beyond the limit, but the interval of the ratio holds 1). A different rate may have a good
        reason; the table says where to look for it.

    Raises
    ------
    ValueError
        The label or the reference is not there, nobody has a group, or the reference has no label.

    References
    ----------
    Wilson, E. B. (1927). Probable inference. JASA 22. Katz, D. et al. (1978). Obtaining confidence intervals for the
    risk ratio in cohort studies. Biometrics 34. EEOC (1978). Uniform Guidelines on Employee Selection Procedures.

    Examples
    --------
    >>> groups = pd.Series(["F"] * 100 + ["M"] * 100, index=[f"K{number}" for number in range(200)])
    >>> labels = pd.DataFrame({"customer_id": [*groups.index[:60], *groups.index[100:130]], "label": "hunts offers"})
    >>> label_rates(labels, "hunts offers", groups)[["group", "rate", "ratio", "ratio_high", "verdict"]].round(2)
      group  rate  ratio  ratio_high    verdict
    0     F   0.6    1.0         1.0  reference
    1     M   0.3    0.5         0.7      lower
    """
    if label not in set(labels["label"]):
        raise ValueError(f"nobody has the label {label!r}; there are: {', '.join(sorted(set(labels['label'])))}")
    grouped = groups.dropna()
    if grouped.empty:
        raise ValueError("no customer has a group: give a Series with the index customer_id, such as the age bands")
    has = pd.Series(grouped.index.isin(labels.loc[labels["label"] == label, "customer_id"]), index=grouped.index)
    table = has.groupby(grouped.to_numpy()).agg(customers="size", labelled="sum").astype("int64")
    table["rate"] = table["labelled"] / table["customers"]
    z = norm.ppf(0.5 + confidence / 2)
    table["low"], table["high"] = proportion_confint(
        table["labelled"], table["customers"], alpha=1 - confidence, method="wilson"
    )
    reference = table["rate"].idxmax() if reference is None else reference
    if reference not in table.index:
        raise ValueError(f"there is no group {reference!r}; the groups are: {', '.join(map(str, table.index))}")
    if table.loc[reference, "labelled"] == 0:
        raise ValueError(f"nobody of the group {reference!r} has the label, so that no ratio to it can be taken")
    table["ratio"] = table["rate"] / table.loc[reference, "rate"]
    table["ratio_low"], table["ratio_high"] = _katz(table, reference, z)
    table["verdict"] = [_verdict(row, least_ratio) for row in table.itertuples()]
    table.loc[reference, ["ratio_low", "ratio_high"]] = 1.0
    table.loc[reference, "verdict"] = "reference"
    return table.rename_axis("group").reset_index()


def _katz(table, reference, z):
    """Return the interval of the ratio; half a label is added where a group has none (Walter 1975)."""
    one = table.loc[reference]
    labelled, customers = table["labelled"], table["customers"]
    none = labelled == 0
    labelled, customers = labelled + 0.5 * none, customers + 0.5 * none
    ratio = labelled / customers / one["rate"]
    error = np.sqrt(1 / labelled - 1 / customers + 1 / one["labelled"] - 1 / one["customers"])
    return ratio * np.exp(-z * error) * ~none, ratio * np.exp(z * error)


def _verdict(row, least_ratio):
    """Judge the ratio of one group by the limit and by its interval."""
    if least_ratio <= row.ratio <= 1 / least_ratio:
        return "alike"
    if row.ratio < 1:
        return "lower" if row.ratio_high < 1 else "too few to say"
    return "higher" if row.ratio_low > 1 else "too few to say"
