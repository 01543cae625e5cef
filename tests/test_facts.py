"""The statistics of the facts: worked out by hand on tiny tables, and red on data that are no retailer's.

The last part measures the data of others again: what `facts.yaml` says of them must come out.
"""

import numpy as np
import pandas as pd
import pytest

from cimlab.retailer import facts, facts_baskets, facts_measure
from cimlab.retailer.facts_measure import listed_facts, measure
from tests.outside_shops import cdnow_tables, complete_journey_tables

FACTS = listed_facts()


def random_numbers():
    return np.random.default_rng(7)


def orders_of(times, customers, amounts=1.0):
    """Purchases at days after 2026-01-01."""
    when = pd.Timestamp("2026-01-01") + pd.to_timedelta(times, unit="D")
    return pd.DataFrame({"customer": customers, "ordered_at": when, "amount": amounts})


@pytest.fixture(scope="module")
def equal_buyers():
    """5,000 customers who all buy at one rate, day and night: what a generator without behaviour makes."""
    random = random_numbers()
    count = 30_000
    orders = orders_of(random.uniform(0, 728, count), random.integers(0, 5_000, count), random.normal(100, 20, count))
    return orders.assign(lines=random.poisson(4, count) + 1)


@pytest.fixture(scope="module")
def various_buyers():
    """The same number of customers with gamma rates of shape 0.5, who leave for good with a chance of 10 %."""
    random = random_numbers()
    rates = random.gamma(0.5, 12 / 730, 5_000)
    days, customers = [], []
    for customer, rate in enumerate(rates):
        day = random.uniform(0, 365)
        while day < 728:
            days.append(day)
            customers.append(customer)
            if random.random() < 0.1:
                break
            day += random.exponential(1 / rate)
    amounts = np.exp(random.normal(4, 0.9, len(days)))
    return orders_of(days, customers, amounts)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_shares_of_customers():
    orders = pd.DataFrame({"customer": list("aaaabcdef"[:9]), "amount": [10.0, 10, 10, 10, 20, 10, 10, 10, 10]})
    assert facts.best_share(orders, part=1 / 6) == pytest.approx(4 / 9)
    assert facts.best_share(orders, "amount", part=1 / 3) == pytest.approx(60 / 100)
    assert facts.one_time_share(orders) == pytest.approx(5 / 6)
    trips = np.array([4, 1, 1, 1, 1, 1])
    assert facts.trip_dispersion(orders) == pytest.approx(trips.var(ddof=1) / trips.mean())


def test_repeats_are_counted_after_the_first_day_and_within_the_weeks():
    orders = orders_of([0, 0.4, 10, 183, 5, 187, 150, 400], list("aaaabbcd"))
    # a: the second purchase of the first day is none, the 183rd day lies outside; d: not enough time was left
    assert facts.repeat_counts(orders).to_dict() == {"a": 1, "b": 1, "c": 0}


def test_retention_counts_customers_not_purchases():
    orders = orders_of([0, 31, 35, 0, 95, 0, 130], list("aaabbcd"))
    assert facts.cohort_retention(orders, months=3).tolist() == pytest.approx([1 / 3, 0, 1 / 3])
    orders["newcomer"] = orders["customer"] != "a"
    assert facts.cohort_retention(orders, months=3).tolist() == pytest.approx([0, 0, 1 / 2])


def test_gaps():
    orders = orders_of([0, 10, 10.2, 40, 5, 25], list("aaaabb"))
    figures = facts.gap_figures(orders, least=2)
    assert figures["median"] == 20
    assert figures["pooled"] == pytest.approx(np.std([10, 30, 20], ddof=1) / 20)
    assert figures["within"] == pytest.approx(np.std([10, 30], ddof=1) / 20)


def test_rank_correlation_has_the_right_sign():
    orders = orders_of([0, 5, 10, 20, 30, 40], list("abbccc"), [9.0, 4, 4, 1, 1, 1])
    assert facts.rank_correlation(orders, "recency", "frequency") == pytest.approx(1)
    assert facts.rank_correlation(orders, "frequency", "value") == pytest.approx(-1)


def test_the_calendar():
    # 2026-01-05 is a Monday: four weeks with two purchases on Mondays, none on Sundays but one
    orders = orders_of([*range(4, 32), 4, 11, 18, 25], range(32))
    assert facts.weekday_ratio(orders) == pytest.approx(2)
    months = orders_of([*range(59), *range(31, 59)], range(87))
    assert facts.month_peak(months) == pytest.approx(2 / 1.5)


