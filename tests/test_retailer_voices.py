"""What customers say: reviews whose J shape arises from who writes, a survey whose bias is known and can be undone."""

import re

import numpy as np
import pandas as pd
import pytest

from cimlab.retailer import survey, voice_texts, voices
from cimlab.retailer.block import make_block
from cimlab.retailer.draws import ONE, read_settings
from cimlab.retailer.world import CALL, CATEGORIES, MINUTES, REFERENCE_DAY, WEB, make_world

SETTINGS = read_settings("voices")
DICTIONARY = read_settings("dictionary")["tables"]
TRUTH_COLUMNS = read_settings("dictionary")["truth"]["review_facts"]["columns"]
KINDS = {"string": "O", "integer": "i", "number": "f", "date": "O", "datetime": "M", "boolean": "b"}
BOUGHT, ASKED = {"texts", "cards", "lines", "orders"}, {"texts", "cards"}
SEED, SMALL = 20260630, 3000  # of the edition that students have
GOOD_WORDS = """好 不错 满意 新鲜 喜欢 快 香 值 划算 实惠 推荐 赞 优 热情 耐心 准时 严实 给力
good great love nice fast fresh happy best perfect delicious friendly fine lovely helpful quick polite wonderful"""
BAD_WORDS = """差 坏 慢 贵 难 失望 破 烂 退 麻烦 垃圾 假 怪 碎 漏
poor bad awful slow broken rude expensive late worst terrible disappointed rotten wrong rubbish refund horrible"""


@pytest.fixture(scope="module")
def world():
    return make_world(SEED)


@pytest.fixture(scope="module")
def shop(world):
    """A block of persons with their purchases."""
    return make_block(world, 0, 40_000, needs=BOUGHT)


@pytest.fixture(scope="module")
def crowd():
    """Many persons and cards without purchases, of another seed: enough answers to see a bias of one point."""
    return make_block(make_world(7), 0, 160_000, needs=ASKED)


@pytest.fixture(scope="module")
def reviews(shop):
    """The reviews with the truth beside them."""
    data, truth = voices.make_review_tables(shop)
    return data["reviews"].to_pandas().merge(truth["review_facts"].to_pandas(), on="review_id", validate="1:1")


@pytest.fixture(scope="module")
def answers(crowd):
    """Everyone who was asked: what they have in mind, the chance of an answer, whether one came."""
    asked = survey.invite(crowd)
    people = {
        name: crowd["people"][name][asked["person"]] for name in ("row", "age", "sex", "satisfaction", "channels")
    }
    propensity = survey.survey_propensity(crowd["world"], people)
    return pd.DataFrame(asked | people | survey.make_answers(crowd, asked) | {"propensity": propensity})


def check_table(table, columns):
    """Check names, order, types, missing values, patterns, lists and limits of a table against the data dictionary."""
    assert table.column_names == list(columns)
    frame = table.to_pandas()
    for name, (kind, _, _, _, *extra) in columns.items():
        rules, column = (extra or [{}])[0], frame[name]
        if rules.get("required"):
            assert column.notna().all(), name
        column = column.dropna()
        if kind != "string":
            assert (column.dtype.kind if kind != "integer" else "i") == KINDS[kind], name
        if kind == "integer":
            assert (column == column.astype("int64")).all(), name
        if "pattern" in rules:
            assert column.str.fullmatch(rules["pattern"]).all(), name
        if "enum" in rules:
            assert set(column) <= set(rules["enum"]), name
        assert column.ge(rules["minimum"]).all() if "minimum" in rules else True, name
        assert column.le(rules["maximum"]).all() if "maximum" in rules else True, name


# --- reviews -------------------------------------------------------------------------------------------------------


def test_the_reviews_follow_the_data_dictionary(shop):
    data, truth = voices.make_review_tables(shop)
    check_table(data["reviews"], DICTIONARY["reviews"]["columns"])
    check_table(truth["review_facts"], TRUTH_COLUMNS)
    assert data["reviews"].column("review_id").equals(truth["review_facts"].column("review_id"))


