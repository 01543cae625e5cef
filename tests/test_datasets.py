"""The door to data: types by the dictionary, messages that help, and files that keep what the dictionary promises."""

import json
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import cimlab
from cimlab import datasets

FOLDER = Path(__file__).parents[1] / "datasets"
TABLES = [
    "stores",
    "products",
    "members",
    "web_accounts",
    "calls",
    "orders",
    "order_lines",
    "enterprises",
    "reviewed",
]
# Columns that are not text, spelled out here so that a slip in the dictionary shows.
TYPED = {
    "stores": {"opened_on": "datetime64[us]"},
    "products": {"unit_price": "float64"},
    "members": {"joined_on": "datetime64[us]", "updated_on": "datetime64[us]"},
    "web_accounts": {"registered_on": "datetime64[us]", "updated_on": "datetime64[us]"},
    "calls": {"called_at": "datetime64[us]"},
    "orders": {"ordered_at": "datetime64[us]", "amount": "float64"},
    "order_lines": {
        "line_no": "int64",
        "quantity": "int64",
        "unit_price": "float64",
        "discount": "float64",
        "amount": "float64",
    },
    "enterprises": {"updated_on": "datetime64[us]"},
    "reviewed": {"person_no": "int64"},
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
    assert listed.columns.tolist() == ["table", "rows", "columns", "meaning"]
    for table, rows, columns in zip(listed["table"], listed["rows"], listed["columns"], strict=True):
        assert cimlab.load(table).shape == (rows, columns)


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


@pytest.mark.parametrize("name", ["member", "Members", "members.csv"])
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
    assert (described["meaning"].str.len() > 5).all()


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


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="\n")


