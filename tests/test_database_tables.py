"""Chapter 3, tables: constraints that hold, one transaction, readable plans."""

import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from cimlab import load
from cimlab.database import (
    ENTERPRISE_BLOCKS,
    ENTERPRISE_RULES,
    assign_tiers,
    candidate_pairs,
    cluster_pairs,
    create_database,
    customer_rules,
    enterprise_rules,
    extract_records,
    fill_database,
    find_conflicts,
    link_records,
    make_customer_file,
    make_enterprise_file,
    make_enterprise_transactions,
    make_transactions,
    merge_records,
    query_plan,
    read_table,
    standardise_enterprises,
    standardise_records,
    validate,
)
from cimlab.database.schema import BASE

CUSTOMER = {
    "customer_id": "K000001",
    "name": "曾国藩",
    "gender": "M",
    "birth_date": "1990-01-05",
    "phone": "+8617401234567",
    "email": "zeng@example.com",
    "id_number": "990101199001011230",
    "city": "长沙",
    "tier": "basic",
    "updated_on": "2026-06-30",
}
ORDER = {
    "order_id": "O1",
    "customer_id": "K000001",
    "channel": "till",
    "ordered_at": "2026-01-31 18:05",
    "amount": 59.9,
}


def rows(row, **changes):
    return pd.DataFrame([row | changes])


@pytest.fixture
def engine(tmp_path):
    return create_database(tmp_path / "base.db")


def test_a_whole_customer_goes_in_and_comes_out(engine):
    done = fill_database(engine, transactions=rows(ORDER), customer_file=rows(CUSTOMER))
    assert done.set_index("table")["rows"].to_dict() == {"customer_file": 1, "customer_history": 1, "transactions": 1}
    customer = read_table(engine, "customer_file").iloc[0]
    assert customer["birth_date"] == pd.Timestamp("1990-01-05") and customer["phone"] == "+8617401234567"
    assert str(read_table(engine, "customer_file")["updated_on"].dtype) == "datetime64[us]"
    assert read_table(engine, "transactions")["ordered_at"].iloc[0] == pd.Timestamp("2026-01-31 18:05")
    assert read_table(engine, "customer_roster").iloc[0].tolist()[:2] == ["K000001", "曾国藩"]
    assert read_table(engine, "customer_history")["valid_to"].isna().all()
    # Opening it again keeps what is there.
    assert len(read_table(create_database(engine.url.database), "customer_file")) == 1


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"name": " "}, "ck_customer_file_name"),
        ({"gender": "X"}, "ck_customer_file_gender"),
        ({"birth_date": "1890-01-01"}, "ck_customer_file_birth_date"),
        ({"phone": "17401234567"}, "ck_customer_file_phone"),
        ({"email": "zeng"}, "ck_customer_file_email"),
        ({"id_number": "123"}, "ck_customer_file_id_number"),
        ({"tier": "platinum"}, "ck_customer_file_tier"),
    ],
)
def test_a_bad_row_never_enters_and_takes_the_good_ones_along(engine, changes, rule):
    frame = pd.concat([rows(CUSTOMER), rows(CUSTOMER, customer_id="K000002", **({"id_number": None} | changes))])
    with pytest.raises(
        ValueError, match=rf"customer_file, row 2 \(customer_id K000002\) breaks the rule {rule}\. Nothing"
    ):
        fill_database(engine, customer_file=frame)
    assert len(read_table(engine, "customer_file")) == 0


