"""Predict from the series' own past: trend, mean, smoothing, season (惯性预测).

Each function takes the values of the past, one per period, and the number of periods to look ahead (`horizon`), and
returns a Series of forecasts. Which one is worth its trouble, `backtest` says, not the fit to the past.
"""

import warnings

import numpy as np
import pandas as pd

from cimlab.analysis.comparison import check_periods


def seasonal_naive(values, horizon, season=12):
    """Forecast what the same period of the last season had (季节性朴素预测): the baseline that a method must beat.

    Parameters
    ----------
    values : pandas.Series
        One value per period, in order, none left out.
    horizon : int
        Periods to look ahead.
    season : int
        Periods after which the pattern comes again: 12 months, 7 days; 1 forecasts the last value.

    Returns
    -------
    pandas.Series
        The forecasts, indexed by the coming periods.

    References
    ----------
    Hyndman, R. and Athanasopoulos, G. (2021). Forecasting: Principles and Practice, 3rd ed., section 5.2.

    Examples
    --------
    >>> quarters = pd.period_range("2025Q1", periods=4, freq="Q")
    >>> seasonal_naive(pd.Series([10.0, 20.0, 30.0, 40.0], index=quarters), 2, season=4)
    2026Q1    10.0
    2026Q2    20.0
    Freq: Q-DEC, Name: forecast, dtype: float64
    """
    past = _past(values, season)
    return _coming(values, past[len(past) - season + np.arange(horizon) % season])


def linear_trend(values, horizon):
    """Draw a straight line through the past and go on along it (趋势外推).

    Parameters
    ----------
    values, horizon
        As for `seasonal_naive`.

    Returns
    -------
    pandas.Series
        The forecasts. Far ahead they may fall below 0: a line knows no floor.

    References
    ----------
    Hyndman and Athanasopoulos (2021), section 7.4.

    Examples
    --------
    >>> linear_trend(pd.Series([10.0, 12.0, 14.0]), 2).round(1).tolist()
    [16.0, 18.0]
    """
    past = _past(values, 2)
    slope, start = np.polyfit(np.arange(len(past)), past, 1)
    return _coming(values, start + slope * (len(past) + np.arange(horizon)))


def seasonal_trend(values, horizon, season=12):
    """Go on along the trend line, times the index of the season (季节指数).

    The mean over one whole season, moved along the past, has no season in it: the line is drawn through that. The index
    is how far a month lies above or below the line on average: 1.2 is a fifth above.

    Parameters
    ----------
    values, horizon, season
        As for `seasonal_naive`; at least two seasons.

    Returns
    -------
    pandas.Series
        The forecasts.

    Raises
    ------
    ValueError
        The past is too short, or the line falls to 0, where an index makes no sense.

    References
    ----------
    Hyndman and Athanasopoulos (2021), section 3.4 (classical decomposition).

    Examples
    --------
    >>> seasonal_trend(pd.Series([10.0, 30.0, 10.0, 30.0, 10.0, 30.0]), 2, season=2).round(1).tolist()
    [10.0, 30.0]
    """
    past = _past(values, 2 * season)
    # Over an even season the two ends count half, so that the mean stands on a period and not between two.
    weights = np.ones(season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    smooth = np.convolve(past, weights / season, mode="valid")
    slope, start = np.polyfit(np.arange(len(smooth)) + len(weights) // 2, smooth, 1)
    times = np.arange(len(past) + horizon)
    line = start + slope * times
    if (line <= 0).any():
        raise ValueError("the trend line falls to 0 or below: a seasonal index makes no sense there")
    index = pd.Series(past / line[: len(past)]).groupby(times[: len(past)] % season).mean()
    return _coming(values, line[len(past) :] * index.loc[times[len(past) :] % season].to_numpy())


def moving_average(values, horizon, window=3):
    """Forecast the mean of the last periods (移动平均): calm, late, without trend or season.

    Parameters
    ----------
    values, horizon
        As for `seasonal_naive`.
    window : int
        Periods to average: more are calmer and later.

    Returns
    -------
    pandas.Series
        The forecasts, all equal.

    Examples
    --------
    >>> moving_average(pd.Series([10.0, 12.0, 14.0, 16.0]), 2, window=2).tolist()
    [15.0, 15.0]
    """
    past = _past(values, window)
    return _coming(values, np.full(horizon, past[len(past) - window :].mean()))


def exponential_smoothing(values, horizon, alpha=None):
    """Forecast a mean in which the last values weigh most (指数平滑).

    Parameters
    ----------
    values, horizon
        As for `seasonal_naive`.
    alpha : float, optional
        Weight of the newest value, 0 to 1; the one that fits the past best if not given.

    Returns
    -------
    pandas.Series
        The forecasts, all equal.

    References
    ----------
    Brown, R. G. (1959). Statistical Forecasting for Inventory Control. McGraw-Hill. Computed by ``statsmodels``.

    Examples
    --------
    >>> exponential_smoothing(pd.Series([10.0, 12.0, 14.0, 16.0]), 2, alpha=1.0).tolist()
    [16.0, 16.0]
    """
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"alpha is a weight from 0 to 1, not {alpha}")
    past = _past(values, 3)
    model = SimpleExpSmoothing(past, initialization_method="estimated")
    return _coming(values, _smooth(model, horizon, smoothing_level=alpha))


def holt_winters(values, horizon, season=12, damped=True):
    """Smooth level, trend and season at once (霍尔特-温特斯法).

    Parameters
    ----------
    values, horizon, season
        As for `seasonal_naive`; at least two seasons and five periods. ``season=1``: without a season (Holt).
    damped : bool
        The trend fades out: safer far ahead.

    Returns
    -------
    pandas.Series
        The forecasts.

    References
    ----------
    Winters, P. R. (1960). Forecasting sales by exponentially weighted moving averages. Management Science 6(3).
    Gardner, E. S. (1985): damped trends. Computed by ``statsmodels``.

    Examples
    --------
    >>> holt_winters(pd.Series([10.0, 30.0, 12.0, 32.0, 14.0, 34.0]), 2, season=2, damped=False).round(0).tolist()
    [16.0, 36.0]
    """
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    past = _past(values, max(2 * season, 5))
    shape = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
    model = ExponentialSmoothing(past, trend="add", damped_trend=damped, initialization_method="estimated", **shape)
    return _coming(values, _smooth(model, horizon))


def _past(values, least):
    """The values as numbers, or a sentence on what is wrong with them."""
    check_periods(values)
    if len(values) < least:
        raise ValueError(f"this method needs {least} periods of the past or more, there are {len(values)}")
    if values.isna().any():
        raise ValueError(f"the value of {values.index[values.isna()][0]} is missing: fill it, with a reason")
    return values.to_numpy(dtype="float64")


def _smooth(model, horizon, **fixed):
    """Fit a model of statsmodels and look ahead, quietly: the back-test judges it, not the search for its weights."""
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(**fixed).forecast(horizon)


def _coming(values, forecasts):
    """The forecasts with the periods that they are for."""
    last = values.index[-1]
    if isinstance(values.index, pd.PeriodIndex):
        index = pd.period_range(last + 1, periods=len(forecasts), freq=values.index.freq)
    elif isinstance(values.index, pd.DatetimeIndex):
        index = pd.date_range(last + values.index.freq, periods=len(forecasts), freq=values.index.freq)
    else:
        index = pd.RangeIndex(last + 1, last + 1 + len(forecasts))
    return pd.Series(forecasts, index=index, name="forecast")
