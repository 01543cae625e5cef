"""Compare one indicator: with the plan, with last month and last year, with its peers (对比分析)."""

import itertools

import pandas as pd

from cimlab.analysis.columns import need


def compare_with_plan(table, actual="actual", plan="plan"):
    """Compare what was reached with what was planned (计划完成情况).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per shop, month, …, with the two columns.
    actual, plan : str
        Names of the columns.

    Returns
    -------
    pandas.DataFrame
        The table and `difference` (actual - plan), `attainment` (actual / plan: 1 is the plan; missing if that is 0).

    Examples
    --------
    >>> shops = pd.DataFrame({"store_id": ["ST01", "ST02"], "actual": [90.0, 120.0], "plan": [100.0, 100.0]})
    >>> compare_with_plan(shops)
      store_id  actual   plan  difference  attainment
    0     ST01    90.0  100.0       -10.0         0.9
    1     ST02   120.0  100.0        20.0         1.2
    """
    need(table, [actual, plan])
    difference, attainment = table[actual] - table[plan], ratio(table[actual], table[plan])
    return table.assign(difference=difference, attainment=attainment)


def compare_over_time(values, season=12):
    """Compare each period with the one before (环比) and with the same one a year before (同比).

    Parameters
    ----------
    values : pandas.Series
        One value per period, in order, none left out: ``orders.groupby(orders["ordered_at"].dt.to_period("M"))
        ["amount"].sum()``.
    season : int
        Periods in a year: 12 months, 4 quarters, 52 weeks.

    Returns
    -------
    pandas.DataFrame
        Per period: value, last_period, change (on the last period, 0.1 = 10 % more), year_before, year_on_year (change
        on the year before). Missing where there is nothing to compare with, or where it was 0.

    Raises
    ------
    ValueError
        A period is missing, or comes twice.

    Examples
    --------
    >>> quarters = pd.period_range("2025Q1", periods=5, freq="Q")
    >>> sales = pd.Series([100.0, 80.0, 120.0, 200.0, 110.0], index=quarters)
    >>> compare_over_time(sales, season=4).tail(2)
            value  last_period    change  year_before  year_on_year
    2025Q4  200.0        120.0  0.666667          NaN           NaN
    2026Q1  110.0        200.0 -0.450000        100.0           0.1
    """
    check_periods(values)
    last, before = values.shift(1), values.shift(season)
    return pd.DataFrame(
        {
            "value": values,
            "last_period": last,
            "change": ratio(values, last) - 1,
            "year_before": before,
            "year_on_year": ratio(values, before) - 1,
        }
    )


def compare_with_peers(table, value, group=None):
    """Compare each row with the others like it (横向对比).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per shop, product, customer, …
    value : str
        The column to compare.
    group : str, optional
        Peers are the rows with the same value of this column; all rows if not given.

    Returns
    -------
    pandas.DataFrame
        The table and `peers` (mean of the others; missing for who has none), `ratio` (value / peers), `rank` (1 is the
        highest; who is equal shares the better rank).

    Examples
    --------
    >>> shops = pd.DataFrame({"store_id": ["ST01", "ST02", "ST03"], "sales": [60.0, 20.0, 40.0]})
    >>> compare_with_peers(shops, "sales")
      store_id  sales  peers  ratio  rank
    0     ST01   60.0   30.0    2.0     1
    1     ST02   20.0   50.0    0.4     3
    2     ST03   40.0   40.0    1.0     2
    """
    numbers = need(table, [value] if group is None else [value, group])
    keys = pd.Series(0, index=table.index) if group is None else numbers[group]
    grouped = numbers[value].groupby(keys)
    others = grouped.transform("count") - 1
    peers = ratio(grouped.transform("sum") - numbers[value], others)
    rank = grouped.rank(ascending=False, method="min").astype("Int64")
    return table.assign(peers=peers, ratio=ratio(numbers[value], peers), rank=rank)


def ratio(above, below):
    """Divide, and leave missing what would be divided by 0.

    Examples
    --------
    >>> ratio(pd.Series([1.0, 1.0]), pd.Series([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    return above / below.where(below != 0)


def check_periods(values):
    """Refuse a series in which a period is missing or out of order: its neighbours would be compared wrongly.

    Examples
    --------
    >>> months = pd.PeriodIndex(["2026-01", "2026-03"], freq="M")
    >>> check_periods(pd.Series([1.0, 2.0], index=months))
    Traceback (most recent call last):
    ...
    ValueError: after 2026-01 comes 2026-03: each period must be there once, in order. Put 0 where nothing happened.
    """
    if not isinstance(values, pd.Series):
        raise ValueError(f"the values must be a Series with one value per period, not a {type(values).__name__}")
    index = values.index
    if isinstance(index, pd.DatetimeIndex) and index.freq is not None:
        return
    if not (isinstance(index, pd.PeriodIndex) or pd.api.types.is_integer_dtype(index)):
        raise ValueError(
            'the index must count the periods: group by orders["ordered_at"].dt.to_period("M"), or number them'
        )
    for before, after in itertools.pairwise(index):
        if after != before + 1:
            raise ValueError(
                f"after {before} comes {after}: each period must be there once, in order. Put 0 where nothing happened."
            )
