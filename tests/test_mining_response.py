"""Chapter on offers, whom a message moves: response and uplift models, their judge, and the next best offer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from cimlab import load
from cimlab.mining import (
    RESPONSE_FEATURES,
    choose_offers,
    compare_arms,
    curve_band,
    judge_uplift,
    known_before,
    may_contact,
    offer_gains,
    offer_report,
    qini_coefficient,
    response_scores,
    shrink_to_mean,
    simulate_audience,
    uplift_curve,
    uplift_scores,
)

KNOWN = ["frequency", "coupon_use", "complaints"]


@pytest.fixture(scope="module")
def past():
    return simulate_audience(seed=1)


@pytest.fixture(scope="module")
def later(past):
    table = simulate_audience(seed=2)
    table["response"] = response_scores(past, table, KNOWN)
    table["uplift"] = uplift_scores(past, table, KNOWN)
    table["transformed"] = uplift_scores(past, table, KNOWN, method="class transformation")
    return table


# --- what was known ---------------------------------------------------------------------------------------------------


@pytest.fixture
def history():
    days = pd.to_datetime(["2026-03-01 10:00", "2026-03-11 23:00", "2026-03-21 00:00", "2026-04-01 12:00"])
    purchases = pd.DataFrame({"customer_id": "K1", "ordered_at": days, "amount": [10.0, 30.0, 500.0, 900.0]})
    messages = pd.DataFrame(
        [
            ["K1", "2026-02-01", True, True, True],
            ["K1", "2026-03-21", True, True, True],  # this campaign itself
            ["K2", "2026-02-01", False, False, False],  # left out: no message
        ],
        columns=["customer_id", "starts_on", "treated", "opened", "clicked"],
    )
    table = pd.DataFrame({"customer_id": ["K2", "K1"], "starts_on": pd.to_datetime("2026-03-21")}, index=[7, 3])
    return table, purchases, messages.assign(starts_on=pd.to_datetime(messages["starts_on"]))


def test_nothing_of_the_day_itself_or_later_is_known(history):
    found = known_before(*history)
    assert found.index.tolist() == [7, 3]
    stranger, known = found.loc[7], found.loc[3]
    assert known[RESPONSE_FEATURES].tolist() == [True, 10, 2, 20.0, 1, 1, 1]
    assert not stranger["seen"] and stranger[["frequency", "messages", "opened_before"]].tolist() == [0, 0, 0]
    assert np.isnan(stranger["recency"]) and np.isnan(stranger["basket"])


def test_the_future_may_change_without_changing_what_was_known(history):
    table, purchases, messages = history
    before = known_before(table, purchases, messages)
    pd.testing.assert_frame_equal(
        known_before(table, purchases[purchases["ordered_at"] < "2026-03-21"], messages), before
    )
    pd.testing.assert_frame_equal(known_before(before, purchases, messages), before)


def test_what_was_known_needs_its_columns(history):
    table, purchases, messages = history
    with pytest.raises(ValueError, match="table of messages has no column clicked"):
        known_before(table, purchases, messages.drop(columns="clicked"))
    with pytest.raises(ValueError, match="no column starts_on"):
        known_before(table[["customer_id"]], purchases, messages)


# --- models -----------------------------------------------------------------------------------------------------------


def test_the_simulated_audience_is_what_its_words_say(past):
    assert past["customer_id"].is_unique and len(past) == 20000
    for _, rows in past.groupby("kind"):
        found = compare_arms(rows, level=0.999).iloc[0]
        assert found["low"] <= rows["effect"].iloc[0] <= found["high"]
    assert past["treated"].mean() == pytest.approx(0.5, abs=0.02)
    assert simulate_audience(2000, holdout=0.2)["treated"].mean() == pytest.approx(0.8, abs=0.03)
    pd.testing.assert_frame_equal(simulate_audience(50), simulate_audience(50))


def test_a_response_model_picks_sure_things_and_an_uplift_model_persuadables(later):
    best = {score: later.nlargest(4000, score)["kind"].value_counts(normalize=True) for score in ("response", "uplift")}
    assert best["response"]["sure thing"] > 0.7
    assert best["uplift"]["persuadable"] > 0.8
    assert later.nsmallest(1000, "uplift")["kind"].value_counts(normalize=True)["sleeping dog"] > 0.4


@pytest.mark.parametrize("score", ["uplift", "transformed"])
def test_uplift_scores_are_right_on_the_mean_of_each_kind(later, score):
    found = later.groupby("kind")[score].mean()
    assert found["persuadable"] == pytest.approx(0.2, abs=0.08)
    assert abs(found["lost cause"]) < 0.06 and abs(found["sure thing"]) < 0.06
    assert found["sleeping dog"] < 0
    assert later[score].corr(later["effect"], method="spearman") > 0.6


def test_scores_are_those_of_sklearn(past, later):
    def fitted(rows):
        tools = SimpleImputer(strategy="median"), FunctionTransformer(np.arcsinh), StandardScaler()
        model = make_pipeline(*tools, LogisticRegression(C=0.1, max_iter=1000))
        return model.fit(rows[KNOWN].to_numpy("float64"), rows["bought"]).predict_proba(
            later[KNOWN].to_numpy("float64")
        )[:, 1]

    treated, holdout = fitted(past[past["treated"]]), fitted(past[~past["treated"]])
    assert later["response"].to_numpy() == pytest.approx(treated, abs=1e-4)
    assert later["uplift"].to_numpy() == pytest.approx(treated - holdout, abs=1e-4)


def test_transformed_class_allows_for_a_small_holdout():
    """Without the weights, a holdout of a tenth would pull every uplift up."""
    past, later = simulate_audience(40000, holdout=0.1, seed=3), simulate_audience(4000, seed=4)
    scores = uplift_scores(past, later, KNOWN, method="class transformation")
    assert scores.mean() == pytest.approx(later["effect"].mean(), abs=0.03)


def test_scores_do_not_depend_on_the_order_of_the_rows(past, later):
    shuffled = past.sample(frac=1, random_state=1)
    for method in ("two models", "class transformation"):
        pd.testing.assert_series_equal(
            uplift_scores(shuffled, later, KNOWN, method), uplift_scores(past, later, KNOWN, method), atol=1e-6
        )


def test_a_blank_gets_the_median(past):
    holes = past.head(50).assign(coupon_use=np.nan)
    filled = holes.assign(coupon_use=past.loc[past["treated"], "coupon_use"].median())
    pd.testing.assert_series_equal(response_scores(past, holes, KNOWN), response_scores(past, filled, KNOWN))


def test_models_say_what_is_wrong(past):
    with pytest.raises(ValueError, match="no method 'forest'; there are: two models"):
        uplift_scores(past, past, KNOWN, method="forest")
    with pytest.raises(ValueError, match="all of the holdout did the same"):
        uplift_scores(past.assign(bought=past["bought"] & past["treated"]), past, KNOWN)
    with pytest.raises(ValueError, match="table to score has no column complaints"):
        response_scores(past, past.drop(columns="complaints"), KNOWN)
    with pytest.raises(ValueError, match="training table has no column seen"):
        response_scores(past, past)


# --- the judge --------------------------------------------------------------------------------------------------------


@pytest.fixture
def known_answer():
    """Ten persuadables (all buy if treated), ten sleeping dogs (all buy unless treated), five of each in each arm."""
    table = pd.DataFrame({"good": [True] * 10 + [False] * 10, "treated": [True, False] * 10})
    return table.assign(bought=table["good"] == table["treated"], right=table["good"] * 1.0, wrong=~table["good"] * 1.0)


def test_the_curve_of_a_known_answer(known_answer):
    right, wrong = (uplift_curve(known_answer, score) for score in ("right", "wrong"))
    assert right["share"].tolist() == [0, 0.5, 1]
    assert right["gain"].tolist() == pytest.approx([0, 0.5, 0])
    assert wrong["gain"].tolist() == pytest.approx([0, -0.5, 0])
    assert right[["treated", "holdout"]].iloc[-1].tolist() == [10, 10]
    assert qini_coefficient(right) == pytest.approx(0.25)
    assert qini_coefficient(wrong) == pytest.approx(-0.25)


def test_one_score_for_all_is_chance(known_answer):
    curve = uplift_curve(known_answer.assign(same=1.0), "same")
    assert curve["share"].tolist() == [0, 1] and qini_coefficient(curve) == 0


def test_a_smaller_holdout_is_blown_up():
    """The curve by the formula of Radcliffe (2007), row by row, where no two scores are equal."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {"treated": rng.random(200) < 0.8, "bought": rng.random(200) < 0.3, "score": rng.permutation(200)}
    )
    curve = uplift_curve(table, "score").iloc[1:]
    for point in curve.itertuples():
        best = table.nlargest(round(point.share * 200), "score")
        one, zero = best[best["treated"]]["bought"], best[~best["treated"]]["bought"]
        assert point.gain == pytest.approx((one.sum() - zero.sum() * len(one) / len(zero)) / table["treated"].sum())
    assert curve["gain"].iloc[-1] == pytest.approx(compare_arms(table)["difference"].item())


