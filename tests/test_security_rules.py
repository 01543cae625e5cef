"""Rules that a program enforces, contracts with partners, and the line between two machines: each is attacked."""

import sqlite3
import ssl
import threading
from contextlib import closing

import pandas as pd
import pytest

import cimlab
from cimlab.security import (
    EVERY_STORE,
    NAIVE_MODEL,
    access_matrix,
    ask_phone,
    attack_queries,
    check_contract,
    client_context,
    compare_lines,
    contract_rules,
    granted_columns,
    join_extracts,
    make_authority,
    make_certificate,
    open_for,
    partner_extract,
    phone_service,
    plain_matrix,
    read_rules,
    rule_attacks,
    rules_text,
    tap_line,
    try_attacks,
    try_rules,
)

AS_OF = "2026-06-30"
STAFF = pd.DataFrame(
    [
        ("till_02", "cashier", "ST02"),
        ("till_05", "cashier", "ST05"),
        ("ana", "analyst", None),
        ("mark", "marketing", None),
    ],
    columns=["account", "role", "store_id"],
)
CONTRACT = {
    "partner": "print shop",
    "purpose": "letter",
    "consent": "sharing",
    "columns": ["gender", "city", "tier"],
    "valid_from": "2026-01-01",
    "valid_until": AS_OF,
    "key": "the print shop's own key",
}


@pytest.fixture(scope="module")
def members():
    return cimlab.load("members")


@pytest.fixture(scope="module")
def consents():
    return cimlab.load("consents")


@pytest.fixture(scope="module")
def matrix():
    return access_matrix(cimlab.describe("members"))


@pytest.fixture(scope="module")
def text(matrix):
    return rules_text(matrix, STAFF)


@pytest.fixture(scope="module")
def base(members, consents, tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.db"
    with closing(sqlite3.connect(path)) as connection:
        members.to_sql("members", connection, index=False)
        consents.to_sql("consents", connection, index=False)
    return path


# --------------------------------------------------------------------------------------------------------------- rules
def test_only_honest_work_gets_through(text):
    result = try_rules(read_rules(text), rule_attacks("till_02", "cashier", "ST02"))
    assert result.loc[result["allowed"], "attack"].tolist() == ["honest work"]
    assert len(result) == 11


def test_the_naive_rules_fall(text):
    """The two attacks for which RULE_MODEL has its two conditions; the second needs an account for every store."""
    naive = read_rules(text, NAIVE_MODEL)
    result = try_rules(naive, rule_attacks("till_02", "cashier", "ST02")).set_index("attack")["allowed"]
    assert result[result].index.tolist() == ["honest work", "called like a role"]
    ana = ("ana", "analyst", EVERY_STORE, "members", "tier", "read")
    assert naive.enforce(*ana) and not read_rules(text).enforce(*ana)


def test_rules_say_what_the_matrix_says(text, matrix):
    rules = read_rules(text)
    for account, role, store in [
        ("till_05", "cashier", "ST05"),
        ("ana", "analyst", None),
        ("mark", "marketing", "ST09"),
    ]:
        got = granted_columns(rules, account, role, matrix, store).set_index("column")["right"]
        assert got.to_dict() == plain_matrix(matrix)[role].to_dict()


def test_a_column_that_nobody_graded_is_not_granted(text):
    new = pd.DataFrame({"table": ["members"], "column": ["shoe_size"]})
    assert granted_columns(read_rules(text), "ana", "analyst", new)["right"].tolist() == ["none"]


def test_what_the_rules_grant_is_what_the_base_shows(base, text, matrix, members):
    rules = read_rules(text)
    with closing(open_for(base, "till_02", "cashier", rules, matrix, store="ST02")) as connection:
        seen = pd.read_sql_query("SELECT * FROM members_cashier", connection)
        assert set(try_attacks(connection, attack_queries("cashier"))["got"]) == {"refused"}
    assert set(seen["store_id"]) == {"ST02"}
    assert len(seen) == (members["store_id"] == "ST02").sum()
    assert seen["phone"].dropna().str.contains("*", regex=False).all()
    with closing(open_for(base, "ana", "analyst", rules, matrix, as_of=AS_OF)) as connection:
        assert connection.execute("SELECT count(*) FROM members_analyst").fetchone() == (len(members),)


@pytest.mark.parametrize(
    ("account", "role", "store"),
    [
        ("till_02", "cashier", "ST05"),
        ("till_02", "cashier", None),
        ("till_02", "analyst", None),
        ("cashier", "cashier", "ST02"),
        ("till_02", "cashier", EVERY_STORE),
        ("", "cashier", "ST02"),
    ],
)
def test_no_right_no_door(base, text, matrix, account, role, store):
    with pytest.raises(PermissionError, match="the rules grant"):
        open_for(base, account, role, read_rules(text), matrix, store=store, as_of=AS_OF)


def test_who_left_is_out_at_once(matrix):
    rules = read_rules(rules_text(matrix, STAFF[STAFF["account"] != "till_02"]))
    assert not try_rules(rules, rule_attacks("till_02", "cashier", "ST02"))["allowed"].any()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("till_09", "cashier", None), "say which"),
        (("till_09", "cashier", EVERY_STORE), "say which"),
        (("till_09", "guest", None), "no role 'guest'"),
        (("cashier", "analyst", None), "called like a role"),
        (("x\np, analyst, members, phone, read", "analyst", None), "line break"),
        (("x, analyst", "analyst", None), "comma"),
        (("x # y", "analyst", None), "#"),
    ],
)
def test_bad_staff_is_no_rule(matrix, row, message):
    with pytest.raises(ValueError, match=message):
        rules_text(matrix, pd.DataFrame([row], columns=STAFF.columns))


