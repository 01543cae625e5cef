"""Chapter 2, the survey: samples stand for the frame, sizes fit the textbooks, weights move towards the truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimlab import load
from cimlab.collection import (
    alpha_if_dropped,
    cluster_sample,
    cronbach_alpha,
    net_promoter_score,
    nonresponse_bias,
    post_stratify,
    rake,
    response_rates,
    reverse_items,
    sample_size_mean,
    sample_size_share,
    simple_sample,
    split_choices,
    stratified_sample,
    systematic_sample,
    weighted_mean,
    wording_faults,
)
from cimlab.retailer import survey
from cimlab.retailer.block import make_block
from cimlab.retailer.world import make_world

LIKERT = ["q1_quality", "q2_price", "q3_staff", "q5_returns", "q6_overall"]


@pytest.fixture(scope="module")
def frame():
    """1,000 persons in 10 shops; the shops differ, and so do the two cities."""
    shop = np.repeat(np.arange(10), 100)
    city = np.where(np.arange(1000) % 10 < 7, "Shanghai", "Hangzhou")
    spend = 100.0 + 10 * shop + 40 * (city == "Shanghai") + np.arange(1000) % 7
    return pd.DataFrame(
        {"person": np.arange(1000), "shop": shop, "city": city, "spend": spend}, index=range(5000, 6000)
    )


@pytest.fixture(scope="module")
def asked():
    """Everyone who was asked in a large world: whether an answer came, and what it says or would have said."""
    crowd = make_block(make_world(7), 0, 60_000, needs={"texts", "cards"})
    invited = survey.invite(crowd)
    people = {
        name: crowd["people"][name][invited["person"]] for name in ("row", "age", "sex", "satisfaction", "channels")
    }
    propensity = survey.survey_propensity(crowd["world"], people)
    asked = pd.DataFrame(invited | people | survey.make_answers(crowd, invited) | {"propensity": propensity / 1000})
    asked["age_band"] = pd.cut(asked["age"], [0, 24, 34, 44, 59, 120]).astype("str")
    items = [*survey.LIKERT, "q7_recommend"]
    return asked.assign(**{item: asked[item].where(asked[item] != survey.NONE) for item in items})


# --- sampling ------------------------------------------------------------------------------------------------------

WAYS = {
    "simple": lambda frame, seed: simple_sample(frame, 100, seed),
    "systematic": lambda frame, seed: systematic_sample(frame, 100, seed),
    "proportional": lambda frame, seed: stratified_sample(frame, 100, "city", seed),
    "equal": lambda frame, seed: stratified_sample(frame, 100, "city", seed, allocation="equal"),
    "cluster": lambda frame, seed: cluster_sample(frame, 3, "shop", seed),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_sample_is_part_of_the_frame_and_its_weights_count_the_frame(frame, way):
    sample = WAYS[way](frame, 1)
    pd.testing.assert_frame_equal(sample.drop(columns="weight"), frame.loc[sample.index])
    assert sample.index.is_unique and sample.index.is_monotonic_increasing
    assert sample["weight"].sum() == pytest.approx(1000)
    pd.testing.assert_frame_equal(sample, WAYS[way](frame, 1))
    assert not sample.index.equals(WAYS[way](frame, 2).index)


@pytest.mark.parametrize("way", WAYS)
def test_over_many_draws_the_weighted_mean_is_that_of_the_frame(frame, way):
    samples = [WAYS[way](frame, seed) for seed in range(150)]
    means = np.array([weighted_mean(sample["spend"], sample["weight"])["mean"] for sample in samples])
    assert abs(means.mean() - frame["spend"].mean()) < 4 * means.std() / 12
    drawn = pd.concat(samples)["person"].value_counts().reindex(frame["person"], fill_value=0)
    expected = 150 / samples[0].set_index("city")["weight"].groupby(level=0).first()
    for city, times in expected.items():
        assert drawn[(frame["city"] == city).to_numpy()].mean() == pytest.approx(times, rel=0.15)
    assert drawn.min() > 0


def test_strata_make_a_sample_surer_and_clusters_less_sure(frame):
    spread = {way: np.std([np.average(s["spend"], weights=s["weight"]) for s in (draw(frame, n) for n in range(80))])
              for way, draw in WAYS.items()}  # fmt: skip
    assert spread["proportional"] < 0.9 * spread["simple"] < 0.4 * spread["cluster"]


def test_allocations(frame):
    proportional = stratified_sample(frame, 101, "city", 1)["city"].value_counts()
    assert proportional.to_dict() == {"Shanghai": 71, "Hangzhou": 30}
    assert stratified_sample(frame, 100, "city", 1, "equal")["city"].value_counts().tolist() == [50, 50]
    rows = systematic_sample(frame, 100, 3)["person"].diff().dropna()
    assert rows.unique().tolist() == [10]
    assert cluster_sample(frame, 2, "shop", 1)["shop"].value_counts().tolist() == [100, 100]


def test_a_systematic_sample_falls_for_the_rhythm_of_a_list(frame):
    # Seven of ten in Shanghai, again and again: every tenth row is of one city.
    assert len(set(systematic_sample(frame, 100, 1)["city"])) == 1
    assert len(set(systematic_sample(frame, 95, 1)["city"])) == 2


def test_the_strata_are_not_drawn_in_step():
    frame = pd.DataFrame({"group": ["a"] * 50 + ["b"] * 50, "place": [*range(50), *range(50)]})
    sample = stratified_sample(frame, 20, "group", 1)
    a, b = (sample.loc[sample["group"] == group, "place"].tolist() for group in "ab")
    assert a != b


def test_what_cannot_be_drawn_is_refused(frame):
    with pytest.raises(ValueError, match="1001 rows cannot be drawn: the frame has 1000"):
        simple_sample(frame, 1001, 1)
    with pytest.raises(ValueError, match="0 rows cannot be drawn"):
        systematic_sample(frame, 0, 1)
    with pytest.raises(ValueError, match="11 groups cannot be drawn: shop has 10"):
        cluster_sample(frame, 11, "shop", 1)
    with pytest.raises(ValueError, match="no column 'region'; the frame has person, shop"):
        cluster_sample(frame, 1, "region", 1)
    with pytest.raises(ValueError, match="1 rows have no city: nobody could draw them"):
        stratified_sample(frame.assign(city=frame["city"].where(frame["person"] > 0)), 10, "city", 1)
    with pytest.raises(ValueError, match="The group 'Hangzhou' has 300 rows and would give 400"):
        stratified_sample(frame, 800, "city", 1, "equal")
    with pytest.raises(ValueError, match="The group '0' has 100 rows and would give 0: join it"):
        stratified_sample(
            frame.sort_values("shop", ascending=False).assign(shop=lambda t: t["shop"].clip(upper=1)), 1, "shop", 1
        )
    with pytest.raises(ValueError, match="no allocation 'optimal'; choose"):
        stratified_sample(frame, 10, "city", 1, "optimal")


@pytest.mark.parametrize(
    ("margin", "options", "size"),
    [
        (0.05, {}, 385),
        (0.03, {}, 1068),
        (0.05, {"confidence": 0.99}, 664),
        (0.05, {"share": 0.1}, 139),
        (0.05, {"population": 500}, 218),
        (0.05, {"population": 10_000}, 370),  # the values of the usual tables (Krejcie and Morgan, 1970)
        (0.05, {"population": 10}, 10),
    ],
)
def test_sizes_for_a_share(margin, options, size):
    assert sample_size_share(margin, **options) == size


def test_sizes_for_a_mean():
    assert sample_size_mean(margin=10, spread=80) == 246
    assert sample_size_mean(margin=10, spread=80, population=1000) == 198
    assert sample_size_mean(margin=0.05, spread=0.5) == sample_size_share(margin=0.05)
    for wrong in ({"margin": 0, "spread": 1}, {"margin": 1, "spread": -1}):
        with pytest.raises(ValueError, match="margin and spread must be above 0"):
            sample_size_mean(**wrong)
    with pytest.raises(ValueError, match=r"confidence must lie between 0 and 1 \(5 % is 0.05\); it is 95"):
        sample_size_share(0.05, confidence=95)
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        sample_size_share(0.05, share=20)


def test_a_sample_of_that_size_keeps_its_promise():
    people = pd.DataFrame({"yes": np.arange(4000) % 10 < 3})
    n = sample_size_share(0.05, share=0.3, population=4000)
    off = [abs(simple_sample(people, n, seed)["yes"].mean() - 0.3) for seed in range(500)]
    assert 0.92 < (np.array(off) <= 0.05).mean() < 0.98


# --- non-response and weights --------------------------------------------------------------------------------------


def test_response_rates_of_the_survey():
    invited = load("survey_invitations")
    rates = response_rates(invited, "asked_by")
    assert rates[["invited", "answered"]].sum().tolist() == [len(invited), invited["answered"].sum()]
    assert rates["rate"].idxmax() == "at the till" and rates.loc["at the till", "rate"] > rates.loc["sms", "rate"]
    assert rates[["share_invited", "share_answered"]].sum().tolist() == pytest.approx([1, 1])


def test_the_bias_is_silence_times_difference(asked):
    bias = nonresponse_bias(asked, "age")
    product = (1 - bias["response_rate"]) * (bias["mean_answered"] - bias["mean_silent"])
    assert bias["bias"] == pytest.approx(product) and bias["bias"] > 2  # the old answer
    with pytest.raises(ValueError, match="q7_recommend is missing for some"):
        nonresponse_bias(asked, "q7_recommend")
    with pytest.raises(ValueError, match="no column spend; the table has record, person"):
        nonresponse_bias(asked, "spend")
    with pytest.raises(ValueError, match="Either everybody or nobody"):
        nonresponse_bias(asked[asked["answered"]], "age")


def test_raw_answers_flatter_and_weights_move_towards_all_who_were_asked(asked):
    sent = asked[asked["answered"]]
    truth = net_promoter_score(asked["q7_recommend"])["score"]
    raw = net_promoter_score(sent["q7_recommend"])
    weights = post_stratify(sent, asked, ["age_band", "sex"])
    repaired = net_promoter_score(sent["q7_recommend"], weights)["score"]
    margins = {column: asked[column].value_counts() for column in ("age_band", "sex")}
    raked = net_promoter_score(sent["q7_recommend"], rake(sent, margins))["score"]
    assert raw["score"] - truth > 5 and raw["low"] > truth
    assert truth + 2 < repaired < raw["score"] - 3  # a part is repaired; mood itself decides who answers
    assert abs(raked - repaired) < 1
    known = net_promoter_score(sent["q7_recommend"], 1 / sent["propensity"])
    assert known["low"] < truth < known["high"]
    assert weights.sum() == pytest.approx(len(asked))


def test_weights_make_the_groups_as_large_as_they_are(asked):
    sent = asked[asked["answered"]]
    weights = post_stratify(sent, asked, ["age_band", "sex"])
    wanted = asked.groupby(["age_band", "sex"]).size()
    assert weights.groupby([sent["age_band"], sent["sex"]]).sum().to_dict() == pytest.approx(wanted.to_dict())
    raked = rake(sent, {column: asked[column].value_counts() for column in ("age_band", "sex")})
    assert raked.mean() == pytest.approx(1)
    for column in ("age_band", "sex"):
        reached, wanted = raked.groupby(sent[column]).sum() / len(sent), asked[column].value_counts(normalize=True)
        assert reached.to_dict() == pytest.approx(wanted.to_dict(), abs=1e-6)
    one = post_stratify(sent, asked, "sex")
    alike = rake(sent, {"sex": asked["sex"].value_counts()})
    assert (one / one.mean()).to_numpy() == pytest.approx(alike.to_numpy())


def test_the_survey_of_the_course_can_be_weighted():
    members = load("members").set_index("member_id")
    invited = load("survey_invitations").join(members[["store_id"]], on="member_id")
    sheet = load("questionnaire").merge(invited, on="member_id")
    weights = rake(sheet, {"asked_by": invited["asked_by"].value_counts()})
    raw, weighted = (net_promoter_score(sheet["q7_recommend"], w) for w in (None, weights))
    assert raw["n"] == sheet["q7_recommend"].notna().sum() and raw["score"] != weighted["score"]
    assert weighted["standard_error"] > raw["standard_error"]  # weights cost precision


def test_weights_that_cannot_be_are_refused():
    answers = pd.DataFrame({"age": ["old", "old", None], "sex": ["F", "M", "M"]})
    everybody = pd.DataFrame({"age": ["old", "young", "young"], "sex": ["F", "M", "M"]})
    with pytest.raises(ValueError, match=r"1 groups have no answer, for example young \(2 persons\): make the groups"):
        post_stratify(answers.dropna(), everybody, "age")
    with pytest.raises(ValueError, match="Answers of not said, a group that the population does not have"):
        post_stratify(answers, everybody.replace("young", "old"), "age")
    with pytest.raises(ValueError, match="1 answers have no age: fill in"):
        rake(answers, {"age": pd.Series({"old": 1.0})})
    with pytest.raises(ValueError, match=r"groups of sex differ between the answers and the margin: \['X'\]"):
        rake(answers, {"sex": pd.Series({"F": 0.5, "M": 0.4, "X": 0.1})})
    corner = pd.DataFrame({"age": ["old", "young"], "sex": ["F", "M"]})
    with pytest.raises(ValueError, match=r"After 100 rounds the shares still differ by 0\.2"):
        rake(corner, {"age": pd.Series({"old": 0.6, "young": 0.4}), "sex": pd.Series({"F": 0.4, "M": 0.6})})


def test_the_weighted_mean_against_the_formulas():
    values = pd.Series([1.0, 4, 6, None, 9])
    plain = weighted_mean(values)
    known = values.dropna()
    assert plain["mean"] == known.mean() and plain["n"] == plain["effective_n"] == 4
    assert plain["standard_error"] == pytest.approx(known.std() / 2)
    assert plain["high"] - plain["mean"] == pytest.approx(1.959964 * plain["standard_error"])
    # A weight of 2 gives the mean of a row written twice, but not its certainty.
    weights = pd.Series([2.0, 1, 1, 1, 1])
    doubled = pd.concat([known, known.head(1)])
    assert weighted_mean(values, weights)["mean"] == doubled.mean()
    assert weighted_mean(values, weights * 7).to_dict() == pytest.approx(weighted_mean(values, weights).to_dict())
    assert weighted_mean(values, weights)["effective_n"] == pytest.approx(25 / 7)
    for wrong in (weights * -1, weights.where(weights > 1), weights * 0):
        with pytest.raises(
            ValueError, match="At least two values are needed, and no weight may be missing or negative"
        ):
            weighted_mean(values, wrong)
    with pytest.raises(ValueError, match="different indexes"):
        weighted_mean(values, weights.set_axis(range(10, 15)))


def test_the_standard_error_is_what_the_means_of_many_samples_do(frame):
    means, errors = [], []
    for seed in range(150):
        sample = stratified_sample(frame, 60, "city", seed, "equal")
        found = weighted_mean(
            sample["spend"].sub(frame.loc[sample.index, "city"].eq("Shanghai") * 40), sample["weight"]
        )
        means.append(found["mean"])
        errors.append(found["standard_error"])
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)


# --- questionnaire -------------------------------------------------------------------------------------------------


def test_choices_of_the_survey():
    ticked = load("questionnaire")["q8_channels"]
    table = split_choices(ticked)
    assert table.columns.tolist() == ["门店", "网店", "小程序", "电话"]
    assert table.isna().all(axis=1).equals(ticked.isna())
    back = table.apply(lambda row: "┋".join(row.index[row.fillna(False).astype(bool)]) or None, axis=1)
    for choice in table:
        assert table[choice].sum() == ticked.str.contains(choice, regex=False, na=False).sum()
    assert set(back.dropna().str.split("┋").map(frozenset)) == set(ticked.dropna().str.split("┋").map(frozenset))


def test_a_choice_is_not_found_within_another():
    assert split_choices(pd.Series(["网店", "网店铺"])).to_numpy().tolist() == [[True, False], [False, True]]


def test_alpha_of_the_survey_rises_when_the_reversed_question_is_turned():
    items = load("questionnaire")[LIKERT]
    raw, turned = cronbach_alpha(items), cronbach_alpha(items, reverse=["q5_returns"])
    assert raw < turned - 0.15 and 0.72 < turned < 0.92
    assert alpha_if_dropped(items)["alpha_if_dropped"].idxmax() == "q5_returns"
    assert alpha_if_dropped(items).loc["q5_returns", "correlation"] < 0
    after = alpha_if_dropped(items, reverse=["q5_returns"])
    without = cronbach_alpha(items.drop(columns="q1_quality"), reverse=["q5_returns"])
    assert (after["correlation"] > 0.3).all() and after.loc["q1_quality", "alpha_if_dropped"] == without < turned


def test_alpha_against_its_formulas():
    random = np.random.default_rng(1)
    common = random.normal(size=100_000)
    scores = pd.DataFrame({f"q{n}": np.round(3 + common + random.normal(size=100_000)).clip(1, 5) for n in range(4)})
    r = scores.corr().to_numpy()[np.triu_indices(4, 1)].mean()
    assert cronbach_alpha(scores) == pytest.approx(4 * r / (1 + 3 * r), abs=0.002)  # Spearman and Brown, alike items
    assert cronbach_alpha(pd.DataFrame({"a": [1, 3, 5], "b": [1, 3, 5]})) == pytest.approx(1)
    with_blank = pd.DataFrame({"a": [1, 3, 5, 2], "b": [2, 3, 5, None]}, dtype="Int64")
    assert cronbach_alpha(with_blank) == pytest.approx(cronbach_alpha(with_blank.head(3)))
    # Guttman's form of the same: from the covariances.
    cov = scores.cov().to_numpy()
    assert cronbach_alpha(scores) == pytest.approx(4 / 3 * (cov.sum() - np.trace(cov)) / cov.sum())


def test_alpha_refuses_what_has_no_meaning():
    items = pd.DataFrame({"a": [1, 2, 5], "b": [1, 3, 5]})
    with pytest.raises(ValueError, match="Two questions and two complete rows are needed; there are 1 and 3"):
        cronbach_alpha(items[["a"]])
    with pytest.raises(ValueError, match="outside the scale from 1 to 4"):
        cronbach_alpha(items, high=4)
    with pytest.raises(ValueError, match="All persons have the same sum"):
        cronbach_alpha(items.assign(b=6 - items["a"]))
    with pytest.raises(ValueError, match="There is no question c; there are a, b"):
        reverse_items(items, ["c"])


def test_the_net_promoter_score_by_hand():
    found = net_promoter_score(pd.Series([0, 6, 7, 8, 9, 10, 10, None]))
    assert found["score"] == pytest.approx(100 / 7)
    assert found[["promoters", "passives", "detractors"]].tolist() == pytest.approx([300 / 7, 200 / 7, 200 / 7])
    assert found["n"] == 7
    weighted = net_promoter_score(pd.Series([10, 0, None]), pd.Series([3.0, 1.0, 5.0]))
    assert weighted["score"] == pytest.approx(50)
    assert net_promoter_score(pd.Series([10] * 5))[["low", "score", "high"]].tolist() == [100, 100, 100]
    for wrong in (11, -1):
        with pytest.raises(ValueError, match=f"A mark must lie between 0 and 10; one is {wrong}"):
            net_promoter_score(pd.Series([5, wrong]))


def test_the_net_promoter_score_of_groups():
    marks = pd.Series([0, 6, 10, 9, 8, None, 10], index=list("abcdefg"))
    shop = pd.Series(["S1", "S1", "S2", "S2", "S2", "S2", None], index=marks.index, name="shop")
    found = net_promoter_score(marks, by=shop)
    assert found.index.name == "shop" and found["n"].to_dict() == {"S1": 2, "S2": 3}
    for group in ("S1", "S2"):
        pd.testing.assert_series_equal(found.loc[group], net_promoter_score(marks[shop == group]), check_names=False)
    weights = pd.Series(range(1, 8), index=marks.index, dtype="float64")
    weighted = net_promoter_score(marks, weights, by=shop)
    assert weighted.loc["S2", "score"] == pytest.approx(100 * (3 + 4) / (3 + 4 + 5))
    alone = net_promoter_score(marks, by=pd.Series(["S1"] * 6 + ["S3"], index=marks.index))
    assert alone.loc["S3", "n"] == 1 and alone.loc["S3"].drop("n").isna().all()
    with pytest.raises(ValueError, match="marks and by have different indexes"):
        net_promoter_score(marks, by=shop.reset_index(drop=True))


def test_its_interval_holds_the_truth_as_often_as_it_says(asked):
    marks = asked["q7_recommend"].dropna()
    truth = net_promoter_score(marks)["score"]
    held = []
    for seed in range(200):
        found = net_promoter_score(marks.sample(150, random_state=seed))
        held.append(found["low"] <= truth <= found["high"])
    assert 0.9 < np.mean(held) < 0.99


@given(st.lists(st.integers(0, 10), min_size=2, max_size=30))
def test_the_score_lies_between_its_limits(marks):
    found = net_promoter_score(pd.Series(marks))
    assert -100 <= found["low"] <= found["score"] <= found["high"] <= 100
    assert found["promoters"] - found["detractors"] == pytest.approx(found["score"])


# --- wording -------------------------------------------------------------------------------------------------------

SOUND = [
    "How old are you?",
    "How satisfied are you with the prices in our shop, from 1 (not at all) to 5 (very)?",
    "How many times did you shop with us in the last 30 days?",
    "How much did you spend with us between 1 and 31 May?",
    "Which of these shops have you visited since January?",
    "What is your age group: 25-34, 35-44, 60 and over?",
    "您对商品质量满意吗？",
    "过去30天内，您在旭东购物几次？",
    "您是不是旭东会员？",
    "您有没有用过旭东小程序？",
    "您对送货速度的满意程度如何？",
    "送货是否及时？",
    "您参与过旭东的会员活动吗？",
    "您向朋友推荐旭东的可能性有多大（0至10分）？",
]
FAULTY = [
    ("How satisfied are you with our prices and staff?", "double-barrelled"),
    ("Is the shop clean or friendly?", "double-barrelled"),
    ("您对价格和服务满意吗？", "double-barrelled"),
    ("店员是否热情以及专业？", "double-barrelled"),
    ("Don't you agree that we are cheaper?", "leading"),
    ("How much do you love our new app?", "leading"),
    ("How do you rate our excellent delivery?", "leading"),
    ("难道您觉得我们的价格高？", "leading"),
    ("众所周知旭东的商品新鲜，您同意吗？", "leading"),
    ("您对我们优质的服务打几分？", "leading"),
    ("Do you not shop online?", "negation"),
    ("Haven't you used the app?", "negation"),
    ("您没有收到过优惠券吗？", "negation"),
    ("您从不在网上购物吗？", "negation"),
    ("Do you often shop here?", "vague"),
    ("Have you bought fruit recently?", "vague"),
    ("您经常来店里吗？", "vague"),
    ("您最近买过水果吗？", "vague"),
    ("When you think back to all the visits that you made to any of our shops in this city, how did you find them?",
     "too long"),
    ("请回忆一下您在过去三个月里到旭东门店购物时从进门到结账离开的经过，您对收银速度的评价是几分？", "too long"),
]  # fmt: skip


@pytest.mark.parametrize("question", SOUND)
def test_a_sound_question_is_left_alone(question):
    assert wording_faults([question]).empty


@pytest.mark.parametrize(("question", "fault"), FAULTY)
def test_a_fault_is_found(question, fault):
    found = wording_faults([question])
    assert fault in set(found["fault"])
    row = found[found["fault"] == fault].iloc[0]
    assert row["advice"] and (fault == "too long" or all(part in question for part in row["found"].split(", ")))


def test_one_row_a_find_and_a_series_will_do():
    table = wording_faults(pd.Series(["Do you often like our prices and staff?", "How old are you?"]))
    assert table["fault"].tolist() == ["double-barrelled", "vague"]
    assert wording_faults(["您最近是不是常来？"])["question"].tolist() == ["您最近是不是常来？"]
    assert wording_faults([]).columns.tolist() == ["question", "fault", "found", "advice"]
