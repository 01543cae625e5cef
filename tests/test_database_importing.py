"""Chapter 3, import: the template, the report on every bad cell, and nothing half-loaded."""

from datetime import datetime

import pandas as pd
import pytest
from openpyxl import Workbook, load_workbook

from cimlab.database import check_workbook, create_database, fill_database, import_workbook, read_table, write_template

GOOD = {
    "name": "曾国藩",
    "gender": "男",
    "birth_date": "1990年1月5日",
    "phone": "174 0123 4567",
    "email": "Zeng@Example.com",
    "id_number": "990101199001011230",
    "city": "杭州市",
    "address": "西湖区青溪路12号",
    "tier": "gold",
}
OTHER = {"name": "李梅", "phone": "17401234568"}


@pytest.fixture
def engine(tmp_path):
    return create_database(tmp_path / "base.db")


@pytest.fixture
def fill_in(tmp_path):
    """Return a function that fills a template in: one dictionary per row, None for an empty row."""

    def write(*rows, table="customer_file", name="new.xlsx"):
        path = write_template(tmp_path / name, table)
        book = load_workbook(path)
        sheet = book.worksheets[0]
        place = {cell.value: cell.column for cell in sheet[1]}
        for number, row in enumerate(rows, start=2):
            for column, value in (row or {}).items():
                sheet.cell(row=number, column=place[column], value=value)
        book.save(path)
        return path

    return write


def test_the_template_helps(fill_in):
    book = load_workbook(fill_in())
    data, rules = book.worksheets
    header = [cell.value for cell in data[1]]
    assert header == list(GOOD)  # numbers and dates of the base are not asked for
    assert data["A1"].comment.text.startswith("full name")
    assert [choice.formula1 for choice in data.data_validations.dataValidation] == ['"F,M"', '"basic,silver,gold"']
    # The whole column, also where no cell was made yet; neighbours of one format are read back as one group.
    text_columns = [place for group in data.column_dimensions.values() if group.number_format == "@"
                    for place in range(group.min, group.max + 1)]  # fmt: skip
    assert [header[place - 1] for place in sorted(text_columns)] == [name for name in GOOD if name != "birth_date"]
    assert [cell.value for cell in rules[1]] == ["column", "what to write", "required", "example (not imported)"]
    assert {row[0].value: row[2].value for row in rules.iter_rows(min_row=2)}["name"] == "yes"
    with pytest.raises(ValueError, match="there is no template for 'customers'; choose one of: customer_file"):
        write_template("x.xlsx", "customers")


@pytest.mark.parametrize("table", ["customer_file", "enterprise_file", "transactions"])
def test_the_examples_of_each_template_can_be_imported(engine, fill_in, table):
    fill_database(
        engine, customer_file=pd.DataFrame([{"customer_id": "K000001", "name": "x", "updated_on": "2026-01-01"}])
    )
    rules = load_workbook(fill_in(table=table)).worksheets[1]
    example = {row[0].value: row[3].value for row in rules.iter_rows(min_row=2)}
    _, errors = check_workbook(fill_in(example, table=table), table, engine)
    assert errors.empty, errors.to_string()
    assert import_workbook(engine, fill_in(example, table=table), table)["loaded"].tolist() == [1]


def test_good_rows_are_standardised_and_loaded(engine, fill_in):
    path = fill_in(GOOD, None, OTHER)
    good, errors = check_workbook(path, "customer_file", engine)
    assert errors.empty and good.index.tolist() == [2, 4]  # the rows that Excel shows; row 3 is empty
    assert good.loc[2, ["gender", "phone", "email", "city"]].tolist() == [
        "M",
        "+8617401234567",
        "zeng@example.com",
        "杭州",
    ]
    assert good.loc[4, "tier"] == "basic"
    report = import_workbook(engine, path, "customer_file", on="2026-06-30").iloc[0]
    assert report[["rows", "good", "bad", "loaded"]].tolist() == [2, 2, 0, 2]
    customers = read_table(engine, "customer_file")
    assert customers["customer_id"].tolist() == ["K000001", "K000002"]
    assert customers.loc[0, "name_pinyin"] == "zeng guofan"
    assert len(read_table(engine, "customer_history")) == 2
    # The next file goes on counting.
    import_workbook(engine, fill_in({"name": "王军"}), "customer_file")
    assert read_table(engine, "customer_file")["customer_id"].iloc[-1] == "K000003"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("name", None, "is missing"),
        ("name", "12345", "is not a name"),
        ("gender", "x", "is not one of F, M"),
        ("birth_date", "05/06/1990", "is not a date, or can be read in two ways"),
        ("birth_date", 32874, "is a number, not a date"),
        ("phone", "1740123456", "is not a phone number that exists"),
        ("phone", "1.74E+10", "Excel shortened the number, its last digits are lost"),
        ("phone", datetime(2026, 1, 2), "Excel turned it into a date"),
        ("email", "zeng.example.com", "is not an e-mail address"),
        ("id_number", "990101199001011239", "has a wrong check digit"),
        ("id_number", 990101199001011230, "Excel turned it into a number and keeps only 15 digits of that"),
        ("tier", "platinum", "is not one of basic, silver, gold"),
        ("city", "x" * 61, "is longer than 60 characters"),
    ],
)
def test_each_bad_cell_is_named_with_its_row_reason_and_remedy(engine, fill_in, column, value, reason):
    path = fill_in(OTHER, GOOD | {column: value})
    good, errors = check_workbook(path, "customer_file", engine)
    assert errors[["file", "row", "column", "reason"]].to_numpy().tolist() == [["new.xlsx", 3, column, reason]]
    assert errors["remedy"].str.len().min() > 5
    assert good.index.tolist() == [2]