def test_equal_scores_enter_together_whatever_the_order(later):
    table = later.head(500).assign(coarse=later["uplift"].round(1))
    curve = uplift_curve(table, "coarse")
    assert len(curve) == table["coarse"].nunique() + 1
    pd.testing.assert_frame_equal(uplift_curve(table.sample(frac=1, random_state=1), "coarse"), curve)
    shuffled = judge_uplift(table.sample(frac=1, random_state=1), ["coarse", "response"], runs=20)
    pd.testing.assert_frame_equal(shuffled, judge_uplift(table, ["coarse", "response"], runs=20))


def test_the_judge_finds_the_better_score(later):
    judged = judge_uplift(later, ["response", "uplift", "transformed"], runs=60)
    assert judged.index.tolist() == ["response", "uplift", "transformed", "uplift - response", "transformed - response"]
    assert judged.loc["uplift", "low"] > 0 and judged.loc["uplift - response", "low"] > 0
    for score in ("response", "uplift"):
        assert judged.loc[score, "qini"] == pytest.approx(qini_coefficient(uplift_curve(later, score)))
    gap = judged.loc["uplift", "qini"] - judged.loc["response", "qini"]
    assert judged.loc["uplift - response", "qini"] == pytest.approx(gap)


def test_a_few_hundred_customers_cannot_tell(later):
    judged = judge_uplift(later.head(300), ["response", "uplift"], runs=200)
    assert judged.loc["uplift - response", "low"] < 0 < judged.loc["uplift - response", "high"]


