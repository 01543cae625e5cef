"""Is a score right? Ranking, calibration and lift, on a test window.

Where several customers have one score, nobody can say who of them comes first. Then each counts as their mean, which is
what a random order gives on average, and the order of the rows plays no part.
"""

import numpy as np
import pandas as pd


def judge_scores(actual, score, threshold=0.5):
    """Measure a score by what came (模型评估).

    Parameters
    ----------
    actual : pandas.Series or array of bool
        What each customer did.
    score : pandas.Series or array
        Probabilities, 0 to 1, in the same order.
    threshold : float
        From this score on a customer counts as one who will.

    Returns
    -------
    pandas.Series
        customers, rate (of those who did), predicted (mean score), auc (chance that who did has the higher score),
        brier (mean squared error of the score; small is good), accuracy (share judged rightly), accuracy_base (that of
        saying the commoner thing of everybody), found (customers from the threshold on), precision, recall, f1. A
        share of nothing is missing.

    Raises
    ------
    ValueError
        The two differ in length, a score is missing or not from 0 to 1, or all did the same.

    References
    ----------
    Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly Weather Review 78.

    Examples
    --------
    >>> judged = judge_scores([True, False, False, False], [0.6, 0.7, 0.2, 0.1])
    >>> judged[["auc", "accuracy", "accuracy_base", "precision", "recall"]].round(2).tolist()
    [0.67, 0.75, 0.75, 0.5, 1.0]
    """
    y, s = checked_scores(actual, score)
    told = s >= threshold
    right = float((told & (y > 0)).sum())
    precision, recall = right / told.sum() if told.any() else np.nan, right / y.sum()
    return pd.Series(
        {
            "customers": len(y),
            "rate": y.mean(),
            "predicted": s.mean(),
            "auc": _auc(y, s),
            "brier": ((s - y) ** 2).mean(),
            "accuracy": (told == (y > 0)).mean(),
            "accuracy_base": max(y.mean(), 1 - y.mean()),
            "found": int(told.sum()),
            "precision": precision,
            "recall": recall,
            "f1": 2 * right / (told.sum() + y.sum()),
        },
        name="score",
    )


def compare_scores(actual, scores, draws=500, seed=1, confidence=0.95):
    """Compare how well scores rank the same customers, with intervals by bootstrap (自助法).

    Parameters
    ----------
    actual : pandas.Series or array of bool
    scores : dict of str to pandas.Series or array
        Any numbers of which a high one speaks for True; the first is the baseline.
    draws : int
        How often customers are drawn anew, with replacement.
    seed : int
    confidence : float

    Returns
    -------
    pandas.DataFrame
        One row per score: score, auc, low, high, gain (auc less that of the baseline, measured on the same draws),
        gain_low, gain_high. If the interval of the gain holds 0, the test cannot tell the two apart.

    Raises
    ------
    ValueError
        As `judge_scores`.

    References
    ----------
    Efron, B. and Tibshirani, R. (1993). An introduction to the bootstrap. Chapman & Hall.

    Examples
    --------
    >>> actual = [True, False] * 20
    >>> compare_scores(actual, {"coin": [0.5] * 40, "oracle": actual})[["score", "auc", "gain", "gain_low"]]
        score  auc  gain  gain_low
    0    coin  0.5   0.0       0.0
    1  oracle  1.0   0.5       0.5
    """
    if not scores:
        raise ValueError("no score to compare: give a dict of names and scores, the baseline first")
    pairs = {name: checked_scores(actual, score, probability=False) for name, score in scores.items()}
    y = next(iter(pairs.values()))[0]
    order = np.lexsort([y, *[s for _, s in pairs.values()]])
    weights = draw_weights(len(y), draws, seed)
    weights = weights[((weights * y[order]).sum(axis=1) > 0) & ((weights * (1 - y[order])).sum(axis=1) > 0)]
    drawn = {name: np.array([_auc(y[order], s[order], w) for w in weights]) for name, (_, s) in pairs.items()}
    base = next(iter(drawn))
    ends = [0.5 - confidence / 2, 0.5 + confidence / 2]
    rows = []
    for name, (_, s) in pairs.items():
        auc, gain = _auc(y, s), _auc(y, s) - _auc(y, pairs[base][1])
        rows.append([name, auc, *np.quantile(drawn[name], ends), gain, *np.quantile(drawn[name] - drawn[base], ends)])
    return pd.DataFrame(rows, columns=["score", "auc", "low", "high", "gain", "gain_low", "gain_high"])


