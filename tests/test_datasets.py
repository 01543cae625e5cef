"""The door to data: types by the dictionary, messages that help, and files that keep what the dictionary promises."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cimlab
from cimlab import datasets

FOLDER = Path(__file__).parents[1] / "datasets"
LARGEST = 3 * 2**20  # bytes of the data in the repository; the truth, which no student gets, comes on top
TABLES = [
    "stores",
    "products",
    "promotions",
    "campaigns",
    "members",
    "web_accounts",
    "calls",
    "orders",
    "order_lines",
    "returns",
    "web_events",
    "campaign_contacts",
    "tickets",
    "consents",
    "reviews",
    "survey_invitations",
    "questionnaire",
    "enterprises",
    "enterprise_contacts",
    "enterprise_orders",
    "enterprise_years",
    "exhibition",
    "bought_list",
    "business_register",
    "reviewed",
    "labelled_calls",
]
DAY, WHOLE, BLANKS, REAL = "datetime64[us]", "int64", "Int64", "float64"
YEARS = ["revenue", "profit", "assets", "current_assets", "inventory", "receivables"]
YEARS += ["liabilities", "current_liabilities", "equity"]
QUESTIONS = ["q1_quality", "q2_price", "q3_staff", "q4_delivery", "q5_returns", "q6_overall", "q7_recommend"]
# Columns that are not text, spelled out here so that a slip in the dictionary shows.
TYPED = {
    "stores": {"opened_on": DAY},
    "products": {"unit_price": REAL, "unit_cost": REAL},
    "promotions": {"starts_on": DAY, "ends_on": DAY, "discount": REAL},
    "campaigns": {"starts_on": DAY, "window_days": WHOLE, "coupon": REAL, "cost_per_contact": REAL, "holdout": REAL},
    "members": {"joined_on": DAY, "updated_on": DAY},
    "web_accounts": {"registered_on": DAY, "updated_on": DAY},
    "calls": {"called_at": DAY},
    "orders": {"ordered_at": DAY, "amount": REAL},
    "order_lines": {"line_no": WHOLE, "quantity": WHOLE, "unit_price": REAL, "discount": REAL, "amount": REAL},
    "returns": {"line_no": WHOLE, "returned_on": DAY, "quantity": WHOLE, "refund": REAL},
    "web_events": {"happened_at": DAY},
    "campaign_contacts": {"opened": "bool", "clicked": "bool"},
    "tickets": {"severity": WHOLE, "opened_at": DAY, "closed_at": DAY, "compensation": REAL, "rating": BLANKS},
    "consents": {"recorded_at": DAY},
    "reviews": {"stars": WHOLE, "reviewed_at": DAY, "helpful": WHOLE},
    "survey_invitations": {"asked_on": DAY, "answered": "bool"},
    "questionnaire": {"response_no": WHOLE, "submitted_at": DAY, "seconds": WHOLE} | dict.fromkeys(QUESTIONS, BLANKS),
    "enterprises": {"updated_on": DAY},
    "enterprise_contacts": {},
    "enterprise_orders": {
        "ordered_on": DAY,
        "amount": REAL,
        "terms_days": WHOLE,
        "due_on": DAY,
        "paid_on": DAY,
        "paid": REAL,
    },
    "enterprise_years": {"year": WHOLE, "employees": WHOLE} | dict.fromkeys(YEARS, REAL),
    "exhibition": {"visited_on": DAY},
    "bought_list": {"collected_on": DAY},
    "business_register": {"registered_capital": REAL, "founded_on": DAY},
    "reviewed": {"person_no": WHOLE},
    "labelled_calls": {},
}


@pytest.fixture
def edition(tmp_path, monkeypatch):
    """A copy of the committed data that a test may damage; `cimlab.load` reads it."""
    folder = tmp_path / "edition"
    shutil.copytree(FOLDER, folder)
    monkeypatch.setenv("CIMLAB_DATA", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_other_edition(monkeypatch):
    monkeypatch.delenv("CIMLAB_DATA", raising=False)


def test_tables_lists_every_table_with_its_true_size():
    listed = cimlab.tables()
    assert listed["table"].tolist() == TABLES
    assert listed.columns.tolist() == ["table", "rows", "columns", "meaning", "channel", "structure", "file"]
    for table, rows, columns in zip(listed["table"], listed["rows"], listed["columns"], strict=True):
        assert cimlab.load(table).shape == (rows, columns)


def test_tables_says_which_channel_in_which_form():
    listed = cimlab.tables().set_index("table")
    assert listed.loc["calls", ["channel", "structure", "file"]].tolist() == ["call", "unstructured", "calls.txt"]
    assert listed.loc["web_events", "file"] == "web_events.jsonl"
    assert listed.loc["stores", "channel"] == ""


@pytest.mark.parametrize("table", TABLES)
def test_locate_names_the_file_of_a_table(table):
    path = cimlab.locate(table)
    assert path.parent == FOLDER
    assert path.name == cimlab.tables().set_index("table").loc[table, "file"]
    assert path.stat().st_size > 100


def test_locate_knows_no_other_table():
    with pytest.raises(ValueError, match="Did you mean 'orders'"):
        cimlab.locate("order")


@pytest.mark.parametrize("table", TABLES)
def test_load_gives_the_types_of_the_dictionary(table):
    frame = cimlab.load(table)
    for column in frame:
        expected = TYPED[table].get(column, "str")
        assert str(frame[column].dtype) == expected, f"{table}.{column}"


def test_typed_text_stays_as_typed_and_blanks_are_missing():
    members = cimlab.load("members")
    assert members["phone"].str.startswith("0086-").any()
    assert members["birth_date"].dropna().str.fullmatch("[0-9]{8}").any(), "a date without dashes stays text"
    assert members["email"].isna().any()
    assert not (members["email"] == "").any()


def test_every_load_is_a_frame_of_its_own():
    first = cimlab.load("stores")
    first.loc[0, "name"] = "changed"
    assert cimlab.load("stores").loc[0, "name"] != "changed"


@pytest.mark.parametrize("name", ["member", "Members", "members.csv", "members.xlsx"])
def test_an_unknown_table_names_the_near_one_and_all(name):
    with pytest.raises(ValueError, match="Did you mean 'members'") as caught:
        cimlab.load(name)
    assert all(table in str(caught.value) for table in TABLES)


@pytest.mark.parametrize("name", ["zzz", "", None, 3])
def test_an_unknown_table_without_a_near_one_lists_all(name):
    with pytest.raises(ValueError, match="The tables are: stores, products") as caught:
        cimlab.describe(name)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("table", TABLES)
def test_describe_has_a_row_for_each_column(table):
    described = cimlab.describe(table)
    assert described.columns.tolist() == ["column", "type", "unit", "meaning", "personal_data"]
    assert described["column"].tolist() == cimlab.load(table).columns.tolist()
    assert described["personal_data"].isin(["none", "general", "medium", "high"]).all()
    assert (described["meaning"].str.len() > 3).all()


def test_what_identifies_a_person_is_graded_and_amounts_have_a_unit():
    members = cimlab.describe("members").set_index("column")["personal_data"]
    assert members[["name", "phone", "email", "address", "birth_date"]].eq("medium").all()
    assert members["id_number"] == "high"
    assert cimlab.describe("orders").set_index("column").loc["amount", "unit"] == "CNY"


# --- where the data comes from -------------------------------------------------------------------------------------


def test_cimlab_data_chooses_another_edition(edition):
    stores = (edition / "stores.csv").read_text(encoding="utf-8")
    (edition / "stores.csv").write_text(stores.replace("旭东西湖店", "别的店"), encoding="utf-8", newline="\n")
    assert cimlab.load("stores").loc[0, "name"] == "别的店"


def test_a_wrong_cimlab_data_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLAB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"CIMLAB_DATA is '.*nowhere'.*cimlab generate"):
        cimlab.load("stores")


def test_an_empty_cimlab_data_means_the_data_of_the_course(monkeypatch):
    monkeypatch.setenv("CIMLAB_DATA", " ")
    assert datasets.data_folder() == FOLDER


# --- damaged files -------------------------------------------------------------------------------------------------


def change(path, old, new, encoding="utf-8"):
    text = path.read_bytes().decode(encoding)
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode(encoding))


def change_line(path, number, change, encoding="utf-8"):
    """Put what `change` makes of a line, counted from 1, in its place."""
    lines = path.read_bytes().decode(encoding).split("\n")
    lines[number - 1] = change(lines[number - 1])
    path.write_bytes("\n".join(lines).encode(encoding))


def test_a_missing_file_is_named_with_the_remedy(edition):
    (edition / "orders.csv").unlink()
    for read in (cimlab.load, cimlab.locate):
        with pytest.raises(FileNotFoundError, match=r"orders\.csv is not there.*cimlab generate"):
            read("orders")


def test_the_remedy_for_the_data_of_the_course_is_git(tmp_path):
    assert "git checkout -- datasets/orders.csv" in datasets.remedy(tmp_path / "orders.csv")


def test_a_changed_first_line_is_shown(edition):
    change(edition / "stores.csv", "opened_on", "opened")
    with pytest.raises(ValueError, match=r"stores\.csv is damaged: its first line.*opened'"):
        cimlab.load("stores")


def test_a_changed_first_line_in_chinese_is_shown(edition):
    change(edition / "bought_list.csv", "手机", "电话", "gb18030")
    with pytest.raises(ValueError, match=r"bought_list\.csv is damaged: its first line should name.*手机.*电话"):
        cimlab.load("bought_list")


def test_a_date_that_a_spreadsheet_rewrote_is_found(edition):
    change(edition / "stores.csv", "2014-05-16", "2014/5/16")
    with pytest.raises(
        ValueError, match=r"stores\.csv is damaged: line 2, column 'opened_on': '2014/5/16' is not a date"
    ):
        cimlab.load("stores")


def test_an_amount_that_is_no_number_is_found(edition):
    change(edition / "products.csv", ",12.80,", ",twelve,")
    with pytest.raises(
        ValueError, match=r"products\.csv is damaged: line 2, column 'unit_price': 'twelve' is not a number"
    ):
        cimlab.load("products")


def test_a_blank_where_a_whole_number_must_be_is_found(edition):
    change_line(edition / "reviewed.csv", 4, lambda line: line.split(",")[0] + ",")
    with pytest.raises(ValueError, match=r"line 4, column 'person_no': '' is not a whole number"):
        cimlab.load("reviewed")


def test_a_word_where_yes_or_no_must_be_is_found(edition):
    change(edition / "survey_invitations.csv", ",false\n", ",perhaps\n")
    with pytest.raises(ValueError, match=r"line \d+, column 'answered': 'perhaps' is not true or false"):
        cimlab.load("survey_invitations")


def test_a_fault_behind_a_semicolon_or_a_tab_is_found(edition):
    change_line(edition / "bought_list.csv", 3, lambda line: line + ";more", "gb18030")
    with pytest.raises(ValueError, match=r"bought_list\.csv is damaged: line 3 has 10 cells, 9 are expected"):
        cimlab.load("bought_list")
    change_line(edition / "business_register.tsv", 5, lambda line: line.replace("\t", ";", 1))
    with pytest.raises(ValueError, match=r"business_register\.tsv is damaged: line 5 has 8 cells, 9 are expected"):
        cimlab.load("business_register")


def test_a_file_that_was_cut_off_is_noticed(edition):
    lines = (edition / "orders.csv").read_text(encoding="utf-8").splitlines()
    (edition / "orders.csv").write_text("\n".join(lines[:100]) + "\n", encoding="utf-8", newline="\n")
    with pytest.raises(ValueError, match=r"orders\.csv is damaged: it has 99 rows, the data dictionary says"):
        cimlab.load("orders")


def test_a_file_in_another_encoding_is_noticed(edition):
    text = (edition / "stores.csv").read_text(encoding="utf-8")
    (edition / "stores.csv").write_bytes(text.encode("gb18030"))
    with pytest.raises(ValueError, match=r"stores\.csv is damaged: it is not UTF-8"):
        cimlab.load("stores")
    (edition / "calls.txt").write_bytes((edition / "calls.txt").read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(ValueError, match=r"calls\.txt is damaged: it is not UTF-8"):
        cimlab.load("calls")
    content = (edition / "bought_list.csv").read_bytes()
    (edition / "bought_list.csv").write_bytes(content[:400] + b"\xff" + content[400:])
    with pytest.raises(ValueError, match=r"bought_list\.csv is damaged: it is not GB 18030"):
        cimlab.load("bought_list")


@pytest.mark.parametrize(("cells", "number"), [("2014-05-16,more", 5), ("2014-05-16,more,more", 6)])
def test_a_row_with_too_many_cells_is_noticed(edition, cells, number):
    change(edition / "stores.csv", "2014-05-16", cells)
    with pytest.raises(ValueError, match=rf"stores\.csv is damaged: line 2 has {number} cells, 4 are expected"):
        cimlab.load("stores")


def test_a_row_with_too_few_cells_is_noticed(edition):
    change(edition / "stores.csv", "旭东西湖店,杭州市,2014-05-16", "旭东西湖店")
    with pytest.raises(ValueError, match=r"stores\.csv is damaged: line 2 has 2 cells, 4 are expected"):
        cimlab.load("stores")


def test_a_blank_where_text_must_be_is_noticed(edition):
    change_line(edition / "orders.csv", 3, lambda line: re.sub(",(till|web|call),", ",,", line))
    with pytest.raises(ValueError, match=r"orders\.csv is damaged: line 3, column 'channel': '' is not allowed"):
        cimlab.load("orders")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"review_id": "V1", ', r"line 7 is no JSON \("),
        ("[1, 2]", "line 7 is no JSON object"),
        ("", "line 7 is no JSON"),
        ('{"stars": 5}', "line 7, column 'review_id': '' is not allowed"),
    ],
)
def test_a_broken_line_of_json_is_found(edition, line, message):
    change_line(edition / "reviews.jsonl", 7, lambda _: line)
    with pytest.raises(ValueError, match=rf"reviews\.jsonl is damaged: {message}"):
        cimlab.load("reviews")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"stars":', '"stars":"', "is no JSON"),
        ('"stars":5', '"stars":"5"', "line 2, column 'stars': '5' is not a whole number"),
        ('"stars":5', '"stars":true', "line 2, column 'stars': True is not a whole number"),
        ('"stars":5', '"stars":4.5', "line 2, column 'stars': 4.5 is not a whole number"),
        ('"account_id":"', '"account":"', "line 2, column 'account_id': '' is not allowed"),
        ('"at":"2', '"at":"on 2', "line 2, column 'reviewed_at': 'on 2.*' is not a datetime"),
        ('"author":{', '"author":7,"author_":{', "line 2, column 'account_id': '' is not allowed"),
    ],
)
def test_a_value_of_the_wrong_kind_in_json_is_found(edition, old, new, message):
    path = edition / "reviews.jsonl"
    change_line(path, 2, lambda line: re.sub('"stars":[0-9]', '"stars":5', line).replace(old, new))
    with pytest.raises(ValueError, match=message):
        cimlab.load("reviews")


def test_a_block_of_notes_without_its_first_line_is_found(edition):
    path = edition / "calls.txt"
    lines = path.read_text(encoding="utf-8").split("\n")
    second = lines.index("") + 1
    change_line(path, second + 1, lambda line: line.replace("[", ""))
    shape = r"a block should begin with '\[call_id\] called_at topic'; it reads 'C"
    with pytest.raises(ValueError, match=rf"calls\.txt is damaged: line {second + 1}: {shape}"):
        cimlab.load("calls")


def test_an_empty_line_within_a_note_is_found(edition):
    path = edition / "calls.txt"
    change_line(path, 2, lambda line: line + "\n")
    with pytest.raises(ValueError, match=r"calls\.txt is damaged: line 4: a block should begin"):
        cimlab.load("calls")


def test_more_lines_behind_a_note_are_found(edition):
    path = edition / "calls.txt"
    end = path.read_text(encoding="utf-8").split("\n").index("")
    change_line(path, end, lambda line: line + "\nand more\nand more")
    with pytest.raises(ValueError, match=r"calls\.txt is damaged: line \d+ stands behind the note of its block"):
        cimlab.load("calls")


def test_a_wrong_day_in_a_note_is_found(edition):
    change_line(edition / "calls.txt", 1, lambda line: line.replace("-07-", "-17-"))
    with pytest.raises(ValueError, match=r"line 1, column 'called_at': '2024-17-.*' is not a datetime"):
        cimlab.load("calls")


def change_book(path, work):
    book = openpyxl.load_workbook(path)
    work(book)
    book.save(path)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda book: book.remove(book["Hangzhou 2026-04"]), "the sheet 'Hangzhou 2026-04' is missing; there are 'Sh"),
        (lambda book: book["Shanghai 2025-05"].delete_cols(2), "sheet 'Shanghai 2025-05': the first row should name"),
        (lambda book: book["Shanghai 2025-05"].delete_rows(5), "it has .* rows, the data dictionary says"),
        (lambda book: book["Shanghai 2025-05"].cell(4, 1).__setattr__("value", None), "row 4, column 'card_no': ''"),
        (
            lambda book: book["Shanghai 2025-05"].cell(6, 6).__setattr__("value", 17405928842),
            "sheet 'Shanghai 2025-05', row 6, column 'phone': 17405928842 is not allowed",
        ),
        (
            lambda book: book["Shanghai 2025-05"].cell(3, 2).__setattr__("value", "last Monday"),
            "row 3, column 'visited_on': 'last Monday' is not a date",
        ),
    ],
)
def test_what_is_wrong_in_a_workbook_is_found(edition, work, message):
    change_book(edition / "exhibition.xlsx", work)
    with pytest.raises(ValueError, match=rf"exhibition\.xlsx is damaged: .*{message}"):
        cimlab.load("exhibition")


def test_a_workbook_that_a_spreadsheet_saved_again_is_read(edition):
    expected = cimlab.load("exhibition")
    change_book(edition / "exhibition.xlsx", lambda book: None)
    pd.testing.assert_frame_equal(cimlab.load("exhibition"), expected)


def test_a_file_that_is_no_workbook_is_noticed(edition):
    (edition / "exhibition.xlsx").write_bytes(b"PK but no workbook")
    with pytest.raises(ValueError, match=r"exhibition\.xlsx is damaged: it is no workbook that can be read"):
        cimlab.load("exhibition")


def test_a_damaged_dictionary_is_named(edition):
    (edition / "datapackage.json").write_text('{"resources": [{}]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"datapackage\.json is damaged"):
        cimlab.tables()


@pytest.mark.parametrize("table", ["members", "business_register", "web_events", "calls"])
def test_a_byte_order_mark_and_windows_lines_do_no_harm(edition, table):
    expected = cimlab.load(table)
    path = cimlab.locate(table)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    pd.testing.assert_frame_equal(cimlab.load(table), expected)


def test_kinds_of_column_that_may_be_blank(tmp_path):
    """Whole numbers and yes/no with blanks, and words that pandas would take for missing."""
    (tmp_path / "t.csv").write_text("n,yes,word\n1,true,NA\n,,null\n", encoding="utf-8")
    fields = [{"name": "n", "type": "integer"}, {"name": "yes", "type": "boolean"}, {"name": "word", "type": "string"}]
    frame = datasets.read_table(tmp_path, {"name": "t", "path": "t.csv", "rows": 2, "schema": {"fields": fields}})
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "boolean", "str"]
    assert frame["n"].isna().tolist() == [False, True]
    assert frame["yes"].isna().tolist() == [False, True]
    assert frame["word"].tolist() == ["NA", "null"]


# --- Parquet ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A table of two parts that a test may damage."""
    fields = [
        {"name": "id", "type": "string", "constraints": {"required": True}},
        {"name": "n", "type": "integer"},
        {"name": "day", "type": "date"},
        {"name": "yes", "type": "boolean"},
    ]
    fields = [field | {"unit": "", "description": "for the test", "personalData": "none"} for field in fields]
    path = ["t/part-00000.parquet", "t/part-00001.parquet"]
    resource = {"name": "t", "path": path, "rows": 3, "description": "", "schema": {"fields": fields}}
    (tmp_path / "t").mkdir()
    day = pa.array([20_000, None], pa.date32())
    for part, rows in zip(path, (2, 1), strict=True):
        columns = [pa.array(["a", "b"]), pa.array([1, None]), day, pa.array([True, None])]
        pq.write_table(pa.table(columns, names=["id", "n", "day", "yes"]).slice(0, rows), tmp_path / part)
    (tmp_path / "datapackage.json").write_text(json.dumps({"resources": [resource]}), encoding="utf-8")
    monkeypatch.setenv("CIMLAB_DATA", str(tmp_path))
    return tmp_path / "t"


