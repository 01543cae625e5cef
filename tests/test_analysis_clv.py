"""Chapter 6, customer lifetime value: BG/NBD, Gamma-Gamma, hold-out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cimlab import load
from cimlab.analysis import (
    clv_summary,
    correlate,
    customer_lifetime_value,
    expected_average_value,
    expected_purchases,
    fit_bgnbd,
    fit_gamma_gamma,
    holdout,
    holdout_table,
    probability_alive,
)
from cimlab.retailer import read_truth

CDNOW = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
SPEND = pd.Series({"p": 6.25, "q": 3.74, "v": 15.44})


def customers(*rows):
    return pd.DataFrame(rows, columns=["frequency", "recency", "T"])


# ---- the summary -----------------------------------------------------------------------------------------------------


def test_summary_counts_days_after_the_first():
    orders = pd.DataFrame(
        {
            "card": ["a", "a", "a", "a", "b", None, "a"],
            "ordered_at": pd.to_datetime(
                ["2026-01-01 20:00", "2026-01-01 21:00", "2026-01-15 09:00", "2026-01-15 10:00", "2026-01-08 12:00",
                 "2026-01-09 12:00", "2026-03-01 12:00"]
            ),
            "amount": [100.0, 100.0, 10.0, 20.0, 5.0, 7.0, 1000.0],
        }
    )  # fmt: skip
    summary = clv_summary(orders, until="2026-01-29", customer="card")
    assert summary["card"].tolist() == ["a", "b"]
    assert summary[["frequency", "recency", "T"]].to_numpy().tolist() == [[1, 2, 4], [0, 0, 3]]
    assert summary.loc[0, "monetary_value"] == 30, "the first day is no repeat, two orders of a day are one"
    assert np.isnan(summary.loc[1, "monetary_value"])


# ---- BG/NBD ----------------------------------------------------------------------------------------------------------


def simulate(count, weeks, ahead, seed, r=0.6, alpha=8.0, a=0.7, b=3.0):
    """Customers as the model supposes them: their summary, and what each buys in the weeks after it."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        rate, leaving, age = random.gamma(r, 1 / alpha), random.beta(a, b), random.uniform(10, weeks)
        time, times = 0.0, []
        while True:
            time += random.exponential(1 / rate)
            if time > age + ahead:
                break
            times.append(time)
            if random.random() < leaving:
                break
        past = [time for time in times if time <= age]
        rows.append((len(past), max(past, default=0.0), age, len(times) - len(past)))
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "actual"])


@pytest.fixture(scope="module")
def simulated():
    return simulate(6_000, weeks=80, ahead=40, seed=11)


def test_the_parameters_of_a_simulation_come_back(simulated):
    found = fit_bgnbd(simulated)
    assert found["r"] == pytest.approx(0.6, rel=0.12) and found["alpha"] == pytest.approx(8, rel=0.15)
    assert found["a"] / (found["a"] + found["b"]) == pytest.approx(0.7 / 3.7, rel=0.15)
    true = pd.Series({"r": 0.6, "alpha": 8.0, "a": 0.7, "b": 3.0})
    assert found["log_likelihood"] > -np.inf
    told = expected_purchases(simulated, true, 40)
    # What is expected of groups of customers is what they then do.
    groups = pd.cut(told, [-1, 0.5, 1, 2, 4, 99])
    compared = pd.DataFrame({"told": told, "came": simulated["actual"]}).groupby(groups, observed=True)
    means, errors = compared.mean(), compared["came"].sem()
    assert (compared.size() > 150).all()
    assert ((means["told"] - means["came"]).abs() < 3.5 * errors).all(), means
    assert told.sum() == pytest.approx(simulated["actual"].sum(), rel=0.05)


def test_more_likely_than_any_neighbour(simulated):
    """The parameters found are the top: a step to any side is lower."""
    from cimlab.analysis.purchases import _log_likelihood

    found = fit_bgnbd(simulated)
    data = [simulated[name].to_numpy("float64") for name in ("frequency", "recency", "T")]
    top = _log_likelihood(found.iloc[:4], *data).sum()
    assert top == pytest.approx(found["log_likelihood"])
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.97, 1.03):
            aside = found.iloc[:4].copy()
            aside[name] *= factor
            assert _log_likelihood(aside, *data).sum() < top, (name, factor)