def test_keys_and_references_hold(engine):
    fill_database(engine, customer_file=rows(CUSTOMER))
    with pytest.raises(ValueError, match=r"row 1 \(customer_id K000001\) was refused: UNIQUE constraint failed"):
        fill_database(engine, customer_file=rows(CUSTOMER, id_number=None))
    with pytest.raises(ValueError, match=r"UNIQUE constraint failed: customer_file\.id_number"):
        fill_database(engine, customer_file=rows(CUSTOMER, customer_id="K000002"))
    with pytest.raises(ValueError, match=r"transactions, row 1 \(order_id O1\) was refused: FOREIGN KEY"):
        fill_database(engine, transactions=rows(ORDER, customer_id="K000009"))
    with pytest.raises(ValueError, match="breaks the rule ck_transactions_amount"):
        fill_database(engine, transactions=rows(ORDER, amount=-1))
    fill_database(engine, transactions=rows(ORDER, customer_id=None))
    with pytest.raises(ValueError, match="there is no table customers; the tables are"):
        fill_database(engine, customers=rows(CUSTOMER))
    with pytest.raises(ValueError, match="the table customer_file has no column fax"):
        fill_database(engine, customer_file=rows(CUSTOMER, fax="1"))
    with pytest.raises(ValueError, match="there is no table 'roster'"):
        read_table(engine, "roster")


def test_the_folder_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist: make it first"):
        create_database(tmp_path / "no" / "base.db")


def test_the_file_is_free_after_each_use(engine, tmp_path):
    fill_database(engine, customer_file=rows(CUSTOMER))
    moved = tmp_path / "base.db"
    moved.rename(tmp_path / "elsewhere.db")  # Windows would refuse while somebody holds it open
    assert (tmp_path / "elsewhere.db").is_file()


def test_an_index_changes_the_plan(engine):
    by_phone = "SELECT * FROM customer_file WHERE phone = '+8617401234567'"
    assert query_plan(engine, by_phone)["meaning"].tolist() == [
        "looks up the rows of customer_file by the index ix_customer_file_phone"
    ]
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_customer_file_phone"))
    assert query_plan(engine, by_phone)["meaning"].tolist() == ["reads the whole table customer_file, row by row"]
    by_key = query_plan(engine, "SELECT name FROM customer_file WHERE customer_id = 'K000001' ORDER BY city")
    assert by_key["meaning"].str.contains("primary key").any()
    assert (
        query_plan(engine, "SELECT * FROM customer_file ORDER BY city")["meaning"].iloc[-1]
        == "sorts the rows for ORDER BY"
    )
    with pytest.raises(ValueError, match="SQLite cannot read the query: near"):
        query_plan(engine, "SELEC 1")


def test_the_same_tables_can_be_made_in_postgresql():
    for table in BASE.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_transactions_know_their_customer():
    web = {"channel": "web", "store_id": None, "ordered_at": pd.Timestamp("2026-01-01"), "amount": 1.0}
    orders = pd.DataFrame(
        [{"order_id": "O1", "customer_ref": "W1"} | web, {"order_id": "O2", "customer_ref": None} | web]
    )
    clusters = pd.DataFrame({"record_id": ["W1"], "customer_id": ["K000001"]})
    assert make_transactions(orders, clusters)["customer_id"].tolist()[0] == "K000001"
    assert make_transactions(orders, clusters)["customer_id"].isna().tolist() == [False, True]
    with pytest.raises(ValueError, match="1 orders refer to a record without a customer, the first to 'W9'"):
        make_transactions(orders.assign(customer_ref=["W9", None]), clusters)


def test_rules_list_every_failure():
    good = rows(CUSTOMER, birth_date=pd.Timestamp("1990-01-05"))
    assert len(validate(good, customer_rules())) == 0
    bad = pd.concat([good, good.assign(name="曾2", phone="1740", id_number="990101199001011239", email="x")])
    failures = validate(bad.reset_index(drop=True), customer_rules())
    assert set(failures["column"]) == {"customer_id", "name", "phone", "id_number", "email"}
    assert failures.loc[failures["column"] == "customer_id", "reason"].unique().tolist() == ["occurs more than once"]
    assert failures.loc[failures["column"] == "id_number", ["row", "value"]].to_numpy().tolist() == [
        [1, "990101199001011239"]
    ]
    missing = validate(good.assign(name=None), customer_rules())
    assert missing[["column", "reason"]].to_numpy().tolist() == [["name", "is missing"]]
    with pytest.raises(ValueError, match="the table has no column phone, which the rules need"):
        validate(good.drop(columns="phone"), customer_rules())
    firm = pd.DataFrame({"enterprise_id": ["E0001", "E0002"], "name": ["旭东", "旭"], "contact_phone": None,
                         "credit_code": ["91990100MA0000001G", "91990100MA0000001A"]})  # fmt: skip
    assert validate(firm, enterprise_rules())["column"].tolist() == ["credit_code", "name"]


