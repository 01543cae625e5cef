"""Predict a quantity from what goes with it: linear regression (逻辑关系预测、回归分析)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def regression_table(table, target, predictors, confidence=0.95):
    """Fit a linear regression and return its coefficients.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows with a missing value are left out.
    target : str
        The column to explain, a number.
    predictors : list of str
        The columns that explain it. A column of words becomes one 0/1 column per word but the first (in order of the
        alphabet), which is the one they are compared with.
    confidence : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        term, coefficient (by how much the target is greater where this term is greater by 1 and the others are equal),
        std_error, low, high, p (how likely so large a coefficient is by chance if it were 0).

    Raises
    ------
    ValueError
        Fewer rows than terms, or terms that say the same (a total beside its parts).

    References
    ----------
    Wooldridge, J. (2019). Introductory Econometrics, 7th ed., chapters 2-4. Computed by ``statsmodels``.

    Examples
    --------
    >>> weeks = pd.DataFrame({"price": [10, 9, 10, 8, 9, 8], "offer": ["no", "no", "yes", "no", "yes", "yes"],
    ...                       "packs": [20, 26, 31, 30, 34, 41]})
    >>> regression_table(weeks, "packs", ["price", "offer"])[["term", "coefficient"]].round(2)
             term  coefficient
    0       const        70.33
    1       price        -5.00
    2  offer: yes        10.00
    """
    fit, _ = _fit(table, target, predictors)
    interval = fit.conf_int(1 - confidence)
    columns = {"coefficient": fit.params, "std_error": fit.bse, "low": interval[0], "high": interval[1]}
    return pd.DataFrame(columns | {"p": fit.pvalues}).rename_axis("term").reset_index()


def regression_fit(table, target, predictors):
    """Say how well a linear regression fits.

    Parameters
    ----------
    table, target, predictors
        As for `regression_table`.

    Returns
    -------
    pandas.DataFrame
        One row: n, r2 (part of the variance that is explained), adjusted_r2 (the same, less what chance gives to many
        predictors), residual_sd (by how much it is wrong, in the unit of the target).

    Examples
    --------
    >>> weeks = pd.DataFrame({"price": [10, 9, 8, 7], "packs": [20, 25, 28, 35]})
    >>> regression_fit(weeks, "packs", ["price"]).round(2)
       n    r2  adjusted_r2  residual_sd
    0  4  0.98         0.96         1.18
    """
    fit, _ = _fit(table, target, predictors)
    values = {"n": int(fit.nobs), "r2": fit.rsquared, "adjusted_r2": fit.rsquared_adj}
    return pd.DataFrame([values | {"residual_sd": np.sqrt(fit.mse_resid)}])


def residual_checks(table, target, predictors):
    """Look at what a regression leaves over: are the intervals of its table to be believed? (残差检验).

    Parameters
    ----------
    table, target, predictors
        As for `regression_table`; the rows in order of time, if they have one.

    Returns
    -------
    pandas.DataFrame
        Per check: statistic, p (missing for a rule of thumb), ok, meaning (what it means if it is not ok). A test is ok
        if p is 0.05 or more.

    References
    ----------
    Breusch and Pagan (1979); Ramsey (1969); Jarque and Bera (1980); Durbin and Watson (1950), rule of thumb 1.5 to 2.5;
    Cook (1977), rule of thumb 1; variance inflation factor, rule of thumb 10.

    Examples
    --------
    >>> weeks = pd.DataFrame({"price": range(20), "packs": [2 * week + (-1) ** (week // 2) for week in range(20)]})
    >>> residual_checks(weeks, "packs", ["price"])[["check", "ok"]]
                       check    ok
    0          straight line  True
    1           equal spread  True
    2       normal residuals  True
    3              no memory  True
    4  no single row decides  True
    5      predictors differ  True
    """
    from statsmodels.stats.diagnostic import het_breuschpagan, linear_reset
    from statsmodels.stats.outliers_influence import variance_inflation_factor
    from statsmodels.stats.stattools import durbin_watson, jarque_bera

    fit, _ = _fit(table, target, predictors)
    design = fit.model.exog
    inflation = max(variance_inflation_factor(design, column) for column in range(1, design.shape[1]))
    reset = linear_reset(fit, power=2, use_f=True)
    spread, spread_p = het_breuschpagan(fit.resid, design)[:2]
    normal, normal_p = jarque_bera(fit.resid)[:2]
    durbin, cook = durbin_watson(fit.resid), fit.get_influence().cooks_distance[0].max()
    rows = [
        ["straight line", reset.statistic, reset.pvalue, reset.pvalue >= 0.05, "a curve fits better: try a logarithm"],
        ["equal spread", spread, spread_p, spread_p >= 0.05, "intervals too narrow or too wide: try a logarithm"],
        ["normal residuals", normal, normal_p, normal_p >= 0.05, "a few large errors; harmless with many rows"],
        ["no memory", durbin, np.nan, 1.5 <= durbin <= 2.5, "rows depend on those before: add trend or season"],
        ["no single row decides", cook, np.nan, cook < 1, "look at that row: is it an error?"],
        ["predictors differ", inflation, np.nan, inflation < 10, "two predictors say the same: leave one out"],
    ]
    return pd.DataFrame(rows, columns=["check", "statistic", "p", "ok", "meaning"])


def predict_by_regression(table, target, predictors, new, confidence=0.95):
    """Predict the target for new rows, with the interval in which one such row will lie.

    Parameters
    ----------
    table, target, predictors, confidence
        As for `regression_table`.
    new : pandas.DataFrame
        With the predictors.

    Returns
    -------
    pandas.DataFrame
        The new rows and `predicted`, `low`, `high`. Outside the range of the past nothing vouches for the line.

    Raises
    ------
    ValueError
        A missing value or an unknown word in the new rows.

    Examples
    --------
    >>> weeks = pd.DataFrame({"price": [10, 9, 8, 7], "packs": [20, 25, 28, 35]})
    >>> predict_by_regression(weeks, "packs", ["price"], pd.DataFrame({"price": [8.5]})).round(1)
       price  predicted   low  high
    0    8.5       27.0  21.3  32.7
    """
    fit, words = _fit(table, target, predictors)
    rows = need(new, predictors, "table of new rows")
    if rows.isna().any(axis=None):
        raise ValueError("a predictor is missing in the new rows: fill it, or leave the row out")
    frame = fit.get_prediction(_design(rows, words)).summary_frame(1 - confidence)
    names = {"mean": "predicted", "obs_ci_lower": "low", "obs_ci_upper": "high"}
    return new.assign(**{name: frame[column].to_numpy() for column, name in names.items()})


def _fit(table, target, predictors):
    """The fitted model of statsmodels, and the words of each column of words."""
    import statsmodels.api as sm

    if isinstance(predictors, str) or not list(predictors):
        raise ValueError(f"predictors must be a list of columns, such as [{str(predictors)!r}]")
    if target in predictors:
        raise ValueError(f"the target {target} cannot explain itself: take it out of the predictors")
    rows = need(table, [target, *predictors]).dropna()
    if not _is_number(rows[target]):
        raise ValueError(f"the target {target} holds no numbers")
    words = {column: sorted(rows[column].unique()) for column in predictors if not _is_number(rows[column])}
    design = _design(rows[list(predictors)], words)
    if len(rows) <= design.shape[1]:
        raise ValueError(f"{len(rows)} complete rows are too few for {design.shape[1]} terms")
    if np.linalg.matrix_rank(design.to_numpy()) < design.shape[1]:
        raise ValueError(f"two of the terms say the same, or one is constant: {', '.join(design.columns[1:])}")
    return sm.OLS(rows[target].astype("float64"), design).fit(), words


def _design(rows, words):
    """The predictors as numbers, with a column of ones in front; words are compared with the first of their column."""
    columns = {"const": pd.Series(1.0, index=rows.index)}
    for column in rows:
        if column not in words:
            columns[column] = rows[column].astype("float64")
            continue
        unknown = sorted(set(rows[column]) - set(words[column]))
        if unknown:
            raise ValueError(
                f"{column} is {unknown[0]!r} in a new row; known are only: {', '.join(map(str, words[column]))}"
            )
        for word in words[column][1:]:
            columns[f"{column}: {word}"] = rows[column].eq(word).astype("float64")
    return pd.DataFrame(columns)


def _is_number(values):
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