def test_the_likelihood_is_the_published_product():
    """Fader, Hardie and Lee (2005), written with gamma and beta functions instead of their logarithms."""
    from scipy.special import beta, gamma

    from cimlab.analysis.purchases import _log_likelihood

    r, alpha, a, b = CDNOW
    x, t_x, age = np.array([0.0, 1.0, 4.0]), np.array([0.0, 5.0, 20.0]), np.array([30.0, 30.0, 38.0])
    plain = beta(a, b + x) / beta(a, b) * gamma(r + x) * alpha**r / (gamma(r) * (alpha + age) ** (r + x))
    left = beta(a + 1, b + x[1:] - 1) / beta(a, b) * gamma(r + x[1:]) * alpha**r / gamma(r)
    plain[1:] += left / (alpha + t_x[1:]) ** (r + x[1:])
    assert _log_likelihood(CDNOW, x, t_x, age) == pytest.approx(np.log(plain))


def test_expected_purchases_are_the_published_formula_and_hold_for_many():
    from scipy.special import hyp2f1

    table = customers((0, 0, 38), (2, 30.43, 38.86), (7, 10, 38))
    x, t_x, age = (table[name].astype("float64") for name in table)
    r, alpha, a, b = CDNOW
    ahead = 39.0
    power = ((alpha + age) / (alpha + age + ahead)) ** (r + x)
    plain = (a + b + x - 1) / (a - 1) * (1 - power * hyp2f1(r + x, b + x, a + b + x - 1, ahead / (alpha + age + ahead)))
    plain /= 1 + (x > 0) * a / (b + x.clip(lower=1) - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x)
    told = expected_purchases(table, CDNOW, ahead)
    assert told.tolist() == pytest.approx(plain.tolist())
    assert told[1] == pytest.approx(1.226, abs=0.0005), "published"
    often = expected_purchases(customers((2000, 100, 100)), CDNOW, 10)
    rate, leaving = 2000 / 104, 0.793 / (0.793 + 2.426 + 1999)
    assert often[0] == pytest.approx((1 - (1 - leaving) ** (10 * rate)) / leaving, rel=0.005), "nearly as before"
    at_one = expected_purchases(table, CDNOW.replace(0.793, 1.0), 39)
    beside = expected_purchases(table, CDNOW.replace(0.793, 1.0001), 39)
    assert at_one.tolist() == pytest.approx(beside.tolist(), rel=1e-3)
    for near in (1 - 2**-53, 1 + 2**-52, 1 - 1e-12, 1 + 1e-8):
        forecast = expected_purchases(table, CDNOW.replace(0.793, near), 39)
        assert forecast.tolist() == pytest.approx(at_one.tolist(), rel=1e-5)


def test_alive_sinks_with_silence():
    table = customers((0, 0, 38), (2, 30.43, 38.86), (5, 30, 38), (5, 10, 38), (500, 10, 90), (500, 89.9, 90))
    alive = probability_alive(table, CDNOW)
    assert alive[0] == 1 and alive[1] == pytest.approx(0.727, abs=0.0005), "published: 0.73"
    assert alive[2] > alive[3] > alive[4] >= 0 and alive[4] < 1e-12
    assert alive[5] > 0.95


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 400), st.floats(0, 1), st.floats(0.5, 150)).map(
            lambda row: (row[0], row[1] * row[2] if row[0] else 0.0, row[2])
        ),
        min_size=1, max_size=8,
    ),
    parameters=st.tuples(*[st.floats(0.05, 20)] * 4),
    weeks=st.floats(0.1, 200),
)  # fmt: skip
@example(rows=[(0, 0.0, 1.0)], parameters=(7.0, 2.0, 1 - 2**-53, 1.5), weeks=58.0)
def test_any_customer_has_a_forecast(rows, parameters, weeks):
    table, model = customers(*rows), pd.Series(parameters, index=["r", "alpha", "a", "b"])
    alive = probability_alive(table, model)
    assert alive.between(0, 1).all()
    told, more = expected_purchases(table, model, weeks), expected_purchases(table, model, 2 * weeks)
    assert np.isfinite(told).all() and (told >= -1e-6).all()
    assert (more >= told - 1e-6).all()