# ------------------------------------------------------------------------------------------------------------ partners
def ask(members, consents, contract=CONTRACT, **changes):
    asked = {"partner": "print shop", "purpose": "letter", "day": "2026-06-30"} | changes
    return partner_extract(members, consents, contract, **asked)


def test_a_partner_gets_what_the_contract_says(members, consents):
    extract = ask(members, consents)
    assert extract.columns.tolist() == ["pseudonym", "gender", "city", "tier"]
    sharing = consents[(consents["purpose"] == "sharing") & (consents["recorded_at"] < "2026-07-01")]
    last = sharing.sort_values("recorded_at", kind="stable").drop_duplicates("customer_ref", keep="last")
    agreed = set(last.loc[last["action"] == "given", "customer_ref"]) & set(members["member_id"])
    assert 0 < len(agreed) == len(extract) < len(members)
    assert not set(extract["pseudonym"]) & set(members["member_id"])
    assert extract["pseudonym"].is_monotonic_increasing
    shuffled = ask(members.sample(frac=1, random_state=1), consents)
    pd.testing.assert_frame_equal(extract, shuffled)


@pytest.mark.parametrize(
    "change",
    [
        {"day": "2026-07-01"},
        {"day": "2025-12-31"},
        {"purpose": "credit score"},
        {"partner": "another"},
        {"partner": "*"},
    ],
)
def test_a_partner_asks_for_more(members, consents, change):
    with pytest.raises(PermissionError, match="may not have"):
        ask(members, consents, **change)


def test_a_revoked_contract_ends_before_its_day(members, consents):
    ended = CONTRACT | {"revoked_on": "2026-03-01"}
    assert len(ask(members, consents, ended, day="2026-02-28"))
    with pytest.raises(PermissionError):
        ask(members, consents, ended, day="2026-03-01")
    assert contract_rules(CONTRACT | {"revoked_on": "2027-01-01"}) == contract_rules(CONTRACT)


def test_who_withdraws_is_not_in_the_next_extract(members, consents):
    before = ask(members, consents)
    sharing = consents[(consents["purpose"] == "sharing") & consents["customer_ref"].isin(members["member_id"])]
    last = sharing.sort_values("recorded_at", kind="stable").drop_duplicates("customer_ref", keep="last")
    act = last[last["action"] == "given"].iloc[[0]]
    act = act.assign(action="withdrawn", recorded_at=pd.Timestamp("2026-06-30 08:00"))
    after = ask(members, pd.concat([consents, act], ignore_index=True))
    assert len(after) == len(before) - 1