def test_the_interval_of_a_score_by_lot_holds_nothing_most_times(later):
    rng, held = np.random.default_rng(6), 0
    for number in range(60):
        table = later.iloc[number * 300 : (number + 1) * 300].assign(lot=rng.random(300))
        row = judge_uplift(table, ["lot"], runs=100, seed=number).iloc[0]
        held += row["low"] <= 0 <= row["high"]
    assert held >= 50


def test_the_band_surrounds_the_curve(later):
    band = curve_band(later.head(2000), "uplift", runs=100)
    assert band.index[0] == 0 and band.index[-1] == 1 and len(band) == 21
    assert (band["low"] <= band["gain"]).all() and (band["gain"] <= band["high"]).all()
    assert band["gain"].iloc[-1] == pytest.approx(band["random"].iloc[-1])
    wide = curve_band(later.head(500), "uplift", runs=100)
    assert (wide["high"] - wide["low"])[0.5] > (band["high"] - band["low"])[0.5]


def test_the_judge_says_what_is_wrong(later):
    with pytest.raises(ValueError, match="only one arm"):
        uplift_curve(later[later["treated"]], "uplift")
    with pytest.raises(ValueError, match="is blank"):
        uplift_curve(later.assign(uplift=np.nan), "uplift")
    with pytest.raises(ValueError, match="no column luck"):
        judge_uplift(later, ["luck"])
    with pytest.raises(ValueError, match="curve has no column random"):
        qini_coefficient(pd.DataFrame({"share": [0, 1], "gain": [0, 1]}))


