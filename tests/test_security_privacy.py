"""Privacy: a release is attacked, made safe, attacked again; a person asks for his data, then to be forgotten."""

import hashlib
import hmac
import itertools

import numpy as np
import pandas as pd
import pytest

from cimlab import load
from cimlab.security import (
    KEPT_FOR_BOOKS,
    RECORD_COLUMNS,
    apply_retention,
    averaging_attack,
    best_guess,
    check_erased,
    class_sizes,
    consent_withdrawn_effect,
    copy_of_data,
    correct_value,
    differencing_attack,
    erase_person,
    find_person,
    generalise,
    guess_pseudonyms,
    homogeneity_attack,
    journalist_risk,
    k_anonymity,
    l_diversity,
    link_attack,
    link_report,
    make_k_anonymous,
    noise_within,
    noisy_count,
    open_account,
    private_count,
    private_histogram,
    private_sum,
    prosecutor_risk,
    pseudonyms,
    retention_due,
    risk_utility_curve,
    spend_budget,
    t_closeness,
    trace_attack,
    unique_share,
    utility_lost,
)

QUASI = ["age", "gender", "city"]
KEY = b"a key of more than sixteen bytes"


def people(rows=400, seed=1):
    """Persons with what a neighbour knows of them, and two things that he should not learn."""
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 80, rows)
    table = pd.DataFrame(
        {
            "person": [f"P{number:04d}" for number in range(rows)],
            "age": age,
            "gender": draw.choice(["F", "M"], rows),
            "city": draw.choice(["上海", "宁波", "杭州", "南京"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "spend": np.round(draw.gamma(2, 100, rows) + 5 * age, 2),
        }
    )
    return table.assign(complaint=np.where(age > 60, "health", draw.choice(["billing", "delivery"], rows)))


@pytest.fixture(scope="module")
def table():
    return people()


# ---- attacks ---------------------------------------------------------------------------------------------------------


def test_class_sizes_count_a_missing_value_as_a_value_and_keep_the_index():
    table = pd.DataFrame({"a": [1, np.nan, np.nan, 1], "b": ["x", "y", "y", None]}, index=[5, 3, 9, 1])
    assert class_sizes(table, ["a", "b"]).to_dict() == {5: 1, 3: 2, 9: 2, 1: 1}
    for wrong in (table.iloc[:0], table):
        with pytest.raises(ValueError, match="at least one row and one column"):
            class_sizes(wrong, ["a"] if wrong.empty else [])
    with pytest.raises(ValueError, match="has no column c"):
        class_sizes(table, ["c"])


def test_more_columns_never_make_fewer_people_unique(table):
    shares = [unique_share(table, QUASI[: number + 1]) for number in range(3)]
    assert shares == sorted(shares) and shares[0] < shares[-1]
    assert unique_share(table, ["person"]) == 1.0


def test_the_journalist_never_has_more_risk_than_the_prosecutor(table):
    release = table.iloc[::3]
    inside, outside = prosecutor_risk(release, QUASI), journalist_risk(release, table, QUASI)
    assert (outside <= inside).all() and outside.mean() < inside.mean()
    sizes = table.groupby(QUASI).size()
    assert outside.tolist() == [1 / sizes[tuple(row)] for row in release[QUASI].to_numpy()]
    assert inside.sum() == pytest.approx(release[QUASI].drop_duplicates().shape[0])  # one right guess a class
    few = journalist_risk(release, table.iloc[:1], tuple(QUASI))
    pd.testing.assert_series_equal(few, inside)  # a population with less than the release says nothing


def test_a_release_without_names_is_linked_defended_and_linked_again(table):
    release = table.drop(columns="person").assign(truth=table["person"]).sample(frac=1, random_state=2)
    known = table.iloc[:100].assign(name="x")
    attack = link_attack(release, known, QUASI, truth=("truth", "person"))
    assert attack.index.equals(known.index) and (attack["matches"] == class_sizes(table, QUASI).iloc[:100]).all()
    assert (attack["unique"] == (attack["matches"] == 1)).all() and (attack["right"] == attack["unique"]).all()
    hit = attack[attack["unique"]]
    assert (release.loc[hit["release_row"], "truth"].to_numpy() == known.loc[hit.index, "person"].to_numpy()).all()
    report = link_report(attack).iloc[0]
    assert report["unique"] == report["right"] > 20 and report["right_share"] == 1.0
    rules = {"age": ("band", [30, 45, 60]), "city": ("drop",)}
    safe, coarse = generalise(release, rules), generalise(known, rules)
    again = link_report(link_attack(safe, coarse, ["age", "gender"], truth=("truth", "person"))).iloc[0]
    assert again["matched"] == 100 and again["unique"] == 0 and np.isnan(again["right_share"])


def test_a_link_within_a_tolerance_finds_what_an_exact_one_misses_and_can_be_wrong():
    release = pd.DataFrame({"day": pd.to_datetime(["2026-01-05", "2026-03-01"]), "age": [30, 50], "who": ["a", "b"]})
    known = pd.DataFrame({"day": pd.to_datetime(["2026-01-06", "2026-03-01"]), "age": [31, 51], "who": ["a", "c"]})
    assert link_attack(release, known, ["day", "age"])["matches"].tolist() == [0, 0]
    near = link_attack(release, known, ["day", "age"], {"day": pd.Timedelta(days=1), "age": 1}, ("who", "who"))
    assert near["unique"].tolist() == [True, True] and near["right"].tolist() == [True, False]
    assert near["release_row"].tolist() == [0, 1]
    missing = link_attack(release, known.assign(age=[np.nan, 50]), ["age"])
    assert missing["matches"].tolist() == [0, 1]  # what is missing fits nothing
    both = link_attack(release.assign(age=[np.nan, 50]), known.assign(age=[np.nan, 50]), ["age"])
    assert both["matches"].tolist() == [0, 1]  # and not another missing value either


def test_a_link_says_what_is_wrong(table):
    with pytest.raises(ValueError, match="age is a number in one table"):
        link_attack(table, table.assign(age=table["age"].astype(str)), ["age"])
    with pytest.raises(ValueError, match="a tolerance stands for"):
        link_attack(table, table, ["city"], {"age": 1})
    big = pd.DataFrame({"age": np.zeros(5000)})
    with pytest.raises(ValueError, match="20 million pairs"):
        link_attack(big, big, ["age"], {"age": 1})


def test_hashed_phones_fall_to_trying_and_keyed_ones_do_not():
    phones = pd.Series([f"1740000{number:04d}" for number in (3, 77, 4242)])
    plain = phones.map(lambda phone: hashlib.sha256(phone.encode()).hexdigest())
    numbers = range(17400000000, 17400010000)
    broken = guess_pseudonyms(plain, numbers)
    assert broken["share"] == 1.0 and sorted(broken["found"]["value"]) == sorted(phones)
    assert broken["tries"] == 4243 and broken["seconds"] > 0  # it stops when all are found
    assert guess_pseudonyms(plain.str[:16].str.upper(), numbers)["share"] == 1.0
    assert guess_pseudonyms(plain, numbers, limit=100)["tries"] == 100
    keyed = guess_pseudonyms(pseudonyms(phones, KEY), numbers)
    assert keyed["share"] == 0 and keyed["found"].empty and keyed["tries"] == 10_000
    leaked = guess_pseudonyms(
        pseudonyms(phones, KEY), numbers, make=lambda text: hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
    )
    assert leaked["share"] == 1.0  # whoever has the key undoes it
    with pytest.raises(ValueError, match="of one length"):
        guess_pseudonyms(["abc", "abcd"], numbers)


def test_few_purchases_single_a_customer_out_until_the_points_are_coarse():
    orders = load("orders").query("channel == 'till'").dropna(subset=["customer_ref"])
    orders = orders.assign(day=orders["ordered_at"].dt.normalize(), quarter=orders["ordered_at"].dt.quarter)
    fine = trace_attack(orders, "customer_ref", ["day", "store_id"], people=150)
    assert fine["unique_share"].is_monotonic_increasing and fine["unique_share"].iloc[2] > 0.95
    coarse = trace_attack(orders, "customer_ref", ["quarter", "store_id"], people=150)
    assert coarse["unique_share"].iloc[0] < 0.05 and (coarse["mean_candidates"] >= fine["mean_candidates"]).all()
    pd.testing.assert_frame_equal(
        fine, trace_attack(orders.sample(frac=1, random_state=1), "customer_ref", ["day", "store_id"], people=150)
    )
    nobody = trace_attack(orders, "customer_ref", ["quarter", "store_id"], known=[1000])
    assert nobody["people"].tolist() == [0] and nobody["unique_share"].isna().all()
    with pytest.raises(ValueError, match="1 point or more"):
        trace_attack(orders, "customer_ref", ["day"], known=[0])


def test_traces_are_counted_right_on_a_tiny_table():
    events = pd.DataFrame({"who": list("aaabbcc"), "day": [1, 2, 2, 1, 3, 1, 1]})
    attack = trace_attack(events, "who", ["day"], known=[1, 2])
    assert attack["people"].tolist() == [3, 2]  # a second visit on the same day is no new point: c has one
    assert attack["unique_share"].iloc[1] == 1.0 and attack["mean_candidates"].iloc[0] > 1


def test_k_anonymity_falls_to_the_homogeneity_attack_and_l_diversity_does_not(table):
    release = make_k_anonymous(table, QUASI, 5)
    learned = homogeneity_attack(release, QUASI, "complaint")
    assert k_anonymity(release, QUASI) >= 5 and learned["records"].sum() > 50
    assert learned["records"].is_monotonic_decreasing and set(learned["complaint"]) >= {"health"}
    first = release[(release[QUASI] == learned.loc[0, QUASI]).all(axis=1)]
    assert len(first) == learned.loc[0, "records"] and set(first["complaint"]) == {learned.loc[0, "complaint"]}
    diverse = make_k_anonymous(table, QUASI, 5, "complaint", least=2)
    assert homogeneity_attack(diverse, QUASI, "complaint").empty
    assert l_diversity(diverse, QUASI, "complaint")["distinct"] >= 2 and k_anonymity(diverse, QUASI) >= 5
    blank = pd.DataFrame({"age": [1, 1, 2, 2], "complaint": [None, None, "billing", None]})
    assert homogeneity_attack(blank, ["age"], "complaint").empty
    with pytest.raises(ValueError, match="cannot be both"):
        homogeneity_attack(table, QUASI, "age")


# ---- de-identification -----------------------------------------------------------------------------------------------


def test_pseudonyms_are_stable_for_a_key_and_differ_between_keys():
    ids = pd.Series(["M1", None, "M2", "M1"], index=[4, 2, 7, 1], name="member_id")
    one = pseudonyms(ids, KEY)
    assert one.index.equals(ids.index) and one.name == "member_id"
    assert one.isna().tolist() == [False, True, False, False]
    assert one[4] == one[1] != one[7] and one[4] == hmac.new(KEY, b"M1", hashlib.sha256).hexdigest()[:16]
    pd.testing.assert_series_equal(one, pseudonyms(ids, KEY.decode()))
    assert not set(one.dropna()) & set(pseudonyms(ids, KEY[::-1]).dropna())
    assert pseudonyms(pd.Series([7]), KEY).tolist() == pseudonyms(pd.Series(["7"]), KEY).tolist()
    with pytest.raises(ValueError, match="16 bytes"):
        pseudonyms(ids, "short")
    with pytest.raises(ValueError, match="read them as text"):
        pseudonyms(pd.Series([7.0, np.nan]), KEY)
    with pytest.raises(ValueError, match="take a larger length"):
        pseudonyms(pd.Series(range(100_000)).astype(str), KEY, length=8)


def test_generalise_knows_each_rule_and_leaves_the_table_alone():
    table = pd.DataFrame(
        {
            "age": [17, 18, 34, 60, np.nan],
            "city": ["宁波", "杭州", "上海", None, "宁波"],
            "phone": ["17400000001", None, "13490000002", "1", "2"],
            "on": pd.to_datetime(["2026-06-30", None, "2025-01-02", "2025-01-31", "2026-06-01"]),
            "spend": [149.0, 151.0, 9000.0, np.nan, 0.0],
            "name": "x",
        }
    )
    before = table.copy()
    rules = {"age": ("band", [35, 18, 60]), "city": ("map", {"宁波": "浙江"}), "phone": ("start", 3), "on": ("month",)}
    coarse = generalise(table, rules | {"spend": ("round", 100), "name": ("drop",)})
    assert coarse["age"].fillna("?").tolist() == ["<18", "18-34", "18-34", "60+", "?"]
    assert coarse["city"].fillna("?").tolist() == ["浙江", "other", "other", "?", "浙江"]
    assert coarse["phone"].fillna("?").tolist() == ["174", "?", "134", "1", "2"]
    assert coarse["on"].fillna("?").tolist() == ["2026-06", "?", "2025-01", "2025-01", "2026-06"]
    assert coarse["spend"].fillna(-1).tolist() == [100, 200, 9000, -1, 0] and "name" not in coarse
    other = generalise(table, {"on": ("year",), "spend": ("top", 1000)})
    assert other["on"].fillna("?").tolist() == ["2026", "?", "2025", "2025", "2026"] and other["spend"].max() == 1000
    pd.testing.assert_frame_equal(table, before)
    with pytest.raises(ValueError, match=r"city: the rule \('month',\) does not fit"):
        generalise(table, {"city": ("month",)})
    with pytest.raises(ValueError, match="'blur' is not known"):
        generalise(table, {"city": ("blur",)})
    with pytest.raises(ValueError, match="has no column town"):
        generalise(table, {"town": ("drop",)})


@pytest.mark.parametrize("k", [2, 5, 20])
def test_mondrian_keeps_k_and_the_truth_and_needs_no_order(table, k):
    before = table.copy()
    release = make_k_anonymous(table, QUASI, k)
    pd.testing.assert_frame_equal(table, before)
    assert k_anonymity(release, QUASI) >= k and release.index.equals(table.index)
    pd.testing.assert_frame_equal(release.drop(columns=QUASI), table.drop(columns=QUASI))
    for told, age in zip(release["age"], table["age"], strict=True):
        low, _, high = told.partition("–")
        assert told == "*" or int(low) <= age <= int(high or low)
    assert all(
        told == "*" or city in told.split("|") for told, city in zip(release["city"], table["city"], strict=True)
    )
    shuffled = make_k_anonymous(table.sample(frac=1, random_state=3), QUASI, k).sort_index()
    pd.testing.assert_frame_equal(release, shuffled)
    sizes = class_sizes(release, QUASI)
    assert sizes.max() < 12 * k  # it cuts as far as it can; only many equal values stay together


def test_mondrian_with_k_of_one_changes_nothing_but_the_type(table):
    release = make_k_anonymous(table, QUASI, 1)
    pd.testing.assert_frame_equal(release[QUASI], table[QUASI].astype("str"))
    lost = utility_lost(table, release, QUASI, "spend")
    assert lost["certainty_lost"] == lost["suppressed"] == 0 and lost["mean_error"] == pytest.approx(0, abs=1e-12)


def test_mondrian_shows_missing_values_times_and_fractions():
    table = pd.DataFrame(
        {"age": [18.5, 25, np.nan, 71], "day": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-03-01", "2026-03-01"])}
    )
    release = make_k_anonymous(table, ["day", "age"], 2)
    assert release["day"].tolist() == ["2026-01-01–2026-01-02"] * 2 + ["2026-03-01"] * 2
    assert release["age"].tolist() == ["18.5–25"] * 2 + ["71|missing"] * 2
    assert make_k_anonymous(table, ["age"], 4)["age"].tolist() == ["*"] * 4


def test_suppression_leaves_the_small_classes_out(table):
    coarse = generalise(table, {"age": ("band", [30, 45, 60])})
    release = make_k_anonymous(coarse, QUASI, 10, method="suppress")
    sizes = class_sizes(coarse, QUASI)
    pd.testing.assert_frame_equal(release, coarse[sizes >= 10])
    assert 0 < utility_lost(table, release, QUASI)["suppressed"] == (sizes < 10).mean()
    diverse = make_k_anonymous(coarse, QUASI, 10, "complaint", least=2, method="suppress")
    assert l_diversity(diverse, QUASI, "complaint")["distinct"] >= 2 and len(diverse) < len(release)


def test_make_k_anonymous_says_what_cannot_be_done(table):
    for wrong in ({"k": 401}, {"k": 2, "sensitive": "complaint", "least": 4}, {"k": 300, "method": "suppress"}):
        with pytest.raises(ValueError, match="no class of"):
            make_k_anonymous(table, QUASI, **wrong)
    for wrong in ({"k": 0}, {"k": 2, "sensitive": "age"}, {"k": 2, "method": "magic"}):
        with pytest.raises(ValueError, match="give k of 1 or more"):
            make_k_anonymous(table, QUASI, **wrong)
    with pytest.raises(ValueError, match="needs a sensitive column"):
        make_k_anonymous(table, QUASI, 2, least=2)


def test_l_diversity_and_t_closeness_by_hand():
    table = pd.DataFrame({"age": [1, 1, 1, 1, 2, 2], "pay": [3, 4, 5, 5, 9, 9]})
    shares = np.array([0.25, 0.25, 0.5])
    assert l_diversity(table, ["age"], "pay") == {"distinct": 1, "entropy": 1.0}
    first = l_diversity(table[table["age"] == 1], ["age"], "pay")
    assert first["distinct"] == 3 and first["entropy"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert l_diversity(pd.DataFrame({"a": [1, 1], "b": ["x", None]}), ["a"], "b")["distinct"] == 2
    # the example of Li, Li and Venkatasubramanian (2007): salaries 3 to 11, the class {3, 4, 5} is 0.375 from the whole
    salaries = pd.DataFrame({"class": [1, 2, 1, 2, 1, 2, 3, 3, 3], "salary": [3, 6, 4, 8, 5, 11, 7, 9, 10]})
    assert t_closeness(salaries, ["class"], "salary") == pytest.approx(0.375)
    assert t_closeness(salaries.assign(salary="s" + salaries["salary"].astype(str)), ["class"], "salary") == (
        pytest.approx(2 / 3)
    )
    assert t_closeness(salaries.assign(salary=1), ["class"], "salary") == 0
    assert t_closeness(pd.concat([salaries.assign(**{"class": number}) for number in (1, 2)]), ["class"], "salary") == 0
    with pytest.raises(ValueError, match="cannot be both"):
        t_closeness(salaries, ["class"], "class")
    with pytest.raises(ValueError, match="no rows"):
        l_diversity(table.iloc[:0], ["age"], "pay")


def test_utility_lost_by_hand():
    before = pd.DataFrame({"age": [20, 30, 40, 50], "city": list("aabb"), "spend": [10.0, 20.0, 30.0, 60.0]})
    after = before.iloc[:3].assign(age=["20-30", "20-30", "40-50"], city="*")
    lost = utility_lost(before, after, ["age", "city"], "spend")
    assert lost["suppressed"] == 0.25 and lost["average_class"] == 1.5
    assert lost["discernibility"] == 2 * 2 + 1 + 1 * 4
    assert lost["certainty_lost"] == pytest.approx((3 * np.mean([2 / 9, 1.0]) + 1) / 4)
    ages, cities = np.mean([5, 5, 0]), np.mean([5, 5, 25, 25])  # nothing is told of 50; * is 20 for a (15) and b (45)
    assert lost["mean_error"] == pytest.approx(np.mean([ages, cities]) / 30)
    ranges = before.assign(age=["20-40", "30", "20-40", "50"])  # a range stands for what lies within, seen or not
    assert utility_lost(before, ranges, ["age"])["certainty_lost"] == pytest.approx((2 + 0 + 2 + 0) / 4 / 3)
    told = [30, (2 * 30 / 3 + 20) / (2 / 3 + 1), 30, 60]  # of 30, two thirds of a record for 20-40 and one of its own
    dear = ranges.assign(spend=[10.0, 20.0, 50.0, 60.0])
    off = np.abs(np.array(told) - dear["spend"]).mean() / 35
    assert utility_lost(dear.assign(age=before["age"]), dear, ["age"], "spend")["mean_error"] == pytest.approx(off)
    holes = before.assign(age=[20, np.nan, 30, 50])
    shown = holes.assign(age=["20|missing", "20|missing", "30", "50"])  # what is missing is no end of a range
    assert utility_lost(holes, shown, ["age"])["certainty_lost"] == pytest.approx((1 + 1 + 0 + 0) / 4 / 3)
    gaps = before.assign(age=[20, np.nan, np.nan, 50], spend=[10.0, 20.0, np.nan, 60.0])
    lost = utility_lost(gaps, gaps.assign(age="*"), ["age"], "spend")
    assert lost["certainty_lost"] == 1.0 and lost["mean_error"] == pytest.approx((20 + 10 * 2 + 30) / 4 / 30)
    dropped = utility_lost(before, before.drop(columns=["age", "city"]), ["age", "city"], "spend")
    assert dropped["certainty_lost"] == 1.0 and dropped["average_class"] == 4 and np.isnan(dropped["mean_error"])
    with pytest.raises(ValueError, match="needs the index"):
        utility_lost(before, after.set_axis([7, 8, 9]), ["age"])


def test_what_risk_loses_utility_pays(table):
    curve = risk_utility_curve(table, QUASI, "spend", ks=[1, 2, 5, 10, 40])
    assert (curve["smallest_class"] >= curve["k"]).all() and (curve["max_risk"] <= 1 / curve["k"]).all()
    assert curve["mean_risk"].is_monotonic_decreasing and curve["utility"].is_monotonic_decreasing
    assert curve.loc[0, "utility"] == 1 and curve.loc[0, "mean_error"] < 1e-12 < 0.01 < curve["mean_error"].iloc[-1]
    assert "mean_error" not in risk_utility_curve(table, QUASI, "complaint", ks=[5])
    assert risk_utility_curve(table, QUASI, "complaint", ks=[5], least=2)["distinct"].tolist() == [2]


def test_noise_has_the_width_of_the_mechanism_and_hides_one_person():
    draw = np.random.default_rng(5)
    noise = np.array([noisy_count(0, 0.5, 1, draw) for _ in range(20_000)])
    assert np.abs(noise).mean() == pytest.approx(2, rel=0.03) and np.median(noise) == pytest.approx(0, abs=0.05)
    assert noise.std() == pytest.approx(2 * np.sqrt(2), rel=0.03)
    wide = np.array([noisy_count(0, 0.5, 3, draw) for _ in range(5_000)])
    assert np.abs(wide).mean() == pytest.approx(6, rel=0.06)
    one, other = noise[:10_000] + 100, noise[10_000:] + 101  # with and without one person
    bins = np.arange(97, 105)
    ratio = np.histogram(one, bins)[0] / np.histogram(other, bins)[0]
    assert ratio.max() < np.exp(0.5) * 1.15 and ratio.min() > np.exp(-0.5) / 1.15
    assert noisy_count(10, 1, 1, 7) == noisy_count(10, 1, 1, 7) != noisy_count(10, 1, 1, 8)
    for wrong in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="above 0"):
            noisy_count(10, *wrong, 1)


def test_asking_again_breaks_the_noise_unless_the_budget_ends():
    draw, truth = np.random.default_rng(3), 321
    unlimited = [noisy_count(truth, 0.1, 1, draw) for _ in range(5000)]
    assert round(np.mean(unlimited)) == truth  # the attack
    account = spend_budget([("members of ST01", 0.1)] * 5000, budget=1.0)
    assert account["answered"].sum() == 10 and account["answered"].iloc[:10].all()  # 0.1 ten times is 1.0
    assert account["spent"].iloc[-1] == 1.0 and account["left"].iloc[-1] == 0.0
    off = [abs(np.mean(unlimited[start : start + 10]) - truth) for start in range(0, 5000, 10)]
    assert np.mean(np.array(off) < 0.5) < 0.25  # ten answers rarely tell the count
    assert spend_budget([("a", 0.1)] * 3, budget=0.3)["answered"].all()  # 0.1 + 0.1 + 0.1 is 0.30000000000000004
    later = spend_budget([("a", 0.8), ("b", 0.5), ("c", 0.2)], budget=1)
    assert later["answered"].tolist() == [True, False, True]
    with pytest.raises(ValueError, match="costs an epsilon above 0"):
        spend_budget([("a", 0.0)], 1)


def test_the_library_proves_its_epsilon_and_its_noise_is_as_wide_as_it_says():
    values = pd.Series(["x"] * 500)
    answers = [private_count(values, 0.5) for _ in range(1500)]
    off = np.array([answer["told"] for answer in answers]) - 500
    proof = answers[0]
    assert 0.499 < proof["epsilon"] <= 0.5 and proof["scale"] == pytest.approx(2, rel=1e-6)
    assert 1.7 < np.abs(off).mean() < 2.3 and abs(off.mean()) < 0.5  # |noise| is 2 on average
    assert 0.92 < (np.abs(off) <= proof["within_95"]).mean() < 0.99
    assert noise_within(0.5) == pytest.approx(2 * np.log(20)) and abs(proof["within_95"] - noise_within(0.5)) < 1
    assert len(set(off)) > 5 and all(isinstance(answer["told"], int) for answer in answers)
    many = private_count(values, 0.5, rows=4)  # whoever has four rows is hidden by four times the noise
    assert many["scale"] == pytest.approx(8, rel=1e-6) and many["epsilon"] <= 0.5
    assert abs(private_count(pd.Series(["a", None, None] * 100), 5)["told"] - 300) < 20  # missing values are rows


def test_a_bounded_sum_hides_the_rich_and_a_histogram_costs_one_epsilon():
    spend = pd.Series([20.0, 9000.0, np.nan] * 400)
    told = [private_sum(spend, 1.0, (0, 100)) for _ in range(60)]
    assert all(0.999 < answer["epsilon"] <= 1 for answer in told)
    assert told[0]["scale"] == pytest.approx(100, rel=1e-4)
    assert abs(np.mean([answer["told"] for answer in told]) - 400 * 120) < 150  # 9000 counts as 100
    cities = pd.Series(["宁波"] * 700 + ["上海"] * 200 + ["?"] * 50)
    counts, proof = private_histogram(cities, ["上海", "宁波", "杭州"], 0.5)
    assert counts.index.tolist() == ["上海", "宁波", "杭州"] and 0.499 < proof["epsilon"] <= 0.5
    assert (counts - [200, 700, 0]).abs().max() < 60 and "told" not in proof
    for wrong in ((100, 0), (5, 5)):
        with pytest.raises(ValueError, match="lower bound"):
            private_sum(spend, 1.0, wrong)
    for categories in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="each category once"):
            private_histogram(cities, categories, 1.0)
    for work in (lambda: private_count(cities, 0), lambda: private_count(cities, 1, rows=0), lambda: noise_within(-1)):
        with pytest.raises(ValueError, match="epsilon must be above 0"):
            work()
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        noise_within(1, share=1)


def test_the_account_gives_ten_answers_and_then_averaging_stops():
    members = pd.Series(["ST01"] * 321 + ["ST02"] * 100)
    draw = np.random.default_rng(3)
    free = averaging_attack(lambda: noisy_count(321, 0.1, 1, draw), 5000)
    assert free["answers"] == 5000 and not free["refused"] and round(free["mean"]) == 321
    ask = open_account(members, budget=1.0)
    kept = averaging_attack(lambda: ask("ST01", 0.1), 5000)
    assert kept["answers"] == 10 and kept["refused"]
    asks = [open_account(members, budget=1.0) for _ in range(60)]
    off = [abs(averaging_attack(lambda: ask("ST01", 0.1), 50)["mean"] - 321) for ask in asks]  # noqa: B023
    assert np.mean(np.array(off) < 0.5) < 0.4 and np.mean(off) > 1.5  # ten answers rarely tell the count
    ask = open_account(members, budget=1.0)
    assert abs(ask("ST02", 0.7) - 100) < 40
    assert isinstance(ask("ST01", 0.2), int)  # 0.9 of 1.0
    for cost in (0.2, 0.05):  # the first question that is too dear closes the account
        with pytest.raises(ValueError, match=f"does not suffice for an answer of epsilon {cost}: nothing more is told"):
            ask("ST01", cost)
    silent = averaging_attack(lambda: ask("ST01", 0.01), 3)
    assert silent["answers"] == 0 and silent["refused"] and np.isnan(silent["mean"])
    with pytest.raises(ValueError, match="above 0"):
        open_account(members, 0)
    with pytest.raises(ValueError, match="above 0"):
        ask("ST01", 0)


def test_two_harmless_counts_betray_one_person_and_noisy_ones_do_not():
    assert differencing_attack(lambda true: true, 40) == 1.0
    draw = np.random.default_rng(1)
    noisy = differencing_attack(lambda true: noisy_count(true, 0.25, 1, draw), 40, people=4000)
    assert 0.5 < noisy < best_guess(0.5) + 0.02
    weak = differencing_attack(lambda true: noisy_count(true, 10, 1, draw), 40, people=1000)
    assert weak > 0.95  # an epsilon of 20 in all protects nobody
    crowd = pd.Series(["x"] * 40)
    library = differencing_attack(lambda true: private_count(crowd.iloc[:true], 0.25)["told"], 40, people=400)
    assert 0.4 < library < best_guess(0.5) + 0.1
    assert best_guess(0) == 0.5 and best_guess(1) == pytest.approx(np.e / (1 + np.e))
    with pytest.raises(ValueError, match="epsilon is 0 or more"):
        best_guess(-1)


# ---- the rights of the person ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables():
    return {name: load(name) for name in RECORD_COLUMNS} | {"stores": load("stores")}


@pytest.fixture(scope="module")
def person(tables):
    """The records of the person of the reviewed ones who left most traces."""
    reviewed = tables["reviewed"]
    bought = tables["orders"]["customer_ref"].value_counts()
    records = reviewed.groupby("person_no")["record_id"].agg(sorted)
    kinds = records.map(lambda ids: (len({record[0] for record in ids}), int(bought.reindex(ids).sum()), ids))
    return max(kinds)[2]


def same_tables(one, other):
    assert list(one) == list(other)
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])