def test_sums_and_shares():
    table = pd.DataFrame(
        {"refund": [0.0, 6, 0, 4], "amount": [20.0, 10, 10, 10], "channel": ["web", "web", "till", "till"]}
    )
    web, till = 'channel == "web"', 'channel == "till"'
    assert facts.sum_ratio(table, "refund", "amount", web) == pytest.approx(0.2)
    assert facts.compare_sums(table, "refund", "amount", web, till) == pytest.approx(1)
    assert facts.compare(table, "refund > 5", web, till) == pytest.approx(0.5)
    assert facts.share(table, "refund > 0", weights="amount") == pytest.approx(0.4)


def test_weighting_by_the_chance_of_an_answer_takes_the_bias_away():
    random = random_numbers()
    satisfaction = random.normal(size=40_000)
    propensity = 1 / (1 + np.exp(1 - satisfaction))
    survey = pd.DataFrame({"satisfaction": satisfaction, "propensity": propensity})
    survey["answered"] = random.random(len(survey)) < propensity
    assert facts.response_bias(survey, "satisfaction") > 0.4
    assert abs(facts.response_bias(survey, "satisfaction", weighted=True)) < 0.03
    survey["propensity"] = 0.3  # a wrong chance does not help
    assert facts.response_bias(survey, "satisfaction", weighted=True) > 0.4


# --- pairs ----------------------------------------------------------------------------------------------------------


def make_baskets(sizes, weights, follow=0.0):
    """Baskets of different items drawn by their weights; item 21 follows item 20 with a chance on top."""
    random = random_numbers()
    keys = random.exponential(1 / np.asarray(weights), (len(sizes), len(weights))).argsort(axis=1)
    order = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    lines = pd.DataFrame({"order_id": order, "item": keys[order, place]})
    more = lines.loc[(lines["item"] == 20) & (random.random(len(lines)) < follow), ["order_id"]].assign(item=21)
    lines = pd.concat([lines, more]).drop_duplicates()
    return lines.assign(item=lines["item"].map("item {:02d}".format))


@pytest.fixture(scope="module")
def large_and_small_baskets():
    random = random_numbers()
    sizes = np.minimum(np.maximum(np.exp(random.normal(0.8, 0.9, 30_000)), 1), 25).astype(int)
    return sizes, 1 / (np.arange(30) + 3)


def test_basket_size_alone_makes_no_pairs(large_and_small_baskets):
    lines = make_baskets(*large_and_small_baskets)
    pairs = facts_baskets.basket_pairs(lines, "item")
    assert len(pairs) == 30 * 29 / 2
    assert pairs["expected"].sum() == pytest.approx(pairs["observed"].sum())
    often = pairs[pairs["expected"] >= 400]
    assert often["lift"].between(0.85, 1.15).all() and len(often) > 100
    # the lift of the textbooks calls nearly all of them friends
    baskets, held = lines["order_id"].nunique(), lines["item"].value_counts()
    usual = pairs["observed"] * baskets / (pairs["first"].map(held) * pairs["second"].map(held))
    assert usual.median() > 2


def test_a_planted_pair_is_found_and_the_others_stay_at_one(large_and_small_baskets):
    lines = make_baskets(*large_and_small_baskets, follow=0.4)
    planted = [["item 21", "item 20"]]
    assert facts_baskets.planted_figures(lines, "item", planted)["least"] > 2
    assert facts_baskets.lift_figures(lines, "item", planted)["median"] == pytest.approx(1, abs=0.05)
    assert facts_baskets.lift_figures(lines, "item")["max"] > 2
    plain = make_baskets(*large_and_small_baskets)
    assert facts_baskets.planted_figures(plain, "item", planted)["least"] < 1.2


def test_pairs_by_hand():
    lines = pd.DataFrame({"order_id": [1, 1, 1, 2, 2, 3], "item": ["b", "a", "a", "a", "b", "c"]})
    pairs = facts_baskets.basket_pairs(lines, "item").set_index(["first", "second"])
    assert pairs["observed"].to_dict() == {("a", "b"): 2, ("a", "c"): 0, ("b", "c"): 0}
    assert pairs.loc[("a", "b"), "expected"] == pytest.approx(2)  # there are only a and b in baskets of two