def test_xudong_from_records_to_base(engine):
    """The whole road of the chapter on the retailer's data."""
    records = standardise_records(extract_records(load("members"), load("web_accounts"), load("calls")))
    pairs = link_records(records, threshold=0.1)
    clusters = cluster_pairs(records, pairs, find_conflicts(records, pairs))
    merged, lineage = merge_records(records, clusters)
    orders = load("orders")
    transactions = make_transactions(orders, clusters)
    named = merged[merged["name"].notna()]
    customers = make_customer_file(named, assign_tiers(named, transactions, on="2026-06-30"))
    assert len(validate(customers, customer_rules()).query("reason != 'occurs more than once'")) == 0
    firms = standardise_enterprises(load("enterprises"))
    firm_clusters = cluster_pairs(firms, candidate_pairs(firms, ENTERPRISE_BLOCKS))
    enterprises = make_enterprise_file(merge_records(firms, firm_clusters, ENTERPRISE_RULES)[0])
    sources = clusters.merge(records[["record_id", "source"]])
    kept = set(customers["customer_id"])
    transactions["customer_id"] = transactions["customer_id"].where(transactions["customer_id"].isin(kept))
    done = fill_database(
        engine,
        customer_file=customers,
        customer_source=sources[sources["customer_id"].isin(kept)],
        transactions=transactions,
        transaction_lines=load("order_lines"),
        enterprise_file=enterprises,
        enterprise_transactions=make_enterprise_transactions(load("enterprise_orders"), firm_clusters),
    ).set_index("table")["rows"]
    bills = read_table(engine, "enterprise_transactions")
    assert bills["amount"].sum() == pytest.approx(load("enterprise_orders")["amount"].sum())
    assert bills["due_on"].notna().all() and bills["paid_on"].isna().any()
    assert done["transactions"] == len(orders) and done["customer_file"] == len(customers)
    back = read_table(engine, "transactions")
    assert back["amount"].sum() == pytest.approx(orders["amount"].sum())
    assert set(lineage["customer_id"]) >= kept
    assert read_table(engine, "customer_file")["tier"].value_counts().index[0] == "basic"


BILL = {"b2b_order_id": "B1", "enterprise_id": "E0X", "ordered_on": "2026-01-31", "amount": 950.0, "terms_days": 30,
        "due_on": "2026-03-02", "paid_on": None, "paid": 0.0}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"amount": -1.0}, "amount"),
        ({"terms_days": -1}, "terms_days"),
        ({"paid": -0.01}, "paid"),
        ({"paid": 950.02}, "paid"),
        ({"due_on": "2026-01-30"}, "due_on"),
    ],
)
def test_a_wrong_bill_is_refused(engine, changes, rule):
    firm = pd.DataFrame({"enterprise_id": ["E0001"], "name": ["旭东食品"], "updated_on": ["2026-06-30"]})
    fill_database(engine, enterprise_file=firm)
    clusters = pd.DataFrame({"record_id": ["E0X"], "customer_id": ["K000001"]})
    good = make_enterprise_transactions(rows(BILL, paid=950.0, paid_on="2026-03-01"), clusters)
    assert fill_database(engine, enterprise_transactions=good)["rows"].tolist() == [1]
    bad = make_enterprise_transactions(rows(BILL, b2b_order_id="B2", **changes), clusters)
    with pytest.raises(ValueError, match=f"breaks the rule ck_enterprise_transactions_{rule}"):
        fill_database(engine, enterprise_transactions=bad)
    with pytest.raises(ValueError, match="FOREIGN KEY"):
        fill_database(engine, enterprise_transactions=good.assign(order_id="B3", enterprise_id="E0009"))
    with pytest.raises(ValueError, match="1 orders refer to a record without a firm, the first to 'E0X'"):
        make_enterprise_transactions(rows(BILL), clusters.assign(record_id="E0Y"))