def test_a_customer_of_a_hundred_purchases_has_a_forecast():
    """Gauss's function of scipy overflows in this corner; the series does not, and both agree where both hold."""
    from scipy.special import hyp2f1

    from cimlab.analysis.purchases import _hypergeometric

    model = pd.Series([0.5, 0.5, 0.5, 2.0], index=["r", "alpha", "a", "b"])
    assert np.isfinite(expected_purchases(customers((102, 0.0, 1.0), (98, 0.9, 1.0)), model, 7)).all()
    c, z = np.array([45.0, 60.0]), np.array([0.3, 0.9])
    assert _hypergeometric(1.3, 0.7, c, z) == pytest.approx(hyp2f1(1.3, 0.7, c, z), rel=1e-12)


def test_models_say_what_is_wrong():
    with pytest.raises(ValueError, match="no customer bought on two days or more"):
        fit_bgnbd(customers((0, 0, 10), (0, 0, 20)))
    with pytest.raises(ValueError, match="row 1 is impossible: frequency ≥ 0 and 0 ≤ recency ≤ T"):
        fit_bgnbd(customers((1, 5, 10), (1, 30, 20)))
    with pytest.raises(ValueError, match="the summary has no column T; it has: frequency, recency"):
        probability_alive(customers((1, 5, 10)).drop(columns="T"), CDNOW)
    with pytest.raises(ValueError, match="2 customers have a repeat purchase: too few"):
        fit_gamma_gamma(pd.DataFrame({"frequency": [1, 2, 0], "monetary_value": [5.0, 6.0, None]}))
    with pytest.raises(ValueError, match=r"q is 0\.90: amounts differ so much"):
        expected_average_value(pd.DataFrame({"frequency": [1], "monetary_value": [5.0]}), SPEND.replace(3.74, 0.9))
    with pytest.raises(ValueError, match="the end, 2026-01-01, must be after the split, 2026-06-30"):
        holdout(load("orders"), "2026-06-30", "2026-01-01", customer="customer_ref")


# ---- Gamma-Gamma and CLV ---------------------------------------------------------------------------------------------


def test_gamma_gamma_finds_what_was_put_in():
    random = np.random.default_rng(7)
    p, q, v = 4.0, 5.0, 60.0
    frequency = random.geometric(0.3, 8_000)
    scale = random.gamma(q, 1 / v, 8_000)
    mean = random.gamma(p * frequency, 1 / (scale * frequency))
    summary = pd.DataFrame({"frequency": frequency, "monetary_value": mean})
    found = fit_gamma_gamma(pd.concat([summary, pd.DataFrame({"frequency": [0], "monetary_value": [None]})]))
    assert found[["p", "q", "v"]].tolist() == pytest.approx([p, q, v], rel=0.12)
    assert found["p"] * found["v"] / (found["q"] - 1) == pytest.approx(mean.mean(), rel=0.03)
    in_fen = fit_gamma_gamma(summary.assign(monetary_value=100 * mean))
    assert in_fen["v"] == pytest.approx(100 * found["v"], rel=0.01), "the unit of the money does not matter"
    # The expected value is what the customers' true means are.
    told, truth = expected_average_value(summary, found), p / scale
    for few, many in [(1, 1), (2, 4), (5, 99)]:
        group = summary["frequency"].between(few, many)
        assert told[group].mean() == pytest.approx(truth[group].mean(), rel=0.04)
    assert np.abs(told - truth).mean() < 0.9 * np.abs(mean - truth).mean(), "pulled to the mean is nearer"


def test_expected_value_lies_between_own_mean_and_that_of_all():
    summary = pd.DataFrame({"frequency": [0, 1, 4, 400], "monetary_value": [None, 90.0, 90.0, 90.0]})
    told = expected_average_value(summary, SPEND)
    assert told[0] == pytest.approx(6.25 * 15.44 / 2.74)
    assert told[0] < told[1] < told[2] < told[3] < 90 and told[3] == pytest.approx(90, rel=0.01)