def test_a_table_in_parts_is_read_as_one(parts):
    frame = cimlab.load("t")
    assert [str(kind) for kind in frame.dtypes] == ["str", "Int64", "datetime64[us]", "boolean"]
    assert frame["id"].tolist() == ["a", "b", "a"]
    assert frame.isna().sum().tolist() == [0, 1, 1, 1]
    assert cimlab.locate("t") == parts
    assert cimlab.tables().loc[0, "file"] == "t/*.parquet"


def test_a_missing_part_is_named(parts):
    (parts / "part-00001.parquet").unlink()
    for read in (cimlab.load, cimlab.locate):
        with pytest.raises(FileNotFoundError, match=r"part-00001\.parquet is not there.*cimlab generate \S+0`"):
            read("t")


def test_a_part_that_was_cut_off_is_named(parts):
    path = parts / "part-00001.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"t is damaged: part-00001\.parquet cannot be read"):
        cimlab.load("t")


def test_a_part_with_other_columns_blanks_or_rows_is_named(parts):
    path = parts / "part-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["n"]), path)
    with pytest.raises(ValueError, match=r"part-00001\.parquet has the columns id, day, yes"):
        cimlab.load("t")
    pq.write_table(table.set_column(0, "id", pa.array([None], pa.string())), path)
    with pytest.raises(ValueError, match="column 'id' has blank cells"):
        cimlab.load("t")
    pq.write_table(table.set_column(1, "n", pa.array(["x"])), path)
    with pytest.raises(ValueError, match=r"t is damaged: part-00001\.parquet cannot be read"):
        cimlab.load("t")
    pq.write_table(pa.concat_tables([table, table]), path)
    with pytest.raises(ValueError, match="it has 4 rows, the data dictionary says 3"):
        cimlab.load("t")