def test_only_articles_that_were_bought_in_the_web_shop_are_reviewed_by_their_buyer_once(shop, reviews):
    order, lines, records = shop["orders"], shop["lines"], shop["records"]
    at = np.flatnonzero((order["channel"][lines["order"]] == 1) & (order["record"][lines["order"]] >= 0))
    bought = pd.DataFrame(
        {
            "order_id": order["id"][lines["order"][at]].view("S8").astype(str),
            "product_id": [f"P{product + 1:04d}" for product in lines["product"][at]],
            "buyer": records["id"][order["record"][lines["order"][at]]].view("S8").astype(str),
            "day": order["day"][lines["order"][at]],
        }
    )
    known = reviews.merge(bought, on=["order_id", "product_id"], how="left", validate="1:1")
    assert (known["account_id"] == known["buyer"]).all()
    days = (known["reviewed_at"] - pd.Timestamp(0)).dt.days
    assert (days > known["day"]).all() and (days < REFERENCE_DAY).all()
    assert reviews["review_id"].is_unique


def test_if_all_buyers_wrote_the_stars_would_be_a_bell(shop):
    stars = voices.would_be_stars(voices.draw_experience(shop, voices.web_lines(shop)))
    shares = np.bincount(stars, minlength=6)[1:] / len(stars)
    assert shares[0] < shares[1] < shares[2] < shares[3] > shares[4]
    assert 3.8 < stars.mean() < 4.0
    assert shares[0] > 0.01


def test_the_written_stars_are_a_j(reviews):
    shares = reviews["stars"].value_counts(normalize=True).sort_index()
    assert shares[5] > 0.5 and shares[5] > 2 * shares[4] > 2 * shares[3]
    assert shares[1] > shares[2]


def test_the_j_is_the_work_of_who_writes_and_of_nothing_else(shop, monkeypatch):
    lines, experience = voices.choose_written(shop)
    assert np.array_equal(experience, voices.draw_experience(shop, lines))
    before = np.bincount(voices.would_be_stars(experience), minlength=6)
    monkeypatch.setitem(SETTINGS["reviews"], "writing", [[-1000, 3000], [1000, 3000]])
    _, experience = voices.choose_written(shop)
    after = np.bincount(voices.would_be_stars(experience), minlength=6)
    assert before[1] > before[2] and before[5] > before[4]
    assert after[1] < after[2] < after[3] < after[4] > after[5]


def test_experience_holds_the_person_the_article_and_chance(shop):
    lines = voices.web_lines(shop)
    experience = voices.draw_experience(shop, lines) / ONE
    person, product, _ = voices.line_facts(shop, lines)
    assert abs(experience.mean()) < 0.25 and 0.9 < experience.std() < 1.1
    satisfaction = shop["people"]["satisfaction"][person]
    assert 0.45 < np.corrcoef(experience, satisfaction)[0, 1] < 0.65
    mean = pd.Series(experience).groupby(product).mean()
    assert 0.3 < mean.std() < 0.8


def test_the_small_edition_has_room_for_the_reviews(world, reviews):
    assert 0.1 < len(reviews) / 40_000 < 0.15
    small = make_block(world, 0, SMALL, needs=BOUGHT)
    assert 200 <= voices.make_review_tables(small)[0]["reviews"].num_rows <= 450


def test_most_people_never_write_and_the_young_write_more(shop):
    chance = voices.review_propensity(shop["world"], shop["people"])
    assert 0.35 < (chance == 0).mean() < 0.5 and chance.max() < 200
    age = shop["people"]["age"]
    assert chance[age < 35].mean() > 1.5 * chance[age >= 60].mean()
    # The point of the curve that counts as moderate is the lowest one.
    assert min(times for _, times in SETTINGS["reviews"]["writing"]) == 1000