def test_numbers_and_dates_that_excel_kept_are_read(fill_in):
    good, errors = check_workbook(
        fill_in(OTHER | {"phone": 17401234567, "birth_date": datetime(1990, 1, 5)}), "customer_file"
    )
    assert errors.empty
    assert good.loc[2, "phone"] == "+8617401234567" and good.loc[2, "birth_date"] == pd.Timestamp("1990-01-05")


def test_bad_rows_keep_the_whole_file_out_unless_told_otherwise(engine, fill_in):
    path = fill_in(GOOD, OTHER | {"phone": "1740"}, {"name": "王军"})
    report = import_workbook(engine, path, "customer_file").iloc[0]
    assert report[["rows", "good", "bad", "loaded"]].tolist() == [3, 2, 1, 0]
    assert report["message"] == "1 row needs mending (see check_workbook); nothing loaded."
    assert len(read_table(engine, "customer_file")) == 0
    report = import_workbook(engine, path, "customer_file", accept_good_rows=True).iloc[0]
    assert report["loaded"] == 2 and len(read_table(engine, "customer_file")) == 2


def test_repeats_in_the_file_and_in_the_base(engine, fill_in):
    import_workbook(engine, fill_in(GOOD), "customer_file")
    again = {"name": "Guofan Zeng", "phone": "+8617401234567"}  # the same person in another script
    _, errors = check_workbook(
        fill_in(again, OTHER, {"name": "Li Mei", "phone": "174-0123-4568"}), "customer_file", engine
    )
    assert errors[["row", "column", "reason"]].to_numpy().tolist() == [
        [2, "phone", "is in the base already as K000001"],
        [4, "phone", "is the same as row 3"],
    ]
    _, errors = check_workbook(fill_in({"name": "曾", "id_number": GOOD["id_number"]}), "customer_file", engine)
    assert errors["reason"].tolist() == ["is in the base already as K000001"]


def test_a_wrong_header_stops_everything(tmp_path):
    book = Workbook()
    book.active.append(
        ["Name", "gender", "gender", "birth_date", "phone", "email", "id_number", "city", "address", "fax", "tier"]
    )
    book.active.append(["曾国藩"])
    book.save(tmp_path / "own.xlsx")
    good, errors = check_workbook(tmp_path / "own.xlsx", "customer_file")
    assert good.empty and set(errors["row"]) == {1}
    assert errors.set_index("column")["reason"].to_dict() == {
        "name": "the column is missing",
        "gender": "the column stands there more than once",
        "Name": "the table has no such column",
        "fax": "the table has no such column",
    }


def test_transactions_need_a_known_customer(engine, fill_in):
    order = {"order_id": "O900001", "channel": "till", "ordered_at": datetime(2026, 6, 30, 18, 5), "amount": 59.9}
    path = fill_in(order, order | {"order_id": "O900002", "customer_id": "K000009"},
                   order | {"order_id": "O900003", "amount": -1}, order | {"order_id": "O900004", "ordered_at": "soon"},
                   table="transactions")  # fmt: skip
    _, errors = check_workbook(path, "transactions", engine)
    assert errors[["row", "column", "reason"]].to_numpy().tolist() == [
        [3, "customer_id", "is not in the customer file"],
        [4, "amount", "is not a number of 0 or more"],
        [5, "ordered_at", "is not a day and time"],
    ]
    assert import_workbook(engine, path, "transactions", accept_good_rows=True)["loaded"].tolist() == [1]
    assert read_table(engine, "transactions")["ordered_at"].tolist() == [pd.Timestamp("2026-06-30 18:05")]


def test_what_is_no_workbook(tmp_path, engine):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*: check the name"):
        check_workbook(tmp_path / "none.xlsx", "customer_file")
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"name,phone\n")
    with pytest.raises(ValueError, match=r"broken\.xlsx cannot be read as an Excel workbook: open it"):
        import_workbook(engine, broken, "customer_file")


def test_a_database_error_loads_nothing(engine, fill_in, monkeypatch):
    """The check can miss what the base refuses, for example a row that came in meanwhile."""
    import_workbook(engine, fill_in(GOOD), "customer_file")
    path = fill_in(OTHER, {"name": "曾二", "id_number": GOOD["id_number"]})
    monkeypatch.setattr("cimlab.database.importing._find_in_base", lambda *_: [])
    with pytest.raises(ValueError, match=r"UNIQUE constraint failed: customer_file\.id_number"):
        import_workbook(engine, path, "customer_file")
    assert read_table(engine, "customer_file")["name"].tolist() == ["曾国藩"]


def test_a_template_never_half_replaces_another(tmp_path, monkeypatch):
    path = write_template(tmp_path / "new.xlsx", "enterprise_file")
    before = path.read_bytes()

    def fail(*_):
        raise PermissionError("in use")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(PermissionError, match="is it open in Excel"):
        write_template(path, "customer_file")
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["new.xlsx"]