def test_a_person_is_found_in_every_table_that_the_map_names(tables, person):
    found = find_person(tables, RECORD_COLUMNS, person)
    assert list(found) == list(RECORD_COLUMNS) and "stores" not in found
    orders = tables["orders"][tables["orders"]["customer_ref"].isin(person)]
    pd.testing.assert_frame_equal(found["orders"], orders)
    lines = tables["order_lines"]
    pd.testing.assert_frame_equal(found["order_lines"], lines[lines["order_id"].isin(orders["order_id"])])
    assert len(found["members"]) and len(found["web_accounts"]) and len(found["calls"]) and len(found["consents"])
    assert find_person(tables, RECORD_COLUMNS | {"stores": []}, person)["stores"].empty
    one_card = find_person(tables, RECORD_COLUMNS, found["members"]["member_id"].iloc[0])
    assert len(one_card["orders"]) < len(orders)  # a card is not a person


def test_an_empty_id_finds_no_anonymous_order():
    tables = {"orders": pd.DataFrame({"order_id": [None, "O2", None], "customer_ref": [None, "M1", "M1"]})}
    tables["lines"] = pd.DataFrame({"order_id": [None, "O2"]})
    who = {"orders": ["customer_ref"], "lines": [("order_id", "orders")]}
    assert find_person(tables, who, "M1")["lines"].index.tolist() == [1]
    for nothing in ([], "", [None], [" "]):
        with pytest.raises(ValueError, match="give the record ids"):
            find_person(tables, who, nothing)