def calibration_table(actual, score, bins=10):
    """Sort customers by score into groups of one size, and put what was promised beside what came (校准).

    Parameters
    ----------
    actual : pandas.Series or array of bool
    score : pandas.Series or array
        Probabilities, 0 to 1.
    bins : int
        How many groups. Customers with one score stay together, so that there may be fewer.

    Returns
    -------
    pandas.DataFrame
        One row per group, the lowest first: group (from 1), customers, predicted (mean score), actual (share who did),
        low, high (95 % Wilson interval of the share), gap (predicted less actual), inside (the mean score lies in the
        interval).

    Raises
    ------
    ValueError
        As `judge_scores`, or there are more groups than customers.

    References
    ----------
    Niculescu-Mizil, A. and Caruana, R. (2005). Predicting good probabilities with supervised learning. ICML.

    Examples
    --------
    >>> table = calibration_table([True, False, False, False] * 5, [0.6] * 10 + [0.2] * 10, bins=2)
    >>> table[["group", "customers", "predicted", "actual", "gap"]].round(2)
       group  customers  predicted  actual  gap
    0      1         10        0.2     0.2  0.0
    1      2         10        0.6     0.3  0.3
    """
    from statsmodels.stats.proportion import proportion_confint

    y, s = checked_scores(actual, score)
    if not 1 <= bins <= len(y):
        raise ValueError(f"{len(y)} customers cannot be sorted into {bins} groups")
    group = pd.qcut(s, bins, labels=False, duplicates="drop") if bins > 1 and np.ptp(s) > 0 else np.zeros(len(s))
    grouped = pd.DataFrame({"predicted": s, "actual": y}).groupby(group)
    table = grouped.mean().reset_index(drop=True)
    size, did = grouped.size().to_numpy(), grouped["actual"].sum().to_numpy()
    low, high = proportion_confint(did, size, method="wilson")
    table.insert(0, "group", range(1, len(table) + 1))
    table.insert(1, "customers", size)
    inside = (table["predicted"] >= low) & (table["predicted"] <= high)
    return table.assign(low=low, high=high, gap=table["predicted"] - table["actual"], inside=inside)


def recalibrate(actual, score, method="platt"):
    """Learn on a calibration window how scores must be bent to be probabilities again (再校准).

    Parameters
    ----------
    actual : pandas.Series or array of bool
        Of a window that the model has not learned from, and that is not the test.
    score : pandas.Series or array
        Probabilities, 0 to 1.
    method : {"platt", "isotonic"}
        Platt: a logistic curve through the log-odds of the score, two numbers. Isotonic: any curve that never falls; it
        needs many customers, and makes ties.

    Returns
    -------
    function
        Takes scores, returns them bent: a Series stays one.

    Raises
    ------
    ValueError
        As `judge_scores`, or there is no such method.

    References
    ----------
    Platt, J. (1999). Probabilistic outputs for support vector machines. Zadrozny, B. and Elkan, C. (2002). Transforming
    classifier scores into accurate multiclass probability estimates. KDD.

    Examples
    --------
    >>> correct = recalibrate([True, False, False, False] * 5, [0.6] * 20, method="isotonic")
    >>> correct([0.6]).tolist()
    [0.25]
    """
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    y, s = checked_scores(actual, score)
    order = np.lexsort([y, s])
    if method == "isotonic":
        bend = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(s[order], y[order]).predict
    elif method == "platt":
        fitted = LogisticRegression(C=1e6, max_iter=1000).fit(_log_odds(s[order]), y[order])

        def bend(values):
            return fitted.predict_proba(_log_odds(values))[:, 1]
    else:
        raise ValueError(f"method must be platt or isotonic, not {method!r}")

    def correct(scores):
        bent = bend(np.asarray(scores, dtype="float64"))
        return pd.Series(bent, index=scores.index, name=scores.name) if isinstance(scores, pd.Series) else bent

    return correct


