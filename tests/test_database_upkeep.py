"""Chapter 3, keeping the base: history, verification, backup and a proven restore."""

import sqlite3

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cimlab.database import (
    assign_tiers,
    back_up,
    create_database,
    customer_as_of,
    fill_database,
    fingerprint,
    prove_restore,
    read_table,
    restore,
    update_customers,
    verify_customers,
)

CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["K000001", "K000002", "K000003"],
        "name": ["曾国藩", "李梅", "李梅"],
        "phone": ["+8617401234567", "+8617401234568", "+8617401234568"],
        "birth_date": ["1960-01-05", "2020-01-05", None],
        "city": ["长沙", "杭州", "杭州"],
        "updated_on": ["2025-01-01", "2026-06-01", "2020-01-01"],
    }
)


@pytest.fixture
def engine(tmp_path):
    engine = create_database(tmp_path / "base.db")
    fill_database(engine, customer_file=CUSTOMERS)
    return engine


def change(customer_id="K000001", **values):
    return pd.DataFrame([{"customer_id": customer_id} | values])


def test_a_change_closes_one_period_and_opens_another(engine):
    done = update_customers(engine, change(city="武汉", phone=None), on="2026-03-01")
    assert done.to_numpy().tolist() == [["K000001", "city", "长沙", "武汉"]]
    assert read_table(engine, "customer_file").loc[0, ["city", "phone"]].tolist() == ["武汉", "+8617401234567"]
    assert read_table(engine, "customer_file").loc[0, "updated_on"] == pd.Timestamp("2026-03-01")
    history = read_table(engine, "customer_history").query("customer_id == 'K000001'")
    assert history["city"].tolist() == ["长沙", "武汉"]
    assert history["valid_to"].iloc[0] == history["valid_from"].iloc[1] == pd.Timestamp("2026-03-01")
    assert pd.isna(history["valid_to"].iloc[1])


@pytest.mark.parametrize(
    ("on", "city"), [("2024-12-31", None), ("2025-01-01", "长沙"), ("2026-02-28", "长沙"), ("2026-03-01", "武汉"),
     ("2030-01-01", "武汉")]
)  # fmt: skip
def test_what_was_known_on_a_day(engine, on, city):
    update_customers(engine, change(city="武汉"), on="2026-03-01")
    assert customer_as_of(engine, "K000001", on)["city"].tolist() == ([city] if city else [])


def test_nothing_new_changes_nothing_and_a_second_change_of_the_day_replaces_the_first(engine):
    before = fingerprint(engine)
    assert update_customers(engine, change(city="长沙"), on="2026-03-01").empty
    pd.testing.assert_frame_equal(fingerprint(engine), before)
    update_customers(engine, change(city="武汉"), on="2026-03-01")
    update_customers(engine, change(city="南京"), on="2026-03-01")
    assert read_table(engine, "customer_history").query("customer_id == 'K000001'")["city"].tolist() == ["长沙", "南京"]
    update_customers(engine, change(phone=""), on="2026-04-01")
    assert read_table(engine, "customer_file")["phone"].isna().tolist() == [True, False, False]


def test_a_refused_change_undoes_the_others(engine):
    before = fingerprint(engine)
    two = pd.concat([change(city="武汉"), change("K000002", phone="1740")])
    with pytest.raises(ValueError, match="refused a change, nothing was changed: CHECK constraint failed"):
        update_customers(engine, two, on="2026-06-30")
    with pytest.raises(ValueError, match="there is no customer 'K000009'"):
        update_customers(engine, pd.concat([change(city="武汉"), change("K000009", city="武汉")]), on="2026-06-30")
    with pytest.raises(ValueError, match="K000002 was last changed on 2026-06-01, after 2026-05-01"):
        update_customers(engine, change("K000002", city="武汉"), on="2026-05-01")
    with pytest.raises(ValueError, match="no column fax"):
        update_customers(engine, change(fax="1"), on="2026-06-30")
    pd.testing.assert_frame_equal(fingerprint(engine), before)


DAYS = st.lists(st.tuples(st.integers(1, 600), st.sampled_from(["长沙", "武汉", "南京"])), max_size=8)