def test_lifetime_value_is_purchases_times_value_discounted():
    summary = customers((2, 30.43, 38.86), (0, 0, 38)).assign(monetary_value=[40.0, np.nan])
    plain = customer_lifetime_value(summary, CDNOW, SPEND, months=6, yearly_discount=0)
    assert plain["clv"].tolist() == pytest.approx((plain["expected_purchases"] * plain["expected_value"]).tolist())
    assert plain["expected_purchases"].tolist() == pytest.approx(
        expected_purchases(summary, CDNOW, 365.25 / 2 / 7).tolist()
    )
    discounted = customer_lifetime_value(summary, CDNOW, SPEND, months=6, yearly_discount=0.21, margin=0.5)
    assert (discounted["clv"] < 0.5 * plain["clv"]).all() and (discounted["clv"] > 0.5 * plain["clv"] / 1.1).all()
    one = customer_lifetime_value(summary, CDNOW, SPEND, months=1, yearly_discount=0.21)
    assert one["clv"].tolist() == pytest.approx(
        (one["expected_purchases"] * one["expected_value"] / 1.21 ** (1 / 12)).tolist()
    )
    with pytest.raises(ValueError, match="months is 1 or more"):
        customer_lifetime_value(summary, CDNOW, SPEND, months=0)


# ---- the hold-out ----------------------------------------------------------------------------------------------------


def test_holdout_knows_only_the_past():
    orders = load("orders").dropna(subset="customer_ref")
    compared = holdout(orders, "2025-12-31", "2026-06-30", customer="customer_ref")
    past = orders[orders["ordered_at"] < "2026-01-01"]
    again = holdout(past, "2025-12-31", "2026-06-30", customer="customer_ref")
    assert compared.drop(columns="actual").equals(again.drop(columns="actual")) and again["actual"].sum() == 0
    later = orders[(orders["ordered_at"] >= "2026-01-01") & orders["customer_ref"].isin(past["customer_ref"])]
    days = later.assign(day=later["ordered_at"].dt.date).drop_duplicates(["customer_ref", "day"])
    assert compared["actual"].sum() == len(days)
    table = holdout_table(compared)
    assert table["customers"].sum() == len(compared) and table["frequency"].tolist()[-1] == "7+"
    assert (table["customers"] * table["actual"]).sum() == pytest.approx(len(days))
    assert table["expected"].iloc[0] < table["expected"].iloc[2] < table["expected"].iloc[-1]
    assert 0.8 < compared["expected"].sum() / len(days) < 1.25
    assert correlate(compared, "expected", "actual")["r"].iloc[0] > 0.5


@pytest.fixture(scope="module")
def known():
    """The orders of the true persons, and what they will buy; skipped where the truth is not there."""
    try:
        person = read_truth("entity_map").set_index("record_id")["person_id"]
    except FileNotFoundError:
        pytest.skip("the truth is not part of a student's copy")
    orders = load("orders")
    return orders.assign(customer_id=orders["customer_ref"].map(person)), read_truth("traits").set_index("person_id")


def test_xudong_the_next_year_is_foreseen(known):
    orders, traits = known
    summary = clv_summary(orders, "2026-06-30")
    parameters = fit_bgnbd(summary)
    told = summary.assign(
        expected=expected_purchases(summary, parameters, 365 / 7),
        future=summary["customer_id"].map(traits["future_orders"]),
    )
    r = correlate(told, "expected", "future")["r"].iloc[0]
    assert r > 0.65, r
    assert r > correlate(told, "frequency", "future")["r"].iloc[0] + 0.02, "better than counting the past"
    assert 0.8 < told["expected"].sum() / told["future"].sum() < 1.2
    alive = probability_alive(summary, parameters)
    lost = summary["customer_id"].map(traits["lost_on"]).notna()
    assert alive[~lost].mean() > alive[lost].mean() + 0.1


def test_xudong_the_value_of_the_next_year_is_foreseen(known):
    orders, traits = known
    summary = clv_summary(orders, "2026-06-30")
    assert abs(correlate(summary, "frequency", "monetary_value")["r"].iloc[0]) < 0.15, "what Gamma-Gamma needs"
    value = customer_lifetime_value(summary, fit_bgnbd(summary), fit_gamma_gamma(summary), yearly_discount=0)
    value["future"] = value["customer_id"].map(traits["future_spend"])
    assert correlate(value, "clv", "future")["r"].iloc[0] > 0.6
    assert 0.75 < value["clv"].sum() / value["future"].sum() < 1.25
