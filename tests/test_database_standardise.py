"""Chapter 3, standardise: what people type is read in one way, and what cannot be read becomes missing, never wrong."""

import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlab import database, load
from cimlab.database import (
    credit_code_status,
    extract_records,
    id_number_status,
    pinyin_names,
    standardisation_report,
    standardise_addresses,
    standardise_cities,
    standardise_codes,
    standardise_dates,
    standardise_emails,
    standardise_genders,
    standardise_names,
    standardise_phones,
    standardise_records,
    standardise_sizes,
)


def read(function, *values):
    """Apply a column function and return a list with None for missing."""
    column = function(pd.Series(values, dtype="object"))
    return [None if pd.isna(value) else value for value in column]


@pytest.mark.parametrize(
    "typed",
    ["17401234567", "１７４０１２３４５６７", "174-0123-4567", "174 0123 4567", "+86 174 0123 4567", "0086-17401234567",
     "(86)17401234567", 17401234567, 17401234567.0],
)  # fmt: skip
def test_one_phone_in_many_forms(typed):
    assert read(standardise_phones, typed) == ["+8617401234567"]


@pytest.mark.parametrize(
    "typed", ["1740123456", "174012345678", "17401234567/17401234568", "1740FLOWERS", "1.74E+10", "无", "", None]
)
def test_a_phone_that_cannot_be_becomes_missing(typed):
    assert read(standardise_phones, typed) == [None]


@pytest.mark.parametrize(
    ("name", "pinyin"),
    [
        ("曾国藩", "zeng guofan"), ("单雄信", "shan xiongxin"), ("解缙", "xie jin"), ("仇和", "qiu he"),
        ("查良镛", "zha liangyong"), ("区志航", "ou zhihang"), ("任正非", "ren zhengfei"), ("盖聂", "ge nie"),
        ("翟志刚", "zhai zhigang"), ("欧阳修", "ouyang xiu"), ("司马迁", "sima qian"), ("尉迟恭", "yuchi gong"),
        ("朴树", "piao shu"), ("吕布", "lv bu"), ("Lü Bu", "lv bu"), ("LYU Bu", "lv bu"), ("曾先生", "zeng"),
        ("Guofan Zeng", "zeng guofan"), ("ZENG Guofan", "zeng guofan"), ("Guofan ZENG", "zeng guofan"),
        ("Zeng, Guofan", "zeng guofan"), ("zeng guo fan", "zeng guofan"), ("Guo-fan Zeng", "zeng guofan"),
        ("Zengguofan", "zeng guofan"), ("Xiu Ouyang", "ouyang xiu"), ("Mr. Zeng", "zeng"),
        ("Tianwei Chem", "chem tianwei"),
        ("Wangang", "wangang"),  # wan gang or wang ang: not to be decided
        ("Wei Li", "wei li"),  # both can be surnames: not to be decided, kept as typed
    ],
)  # fmt: skip
def test_pinyin_puts_the_surname_first_and_reads_it_right(name, pinyin):
    assert read(pinyin_names, name) == [pinyin]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("曾　国藩 先生", "曾国藩"),
        ("ms. LI  mei", "Li Mei"),
        ("李梅女士", "李梅"),
        ("先生", None),
        ("12345", None),
        ("McDonald", "McDonald"),
    ],
)
def test_names_lose_honorifics_and_stray_spaces(typed, name):
    assert read(standardise_names, typed) == [name]


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("1990-01-05", "1990-01-05"), ("1990/1/5", "1990-01-05"), ("1990.1.5", "1990-01-05"),
        ("19900105", "1990-01-05"),
        ("1990年1月5日", "1990-01-05"), ("１９９０－０１－０５", "1990-01-05"), ("5 Jan 1990", "1990-01-05"),
        ("Jan 5, 1990", "1990-01-05"), ("25/12/1990", "1990-12-25"), ("12/25/1990", "1990-12-25"),
        ("05/05/1990", "1990-05-05"), ("1990-01-05 10:22:11", "1990-01-05"),
        ("05/06/1990", None), ("90-01-05", None), ("1990-02-30", None), ("1990-13-01", None), ("1990", None),
        ("32874", None), ("1800-01-01", None), ("foo 5, 1990", None), ("0000-00-00", None),
    ],
)  # fmt: skip
def test_dates_are_read_or_missing_but_never_guessed(typed, day):
    assert read(standardise_dates, typed) == [None if day is None else pd.Timestamp(day)]


def test_other_fields():
    assert read(standardise_genders, "女", "female", "Mr", "先生", "保密", "0", 2) == [
        "F",
        "F",
        "M",
        "M",
        None,
        None,
        "F",
    ]
    assert read(standardise_cities, "杭州市", "HANGZHOU", "Xi'an", "广东省广州市", "重庆") == [
        "杭州",
        "杭州",
        "西安",
        "广州",
        "重庆",
    ]
    assert read(standardise_emails, "A.B＠Example.COM", "a@example,com", "aexample.com", "a b@example.com") == [
        "a.b@example.com", None, None, None,
    ]  # fmt: skip
    same = ["海曙区明风街289号翠枫花园3栋402室"] * 3
    typed = [
        "宁波市海曙区明风街289号翠枫花园3号楼402",
        "海曙区明风街289号翠枫花园3-402",
        "海曙区 明风街２８９号，翠枫花园3栋402室",
    ]
    assert read(standardise_addresses, *typed) == same