def test_a_wrong_map_stops_before_anything_is_done(tables, person):
    for who, message in (
        ({"clients": ["id"]}, "clients, which is not among the tables"),
        ({"orders": "customer_ref"}, "as a list"),
        ({"orders": ["member_id"]}, "has no column member_id"),
        ({"order_lines": [("order_id", "orders")], "orders": ["customer_ref"]}, "put orders before it"),
    ):
        with pytest.raises(ValueError, match=message):
            erase_person(tables, who, person)
    doubled = {"orders": pd.concat([tables["orders"].head(2)] * 2)}
    with pytest.raises(ValueError, match="the index of orders repeats"):
        find_person(doubled, {"orders": ["customer_ref"]}, person)


def test_a_copy_holds_the_person_and_nobody_else(tables, person):
    copied, overview = copy_of_data(tables, RECORD_COLUMNS, person)
    assert overview["table"].tolist() == list(tables) and overview["searched"].tolist() == [True] * (
        len(tables) - 1
    ) + [False]
    rows = overview.set_index("table")["rows"]
    assert rows[rows > 0].to_dict() == {name: len(part) for name, part in copied.items()}
    assert set(copied["orders"]["customer_ref"]) <= set(person) and copied["orders"].index[0] == 0
    copied["orders"]["amount"] = 0.0
    assert tables["orders"]["amount"].sum() > 0


