"""Chapter on offers, the A/B test: outcomes, balance, differences, pooling, sample size and looking too early."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.proportion import confint_proportions_2indep, power_proportions_2indep, proportions_ztest

from cimlab import load
from cimlab.mining import (
    balance_table,
    campaign_outcomes,
    compare_arms,
    compare_money,
    false_alarm_rate,
    pool_campaigns,
    power_of_test,
    sample_size,
    simulate_looks,
    smallest_effect,
    stopping_bounds,
)


def audience(*groups, name="CA01"):
    """Make rows from (treated, buyers, others)."""
    parts = [pd.DataFrame({"treated": arm, "bought": [True] * yes + [False] * no}) for arm, yes, no in groups]
    return pd.concat(parts, ignore_index=True).assign(campaign_id=name)


@pytest.fixture(scope="module")
def outcomes():
    orders = load("orders").rename(columns={"customer_ref": "customer_id"}).dropna(subset="customer_id")
    orders["margin"] = 0.3 * orders["amount"]
    contacts = load("campaign_contacts").rename(columns={"member_id": "customer_id"})
    return campaign_outcomes(contacts, load("campaigns"), orders)


# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small():
    contacts = pd.DataFrame(
        {
            "campaign_id": ["CA01", "CA01", "CA02"],
            "customer_id": ["K1", "K2", "K1"],
            "arm": ["treated", "holdout"] * 1 + ["treated"],
        }
    )
    campaigns = pd.DataFrame(
        {
            "campaign_id": ["CA01", "CA02"],
            "starts_on": pd.to_datetime(["2026-05-01", "2026-05-10"]),
            "window_days": [7, 3],
        }
    )
    purchases = pd.DataFrame(
        [
            ["K1", "2026-04-30 23:59", 1.0, 0.1],  # the day before
            ["K1", "2026-05-01 00:00", 10.0, 1.0],  # the first minute
            ["K1", "2026-05-07 23:59", 20.0, 2.0],  # the last minute
            ["K1", "2026-05-08 00:00", 40.0, 4.0],  # too late
            ["K1", "2026-05-12 23:59", 80.0, 8.0],  # the last minute of the second campaign
            ["K3", "2026-05-13 10:00", 5.0, 1.0],  # not in an audience
        ],
        columns=["customer_id", "ordered_at", "amount", "margin"],
    )
    return contacts, campaigns, purchases.assign(ordered_at=pd.to_datetime(purchases["ordered_at"]))


def test_a_purchase_counts_within_the_days_of_the_campaign_only(small):
    found = campaign_outcomes(*small)
    assert found["customer_id"].tolist() == ["K1", "K2", "K1"]
    assert found["treated"].tolist() == [True, False, True]
    assert found["bought"].tolist() == [True, False, True]
    assert found["amount"].tolist() == [30.0, 0.0, 80.0]
    assert found["margin"].tolist() == [3.0, 0.0, 8.0]


def test_everybody_of_the_audience_stays_in(outcomes):
    contacts = load("campaign_contacts")
    assert len(outcomes) == len(contacts)
    assert (outcomes["treated"] == (contacts["arm"] == "treated")).all()
    assert not outcomes.loc[~outcomes["bought"], "amount"].any()


def test_outcomes_refuse_what_they_cannot_count(small):
    contacts, campaigns, purchases = small
    with pytest.raises(ValueError, match="treated or holdout, not control"):
        campaign_outcomes(contacts.assign(arm="control"), campaigns, purchases)
    with pytest.raises(ValueError, match="CA02 has contacts but does not stand"):
        campaign_outcomes(contacts, campaigns.head(1), purchases)
    with pytest.raises(ValueError, match="end before the window of CA02"):
        campaign_outcomes(contacts, campaigns, purchases.head(4))
    with pytest.raises(ValueError, match="no column margin"):
        campaign_outcomes(contacts, campaigns, purchases.drop(columns="margin"))


# --- balance ----------------------------------------------------------------------------------------------------------


def test_balance_is_the_difference_in_standard_deviations():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"treated": rng.random(500) < 0.7, "recency": rng.normal(40, 10, 500)})
    table.loc[:5, "recency"] = np.nan
    one, zero = (table.loc[table["treated"] == arm, "recency"].dropna() for arm in (True, False))
    by_hand = (one.mean() - zero.mean()) / np.sqrt((one.var(ddof=1) + zero.var(ddof=1)) / 2)
    row = balance_table(table, ["recency"]).iloc[0]
    assert row["smd"] == pytest.approx(by_hand)
    assert row["chance"] == pytest.approx(1.96 * np.sqrt(1 / len(one) + 1 / len(zero)))
    assert row["balanced"] == (abs(by_hand) <= row["chance"])


def test_a_random_split_is_within_chance_19_times_in_20():
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(150):
        table = pd.DataFrame({"treated": rng.random(300) < 0.7, "x": rng.exponential(size=300)})
        inside.append(balance_table(table, ["x"])["balanced"].item())
    assert 0.92 < np.mean(inside) < 0.98


def test_a_split_by_hand_is_found_out():
    table = pd.DataFrame({"x": np.arange(200.0)})
    found = balance_table(table.assign(treated=table["x"] > 60, same=1), ["x", "same"])
    assert found["balanced"].tolist() == [False, True]
    assert found["smd"].iloc[0] > 1 and found["smd"].iloc[1] == 0


def test_balance_refuses_words_and_one_arm():
    with pytest.raises(ValueError, match="city holds no numbers"):
        balance_table(pd.DataFrame({"treated": [True, False], "city": ["宁波", "杭州"]}), ["city"])
    with pytest.raises(ValueError, match="nobody is in the holdout"):
        balance_table(pd.DataFrame({"treated": [True, True], "x": [1, 2]}), ["x"])
    with pytest.raises(ValueError, match="nobody is treated"):
        balance_table(pd.DataFrame({"treated": [False, False], "x": [1, 2]}), ["x"])


# --- two rates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "numbers, published",
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),  # Newcombe 1998, Table II, method 10
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_newcombe_as_in_his_paper(numbers, published):
    one, many, zero, few = numbers
    found = compare_arms(audience((True, one, many - one), (False, zero, few - zero)))
    assert found[["low", "high"]].iloc[0].to_numpy() == pytest.approx(published, abs=6e-5)


@pytest.mark.parametrize("method, name", [("newcombe", "newcomb"), ("wald", "wald")])
def test_intervals_are_those_of_statsmodels(method, name):
    found = compare_arms(audience((True, 30, 170), (False, 6, 74)), method=method, level=0.9).iloc[0]
    expected = confint_proportions_2indep(30, 200, 6, 80, method=name, alpha=0.1)
    assert found[["low", "high"]].to_numpy(float) == pytest.approx(expected)
    assert found["p_value"] == pytest.approx(proportions_ztest([30, 6], [200, 80])[1])
    assert found["difference"] == pytest.approx(30 / 200 - 6 / 80)
    assert found[["treated", "holdout", "treated_rate", "holdout_rate"]].tolist() == [200, 80, 0.15, 0.075]


def test_the_error_is_not_zero_where_nobody_bought():
    found = compare_arms(audience((True, 0, 20), (False, 0, 10))).iloc[0]
    assert found["difference"] == 0 and found["p_value"] == 1 and found["error"] > 0
    a, b = 1 / 22, 1 / 12
    assert found["error"] == pytest.approx(np.sqrt(a * (1 - a) / 22 + b * (1 - b) / 12))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = []
    for one, zero in zip(rng.binomial(200, 0.12, 150), rng.binomial(60, 0.04, 150), strict=True):
        row = compare_arms(audience((True, one, 200 - one), (False, zero, 60 - zero))).iloc[0]
        held.append(row["low"] <= 0.08 <= row["high"])
    assert np.mean(held) > 0.92


def test_groups_are_compared_each_for_itself(outcomes):
    found = compare_arms(outcomes, by="campaign_id")
    assert found.index.tolist() == [f"CA0{number}" for number in range(1, 7)]
    for name, rows in outcomes.groupby("campaign_id"):
        assert found.loc[[name]].to_numpy() == pytest.approx(compare_arms(rows).to_numpy())


def test_the_order_and_the_index_of_the_rows_do_not_matter(outcomes):
    shuffled = outcomes.sample(frac=1, random_state=1).set_index("customer_id")
    pd.testing.assert_frame_equal(compare_arms(shuffled, by="campaign_id"), compare_arms(outcomes, by="campaign_id"))


def test_compare_arms_says_what_is_wrong():
    table = audience((True, 3, 5), (False, 1, 4))
    with pytest.raises(ValueError, match="no method 'exact'; there are: newcombe"):
        compare_arms(table, method="exact")
    with pytest.raises(ValueError, match="must be True or False; for amounts"):
        compare_arms(table.assign(bought=1.0))
    with pytest.raises(ValueError, match="treated must be True or False"):
        compare_arms(table.assign(treated=1))
    lonely = table.assign(city=np.where(table["treated"] & table["bought"], "A", "B"))
    with pytest.raises(ValueError, match="the group A of city has only one arm"):
        compare_arms(lonely, by="city")


def test_money_is_compared_by_welch(outcomes):
    found = compare_money(outcomes, "margin").iloc[0]
    one, zero = (outcomes.loc[outcomes["treated"] == arm, "margin"] for arm in (True, False))
    direct = ttest_ind(one, zero, equal_var=False)
    interval = direct.confidence_interval(0.95)
    assert found["difference"] == pytest.approx(one.mean() - zero.mean())
    assert found[["low", "high", "p_value"]].to_numpy() == pytest.approx([interval.low, interval.high, direct.pvalue])
    with pytest.raises(ValueError, match="fewer than two"):
        compare_money(pd.DataFrame({"treated": [True, True, False], "margin": 1.0}), "margin")


# --- several campaigns ------------------------------------------------------------------------------------------------


def test_pooling_escapes_simpsons_paradox():
    """Nobody is moved by the message, but the campaign in which many buy anyway left out few."""
    easy = audience((True, 450, 450), (False, 50, 50), name="CA01")
    hard = audience((True, 10, 90), (False, 90, 810), name="CA02")
    table = pd.concat([easy, hard])
    assert compare_arms(table)["difference"].item() > 0.3
    pooled = pool_campaigns(table).iloc[0]
    assert pooled["difference"] == pytest.approx(0) and pooled["p_value"] > 0.9 and pooled["campaigns"] == 2


def test_pooling_agrees_with_statsmodels_and_with_the_paper(outcomes):
    found = pool_campaigns(outcomes).iloc[0]
    tables, above, below = [], 0, 0
    for _, rows in outcomes.groupby("campaign_id"):
        (a, n), (c, m) = (
            (rows.loc[rows["treated"] == arm, "bought"].sum(), (rows["treated"] == arm).sum()) for arm in (True, False)
        )
        tables.append(np.array([[a, n - a], [c, m - c]], dtype=float))
        above, below = above + (a * m - c * n) / (n + m), below + n * m / (n + m)
    direct = StratifiedTable(tables)
    assert found["odds_ratio"] == pytest.approx(direct.oddsratio_pooled)
    assert found["p_value"] == pytest.approx(direct.test_null_odds().pvalue)
    assert found["difference"] == pytest.approx(above / below)
    assert found["low"] < found["difference"] < found["high"]


def test_one_campaign_pooled_is_the_plain_difference():
    table = audience((True, 30, 170), (False, 6, 74))
    found, wald = pool_campaigns(table).iloc[0], compare_arms(table, method="wald").iloc[0]
    assert found[["difference", "low", "high"]].to_numpy(float) == pytest.approx(
        wald[["difference", "low", "high"]].to_numpy(float)
    )
    assert np.isnan(found["p_differ"])


def test_campaigns_that_differ_are_found_out():
    strong, weak = (
        audience((True, 300, 700), (False, 100, 900), name="CA01"),
        audience((True, 100, 900), (False, 100, 900), name="CA02"),
    )
    assert pool_campaigns(pd.concat([strong, weak])).iloc[0]["p_differ"] < 0.001
    assert pool_campaigns(pd.concat([strong, strong.assign(campaign_id="CA02")])).iloc[0]["p_differ"] > 0.99


# --- sample size ------------------------------------------------------------------------------------------------------


def test_sample_size_as_the_manual_of_r_prints_it():
    """power.prop.test: n = 76.7 for 0.50 against 0.75 with power 0.90; power 0.740 for 50; 0.8026 for 50 and 0.90."""
    assert sample_size(base=0.5, effect=0.25, power=0.9) == (77, 77)
    assert power_of_test(0.5, 0.25, 50, 50) == pytest.approx(0.740, abs=5e-4)
    assert 0.5 + smallest_effect(0.5, 50, 50, power=0.9) == pytest.approx(0.8026, abs=5e-5)


def test_sample_size_of_the_textbook():
    """0.10 against 0.15, 80 %: 686 in each arm."""
    assert sample_size(base=0.10, effect=0.05) == (686, 686)


@pytest.mark.parametrize(
    "base, effect, treated, holdout", [(0.04, 0.08, 300, 100), (0.1, -0.05, 400, 200), (0.3, 0.1, 90, 110)]
)
def test_power_is_that_of_statsmodels(base, effect, treated, holdout):
    direct = power_proportions_2indep(
        effect, base, nobs1=treated, ratio=holdout / treated, alpha=0.05, return_results=False
    )
    assert power_of_test(base, effect, treated, holdout) == pytest.approx(direct, abs=1e-3)


def test_size_power_and_effect_are_one_equation():
    treated, holdout = sample_size(0.05, 0.03, power=0.85, alpha=0.01, holdout=0.25)
    assert treated == pytest.approx(3 * holdout, abs=3)
    assert power_of_test(0.05, 0.03, treated, holdout, alpha=0.01) == pytest.approx(0.85, abs=1e-3)
    assert smallest_effect(0.05, treated, holdout, power=0.85, alpha=0.01) == pytest.approx(0.03, abs=1e-4)


def test_the_power_is_what_happens():
    rng = np.random.default_rng(4)
    treated, holdout = sample_size(0.05, 0.05, holdout=0.3)
    hits = rng.binomial(treated, 0.10, 1500), rng.binomial(holdout, 0.05, 1500)
    seen = [proportions_ztest([one, zero], [treated, holdout])[1] < 0.05 for one, zero in zip(*hits, strict=True)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.035)


def test_half_and_half_needs_fewest_people():
    totals = [sum(sample_size(0.05, 0.02, holdout=share)) for share in (0.1, 0.25, 0.5, 0.8)]
    assert totals[2] == min(totals)


@pytest.mark.parametrize(
    "plan, words",
    [
        ({"base": 4, "effect": 0.02}, "base must lie between 0 and 1, not 4; is it a percentage"),
        ({"base": 0.04, "effect": 2}, r"base \+ effect must lie"),
        ({"base": 0.04, "effect": 0}, "no test sees an effect of 0"),
        ({"base": 0.04, "effect": 0.02, "power": 80}, "power must lie"),
        ({"base": 0.04, "effect": 0.02, "holdout": 1}, "holdout must lie"),
    ],
)
def test_a_plan_that_is_none_is_refused(plan, words):
    with pytest.raises(ValueError, match=words):
        sample_size(**plan)


def test_too_few_people_see_nothing():
    with pytest.raises(ValueError, match="too few to see any effect"):
        smallest_effect(0.5, 2, 2)
    with pytest.raises(ValueError, match="both arms need people"):
        power_of_test(0.1, 0.1, 10, 0)


# --- looking too early ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looks, published", [(1, 0.05), (2, 0.083), (3, 0.107), (5, 0.142), (10, 0.193), (20, 0.248)])
def test_false_alarms_as_in_armitage_1969(looks, published):
    assert false_alarm_rate([1.96] * looks) == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("looks, published", [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)])
def test_pocock_as_published(looks, published):
    found = stopping_bounds(looks, "pocock")
    assert found.tolist() == pytest.approx([published] * looks, abs=6e-4)


@pytest.mark.parametrize("looks, published", [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040), (10, 2.087)])
def test_obrien_fleming_as_published(looks, published):
    found = stopping_bounds(looks)
    assert found.iloc[-1] == pytest.approx(published, abs=6e-4)
    assert (found * np.sqrt(found.index / looks)).tolist() == pytest.approx([published] * looks, abs=6e-4)


@pytest.mark.parametrize("kind", ["pocock", "obrien-fleming"])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_bounds_keep_what_they_promise(kind, alpha):
    assert false_alarm_rate(stopping_bounds(7, kind, alpha)) == pytest.approx(alpha, abs=1e-6)


def test_simulated_looks_give_the_false_alarms_that_theory_says():
    z = simulate_looks(looks=10, people=200, rate=0.2, experiments=3000)
    assert z.shape == (3000, 10)
    assert z.to_numpy().std(axis=0) == pytest.approx(np.ones(10), abs=0.05)
    assert (z.abs() > 1.96).any(axis=1).mean() == pytest.approx(0.193, abs=0.02)
    for kind in ("pocock", "obrien-fleming"):
        assert (z.abs() > stopping_bounds(10, kind)).any(axis=1).mean() == pytest.approx(0.05, abs=0.012)
    assert (z[10].abs() > stopping_bounds(10, "fixed")[10]).mean() == pytest.approx(0.05, abs=0.012)


def test_a_simulated_effect_is_seen_with_the_power_that_was_planned():
    treated, _ = sample_size(0.1, 0.05)
    z = simulate_looks(looks=7, people=treated // 7, rate=0.1, effect=0.05, experiments=2000)
    assert (z[7] > 1.96).mean() == pytest.approx(0.8, abs=0.03)


def test_looks_are_repeatable_and_refuse_nonsense():
    pd.testing.assert_frame_equal(simulate_looks(experiments=5), simulate_looks(experiments=5))
    assert not simulate_looks(experiments=5).equals(simulate_looks(experiments=5, seed=1))
    assert (simulate_looks(looks=1, people=1, rate=0.0001, experiments=3) == 0).all(axis=None)
    with pytest.raises(ValueError, match=r"rate must lie"):
        simulate_looks(rate=10)
    with pytest.raises(ValueError, match="at least 1"):
        simulate_looks(looks=0)
    with pytest.raises(ValueError, match="one bound above 0"):
        false_alarm_rate([])
    with pytest.raises(ValueError, match="no kind 'haybittle'"):
        stopping_bounds(5, "haybittle")