# --- the files keep what the dictionary promises ---------------------------------------------------------------------


def test_the_descriptors_are_valid_frictionless_data_packages():
    from frictionless import Package

    for folder in (FOLDER, FOLDER.parent / "truth"):
        descriptor = datasets.read_descriptor(folder)
        package = Package.from_descriptor(descriptor, basepath=str(folder))
        assert package.resource_names == [resource["name"] for resource in descriptor["resources"]]
        for resource in package.resources:
            assert not list(resource.schema.metadata_validate(resource.schema.to_descriptor()))
            assert resource.schema.primary_key


def test_sizes_and_hashes_in_the_descriptor_are_true():
    import hashlib

    for resource in datasets.read_descriptor(FOLDER)["resources"]:
        content = (FOLDER / resource["path"]).read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_edition_is_small():
    def size(folder):
        return sum(path.stat().st_size for path in folder.iterdir())

    assert size(FOLDER) < LARGEST
    assert size(FOLDER.parent / "truth") < LARGEST


def test_the_data_card_names_every_column_and_warns():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Never call these numbers" in card
    assert "CC BY 4.0" in card
    for table in TABLES:
        section = card.split(f"### {table}\n")[1].split("\n### ")[0]
        for column in cimlab.load(table):
            assert f"| `{column}` |" in section


def test_the_descriptor_is_plain_json_with_our_two_properties():
    descriptor = json.loads((FOLDER / "datapackage.json").read_text(encoding="utf-8"))
    fields = [field for resource in descriptor["resources"] for field in resource["schema"]["fields"]]
    assert all({"unit", "personalData"} <= set(field) for field in fields)


def test_importing_the_package_does_not_wait_for_pandas():
    code = "import sys, cimlab; sys.exit('pandas' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent).returncode == 0