def test_texts_are_whole_and_fit_the_goods(shop, reviews):
    texts = reviews["text"].dropna()
    assert not texts.str.contains(r"[{}]|None|,,|。。|, ,|^[,。., ]|^$").any()
    assert 0.06 < reviews["text"].isna().mean() < 0.1
    assert 0.15 < (reviews["language"] == "en").mean() < 0.25
    written = reviews.loc[texts.index]
    chinese = texts.str.contains(r"[\u4e00-\u9fff]")
    # nice, yyds, emmm and 栓Q are Chinese slang; a Chinese text of nothing but slang is rare
    assert (chinese == (written["language"] == "zh")).mean() > 0.999
    category = shop["world"]["shelf"]["category"][reviews["product_id"].str[1:].astype(int) - 1]
    group = voice_texts.group_table()[category]
    food = np.isin(group, [voice_texts.groups().index(name) for name in voice_texts.FOOD])
    assert not ((reviews["topic"] == "taste") & ~food).any() and (reviews["topic"] == "taste").any()
    assert not written["text"][~food[written.index]].str.contains("味道淡|口感|好吃|tastes").any()


def test_moods_follow_the_experience_and_some_texts_contradict_their_stars(reviews):
    experience = reviews.groupby("sentiment", observed=True)["experience"].mean()
    assert experience["negative"] < experience["neutral"] < experience["positive"]
    contradict = ((reviews["stars"] >= 4) & (reviews["sentiment"] == "negative")).sum()
    contradict += ((reviews["stars"] <= 2) & (reviews["sentiment"] == "positive")).sum()
    assert 0.01 < contradict / len(reviews) < 0.05
    assert reviews["helpful"][reviews["stars"] == 1].mean() > 2 * reviews["helpful"][reviews["stars"] == 5].mean()


def test_each_category_has_phrases_and_no_list_of_phrases_is_missing(shop):
    named = [category for members in SETTINGS["texts"]["groups"].values() for category in members]
    assert sorted(named) == sorted(CATEGORIES)
    _, kinds, _, count = voice_texts.phrase_book()
    general = {kind for name in ("opener", "closer", "slang", "lazy", "turn", "tail") for kind in kinds if name in kind}
    for kind, number in kinds.items():
        places = voice_texts.ANY if kind in general else slice(0, voice_texts.ANY)
        assert (count[:, number, places] > 0).all(), kind


def count_words(text):
    """Return the mood by a list of good and bad words: the method that is to err."""
    text = text.lower()
    good, bad = (sum(text.count(word) for word in words.split()) for words in (GOOD_WORDS, BAD_WORDS))
    score = good - bad
    return "positive" if score > 0 else "negative" if score < 0 else "undecided"


def test_a_list_of_words_errs_where_pieces_of_text_do_better(reviews):
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    polar = reviews[(reviews["sentiment"] != "neutral") & reviews["text"].notna()].iloc[:4000]
    listed = polar["text"].map(count_words)
    wrong = (listed != polar["sentiment"]) & (listed != "undecided")
    assert 0.1 < wrong[polar["sentiment"] == "negative"].mean() < 0.4  # irony and contrast
    right = (listed == polar["sentiment"]).mean()
    assert 0.4 < right < 0.8
    pieces = HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=2**14)
    model = make_pipeline(pieces, LogisticRegression(C=30, class_weight="balanced"))
    train = polar.index % 2 == 0
    model.fit(polar["text"][train], polar["sentiment"][train])
    told = model.score(polar["text"][~train], polar["sentiment"][~train])
    assert told > 0.9 and told > right + 0.15


# --- survey --------------------------------------------------------------------------------------------------------


