"""Model labels (模型标签): a score that a fitted model gives, here how likely a customer is to buy again (复购)."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cimlab.analysis.columns import after
from cimlab.profiles.labels import _tidy

FEATURES = ["recency", "frequency", "recent_orders", "monetary", "tenure"]


def repurchase_table(lines, at, horizon=90):
    """Say of each customer what was known at a day, and whether he bought within the days after it.

    Parameters
    ----------
    lines : pandas.DataFrame
        As returned by `purchase_lines`.
    at : datetime.date or str
        The day from which one looks back, and ahead. What is known are the purchases up to its end.
    horizon : int
        Days to look ahead.

    Returns
    -------
    pandas.DataFrame
        customer_id; the columns of `FEATURES`: recency (days since the last purchase), frequency (purchases),
        recent_orders (in the last 180 days), monetary (CNY), tenure (days since the first purchase); bought (True if a
        purchase followed; missing where the horizon is not over yet).

    Raises
    ------
    ValueError
        Nobody had bought by that day.

    Examples
    --------
    >>> lines = pd.DataFrame({"customer_id": "K1", "order_id": ["o1", "o2"], "amount": [30.0, 70.0],
    ...                       "ordered_at": pd.to_datetime(["2026-01-01 09:00", "2026-03-01 09:00"])})
    >>> repurchase_table(lines, "2026-01-11", horizon=30)[["customer_id", "recency", "bought"]]
      customer_id  recency  bought
    0          K1       10   False
    """
    day, end = pd.Timestamp(at).normalize(), after(at)
    known = lines[lines["ordered_at"] < end]
    if known.empty:
        raise ValueError(f"nobody had bought by {day.date()}: choose a later day")
    each = known.groupby("customer_id")
    days = known["ordered_at"].dt.normalize().groupby(known["customer_id"])
    recent = known[known["ordered_at"] >= end - pd.Timedelta(days=180)].groupby("customer_id")["order_id"].nunique()
    table = pd.DataFrame(
        {
            "recency": (day - days.max()).dt.days,
            "frequency": each["order_id"].nunique(),
            "recent_orders": recent.reindex(each.size().index).fillna(0),
            "monetary": each["amount"].sum(),
            "tenure": (day - days.min()).dt.days,
        }
    )
    until = end + pd.Timedelta(days=horizon)
    later = lines[(lines["ordered_at"] >= end) & (lines["ordered_at"] < until)]
    bought = pd.Series(table.index.isin(later["customer_id"]), index=table.index)
    table["bought"] = bought if lines["ordered_at"].max() >= until - pd.Timedelta(days=1) else pd.NA
    return table.reset_index()


def repurchase_scores(lines, as_of, horizon=90):
    """Fit on the past, test on the present, score for the future: how likely does each customer buy again?

    A logistic regression learns who bought in the `horizon` days that end `horizon` days ago, is tested on those who
    bought in the last `horizon` days, and scores who will in the next. What is learned from always lies before what is
    predicted (time-based split, 时间切分): no customer's future is known at the time of learning.

    Parameters
    ----------
    lines : pandas.DataFrame
        As returned by `purchase_lines`.
    as_of : datetime.date or str
        The last day that is known.
    horizon : int
        Days to look ahead.

    Returns
    -------
    scores : pandas.DataFrame
        customer_id, the columns of `FEATURES` and score, 0 to 1, at the day `as_of`.
    report : pandas.DataFrame
        One row: trained_at, tested_at, customers (tested), bought (share), predicted (mean score), auc (chance that who
        bought scores above who did not), brier (mean squared error) and brier_base (that of giving all the share of the
        training). A model that does not beat brier_base labels nobody better than one number for all.

    Raises
    ------
    ValueError
        There is too little history, or all customers did the same.

    References
    ----------
    Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly Weather Review 78.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.profiles import purchase_lines
    >>> who = pd.DataFrame({"record_id": pd.concat([cimlab.load("members")["member_id"],
    ...                                             cimlab.load("web_accounts")["account_id"]])})
    >>> lines = purchase_lines(*(cimlab.load(name) for name in ("orders", "order_lines", "products")),
    ...                        who.assign(customer_id=who["record_id"]), "2026-06-30")
    >>> scores, report = repurchase_scores(lines, "2026-06-30")
    >>> bool(report["brier"].item() < report["brier_base"].item())
    True
    """
    tested_at = pd.Timestamp(as_of).normalize() - pd.Timedelta(days=horizon)
    trained_at = tested_at - pd.Timedelta(days=horizon)
    lines = lines[lines["ordered_at"] < after(as_of)]
    if lines.empty or lines["ordered_at"].min() > trained_at - pd.Timedelta(days=horizon):
        raise ValueError(
            f"{horizon} days ahead need purchases from {3 * horizon} days before {pd.Timestamp(as_of).date()} on, to "
            "learn and to test; there are too few: choose a shorter horizon or a later day"
        )
    past, present, today = (repurchase_table(lines, day, horizon) for day in (trained_at, tested_at, as_of))
    if past["bought"].isna().any() or present["bought"].isna().any():
        raise ValueError(f"the purchases end before {pd.Timestamp(as_of).date()}: take the last day that they hold")
    learned, seen = past["bought"].astype("bool"), present["bought"].astype("bool")
    if learned.nunique() < 2 or seen.nunique() < 2:
        raise ValueError("all customers did the same, so that there is nothing to learn: choose another horizon")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(_logs(past), learned)
    predicted = model.predict_proba(_logs(present))[:, 1]
    report = {
        "trained_at": trained_at,
        "tested_at": tested_at,
        "customers": len(present),
        "bought": seen.mean(),
        "predicted": predicted.mean(),
        "auc": roc_auc_score(seen, predicted),
        "brier": brier_score_loss(seen, predicted),
        "brier_base": ((seen - learned.mean()) ** 2).mean(),
    }
    scores = today.drop(columns="bought").assign(score=model.predict_proba(_logs(today))[:, 1].round(6))
    return scores, pd.DataFrame([report])


def model_labels(scores, label, label_zh, as_of, source, least=0.5):
    """Give a label to those whom a model scores high (模型标签); the score is the weight.

    Parameters
    ----------
    scores : pandas.DataFrame
        customer_id and score, 0 to 1.
    label, label_zh : str
    as_of : datetime.date or str
        The day of the scores.
    source : str
        Which model, fitted on what: ``"logistic regression, orders up to 2025-12-31, AUC 0.80"``.
    least : float
        From this score on the label is given.

    Returns
    -------
    pandas.DataFrame
        The columns of `LABEL_COLUMNS`.

    Raises
    ------
    ValueError
        A score is missing or not between 0 and 1, or nobody reaches `least`.

    Examples
    --------
    >>> scores = pd.DataFrame({"customer_id": ["K1", "K2"], "score": [0.8, 0.1]})
    >>> model_labels(scores, "likely to return", "可能复购", "2026-06-30", "logistic regression")["weight"].tolist()
    [0.8]
    """
    if not scores["score"].between(0, 1).all():
        raise ValueError("a score is missing or not between 0 and 1: take the probability, predict_proba(…)[:, 1]")
    if not source.strip():
        raise ValueError("a model label needs its source: which model, fitted on what")
    chosen = scores[scores["score"] >= least]
    if chosen.empty:
        raise ValueError(
            f"nobody reaches a score of {least}; the highest is {scores['score'].max():.2f}: lower `least`"
        )
    day = pd.Timestamp(as_of).normalize()
    told = chosen["score"].map("{:.2f}".format)
    return _tidy(
        chosen.assign(
            label=label,
            label_zh=label_zh,
            kind="model",
            weight=chosen["score"].round(4),
            since=day,
            seen_on=day,
            source=f"model {source}: score " + told + f", at least {least:g}",
        )
    )


def _logs(table):
    return np.log1p(table[FEATURES].to_numpy("float64"))
