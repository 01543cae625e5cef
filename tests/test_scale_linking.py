"""Record linkage at scale: the weights learned on a sample, the pairs scored where the data is."""

import json

import pandas as pd
import pytest
from rapidfuzz.distance import JaroWinkler

from cimlab import load
from cimlab.database import candidate_pairs, extract_records, link_records, standardise_records
from cimlab.database.linkage import to_engine
from cimlab.scale import LARGE_BLOCKS, close_engine, count_block_pairs, learn_weights, open_engine, score_large
from cimlab.scale.linking import _single_bytes, _whole_groups

PAIR = ["record_id_a", "record_id_b"]


@pytest.fixture(scope="module")
def records():
    return standardise_records(extract_records(load("members"), load("web_accounts"), load("calls")))


@pytest.fixture(scope="module")
def model(records):
    return learn_weights(records)


@pytest.fixture(scope="module")
def scored(records, model):
    engine = open_engine("duckdb", {})
    yield score_large(records, model, engine, threshold=0.1)
    close_engine(engine)


def test_the_pairs_of_blocks_are_those_that_would_be_made(records):
    counted = count_block_pairs(records).set_index("block")["pairs"]
    for block in LARGE_BLOCKS:
        assert counted[", ".join(block)] == len(candidate_pairs(records, [block]))
    with pytest.raises(ValueError, match="no column town; they have record_id"):
        count_block_pairs(records, [["town"]])


def test_a_block_by_the_name_alone_grows_with_the_square(records):
    """Twice the customers are four times the pairs of a name, and the blocks of the large edition grow less."""
    twice = pd.concat([records, records.assign(record_id=records["record_id"] + "x", phone=None, birth_date=pd.NaT)])
    growth = {
        name: count_block_pairs(twice, [block])["pairs"].sum() / count_block_pairs(records, [block])["pairs"].sum()
        for name, block in {"name": ["name_pinyin"], "phone": ["phone"]}.items()
    }
    assert growth["name"] > 3.9 and growth["phone"] == 1


def test_the_model_is_plain_data_and_says_nothing_of_a_person(records, model):
    text = json.dumps(model)
    known = {value for column in ("phone", "email", "address") for value in records[column].dropna()}
    assert not [value for value in known if value in text]


def test_scores_are_those_of_the_chapter_on_the_same_pairs(records, model, scored):
    """Other blocks and other texts move a few pairs: nearly all sure ones are the same."""
    chapter = link_records(records, blocks=LARGE_BLOCKS, threshold=0.9)
    both = chapter.merge(scored[scored["probability"] >= 0.9], on=PAIR, how="outer", indicator=True)
    assert (both["_merge"] == "both").mean() > 0.97


def test_a_limit_of_memory_and_another_order_of_rows_change_nothing(records, model, scored):
    engine = open_engine("duckdb", {}, memory="200MB")
    shuffled = score_large(records.sample(frac=1, random_state=2), model, engine, threshold=0.1)
    close_engine(engine)
    pd.testing.assert_frame_equal(shuffled, scored)


def test_the_sample_takes_all_records_that_share_a_phone_or_a_birthday(records):
    part = _whole_groups(records, 1500, seed=1)
    assert 900 < len(part) < 2600
    whole = records["phone"].isin(part["phone"].dropna()) | records["birth_date"].isin(part["birth_date"].dropna())
    chosen = records.index.isin(part.index)
    halves = records[whole & ~chosen]  # of somebody's other phone: not all phones of the sample were drawn
    drawn = part.groupby("phone").size().eq(records.groupby("phone").size().reindex(part["phone"].dropna().unique()))
    assert drawn.mean() > 0.5 and len(halves) < len(records) / 2
    assert len(_whole_groups(records, len(records), seed=1)) == len(records)


def test_learned_on_a_sample_the_pairs_are_nearly_the_same(records, scored):
    engine = open_engine("duckdb", {})
    part = score_large(records, learn_weights(records, sample=3000), engine, threshold=0.1)
    close_engine(engine)
    whole, half = (set(map(tuple, pairs.loc[pairs["probability"] >= 0.5, PAIR].to_numpy())) for pairs in (scored, part))
    assert len(whole & half) / len(whole | half) > 0.93


def test_similarity_of_chinese_is_the_same_in_bytes_and_in_characters():
    """What the engines compare: DuckDB bytes, Spark characters. Written in ASCII there is no difference."""
    pair = ["北仑区宋山路91号锦湖家园6栋2201室", "宋山路91号锦湖家园6栋2201室"]
    raw = JaroWinkler.similarity(*(text.encode() for text in pair)), JaroWinkler.similarity(*pair)
    assert [round(value, 2) for value in raw] == [0.81, 0.95]
    table = _single_bytes(pd.DataFrame({"address": pair}), {"address": "text"})["address"]
    assert table.map(str.isascii).all()
    assert table.map(len).tolist() == [sum(1 + (not sign.isascii()) for sign in text) for text in pair]
    assert JaroWinkler.similarity(*table) == JaroWinkler.similarity(*(text.encode() for text in table))


@pytest.mark.spark
def test_spark_gives_the_same_pairs(records, model, scored):
    engine = open_engine("spark", {})
    other = score_large(records, model, engine, threshold=0.1)
    close_engine(engine)
    pd.testing.assert_frame_equal(other, scored, check_exact=False, rtol=0, atol=1e-4)


def test_the_engine_gets_missing_values_as_none(records):
    table = to_engine(records.head(50), {"email": "email"}, [["phone"]])
    assert table["email"].isna().any() and all(value is None for value in table["email"][table["email"].isna()])
