"""Chapter 11, baskets: tables, rules and lifts, by hand, beside other programs, and on the baskets of a real grocer."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from efficient_apriori import apriori
from mlxtend.frequent_patterns import apriori as mlxtend_apriori
from mlxtend.frequent_patterns import association_rules
from statsmodels.stats.multitest import multipletests

from cimlab import load
from cimlab.mining import basket_table, count_pairs, mine_rules, pair_lifts, sift_rules
from cimlab.mining.baskets import deal_pairs, size_classes
from cimlab.retailer.facts_baskets import basket_pairs
from tests.outside import complete_journey
from tests.outside_shops import PAIRS

MEASURES = ["support", "confidence", "lift", "n"]


def random_baskets(seed, baskets=600, items=12, sizes=(1, 2, 3, 5, 8)):
    """Baskets of very different sizes, in which no item cares for another one."""
    draw = np.random.default_rng(seed)
    weight = np.linspace(1, 5, items) / np.linspace(1, 5, items).sum()
    table = np.zeros((baskets, items), dtype=bool)
    for row, size in enumerate(draw.choice(sizes, baskets)):
        table[row, draw.choice(items, size, replace=False, p=weight)] = True
    return pd.DataFrame(table, columns=[f"item {number:02d}" for number in range(items)])


@pytest.fixture(scope="module")
def table():
    return random_baskets(1)


@pytest.fixture(scope="module")
def ours():
    return load("order_lines").merge(load("products")[["product_id", "name"]], on="product_id")


# ---- the basket table ------------------------------------------------------------------------------------------------


def test_basket_table_says_once_what_was_bought():
    lines = pd.DataFrame({"order_id": ["o2", "o1", "o1", "o1"], "name": ["b", "b", "a", "b"], "quantity": [3, 1, 1, 2]})
    table = basket_table(lines)
    assert table.index.tolist() == ["o1", "o2"] and table.columns.tolist() == ["a", "b"]
    assert table.to_numpy().tolist() == [[True, True], [False, True]]
    assert set(table.dtypes) == {np.dtype(bool)}
    pd.testing.assert_frame_equal(table, basket_table(lines.sample(frac=1, random_state=1)))


def test_basket_table_of_the_retailer_has_a_row_per_order(ours):
    table = basket_table(ours)
    assert len(table) == load("orders")["order_id"].nunique()
    assert table.to_numpy().sum() == len(ours[["order_id", "name"]].drop_duplicates())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (pd.DataFrame({"order": ["o1"], "name": ["a"]}), "no column order_id; it has: order, name"),
        (pd.DataFrame({"order_id": [], "name": []}), "no rows"),
        (pd.DataFrame({"order_id": ["o1", "o2"], "name": ["a", None]}), "1 lines have no order_id or no name.* row 1"),
    ],
)
def test_basket_table_refuses_in_plain_words(lines, words):
    with pytest.raises(ValueError, match=words):
        basket_table(lines)


def test_pairs_are_counted_as_by_hand(table):
    counts = count_pairs(table)
    for one, other in itertools.combinations_with_replacement(table.columns, 2):
        assert counts.loc[one, other] == counts.loc[other, one] == (table[one] & table[other]).sum()


@pytest.mark.parametrize("function", [count_pairs, mine_rules, pair_lifts])
def test_only_bought_or_not_is_a_basket_table(function, table):
    with pytest.raises(ValueError, match="holds 2 in the column item 03"):
        function(table.astype(int).assign(**{"item 03": 2}))
    with pytest.raises(ValueError, match="basket table"):
        function(table.iloc[:0])
    with pytest.raises(ValueError, match="two columns item 00"):
        function(pd.concat([table, table[["item 00"]]], axis=1))


# ---- rules -----------------------------------------------------------------------------------------------------------


def test_rules_are_those_of_mlxtend_with_one_consequent(table):
    usual = association_rules(mlxtend_apriori(table, 0.03, use_colnames=True, max_len=3), min_threshold=0.3)
    usual = usual[usual["consequents"].map(len) == 1]
    usual["consequent"] = usual["consequents"].map(lambda items: next(iter(items)))
    usual["antecedent"] = usual["antecedents"].map(lambda items: " + ".join(sorted(items)))
    usual = usual.set_index(["antecedent", "consequent"]).sort_index()
    found = mine_rules(table, 0.03, 0.3, most_items=3).set_index(["antecedent", "consequent"]).sort_index()
    assert found.index.tolist() == usual.index.tolist() and len(found) > 50
    for measure in ["support", "confidence", "lift", "leverage"]:
        assert np.allclose(found[measure], usual[measure], rtol=1e-12), measure
    assert (found["n"] == (usual["support"] * len(table)).round()).all()


def test_a_rule_at_the_very_threshold_is_found():
    together = [True] * 7 + [False] * 93
    table = pd.DataFrame({"a": together, "b": together})
    assert 0.07 * 100 > 7  # 7.000000000000001 in floats
    assert len(mine_rules(table, support=0.07, confidence=1.0)) == 2
    assert mine_rules(table, support=0.071).empty


def test_rules_have_their_order_whatever_that_of_the_baskets(table):
    rules = mine_rules(table, 0.02)
    assert rules["lift"].is_monotonic_decreasing
    shuffled = table.sample(frac=1, random_state=3)[list(table.columns[::-1])]
    pd.testing.assert_frame_equal(rules, mine_rules(shuffled, 0.02))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"support": 0}, "above 0"),
        ({"support": 5}, "shares"),
        ({"confidence": 50}, "shares"),
        ({"most_items": 1}, "at least two"),
    ],
)
def test_rules_refuse_in_plain_words(settings, words, table):
    with pytest.raises(ValueError, match=words):
        mine_rules(table, **settings)


def test_an_article_whose_name_would_join_is_refused(table):
    with pytest.raises(ValueError, match="rename it"):
        mine_rules(table.rename(columns={"item 00": "soap + water"}))


# ---- lifts that allow for the size of the basket ---------------------------------------------------------------------


def test_size_alone_gives_a_lift_but_no_adjusted_lift(table):
    """Large baskets beside small ones: the usual lift sees ties everywhere, the adjusted one sees none."""
    pairs = pair_lifts(random_baskets(2, baskets=8_000, sizes=(1, 1, 1, 2, 9)))
    assert (pairs["lift"] > 1.2).all()
    assert pairs["adjusted_lift"].between(0.85, 1.15).all()
    assert (pairs["q_value"] < 0.05).mean() < 0.05


def test_expected_pairs_are_as_many_as_there_are(table):
    pairs = pair_lifts(table)
    assert pairs["expected"].sum() == pytest.approx(pairs["observed"].sum(), rel=1e-9)
    assert len(pairs) == 12 * 11 / 2 and (pairs["first"] < pairs["second"]).all()


def test_expected_pairs_are_those_of_shuffled_baskets(table):
    """The null model by brute force: baskets of one size swap articles; sizes and numbers of articles stay."""
    draw, held, size = np.random.default_rng(5), table.to_numpy().copy(), table.sum(axis=1).to_numpy()
    total, rounds = np.zeros((12, 12)), 80
    for _ in range(rounds):
        for one in draw.permutation(len(held)):
            other = draw.choice(np.flatnonzero(size == size[one]))
            apart = np.flatnonzero(held[one] != held[other])
            mine = draw.permutation(apart)[: len(apart) // 2]
            held[one, apart], held[other, apart] = False, True
            held[one, mine], held[other, mine] = True, False
        total += held.T.astype(float) @ held
    assert (held.sum(axis=1) == size).all() and (held.sum(axis=0) == table.sum(axis=0)).all()
    pairs = pair_lifts(table, least_baskets=60)
    shuffled = (total / rounds)[np.triu_indices(12, 1)]
    apart = np.abs(pairs["expected"] / shuffled - 1)
    assert apart.mean() < 0.015 and apart.max() < 0.08


def test_measures_of_a_pair_are_those_by_hand(table):
    row = pair_lifts(table).set_index(["first", "second"]).loc[("item 02", "item 09")]
    one, other = table["item 02"], table["item 09"]
    assert row["observed"] == (one & other).sum()
    assert row["lift"] == pytest.approx((one & other).mean() / (one.mean() * other.mean()))
    assert row["adjusted_lift"] == pytest.approx(row["observed"] / row["expected"])
    fewer = sum(
        math.exp(-row["expected"]) * row["expected"] ** k / math.factorial(k) for k in range(int(row["observed"]))
    )
    assert row["p_value"] == pytest.approx(1 - fewer)


def test_q_values_are_those_of_statsmodels(table):
    pairs = pair_lifts(table)
    assert np.allclose(pairs["q_value"], multipletests(pairs["p_value"], method="fdr_bh")[1])


def test_adjusted_lift_is_that_by_which_the_retailer_was_tuned(ours):
    """The plain code here and the quick one there are one measure."""
    theirs, pairs = basket_pairs(ours, "name"), pair_lifts(basket_table(ours))
    assert (
        pairs[["first", "second", "observed"]].to_numpy().tolist()
        == theirs[["first", "second", "observed"]].to_numpy().tolist()
    )
    assert np.allclose(pairs["expected"], theirs["expected"], rtol=1e-9)


def test_classes_of_sizes_are_filled():
    size = pd.Series([1] * 5 + [2] * 10 + [3] * 3 + [4] * 4 + [9])
    assert size_classes(size, 5).groupby(size).first().to_dict() == {1: 0, 2: 1, 3: 2, 4: 2, 9: 2}
    assert size_classes(size, 1_000).max() == 1


def test_alike_baskets_deal_out_all_pairs():
    assert deal_pairs(np.array([1.0, 1.0, 0.0]), 7).tolist() == [[0, 7, 0], [7, 0, 0], [0, 0, 0]]


def test_no_pairs_is_said():
    with pytest.raises(ValueError, match="no basket holds two articles"):
        pair_lifts(pd.DataFrame({"a": [True, False], "b": [False, True]}))


# ---- sifting ---------------------------------------------------------------------------------------------------------


def test_each_verdict():
    rules = pd.DataFrame(
        [
            ["a", "b", 0.5, 3.0],
            ["b", "a", 0.4, 3.0],
            ["a", "c", 0.5, 1.2],
            ["a", "d", 0.5, 2.5],
            ["e", "a", 0.5, 4.0],
        ],
        columns=["antecedent", "consequent", "confidence", "lift"],
    )
    pairs = pd.DataFrame(
        [["a", "b", 2.0, 0.0], ["a", "c", 1.1, 0.0], ["a", "d", 1.1, 0.0], ["a", "e", 3.0, 0.3]],
        columns=["first", "second", "adjusted_lift", "q_value"],
    )
    assert sift_rules(rules, pairs)["verdict"].tolist() == ["keep", "mirror", "weak", "basket size", "chance"]
    assert sift_rules(rules, pairs, least_lift=1.0, most_q=0.5)["verdict"].tolist() == [
        "keep",
        "mirror",
        "keep",
        "keep",
        "keep",
    ]


def test_sifting_refuses_what_it_cannot_judge(table):
    pairs = pair_lifts(table)
    with pytest.raises(ValueError, match="several antecedents"):
        sift_rules(mine_rules(table, 0.01, most_items=3), pairs)
    with pytest.raises(ValueError, match="does not stand in the table of pairs"):
        sift_rules(mine_rules(table, 0.01), pairs.iloc[1:])


def test_what_was_planted_is_kept(ours):
    """The eight companions of the catalogue are found, each once."""
    table = basket_table(ours)
    sifted = sift_rules(mine_rules(table, 0.001), pair_lifts(table))
    kept = sifted[sifted["verdict"] == "keep"]
    found = {frozenset(pair) for pair in zip(kept["antecedent"], kept["consequent"], strict=True)}
    assert {frozenset(["Cat food", "Cat litter"]), frozenset(["Spaghetti", "Tomato pasta sauce"])} <= found
    assert len(found) == len(kept) < 0.1 * len(sifted)


# ---- a real grocer ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def journey():
    """Baskets of a third of the households of the Complete Journey, in the 148 groups of goods bought most often."""
    products = complete_journey("products").set_index("product_id")["product_category"]
    sales = complete_journey("transactions")[["basket_id", "product_id", "household_id"]]
    sales = sales[sales["household_id"] % 3 == 0]
    lines = sales.assign(order_id=sales["basket_id"], name=sales["product_id"].map(products)).dropna(subset="name")
    return lines[lines["name"].isin(lines["name"].value_counts().index[:148])]


@pytest.mark.outside
def test_rules_are_those_of_another_program(journey):
    """Same set, same support, confidence and lift as efficient-apriori on 5,000 baskets."""
    table = basket_table(journey[journey["order_id"].isin(sorted(journey["order_id"].unique())[:5_000])])
    ours = mine_rules(table, support=0.02, confidence=0.4, most_items=3)
    held = [tuple(table.columns[row]) for row in table.to_numpy()]
    theirs = apriori(held, min_support=0.02, min_confidence=0.4, max_length=3)[1]
    theirs = {
        (" + ".join(sorted(rule.lhs)), rule.rhs[0]): (rule.support, rule.confidence, rule.lift)
        for rule in theirs
        if len(rule.rhs) == 1
    }
    found = ours.set_index(["antecedent", "consequent"])[["support", "confidence", "lift"]]
    assert len(found) > 200 and set(found.index) == set(theirs)
    expected = pd.DataFrame.from_dict(theirs, orient="index", columns=found.columns).loc[list(found.index)]
    assert np.allclose(found, expected.to_numpy(), rtol=1e-12)


@pytest.mark.outside
def test_size_explains_nearly_all_lifts_of_a_grocer_but_not_the_known_pairs(journey):
    pairs = pair_lifts(basket_table(journey))
    assert (pairs["lift"] > 1).mean() > 0.9
    assert pairs["lift"].median() > 2 and 0.9 < pairs["adjusted_lift"].median() < 1.1
    lifts = pairs.set_index(["first", "second"])["adjusted_lift"]
    assert min(lifts[tuple(sorted(pair))] for pair in PAIRS) > 2.5