# --- prices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [-2.5, 0.0])
def test_the_elasticity_that_was_put_in_comes_out(slope):
    random = random_numbers()
    price = np.where(random.random((80, 100)) < 0.15, 0.75, 1.0) * random.uniform(5, 50, (80, 1))
    mean = 3 * random.uniform(0.2, 3, (80, 1)) * random.uniform(0.6, 1.6, 100)
    quantity = random.poisson(mean * (price / price.max(axis=1, keepdims=True)) ** slope)
    product, week = np.indices(price.shape)
    cells = pd.DataFrame({"product": product.ravel(), "week": week.ravel(), "quantity": quantity.ravel()})
    assert (cells["quantity"] == 0).mean() > 0.05
    assert facts_baskets.price_elasticity(cells.assign(price=price.ravel())) == pytest.approx(slope, abs=0.15)


# --- data that are no retailer's ------------------------------------------------------------------------------------


def outside(tables, names):
    """Return which facts lie outside their band."""
    measured = {name: measure(FACTS[name], tables) for name in names}
    return {name for name, value in measured.items() if not FACTS[name]["band"][0] <= value <= FACTS[name]["band"][1]}


def test_equal_buyers_are_told_from_real_ones(equal_buyers, various_buyers):
    names = ["top20_revenue", "top20_purchases", "one_time", "dispersion", "nbd_gain", "poisson_zeros", "value_spread"]
    names += ["retention_fall", "basket_spread", "weekday"]
    assert outside({"orders": equal_buyers}, names) == set(names)
    figures = facts.repeat_figures(various_buyers)
    assert abs(figures["nbd_error"]) < 0.02 < 0.1 < -figures["poisson_error"]
    assert facts.retention_figures(various_buyers)["fall"] < 0.85


def test_the_nbd_has_no_gain_on_poisson_buyers(equal_buyers):
    figures = facts.repeat_figures(equal_buyers)
    assert figures["gain"] < 0.01 and figures["shape"] > 20
    assert figures["nbd_zeros"] == pytest.approx(figures["poisson_zeros"], abs=0.01)


def test_the_nbd_finds_the_shape_that_was_put_in():
    random = random_numbers()
    counts = random.poisson(random.gamma(0.5, 4, 20_000))
    orders = orders_of(np.zeros(20_000), np.arange(20_000))
    repeats = orders_of(random.uniform(1, 180, counts.sum()), np.repeat(np.arange(20_000), counts))
    end = orders_of([200], [-1])
    figures = facts.repeat_figures(pd.concat([orders, repeats, end]))
    assert figures["shape"] == pytest.approx(0.5, rel=0.1)
    assert figures["zeros"] == pytest.approx((counts == 0).mean(), abs=0.01)


# --- the list -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_is_complete(name):
    fact = FACTS[name]
    assert set(fact) >= {"fact", "table", "columns", "function", "band", "source"}, name
    assert hasattr(facts, fact["function"]) or hasattr(facts_baskets, fact["function"])
    low, high = fact["band"]
    assert low < high
    if "small" in fact:
        assert fact["small"][0] <= low and high <= fact["small"][1]
    assert len(fact["source"]) > 5


def test_what_is_not_there_is_not_measured():
    assert measure(FACTS["one_time"], {}) is None
    assert measure(FACTS["top20_revenue"], {"orders": pd.DataFrame({"customer": [1]})}) is None
    assert set(facts_measure.measure_all({}).values()) == {None}


# --- the data of others ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def others():
    return {"cdnow": cdnow_tables(), "complete_journey": complete_journey_tables()}


@pytest.mark.outside
@pytest.mark.parametrize("source", ["cdnow", "complete_journey"])
def test_what_is_said_of_others_is_what_these_functions_measure(others, source):
    said = {name: fact["measured"][source] for name, fact in FACTS.items() if source in fact.get("measured", {})}
    measured = {name: measure(FACTS[name], others[source]) for name in said}
    assert len(said) > 15
    wrong = {name: round(value, 4) for name, value in measured.items() if round(value, places(value)) != said[name]}
    assert wrong == {}


def places(value):
    """How many places are written down."""
    return 3 if abs(value) < 2 else 2 if abs(value) < 10 else 1