def test_the_survey_follows_the_data_dictionary(shop):
    tables = survey.make_survey_tables(shop)
    for name, table in tables.items():
        check_table(table, DICTIONARY[name]["columns"])
    asked, sheet = (tables[name].to_pandas() for name in ("survey_invitations", "questionnaire"))
    assert asked["member_id"].is_unique
    assert set(sheet["member_id"]) == set(asked["member_id"][asked["answered"]])
    sent = sheet.merge(asked, on="member_id")
    assert (sent["submitted_at"].dt.date >= sent["asked_on"]).all()
    assert sheet["submitted_at"].max() < pd.Timestamp(REFERENCE_DAY, unit="D")
    assert pd.to_datetime(asked["asked_on"]).dt.strftime("%Y-%m").eq("2026-05").all()
    at_once = sent["asked_by"].isin(["at the till", "telephone"])
    assert (sent["submitted_at"].dt.date == sent["asked_on"])[at_once].all()


def test_a_random_tenth_of_the_cards_is_asked(crowd, answers):
    records = crowd["records"]
    cards = np.flatnonzero((records["channel"] == 0) & (records["made_on"] < answers["asked_on"].min()))
    assert len(answers) / len(cards) == pytest.approx(0.1, abs=0.004)
    people = {name: crowd["people"][name][records["person"][cards]] for name in ("age", "satisfaction")}
    for name, values in people.items():
        assert abs(answers[name].mean() - values.mean()) < 4 * values.std() / len(answers) ** 0.5, name
    assert not records["channel"][answers["record"]].any()


def nps(marks, weights=None):
    """Return (Net Promoter Score, its standard error) of marks from 0 to 10; blanks are left out."""
    weights = np.ones(len(marks)) if weights is None else np.asarray(weights)
    known = np.asarray(marks) >= 0
    points, weights = 100.0 * (np.sign(np.asarray(marks)[known] - 7.5) * (abs(marks[known] - 7.5) > 1)), weights[known]
    mean = np.average(points, weights=weights)
    return mean, np.sqrt((weights**2 * (points - mean) ** 2).sum()) / weights.sum()


def test_the_net_promoter_score_function_of_this_test_is_right():
    assert nps(np.array([0, 6, 7, 8, 9, 10, 10, -1]))[0] == pytest.approx(100 * (3 - 2) / 7)


def test_raw_answers_flatter_and_weights_from_the_known_propensities_undo_it(answers):
    sent = answers[answers["answered"]]
    truth, _ = nps(answers["q7_recommend"].to_numpy())
    raw, raw_error = nps(sent["q7_recommend"].to_numpy())
    weighted, error = nps(sent["q7_recommend"].to_numpy(), 1 / sent["propensity"])
    assert 10 <= truth <= 30
    assert raw - truth > 5 and raw - truth > 3 * raw_error
    assert abs(weighted - truth) < 2.5 * error
    assert sent["satisfaction"].mean() / ONE - answers["satisfaction"].mean() / ONE > 0.08
    weighted = np.average(sent["satisfaction"] / ONE, weights=1 / sent["propensity"])
    assert abs(weighted - answers["satisfaction"].mean() / ONE) < 0.06


def test_post_stratification_by_age_and_sex_repairs_what_hangs_on_them_and_only_that(answers):
    cells = ["age_band", "sex"]
    answers = answers.assign(age_band=survey.by_limit(survey.AGE_STEPS, answers["age"].to_numpy()))
    sent = answers[answers["answered"]]
    weights = sent[cells].merge(
        (answers.groupby(cells).size() / sent.groupby(cells).size()).rename("weight").reset_index(), on=cells
    )["weight"]
    web = (answers["channels"] & WEB > 0).astype(float)
    raw, repaired = web[sent.index].mean(), np.average(web[sent.index], weights=weights)
    assert web.mean() - raw > 0.015  # the young shop on the web and do not answer
    assert abs(repaired - web.mean()) < 0.015
    truth, raw = nps(answers["q7_recommend"].to_numpy())[0], nps(sent["q7_recommend"].to_numpy())[0]
    repaired, error = nps(sent["q7_recommend"].to_numpy(), weights)
    assert truth + 2 * error < repaired < raw - 2  # a part is repaired; satisfaction itself decides who answers


