"""Chapter 3, repair: what has one reading is mended and noted, everything else stays or becomes missing."""

from pathlib import Path

import pandas as pd
import pytest

from cimlab import load
from cimlab.database import extract_records, repair_missing, repair_typed, repair_values, standardise_records

TRUTH = Path(__file__).parents[1] / "truth"
ON = "2026-06-30"
RIGHT = "990101199001011230"  # born on 1990-01-01, a man
BLANK = dict.fromkeys(["name", "city", "phone", "email", "id_number", "birth_date", "gender"])


def typed(*rows):
    numbers = [f"r{number}" for number in range(1, len(rows) + 1)]
    return pd.DataFrame([BLANK | row for row in rows], index=range(7, 7 + len(rows)), dtype="str").assign(
        record_id=numbers
    )


def clean(*rows):
    table = typed(*rows)
    return table.assign(birth_date=pd.to_datetime(table["birth_date"]))


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"phone": RIGHT, "id_number": "17401234567"}, {"phone": "17401234567", "id_number": RIGHT}),
        ({"phone": "zeng@example.com"}, {"phone": None, "email": "zeng@example.com"}),
        ({"phone": "17401234568", "email": "17401234567"}, {"phone": "17401234568", "email": "17401234567"}),
        ({"phone": "1740", "email": "17401234567"}, {"phone": "17401234567", "email": None}),
        ({"name": "上海市", "city": "李梅"}, {"name": "李梅", "city": "上海市"}),
        ({"name": "上海市", "city": "北京"}, {"name": "上海市", "city": "北京"}),
        ({"name": "李梅", "city": "桃花村"}, {"name": "李梅", "city": "桃花村"}),
        ({"email": "li@example,com"}, {"email": "li@example.com"}),
        ({"email": "li@mail,example,com "}, {"email": "li@mail.example.com "}),
        ({"email": "li,mei@example.com"}, {"email": "li,mei@example.com"}),
    ],
)
def test_typed_values_move_where_they_belong(row, right):
    repaired, log = repair_typed(typed(row), ON)
    expected = typed(row | right)
    pd.testing.assert_frame_equal(repaired, expected, check_dtype=False)
    changed = {field for field in right if right[field] != row.get(field)}
    assert set(log["field"]) == changed and len(log) == len(changed)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("74-03-10", "1974-03-10"),
        ("05/6/7", "05/6/7"),  # 2005-06-07 or 2007-06-05
        ("03-11-30", "03-11-30"),  # 2003-11-30, or 3 November 1930
        ("00-11-21", "2000-11-21"),  # there is no day 0 and no month 0
        ("16-06-29", "1929-06-16"),  # as a year, 16 makes a child or somebody of 110
        ("99.6.31", "99.6.31"),
        ("74-13-40", "74-13-40"),
        ("1974-03-10", "1974-03-10"),
    ],
)
def test_a_year_of_two_digits_gets_a_century_only_if_one_fits(written, right):
    assert repair_typed(typed({"birth_date": written}), ON)[0]["birth_date"].tolist() == [right]


def test_wrong_values_are_taken_away_or_follow_the_identity_number():
    dates = ["1990-01-01", "1900-01-01", "2012-06-30", "2012-07-01", "1916-06-30", "1916-06-29", "1990-01-02", None]
    rows = [{"birth_date": date} for date in dates]
    rows[6] |= {"id_number": RIGHT, "gender": "F"}
    rows[7] |= {"id_number": RIGHT}
    repaired, log = repair_values(clean(*rows), ON)
    right = [None, None, "2012-06-30", None, "1916-06-30", None, "1990-01-01", None]
    assert repaired["birth_date"].dt.strftime("%Y-%m-%d").astype("object").where(
        repaired["birth_date"].notna(), None
    ).tolist() == right  # fmt: skip
    assert repaired["gender"].dropna().tolist() == ["M"]
    assert log["reason"].value_counts().to_dict() == {
        "default date": 2, "impossible age": 2, "the identity number says so": 2,
    }  # fmt: skip
    assert log["old"].notna().all() and log.loc[log["reason"] == "default date", "new"].isna().all()
    # A wrong number says nothing.
    other = clean({"birth_date": "1990-01-02", "gender": "F", "id_number": RIGHT[:-1] + "1"})
    assert repair_values(other, ON)[1].empty


def test_missing_values_are_filled_from_a_right_identity_number_only():
    rows = [{"id_number": RIGHT}, {"id_number": RIGHT[:-1] + "1"}, {"id_number": RIGHT, "gender": "F"}, {}]
    repaired, log = repair_missing(clean(*rows))
    assert repaired["birth_date"].notna().tolist() == [True, False, True, False]
    assert repaired["gender"].fillna("").tolist() == ["M", "", "F", ""]
    assert log["record_id"].tolist() == ["r1", "r3", "r1"] and log["old"].isna().all()


def test_repairing_leaves_what_it_is_given_and_an_empty_table_alone():
    table = clean({"birth_date": "1990-01-01"}, {"id_number": RIGHT})
    before = table.copy()
    for repair in (lambda t: repair_values(t, ON), repair_missing, lambda t: repair_typed(t, ON)):
        repaired, log = repair(table)
        pd.testing.assert_frame_equal(table, before)
        assert repaired.index.equals(table.index) and repaired.columns.equals(table.columns)
        assert list(log) == ["record_id", "field", "old", "new", "reason"]
        empty, none = repair(table.iloc[:0])
        assert empty.empty and none.empty


@pytest.mark.skipif(not TRUTH.is_dir(), reason="the truth is not part of a student's copy")
def test_every_repair_of_the_edition_is_right():
    people = pd.read_csv(TRUTH / "persons.csv", dtype="str", encoding="utf-8")
    owners = pd.read_csv(TRUTH / "entity_map.csv", dtype="str", encoding="utf-8")
    true = owners.merge(people, on="person_id").set_index("record_id")
    raw = extract_records(load("members"), load("web_accounts"), load("calls"))
    mended, log_typed = repair_typed(raw, ON)
    values, log_values = repair_values(standardise_records(mended), ON)
    full, log_missing = repair_missing(values)
    log = pd.concat([log_typed, log_values, log_missing])
    log = log[log["field"].isin(["birth_date", "gender"])]
    right = pd.Series([true.loc[row.record_id, row.field] for row in log.itertuples()], index=log.index)
    assert (right == log["new"])[log["new"].notna()].all()
    assert (right != log["old"])[log["new"].isna()].all()
    assert len(log) > 200 and full["birth_date"].notna().sum() > values["birth_date"].notna().sum()
