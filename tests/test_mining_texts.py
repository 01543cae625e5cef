"""Moods and topics of reviews: what each way of reading is worth, and what bad input is told."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

import cimlab
from cimlab.collection import find_sentiments, predict_classes
from cimlab.mining import (
    TOPIC_WORDS,
    judge_readers,
    learning_curve,
    split_clauses,
    star_sentiment,
    telling_pieces,
    topic_model,
    topic_report,
    topic_sentiment,
)


@pytest.fixture(scope="module")
def reviews():
    return cimlab.load("reviews").dropna(subset=["text"]).set_index("review_id")


@pytest.fixture(scope="module")
def moods(reviews):
    return star_sentiment(reviews["stars"])


def test_stars_become_moods():
    assert star_sentiment(pd.Series([1, 2, 3, 4, 5])).tolist() == ["negative"] * 2 + ["neutral"] + ["positive"] * 2
    assert star_sentiment(pd.Series([1, None], dtype="Int64")).isna().tolist() == [False, True]


def test_a_star_that_is_none_is_named():
    with pytest.raises(ValueError, match="row V2 holds 6"):
        star_sentiment(pd.Series([1, 6], index=["V1", "V2"]))


def test_the_scores_are_those_of_scikit_learn(reviews, moods):
    read = find_sentiments(reviews["text"])
    row = judge_readers({"lexicon": read}, moods, draws=50).loc["lexicon"]
    assert row["accuracy"] == pytest.approx(accuracy_score(moods, read))
    assert row["macro_f1"] == pytest.approx(f1_score(moods, read, average="macro"))
    assert row["low"] < row["macro_f1"] < row["high"]


def test_a_missing_answer_is_wrong_and_a_missing_label_does_not_count():
    labels = pd.Series(["positive", "negative", None])
    answers = pd.Series(["positive", None, "negative"], dtype="str")
    row = judge_readers({"reader": answers}, labels, draws=0).loc["reader"]
    assert (row["n"], row["accuracy"]) == (2, 0.5)


def test_the_model_reads_better_than_the_lexicon_and_both_better_than_one_answer(reviews, moods):
    readers = {
        "always positive": pd.Series("positive", index=moods.index),
        "lexicon": find_sentiments(reviews["text"]),
        "model": predict_classes(reviews["text"], moods),
    }
    judged = judge_readers(readers, moods, draws=100)
    assert judged.index.tolist() == ["model", "lexicon", "always positive"]
    assert judged.loc["always positive", "accuracy"] > judged.loc["lexicon", "accuracy"]  # what accuracy hides


def test_readers_of_other_texts_are_refused():
    with pytest.raises(ValueError, match="'model' has another index"):
        judge_readers({"model": pd.Series(["positive"], index=["V9"])}, pd.Series(["positive"], index=["V1"]))
    with pytest.raises(ValueError, match="no text has a label"):
        judge_readers({}, pd.Series([None, None], dtype="str"))


def test_more_examples_read_better(reviews, moods):
    curve = learning_curve(reviews["text"], moods, sizes=(30, 150), repeats=5)
    few, many = curve["macro_f1"]
    assert many > few + 0.05
    assert (curve["low"] <= curve["macro_f1"]).all() and (curve["macro_f1"] <= curve["high"]).all()


def test_the_learning_curve_does_not_depend_on_the_names_of_the_rows(reviews, moods):
    first = learning_curve(reviews["text"], moods, sizes=(40,), repeats=2)
    other = learning_curve(reviews["text"].reset_index(drop=True), moods.reset_index(drop=True), sizes=(40,), repeats=2)
    pd.testing.assert_frame_equal(first, other)


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_size_that_does_not_fit_is_refused(reviews, moods, size):
    with pytest.raises(ValueError, match=f"{size} examples do not fit"):
        learning_curve(reviews["text"], moods, sizes=(size,))


def test_the_pieces_speak_for_their_class():
    texts = pd.Series(["真好吃", "很好", "好用", "太差了", "很差", "差评"] * 3)
    pieces = telling_pieces(texts, pd.Series((["positive"] * 3 + ["negative"] * 3) * 3), top=2)
    assert pieces.groupby("class")["piece"].first().to_dict() == {"negative": "差", "positive": "好"}
    assert (pieces["weight"] > 0).all()


def test_three_classes_have_a_weight_each(reviews, moods):
    pieces = telling_pieces(reviews["text"], moods, top=4)
    assert pieces["class"].value_counts().to_dict() == {"negative": 4, "neutral": 4, "positive": 4}


def test_pieces_need_two_classes_and_enough_texts():
    with pytest.raises(ValueError, match="two classes are needed"):
        telling_pieces(pd.Series(["好", "很好"]), pd.Series(["positive", "positive"]))
    with pytest.raises(ValueError, match="no piece stands in 9 texts"):
        telling_pieces(pd.Series(["好", "差"]), pd.Series(["positive", "negative"]), at_least=9)


# -------------------------------------------------------------------------------------------------------------- topics
def test_chinese_is_cut_at_blanks_and_turns_english_at_marks():
    texts = pd.Series(
        ["味道很好 快递慢,但是包装严实!", "Very slow delivery, at least it was cheap."], index=["V1", "V2"]
    )
    clauses = split_clauses(texts).groupby("text")["clause"].agg(list)
    assert clauses["V1"] == ["味道很好", "快递慢", "包装严实"]
    assert clauses["V2"] == ["very slow delivery", "it was cheap"]


def test_a_review_may_hold_two_topics_with_two_moods():
    found = topic_sentiment(pd.Series(["价格实惠,可惜客服敷衍"], index=["V1"]))
    assert found[["topic", "sentiment"]].values.tolist() == [["price", "positive"], ["service", "negative"]]


def test_no_texts_give_no_clauses():
    found = topic_sentiment(pd.Series([None], dtype="str"))
    assert found.empty and found.columns.tolist() == ["text", "clause", "topic", "sentiment"]


def test_the_words_find_most_of_the_planted_topics(reviews):
    planted = cimlab.envelope("review_facts").set_index("review_id")["topic"]
    assert set(TOPIC_WORDS) == set(planted)
    found = topic_sentiment(reviews["text"]).dropna(subset="topic")
    found["right"] = found["topic"] == found["text"].map(planted)
    hit = found.groupby("text")["right"].any().reindex(reviews.index, fill_value=False)
    assert hit.mean() > 0.6
    assert topic_sentiment(reviews["text"])["topic"].isna().any()  # and some of the clauses they do not know


def test_the_report_counts_texts_once_and_judges_what_has_a_mood():
    found = pd.DataFrame(
        {
            "text": ["V1", "V1", "V2", "V3"],
            "topic": ["price", "price", "price", None],
            "sentiment": ["negative", "positive", "neutral", "negative"],
        }
    )
    row = topic_report(found, stars=pd.Series({"V1": 1, "V2": 4})).loc["price"]
    assert (row["texts"], row["positive"], row["negative"], row["share_negative"], row["stars"]) == (2, 1, 1, 0.5, 2.5)
    # Wilson for 1 of 2: (0.5 + z²/4 ∓ z·sqrt(1/8 + z²/16)) / (1 + z²/2)
    z = 1.959964
    half = z * np.sqrt(1 / 8 + z**2 / 16)
    assert row["low"] == pytest.approx((0.5 + z**2 / 4 - half) / (1 + z**2 / 2), abs=1e-6)


def test_the_report_says_which_column_is_missing():
    with pytest.raises(ValueError, match="no column sentiment"):
        topic_report(pd.DataFrame({"text": ["V1"], "topic": ["price"]}))


def test_topics_are_found_without_words(reviews):
    clauses = split_clauses(reviews["text"]).drop_duplicates("clause")["clause"]
    shown, strongest = topic_model(clauses, topics=6)
    assert shown["texts"].is_monotonic_decreasing and shown["texts"].sum() == len(clauses) == len(strongest)
    assert strongest.value_counts().sort_index().tolist() == shown["texts"].tolist()
    about_taste = strongest[clauses.str.contains("味道")]
    assert about_taste.value_counts(normalize=True).iloc[0] > 0.6  # clauses about one thing come together


def test_topics_are_the_same_at_every_run(reviews):
    clauses = split_clauses(reviews["text"])["clause"]
    first, second = topic_model(clauses, topics=5), topic_model(clauses, topics=5)
    pd.testing.assert_frame_equal(first[0], second[0])
    pd.testing.assert_series_equal(first[1], second[1])


def test_more_topics_than_texts_are_refused():
    with pytest.raises(ValueError, match="3 topics need as many texts"):
        topic_model(pd.Series(["好", "差"]), topics=3)