def test_who_answers(answers, crowd):
    people, chance = crowd["people"], survey.survey_propensity(crowd["world"], crowd["people"])
    satisfaction = people["satisfaction"] / ONE
    middle = chance[abs(satisfaction + 0.3) < 0.3].mean()
    assert chance[satisfaction < -2].mean() > 1.5 * middle and chance[satisfaction > 2].mean() > 2 * middle
    assert chance[people["age"] >= 60].mean() > 1.7 * chance[people["age"] < 35].mean()
    assert chance[people["sex"] == 0].mean() > 1.1 * chance[people["sex"] == 1].mean()
    assert chance.dtype == np.int64 and chance.min() > 0 and chance.max() < 1000
    assert answers["answered"].mean() == pytest.approx(answers["propensity"].mean() / 1000, abs=0.02)
    ways = answers.groupby("way")["answered"].mean().to_numpy()
    assert ways[survey.place_of("at the till")] > ways[survey.place_of("sms")]
    assert sum(way["weight"] * way["percent"] for way in SETTINGS["survey"]["asked_by"].values()) == 100 * 100


def alpha(items):
    """Return Cronbach's alpha of the rows without a blank."""
    items = items[(items > 0).all(axis=1)]
    count = items.shape[1]
    return count / (count - 1) * (1 - items.var(axis=0, ddof=1).sum() / items.sum(axis=1).var(ddof=1))


def test_the_items_hang_together_once_the_reversed_one_is_turned_round(answers):
    items = answers[list(survey.LIKERT)].to_numpy().astype(float)
    turned = items.copy()
    turned[:, 4] = np.where(items[:, 4] > 0, 6 - items[:, 4], items[:, 4])
    sent = answers["answered"].to_numpy()
    assert 0.78 < alpha(turned) < 0.88 and 0.78 < alpha(turned[sent]) < 0.88
    assert alpha(items[sent]) < alpha(turned[sent]) - 0.1
    careful = ~answers["careless"].to_numpy() & ~answers["overlooked"].to_numpy()
    assert alpha(turned[careful]) > alpha(turned) + 0.01


def test_careless_answers_are_fast_and_straight(crowd):
    sheet = survey.make_survey_tables(crowd)["questionnaire"].to_pandas()
    items = sheet[[*survey.LIKERT]].drop(columns="q4_delivery")
    straight = items.notna().all(axis=1) & items.nunique(axis=1).eq(1) & items["q1_quality"].ne(3)
    fast = sheet["seconds"] < 40
    assert 0.03 < fast.mean() < 0.08
    assert items[fast].nunique(axis=1).eq(1).all() and straight[~fast].mean() < 0.04
    assert sheet["seconds"].median() > 120
    assert sheet["q9_comment"][fast].isna().all()


def test_blanks_and_channels(crowd, answers):
    never = (answers["channels"] & (WEB | CALL)) == 0
    assert (answers["q4_delivery"][never] == survey.NONE).all() and (answers["q4_delivery"][~never] > 0).mean() > 0.95
    blank = {item: (answers[item] == survey.NONE).mean() for item in survey.LIKERT}
    assert 0 < blank["q1_quality"] < blank["q3_staff"] < blank["q5_returns"] < 0.08
    assert 0.02 < (answers["gender"] == survey.NONE).mean() < 0.06
    said = answers["gender"] != survey.NONE
    assert (answers["gender"] == answers["sex"])[said].all()
    ticked = pd.Series(survey.channel_texts())[answers["q8_channels"]].fillna("").to_numpy()
    for bit, words in ((1, "门店"), (2, "网店|小程序"), (4, "电话")):
        used = (answers["channels"] & bit > 0).to_numpy()
        told = np.array([bool(re.search(words, text)) for text in ticked])
        assert not told[~used].any() and 0.85 < told[used].mean() < 0.93, words


