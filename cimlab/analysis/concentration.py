"""How much do the best bring? The Pareto curve (帕累托分析、二八定律)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def pareto_curve(table, value, customer="customer_id"):
    """Line the customers up, the best first, and add up what they bring.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per customer, with the columns `customer` and `value`.
    value : str
        What to add up: revenue, profit, …; 0 or more.
    customer : str

    Returns
    -------
    pandas.DataFrame
        The column `customer`, `value`, customers_share (part of the customers so far), value_share (part of the value
        that they bring). Who brings the same stays in the order of the table.

    Raises
    ------
    ValueError
        A customer comes twice, or a value is missing or below 0.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "monetary": [10.0, 60.0, 20.0, 10.0]})
    >>> pareto_curve(table, "monetary")
      customer_id  monetary  customers_share  value_share
    0           b      60.0             0.25          0.6
    1           c      20.0             0.50          0.8
    2           a      10.0             0.75          0.9
    3           d      10.0             1.00          1.0
    """
    line = need(table, [customer, value]).sort_values(value, ascending=False, kind="stable", ignore_index=True)
    if line[customer].duplicated().any():
        raise ValueError(f"{customer} must be unique: one row per customer, not one per order")
    if not line[value].ge(0).all() or not line[value].sum() > 0:
        raise ValueError(f"{value} must be 0 or more everywhere and more than 0 somewhere: shares of losses mislead")
    shares = np.arange(1, len(line) + 1) / len(line)
    return line.assign(customers_share=shares, value_share=line[value].cumsum() / line[value].sum())


def pareto_shares(table, value, customer="customer_id", parts=(0.01, 0.05, 0.10, 0.20, 0.50)):
    """Say what the best 1 %, 5 %, … of the customers bring.

    Parameters
    ----------
    table, value, customer
        As for `pareto_curve`.
    parts : iterable of float
        Parts of the customers, above 0 and up to 1.

    Returns
    -------
    pandas.DataFrame
        part, customers (their number, rounded), value_share, and `times` (value_share / part: 1 if all were equal).

    References
    ----------
    McCarthy, D. and Winer, R. (2019). The Pareto rule in marketing revisited. Marketing Letters 30: the best 20 % bring
    67 % in 339 firms, not the proverbial 80 %.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "monetary": [10.0, 60.0, 20.0, 10.0]})
    >>> pareto_shares(table, "monetary", parts=[0.25, 0.5])
       part  customers  value_share  times
    0  0.25          1          0.6    2.4
    1  0.50          2          0.8    1.6
    """
    parts = list(parts)
    if not all(0 < part <= 1 for part in parts):
        raise ValueError(f"a part of the customers is above 0 and up to 1 (20 % is 0.2), not {parts}")
    curve = pareto_curve(table, value, customer)
    heads = [max(1, round(part * len(curve))) for part in parts]
    shares = curve["value_share"].iloc[[head - 1 for head in heads]].to_numpy()
    return pd.DataFrame({"part": parts, "customers": heads, "value_share": shares, "times": shares / np.array(parts)})