def test_a_correction_is_made_once_noted_and_dated(tables, person):
    before = {name: table.copy() for name, table in tables.items()}
    new, log = correct_value(tables, RECORD_COLUMNS, person, "web_accounts", "city", "南京", on="2026-07-01")
    same_tables(tables, before)
    mine = new["web_accounts"]["account_id"].isin(person)
    assert set(new["web_accounts"].loc[mine, "city"]) == {"南京"} and len(log) == mine.sum()
    assert (new["web_accounts"].loc[mine, "updated_on"] == pd.Timestamp("2026-07-01")).all()
    pd.testing.assert_frame_equal(new["web_accounts"][~mine], tables["web_accounts"][~mine])
    assert log["before"].tolist() == tables["web_accounts"].loc[mine, "city"].tolist()
    _, longer = correct_value(new, RECORD_COLUMNS, person, "members", "address", "新路1号", "2026-07-02", log)
    assert len(longer) > len(log) and longer["after"].iloc[-1] == "新路1号" and longer["table"].iloc[-1] == "members"
    for table, column, value, message in (
        ("members", "member_id", "M1", "links the row to the person"),
        ("stores", "city", "南京", "no row in the table stores"),
        ("members", "town", "南京", "has no column town"),
        ("orders", "amount", "much", "'much' does not fit the column amount"),
    ):
        with pytest.raises(ValueError, match=message):
            correct_value(tables, RECORD_COLUMNS, person, table, column, value, on="2026-07-01")