def test_comments_are_few_and_in_the_mood_of_the_answer(crowd):
    sheet = survey.make_survey_tables(crowd)["questionnaire"].to_pandas()
    assert 0.75 < sheet["q9_comment"].isna().mean() < 0.95
    assert not sheet["q9_comment"].dropna().str.contains(r"[{}]").any()
    share = sheet["q9_comment"].notna().groupby(sheet["q6_overall"]).mean()
    assert share[1.0] > 2 * share[4.0] < 4 * share[5.0]
    service = sheet["q9_comment"].dropna().str.contains("客服|店员|售后|服务|退|staff|service|refund|queue")
    assert service.mean() > 0.2


def test_numbers_of_answers_are_unique_and_rise_with_the_time(crowd):
    sheet = survey.make_survey_tables(crowd)["questionnaire"].to_pandas()
    assert sheet["response_no"].is_unique and sheet["response_no"].between(1, 10**14).all()
    assert sheet.sort_values("response_no")["submitted_at"].is_monotonic_increasing
    # Cards that were answered in the same minute by the last possible persons still differ.
    key = (np.array([(1 << 26) - 1, (1 << 26) - 1, 0, 0]) << 9) + np.array([0, 15, 0, 15])
    start = survey.day_of(SETTINGS["survey"]["first_day"]) * MINUTES
    numbers = survey.response_numbers(crowd["world"]["draws"], {"key": key}, np.full(4, start))
    assert len(set(numbers.tolist())) == 4 and numbers.max() <= 1 << survey.CARDS_BITS


# --- both ----------------------------------------------------------------------------------------------------------


def test_cuts_of_a_block_and_larger_worlds_change_nothing(world):
    def make(start, stop):
        block = make_block(world, start, stop, needs=BOUGHT)
        data, truth = voices.make_review_tables(block)
        frames = {name: table.to_pandas() for name, table in (data | truth | survey.make_survey_tables(block)).items()}
        chances = survey.survey_propensity(world, block["people"]), voices.review_propensity(world, block["people"])
        return frames | {"traits": pd.DataFrame(chances).T}

    whole, parts = make(0, 2400), [make(0, 808), make(808, 2400)]
    for name, frame in whole.items():
        assert len(frame) > 20, name
        pd.testing.assert_frame_equal(frame, pd.concat([part[name] for part in parts], ignore_index=True))


def test_another_seed_says_other_things(world, reviews):
    other = voices.make_review_tables(make_block(make_world(8), 0, 3000, needs=BOUGHT))[0]["reviews"].to_pandas()
    assert reviews["text"].iloc[:200].tolist() != other["text"].iloc[:200].tolist()


def test_a_block_without_a_word_gives_empty_tables(world):
    for start in range(0, 800, 8):
        block = make_block(world, start, start + 8, needs=BOUGHT)
        data, truth = voices.make_review_tables(block)
        tables = data | truth | survey.make_survey_tables(block)
        if all(table.num_rows == 0 for table in tables.values()):
            break
    else:
        pytest.fail("no silent block was found")
    check_table(tables["reviews"], DICTIONARY["reviews"]["columns"])
    full, _ = voices.make_review_tables(make_block(world, 0, 800, needs=BOUGHT))
    assert data["reviews"].schema.equals(full["reviews"].schema)


def test_weights_of_feelings_keep_the_standard_deviation():
    reviews = SETTINGS["reviews"]
    for weights in (reviews["experience"], reviews["mood"]):
        parts = [value for name, value in weights.items() if name not in ("all", "cuts")]
        assert sum(part**2 for part in parts) == weights["all"] ** 2
    for item in SETTINGS["survey"]["items"].values():
        assert item["own"] ** 2 + item["rest"] ** 2 == item["all"] ** 2
