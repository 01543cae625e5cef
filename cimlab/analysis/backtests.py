"""Judge forecasts as they are used: made from the past alone, compared with what then came (回测)."""

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.analysis.comparison import check_periods


def backtest(values, methods, horizon=1, first=24, every=1):
    """Stand at each past period in turn, forecast from what was known then, and note what came (rolling origin, 滚动).

    Parameters
    ----------
    values : pandas.Series
        One value per period, in order, none left out.
    methods : dict of str to function
        Name to a function of (values, horizon) that returns a Series, for example ``{"seasonal naive": seasonal_naive,
        "trend": linear_trend, "mean of 6": lambda past, ahead: moving_average(past, ahead, window=6)}``.
    horizon : int
        Periods to look ahead each time.
    first : int
        Periods that are known at the first stand.
    every : int
        By how many periods each next stand knows more: 7 looks at one day of the week only, and saves time.

    Returns
    -------
    pandas.DataFrame
        origin (the last known period), period, step (how far ahead), method, forecast, actual.

    Raises
    ------
    ValueError
        The series is too short for one stand.

    References
    ----------
    Tashman, L. J. (2000). Out-of-sample tests of forecasting accuracy. International Journal of Forecasting 16(4).

    Examples
    --------
    >>> from cimlab.analysis import linear_trend
    >>> sales = pd.Series([10.0, 12.0, 14.0, 16.0, 20.0])
    >>> backtest(sales, {"trend": linear_trend}, first=3)
       origin  period  step method  forecast  actual
    0       2       3     1  trend      16.0    16.0
    1       3       4     1  trend      18.0    20.0
    """
    check_periods(values)
    if len(values) < first + horizon:
        raise ValueError(f"{len(values)} periods are too few: {first} to begin with, {horizon} to compare")
    parts = []
    for known in range(first, len(values) - horizon + 1, every):
        past, coming = values.iloc[:known], values.iloc[known : known + horizon]
        for name, method in methods.items():
            part = pd.DataFrame({"period": coming.index, "step": range(1, horizon + 1), "method": name})
            part["forecast"] = method(past, horizon).to_numpy()
            part["actual"] = coming.to_numpy()
            part.insert(0, "origin", past.index[-1])
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def score_forecasts(tested, baseline="seasonal naive"):
    """Score the forecasts of a back-test, and say whether they beat the baseline.

    Parameters
    ----------
    tested : pandas.DataFrame
        As returned by `backtest`.
    baseline : str
        The method to beat; it must be among those tested.

    Returns
    -------
    pandas.DataFrame
        Per method, the best first: forecasts (their number), bias (mean of forecast - actual), mae (mean absolute
        error, in the unit of the values), mape (mean absolute error as a part of the actual value; missing if one of
        these is 0), relative_mae (mae / mae of the baseline: below 1 it is better).

    References
    ----------
    Hyndman, R. and Koehler, A. (2006). Another look at measures of forecast accuracy. International Journal of
    Forecasting 22(4).

    Examples
    --------
    >>> tested = pd.DataFrame({"method": ["naive", "trend"] * 2, "forecast": [9, 10, 10, 12],
    ...                        "actual": [10, 10, 12, 11]})
    >>> score_forecasts(tested, baseline="naive").round(3)
      method  forecasts  bias  mae   mape  relative_mae
    0  trend          2   0.5  0.5  0.045         0.333
    1  naive          2  -1.5  1.5  0.133         1.000
    """
    columns = need(tested, ["method", "forecast", "actual"], "table of a back-test")
    if baseline not in set(columns["method"]):
        raise ValueError(f"the baseline {baseline!r} was not tested; tested: {', '.join(columns['method'].unique())}")
    columns["bias"] = columns["forecast"] - columns["actual"]
    columns["mae"] = columns["bias"].abs()
    columns["mape"] = columns["mae"] / columns["actual"].abs().where(columns["actual"] != 0)
    grouped = columns.groupby("method", sort=False)
    scores = grouped[["bias", "mae"]].mean()
    scores["mape"] = grouped["mape"].mean(skipna=False)
    scores["relative_mae"] = scores["mae"] / scores.loc[baseline, "mae"]
    scores.insert(0, "forecasts", grouped.size())
    return scores.sort_values("mae", kind="stable").reset_index()