def test_the_forgotten_backup_betrays_the_person_and_a_whole_map_does_not(tables, person):
    phones = tables["members"].loc[tables["members"]["member_id"].isin(person), "phone"].dropna().tolist()
    everything = tables | {
        "backup_members": tables["members"].copy(),
        "mailing": tables["members"][["name", "phone"]].copy(),
    }
    before = {name: table.copy() for name, table in everything.items()}
    new, report = erase_person(everything, RECORD_COLUMNS, person, keep=KEPT_FOR_BOOKS)
    same_tables(everything, before)
    forgotten = report[report["reason"].str.startswith("not searched")]["table"].tolist()
    assert forgotten == ["stores", "backup_members", "mailing"]
    left = check_erased(new, RECORD_COLUMNS, person, also=phones)
    assert set(left["table"]) == {"backup_members", "mailing"} and not left["in_map"].any()
    whole = RECORD_COLUMNS | {"backup_members": ["member_id"]}
    safe = {name: table for name, table in everything.items() if name != "mailing"}
    new, report = erase_person(safe, whole, person, keep=KEPT_FOR_BOOKS)
    assert check_erased(new, whole, person, also=phones).empty


def test_the_books_stay_right_after_an_erasure(tables, person):
    new, report = erase_person(tables, RECORD_COLUMNS, person, keep=KEPT_FOR_BOOKS)
    counts = report.set_index("table")
    assert (counts["found"] == counts["erased"] + counts["anonymised"]).all()
    for name in tables:
        assert len(new[name]) == len(tables[name]) - counts.loc[name, "erased"]
        assert new[name].dtypes.equals(tables[name].dtypes)
    assert counts.loc["orders", "anonymised"] > 0 == counts.loc["orders", "erased"] and counts.loc["orders", "reason"]
    assert new["orders"]["amount"].sum() == tables["orders"]["amount"].sum()
    assert set(new["order_lines"]["order_id"]) == set(new["orders"]["order_id"])
    others = ~tables["orders"]["customer_ref"].isin(person)
    pd.testing.assert_frame_equal(new["orders"][others], tables["orders"][others])
    gone, _ = erase_person(tables, RECORD_COLUMNS, person)
    assert len(gone["orders"]) == others.sum() and gone["orders"].index.equals(pd.RangeIndex(others.sum()))
    with pytest.raises(ValueError, match="no table holds a row of this person"):
        erase_person(new, RECORD_COLUMNS, person)