# --- offers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger():
    rows = [
        ["M1", "marketing", "given", "2025-01-01"],
        ["W1", "marketing", "withdrawn", "2026-01-01"],  # the same person's account
        ["M2", "marketing", "withdrawn", "2025-01-01"],
        ["M2", "marketing", "given", "2026-06-30 12:00"],  # thought better of it, on the day
        ["M3", "profiling", "given", "2025-01-01"],  # another purpose
        ["M4", "marketing", "given", "2026-07-01"],  # not yet
        ["M5", "marketing", "given", "2020-01-01"],
        ["M6", "marketing", "given", "2020-01-01"],
    ]
    table = pd.DataFrame(rows, columns=["customer_ref", "purpose", "action", "recorded_at"])
    return table.assign(
        recorded_at=pd.to_datetime(table["recorded_at"], format="mixed"), method="x", notice_version="v"
    )


def test_whom_one_may_write_to(ledger):
    records = ["M1", "W1", "M2", "M3", "M4", "M5", "M6"]
    who = pd.DataFrame({"record_id": records, "customer_id": ["K1", "K1", "K2", "K3", "K4", "K5", "K6"]})
    messages = pd.DataFrame(
        [
            ["K5", "2026-05-20", True],
            ["K6", "2026-05-01", True],
            ["K2", "2026-06-20", False],
            ["K6", "2026-07-05", True],
        ],
        columns=["customer_id", "starts_on", "treated"],
    )
    messages["starts_on"] = pd.to_datetime(messages["starts_on"])
    customers = ["K6", "K1", "K2", "K3", "K4", "K5", "K9", "K9"]
    found = may_contact(customers, ledger, who, messages, "2026-06-30", quiet_days=60).set_index("customer_id")
    assert found.index.tolist() == ["K1", "K2", "K3", "K4", "K5", "K6", "K9"]
    assert found["consent"].to_dict() == {
        "K1": "withdrawn", "K2": "given", "K3": "never given", "K4": "never given", "K5": "given", "K6": "given",
        "K9": "never given",
    }  # fmt: skip
    assert found.index[found["allowed"]].tolist() == ["K2", "K6"]
    assert found.loc["K5", "why"] == "messaged lately" and found.loc["K1", "why"] == "no consent"
    short = may_contact(customers, ledger, who, messages, "2026-06-30", quiet_days=41).set_index("customer_id")
    assert short.loc["K5", "allowed"] and found.loc["K6", "last_message"] == pd.Timestamp("2026-05-01")


def test_no_message_goes_out_without_consent():
    members, consents = load("members"), load("consents")
    who = pd.DataFrame({"record_id": members["member_id"], "customer_id": members["member_id"]})
    none = pd.DataFrame(columns=["customer_id", "starts_on", "treated"])
    found = may_contact(members["member_id"], consents, who, none, "2026-06-30")
    last = (
        consents[consents["purpose"] == "marketing"].sort_values("recorded_at").groupby("customer_ref")["action"].last()
    )
    assert found.loc[found["allowed"], "customer_id"].map(last).eq("given").all()
    assert found["allowed"].sum() == (members["member_id"].map(last) == "given").sum()


