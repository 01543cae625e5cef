"""Who will buy again, who will stay away: labels in time, a model, and the search for leaks (行为预测).

A prediction has one day from which it looks both ways, the cutoff. Features come from the days up to it, the target
from the days after it. What breaks this rule is a leak: it makes the test look good, and fails in use.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after, need

FEATURES = ["recency", "frequency", "recent_orders", "monetary", "tenure", "share_web"]
MODEL_METHODS = ("logistic", "boosting")


def label_customers(orders, cutoff, days=90, lookback=365):
    """Say of each customer what was known at a cutoff, and what he did in the window after it.

    Customers are those who bought in the `lookback` days up to the cutoff. All cutoffs look back equally far, so that a
    feature means the same at each of them.

    Parameters
    ----------
    orders : pandas.DataFrame
        customer_id, order_id, channel, ordered_at, amount (CNY); an order without a customer is left out.
    cutoff : datetime.date or str
        The last day that is known.
    days : int
        Length of the window after it, in days.
    lookback : int
        How many days before it count.

    Returns
    -------
    pandas.DataFrame
        One row per customer: customer_id, cutoff, until (last day of the window), the columns of `FEATURES`: recency
        (days since the last purchase), frequency (purchases), recent_orders (in the last 180 days), monetary (CNY),
        tenure (days since the first purchase of the lookback), share_web (of the purchases, 0 to 1); repurchase (a
        purchase in the window) and churn (none). Both are missing where the window is not over yet.

    Raises
    ------
    ValueError
        A column is not there, or nobody bought in the lookback.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "K1", "order_id": ["o1", "o2"], "channel": ["web", "till"],
    ...     "amount": [30.0, 70.0], "ordered_at": pd.to_datetime(["2026-01-01 09:00", "2026-03-01 09:00"])})
    >>> label_customers(orders, "2026-01-11", days=30)[["customer_id", "until", "recency", "repurchase", "churn"]]
      customer_id      until  recency  repurchase  churn
    0          K1 2026-02-10       10       False   True
    """
    from cimlab.profiles import repurchase_table

    columns = ["customer_id", "order_id", "channel", "ordered_at", "amount"]
    rows = need(orders, columns, "orders table").dropna(subset=["customer_id"])
    end, day = after(cutoff), pd.Timestamp(cutoff).normalize()
    rows = rows[rows["ordered_at"] >= end - pd.Timedelta(days=lookback)]
    known = rows[rows["ordered_at"] < end]
    if known.empty:
        raise ValueError(
            f"nobody bought in the {lookback} days up to {day.date()}: choose a cutoff that the data cover"
        )
    table = repurchase_table(rows, day, days).rename(columns={"bought": "repurchase"})
    web = known["channel"].eq("web").groupby(known["customer_id"]).mean()
    table.insert(len(table.columns) - 1, "share_web", table["customer_id"].map(web))
    table.insert(1, "cutoff", day)
    table.insert(2, "until", day + pd.Timedelta(days=days))
    over = table["repurchase"].notna().all()
    return table.assign(churn=~table["repurchase"].astype("bool") if over else pd.NA)


def stack_cutoffs(orders, cutoffs, days=90, lookback=365):
    """Label the customers at several cutoffs, and put the tables below each other.

    Parameters
    ----------
    orders : pandas.DataFrame
        As for `label_customers`.
    cutoffs : list of datetime.date or str
    days, lookback : int
        As for `label_customers`.

    Returns
    -------
    pandas.DataFrame
        The columns of `label_customers`; a customer has one row at each cutoff at which he is one.

    Raises
    ------
    ValueError
        A window is not over at the end of the data, or the lookback of a cutoff begins before the data do.

    Examples
    --------
    >>> import cimlab
    >>> orders = cimlab.load("orders").rename(columns={"customer_ref": "customer_id"})
    >>> stack_cutoffs(orders, ["2025-06-30", "2025-12-31"]).groupby("cutoff")["repurchase"].mean().between(0, 1).all()
    np.True_
    """
    first, last = orders["ordered_at"].min().normalize(), orders["ordered_at"].max().normalize()
    tables = []
    for cutoff in sorted(pd.Timestamp(each).normalize() for each in cutoffs):
        if after(cutoff) - pd.Timedelta(days=lookback) < first:
            raise ValueError(
                f"the {lookback} days up to {cutoff.date()} begin before the data do ({first.date()}): the features of "
                "this cutoff would be smaller than those of the others. Choose a later cutoff or a shorter lookback"
            )
        table = label_customers(orders, cutoff, days, lookback)
        if table["repurchase"].isna().any():
            raise ValueError(
                f"the {days} days after {cutoff.date()} are not over when the data end ({last.date()}): nobody knows "
                "the target yet. Choose an earlier cutoff or a shorter window"
            )
        tables.append(table)
    stacked = pd.concat(tables, ignore_index=True)
    return stacked.astype({"repurchase": "bool", "churn": "bool"})


def split_in_time(table, test_at):
    """Split a stacked table so that all that is learned lies before what is tested (时间切分).

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `stack_cutoffs`: cutoff, until.
    test_at : datetime.date or str
        The cutoff to test on.

    Returns
    -------
    train : pandas.DataFrame
        Rows whose window was over on the day `test_at`. What overlaps it is in neither part.
    test : pandas.DataFrame
        Rows of the cutoff `test_at`.

    Raises
    ------
    ValueError
        There is no such cutoff, or no window was over by then.

    References
    ----------
    Hyndman, R. and Athanasopoulos, G. (2021). Forecasting: principles and practice, 3rd ed., chapter 5.10.

    Examples
    --------
    >>> cutoff = pd.to_datetime(["2025-06-30", "2025-12-31", "2026-03-31"])
    >>> table = pd.DataFrame({"cutoff": cutoff, "until": cutoff + pd.Timedelta(days=90)})
    >>> train, test = split_in_time(table, "2026-03-31")
    >>> len(train), len(test)
    (2, 1)
    """
    day = pd.Timestamp(test_at).normalize()
    need(table, ["cutoff", "until"], "stacked table")
    train, test = table[table["until"] <= day], table[table["cutoff"] == day]
    if test.empty:
        there = ", ".join(str(each.date()) for each in sorted(table["cutoff"].unique()))
        raise ValueError(f"there is no cutoff {day.date()} in the table; there are: {there}")
    if train.empty:
        raise ValueError(f"no window was over on {day.date()}, so that there is nothing to learn: add earlier cutoffs")
    return train, test


def fit_model(table, target, features=FEATURES, method="logistic", weighted=False, seed=1):
    """Learn from a table to tell those who did from those who did not.

    Parameters
    ----------
    table : pandas.DataFrame
        The features, numbers without blanks, 0 or more; the target, True or False.
    target : str
    features : list of str
    method : {"logistic", "boosting"}
        A logistic regression of the scaled logarithms log(1 + x), or boosted trees (gradient boosting on histograms).
    weighted : bool
        Let both classes weigh the same, however rare one is. Scores are then no probabilities any more.
    seed : int

    Returns
    -------
    sklearn.pipeline.Pipeline or sklearn.ensemble.HistGradientBoostingClassifier
        For `predict_scores`. The same table gives the same model, in whatever order its rows stand.

    Raises
    ------
    ValueError
        A column is not there, a feature has blanks or is negative, the target is a feature, or all did the same.

    References
    ----------
    Pedregosa, F. et al. (2011). Scikit-learn: machine learning in Python. JMLR 12. Ke, G. et al. (2017). LightGBM.

    Examples
    --------
    >>> table = pd.DataFrame({"recency": [3, 8, 60, 90, 5, 70], "bought": [True, True, False, False, True, False]})
    >>> model = fit_model(table, "bought", ["recency"])
    >>> predict_scores(model, table).round(1).tolist()
    [0.8, 0.7, 0.3, 0.2, 0.8, 0.2]
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from threadpoolctl import threadpool_limits

    features = list(features)
    if target in features:
        raise ValueError(f"the target {target} is among the features: the model would read the answer off")
    if method not in MODEL_METHODS:
        raise ValueError(f"method must be one of {', '.join(MODEL_METHODS)}, not {method!r}")
    x, y = feature_numbers(table, features), outcomes(table, target)
    order = np.lexsort([y, *x.to_numpy().T])
    x, y = x.iloc[order], y[order]
    weight = "balanced" if weighted else None
    if method == "boosting":
        small = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 8}
        with threadpool_limits(1):  # trees for some thousand rows: one core does not wait for the others
            return HistGradientBoostingClassifier(**small, class_weight=weight, random_state=seed).fit(x, y)
    logs = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
    return make_pipeline(logs, StandardScaler(), LogisticRegression(max_iter=1000, class_weight=weight)).fit(x, y)