def test_a_row_may_not_be_kept_with_the_person_on_it(tables, person):
    for keep, message in (
        ({"orders": ([], "accounts")}, "customer_ref still leads to the person"),
        ({"order_lines": ([], "accounts")}, "order_id still leads to the person"),
        ({"stores": ([], "why not")}, "the map does not name it"),
        ({"orders": (["card"], "accounts")}, "has no column card"),
    ):
        with pytest.raises(ValueError, match=message):
            erase_person(tables, RECORD_COLUMNS, person, keep=keep)


def test_the_search_sees_through_spelling_and_not_into_other_ids():
    tables = {
        "notes": pd.DataFrame(
            {"note": ["ring １７４０-000 0001", "WANG.LI@Example.com", "M12", "(M1)", None], "n": [1, 2, 3, 4, 5]}
        ),
        "numbers": pd.DataFrame({"phone": [17400000001.0, np.nan], "name": ["王丽", "王丽"], "city": ["宁波", "上海"]}),
    }
    left = check_erased(tables, {"notes": ["n"]}, "M1", also=["17400000001", "wang.li@example.com", ("王丽", "宁波")])
    assert left[["table", "row", "column", "value"]].to_numpy().tolist() == [
        ["notes", 3, "note", "M1"],
        ["notes", 0, "note", "17400000001"],
        ["notes", 1, "note", "wang.li@example.com"],
        ["numbers", 0, "phone", "17400000001"],
        ["numbers", 0, "name + city", "王丽 + 宁波"],
    ]
    assert left["in_map"].tolist() == [True] * 3 + [False] * 2
    assert check_erased({"empty": tables["notes"].iloc[:0]}, {}, "M1").empty
    for blank in ("", "-", ("王丽", " "), (), 17400000001):
        with pytest.raises((ValueError, TypeError)):
            check_erased(tables, {}, "M1", also=[blank])