@pytest.mark.parametrize(
    ("typed", "quantity", "unit"),
    [("500 g", 500, "g"), ("0.5kg", 500, "g"), ("1斤", 500, "g"), ("500克", 500, "g"), ("半斤", 250, "g"),
     ("1 L", 1000, "ml"), ("6 x 330ml", 1980, "ml"), ("12枚", 12, "piece")],
)  # fmt: skip
def test_sizes(typed, quantity, unit):
    assert standardise_sizes(pd.Series([typed])).iloc[0].tolist() == [quantity, unit]


def test_pack_sizes_of_the_catalogue_are_read():
    sizes = load("products")["pack_size"]
    unread = sizes[standardise_sizes(sizes)["unit"].isna()]
    assert set(unread) <= {"32 cm"}  # the length of a pan is no contents


def test_identity_numbers_and_credit_codes():
    good = "990101199001011230"
    status = read(
        id_number_status, good, good[:17] + "1", good[:17], "99010119900230123X", "000000199001011230", "", None
    )
    assert status == ["ok", "wrong check digit", "wrong length", "wrong birth date", "unknown region", "blank", "blank"]
    assert read(id_number_status, "990101 19900101 1230")[0] == "ok"
    swapped = good[:8] + good[9] + good[8] + good[10:]
    assert swapped != good and read(id_number_status, swapped) != ["ok"]
    code = "91990100MA0000001G"
    assert read(credit_code_status, code, code[:-1] + "A", code[:-1], "9199010OMA0000001G", None) == [
        "ok", "wrong check character", "wrong length", "wrong character", "blank",
    ]  # fmt: skip
    assert read(standardise_codes, " 9901 0119-900101123x") == ["99010119900101123X"]


TYPED = st.one_of(st.none(), st.text(max_size=25), st.from_regex(r"\A(\+86|0086)?[ -]?1740[0-9 -]{6,9}\Z"),
                  st.sampled_from(["曾国藩", "Guofan Zeng", "Zengguofan", "1990年1月5日", "Li Hong"]))  # fmt: skip


ONE_WAY = [
    standardise_phones,
    standardise_names,
    standardise_emails,
    standardise_dates,
    standardise_genders,
    standardise_codes,
]


@pytest.mark.parametrize("function", [*ONE_WAY, pinyin_names])
@settings(deadline=None)
@given(values=st.lists(TYPED, max_size=4))
def test_standardising_keeps_the_index_and_missing_and_is_done_once(function, values):
    typed = pd.Series(values, index=range(10, 10 + len(values)), dtype="object")
    once = function(typed)
    assert once.index.equals(typed.index)
    assert once[typed.isna()].isna().all()
    # Pinyin is no way back: of "ri yue" nobody knows any more that 日 came first.
    if function in ONE_WAY:
        pd.testing.assert_series_equal(function(once), once)


def test_the_report_shows_what_was_lost():
    before = pd.DataFrame({"phone": ["1740 1234567", "1740", None, "+8617401234567"], "note": "x"})
    report = standardisation_report(before, before[["phone"]].apply(standardise_phones)).set_index("field")
    assert report.loc["phone"].tolist() == [3, 2, 1, 1]
    assert list(report.index) == ["phone"]


def test_records_of_three_channels():
    raw = extract_records(load("members"), load("web_accounts"), load("calls"))
    assert len(raw) == len(load("members")) + len(load("web_accounts")) + len(load("calls"))
    assert raw["record_id"].is_unique
    calls = raw[raw["source"] == "call"]
    assert set(calls["gender"].dropna()) <= {"先生", "女士", "小姐", "太太", "Mr", "Ms", "Mrs", "Miss"}
    records = standardise_records(raw)
    assert set(records["gender"].dropna()) == {"F", "M"}
    # Some cells hold what belongs into another column: a name for a city. Nobody can read it there, and nobody should
    # guess.
    known = standardise_cities(load("stores")["city"])
    assert records["city"].dropna().isin(known).mean() > 0.6
    assert records["city"].nunique() < 60
    lost = standardisation_report(raw, records).set_index("field")["became_missing"]
    assert lost[["name", "city", "address"]].sum() == 0
    assert lost["id_number"] < 20
    assert 0 < lost["phone"] < 0.02 * len(raw)


def test_extract_says_what_is_missing_or_double():
    members, web, calls = load("members").head(3), load("web_accounts").head(3), load("calls").head(3)
    with pytest.raises(ValueError, match="the table members has no column updated_on"):
        extract_records(members.drop(columns="updated_on"), web, calls)
    with pytest.raises(ValueError, match=f"occur twice, the first is '{members['member_id'][0]}'"):
        extract_records(pd.concat([members, members]), web, calls)


def test_the_module_is_lazy_and_whole():
    heavy = "{'splink', 'duckdb', 'pandera', 'sqlalchemy', 'openpyxl'}"
    code = f"import sys; from cimlab import database; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(callable(getattr(database, name)) or name.isupper() for name in database.__all__)
    with pytest.raises(AttributeError, match="no attribute 'standardize_names'"):
        _ = database.standardize_names
