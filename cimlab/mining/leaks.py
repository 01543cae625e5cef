"""Leaks (数据泄漏): what a feature may not know. Each feature alone, then a test without the future."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after
from cimlab.mining.prediction import feature_numbers, outcomes


def scan_features(table, target, features=None, limit=0.9):
    """Let each feature predict alone, and suspect the one that does it too well (泄漏扫描).

    Behaviour is never so plain that one number tells it. A leak that is not quite so good is not seen here: use
    `compare_without_future`, and ask of each column when it was written.

    Parameters
    ----------
    table : pandas.DataFrame
    target : str
        True or False.
    features : list of str, optional
        All columns of numbers but the target when left out.
    limit : float
        An AUC from this on is suspect.

    Returns
    -------
    pandas.DataFrame
        One row per feature, the best first: feature, auc (0.5 to 1, in whichever direction it predicts), direction
        ("high", "low": which values speak for True), verdict ("suspect", "fine").

    Raises
    ------
    ValueError
        A column is not there, a feature has blanks, or all did the same.

    References
    ----------
    Kaufman, S., Rosset, S., Perlich, C. and Stitelman, O. (2012). Leakage in data mining: formulation, detection, and
    avoidance. ACM TKDD 6(4).

    Examples
    --------
    >>> table = pd.DataFrame({"visits": [1, 5, 4, 5], "days_silent": [90, 80, 7, 2]})
    >>> table["bought"] = [False, False, True, True]
    >>> scan_features(table, "bought")
           feature    auc direction  verdict
    0  days_silent  1.000       low  suspect
    1       visits  0.625      high     fine
    """
    from sklearn.metrics import roc_auc_score

    if features is None:
        features = [name for name in table.select_dtypes("number") if name != target]
    y = outcomes(table, target)
    x = feature_numbers(table, list(features), least=None)
    auc = pd.Series({name: roc_auc_score(y, x[name]) for name in x})
    found = pd.DataFrame({"feature": auc.index, "auc": np.maximum(auc, 1 - auc).to_numpy()})
    found["direction"] = np.where(auc >= 0.5, "high", "low")
    found["verdict"] = np.where(found["auc"] >= limit, "suspect", "fine")
    return found.sort_values(["auc", "feature"], ascending=[False, True], ignore_index=True)


def compare_without_future(build, orders, cutoff):
    """Build the features twice, with and without the rows after the cutoff: what differs has seen the future.

    Parameters
    ----------
    build : function
        Takes orders and a cutoff, returns a table with customer_id and the features, one row per customer.
    orders : pandas.DataFrame
        With ordered_at.
    cutoff : datetime.date or str

    Returns
    -------
    pandas.DataFrame
        One row per feature: feature, customers (who stand in both tables), changed (of them), share, verdict ("leak",
        "fine").

    Raises
    ------
    ValueError
        There is no customer_id, a customer stands there twice, or no row lies after the cutoff, so that nothing can be
        seen.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["K1", "K1"], "ordered_at": pd.to_datetime(["2026-01-01", "2026-05-01"])})
    >>> def careless(orders, cutoff):
    ...     return orders.groupby("customer_id").size().rename("frequency").reset_index()
    >>> compare_without_future(careless, orders, "2026-03-31")
         feature  customers  changed  share verdict
    0  frequency          1        1    1.0    leak
    """
    past = orders[orders["ordered_at"] < after(cutoff)]
    if len(past) == len(orders):
        raise ValueError(f"no row lies after {pd.Timestamp(cutoff).date()}: give all orders, those of the window too")
    tables = []
    for rows in (orders, past):
        table = build(rows, cutoff)
        if "customer_id" not in table or table["customer_id"].duplicated().any():
            raise ValueError("`build` must return a column customer_id, with each customer once")
        tables.append(table.set_index("customer_id"))
    both = tables[0].index.intersection(tables[1].index)
    full, cut = (table.loc[both] for table in tables)
    changed = {name: int((~_same(full[name], cut[name])).sum()) for name in full if name in cut}
    found = pd.DataFrame({"feature": list(changed), "customers": len(both), "changed": list(changed.values())})
    found["share"] = found["changed"] / len(both)
    return found.assign(verdict=np.where(found["changed"] > 0, "leak", "fine"))


def _same(one, other):
    """Say row by row whether two columns agree; two blanks do."""
    if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other):
        return np.isclose(one.astype("float64"), other.astype("float64"), equal_nan=True)
    return ((one == other) | (one.isna() & other.isna())).fillna(False)