# ---- an end of keeping, and the withdrawal of consent ----------------------------------------------------------------


def rule(table, date_column, months, blank="", reason="no longer needed"):
    return {"table": table, "date_column": date_column, "months": months, "blank": blank, "reason": reason}


def test_retention_ends_what_is_over_and_nothing_else(tables):
    rules = pd.DataFrame([rule("orders", "ordered_at", 12), rule("calls", "called_at", 6, "phone, caller_name")])
    before = {name: table.copy() for name, table in tables.items()}
    due = retention_due(tables, rules, "2026-06-30").set_index("table")
    old = tables["orders"]["ordered_at"] < "2025-06-30"
    assert due.loc["orders", "due"] == old.sum() > 0 and due.loc["orders", "action"] == "erase"
    new, report = apply_retention(tables, rules, "2026-06-30", RECORD_COLUMNS)
    same_tables(tables, before)
    assert new["orders"]["ordered_at"].min() >= pd.Timestamp("2025-06-30") and len(new["orders"]) == (~old).sum()
    assert set(new["order_lines"]["order_id"]) == set(new["orders"]["order_id"])  # no line without its order
    calls = tables["calls"]["called_at"] < "2025-12-30"
    assert new["calls"].loc[calls, ["phone", "caller_name"]].isna().all(axis=None) and len(new["calls"]) == len(calls)
    pd.testing.assert_frame_equal(new["calls"][~calls], tables["calls"][~calls])
    said = report.set_index("table")
    assert said.loc["order_lines", "reason"] == "hangs on orders" and said.loc["calls", "blanked"] > 0
    again = retention_due(new, rules, "2026-06-30")
    assert again["due"].tolist() == [0, 0]  # done is done
    alone, _ = apply_retention(tables, rules, "2026-06-30")
    assert len(alone["order_lines"]) == len(tables["order_lines"])


def test_retention_counts_the_last_day_and_the_undated_and_rows_that_hang_are_counted_once():
    days = pd.to_datetime(["2026-01-29 23:59", "2026-01-30 00:00", "2026-01-31 09:00", None])
    tables = {"a": pd.DataFrame({"id": [1, 2, 3, 4], "on": days}), "b": pd.DataFrame({"id": [1, 1, 2], "on": days[:3]})}
    rules = pd.DataFrame([rule("a", "on", 5), rule("b", "on", 5)])
    due = retention_due(tables, rules, "2026-06-30")
    assert due["due"].tolist() == [1, 1] and due["undated"].tolist() == [1, 0]
    new, report = apply_retention(tables, rules, "2026-06-30", {"b": [("id", "a")]})
    assert new["a"]["id"].tolist() == [2, 3, 4] and new["b"]["id"].tolist() == [2]
    assert report["erased"].tolist() == [1, 1, 1] and report["reason"].iloc[-1] == "hangs on a"
    blank = apply_retention(tables, pd.DataFrame([rule("a", "on", 5, "id")]), "2026-06-30")[0]["a"]
    assert blank["id"].isna().tolist() == [True, False, False, False]