def test_shrinking_pulls_to_the_mean_by_how_sure_one_is():
    table = pd.DataFrame({"difference": [0.30, 0.10, 0.02, 0.04], "error": [0.10, 0.02, 0.02, 0.01]})
    found = shrink_to_mean(table)
    assert found["own"].between(0, 1).all() and (found["own"].idxmin(), found["own"].idxmax()) == (0, 3)
    mean = (found["shrunk"] - found["own"] * found["difference"]) / (1 - found["own"])
    assert mean.to_numpy() == pytest.approx(mean[0])
    assert ((found["shrunk"] - mean) * (found["difference"] - mean) >= 0).all()


def test_groups_that_differ_by_chance_only_all_get_the_mean():
    table = pd.DataFrame({"difference": [0.07, 0.09], "error": [0.02, 0.02]}, index=["a", "b"])
    found = shrink_to_mean(table)
    assert found["own"].tolist() == [0, 0] and found["shrunk"].tolist() == pytest.approx([0.08, 0.08])
    assert shrink_to_mean(table.head(1))["shrunk"].item() == pytest.approx(0.07)


def test_shrunk_estimates_are_nearer_to_the_truth():
    rng = np.random.default_rng(7)
    better = []
    for _ in range(200):
        truth = rng.normal(0.05, 0.02, 8)
        table = pd.DataFrame({"difference": rng.normal(truth, 0.03), "error": 0.03})
        better.append(
            ((table["difference"] - truth) ** 2).sum() - ((shrink_to_mean(table)["shrunk"] - truth) ** 2).sum()
        )
    assert np.mean(better) > 0 and np.mean(np.array(better) > 0) > 0.8


def test_dersimonian_and_laird_as_statsmodels_has_it():
    from statsmodels.stats.meta_analysis import combine_effects

    table = pd.DataFrame({"difference": [0.12, 0.03, 0.07, -0.01], "error": [0.02, 0.03, 0.025, 0.02]})
    direct = combine_effects(table["difference"].to_numpy(), table["error"].to_numpy() ** 2, method_re="dl")
    found = shrink_to_mean(table)
    assert (found["own"] / (1 - found["own"]) * table["error"] ** 2).to_numpy() == pytest.approx(direct.tau2)


def test_shrinking_needs_errors():
    with pytest.raises(ValueError, match="must be above 0"):
        shrink_to_mean(pd.DataFrame({"difference": [0.1], "error": [0.0]}))


@pytest.fixture
def market():
    customers = pd.DataFrame(
        {"customer_id": ["K2", "K1"], "base": [0.02, 0.5], "uplift": [0.1, -0.05], "value": [40.0, 80.0]}
    )
    offers = pd.DataFrame(
        [["coupon", "sms", 1.2, 10.0, 0.08], ["greeting", "app", 0.8, 0.0, 0.02]],
        columns=["offer", "medium", "strength", "coupon", "cost"],
    )
    return customers, offers


def test_the_gain_is_uplift_times_value_less_cost(market):
    found = offer_gains(*market).set_index(["customer_id", "offer"])
    assert found.index.tolist() == [("K1", "coupon"), ("K1", "greeting"), ("K2", "coupon"), ("K2", "greeting")]
    row = found.loc[("K2", "coupon")]
    assert row["uplift"] == pytest.approx(0.12) and row["buys"] == pytest.approx(0.14)
    assert row["spend"] == pytest.approx(10 * 0.14 + 0.08)
    assert row["gain"] == pytest.approx(0.12 * 40 - 1.48)
    assert found.loc[("K2", "greeting"), "gain"] == pytest.approx(0.08 * 40 - 0.02)
    assert (found.loc["K1", "gain"] < 0).all()


def test_a_chance_stays_a_chance(market):
    customers, offers = market
    found = offer_gains(customers.assign(base=0.95, uplift=0.2), offers)
    assert found["buys"].max() == 1 and found["uplift"].max() == pytest.approx(0.05)


def test_gains_say_what_is_wrong(market):
    customers, offers = market
    with pytest.raises(ValueError, match="customer_id K2 stands there twice"):
        offer_gains(pd.concat([customers, customers.head(1)]), offers)
    with pytest.raises(ValueError, match="offer coupon stands there twice"):
        offer_gains(customers, pd.concat([offers, offers.head(1)]))
    with pytest.raises(ValueError, match="the column value has a blank"):
        offer_gains(customers.assign(value=np.nan), offers)


