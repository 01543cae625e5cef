"""Who buys, and who buys *because of* the message: response models (响应模型) and uplift models (增量模型)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

RESPONSE_FEATURES = ["seen", "recency", "frequency", "basket", "messages", "opened_before", "clicked_before"]


def known_before(table, purchases, messages):
    """Add to each row what was known of the customer when the campaign began, and nothing that came later.

    Parameters
    ----------
    table : pandas.DataFrame
        customer_id, starts_on: whom one asks about, on which day.
    purchases : pandas.DataFrame
        One row a purchase: customer_id, ordered_at, amount (CNY).
    messages : pandas.DataFrame
        One row a customer and campaign: customer_id, starts_on, treated, opened, clicked.

    Returns
    -------
    pandas.DataFrame
        The table and the columns of `RESPONSE_FEATURES`: seen (True: bought before), recency (days since the last
        purchase), frequency (purchases), basket (mean, CNY), messages (earlier ones), opened_before, clicked_before
        (how many of them). recency and basket are missing for who was not seen.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["K1", "K2"], "starts_on": pd.to_datetime("2026-05-20")})
    >>> purchases = pd.DataFrame({"customer_id": ["K1", "K1"], "amount": [60.0, 500.0],
    ...                           "ordered_at": pd.to_datetime(["2026-05-10 18:00", "2026-05-20 09:00"])})
    >>> none = pd.DataFrame(columns=["customer_id", "starts_on", "treated", "opened", "clicked"])
    >>> known_before(table, purchases, none)[["customer_id", "seen", "recency", "frequency", "basket"]]
      customer_id   seen  recency  frequency  basket
    0          K1   True     10.0          1    60.0
    1          K2  False      NaN          0     NaN
    """
    need(table, ["customer_id", "starts_on"])
    bought = need(purchases, ["customer_id", "ordered_at", "amount"], "table of purchases")
    sent = need(messages, ["customer_id", "starts_on", "treated", "opened", "clicked"], "table of messages")
    sent = sent[sent["treated"].astype("bool")].astype({"opened": "int64", "clicked": "int64"})
    parts = []
    for day, rows in table.groupby("starts_on"):
        past = bought[bought["ordered_at"] < day].groupby("customer_id")
        earlier = sent[pd.to_datetime(sent["starts_on"]) < day].groupby("customer_id")
        facts = {
            "recency": (day - past["ordered_at"].max().dt.normalize()).dt.days,
            "frequency": past.size(),
            "basket": past["amount"].mean(),
            "messages": earlier.size(),
            "opened_before": earlier["opened"].sum(),
            "clicked_before": earlier["clicked"].sum(),
        }
        parts.append(pd.DataFrame({name: rows["customer_id"].map(fact) for name, fact in facts.items()}))
    known = pd.concat(parts).reindex(table.index).astype("float64")
    counts = ["frequency", "messages", "opened_before", "clicked_before"]
    known[counts] = known[counts].fillna(0).astype("int64")
    known.insert(0, "seen", known["frequency"] > 0)
    return table.drop(columns=RESPONSE_FEATURES, errors="ignore").join(known)


def response_scores(train, test, features=None, outcome="bought"):
    """Fit a response model (响应模型): how likely does each customer buy if he or she gets the message?

    A logistic regression on the treated alone. It cannot tell who buys because of the message from who buys anyway (a
    sure thing), since it never sees what the holdout does.

    Parameters
    ----------
    train, test : pandas.DataFrame
        The features; `train` also treated (bool) and the outcome. Judge on a later campaign: `test` after `train`.
    features : list of str, optional
        Columns of numbers, known before; `RESPONSE_FEATURES` when left out. A blank gets the median.
    outcome : str

    Returns
    -------
    pandas.Series
        For each row of `test` a chance, 0 to 1.

    Raises
    ------
    ValueError
        A column is missing, or all of the treated did the same.

    Examples
    --------
    >>> past, later = simulate_audience(seed=1), simulate_audience(seed=2)
    >>> scores = response_scores(past, later, ["frequency", "coupon_use", "complaints"])
    >>> scores.groupby(later["kind"]).mean().idxmax()
    'sure thing'
    """
    features, treated, _ = _prepare(train, test, features, outcome)
    return _chance(_fit(treated, features, outcome, "the treated"), test, features)


def uplift_scores(train, test, features=None, method="two models", outcome="bought"):
    """Fit an uplift model (增量模型): how much does the message change the chance that each customer buys?

    Parameters
    ----------
    train, test : pandas.DataFrame
        The features; `train` also treated (bool) and the outcome, of campaigns with a holdout left out at random.
    features : list of str, optional
        Columns of numbers, known before; `RESPONSE_FEATURES` when left out. A blank gets the median.
    method : str
        "two models" (T-learner): one model for the treated, one for the holdout; the uplift is their difference.
        "class transformation": one model of "treated and bought, or left out and not", each arm weighted to the same
        total; twice its chance less 1 is the uplift.
    outcome : str

    Returns
    -------
    pandas.Series
        For each row of `test` the uplift, -1 to 1. Below 0: a sleeping dog, better let lie.

    Raises
    ------
    ValueError
        A column is missing, the method is unknown, or all people of an arm did the same.

    References
    ----------
    Radcliffe, N. J., Surry, P. D. (2011). Real-world uplift modelling with significance-based uplift trees. Jaskowski,
    M., Jaroszewicz, S. (2012). Uplift modeling for clinical trial data. Künzel, S. et al. (2019). Metalearners for
    estimating heterogeneous treatment effects using machine learning. PNAS 116(10).

    Examples
    --------
    >>> past, later = simulate_audience(seed=1), simulate_audience(seed=2)
    >>> scores = uplift_scores(past, later, ["frequency", "coupon_use", "complaints"])
    >>> scores.groupby(later["kind"]).mean().idxmax()
    'persuadable'
    """
    features, treated, holdout = _prepare(train, test, features, outcome)
    if method == "two models":
        with_message = _fit(treated, features, outcome, "the treated")
        without = _fit(holdout, features, outcome, "the holdout")
        return _chance(with_message, test, features) - _chance(without, test, features)
    if method == "class transformation":
        both = train.assign(same=train["treated"] == train[outcome])
        weight = np.where(train["treated"], 0.5 / len(treated), 0.5 / len(holdout)) * len(train)
        return 2 * _chance(_fit(both, features, "same", "both arms", weight), test, features) - 1
    raise ValueError(f"no method {method!r}; there are: two models, class transformation")


def simulate_audience(people=20000, holdout=0.5, seed=20260630):
    """Make an audience whose right answer is known, to try the methods on.

    Four kinds (四类客户): sure things (必买客户) buy often, with or without a message; persuadables (可说服客户) hunt
    coupons, and the message brings them; lost causes (无望客户) hardly buy; sleeping dogs (勿扰客户) complain, and the
    message drives them away.

    Parameters
    ----------
    people : int
    holdout : float
        Part that is left out at random.
    seed : int

    Returns
    -------
    pandas.DataFrame
        customer_id, kind, frequency (purchases a year), coupon_use (share of the purchases), complaints (number),
        effect (the true uplift), treated, bought.

    Examples
    --------
    >>> simulate_audience().groupby("kind")["effect"].first().to_dict()
    {'lost cause': 0.0, 'persuadable': 0.2, 'sleeping dog': -0.1, 'sure thing': 0.0}
    """
    # kind: part of the audience, purchases a year, share of coupons, complaints, buys anyway, effect of the message
    kinds = pd.DataFrame(
        {
            "sure thing": [0.25, 18, 0.15, 0.2, 0.35, 0.0],
            "persuadable": [0.25, 6, 0.6, 0.2, 0.05, 0.2],
            "lost cause": [0.35, 2, 0.2, 0.2, 0.02, 0.0],
            "sleeping dog": [0.15, 7, 0.15, 2.0, 0.15, -0.1],
        },
        index=["part", "frequency", "coupon_use", "complaints", "base", "effect"],
    ).T
    random = np.random.default_rng(seed)
    kind = random.choice(kinds.index, size=people, p=kinds["part"])
    mine = kinds.loc[kind].reset_index(drop=True)
    treated = random.random(people) >= holdout
    return pd.DataFrame(
        {
            "customer_id": [f"S{number:06d}" for number in range(people)],
            "kind": kind,
            "frequency": random.poisson(mine["frequency"]),
            "coupon_use": random.beta(6 * mine["coupon_use"], 6 * (1 - mine["coupon_use"])),
            "complaints": random.poisson(mine["complaints"]),
            "effect": mine["effect"],
            "treated": treated,
            "bought": random.random(people) < mine["base"] + mine["effect"] * treated,
        }
    )


def _prepare(train, test, features, outcome):
    """Return the names of the features, the treated and the holdout of the training rows."""
    features = RESPONSE_FEATURES if features is None else list(features)
    need(train, [*features, "treated", outcome], "training table")
    need(test, features, "table to score")
    return features, train[train["treated"]], train[~train["treated"]]


def _fit(rows, features, target, what, weight=None):
    """Fit a logistic regression; the inverse hyperbolic sine shortens long tails as a logarithm does, and takes 0."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    if rows[target].nunique() < 2:
        raise ValueError(f"all of {what} did the same ({len(rows)} rows), so that there is nothing to learn")
    tidy = SimpleImputer(strategy="median", keep_empty_features=True)
    model = make_pipeline(
        tidy, FunctionTransformer(np.arcsinh), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)
    )
    numbers, order = rows[features].to_numpy("float64"), np.lexsort(rows[[*features, target]].to_numpy("float64").T)
    weight = None if weight is None else np.asarray(weight)[order]
    return model.fit(numbers[order], rows[target].to_numpy()[order], logisticregression__sample_weight=weight)


def _chance(model, table, features):
    return pd.Series(model.predict_proba(table[features].to_numpy("float64"))[:, 1].round(9), index=table.index)