def test_retention_rules_are_checked_before_anything_is_done(tables):
    for rows, message in (
        ([rule("clients", "on", 5)], "no such table"),
        ([rule("calls", "called_at", -1)], "no number of whole months"),
        ([rule("calls", "called_at", 2.5)], "no number of whole months"),
        ([rule("calls", "topic", 5)], "holds no dates"),
        ([rule("calls", "called_at", 5, "email")], "has no column email"),
        ([rule("calls", "called_at", 5), rule("calls", "called_at", 6)], "two rules"),
    ):
        for work in (retention_due, apply_retention):
            with pytest.raises(ValueError, match=message):
                work(tables, pd.DataFrame(rows), "2026-06-30")


def ledger(*acts):
    frame = pd.DataFrame(acts, columns=["customer_ref", "action", "recorded_at"])
    return frame.assign(purpose="marketing", recorded_at=pd.to_datetime(frame["recorded_at"]))


def test_a_withdrawal_works_from_its_moment_on_and_for_the_person():
    acts = ledger(("M1", "given", "2025-01-01"), ("W1", "given", "2025-01-01"), ("W1", "withdrawn", "2026-01-01"))
    times = ["2024-06-01", "2025-06-01", "2026-02-01", "2026-08-01"]
    uses = pd.DataFrame(list(itertools.product(["W1", "M1"], times)), columns=["customer_ref", "used_at"])
    uses = uses.assign(purpose="marketing", used_at=pd.to_datetime(uses["used_at"]))
    uses = uses.sample(frac=1, random_state=1)
    judged = consent_withdrawn_effect(acts, uses, "2026-06-30")
    assert judged.index.equals(uses.index)
    web, card = (judged[judged["customer_ref"] == record].sort_index()["effect"].tolist() for record in ("W1", "M1"))
    assert web == ["was unlawful", "stays lawful", "was unlawful", "must stop"]
    assert card == ["was unlawful", "stays lawful", "stays lawful", "may go on"]
    links = pd.DataFrame({"record_id": ["M1", "W1"], "customer_id": "K1"})
    person = consent_withdrawn_effect(acts, uses, "2026-06-30", links)
    assert person[person["customer_ref"] == "M1"].sort_index()["effect"].tolist() == web
    other = consent_withdrawn_effect(acts, uses.assign(purpose="sharing"), "2026-06-30")
    assert set(other["consent"]) == {"never given"} and set(other["effect"]) == {"was unlawful", "must stop"}


def test_of_two_words_of_one_moment_the_later_row_counts_and_a_word_counts_after_its_moment():
    acts = ledger(("M1", "given", "2026-01-01"), ("M1", "withdrawn", "2026-01-01"))
    uses = pd.DataFrame(
        {"customer_ref": "M1", "purpose": "marketing", "used_at": pd.to_datetime(["2026-01-01", "2026-01-02"])}
    )
    assert consent_withdrawn_effect(acts, uses, "2026-06-30")["consent"].tolist() == ["never given", "withdrawn"]
    with pytest.raises(ValueError, match="an action is given or withdrawn"):
        consent_withdrawn_effect(acts.assign(action="maybe"), uses, "2026-06-30")


def test_the_retailers_own_messages_are_judged_as_in_the_chapter_on_collecting(tables):
    from cimlab.collection import check_contacts

    sent = check_contacts(load("campaign_contacts"), load("campaigns"), tables["consents"])
    uses = sent.assign(customer_ref=sent["member_id"], purpose="marketing", used_at=pd.to_datetime(sent["starts_on"]))
    judged = consent_withdrawn_effect(tables["consents"], uses[["customer_ref", "purpose", "used_at"]], "2026-06-30")
    past = (uses["used_at"] < "2026-06-30").to_numpy()
    assert past.any() and (judged["consent"] == sent["state"])[past].all()


def test_one_rule_for_the_consent_of_a_person_in_every_chapter(tables):
    """A withdrawal with any record binds, as in `may_contact` and `may_profile`, though another card said yes later."""
    acts = ledger(("W1", "given", "2024-01-01"), ("W1", "withdrawn", "2025-01-01"), ("M1", "given", "2026-01-01"))
    links = pd.DataFrame({"record_id": ["M1", "W1", "M2"], "customer_id": ["K1", "K1", "K2"]})
    uses = pd.DataFrame(
        {"customer_ref": ["M1", "W1", "M2"], "purpose": "marketing", "used_at": pd.Timestamp("2026-08-01")}
    )
    judged = consent_withdrawn_effect(acts, uses, "2026-06-30", links)
    assert judged["consent"].tolist() == ["withdrawn", "withdrawn", "never given"]
    alone = consent_withdrawn_effect(acts, uses, "2026-06-30")
    assert alone["consent"].tolist() == ["given", "withdrawn", "never given"]
    again = pd.concat([acts, ledger(("W1", "given", "2026-02-01"))])
    assert consent_withdrawn_effect(again, uses, "2026-06-30", links)["effect"].tolist()[0] == "may go on"


def test_the_rule_agrees_with_those_who_write_and_who_profile_on_the_retailers_data(tables):
    from cimlab.mining import may_contact
    from cimlab.profiles import may_profile

    reviewed = tables["reviewed"]
    links = pd.DataFrame({"record_id": reviewed["record_id"], "customer_id": "K" + reviewed["person_no"].astype(str)})
    nobody = pd.DataFrame(columns=["customer_id", "starts_on", "treated"])
    known = sorted(links["customer_id"].unique())
    write = may_contact(known, tables["consents"], links, nobody, "2026-06-30").set_index("customer_id")["consent"]
    profile = may_profile(tables["consents"], links, "2026-07-01").set_index("customer_id")["state"]
    later = pd.Timestamp("2026-09-01")
    for purpose, said in (("marketing", write), ("profiling", profile)):
        uses = pd.DataFrame({"customer_ref": links["record_id"], "purpose": purpose, "used_at": later})
        judged = consent_withdrawn_effect(tables["consents"], uses, "2026-07-01", links)["consent"]
        assert judged.tolist() == links["customer_id"].map(said).tolist()
        assert set(judged) == {"given", "withdrawn", "never given"}