def test_a_missing_file_is_named_with_the_remedy(edition):
    (edition / "orders.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"orders\.csv is not there.*cimlab generate"):
        cimlab.load("orders")


def test_the_remedy_for_the_data_of_the_course_is_git(tmp_path):
    assert "git checkout -- datasets/orders.csv" in datasets.remedy(tmp_path / "orders.csv")


def test_a_changed_first_line_is_shown(edition):
    change(edition / "stores.csv", "opened_on", "opened")
    with pytest.raises(ValueError, match=r"stores\.csv is damaged: its first line.*opened'"):
        cimlab.load("stores")


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
    lines = (edition / "reviewed.csv").read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].split(",")[0] + ","
    (edition / "reviewed.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    with pytest.raises(ValueError, match=r"line 4, column 'person_no': '' is not a whole number"):
        cimlab.load("reviewed")


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
    change(edition / "orders.csv", "O000002,web", "O000002,")
    with pytest.raises(ValueError, match=r"orders\.csv is damaged: line 3, column 'channel': '' is not allowed"):
        cimlab.load("orders")


def test_a_damaged_dictionary_is_named(edition):
    (edition / "datapackage.json").write_text('{"resources": [{}]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"datapackage\.json is damaged"):
        cimlab.tables()


def test_a_byte_order_mark_and_windows_lines_do_no_harm(edition):
    expected = cimlab.load("members")
    text = (edition / "members.csv").read_text(encoding="utf-8")
    (edition / "members.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode("utf-8"))
    pd.testing.assert_frame_equal(cimlab.load("members"), expected)


def test_kinds_of_column_that_the_first_edition_does_not_have(tmp_path):
    """Whole numbers with blanks, yes/no, and words that pandas would take for missing."""
    (tmp_path / "t.csv").write_text("n,yes,word\n1,true,NA\n,false,null\n", encoding="utf-8")
    fields = [{"name": "n", "type": "integer"}, {"name": "yes", "type": "boolean"}, {"name": "word", "type": "string"}]
    frame = datasets.read_table(tmp_path, {"name": "t", "path": "t.csv", "rows": 2, "schema": {"fields": fields}})
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "bool", "str"]
    assert frame["n"].isna().tolist() == [False, True]
    assert frame["word"].tolist() == ["NA", "null"]


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


def violations(folder):
    """Return what in the files breaks the descriptor: types, required, unique, enum, pattern, range, keys. By SQL."""
    resources = datasets.read_descriptor(folder)["resources"]
    base = duckdb.connect()
    found = []

    def count(sql, what):
        number = base.execute(sql).fetchone()[0]
        if number:
            found.append(f"{what}: {number}")

    for resource in resources:
        table = resource["name"]
        path = (folder / resource["path"]).as_posix()
        base.execute(f"create table {table} as from read_csv('{path}', header=true, all_varchar=true, nullstr='')")
        for field in resource["schema"]["fields"]:
            for rule, condition in field_rules(field):
                column = f'"{field["name"]}"'
                where = f"select count(*) from {table} where {condition.format(c=column)}"
                count(where, f"{table}.{field['name']} {rule}")
    for resource in resources:
        table, schema = resource["name"], resource["schema"]
        key = ", ".join(schema["primaryKey"])
        count(f"select count(*) - count(distinct ({key})) from {table}", f"{table} primary key")
        for link in schema.get("foreignKeys", []):
            column, other, target = link["fields"], link["reference"]["resource"], link["reference"]["fields"]
            join = f"{table} a anti join {other} b on a.{column} = b.{target}"
            count(f"select count(*) from {join} where {column} is not null", f"{table}.{column} foreign key")
    return found


def field_rules(field):
    """Return (rule, SQL condition of a cell that breaks it) for one field."""
    sql_type = {"integer": "bigint", "number": "double", "boolean": "boolean"}.get(field["type"])
    if sql_type:
        yield "type", f"{{c}} is not null and try_cast({{c}} as {sql_type}) is null"
    if field["type"] in ("date", "datetime"):
        yield "type", f"{{c}} is not null and try_strptime({{c}}, '{field['format']}') is null"
    constraints = field.get("constraints", {})
    if constraints.get("required"):
        yield "required", "{c} is null"
    if "enum" in constraints:
        values = ", ".join(f"'{value}'" for value in constraints["enum"])
        yield "enum", f"{{c}} not in ({values})"
    if "pattern" in constraints:
        pattern = constraints["pattern"].replace("{", "{{").replace("}", "}}")
        yield "pattern", f"not regexp_full_match({{c}}, '{pattern}')"
    for name, sign in (("minimum", "<"), ("maximum", ">")):
        if name in constraints:
            yield name, f"try_cast({{c}} as double) {sign} {constraints[name]}"


@pytest.mark.parametrize("folder", [FOLDER, FOLDER.parent / "truth"], ids=["datasets", "truth"])
def test_the_files_keep_their_descriptor(folder):
    assert violations(folder) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "broken"),
    [
        ("orders.csv", ",ST01,", ",ST99,", "orders.store_id foreign key"),
        ("order_lines.csv", "O000002,1,", "O000001,1,", "order_lines primary key"),
        ("members.csv", ",basic,", ",platinum,", "members.tier enum"),
        ("orders.csv", "O000003", "o3", "orders.order_id pattern"),
        ("stores.csv", "2014-05-16", "2014-02-30", "stores.opened_on type"),
        ("products.csv", ",12.80,", ",0.00,", "products.unit_price minimum"),
        ("stores.csv", "旭东西湖店", "", "stores.name required"),
    ],
)
def test_the_check_finds_a_planted_fault(edition, file, old, new, broken):
    change(edition / file, old, new)
    assert any(text.startswith(broken) for text in violations(edition))


def test_sizes_and_hashes_in_the_descriptor_are_true():
    import hashlib

    for resource in datasets.read_descriptor(FOLDER)["resources"]:
        content = (FOLDER / resource["path"]).read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_edition_is_small():
    def size(folder):
        return sum(path.stat().st_size for path in folder.iterdir())

    assert size(FOLDER) < 2_200_000
    assert size(FOLDER) + size(FOLDER.parent / "truth") < 3_000_000


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
