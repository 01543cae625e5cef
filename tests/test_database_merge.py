"""Chapter 3, integrate: which record speaks for each field, and what is kept of the others."""

from pathlib import Path

import pandas as pd
import pytest

from cimlab import load
from cimlab.database import (
    ENTERPRISE_BLOCKS,
    ENTERPRISE_RULES,
    candidate_pairs,
    cluster_pairs,
    merge_records,
    score_pairs,
    standardise_enterprises,
)

TRUTH = Path(__file__).parents[1] / "truth" / "enterprises.csv"
RECORDS = pd.DataFrame(
    {
        "record_id": ["r1", "r2", "r3", "r4"],
        "source": ["till", "web", "call", "web"],
        "updated_at": pd.to_datetime(["2024-01-01", "2025-01-01", "2026-01-01", "2025-01-01"]),
        "name": ["曾国藩", "Zeng Guofan", "曾", "曾国荃"],
        "phone": ["+1", "+2", None, "+4"],
        "city": ["长沙", None, "武汉", "长沙"],
        "birth_date": pd.to_datetime(["1990-01-01", "1991-01-01", "1991-01-01", None]),
    }
)
ONE = pd.DataFrame({"record_id": ["r1", "r2", "r3", "r4"], "customer_id": "K000001"})


def winner(field, rule, records=RECORDS, clusters=ONE):
    customers, lineage = merge_records(records, clusters, {field: rule})
    row = lineage.iloc[0]
    return customers.loc[0, field], row["record_id"], row["decided_by"], row["rejected"]


def test_newest_never_takes_a_missing_value():
    # r3 is the newest but has no phone; r2 and r4 are equally new, so the smaller record_id decides.
    assert winner("phone", "newest") == ("+2", "r2", "tie: record_id", "+1 (r1); +4 (r4)")


def test_priority_takes_the_first_source_that_knows():
    assert winner("city", "priority:web>till>call") == ("长沙", "r4", "rule", "武汉 (r3)")
    assert winner("city", "priority:call>till")[:3] == ("武汉", "r3", "rule")
    # A source that the list does not name comes last.
    assert winner("phone", "priority:call")[1:3] == ("r2", "tie: record_id")


def test_vote_takes_the_value_of_most_records():
    value, record, decided_by, rejected = winner("birth_date", "vote")
    assert (value, record, decided_by, rejected) == (pd.Timestamp("1991-01-01"), "r3", "rule", "1990-01-01 (r1)")
    # One vote each: the newest record decides.
    assert winner("phone", "vote", RECORDS.head(2), ONE.head(2))[1:3] == ("r2", "tie: newest")


def test_most_complete_prefers_chinese_then_length():
    assert winner("name", "most complete")[:3] == ("曾国荃", "r4", "tie: newest")
    assert winner("name", "most complete", RECORDS.head(3), ONE.head(3))[:3] == ("曾国藩", "r1", "rule")


def test_with_keeps_the_values_of_one_record_together():
    rules = {"phone": "newest", "city": "with:phone"}
    customers, lineage = merge_records(RECORDS, ONE, rules)
    assert customers.loc[0, "phone"] == "+2" and pd.isna(customers.loc[0, "city"])
    assert lineage["field"].tolist() == ["phone"]
    with pytest.raises(ValueError, match="'city' goes with 'street', which needs a rule of its own"):
        merge_records(RECORDS, ONE, {"city": "with:street"})


def test_agreement_and_single_values_are_named():
    agreed = RECORDS.assign(city="长沙")
    assert winner("city", "newest", agreed)[2:] == ("all agree", "")
    single = RECORDS.assign(city=["长沙", None, None, None])
    assert winner("city", "vote", single)[2:] == ("only value", "")


def test_every_customer_appears_once_and_the_order_of_rows_does_not_matter():
    clusters = ONE.assign(customer_id=["K000001", "K000002", "K000001", "K000003"])
    rules = {"name": "most complete", "phone": "newest", "birth_date": "vote"}
    customers, lineage = merge_records(RECORDS, clusters, rules)
    assert customers["customer_id"].tolist() == ["K000001", "K000002", "K000003"]
    assert customers["records"].tolist() == [2, 1, 1]
    assert customers["updated_at"].iloc[0] == pd.Timestamp("2026-01-01")
    again = merge_records(RECORDS.iloc[::-1], clusters.iloc[::-1], rules)
    pd.testing.assert_frame_equal(again[0], customers)
    pd.testing.assert_frame_equal(again[1], lineage)
    # Each value of a customer has its line in the lineage, and that record really says so.
    filled = customers[list(rules)].notna().to_numpy().sum()
    assert len(lineage) == filled
    said = RECORDS.set_index("record_id")
    assert all(str(said.loc[row.record_id, row.field]).startswith(row.value) for row in lineage.itertuples())


def test_merging_says_what_is_wrong():
    with pytest.raises(ValueError, match="'phone' has the unknown rule 'latest'; choose one of: newest"):
        merge_records(RECORDS, ONE, {"phone": "latest"})
    with pytest.raises(ValueError, match="1 records have no customer in `clusters`, the first is 'r4'"):
        merge_records(RECORDS, ONE.head(3), {"phone": "newest"})
    with pytest.raises(ValueError, match="no column fax"):
        merge_records(RECORDS, ONE, {"fax": "newest"})


@pytest.mark.skipif(not TRUTH.is_file(), reason="the truth is not part of a student's copy")
def test_enterprises_are_found_by_code_and_name():
    firms = standardise_enterprises(load("enterprises"))
    truth = pd.read_csv(TRUTH, dtype="str", encoding="utf-8").rename(
        columns={"enterprise_id": "record_id", "firm_id": "person_no"}
    )
    found = candidate_pairs(firms, ENTERPRISE_BLOCKS)
    scores = score_pairs(found, truth).iloc[0]
    assert scores["precision"] > 0.97 and scores["recall"] > 0.93, scores.to_dict()
    merged, _ = merge_records(firms, cluster_pairs(firms, found), ENTERPRISE_RULES)
    assert len(merged) == pytest.approx(truth["person_no"].nunique(), abs=3)