def predict_scores(model, table):
    """Return how likely the model thinks it of each row, 0 to 1.

    Parameters
    ----------
    model : as returned by `fit_model`
    table : pandas.DataFrame
        With the features of the model; the target need not be known.

    Returns
    -------
    pandas.Series
        Named score, indexed as the table.

    Raises
    ------
    ValueError
        A feature is not there, has blanks or is negative.

    Examples
    --------
    >>> table = pd.DataFrame({"recency": [3, 90, 5, 70], "bought": [True, False, True, False]})
    >>> bool(predict_scores(fit_model(table, "bought", ["recency"]), table).between(0, 1).all())
    True
    """
    x = feature_numbers(table, list(model.feature_names_in_))
    return pd.Series(model.predict_proba(x)[:, 1], index=table.index, name="score")


def importance_table(model, table, target, repeats=10, seed=1):
    """Shuffle one feature after another, and see how much AUC it costs (置换重要性).

    Parameters
    ----------
    model : as returned by `fit_model`
    table : pandas.DataFrame
        Rows of the test window, with the features of the model.
    target : str
        True or False.
    repeats : int
        How often each feature is shuffled.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row per feature, the greatest first: feature, importance (mean loss of AUC), low, high (mean ± 2 standard
        deviations of the shuffles). Two features that say the same share the importance between them.

    Raises
    ------
    ValueError
        A column is not there, or all did the same.

    References
    ----------
    Breiman, L. (2001). Random forests. Machine Learning 45.

    Examples
    --------
    >>> table = pd.DataFrame({"recency": range(40), "shoe_size": [38, 44] * 20, "bought": [True] * 20 + [False] * 20})
    >>> importance_table(fit_model(table, "bought", ["recency", "shoe_size"]), table, "bought")["feature"].tolist()
    ['recency', 'shoe_size']
    """
    from sklearn.inspection import permutation_importance

    features = list(model.feature_names_in_)
    rows = need(table, [*features, target], "table").sort_values([*features, target])
    y = outcomes(rows, target)
    found = permutation_importance(
        model, rows[features].astype("float64"), y, scoring="roc_auc", n_repeats=repeats, random_state=seed
    )
    mean, spread = found["importances_mean"], 2 * found["importances_std"]
    told = pd.DataFrame({"feature": features, "importance": mean, "low": mean - spread, "high": mean + spread})
    return told.sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def oversample(table, target, seed=1):
    """Repeat rows of the rare class, drawn at random, until both classes are as large (过采样).

    Do this to the training part only, after the split: before it, copies of one row come to stand on both sides.

    Parameters
    ----------
    table : pandas.DataFrame
    target : str
        True or False.
    seed : int

    Returns
    -------
    pandas.DataFrame
        The rows of the table, then the copies; a copy keeps the index of its row.

    Raises
    ------
    ValueError
        The target is not there, or all did the same.

    References
    ----------
    Chawla, N. et al. (2002). SMOTE: synthetic minority over-sampling technique. JAIR 16, which begins with this method.

    Examples
    --------
    >>> table = pd.DataFrame({"bought": [True, False, False, False]})
    >>> oversample(table, "bought")["bought"].value_counts().tolist()
    [3, 3]
    """
    y = outcomes(table, target)
    rare = bool(y.mean() < 0.5)
    few = np.flatnonzero(y == rare)
    drawn = np.random.default_rng(seed).choice(few, size=len(y) - 2 * len(few))
    return pd.concat([table, table.iloc[drawn]])


def feature_numbers(table, features, least=0):
    """Return the features as numbers, or say which of them cannot be used."""
    x = need(table, features, "table")
    for name in features:
        if not pd.api.types.is_numeric_dtype(x[name]):
            raise ValueError(f"the feature {name} holds no numbers: leave it out, or use pandas.get_dummies")
        if x[name].isna().any():
            raise ValueError(f"the feature {name} has {int(x[name].isna().sum())} blanks: fill them, or leave it out")
        if least is not None and x[name].min() < least:
            raise ValueError(f"the feature {name} has values below {least}, of which no logarithm is taken: shift it")
    return x.astype("float64")


def outcomes(table, target):
    """Return the target as an array of True and False, or say why nothing can be learned from it."""
    y = need(table, [target], "table")[target]
    if y.isna().any():
        raise ValueError(f"{target} is missing in {int(y.isna().sum())} rows: the window is not over yet")
    if not y.isin([True, False]).all():
        raise ValueError(f"{target} must be True or False in each row")
    y = y.to_numpy(dtype="bool")
    if y.all() or not y.any():
        raise ValueError(f"{target} is the same for all {len(y)} rows, so that there is nothing to learn")
    return y