def lift_table(actual, score, parts=10):
    """Sort customers by score into tenths, the best first, and count where the hits are (提升度).

    Parameters
    ----------
    actual : pandas.Series or array of bool
    score : pandas.Series or array
        Any number; a high one speaks for True.
    parts : int
        How many parts of one size; sizes may differ by one customer.

    Returns
    -------
    pandas.DataFrame
        One row per part: part (1 is the best), customers, hits (a fraction where customers have one score), rate, lift
        (rate / rate of all), contacted (share of the customers up to here), gain (share of all hits up to here,
        累积增益), lift_so_far (gain / contacted).

    Raises
    ------
    ValueError
        The two differ in length, a score is missing, all did the same, or there are more parts than customers.

    References
    ----------
    Linoff, G. and Berry, M. (2011). Data mining techniques, 3rd ed. Wiley.

    Examples
    --------
    >>> lift_table([True, True, False, True, False, False, False, False], range(8, 0, -1), parts=4)
       part  customers  hits  rate      lift  contacted      gain  lift_so_far
    0     1          2   2.0   1.0  2.666667       0.25  0.666667     2.666667
    1     2          2   1.0   0.5  1.333333       0.50  1.000000     2.000000
    2     3          2   0.0   0.0  0.000000       0.75  1.000000     1.333333
    3     4          2   0.0   0.0  0.000000       1.00  1.000000     1.000000
    """
    y, s = checked_scores(actual, score, probability=False)
    if not 1 <= parts <= len(y):
        raise ValueError(f"{len(y)} customers cannot be sorted into {parts} parts")
    hits = ranked_hits(y, s)["hit"].to_numpy()
    part = np.arange(len(hits)) * parts // len(hits)
    table = pd.DataFrame({"part": part + 1, "hit": hits}).groupby("part")["hit"].agg(customers="size", hits="sum")
    table["rate"] = table["hits"] / table["customers"]
    table["lift"] = table["rate"] / y.mean()
    table["contacted"] = table["customers"].cumsum() / len(y)
    table["gain"] = table["hits"].cumsum() / y.sum()
    return table.assign(lift_so_far=table["gain"] / table["contacted"]).reset_index()


def checked_scores(actual, score, probability=True):
    """Return outcomes (0.0, 1.0) and scores as arrays of one length."""
    if isinstance(actual, pd.Series) and isinstance(score, pd.Series) and not actual.index.equals(score.index):
        raise ValueError("actual and score have different indexes: take both from one table, in one order")
    y, s = pd.Series(np.asarray(actual)), np.asarray(score, dtype="float64")
    if len(y) != len(s):
        raise ValueError(f"{len(y)} outcomes and {len(s)} scores: there must be one score for each customer")
    if y.isna().any() or not y.isin([True, False]).all():
        raise ValueError("the outcome must be True or False for each customer")
    if np.isnan(s).any():
        raise ValueError(f"{int(np.isnan(s).sum())} scores are missing: give each customer one")
    if probability and ((s < 0) | (s > 1)).any():
        raise ValueError("a score is not between 0 and 1: take the probability, predict_scores(model, table)")
    y = y.to_numpy(dtype="float64")
    if y.min() == y.max():
        raise ValueError(f"all {len(y)} customers did the same, so that a score cannot be judged")
    return y, s


def _auc(y, s, weight=1.0):
    """Return the chance that one who did has a higher score than one who did not; equal scores count half."""
    rank = np.unique(s, return_inverse=True)[1]
    did, did_not = np.bincount(rank, weight * y), np.bincount(rank, weight * (1 - y))
    return float((did * (did_not.cumsum() - did_not / 2)).sum() / (did.sum() * did_not.sum()))


def ranked_hits(y, s):
    """Return score and hit, the highest score first; customers with one score share their hits."""
    table = pd.DataFrame({"score": s, "hit": y}).sort_values("score", ascending=False, kind="stable", ignore_index=True)
    return table.assign(hit=table.groupby("score")["hit"].transform("mean"))


def draw_weights(size, draws, seed):
    """Return how often each customer is drawn, one row per draw."""
    drawn = np.random.default_rng(seed).integers(size, size=(draws, size))
    return np.array([np.bincount(row, minlength=size) for row in drawn])


def _log_odds(s):
    s = np.clip(s, 1e-6, 1 - 1e-6)
    return np.log(s / (1 - s)).reshape(-1, 1)
