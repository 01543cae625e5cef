"""Chapter 2, channels and quality: each file is read as what it is, a damaged one is refused with its place, and the
six dimensions and the costs come out as counted by hand."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from cimlab import collection, load, locate, tables
from cimlab.collection import (
    CHANNEL_COSTS,
    CHANNELS,
    QUALITY_RULES,
    as_code,
    as_date,
    as_email,
    as_gender,
    as_number,
    as_one_of,
    as_phone,
    cost_per_usable_record,
    describe_channel,
    describe_channels,
    describe_fields,
    quality_by_channel,
    quality_report,
    read_bought_list,
    read_call_notes,
    read_exhibition,
    read_questionnaire,
    read_register,
    read_reviews,
    read_till,
    read_web_events,
    usable_records,
)
from cimlab.retailer import read_truth

TODAY = "2026-06-30"
TRUTH = Path(__file__).parents[1] / "truth" / "datapackage.json"
READERS = {
    "till": (read_till, "members"),
    "web_events": (read_web_events, "web_events"),
    "call_notes": (read_call_notes, "calls"),
    "questionnaire": (read_questionnaire, "questionnaire"),
    "exhibition": (read_exhibition, "exhibition"),
    "reviews": (read_reviews, "reviews"),
    "bought_list": (read_bought_list, "bought_list"),
    "register": (read_register, "business_register"),
}


@pytest.fixture(scope="module")
def channels():
    return {channel: reader(locate(table)) for channel, (reader, table) in READERS.items()}


@pytest.fixture
def broken(tmp_path):
    """Return a function that copies the file of a table and changes its text."""

    def change(table, *changes, encoding="utf-8"):
        path = tmp_path / locate(table).name
        text = locate(table).read_text(encoding=encoding)
        for pattern, instead in changes:
            text, number = re.subn(pattern, instead, text, count=1, flags=re.MULTILINE)
            assert number, f"{pattern} is not in the file"
        path.write_text(text, encoding=encoding)
        return path

    return change


# --- readers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "table"),
    [*READERS.values(), (read_till, "orders"), (read_till, "order_lines")],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_a_reader_gives_what_the_door_to_data_gives(reader, table):
    pd.testing.assert_frame_equal(reader(locate(table)), load(table))


@pytest.mark.parametrize(
    ("reader", "table", "change", "message"),
    [
        (read_till, "orders", (r"^(\w+,\w+,\w*,\w*,[\d :-]+),[\d.]+$", r"\1,free"),
         r"orders\.csv, line 2, column amount: 'free' is not a number\. Correct it in a copy"),
        (read_till, "orders", (r"^(\w+,\w+,\w*,\w*,[\d :-]+),[\d.]+$", r"\1,"),
         "line 2, column amount: the cell is blank, it needs a number"),
        (read_till, "members", (r"\d{4}-\d\d-\d\d$", "2016-02-30"),
         "members.csv, line 2, column updated_on: '2016-02-30' is not a date such as 2026-06-30"),
        (read_till, "members", (r"^M\w+,", ","), "line 2, column member_id: the cell is blank, it needs a value"),
        (read_till, "members", ("^member_id,name", "member_id,nane"), "line 1: .*missing: name, unknown: 'nane'"),
        (read_till, "members", ("^member_id,name", "name,member_id"), "line 1: the columns stand in another order"),
        (read_till, "order_lines", (r"^(\w+),1,", r"\1,1.5,"), "column line_no: '1.5' is not a whole number"),
        (read_till, "order_lines", (r"^(\w+),1,", r"\1,1,1,"), "line 2: 8 cells, but there are 7 columns"),
        (read_till, "orders", (r"^(\w+),till", r'"\1,till'), r"line \d+: (\d+ cells|this cannot be read)"),
        (read_web_events, "web_events", ('"event":', '"event"'), r"web_events\.jsonl, line 1: this is no JSON"),
        (read_web_events, "web_events", ("^.*$", "[1, 2]"), r"line 1: '\[1, 2\]' is no JSON object"),
        (read_web_events, "web_events", (r'"session":\{"id":"\w+",', '"session":{'), "1, column session_id: .*blank"),
        (read_web_events, "web_events", ("T00:", "T25:"), "column happened_at: '.*T25:.*' is not a time such as"),
        (read_reviews, "reviews", ('"stars":5', '"stars":"five"'), r"column stars: 'five' is not a whole number"),
        (read_reviews, "reviews", ('"stars":5,', ""), "column stars: the cell is blank, it needs a whole number"),
        (read_call_notes, "calls", (r"^\[\w+\]", "C52"), r"calls\.txt, line 1: a call should begin like '\[C52H7S\]"),
        (read_call_notes, "calls", (r"\n\n\[", r"\n["), r"line \d+: '\[\w+\] .*' stands behind the note; is an empty"),
        (read_call_notes, "calls", (r"-\d\d (\d\d:\d\d)", r"-99 \1"), "line 1, column called_at: .* is not a time"),
        (read_questionnaire, "questionnaire", ("Q4 送货", "Q4"), "missing: Q4 送货, unknown: 'Q4'"),
        (read_questionnaire, "questionnaire", (r"^(\d+),M\w+,", r"\1,,"), "2, column member_id: the cell is blank"),
        (read_questionnaire, "questionnaire", (r"(:\d\d,\d+,[^,]*,[^,]*),\d", r"\1,good"),
         "line 2, column q1_quality: 'good' is not a whole number"),
        (read_register, "business_register", (r"\t(\d+)\.00\t", r"\t\1,00\t"),
         "line 2, column registered_capital: '.*,00' is not a number"),
        (read_register, "business_register", ("\t", " "), "line 1: the columns should be credit_code, name"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_place_and_a_remedy(broken, reader, table, change, message):
    with pytest.raises(ValueError, match=message) as refused:
        reader(broken(table, change))
    assert str(refused.value).endswith("or have the channel export the file again.")


def test_a_list_in_the_wrong_encoding_is_refused(tmp_path, broken):
    path = broken("bought_list", (";", ";"), encoding="gb18030")
    path.write_text(path.read_text(encoding="gb18030"), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"bought_list\.csv, (byte \d+: this is not GB 18030|line 1: .*another encoding)"
    ):
        read_bought_list(path)
    path = tmp_path / "members.csv"
    path.write_bytes(locate("members").read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(ValueError, match=r"members\.csv, byte \d+: this is not UTF-8 text; .* spreadsheet"):
        read_till(path)


def test_a_damaged_workbook_is_refused(tmp_path):
    def save(name, change):
        book = openpyxl.load_workbook(locate("exhibition"))
        change(book.worksheets[1])
        book.save(tmp_path / name)
        return tmp_path / name

    def blank_key(sheet):
        sheet["A3"] = None

    def rename(sheet):
        sheet["E1"] = "telephone"

    def wrong_day(sheet):
        sheet["B4"] = "12 April"

    title = re.escape(openpyxl.load_workbook(locate("exhibition")).sheetnames[1])
    with pytest.raises(ValueError, match=f"a.xlsx, sheet {title}, row 3, column card_no: the cell is blank"):
        read_exhibition(save("a.xlsx", blank_key))
    with pytest.raises(ValueError, match=f"sheet {title}, row 1: the titles should be card_no, .*telephone"):
        read_exhibition(save("b.xlsx", rename))
    with pytest.raises(ValueError, match=f"sheet {title}, row 4, column visited_on: '12 April' is not a date"):
        read_exhibition(save("c.xlsx", wrong_day))
    path = tmp_path / "d.xlsx"
    path.write_bytes(locate("exhibition").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"d\.xlsx, the whole file: it is no workbook that can be opened"):
        read_exhibition(path)


@pytest.mark.parametrize(("reader", "_"), READERS.values(), ids=READERS)
def test_a_file_that_is_not_there_or_empty_is_said_so(tmp_path, reader, _):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere.* cimlab\.locate"):
        reader(tmp_path / "nowhere.csv")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match=r"empty, (line 1|the whole file): "):
        reader(tmp_path / "empty")


def test_what_a_spreadsheet_or_another_system_may_change_does_no_harm(tmp_path):
    path = tmp_path / "orders.csv"
    text = locate("orders").read_text(encoding="utf-8").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    pd.testing.assert_frame_equal(read_till(path), load("orders"))
    path = tmp_path / "calls.txt"
    path.write_text(
        "\ufeff\n" + locate("calls").read_text(encoding="utf-8").replace("\n\n", "\n\n\n"), encoding="utf-8"
    )
    pd.testing.assert_frame_equal(read_call_notes(path), load("calls"))
    path = tmp_path / "some.txt"
    path.write_text("[C1] 2026-01-02 10:00 order\ncaller: \nphone: 1740\nwhen: at noon\n", encoding="utf-8")
    call = read_call_notes(path).iloc[0]
    assert pd.isna(call["caller_name"]) and call["note"] == "when: at noon"
    path = shutil.copy(locate("exhibition"), tmp_path)
    book = openpyxl.load_workbook(path)
    book.create_sheet("Sheet3")
    book.save(path)
    pd.testing.assert_frame_equal(read_exhibition(path), load("exhibition"))


# --- channels ------------------------------------------------------------------------------------------------------


def test_the_structure_of_a_channel_is_that_of_the_data_dictionary(channels):
    listed = tables().set_index("table")["structure"]
    for channel, (_, table) in READERS.items():
        assert CHANNELS.loc[channel, "structure"] == listed[table], channel
    assert list(CHANNELS.index) == list(QUALITY_RULES) == list(CHANNEL_COSTS.index)


def test_every_field_of_every_channel_has_a_kind(channels):
    for table in [*channels.values(), load("orders"), load("order_lines"), load("web_accounts")]:
        fields = describe_fields(table)
        assert "not listed" not in set(fields["kind"])
        assert fields["field"].tolist() == table.columns.tolist()
    assert describe_fields(pd.DataFrame({"shoe_size": [41]}))["kind"].tolist() == ["not listed"]


def test_a_channel_is_described_by_what_is_in_it(channels):
    rows = describe_channels(channels)
    assert rows.index.tolist() == list(channels)
    assert rows["records"].tolist() == [len(table) for table in channels.values()]
    assert rows.loc["call_notes", "free_text"] == "note"
    assert rows.loc["web_events", "kinds"] == "behavioural"
    assert rows.loc["questionnaire", "kinds"].startswith("associated")
    assert rows.loc["bought_list", "kinds"] == "descriptive, associated"
    assert rows.loc["call_notes", "last"] == channels["call_notes"]["called_at"].max()
    assert rows.loc["reviews", "filled"] == pytest.approx(channels["reviews"].notna().to_numpy().mean())
    assert (rows["side"] == "external").sum() == 2
    assert pd.isna(describe_channel("till", load("order_lines"))["first"].iloc[0])
    fields = describe_fields(channels["call_notes"]).set_index("field")
    assert fields.loc["city", "filled"] == channels["call_notes"]["city"].notna().mean()
    assert fields.loc["topic", "values"] == channels["call_notes"]["topic"].nunique()
    with pytest.raises(ValueError, match="There is no channel 'calls'; the channels are till, web_events"):
        describe_channel("calls", channels["call_notes"])


# --- fields --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "right", "value"),
    [
        (
            as_phone,
            ["17401234567", "+86 174-0123-4567", "(0086)17401234567", "１７４ ０１２３ ４５６７"],
            "17401234567",
        ),
        (as_email, ["A.B@Example.com", " a.b@example.com ", "a.b＠example.com"], "a.b@example.com"),
        (as_gender, ["F", "f", "女", "Female "], "F"),
        (as_date, ["1990-1-5", "1990/01/05", "19900105", "1990年1月5日", "１９９０.１.５"], pd.Timestamp("1990-01-05")),
        (as_code(r"P\d{4}"), ["P0001"], "P0001"),
        (as_one_of("a", "b"), ["a"], "a"),
    ],
)
def test_values_that_can_be_read(reader, right, value):
    assert reader(pd.Series(right)).tolist() == [value] * len(right)


@pytest.mark.parametrize(
    ("reader", "wrong"),
    [
        (as_phone, ["1740123456", "174012345678", "12401234567", "174O1234567", "无", None]),
        (as_email, ["a@b", "a b@example.com", "@example.com", "a@example,com", None]),
        (as_gender, ["?", "X", None]),
        (as_date, ["1990-02-30", "90-01-05", "05/06/1990", "1990", "", None]),
        (as_code(r"P\d{4}"), ["P1", "xP0001", "P00011", None]),
        (as_one_of("a", "b"), ["c", None]),
    ],
)
def test_values_that_cannot_be_right_become_missing(reader, wrong):
    assert reader(pd.Series(wrong, dtype="str")).isna().all()


def test_numbers_between_limits():
    assert as_number(1, 5)(pd.Series([0, 1, 5, 6], dtype="Int64")).tolist() == [pd.NA, 1, 5, pd.NA]


# --- quality -------------------------------------------------------------------------------------------------------


def cards():
    """Six cards whose quality can be counted with the fingers."""
    return pd.DataFrame(
        {
            "member_id": ["A", "B", "C", "D", "E", "F"],
            "phone": ["17401234567", "174 0123 4567", "1740", None, "17400000000", "17400000001"],
            "kind": ["person", "person", "firm", "person", "firm", "person"],
            "firm": [None, None, "旭东", None, None, "Acme"],
            "updated_on": pd.to_datetime(["2020-01-01", *["2026-01-01"] * 4, "2024-06-30"]),
        }
    )


def is_firm(table):
    return table["kind"].eq("firm")


RULES = {
    "key": "member_id",
    "date": "updated_on",
    "fields": {
        "phone": {"needed": True, "read": as_phone, "unique": True, "max_age_days": 730},
        "firm": {
            "read": as_one_of("旭东"),
            "when": is_firm,
            "agrees": lambda table: is_firm(table).where(table["firm"].notna()),
        },
    },
}


def test_the_six_dimensions_counted_by_hand():
    truth = pd.DataFrame({"member_id": ["A", "B", "C", "E"], "phone": ["+8617401234567", "17409999999", "1740", None]})
    report = quality_report(cards(), RULES, TODAY, truth)
    phone, firm = report.loc["phone"], report.loc["firm"]
    assert phone["completeness"] == pytest.approx(5 / 6)
    assert phone["validity"] == pytest.approx(4 / 5)
    assert phone["uniqueness"] == pytest.approx(3 / 4)
    assert phone["timeliness"] == pytest.approx(4 / 5)  # 730 days still count, and the card without a number does not
    assert phone["accuracy"] == pytest.approx(1 / 2)  # A is right, B is wrong; the truth of C and E says nothing
    assert pd.isna(phone["consistency"])
    assert firm["completeness"] == pytest.approx(1 / 2)
    assert firm["consistency"] == pytest.approx(1 / 2)
    assert firm["validity"] == 1  # Acme does not count: a person needs no firm
    assert firm[["uniqueness", "timeliness", "accuracy"]].isna().all()


def test_a_wrong_value_that_cannot_be_read_is_not_accurate():
    truth = pd.DataFrame({"member_id": ["C"], "phone": ["17401111111"]})
    assert quality_report(cards(), RULES, TODAY, truth).loc["phone", "accuracy"] == 0


def test_what_can_be_used():
    # A is too old and has B's number, C's number is a digit short, D has none, F contradicts itself.
    assert usable_records(cards(), RULES, TODAY).tolist() == [False, True, False, False, True, False]
    twice = cards().assign(updated_on=pd.Timestamp("2026-01-01"))
    assert usable_records(twice, RULES, TODAY).tolist()[:2] == [True, False]  # as young: the first counts


def test_cost_per_usable_record():
    costs = pd.DataFrame({"fixed": [10.0], "per_record": [2.0]}, index=["mine"])
    row = cost_per_usable_record({"mine": cards()}, TODAY, {"mine": RULES}, costs).loc["mine"]
    assert row.to_dict() == {
        "records": 6, "usable": 2, "usable_share": pytest.approx(1 / 3), "cost": 22,
        "cost_per_record": pytest.approx(22 / 6), "cost_per_usable": 11,
    }  # fmt: skip
    row = cost_per_usable_record({"mine": cards().iloc[2:4]}, TODAY, {"mine": RULES}, costs).loc["mine"]
    assert row["usable"] == 0 and np.isnan(row["cost_per_usable"])


def test_quality_says_what_is_wrong():
    with pytest.raises(ValueError, match="The rules name phone, but the table has the columns member_id, kind"):
        quality_report(cards().drop(columns="phone"), RULES, TODAY)
    with pytest.raises(ValueError, match="The truth needs the column member_id"):
        quality_report(cards(), RULES, TODAY, pd.DataFrame({"member_id": ["A", "A"]}))
    with pytest.raises(ValueError, match="no quality rules for the channel 'fax'"):
        quality_by_channel({"fax": cards()}, TODAY)
    with pytest.raises(ValueError, match="no costs for the channel 'fax'"):
        cost_per_usable_record({"fax": cards()}, TODAY)


def test_the_rules_of_the_course_measure_every_channel(channels):
    for channel, table in channels.items():
        report = quality_report(table, QUALITY_RULES[channel], TODAY)
        assert (report.isna() | ((report >= 0) & (report <= 1))).all(axis=None), channel
        assert report.loc[QUALITY_RULES[channel]["key"], ["completeness", "validity", "uniqueness"]].eq(1).all(), (
            channel
        )
    summary = quality_by_channel(channels, TODAY)
    report = quality_report(channels["till"], QUALITY_RULES["till"], TODAY)
    assert summary.loc["till", "validity"] == pytest.approx(report["validity"].mean())
    assert summary["records"].tolist() == [len(table) for table in channels.values()]
    assert summary.loc["bought_list", "timeliness"] < 0.5 < summary.loc["till", "timeliness"]


def test_the_planted_dirt_shows(channels):
    till = quality_report(channels["till"], QUALITY_RULES["till"], TODAY)
    assert 0.85 < till.loc["phone", "uniqueness"] < 0.95  # people with two cards
    assert till.loc["phone", "validity"] < 1 and till.loc["id_number", "consistency"] < 1
    sheet = quality_report(channels["questionnaire"], QUALITY_RULES["questionnaire"], TODAY)
    assert sheet.loc["seconds", "validity"] < 1 and sheet.loc["q5_returns", "consistency"] < 1  # the careless
    bought = quality_report(channels["bought_list"], QUALITY_RULES["bought_list"], TODAY)
    assert bought.loc["phone", "validity"] < till.loc["phone", "validity"]
    assert bought.loc["gender", "consistency"] < 1


def test_the_cheap_list_is_dear(channels):
    costs = cost_per_usable_record(channels, TODAY)
    assert costs.loc["bought_list", "cost_per_record"] < 2.5 * costs.loc["till", "cost_per_record"]
    assert costs.loc["bought_list", "cost_per_usable"] > 3 * costs.loc["till", "cost_per_usable"]
    assert costs.loc["exhibition", "cost_per_usable"] == costs["cost_per_usable"].max()
    assert (costs["cost_per_usable"] >= costs["cost_per_record"]).all()


@pytest.mark.skipif(not TRUTH.is_file(), reason="the truth is not part of a student's copy")
def test_accuracy_against_the_truth(channels):
    people = read_truth("entity_map").merge(read_truth("persons"), on="person_id")
    accuracy = {}
    for channel in ("till", "call_notes", "exhibition", "bought_list"):
        truth = people.rename(columns={"record_id": QUALITY_RULES[channel]["key"]})
        accuracy[channel] = quality_report(channels[channel], QUALITY_RULES[channel], TODAY, truth)["accuracy"]
    phones = pd.Series({channel: shares["phone"] for channel, shares in accuracy.items()})
    assert phones.idxmin() == "bought_list" and 0.6 < phones["bought_list"] < 0.8
    assert 0.8 < phones["till"] < phones["exhibition"] < 1
    assert 0.98 < accuracy["till"]["gender"] < 1 and 0.85 < accuracy["till"]["birth_date"] < 0.97
    summary = quality_by_channel(
        {"till": channels["till"]}, TODAY, truths={"till": people.rename(columns={"record_id": "member_id"})}
    )
    assert summary.loc["till", "accuracy"] == pytest.approx(accuracy["till"].mean())


def test_the_module_is_lazy_and_whole():
    heavy = "{'sklearn', 'scipy', 'openpyxl', 'pandas'}"
    code = f"import sys; from cimlab import collection; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    names = {name for name in collection.__all__ if not (callable(getattr(collection, name)) or name.isupper())}
    assert not names and set(collection.__all__) <= set(dir(collection))
    with pytest.raises(AttributeError, match="no attribute 'read_tills'"):
        collection.read_tills  # noqa: B018