@pytest.fixture
def choice():
    rows = [
        ["K1", "coupon", "sms", 2.0, 3.0],
        ["K1", "greeting", "app", 0.1, 2.0],
        ["K2", "coupon", "sms", 2.0, 2.5],
        ["K2", "greeting", "app", 0.1, 2.6],
        ["K3", "coupon", "sms", 2.0, -1.0],
        ["K3", "greeting", "app", 0.1, -0.1],
        ["K4", "coupon", "sms", 2.0, 9.0],
        ["K5", "coupon", "sms", 2.0, 4.0],
    ]
    gains = pd.DataFrame(rows, columns=["customer_id", "offer", "medium", "spend", "gain"])
    allowed = pd.DataFrame({"customer_id": ["K5", "K4", "K3", "K2", "K1"], "allowed": [True, False, True, True, True]})
    return gains, allowed.assign(why=np.where(allowed["allowed"], "", "no consent"))


def test_each_gets_the_best_and_nobody_what_he_may_not(choice):
    found = choose_offers(*choice).set_index("customer_id")
    assert found["offer"].to_dict() == {
        "K1": "coupon", "K2": "greeting", "K3": "no offer", "K4": "no offer", "K5": "coupon",
    }  # fmt: skip
    assert found["why"].to_dict() == {
        "K1": "best offer", "K2": "best offer", "K3": "no offer pays", "K4": "no consent", "K5": "best offer",
    }  # fmt: skip
    assert found.loc["K4", ["spend", "gain"]].tolist() == [0, 0] and found["medium"].isna().sum() == 2


def test_an_offer_must_reach(choice):
    reach = pd.DataFrame({"customer_id": ["K1", "K2", "K3"], "medium": ["app", "sms", "sms"]})
    found = choose_offers(*choice, reach=reach).set_index("customer_id")
    assert found["offer"].tolist() == ["greeting", "coupon", "no offer", "no offer", "no offer"]
    assert found.loc["K5", "why"] == "cannot be reached"


@pytest.mark.parametrize(
    "budget, served", [(0, []), (0.1, ["K2"]), (2.1, ["K2", "K5"]), (4.0, ["K2", "K5"]), (4.1, ["K1", "K2", "K5"])]
)
def test_the_budget_goes_to_those_who_gain_most_for_each_coin(choice, budget, served):
    found = choose_offers(*choice, budget=budget)
    assert found.loc[found["offer"] != "no offer", "customer_id"].tolist() == served
    assert found["spend"].sum() <= budget + 1e-9


def test_choosing_does_not_depend_on_the_order_of_the_rows(choice):
    gains, allowed = choice
    again = choose_offers(gains.sample(frac=1, random_state=1), allowed.sample(frac=1, random_state=2), budget=2.1)
    pd.testing.assert_frame_equal(again, choose_offers(gains, allowed, budget=2.1))


def test_choosing_says_what_is_wrong(choice):
    gains, allowed = choice
    with pytest.raises(ValueError, match="customer K5 may be written to, but has no gains"):
        choose_offers(gains[gains["customer_id"] != "K5"], allowed)
    with pytest.raises(ValueError, match="stands twice"):
        choose_offers(gains, pd.concat([allowed, allowed]))
    with pytest.raises(ValueError, match="below 0"):
        choose_offers(gains, allowed, budget=-1)


def test_the_report_counts_everybody(choice):
    found = offer_report(choose_offers(*choice, budget=2.1))
    assert found["customers"].sum() == 5
    assert found["offer"].tolist() == ["coupon", "greeting", "no offer", "no offer", "no offer"]
    assert found.loc[0, ["customers", "spend", "gain"]].tolist() == [1, 2.0, 4.0]
