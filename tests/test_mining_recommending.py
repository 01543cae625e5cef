"""Chapter 11, recommending: scores, lists and their judge, by hand, beside other programs, and at a real grocer."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from cimlab.mining import (
    again_scores,
    compare_hits,
    explain_recommendations,
    factor_scores,
    group_scores,
    hide_one,
    judge_recommendations,
    popular_scores,
    purchase_matrix,
    recommend,
    recommendation_hits,
    similar_items,
    similar_scores,
    split_purchases,
)
from tests.outside import complete_journey

LINES = pd.DataFrame(
    [
        ["K1", "o1", "Rice"],
        ["K1", "o1", "Rice"],
        ["K1", "o2", "Rice"],
        ["K2", "o3", "Lager"],
        ["K2", "o3", "Peanuts"],
        [None, "o4", "Rice"],
    ],
    columns=["customer_id", "order_id", "name"],
)


def tastes(seed=1, customers=60):
    """Two tastes, six articles each; a customer buys of his own."""
    draw = np.random.default_rng(seed)
    mine = np.repeat([[1.0] * 6 + [0.05] * 6, [0.05] * 6 + [1.0] * 6], customers // 2, axis=0)
    names = {"index": [f"K{n:02d}" for n in range(customers)], "columns": [f"a{n:02d}" for n in range(12)]}
    return pd.DataFrame(draw.poisson(mine), **names)


@pytest.fixture(scope="module")
def matrix():
    return tastes()


# ---- the tables ------------------------------------------------------------------------------------------------------


def test_matrix_counts_orders_and_leaves_out_nobody():
    matrix = purchase_matrix(LINES)
    assert matrix.loc["K1"].to_dict() == {"Lager": 0, "Peanuts": 0, "Rice": 2}
    assert matrix.index.tolist() == ["K1", "K2"]
    pd.testing.assert_frame_equal(matrix, purchase_matrix(LINES.iloc[::-1]))
    assert purchase_matrix(LINES, items=["Rice", "Lager", "Peanuts", "Salt"]).columns.tolist() == [
        "Lager",
        "Peanuts",
        "Rice",
        "Salt",
    ]
    assert purchase_matrix(LINES, customer="order_id").index.tolist() == ["o1", "o2", "o3", "o4"]


def test_matrix_refuses_in_plain_words():
    with pytest.raises(ValueError, match="no column shop"):
        purchase_matrix(LINES, customer="shop")
    with pytest.raises(ValueError, match="nothing was bought"):
        purchase_matrix(LINES[LINES["customer_id"].isna()])
    with pytest.raises(ValueError, match=r"2 articles .* first is Lager"):
        purchase_matrix(LINES, items=["Rice"])


def test_split_keeps_the_whole_day_in_the_past():
    lines = pd.DataFrame({"ordered_at": pd.to_datetime(["2025-12-31 23:59", "2026-01-01 00:00", "2026-02-01 12:00"])})
    past, later = split_purchases(lines, "2025-12-31")
    assert (len(past), len(later)) == (1, 2)
    with pytest.raises(ValueError, match="one side of 2024-01-01; they run from 2025-12-31"):
        split_purchases(lines, "2024-01-01")


@pytest.mark.parametrize("score", [popular_scores, again_scores, similar_items, factor_scores, recommend, hide_one])
def test_what_is_no_matrix_is_refused(score, matrix):
    with pytest.raises(ValueError, match="a row per customer"):
        score(matrix.iloc[:0])
    with pytest.raises(ValueError, match="two rows"):
        score(pd.concat([matrix, matrix.iloc[:1]]))
    with pytest.raises(ValueError, match="customer K00 and article a03 is missing"):
        score(matrix.astype("float64").mask((matrix.index.to_numpy() == "K00")[:, None] & (matrix.columns == "a03")))


# ---- scores ----------------------------------------------------------------------------------------------------------


def test_popular_is_the_share_of_customers_not_of_packs(matrix):
    scores = popular_scores(matrix * 7)
    assert np.allclose(scores, (matrix > 0).mean())
    assert scores.shape == matrix.shape


def test_popular_in_a_segment(matrix):
    segment = pd.Series("left", index=matrix.index[:20])
    scores = popular_scores(matrix, segment, prior=0)
    assert np.allclose(scores.loc["K05"], (matrix.iloc[:20] > 0).mean())
    assert np.allclose(scores.loc["K50"], (matrix > 0).mean())
    drawn = popular_scores(matrix, segment, prior=1e9)
    assert np.allclose(drawn.loc["K05"], (matrix > 0).mean(), atol=1e-6)


def test_popular_may_be_counted_elsewhere(matrix):
    season = tastes(seed=3, customers=20)[list(matrix.columns[::-1])]
    scores = popular_scores(matrix, counted=season)
    assert scores.shape == matrix.shape and np.allclose(scores, (season > 0).mean()[matrix.columns])
    segment = pd.Series("left", index=["K00", "K01", "K59"])
    scores = popular_scores(matrix, segment, prior=0, counted=season)
    assert np.allclose(scores.loc["K59"], (season.loc[["K00", "K01"]] > 0).mean()[matrix.columns])
    assert np.allclose(scores.loc["K30"], (season > 0).mean()[matrix.columns])
    with pytest.raises(ValueError, match="`counted` have different articles"):
        popular_scores(matrix, counted=season.iloc[:, 1:])


def test_group_scores_are_two_counts(matrix):
    groups = pd.Series(["left"] * 6 + ["right"] * 6, index=matrix.columns)
    scores = group_scores(matrix, groups, prior=5)
    assert np.allclose(scores.sum(axis=1), 1)
    mine, total = matrix.loc["K03"], matrix.to_numpy().sum()
    share = (mine[:6].sum() + 5 * matrix.iloc[:, :6].to_numpy().sum() / total) / (mine.sum() + 5)
    buyers = (matrix > 0).sum()
    assert scores.loc["K03", "a02"] == pytest.approx(share * buyers["a02"] / buyers[:6].sum())
    with pytest.raises(ValueError, match="a00 has no group"):
        group_scores(matrix, groups.iloc[1:])


def test_again_ranks_by_own_orders_then_by_all(matrix):
    scores = again_scores(matrix)
    for customer in matrix.index[:5]:
        order = scores.loc[customer].sort_values(ascending=False).index
        assert matrix.loc[customer, order].is_monotonic_decreasing
        never = [item for item in order if matrix.loc[customer, item] == 0]
        assert (matrix > 0).sum()[never].is_monotonic_decreasing


def test_similar_items_are_those_of_scikit_learn(matrix):
    usual = cosine_similarity((matrix > 0).T.astype("float64"))
    np.fill_diagonal(usual, 0)
    assert np.allclose(similar_items(matrix), usual)
    unsold = similar_items(matrix.assign(new=0))
    assert unsold["new"].eq(0).all()


def test_similar_scores_add_up(matrix):
    similar = similar_items(matrix)
    scores = similar_scores(matrix, similar.sample(frac=1, random_state=1))
    bought = matrix.columns[matrix.loc["K07"] > 0]
    assert scores.loc["K07", "a11"] == pytest.approx(similar.loc[bought, "a11"].sum())
    with pytest.raises(ValueError, match="different articles"):
        similar_scores(matrix, similar.drop(columns="a00"))


def test_factors_find_the_two_tastes(matrix):
    scores = factor_scores(matrix, factors=2)
    left = scores.iloc[:30]
    assert (left.iloc[:, :6].min(axis=1) > left.iloc[:, 6:].max(axis=1)).mean() > 0.9


def test_factors_are_the_same_whatever_the_order(matrix):
    first = factor_scores(matrix, factors=3)
    shuffled = matrix.sample(frac=1, random_state=2)[list(matrix.columns[::-1])]
    pd.testing.assert_frame_equal(first, factor_scores(shuffled, factors=3).loc[first.index, first.columns])
    assert not np.allclose(first, factor_scores(matrix, factors=3, seed=2), atol=1e-4)


def test_the_first_factors_of_a_process_warn_of_nothing():
    """implicit warns once in a process, of the threads of a library that it brings along itself."""
    code = (
        "import pandas as pd; from cimlab.mining import factor_scores\n"
        "print(factor_scores(pd.DataFrame({'a': [1, 0, 1], 'b': [0, 2, 1], 'c': [1, 1, 1]}), factors=1).shape)"
    )
    threads = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=threads)
    assert (done.stdout, done.stderr) == ("(3, 3)\n", "")


@pytest.mark.parametrize("factors", [0, 12])
def test_factors_must_fit(factors, matrix):
    with pytest.raises(ValueError, match=f"factors={factors}"):
        factor_scores(matrix, factors=factors)


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_lists_are_the_best_scores_and_ties_follow_the_alphabet():
    scores = pd.DataFrame([[1, 3, 3, 0], [0, 0, 0, 0]], index=["K2", "K1"], columns=["d", "c", "b", "a"])
    lists = recommend(scores, k=2)
    assert lists["customer_id"].tolist() == ["K1", "K1", "K2", "K2"] and lists["rank"].tolist() == [1, 2, 1, 2]
    assert lists["item"].tolist() == ["a", "b", "b", "c"]


def test_known_articles_are_left_off_even_if_few_are_left(matrix):
    scores = popular_scores(matrix)
    lists = recommend(scores, k=12, known=matrix)
    assert all(matrix.loc[row.customer_id, row.item] == 0 for row in lists.itertuples())
    assert len(lists) == (matrix == 0).to_numpy().sum()
    with pytest.raises(ValueError, match="`known` lacks"):
        recommend(scores, known=matrix.iloc[1:])


@pytest.mark.parametrize("k", [0, 13])
def test_a_list_has_a_length(k, matrix):
    with pytest.raises(ValueError, match="between 1 and 12"):
        recommend(matrix, k=k)


# ---- the judge -------------------------------------------------------------------------------------------------------

LISTS = pd.DataFrame({"customer_id": ["K1", "K1", "K2", "K2", "K3", "K3"], "item": ["a", "b", "a", "b", "a", "c"]})
PAST = pd.DataFrame({"a": [1, 0, 1, 1], "b": [0, 0, 1, 0], "c": [0, 0, 0, 1]}, index=["K1", "K2", "K3", "K4"])
LATER = pd.DataFrame({"a": [1, 0, 0], "b": [2, 0, 1], "c": [0, 1, 0]}, index=["K1", "K2", "K4"])


def test_hits_are_counted_for_those_who_bought():
    hits = recommendation_hits(LISTS, LATER)
    assert hits.index.tolist() == ["K1", "K2"]  # K3 bought nothing, K4 has no list
    assert hits.to_numpy().tolist() == [[2, 2, 2], [2, 1, 0]]
    new = recommendation_hits(LISTS, LATER, PAST)
    assert new.loc["K1"].to_dict() == {"shown": 2, "wanted": 1, "hits": 1}


def test_judge_is_as_by_hand():
    judged = judge_recommendations(LISTS, LATER, PAST)
    assert judged["customers"] == 2 and judged["hit_rate"] == 0.5
    assert judged["precision"] == pytest.approx((1 + 0) / 2) and judged["recall"] == pytest.approx((1 + 0) / 2)
    assert judged["coverage"] == pytest.approx(2 / 3)
    assert judged["novelty"] == pytest.approx(-np.log2([3 / 4, 1 / 4]).mean())
    assert judged["hit_low"] < 0.5 < judged["hit_high"]
    new = judge_recommendations(LISTS, LATER, PAST, new_only=True)
    assert new["precision"] == pytest.approx(0.25) and new["recall"] == pytest.approx(0.5)


def test_an_article_unknown_later_is_no_hit():
    lists = pd.DataFrame({"customer_id": ["K1", "K1"], "item": ["z", "a"]})
    assert recommendation_hits(lists, LATER)["hits"].tolist() == [1]


def test_judge_refuses_in_plain_words():
    with pytest.raises(ValueError, match="no customer with a list bought anything"):
        recommendation_hits(LISTS[LISTS["customer_id"] == "K3"], LATER)
    with pytest.raises(ValueError, match="stands twice"):
        recommendation_hits(pd.concat([LISTS, LISTS.iloc[:1]]), LATER)
    with pytest.raises(ValueError, match="not in `past`"):
        recommendation_hits(LISTS, LATER, PAST.drop(index="K2"))


def test_perfect_lists_hit_all_and_no_others_beat_them(matrix):
    later = tastes(seed=2)
    best = judge_recommendations(recommend(later, k=5), later, matrix)
    assert best["hit_rate"] == 1
    for scores in (popular_scores(matrix), again_scores(matrix), factor_scores(matrix, factors=2)):
        assert judge_recommendations(recommend(scores, k=5), later, matrix)["precision"] < best["precision"]


def test_tastes_beat_what_is_popular_where_there_are_tastes(matrix):
    later, lists = tastes(seed=2), {}
    lists["tastes"], lists["popular"] = (
        recommend(factor_scores(matrix, factors=2), 3),
        recommend(popular_scores(matrix), 3),
    )
    hits = {name: recommendation_hits(table, later) for name, table in lists.items()}
    assert hits["tastes"]["hits"].sum() > 1.3 * hits["popular"]["hits"].sum()
    compared = compare_hits(hits["tastes"], hits["popular"])
    assert compared["low"] < compared["difference"] < compared["high"]
    rates = [(table["hits"] > 0).mean() for table in hits.values()]
    assert compared["difference"] == pytest.approx(rates[0] - rates[1])
    with pytest.raises(ValueError, match="different customers"):
        compare_hits(hits["tastes"], hits["popular"].iloc[1:])


def test_interval_of_a_comparison_is_that_of_paired_differences():
    draw = np.random.default_rng(3)
    one, other = (pd.DataFrame({"hits": draw.integers(0, 2, 400)}) for _ in range(2))
    compared = compare_hits(one, other.sample(frac=1, random_state=1))
    step = one["hits"] - other["hits"]
    assert compared["high"] - compared["difference"] == pytest.approx(1.96 * step.std() / 20)


# ---- the basket in hand, and words -----------------------------------------------------------------------------------


def test_one_article_is_hidden(matrix):
    shown, hidden = hide_one(matrix > 0)
    assert (hidden.sum(axis=1) == 1).all() and not (shown & hidden).any(axis=None)
    assert (shown | hidden).equals((matrix > 0).loc[shown.index])
    again = hide_one((matrix > 0).sample(frac=1, random_state=4))[1]
    pd.testing.assert_frame_equal(hidden, again)
    assert not hidden.equals(hide_one(matrix > 0, seed=2)[1])
    with pytest.raises(ValueError, match="no basket has two articles"):
        hide_one(pd.DataFrame({"a": [True], "b": [False]}))


def test_the_reason_is_that_of_the_way():
    similar = pd.DataFrame([[0, 0.2, 0.7], [0.2, 0, 0], [0.7, 0, 0]], index=list("abc"), columns=list("abc"))
    groups = pd.Series({"a": "drinks", "b": "snacks", "c": "drinks"})
    matrix = pd.DataFrame([[0, 1, 3], [0, 0, 0]], index=["K1", "K2"], columns=list("abc"))
    lists = recommend(popular_scores(matrix), k=3)
    told = explain_recommendations(lists, "K1", matrix, similar).set_index("item")["because"]
    assert told["a"] == "you bought c (in 3 orders)" and told["b"] == "many customers buy it"
    told = explain_recommendations(lists, "K1", matrix, groups=groups).set_index("item")["because"]
    assert told["a"] == "75% of what you buy: drinks"
    for way in ({"similar": similar}, {"groups": groups}):
        told = explain_recommendations(lists, "K2", matrix, **way)
        assert told["because"].tolist() == ["many customers buy it"] * 3 and told["rank"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="K9 has no list"):
        explain_recommendations(lists, "K9", matrix, similar)
    with pytest.raises(ValueError, match="the real one"):
        explain_recommendations(lists, "K1", matrix, similar, groups)


# ---- a real grocer ---------------------------------------------------------------------------------------------------


@pytest.mark.outside
def test_at_a_real_grocer_buy_again_is_the_one_to_beat():
    """Complete Journey, groups of goods: people buy what they bought, and hidden tastes do not beat that."""
    products = complete_journey("products").set_index("product_id")["product_category"]
    sales = complete_journey("transactions").rename(columns={"household_id": "customer_id", "basket_id": "order_id"})
    sales = sales[sales["customer_id"] % 4 == 0].rename(columns={"transaction_timestamp": "ordered_at"})
    sales = sales.assign(name=sales["product_id"].map(products)).dropna(subset="name")
    past, later = split_purchases(sales, "2017-11-30")
    items = sorted(sales["name"].unique())
    past, later = purchase_matrix(past, items=items), purchase_matrix(later, items=items)
    ways = {"popular": popular_scores(past), "again": again_scores(past), "factors": factor_scores(past, factors=16)}
    judged = {way: judge_recommendations(recommend(scores, 10), later, past) for way, scores in ways.items()}
    judged = pd.DataFrame(judged).T
    assert judged.loc["again", "precision"] > 1.1 * judged.loc["popular", "precision"]
    assert judged.loc["again", "precision"] > judged.loc["factors", "precision"]
    assert (judged["customers"] > 300).all()
