"""How closely do two quantities go together? Correlation with its n and its interval (相关分析)."""

import itertools
from statistics import NormalDist

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def correlate(table, x, y, method="pearson", controls=(), confidence=0.95):
    """Correlate two columns, on request with others held fixed (partial correlation, 偏相关).

    A correlation is no cause: both may follow from a third. `controls` shows what is left when that third is taken out,
    but only for those that you have measured.

    Parameters
    ----------
    table : pandas.DataFrame
    x, y : str
        The two columns of numbers.
    method : str
        "pearson": how near the points lie to a straight line; one outlier can make it. "spearman": the same of the
        ranks, for any rising or falling curve.
    controls : iterable of str
        Columns to hold fixed: what they explain in a straight line is taken out of x and of y.
    confidence : float
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        One row: x, y, method, controls, n (rows where nothing is missing), r (-1 to 1), low, high. r is missing if one
        column is constant or follows entirely from the controls, the interval if fewer than four rows more than
        controls are left.

    Raises
    ------
    ValueError
        An unknown method or column, or text in a column.

    References
    ----------
    Fisher, R. A. (1921). On the "probable error" of a coefficient of correlation. Metron 1: the interval for Pearson.
    Bonett, D. G. and Wright, T. A. (2000). Psychometrika 65(1): that for Spearman.

    Examples
    --------
    >>> shops = pd.DataFrame({"visits": [1, 2, 3, 4, 5, 6], "sales": [2, 4, 5, 4, 6, 9]})
    >>> correlate(shops, "visits", "sales").round(2)
            x      y   method controls  n    r   low  high
    0  visits  sales  pearson           6  0.9  0.34  0.99
    """
    if method not in ("pearson", "spearman"):
        raise ValueError(f"the method {method!r} is unknown; choose 'pearson' or 'spearman'")
    controls = list(controls)
    numbers = need(table, [x, y, *controls])
    words = [column for column in numbers if not pd.api.types.is_numeric_dtype(numbers[column])]
    if words:
        raise ValueError(f"the column {', '.join(words)} holds no numbers: count or rank it first")
    numbers = numbers.dropna().astype("float64")
    ready = numbers.rank() if method == "spearman" else numbers
    r = _pearson(_without(ready[x], ready[controls]), _without(ready[y], ready[controls]))
    low, high = _interval(r, len(ready) - len(controls), method, confidence)
    names = {"x": x, "y": y, "method": method, "controls": ", ".join(controls)}
    return pd.DataFrame([names | {"n": len(ready), "r": r, "low": low, "high": high}])


def correlate_all(table, columns=None, method="pearson", controls=(), confidence=0.95):
    """Correlate each pair of columns, the closest pair first.

    With many pairs some intervals leave out 0 by chance: of 100 pairs without any connection, about five do.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : list of str, optional
        All columns of numbers but the controls, if not given.
    method, controls, confidence
        As for `correlate`.

    Returns
    -------
    pandas.DataFrame
        One row per pair, with the columns of `correlate`.

    Examples
    --------
    >>> shops = pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [2, 1, 4, 3, 5], "c": [5, 4, 3, 2, 1]})
    >>> correlate_all(shops)[["x", "y", "r"]]
       x  y    r
    0  a  c -1.0
    1  a  b  0.8
    2  b  c -0.8
    """
    if columns is None:
        columns = [column for column in table.select_dtypes("number").columns if column not in controls]
    pairs = list(itertools.combinations(columns, 2))
    if not pairs:
        raise ValueError(f"a pair needs two columns of numbers; there is: {', '.join(columns) or 'none'}")
    found = pd.concat([correlate(table, x, y, method, controls, confidence) for x, y in pairs])
    return found.sort_values("r", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def _without(values, controls):
    """What is left of the values when a straight line on the controls is taken out."""
    if controls.empty:
        return values
    design = np.column_stack([np.ones(len(controls)), controls])
    left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return left.where(left.abs() > 1e-9 * values.abs().max(), 0.0)


def _pearson(x, y):
    if x.nunique() < 2 or y.nunique() < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()), -1, 1))


def _interval(r, n, method, confidence):
    """Fisher's interval: arctanh(r) is nearly normal, with a spread that depends on n alone."""
    if np.isnan(r) or n < 4:
        return float("nan"), float("nan")
    if abs(r) > 1 - 1e-12:
        return r, r
    spread = np.sqrt((1 + r**2 / 2 if method == "spearman" else 1) / (n - 3))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * spread
    return float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach))
