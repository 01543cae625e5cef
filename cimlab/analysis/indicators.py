"""Compare several indicators at once: bring them to one scale, weigh them, draw them (综合评价)."""

import numpy as np
import pandas as pd


def scale_indicators(table, method="min-max", lower_is_better=()):
    """Bring indicators of different units to one scale on which more is better (标准化、正向化).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per shop (or customer, …), named by the index; one column of numbers per indicator.
    method : str
        "z": standard deviations above the mean of all rows. "min-max": 0 for the worst row, 1 for the best.
        "rank": 0 for the last place, 1 for the first; the distances are lost, and with them the outliers.
    lower_is_better : iterable of str
        Indicators to turn round, such as complaints or days of delivery.

    Returns
    -------
    pandas.DataFrame
        The same rows and columns. An indicator that is equal everywhere tells nothing: it gets the middle (0 or 0.5).

    Raises
    ------
    ValueError
        An unknown method or column, or a column that holds no numbers.

    References
    ----------
    OECD and JRC (2008). Handbook on Constructing Composite Indicators, step 5.

    Examples
    --------
    >>> shops = pd.DataFrame({"sales": [10, 20, 40], "complaints": [9, 1, 5]}, index=["ST01", "ST02", "ST03"])
    >>> scale_indicators(shops, lower_is_better=["complaints"]).round(2)
          sales  complaints
    ST01   0.00         0.0
    ST02   0.33         1.0
    ST03   1.00         0.5
    """
    words = [column for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]
    if words:
        raise ValueError(f"{', '.join(words)} is not a number: put names in the index, table.set_index({words[0]!r})")
    unknown = [column for column in lower_is_better if column not in table.columns]
    if unknown:
        raise ValueError(f"lower_is_better names {', '.join(unknown)}; the indicators are: {', '.join(table.columns)}")
    numbers = table.astype("float64")
    numbers[list(lower_is_better)] = -numbers[list(lower_is_better)]
    if method == "z":
        start, width, middle = numbers.mean(), numbers.std(ddof=0), 0.0
    elif method in ("min-max", "rank"):
        numbers = numbers.rank() if method == "rank" else numbers
        start, width, middle = numbers.min(), numbers.max() - numbers.min(), 0.5
    else:
        raise ValueError(f"the method {method!r} is unknown; choose 'z', 'min-max' or 'rank'")
    scaled = (numbers - start) / width.where(width > 0)
    return scaled.mask(numbers.notna() & width.eq(0), middle)


def composite_index(table, weights, method="min-max", lower_is_better=()):
    """Weigh several indicators into one index (综合指数).

    The weights are a judgement, not a finding: say who chose them, and look how the ranks change with others.

    Parameters
    ----------
    table, method, lower_is_better
        As for `scale_indicators`.
    weights : dict of str to float
        Weight of each indicator, 0 or more; only their proportions matter.

    Returns
    -------
    pandas.DataFrame
        Per row what each indicator contributes, `index` (their sum) and `rank` (1 is the best), best first. Missing
        values give a missing index.

    Raises
    ------
    ValueError
        An indicator without a weight, or a weight without an indicator, or a negative one.

    References
    ----------
    OECD and JRC (2008). Handbook on Constructing Composite Indicators, steps 6 and 7.

    Examples
    --------
    >>> shops = pd.DataFrame({"sales": [10, 20, 40], "complaints": [9, 1, 5]}, index=["ST01", "ST02", "ST03"])
    >>> composite_index(shops, {"sales": 3, "complaints": 1}, lower_is_better=["complaints"])
          sales  complaints  index  rank
    ST03   0.75       0.125  0.875     1
    ST02   0.25       0.250  0.500     2
    ST01   0.00       0.000  0.000     3
    """
    odd = sorted(set(weights) ^ set(table.columns))
    if odd:
        raise ValueError(f"each indicator needs one weight, each weight an indicator; alone stand: {', '.join(odd)}")
    shares = pd.Series(weights, dtype="float64")
    if (shares < 0).any() or shares.sum() <= 0:
        raise ValueError("a weight is 0 or more, and one at least is more than 0; for bad news use lower_is_better")
    scaled = scale_indicators(table, method, lower_is_better)
    parts = scaled * (shares / shares.sum())
    index = parts.sum(axis="columns", skipna=False)
    rank = index.rank(ascending=False, method="min").astype("Int64")
    return parts.assign(index=index, rank=rank).sort_values("index", ascending=False, kind="stable")


def radar_points(scaled):
    """Turn scaled indicators into the points of a radar chart (雷达图), one closed line for each row.

    A radar shows profiles, not sizes: the area depends on the order of the spokes. Draw few lines, on one scale.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by `scale_indicators`, with at least three indicators.

    Returns
    -------
    pandas.DataFrame
        name, indicator, angle (radians, for polar axes), value. The first point comes again as the last one.

    Examples
    --------
    >>> scaled = pd.DataFrame({"sales": [0.2], "visits": [0.6], "praise": [1.0]}, index=["ST01"])
    >>> radar_points(scaled).round(2)
       name indicator  angle  value
    0  ST01     sales   0.00    0.2
    1  ST01    visits   2.09    0.6
    2  ST01    praise   4.19    1.0
    3  ST01     sales   6.28    0.2
    """
    if scaled.shape[1] < 3:
        raise ValueError(f"a radar needs three indicators or more, not {scaled.shape[1]}: draw bars instead")
    angles = np.linspace(0, 2 * np.pi, scaled.shape[1] + 1)
    order = [*scaled.columns, scaled.columns[0]]
    lines = [
        pd.DataFrame({"name": name, "indicator": order, "angle": angles, "value": row[order].to_numpy()})
        for name, row in scaled.iterrows()
    ]
    return pd.concat(lines, ignore_index=True)
