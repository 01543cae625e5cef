"""Follow those who came together: who stays, and what they bring (同期群分析)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import orders_until


def cohort_counts(orders, as_of, customer="customer_id", period="M"):
    """Count, for each cohort and age, who bought and for how much.

    A cohort is who bought for the first time in one period. The first cohort of a table that begins in the middle of a
    business holds the old customers too: leave it out, or read it as such.

    Parameters
    ----------
    orders : pandas.DataFrame
        ordered_at, amount (CNY) and the column `customer`.
    as_of : datetime.date or str
        The last day that counts. A period that it cuts short seems weak.
    customer : str
        Column that says whose order it is; orders without a customer are left out.
    period : str
        "M" month, "Q" quarter, "W" week.

    Returns
    -------
    pandas.DataFrame
        cohort, age (periods since the first purchase, from 0), size (customers of the cohort), customers (who bought at
        that age), revenue, retention (customers / size), revenue_per_customer (revenue / size). There is a row for each
        age that the cohort can have reached by that day, also if nobody bought.

    Raises
    ------
    ValueError
        A column is not there, or nobody had bought by that day.

    References
    ----------
    Fader, P. and Hardie, B. (2007). How to project customer retention. Journal of Interactive Marketing 21(1).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "amount": [10.0, 25.0, 30.0],
    ...                        "ordered_at": pd.to_datetime(["2026-04-01", "2026-04-28", "2026-06-20"])})
    >>> cohort_counts(orders, as_of="2026-06-30")[["cohort", "age", "size", "customers", "revenue", "retention"]]
        cohort  age  size  customers  revenue  retention
    0  2026-04    0     2          2     35.0        1.0
    1  2026-04    1     2          0      0.0        0.0
    2  2026-04    2     2          1     30.0        0.5
    """
    known = orders_until(orders, as_of, ["amount"], customer)
    when = known["ordered_at"].dt.to_period(period)
    known["cohort"] = when.groupby(known[customer]).transform("min")
    known["age"] = when.astype("int64") - known["cohort"].astype("int64")  # a period is a number that counts up by 1
    seen = known.groupby(["cohort", "age"]).agg(customers=(customer, "nunique"), revenue=("amount", "sum"))
    size = known.groupby("cohort")[customer].nunique()

    oldest = pd.Period(pd.Timestamp(as_of), freq=when.dt.freq).ordinal - size.index.astype("int64") + 1
    grid = pd.DataFrame({"cohort": size.index.repeat(oldest), "size": np.repeat(size.to_numpy(), oldest)})
    grid.insert(1, "age", np.concatenate([np.arange(ages) for ages in oldest]))
    table = grid.merge(seen.reset_index(), on=["cohort", "age"], how="left")
    table = table.fillna({"customers": 0, "revenue": 0.0}).astype({"customers": "int64"})
    per_head = table["revenue"] / table["size"]
    return table.assign(retention=table["customers"] / table["size"], revenue_per_customer=per_head)


def cohort_table(counts, value="retention"):
    """Lay the cohorts out as the usual triangle: one row per cohort, one column per age.

    Parameters
    ----------
    counts : pandas.DataFrame
        As returned by `cohort_counts`.
    value : str
        "retention", "customers", "revenue" or "revenue_per_customer".

    Returns
    -------
    pandas.DataFrame
        Indexed by cohort; missing where the cohort is not yet so old.

    Examples
    --------
    >>> months = pd.PeriodIndex(["2026-05", "2026-05", "2026-06"], freq="M")
    >>> counts = pd.DataFrame({"cohort": months, "age": [0, 1, 0], "retention": [1.0, 0.25, 1.0]})
    >>> cohort_table(counts)
    age        0     1
    cohort
    2026-05  1.0  0.25
    2026-06  1.0   NaN
    """
    if value not in counts.columns or value in ("cohort", "age"):
        raise ValueError(f"there is no value {value!r} to lay out; choose retention, customers, revenue, …")
    # Not pivot_table: a cohort and age that comes twice is an error, not a mean.
    return counts.pivot(index="cohort", columns="age", values=value)  # noqa: PD010
