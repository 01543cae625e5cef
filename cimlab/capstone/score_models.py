"""Part B, the model and the paper: what it knew, what it foretold, whether its numbers come out again."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need
from cimlab.capstone.bands import judge
from cimlab.mining import calibration_table, compare_without_future, judge_scores

_NAN = float("nan")
TOO_GOOD = 0.93  # an AUC that behaviour alone does not allow: what drives people, and chance, are not in the data

LEAST_AUC = 0.6  # below it the calibration is worth nothing: one score for all is calibrated, too

# Columns that are known, or written, only after the day on which a model must decide.
FUTURE_COLUMNS = [
    "until", "repurchase", "churn", "lost_on", "future_orders", "future_spend", "orders_after", "spend_after",
    "last_order", "tier", "returned_on", "closed_at",
]  # fmt: skip


def score_leaks(build, orders, train, test, future=FUTURE_COLUMNS):
    """Search a model for what it could not have known (数据泄漏).

    Four searches: the function of the features is run with and without the rows after the cutoff, and the handed-in
    test is held against the run without; a feature is called as a column that knows the future; the model learned
    from a window that was not over; the scores are better than behaviour allows.

    Parameters
    ----------
    build : function
        Takes orders and a cutoff, returns customer_id and the features, one row per customer. Without it (None) nothing
        can be proved, which is a finding.
    orders : pandas.DataFrame
        customer_id, ordered_at and what `build` reads, with the rows after the cutoff.
    train : pandas.DataFrame
        What was learned from: cutoff, until (last day of the window of the target).
    test : pandas.DataFrame
        What was tested on, one cutoff: customer_id, cutoff, the features, score, and actual (bool).
    future : list of str
        Columns that a feature may not be.

    Returns
    -------
    pandas.DataFrame
        One row of the report: the number of findings.

    Raises
    ------
    ValueError
        A column is missing, or the test has several cutoffs.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["K1", "K2", "K1"],
    ...     "ordered_at": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-05-01"])})
    >>> def count(orders, cutoff):
    ...     return orders.groupby("customer_id").size().rename("orders").reset_index()
    >>> train = pd.DataFrame({"cutoff": pd.to_datetime(["2025-12-31"]), "until": pd.to_datetime(["2026-03-31"])})
    >>> test = count(orders, None).assign(cutoff=pd.Timestamp("2026-03-31"), score=0.5, actual=[True, False])
    >>> score_leaks(count, orders, train, test)["sentence"].item()[:49]
    'orders of 50% of the customers changes when the f'
    """
    need(train, ["cutoff", "until"], "training table")
    given = ["customer_id", "cutoff", "score", "actual"]
    features = [name for name in test if name not in need(test, given, "test table")]
    cutoffs = pd.to_datetime(test["cutoff"]).unique()
    if len(cutoffs) != 1:
        raise ValueError(f"the test has {len(cutoffs)} cutoffs: hand in the rows of one day")
    named = [name for name in features if name in set(future)]
    finds = [f"{name} is known only later" for name in named]
    others = [name for name in features if name not in named]
    finds += _built_with_future(build, orders, cutoffs[0], test, others)
    last = pd.to_datetime(train["until"]).max()
    if last > cutoffs[0]:
        finds.append(f"the model learned from days up to {last.date()}, after the cutoff {cutoffs[0].date()}")
    if test["actual"].nunique() == 2 and test["score"].notna().all():
        auc = _auc(test["actual"], test["score"])
        if auc > TOO_GOOD:
            finds.append(f"an AUC of {auc:.2f} is better than behaviour allows")
    says = "; ".join(finds[:3]) + (" …" if len(finds) > 3 else "") + "." if finds else "Nothing knows the future."
    return judge("no leak", len(finds), says)


def _built_with_future(build, orders, cutoff, test, features):
    if build is None:
        return ["the function that builds the features was not handed in"]
    compared = compare_without_future(build, orders, cutoff).set_index("feature")
    leaking = compared[(compared["verdict"] == "leak") & compared.index.isin(features)]
    end = "of the customers changes when the future is taken away"
    finds = [f"{name} of {row['share']:.0%} {end}" for name, row in leaking.iterrows()]
    past = orders[orders["ordered_at"] < pd.Timestamp(cutoff).normalize() + pd.Timedelta(days=1)]
    again = build(past, cutoff).set_index("customer_id")
    mine = test.drop_duplicates("customer_id").set_index("customer_id")
    both = mine.index.intersection(again.index)
    for name in features:
        if name in leaking.index:
            continue
        if name not in again or not len(both):
            finds.append(f"{name} does not come from the function that was handed in")
        else:
            a, b = (pd.to_numeric(table.loc[both, name], errors="coerce") for table in (mine, again))
            off = float((~np.isclose(a, b, equal_nan=True)).mean())
            if off > 0.01:
                finds.append(f"{name} of {off:.0%} of the customers in the test is not what the function makes")
    return finds


def score_holdout(test, actual, stated_auc, leaks=0, groups=5):
    """Judge a model on the days after its cutoff: does it rank, and are its scores the shares that came?

    Parameters
    ----------
    test : pandas.DataFrame
        customer_id, score (0 to 1), as handed in.
    actual : pandas.Series of bool
        What each customer of the test truly did, by customer_id: all who had to have a score.
    stated_auc : float
        The AUC that the student states. If it is off by more than 0.01, half of the points at most.
    leaks : int
        Findings of `score_leaks`: with any of them, a good test says nothing, and is worth 0.
    groups : int
        Groups of scores for the calibration.

    Returns
    -------
    pandas.DataFrame
        Two rows of the report: hold-out (AUC) and calibration (worth 0 with an AUC below 0.6).

    Examples
    --------
    >>> actual = pd.Series([True, True, False, False] * 10, index=[f"K{n}" for n in range(40)])
    >>> test = pd.DataFrame({"customer_id": actual.index, "score": [0.9, 0.4, 0.5, 0.2] * 10})
    >>> score_holdout(test, actual, stated_auc=0.75, groups=2)[["value", "points"]].round(2).values.tolist()
    [[0.75, 6.0], [0.2, 0.0]]
    """
    mine = need(test, ["customer_id", "score"], "test table").drop_duplicates("customer_id").set_index("customer_id")
    score = mine["score"].astype("float64").reindex(actual.index)
    gone = int(score.isna().sum())
    if gone > 0.1 * len(actual) or actual.nunique() < 2:
        says = f"{gone} of {len(actual)} customers have no score."
        return pd.concat([judge(name, _NAN, says) for name in ("hold-out", "calibration")], ignore_index=True)
    score = score.fillna(score.mean())
    auc = _auc(actual, score)
    honest = abs(auc - stated_auc) <= 0.01
    at_most = 0 if leaks else (None if honest else 3)
    says = f"Measured again, the AUC is {auc:.3f}" + ("." if honest else f", not {stated_auc:.3f} as stated.")
    says += " A model that knows the future is not judged by a test." if leaks else ""
    advice = "Mend the leak first, then test again." if leaks else None
    if not honest and not leaks:
        advice = "State what the test gave, on all customers of it, once."
    rows = [judge("hold-out", auc, says, advice, at_most)]
    if score.min() < 0 or score.max() > 1:
        rows.append(judge("calibration", _NAN, "The scores are no probabilities: they leave 0 to 1."))
        return pd.concat(rows, ignore_index=True)
    table = calibration_table(actual, score, bins=groups)
    gap = float((table["gap"].abs() * table["customers"]).sum() / table["customers"].sum())
    judged = judge_scores(actual, score)
    says = f"Promised were {judged['predicted']:.0%} on average, {judged['rate']:.0%} came; over {len(table)} groups "
    says += f"promise and share differ by {gap:.3f}."
    blind = auc < LEAST_AUC
    says += " But scores that do not rank are no promise of anybody." if blind else ""
    advice = "Mend the leak first." if leaks else ("A better model first." if blind else None)
    rows.append(judge("calibration", gap, says, advice, 0 if leaks or blind else None))
    return pd.concat(rows, ignore_index=True)


def score_numbers(stated, computed):
    """Judge the numbers of a paper by computing them again.

    Parameters
    ----------
    stated : pandas.DataFrame
        name, value: as the paper states them.
    computed : pandas.DataFrame
        name, value, tolerance (in the unit of the value; rounding must have room).

    Returns
    -------
    pandas.DataFrame
        One row of the report: the share of the numbers of `computed` that the paper states rightly. One that is not
        stated, or that stands there with two values, is wrong.

    Examples
    --------
    >>> computed = pd.DataFrame({"name": ["customers", "churn"], "value": [3091, 0.4312], "tolerance": [0, 0.005]})
    >>> stated = pd.DataFrame({"name": ["customers", "churn"], "value": [3100, 0.43]})
    >>> score_numbers(stated, computed)["value"].item()
    0.5
    """
    want = need(computed, ["name", "value", "tolerance"], "table of computed numbers").set_index("name")
    mine = need(stated, ["name", "value"], "table of stated numbers").drop_duplicates()
    mine = mine.drop_duplicates("name", keep=False).set_index("name")["value"]
    mine = pd.to_numeric(mine, errors="coerce").reindex(want.index)
    right = (mine - want["value"]).abs() <= want["tolerance"] + 1e-9
    told = [f"{name}: {mine[name]:g} stated, {want.loc[name, 'value']:g} computed" for name in want.index[~right]]
    told = [text.replace("nan stated", "not stated") for text in told]
    says = f"{int(right.sum())} of {len(right)} numbers come out the same."
    says += f" Not so: {'; '.join(told[:3])}." if told else ""
    return judge("numbers of the paper", float(right.mean()) if len(right) else _NAN, says)


def _auc(actual, score):
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.asarray(actual, dtype="bool"), np.asarray(score, dtype="float64")))