@given(steps=DAYS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_periods_never_overlap_nor_leave_a_gap(tmp_path_factory, steps):
    engine = create_database(tmp_path_factory.mktemp("history") / "base.db")
    fill_database(engine, customer_file=CUSTOMERS.head(1))
    told = {0: "长沙"}
    for days, city in sorted(steps, key=lambda step: step[0]):
        update_customers(engine, change(city=city), on=pd.Timestamp("2025-01-01") + pd.Timedelta(days=days))
        told[days] = city
    history = read_table(engine, "customer_history")
    assert history["valid_to"].iloc[:-1].tolist() == history["valid_from"].iloc[1:].tolist()
    assert history["valid_to"].isna().tolist() == [False] * (len(history) - 1) + [True]
    for days, city in told.items():
        seen = customer_as_of(engine, "K000001", pd.Timestamp("2025-01-01") + pd.Timedelta(days=days))
        assert seen["city"].tolist() == [city]


def test_tiers_follow_twelve_months_to_the_day_and_the_cent():
    when = ["2025-06-30 23:59", "2025-07-01 00:00", "2026-06-30 23:59", "2026-07-01 00:00"]
    for amounts, tier in [
        ([9000, 0, 0, 9000], "basic"),
        ([0, 599.99, 0.01, 0], "silver"),
        ([0, 599.98, 0.01, 0], "basic"),
        ([0, 1000, 1000, 0], "gold"),
    ]:
        bought = pd.DataFrame({"customer_id": "K1", "ordered_at": pd.to_datetime(when), "amount": amounts})
        assert assign_tiers(pd.DataFrame({"customer_id": ["K1"]}), bought, on="2026-06-30").tolist() == [tier]
    # 21.06 + 25.80 + 553.14 is a hair less than 600 in binary fractions; in money it is 600.
    bought = pd.DataFrame(
        {"customer_id": "K1", "ordered_at": pd.Timestamp("2026-01-01"), "amount": [21.06, 25.8, 553.14]}
    )
    assert bought.groupby("customer_id")["amount"].sum().iloc[0] < 600
    assert assign_tiers(pd.DataFrame({"customer_id": ["K1"]}), bought, on="2026-06-30").tolist() == ["silver"]


def test_verification_finds_each_kind_of_fault(engine):
    update_customers(engine, change(phone=""), on="2025-02-01")
    order = {"order_id": "O1", "customer_id": "K000001", "channel": "web", "ordered_at": "2026-01-01", "amount": 2000}
    fill_database(engine, transactions=pd.DataFrame([order]))
    found = verify_customers(engine, on="2026-06-30")
    assert set(found[["customer_id", "check"]].itertuples(index=False, name=None)) == {
        ("K000001", "tier"), ("K000001", "unreachable"), ("K000002", "birth date"), ("K000002", "same person?"),
        ("K000003", "same person?"), ("K000003", "stale"),
    }  # fmt: skip
    tier = found[found["check"] == "tier"].iloc[0]
    assert tier[["value", "expected"]].tolist() == ["basic", "gold"]
    update_customers(engine, change(tier="gold", email="zeng@example.com"), on="2026-06-30")
    assert set(verify_customers(engine, on="2026-06-30")["customer_id"]) == {"K000002", "K000003"}


def test_what_a_deletion_costs_with_and_without_a_backup(engine, tmp_path):
    monday = back_up(engine, tmp_path / "monday.db")
    assert prove_restore(engine, monday)["equal"].all()
    update_customers(engine, change("K000002", city="南京"), on="2026-06-30")
    fill_database(engine, customer_file=CUSTOMERS.head(1).assign(customer_id="K000004"))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM customer_history WHERE customer_id = 'K000001'"))
        connection.execute(text("DELETE FROM customer_file WHERE customer_id = 'K000001'"))
    cost = prove_restore(engine, monday).set_index("table").loc["customer_file"]
    assert cost[["rows_now", "rows_backup", "only_backup", "only_now", "changed"]].tolist() == [3, 3, 1, 1, 1]
    assert not cost["equal"]  # the same number of rows, and yet not the same
    restore(monday, engine.url.database)
    assert prove_restore(engine, monday)["equal"].all()
    assert read_table(engine, "customer_file")["customer_id"].tolist() == ["K000001", "K000002", "K000003"]


def run(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_proof_looks_at_every_table_of_the_base(engine, tmp_path):
    """A table of one's own, beside those that `create_database` makes, may be the one that did not come back."""
    run(
        engine,
        "CREATE TABLE consent_state (customer_id TEXT, purpose TEXT, state TEXT, PRIMARY KEY (customer_id, purpose))",
        "INSERT INTO consent_state VALUES ('K000001', 'marketing', 'given'), ('K000002', 'marketing', 'given')",
        'CREATE TABLE "a log" (record_id TEXT, old TEXT)',  # no key, rows that are alike
        "INSERT INTO \"a log\" VALUES ('M1', 'x'), ('M1', 'x'), ('M2', NULL)",
        "CREATE TABLE late (day DATE)",
        "INSERT INTO late VALUES ('no day at all')",
        "ALTER TABLE customer_file ADD COLUMN note TEXT",
    )
    saved = back_up(engine, tmp_path / "saved.db")
    proof = prove_restore(engine, saved).set_index("table")
    assert {"consent_state", "a log", "late", "customer_file"} <= set(proof.index) and proof["equal"].all()
    assert proof.loc["a log", ["rows_now", "rows_backup"]].tolist() == [3, 3]
    run(
        engine,
        "UPDATE consent_state SET state = 'withdrawn' WHERE customer_id = 'K000001'",
        "DELETE FROM consent_state WHERE customer_id = 'K000002'",
        'DELETE FROM "a log" WHERE rowid = 1',
        "DROP TABLE late",
        "CREATE TABLE empty (x)",
        "UPDATE customer_file SET note = 'call back' WHERE customer_id = 'K000001'",
    )
    proof = prove_restore(engine, saved).set_index("table")
    assert sorted(proof.index[~proof["equal"]]) == ["a log", "consent_state", "customer_file", "empty", "late"]
    counts = ["rows_now", "rows_backup", "only_backup", "only_now", "changed"]
    assert proof.loc["consent_state", counts].tolist() == [1, 2, 1, 0, 1]
    assert proof.loc["a log", counts].tolist() == [2, 3, 1, 0, 0]
    assert proof.loc["late", counts].tolist() == [0, 1, 1, 0, 0]
    assert proof.loc["empty", counts].tolist() == [0, 0, 0, 0, 0]
    assert proof.loc["customer_file", counts].tolist() == [3, 3, 0, 0, 1]
    restore(saved, engine.url.database)
    assert prove_restore(engine, saved)["equal"].all()


def test_a_table_with_another_column_is_not_the_same(engine, tmp_path):
    run(engine, "CREATE TABLE notes (id TEXT PRIMARY KEY, says TEXT)")
    saved = back_up(engine, tmp_path / "saved.db")
    run(engine, "ALTER TABLE notes ADD COLUMN told_on TEXT")
    assert prove_restore(engine, saved).set_index("table")["equal"].loc[["notes", "customer_file"]].tolist() == [
        False,
        True,
    ]


def test_rows_without_a_key_value_are_all_counted(engine, tmp_path):
    """SQLite lets several rows in whose key is empty."""
    run(engine, "CREATE TABLE notes (id TEXT PRIMARY KEY, says TEXT)", "INSERT INTO notes VALUES (NULL, 'a')")
    run(engine, "INSERT INTO notes VALUES (NULL, 'a')")
    saved = back_up(engine, tmp_path / "saved.db")
    run(engine, "DELETE FROM notes WHERE rowid = 1")
    proof = prove_restore(engine, saved).set_index("table").loc["notes"]
    assert proof[["rows_now", "rows_backup", "only_backup"]].tolist() == [1, 2, 1] and not proof["equal"]
    assert fingerprint(saved).set_index("table").loc["notes", "rows"] == 2


def test_a_hash_does_not_depend_on_the_place_of_a_row(tmp_path, engine):
    other = create_database(tmp_path / "other.db")
    fill_database(other, customer_file=CUSTOMERS.iloc[::-1])
    pd.testing.assert_frame_equal(fingerprint(other), fingerprint(engine))
    update_customers(other, change(city="武汉"), on="2026-03-01")
    differ = fingerprint(other)["sha256"] != fingerprint(engine)["sha256"]
    assert fingerprint(other).loc[differ, "table"].tolist() == ["customer_file", "customer_history"]


def test_backups_are_whole_or_not_at_all(engine, tmp_path):
    saved = back_up(engine, tmp_path / "monday.db")
    broken = tmp_path / "broken.db"
    broken.write_bytes(saved.read_bytes()[:5000])
    before = fingerprint(engine)
    with pytest.raises(ValueError, match=r"base\.db was left as it is"):
        restore(broken, engine.url.database)
    (tmp_path / "text.db").write_text("no database, only some words " * 100, encoding="utf-8", newline="\n")
    with pytest.raises(ValueError, match="file is not a database"):
        restore(tmp_path / "text.db", engine.url.database)
    with pytest.raises(FileNotFoundError, match="there is no backup"):
        restore(tmp_path / "none.db", engine.url.database)
    with pytest.raises(ValueError, match="is the base itself: choose another file"):
        back_up(engine, engine.url.database)
    pd.testing.assert_frame_equal(fingerprint(engine), before)
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(FileNotFoundError, match="there is no base"):
        prove_restore(engine, tmp_path / "none.db")


def test_a_base_in_memory_can_be_saved(tmp_path):
    engine = create_database(":memory:")
    fill_database(engine, customer_file=CUSTOMERS)
    assert prove_restore(engine, back_up(engine, tmp_path / "saved.db"))["equal"].all()
    engine.dispose()
    # A plain SQLite program can open it.
    connection = sqlite3.connect(tmp_path / "saved.db")
    assert connection.execute("SELECT count(*) FROM customer_roster").fetchone() == (3,)
    connection.close()