def test_two_extracts_do_not_join(members, consents):
    """By the house's own number everybody joins, by pseudonyms nobody; by many common columns some still do."""
    first = ask(members, consents)
    second = ask(members, consents, CONTRACT | {"key": "another key, for another aim"})
    assert join_extracts(first, second, ["pseudonym"])["joined"] == 0
    assert join_extracts(first, ask(members, consents), ["pseudonym"])["joined"] == len(first)
    raw = members[["member_id", "tier"]]
    assert join_extracts(raw, raw, ["member_id"])["joined"] == len(members)
    few = join_extracts(first, second, ["gender", "tier"])["joined"]
    columns = ["gender", "city", "tier", "joined_on"]
    wide = [ask(members, consents, CONTRACT | {"columns": columns, "key": key * 16}) for key in "ab"]
    assert few < 0.05 * len(first) < join_extracts(*wide, columns)["joined"]


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        ({"purpose": " "}, "says what for"),
        ({"columns": ["shoe_size"]}, "columns exist"),
        ({"columns": ["phone"]}, "no column above general"),
        ({"columns": ["member_id"]}, "no id of the house"),
        ({"columns": ["gender", "city", "tier", "joined_on", "updated_on"]}, "few columns"),
        ({"columns": []}, "few columns"),
        ({"valid_until": "2027-06-30"}, "ends"),
        ({"valid_until": "2025-06-30"}, "ends"),
        ({"key": "short"}, "own key"),
    ],
)
def test_a_bad_contract_shows(change, clause):
    dictionary = cimlab.describe("members")
    assert check_contract(CONTRACT, dictionary)["holds"].all()
    report = check_contract(CONTRACT | change, dictionary).set_index("clause")["holds"]
    assert report[~report].index.tolist() == [clause]


def test_a_contract_says_all():
    with pytest.raises(ValueError, match="does not say: valid_until"):
        contract_rules({key: value for key, value in CONTRACT.items() if key != "valid_until"})
    with pytest.raises(ValueError, match="is no day"):
        contract_rules(CONTRACT | {"valid_until": "the end"})
    with pytest.raises(ValueError, match="comma"):
        contract_rules(CONTRACT | {"purpose": "letter, score"})


# ------------------------------------------------------------------------------------------------------------ the line
PHONES = {"M1": "17400000001", "M2": "17400000002"}


def test_what_the_listener_hears():
    table = compare_lines(PHONES, "M2")
    assert table["heard_phone"].tolist() == [True, False, False, True, False]
    assert table["client_got"].tolist() == ["17400000002"] * 4 + ["refused"]
    assert threading.active_count() < 10


def test_a_careful_client_takes_no_other_name_and_no_old_certificate():
    authority = make_authority()
    careful = client_context(authority)
    for wrong in (make_certificate(authority, host="127.0.0.9"), make_certificate(authority, days=-1)):
        with phone_service(PHONES, wrong) as port, pytest.raises(ssl.SSLCertVerificationError):
            ask_phone(port, "M1", careful)
    with phone_service(PHONES, make_certificate(authority)) as port:
        assert ask_phone(port, "M1", careful) == "17400000001"
        assert ask_phone(port, "M7", careful) == "unknown"


def test_a_server_is_no_authority():
    """Who gets hold of one server's key cannot make certificates for others."""
    authority = make_authority()
    server = make_certificate(authority)
    with phone_service(PHONES, make_certificate(server)) as port, pytest.raises(ssl.SSLCertVerificationError):
        ask_phone(port, "M1", client_context(authority))


def test_the_tap_hears_both_ways():
    with phone_service(PHONES) as port, tap_line(port) as tap:
        ask_phone(tap["port"], "M1")
        assert bytes(tap["heard"]) == b"M1\nM1 17400000001\n"
