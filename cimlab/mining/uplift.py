"""Judge an uplift model (增量模型) on a later campaign: the curve, the Qini coefficient, how sure they are."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def uplift_curve(table, score, outcome="bought"):
    """Draw the judge of an uplift model: what is gained if the best by score get the message (增量曲线、Qini 曲线).

    Parameters
    ----------
    table : pandas.DataFrame
        treated (bool), the outcome (True or False) and the score, of a campaign that the score has not seen.
    score, outcome : str

    Returns
    -------
    pandas.DataFrame
        From nobody to everybody, the highest score first; equal scores enter together: share (of the audience),
        treated, holdout (persons so far), gain (extra buyers for each person of the whole audience: buyers among the
        treated so far, less those of the holdout blown up to their number, by all treated), random (the straight line
        to the same end). A start without both arms cannot be measured and is left out.

    Raises
    ------
    ValueError
        A column is missing, a score is blank, or there is only one arm.

    References
    ----------
    Radcliffe, N. J. (2007). Using control groups to target on predicted lift: building and assessing uplift models.
    Direct Marketing Analytics Journal 1.

    Examples
    --------
    >>> table = pd.DataFrame({"score": [4, 3, 2, 1], "treated": [True, False, True, False],
    ...                       "bought": [True, False, False, False]})
    >>> uplift_curve(table, "score")
       share  treated  holdout  gain  random
    0   0.00        0        0   0.0   0.000
    1   0.50        1        1   0.5   0.250
    2   0.75        2        1   0.5   0.375
    3   1.00        2        2   0.5   0.500
    """
    sold, treated, (values,) = _columns(table, [score], outcome)
    share, many, few, gain = _curve(sold, treated, values)
    curve = pd.DataFrame({"share": share, "treated": many, "holdout": few, "gain": gain})
    return curve.assign(random=curve["gain"].iloc[-1] * curve["share"])


def qini_coefficient(curve):
    """Measure how much better than chance a score ranks: the area between its curve and the straight line (Qini 系数).

    Parameters
    ----------
    curve : pandas.DataFrame
        As returned by `uplift_curve`.

    Returns
    -------
    float
        Extra buyers for each person of the audience, on the mean of all depths; 0 is what chance gives, below 0 worse.
        It is not divided by the best possible area, which nobody knows.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> qini_coefficient(pd.DataFrame({"share": [0, 0.5, 1], "gain": [0, 0.5, 0.5], "random": [0, 0.25, 0.5]}))
    0.125
    """
    need(curve, ["share", "gain", "random"], "curve")
    return float(np.trapezoid(curve["gain"] - curve["random"], curve["share"]))


def curve_band(table, score, outcome="bought", runs=500, seed=20260630, level=0.95):
    """Say how far chance moves an uplift curve: draw the customers again and again (自助法).

    Parameters
    ----------
    table, score, outcome
        As for `uplift_curve`.
    runs : int
        Draws, with replacement, within each arm.
    seed : int
    level : float
        Of the band.

    Returns
    -------
    pandas.DataFrame
        Indexed by share (0, 0.05, … 1): gain, low, high, random.

    Raises
    ------
    ValueError
        As for `uplift_curve`.

    Examples
    --------
    >>> table = pd.DataFrame({"score": [4, 3, 2, 1], "treated": [True, False, True, False],
    ...                       "bought": [True, False, False, False]})
    >>> curve_band(table, "score", runs=50).loc[[0.5, 1.0], ["gain", "random"]]
           gain  random
    share
    0.5     0.5    0.25
    1.0     0.5    0.50
    """
    at = np.round(np.linspace(0, 1, 21), 2)
    columns = _columns(table, [score], outcome)
    drawn = [np.interp(at, *_curve(*part[:2], part[2][0])[::3]) for part in _redraw(columns, runs, seed)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    gain = np.interp(at, *_curve(*columns[:2], columns[2][0])[::3])
    band = pd.DataFrame({"gain": gain, "low": low, "high": high, "random": gain[-1] * at})
    return band.set_axis(pd.Index(at, name="share"))


def judge_uplift(table, scores, outcome="bought", runs=500, seed=20260630, level=0.95):
    """Compare scores by their Qini coefficients, with intervals from the bootstrap (自助法).

    Parameters
    ----------
    table : pandas.DataFrame
        treated (bool), the outcome (True or False) and the scores, of a campaign that no score has seen.
    scores : list of str
        Columns. All are judged on the same draws, so that their differences may be read.
    outcome : str
    runs : int
        Draws, with replacement, within each arm.
    seed : int
    level : float
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        One row a score, then one for each later score less the first ("uplift - response"): qini (see
        `qini_coefficient`), low, high, above_0 (share of the draws above 0). If 0 lies within the interval, this
        campaign cannot tell the score from chance, or the two scores from each other.

    Raises
    ------
    ValueError
        As for `uplift_curve`.

    Examples
    --------
    >>> from cimlab.mining import response_scores, simulate_audience, uplift_scores
    >>> past, later = simulate_audience(seed=1), simulate_audience(4000, seed=2)
    >>> known = ["frequency", "coupon_use", "complaints"]
    >>> later["response"] = response_scores(past, later, known)
    >>> later["uplift"] = uplift_scores(past, later, known)
    >>> judged = judge_uplift(later, ["response", "uplift"], runs=100)
    >>> bool(judged.loc["uplift - response", "low"] > 0)
    True
    """
    columns = _columns(table, scores, outcome)
    found = np.array(_qinis(*columns))
    drawn = np.array([_qinis(*part) for part in _redraw(columns, runs, seed)])
    names = [*scores, *(f"{score} - {scores[0]}" for score in scores[1:])]
    found, drawn = (np.hstack([part, part[..., 1:] - part[..., :1]]) for part in (found, drawn))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    judged = {"qini": found, "low": low, "high": high, "above_0": (drawn > 0).mean(axis=0)}
    return pd.DataFrame(judged, index=pd.Index(names, name="score"))


def _columns(table, scores, outcome):
    """Return outcome, arm and scores as arrays, sorted so that the order of the rows does not matter."""
    rows = need(table, ["treated", outcome, *scores])
    if rows.isna().any(axis=None):
        raise ValueError("a score, an arm or an outcome is blank: leave that customer out")
    if not rows["treated"].nunique() == 2:
        raise ValueError("there is only one arm: a curve needs treated customers and a holdout")
    rows = rows.sort_values(list(rows.columns))
    return rows[outcome].to_numpy("float64"), rows["treated"].to_numpy("bool"), rows[list(scores)].to_numpy("float64").T


def _curve(sold, treated, score):
    """Return share, treated, holdout and gain, each from nobody to everybody."""
    order = np.argsort(-score, kind="stable")
    sold, treated, score = sold[order], treated[order], score[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    many, few = treated.cumsum()[last], (~treated).cumsum()[last]
    buyers, anyway = (sold * treated).cumsum()[last], (sold * ~treated).cumsum()[last]
    both = (many > 0) & (few > 0)
    many, few, buyers, anyway, last = (part[both] for part in (many, few, buyers, anyway, last))
    gain = (buyers - anyway * many / few) / many[-1]
    return [np.insert(part, 0, 0) for part in ((last + 1) / len(sold), many, few, gain)]


def _qinis(sold, treated, scores):
    """Return the Qini coefficient of each score."""
    found = []
    for score in scores:
        share, _, _, gain = _curve(sold, treated, score)
        found.append(np.trapezoid(gain - gain[-1] * share, share))
    return found


def _redraw(columns, runs, seed):
    """Yield the columns for customers drawn again, within each arm."""
    sold, treated, scores = columns
    random = np.random.default_rng(seed)
    arms = np.flatnonzero(treated), np.flatnonzero(~treated)
    for _ in range(runs):
        rows = np.concatenate([random.choice(arm, size=len(arm)) for arm in arms])
        yield sold[rows], treated[rows], scores[:, rows]
