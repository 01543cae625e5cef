"""Lists of articles for customers: made of scores, told with their reason, held against what was bought later."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after, need
from cimlab.mining.recommending import need_matrix


def split_purchases(lines, at):
    """Part the purchases in time: what is known at the end of a day, and what comes later (time-based split, 时间切分).

    Parameters
    ----------
    lines : pandas.DataFrame
        With ordered_at.
    at : datetime.date or str
        The last day that is known.

    Returns
    -------
    past, later : pandas.DataFrame

    Raises
    ------
    ValueError
        One of the two would be empty.

    Examples
    --------
    >>> lines = pd.DataFrame({"ordered_at": pd.to_datetime(["2025-12-31 18:00", "2026-01-01 00:00"])})
    >>> [len(part) for part in split_purchases(lines, "2025-12-31")]
    [1, 1]
    """
    when = need(lines, ["ordered_at"], "table of lines")["ordered_at"]
    past, later = lines[when < after(at)], lines[when >= after(at)]
    if past.empty or later.empty:
        raise ValueError(
            f"all purchases lie on one side of {pd.Timestamp(at).date()}; they run from {when.min()} to {when.max()}: "
            "choose a day between"
        )
    return past, later


def recommend(scores, k=5, known=None):
    """Make of the scores a list of the best `k` articles for each customer.

    Parameters
    ----------
    scores : pandas.DataFrame
        Customers × articles.
    k : int
        Articles on a list.
    known : pandas.DataFrame, optional
        Customers × articles, above 0 where it was bought: such articles are left off the lists. If not given, they may
        stand on them: food and soap are bought again, a rice cooker is not.

    Returns
    -------
    pandas.DataFrame
        One row per customer and place on the list: customer_id, rank (from 1), item, score. Of equal scores, the first
        in the alphabet comes first.

    Raises
    ------
    ValueError
        A score is missing, `k` is not between 1 and the number of articles, or a customer or article of `scores` is not
        in `known`.

    Examples
    --------
    >>> scores = pd.DataFrame({"Lager": [0.2], "Peanuts": [0.9], "Rice": [0.2]}, index=["K1"])
    >>> recommend(scores, k=2)
      customer_id  rank     item  score
    0          K1     1  Peanuts    0.9
    1          K1     2    Lager    0.2
    >>> recommend(scores, k=2, known=scores > 0.5)["item"].tolist()
    ['Lager', 'Rice']
    """
    ordered = need_matrix(scores).sort_index(axis=0).sort_index(axis=1)
    if not 1 <= k <= ordered.shape[1]:
        raise ValueError(f"k={k}: a list has between 1 and {ordered.shape[1]} articles")
    values = ordered.to_numpy("float64", copy=True)
    if known is not None:
        if not (ordered.index.isin(known.index).all() and ordered.columns.isin(known.columns).all()):
            raise ValueError("`known` lacks a customer or an article of `scores`: make both from one matrix")
        values[known.loc[ordered.index, ordered.columns].to_numpy("float64") > 0] = -np.inf
    best = np.argsort(-values, axis=1, kind="stable")[:, :k]
    table = pd.DataFrame(
        {
            "customer_id": np.repeat(ordered.index.to_numpy(), k),
            "rank": np.tile(np.arange(1, k + 1), len(ordered)),
            "item": ordered.columns.to_numpy()[best.ravel()],
            "score": np.take_along_axis(values, best, axis=1).ravel(),
        }
    )
    return table[table["score"] > -np.inf].reset_index(drop=True)


def explain_recommendations(recommended, customer, matrix, similar=None, groups=None):
    """Say in words why a customer gets this list (解释), by the way in which the list was made.

    Parameters
    ----------
    recommended : pandas.DataFrame
        As returned by `recommend`: customer_id, rank, item.
    customer : str
        The customer_id.
    matrix : pandas.DataFrame
        Customers × articles: how often each was bought.
    similar : pandas.DataFrame, optional
        Articles × articles, for a list made with `similar_scores`: the purchase that counts most is named.
    groups : pandas.Series, optional
        The group of each article, for a list made with `group_scores`: the customer's share of that group is named.

    Returns
    -------
    pandas.DataFrame
        One row per place on the list: rank, item, because (a sentence).

    Raises
    ------
    ValueError
        The customer has no list, or not exactly one of `similar` and `groups` is given.

    Examples
    --------
    >>> lists = pd.DataFrame({"customer_id": ["K1"], "rank": [1], "item": ["Peanuts"]})
    >>> similar = pd.DataFrame({"Lager": [0.0, 0.8], "Peanuts": [0.8, 0.0]}, index=["Lager", "Peanuts"])
    >>> matrix = pd.DataFrame({"Lager": [2], "Peanuts": [0]}, index=["K1"])
    >>> explain_recommendations(lists, "K1", matrix, similar)["because"].item()
    'you bought Lager (in 2 orders)'
    """
    mine = need(recommended, ["customer_id", "rank", "item"], "table of recommendations")
    mine = mine[mine["customer_id"] == customer].sort_values("rank", ignore_index=True)
    if mine.empty:
        raise ValueError(
            f"the customer {customer} has no list: make one, recommend(scores), with the row of that customer"
        )
    if (similar is None) == (groups is None):
        raise ValueError(
            "give `similar` or `groups`, the one that the list was made with: a reason must be the real one"
        )
    bought = matrix.loc[customer] if customer in matrix.index else pd.Series(0, index=matrix.columns)
    bought = bought[bought > 0]
    told = _group_reason if similar is None else _similar_reason
    known = groups if similar is None else similar
    return mine.assign(because=[told(item, bought, known) for item in mine["item"]])[["rank", "item", "because"]]


def _similar_reason(item, bought, similar):
    """Return the purchase that speaks most for this article."""
    near = similar[item].reindex(bought.index).fillna(0).sort_index()
    if near.empty or near.max() <= 0:
        return "many customers buy it"
    orders = bought[near.idxmax()]
    return f"you bought {near.idxmax()} (in {orders} order{'s' if orders != 1 else ''})"


def _group_reason(item, bought, groups):
    """Return how much of the purchases falls into the group of this article."""
    mine = bought[groups.reindex(bought.index) == groups[item]].sum()
    if mine == 0:
        return "many customers buy it"
    return f"{mine / bought.sum():.0%} of what you buy: {groups[item]}"


def hide_one(table, seed=1):
    """Take one article out of each basket with two or more, to see who guesses it.

    Parameters
    ----------
    table : pandas.DataFrame
        Baskets × articles, as returned by `basket_table`.
    seed : int
        Which one is left to chance; the same seed takes the same, whatever the order of the rows.

    Returns
    -------
    shown, hidden : pandas.DataFrame
        Of bool, baskets × articles: what is left, and the one article that was taken out.

    Raises
    ------
    ValueError
        No basket has two articles.

    Examples
    --------
    >>> shown, hidden = hide_one(pd.DataFrame({"Lager": [True, True], "Peanuts": [True, False]}, index=["o1", "o2"]))
    >>> shown.index.tolist(), int(hidden.sum().sum())
    (['o1'], 1)
    """
    held = (need_matrix(table) > 0).sort_index(axis=0).sort_index(axis=1)
    held = held[held.sum(axis=1) > 1]
    if held.empty:
        raise ValueError("no basket has two articles: none can be hidden so that another is left")
    draw = np.random.default_rng(seed).random(held.shape)
    chosen = np.where(held.to_numpy(), draw, -1).argmax(axis=1)
    hidden = pd.DataFrame(np.arange(held.shape[1]) == chosen[:, None], index=held.index, columns=held.columns)
    return held & ~hidden, hidden


def recommendation_hits(recommended, later, past=None):
    """Count for each customer how many of the recommended articles were bought later.

    Parameters
    ----------
    recommended : pandas.DataFrame
        As returned by `recommend`: customer_id, item.
    later : pandas.DataFrame
        Customers × articles of the later period, as returned by `purchase_matrix`.
    past : pandas.DataFrame, optional
        Customers × articles of the time before. If given, only *new* articles count: later purchases of what the
        customer had bought before are left out.

    Returns
    -------
    pandas.DataFrame
        The index is customer_id; shown (articles on the list), wanted (articles bought later), hits (articles that are
        both). Customers who bought nothing that counts are left out: they say nothing about the list.

    Raises
    ------
    ValueError
        None of the customers with a list bought anything later, or one of them is not in `past`.

    Examples
    --------
    >>> lists = pd.DataFrame({"customer_id": ["K1", "K1", "K2"], "item": ["Rice", "Lager", "Rice"]})
    >>> later = pd.DataFrame({"Lager": [1, 0], "Rice": [1, 0]}, index=["K1", "K2"])
    >>> recommendation_hits(lists, later).loc["K1"].to_dict()
    {'shown': 2, 'wanted': 2, 'hits': 2}
    """
    lists = need(recommended, ["customer_id", "item"], "table of recommendations")
    if lists.duplicated().any():
        raise ValueError("an article stands twice on one list, and would count twice: drop_duplicates() first")
    wanted = need_matrix(later).loc[lambda table: table.index.isin(lists["customer_id"])] > 0
    if past is not None:
        if not wanted.index.isin(past.index).all():
            raise ValueError("a customer with a list is not in `past`, so that nobody knows what is new to him")
        wanted &= ~(past.reindex(index=wanted.index, columns=wanted.columns, fill_value=0) > 0)
    wanted = wanted[wanted.any(axis=1)]
    if wanted.empty:
        raise ValueError("no customer with a list bought anything that counts later: are the customers the same?")
    lists = lists[lists["customer_id"].isin(wanted.index)]
    places = wanted.index.get_indexer(lists["customer_id"]), wanted.columns.get_indexer(lists["item"])
    hit = pd.Series(wanted.to_numpy()[places] & (places[1] >= 0), index=lists.index)
    each = hit.astype("int64").groupby(lists["customer_id"])
    counts = {"shown": each.size(), "wanted": wanted.sum(axis=1), "hits": each.sum()}
    return pd.DataFrame(counts).rename_axis("customer_id").sort_index()


def judge_recommendations(recommended, later, past, new_only=False):
    """Judge lists by what was bought later, in the measures of the field.

    Parameters
    ----------
    recommended : pandas.DataFrame
        As returned by `recommend`: customer_id, item.
    later, past : pandas.DataFrame
        Customers × articles of the two periods, as returned by `purchase_matrix`.
    new_only : bool
        Only articles count that the customer had not bought before; make the lists with ``known=past`` then.

    Returns
    -------
    pandas.Series
        customers (judged: with a list, and with a purchase that counts), hit_rate (share with a hit, 命中率), hit_low
        and hit_high (95 % interval after Wilson), precision (hits / shown, 查准率), recall (hits / wanted, 查全率;
        both the mean over customers), coverage (share of the articles that stand on any of these lists, 覆盖率),
        novelty (新颖度, mean −log₂ of the share of customers who bought a shown article before, bits: 1 is bought by
        half of them, each point more by half as many).

    Raises
    ------
    ValueError
        As `recommendation_hits`.

    References
    ----------
    Herlocker, J., Konstan, J., Terveen, L., Riedl, J. (2004). Evaluating collaborative filtering recommender systems.
    ACM Transactions on Information Systems 22(1). Zhou, T. et al. (2010). Solving the apparent diversity-accuracy
    dilemma of recommender systems. PNAS 107(10).

    Examples
    --------
    >>> lists = pd.DataFrame({"customer_id": ["K1", "K1", "K2", "K2"], "item": ["Rice", "Lager"] * 2})
    >>> past = pd.DataFrame({"Lager": [1, 0], "Rice": [1, 1]}, index=["K1", "K2"])
    >>> judge_recommendations(lists, pd.DataFrame({"Lager": [1, 0], "Rice": [1, 1]}, index=past.index), past).round(2)
    customers    2.00
    hit_rate     1.00
    hit_low      0.34
    hit_high     1.00
    precision    0.75
    recall       1.00
    coverage     1.00
    novelty      0.50
    dtype: float64
    """
    from statsmodels.stats.proportion import proportion_confint

    hits = recommendation_hits(recommended, later, past if new_only else None)
    reached = int((hits["hits"] > 0).sum())
    low, high = proportion_confint(reached, len(hits), method="wilson")
    shown = recommended.loc[recommended["customer_id"].isin(hits.index), "item"]
    buyers = (past > 0).sum().reindex(shown.unique(), fill_value=0).clip(lower=1)
    return pd.Series(
        {
            "customers": float(len(hits)),
            "hit_rate": reached / len(hits),
            "hit_low": low,
            "hit_high": high,
            "precision": (hits["hits"] / hits["shown"]).mean(),
            "recall": (hits["hits"] / hits["wanted"]).mean(),
            "coverage": shown.nunique() / later.shape[1],
            "novelty": -np.log2(shown.map(buyers) / len(past)).mean(),
        }
    )


def compare_hits(one, other):
    """Say by how much the hit rate of one method is above that of another, on the same customers.

    The customers are the same, so the difference is measured for each and then averaged: this is far surer than two
    intervals laid side by side.

    Parameters
    ----------
    one, other : pandas.DataFrame
        As returned by `recommendation_hits`.

    Returns
    -------
    pandas.Series
        customers, difference (of the hit rates), low and high (95 % interval). If 0 lies between them, no method is
        shown to be better.

    Raises
    ------
    ValueError
        The customers of the two are not the same.

    Examples
    --------
    >>> one = pd.DataFrame({"hits": [2, 1, 0, 1]}, index=["K1", "K2", "K3", "K4"])
    >>> compare_hits(one, one.assign(hits=[1, 0, 0, 1])).round(2).to_dict()
    {'customers': 4.0, 'difference': 0.25, 'low': -0.24, 'high': 0.74}
    """
    if set(one.index) != set(other.index):
        raise ValueError("the two methods were judged on different customers: take the same lists and period")
    step = (one["hits"] > 0).astype("float64") - (other["hits"] > 0).astype("float64").reindex(one.index)
    half, mean = 1.96 * step.std(ddof=1) / np.sqrt(len(step)), step.mean()
    return pd.Series({"customers": float(len(step)), "difference": mean, "low": mean - half, "high": mean + half})
