"""Who may see what: each defence is attacked, each lock is tried, each mask is held against the raw data."""

import copy
import hashlib
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
from sqlalchemy import create_engine

import cimlab
from cimlab.security import (
    DEFAULT_POLICY,
    GUARDS,
    MISUSE_RULES,
    ROLES,
    access_matrix,
    append_entry,
    attack_queries,
    chain_entries,
    check_policy,
    check_separation,
    entry_hash,
    find_misuse,
    least_privilege,
    mask_report,
    mask_value,
    open_as,
    plain_matrix,
    policy_checks,
    publish_head,
    read_policy,
    read_trail,
    rights_report,
    risk_score,
    roles_table,
    try_attacks,
    verify_trail,
    view_name,
    view_sql,
    write_trail,
)

AS_OF = "2026-06-30"


@pytest.fixture(scope="module")
def members():
    return cimlab.load("members")


@pytest.fixture(scope="module")
def matrix():
    return access_matrix(cimlab.describe("members"))


@pytest.fixture(scope="module")
def base(members, tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.db"
    with closing(sqlite3.connect(path)) as connection:
        for name, table in {"members": members, "consents": cimlab.load("consents")}.items():
            table.to_sql(name, connection, index=False)
    return path


@pytest.fixture(scope="module")
def door(base, matrix):
    def enter(role, **options):
        return closing(open_as(base, role, matrix, **{"store": "ST02", "as_of": AS_OF} | options))

    return enter


# -------------------------------------------------------------------------------------------------------------- grades
def test_every_right_has_its_reason(matrix):
    assert len(matrix) == len(ROLES) * len(cimlab.describe("members"))
    assert matrix["reason"].str.len().min() > 5
    assert not ((matrix["grade"] == "high") & (matrix["right"] == "read")).any()


def test_an_exception_goes_before_the_grade(matrix):
    rights = plain_matrix(matrix)
    assert rights.columns.tolist() == ["grade", *ROLES]
    assert rights.index.tolist() == cimlab.describe("members")["column"].tolist()
    assert rights.loc["address", "cashier"] == "none"
    assert rights.loc["phone", "cashier"] == "masked"
    assert (rights["database administrator"] == "none").sum() == 12  # all but the store, which is about nobody


def test_what_is_not_graded_is_not_granted():
    dictionary = pd.DataFrame({"column": ["shoe_size"], "personal_data": [None]})
    with pytest.raises(ValueError, match="'shoe_size' has the grade"):
        access_matrix(dictionary)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"high": ("look", "why")}, "no right 'look'"),
        ({"high": ("none", " ")}, "give \\(right, reason\\)"),
        ({"purpose": None}, "does not say: purpose"),
    ],
)
def test_a_role_says_all(change, message):
    role = {key: value for key, value in (ROLES["analyst"] | change).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        roles_table({"analyst": role})


def test_unused_rights_are_found_highest_grade_first(matrix):
    granted = matrix[(matrix["role"] == "service") & (matrix["right"] != "none")]
    used = granted[~granted["column"].isin(["tier", "id_number"])]
    assert least_privilege(matrix[matrix["role"] == "service"], used)["column"].tolist() == ["id_number", "tier"]
    nothing = least_privilege(matrix, used.iloc[:0])  # a role does not hold what it was not granted
    assert set(nothing["right"]) == {"read", "masked"}
    report = rights_report(matrix, pd.concat([used, pd.DataFrame({"role": ["guest"], "column": ["phone"]})]))
    assert report.loc["service", "unused"] == 2
    assert report.loc["guest", "without_right"] == 1
    assert report["without_right"].sum() == 1
    assert (report.loc[list(ROLES), ["read", "masked", "none"]].sum(axis=1) == 13).all()


def test_a_right_of_another_table_is_another_right(matrix):
    two = pd.concat([matrix, access_matrix(cimlab.describe("web_accounts"), table="web_accounts")])
    used = pd.DataFrame({"role": ["service"], "table": ["members"], "column": ["phone"]})
    idle = least_privilege(two, used).query("role == 'service' and column == 'phone'")
    assert idle["table"].tolist() == ["web_accounts"]
    with pytest.raises(ValueError, match="must have a column table"):
        least_privilege(two, used.drop(columns="table"))


def test_a_plain_matrix_is_of_one_table(matrix):
    with pytest.raises(ValueError, match="one table"):
        plain_matrix(pd.concat([matrix, matrix.assign(table="web_accounts")]))


def test_two_duties_in_one_hand():
    staff = pd.DataFrame({"person": ["An", "An", "Bo", "Cy"], "role": ["holds keys", "database administrator"] * 2})
    assert check_separation(staff)["person"].tolist() == ["An"]
    with pytest.raises(ValueError, match="row 0 has a blank"):
        check_separation(pd.DataFrame({"person": [None], "role": ["auditor"]}))


# ------------------------------------------------------------------------------------------------------- the attacks
@pytest.mark.parametrize("role", list(ROLES))
def test_the_default_door_holds_against_every_attack(door, base, role):
    before = hashlib.sha256(base.read_bytes()).hexdigest()
    with door(role) as connection:
        result = try_attacks(connection, attack_queries(role))
        assert set(result["got"]) == {"refused"}, result
        assert connection.execute(f"SELECT count(*) FROM {view_name('members', role)}").fetchone()[0] > 0
    assert (result["says"].str.len() > 0).all()
    assert hashlib.sha256(base.read_bytes()).hexdigest() == before


def test_views_alone_protect_nothing(door, members):
    with door("cashier", guard="view") as connection:
        result = try_attacks(connection, attack_queries("cashier")).set_index("attack")
    leaks = ["base table", "union", "subquery", "yes or no", "count", "borrowed name", "list of tables", "pragma"]
    assert (result.loc[leaks, "got"] == "rows").all()
    assert result.loc["base table", "rows"] == members["id_number"].notna().sum()
    assert result.loc["attach", "got"] == "done"
    assert (
        result.loc[["change", "delete", "two in one"], "got"] == "refused"
    ).all()  # the file is open for reading only


def test_the_authorizer_falls_to_a_borrowed_name(door, members):
    with door("cashier", guard="authorizer") as connection:
        result = try_attacks(connection, attack_queries("cashier")).set_index("attack")
    assert result.index[result["got"] != "refused"].tolist() == ["borrowed name"]
    assert result.loc["borrowed name", "rows"] == members["id_number"].notna().sum()
    assert result.loc["base table", "says"] == "this role may not read members.id_number"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM consents",
        "SELECT phone FROM main.members",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM sqlite_temp_master",
        "SELECT * FROM (SELECT * FROM members) AS members_cashier",
        "SELECT * FROM members_cashier ORDER BY (SELECT max(phone) FROM members)",
        "EXPLAIN SELECT * FROM members",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT randomblob(8)",
        "UPDATE members_cashier SET phone = '1'",
        "INSERT INTO members_cashier (phone) VALUES ('1')",
        "CREATE TABLE loot AS SELECT * FROM members_cashier",
        "ATTACH DATABASE '{base}' AS loot",
        "VACUUM INTO '{loot}'",
    ],
)
def test_other_attacks_fail_too(door, base, tmp_path, sql):
    with door("cashier") as connection, pytest.raises(sqlite3.Error):
        connection.execute(sql.format(base=base, loot=tmp_path / "loot.db")).fetchall()
    assert not list(tmp_path.iterdir())


def test_who_takes_the_guard_off_finds_nothing_behind_it(door):
    with door("cashier") as connection:
        connection.set_authorizer(None)
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert tables == [("members_cashier",)]
        assert "id_number" not in pd.read_sql_query("SELECT * FROM members_cashier", connection)
    with door("cashier", guard="authorizer") as connection:
        connection.set_authorizer(None)
        assert connection.execute("SELECT max(id_number) FROM members").fetchone()[0]


@pytest.mark.parametrize("guard", GUARDS)
def test_honest_work_goes_on(door, members, guard):
    with door("analyst", guard=guard) as connection:
        table = pd.read_sql_query("SELECT * FROM members_analyst", connection)
        tiers = dict(connection.execute("SELECT tier, sum(1) FROM members_analyst GROUP BY tier"))
    assert tiers == members["tier"].value_counts().to_dict()
    assert len(table) == len(members)


# --------------------------------------------------------------------------------------------------- columns, rows
@pytest.mark.parametrize("role", list(ROLES))
def test_a_role_sees_the_columns_of_the_matrix_and_no_raw_value_under_a_mask(door, matrix, members, role):
    with door(role) as connection:
        seen = pd.read_sql_query(f"SELECT * FROM {view_name('members', role)}", connection)
    rights = matrix[matrix["role"] == role].set_index("column")["right"]
    assert seen.columns.tolist() == rights[rights != "none"].index.tolist()
    if not (rights == "masked").any():
        return
    raw = members.set_index("member_id").loc[seen["member_id"]].reset_index()
    for column in rights[rights == "masked"].index:
        assert not (seen[column] == raw[column]).any(), column
        assert (seen[column].notna() <= raw[column].notna()).all()
    for column in rights[rights == "read"].index.difference(["joined_on", "updated_on"]):
        assert seen[column].fillna("").tolist() == raw[column].fillna("").tolist()


def test_a_store_sees_its_own_members(door, members):
    with door("cashier", store="ST04") as connection:
        seen = pd.read_sql_query("SELECT member_id, store_id FROM members_cashier", connection)
    assert set(seen["member_id"]) == set(members.loc[members["store_id"] == "ST04", "member_id"])
    for store in ("ST02' OR '1'='1", "' OR 1 --"):
        with door("cashier", store=store) as connection:
            assert connection.execute("SELECT count(*) FROM members_cashier").fetchone()[0] == 0


@pytest.mark.parametrize("guard", GUARDS)
def test_marketing_sees_who_agreed_last(door, members, guard):
    ledger = cimlab.load("consents").query("purpose == 'marketing'").sort_values(["recorded_at", "consent_id"])
    agreed = ledger.groupby("customer_ref")["action"].last().eq("given")
    with door("marketing", guard=guard) as connection:
        seen = {row[0] for row in connection.execute("SELECT member_id FROM members_marketing")}
    assert seen == set(agreed[agreed].index) & set(members["member_id"])
    assert 0 < len(seen) < len(members)


def test_the_door_says_what_is_wrong(base, matrix, tmp_path):
    with pytest.raises(ValueError, match="own store only: say which"):
        open_as(base, "cashier", matrix)
    with pytest.raises(ValueError, match="say on which day"):
        open_as(base, "analyst", matrix)
    with pytest.raises(ValueError, match="no guard 'none'"):
        open_as(base, "analyst", matrix, as_of=AS_OF, guard="none")
    with pytest.raises(ValueError, match="nothing"):
        open_as(base, "thief", matrix)
    with pytest.raises(ValueError, match="base in a file"):
        open_as(create_engine("sqlite://"), "service", matrix)
    with pytest.raises(FileNotFoundError):
        open_as(tmp_path / "mistyped.db", "service", matrix)
    assert not (tmp_path / "mistyped.db").exists()
    with pytest.raises(ValueError, match="no column 'emial'"):
        open_as(base, "service", matrix.replace({"column": {"email": "emial"}}))
    with pytest.raises(ValueError, match="no table 'clients'"):
        open_as(base, "service", matrix.assign(table="clients"))


def test_no_row_rule_is_never_all_rows(matrix):
    roles = copy.deepcopy(ROLES)
    roles["service"]["rows"] = "everything"
    with pytest.raises(ValueError, match="no row rule 'everything'"):
        view_sql(matrix, "service", roles=roles)
    with pytest.raises(ValueError, match="needs the column store_id"):
        view_sql(matrix[matrix["column"] != "store_id"], "cashier", store="ST02")


def test_an_engine_opens_too_and_a_column_without_a_mask_is_hidden_whole(base, matrix):
    engine = create_engine(f"sqlite:///{base}")
    notes = matrix.assign(right=matrix["right"].where(matrix["column"] != "tier", "masked"))
    with closing(open_as(engine, "service", notes)) as connection:
        assert connection.execute("SELECT DISTINCT tier FROM members_service").fetchall() == [("***",)]
    engine.dispose()


# ---------------------------------------------------------------------------------------------------------- the masks
@pytest.mark.parametrize(
    ("kind", "typed", "shown"),
    [
        ("phone", "+86 174-0201-0123", "174****0123"),
        ("phone", "１７４０２０１０１２３", "174****0123"),
        ("phone", "1740201012", "***"),
        ("phone", "li@example.com", "***"),
        ("name", "李明", "李*"),
        ("name", "李小明", "李*"),
        ("name", "Zeng Guofan", "Z*"),
        ("name", "李 17402010123", "***"),
        ("email", "li.na@Example.com", "l***@example.com"),
        ("email", "17402010123", "***"),
        ("email", "a@b", "***"),
        ("id", "99040919671216168x", "9****************X"),
        ("id", "990409671216168", "***"),
        ("age", "19740810", "50-59"),
        ("age", "12.03.74", "***"),
        ("age", "1974-08-10 / 1975", "***"),
        ("age", "2030-01-01", "***"),
        ("age", "1930/1/1", "80 and over"),
        ("address", "宁波市鄞州区和山路202号", "宁波市"),
        ("address", "浙江省宁波市和山路202号", "宁波市"),
        ("address", "鄞州区和山路202号", "***"),
        ("hide", "anything", "***"),
        ("phone", "  ", None),
        ("phone", None, None),
    ],
)
def test_a_mask_shows_its_form_or_nothing(kind, typed, shown):
    assert mask_value(typed, kind, as_of=AS_OF) == shown


def test_the_masks_of_the_whole_table(members):
    report = mask_report(members, as_of=AS_OF)
    assert (report["unique_after"] <= report["unique_before"]).all()
    assert report.loc[["name", "birth_date", "id_number"], "unique_after"].max() < 0.05  # no keys
    assert report.loc["phone", "unique_after"] > 0.3  # four open digits: nearly a key, and the report says so
    assert report.loc[["name", "phone", "email", "id_number", "birth_date"], "hidden"].max() < 0.2
    twice = [members[c].map(lambda v, k=k: mask_value(v, k, AS_OF)) for c, k in [("phone", "phone")] * 2]
    assert twice[0].equals(twice[1])


def test_a_mask_needs_a_kind_and_a_day():
    with pytest.raises(ValueError, match="no mask 'shoe'"):
        mask_value("41", "shoe")
    with pytest.raises(ValueError, match="needs as_of"):
        mask_value("1974", "age")


# ---------------------------------------------------------------------------------------------------------- the trail
def events(count=8):
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-06-30 09:00", periods=count, freq="10min"),
            "actor": ["E07", "E09"] * (count // 2),
            "role": "service",
            "action": "read",
            "record": [f"M{n}" for n in range(count)],
            "rows": 1,
            "reason": "call",
        }
    )


def found(trail, head=None):
    result = verify_trail(trail.reset_index(drop=True), head)
    assert result["intact"] is (result["kind"] == "intact")
    return result["kind"], result["position"]


def rehash(trail, start):
    """Make the chain again from a place on, as one does who may write the whole file."""
    rows = trail.to_dict("records")
    for place in range(start, len(rows)):
        rows[place]["previous"] = rows[place - 1]["hash"] if place else "0" * 64
        rows[place]["hash"] = entry_hash(rows[place])
    return pd.DataFrame(rows)


def test_one_by_one_or_all_at_once(tmp_path):
    table, trail = events(), None
    for event in table.to_dict("records"):
        trail = append_entry(trail, **event)
    pd.testing.assert_frame_equal(trail, chain_entries(table))
    assert found(trail, publish_head(trail)) == ("intact", None)
    back = read_trail(write_trail(trail, tmp_path / "trail.jsonl"))
    assert found(back, publish_head(trail)) == ("intact", None)
    (tmp_path / "trail.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="line 1 is no entry"):
        read_trail(tmp_path / "trail.jsonl")


@pytest.mark.parametrize("place", range(8))
def test_each_way_of_tampering_is_named_at_its_place(place):
    trail = chain_entries(events())
    for column, value in {"actor": "E99", "rows": 2, "reason": "", "at": pd.Timestamp("2026-06-30 08:00")}.items():
        changed = trail.astype({"at": object})
        changed.loc[place, column] = value
        assert found(changed) == ("changed", place)
    assert found(trail.astype({"rows": object}).replace({"record": {f"M{place}": None}})) == ("changed", place)
    copied = pd.concat([trail.iloc[: place + 1], trail.iloc[[place // 2]], trail.iloc[place + 1 :]])
    assert found(copied) == ("inserted", place + 1)
    if place < 7:
        assert found(trail.drop(index=place)) == ("removed", place)
        swapped = trail.iloc[[*range(place), place + 1, place, *range(place + 2, 8)]]
        assert found(swapped) == ("reordered", place)
        hidden = trail.copy()
        hidden.loc[place, "actor"] = "E99"
        hidden.loc[place, "hash"] = entry_hash(hidden.loc[place].to_dict())  # its own hash is right again
        assert found(hidden) == ("changed", place)


@pytest.mark.parametrize("place", range(1, 8))
def test_an_entry_put_in_between_is_found(place):
    trail = chain_entries(events())
    forged = trail.iloc[[place]].assign(record="M99", previous=trail.loc[place - 1, "hash"])
    for mark in (entry_hash(forged.iloc[0].to_dict()), "f" * 64):
        between = pd.concat([trail.iloc[:place], forged.assign(hash=mark), trail.iloc[place:]])
        assert found(between) == ("inserted", place)


def test_only_a_published_head_shows_a_new_chain_or_a_missing_end():
    trail = chain_entries(events())
    head = publish_head(trail)
    assert found(trail.iloc[:5]) == ("intact", None)
    assert found(trail.iloc[:5], head) == ("cut off", 5)
    made_again = rehash(trail.assign(actor="E99"), 0)
    assert found(made_again) == ("intact", None)
    assert found(made_again, head) == ("rewritten", 7)
    shortened = rehash(trail.drop(index=3).assign(entry_no=range(1, 8)), 3)
    assert found(shortened) == ("intact", None)
    assert found(shortened, head)[0] == "cut off"
    unnumbered = rehash(trail.drop(index=3), 3)
    assert found(unnumbered) == ("removed", 3)
    longer = append_entry(trail, at="2026-07-01", actor="E1", role="service", action="read", record="M1")
    assert found(longer, head) == ("intact", None)


def test_the_trail_refuses_what_is_no_entry():
    trail = chain_entries(events())
    entry = {"at": "2026-07-01", "actor": "E1", "role": "service", "action": "read", "record": "M1"}
    for change, message in [
        ({"at": "2026-06-29"}, "before the last entry"),
        ({"at": "soon"}, "no time"),
        ({"actor": " "}, "actor is blank"),
        ({"rows": 1.5}, "no count"),
    ]:
        with pytest.raises(ValueError, match=message):
            append_entry(trail, **entry | change)
    with pytest.raises(ValueError, match="no column hash"):
        verify_trail(trail.drop(columns="hash"))


def test_misuse_is_found_and_honest_work_is_not():
    honest = events(20)
    planted = pd.DataFrame(
        [
            ("2026-06-30 23:30", "E07", "service", "read", "M1", 1, "call"),
            ("2026-07-01 09:00", "E09", "service", "read", "list", 150, "list"),
            ("2026-07-01 09:40", "E09", "service", "read", "list", 60, "list"),
            ("2026-07-01 10:00", "E11", "analyst", "export", "list", 5, ""),
            ("2026-07-01 11:00", "E12", "service", "read", "M-VIP", 1, ""),
            ("2026-07-01 12:00", "E13", "guest", "read", "M1", 1, ""),
        ],
        columns=honest.columns,
    )
    trail = chain_entries(pd.concat([honest, planted.assign(at=pd.to_datetime(planted["at"]))]))
    rules = MISUSE_RULES | {"watched": {"records": {"M-VIP": "VIP"}}}
    table = find_misuse(trail, rules)
    pairs = [(21, "hours"), (23, "many"), (24, "need"), (25, "watched"), (26, "need")]
    assert list(zip(table["entry_no"], table["rule"], strict=True)) == pairs
    assert table.loc[1, "why"] == "210 rows within 1h, more than 200"
    assert find_misuse(trail.iloc[:20], rules).empty
    for bad, message in [({"nights": {}}, "no rule 'nights'"), ({"hours": {"from": 7}}, "lacks: to")]:
        with pytest.raises(ValueError, match=message):
            find_misuse(trail, bad)


def test_who_stays_under_the_limit_is_not_found():
    slow = events(20).assign(rows=25)  # 3 entries an hour and person: 75 rows, all day long
    assert find_misuse(chain_entries(slow), {"many": {"rows": 80, "within": "1h"}}).empty
    assert len(find_misuse(chain_entries(slow), {"many": {"rows": 74, "within": "1h"}})) > 10


# --------------------------------------------------------------------------------------------------------- the policy
def good_facts():
    return {
        "accounts": pd.DataFrame(
            {"account": ["a", "b"], "changed_on": ["2026-06-01", "2020-01-01"], "second_factor": [False, True]}
        ),
        "backups": pd.DataFrame({"made_on": ["2026-06-01", "2026-06-29"]}),
        "restores": pd.DataFrame({"tested_on": ["2026-05-01"], "succeeded": [True]}),
        "storage": pd.DataFrame({"place": ["base", "backup"], "encrypted": [True, True]}),
        "roles": pd.DataFrame({"role": ["cashier"], "owner": ["sales"]}),
        "holdings": pd.DataFrame({"table": ["calls"], "oldest_on": ["2024-07-01"]}),
        "training": pd.DataFrame({"person": ["E1"], "trained_on": ["2025-06-30"]}),
        "agreements": pd.DataFrame({"person": ["E1"], "started_on": ["2024-02-01"], "signed_on": ["2024-02-01"]}),
        "partners": pd.DataFrame({"partner": ["post"], "valid_until": ["2026-06-30"], "purpose": ["delivery"]}),
        "contacts": pd.DataFrame({"name": ["x", "y", "z"], "tried_on": ["2026-05-01"] * 3}),
    }


BAD = {
    "accounts": {"second_factor": False},
    "backups": {"made_on": "2026-06-28"},
    "restores": {"succeeded": False},
    "storage": {"encrypted": [True, None]},
    "roles": {"owner": " "},
    "holdings": {"oldest_on": "2020-01-01"},
    "training": {"trained_on": "2025-06-29"},
    "agreements": {"signed_on": "2024-02-02"},
    "partners": {"valid_until": "2026-06-29"},
    "contacts": {"tried_on": ["2026-05-01", "2026-05-01", None]},
}


def test_the_policy_holds_and_each_clause_can_be_broken():
    policy = read_policy(DEFAULT_POLICY)
    checked = check_policy(policy, good_facts(), AS_OF)
    assert checked["holds"].sum() == 10 and checked["holds"].isna().sum() == 2
    assert set(BAD) == set(policy_checks()["fact"]) == set(good_facts())
    for fact, change in BAD.items():
        facts = good_facts()
        facts[fact] = facts[fact].assign(**change)
        broken = check_policy(policy, facts, AS_OF)
        clause = policy_checks().set_index("fact").loc[fact, "check"]
        assert policy.loc[broken["holds"].eq(False).fillna(False), "check"].tolist() == [clause]


def test_no_fact_is_not_a_fact_that_holds():
    checked = check_policy(read_policy(DEFAULT_POLICY), {}, AS_OF)
    assert checked["holds"].isna().all()
    assert checked["evidence"].str.startswith("not checked").all()
    empty = {"storage": good_facts()["storage"].iloc[:0], "backups": good_facts()["backups"].iloc[:0]}
    holds = check_policy(read_policy(DEFAULT_POLICY), empty, AS_OF).set_index("id")["holds"]
    assert pd.isna(holds["S2"]) and not holds["C1"]  # nothing to encrypt is no evidence; no backup is one


def test_a_fact_from_tomorrow_or_without_a_column_is_refused():
    policy = read_policy(DEFAULT_POLICY)
    with pytest.raises(ValueError, match="made_on 2026-07-01 lies after"):
        check_policy(policy, {"backups": pd.DataFrame({"made_on": ["2026-07-01"]})}, AS_OF)
    with pytest.raises(ValueError, match="'backups' has no column made_on"):
        check_policy(policy, {"backups": pd.DataFrame({"day": ["2026-07-01"]})}, AS_OF)
    with pytest.raises(ValueError, match="made_on holds something that is no date"):
        check_policy(policy, {"backups": pd.DataFrame({"made_on": ["soon"]})}, AS_OF)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("part: use", "part: usage", "clause U1: part is 'usage'"),
        ("id: C2", "id: C1", "clause C1: the id is there twice"),
        ("- id: S2\n", "- name: S2\n", "clause number 11 has no id"),
        ("{max_days: 92}", "{days: 92}", "clause C2: the check 'restore was tested' takes max_days, not days"),
        ("{max_days: 92}", "{max_days: soon}", "clause C2: max_days is 'soon'"),
        ("  check: agreements signed\n", "  parameters: {a: 1}\n", "clause G3: it has parameters and no check"),
        ("check: training done", "check: xyz", "clause G4: no check 'xyz'; there are"),
        ("clauses:", "paragraphs:", "no list of clauses"),
        ("  part: general", "\tpart: general", "is no YAML, near line"),
        ("  check: agreements signed", "  cheque: agreements signed", "clause G3: unknown entry 'cheque'"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_clause(old, new, message):
    assert old in DEFAULT_POLICY
    with pytest.raises(ValueError, match=message.replace("(", "\\(")):
        read_policy(DEFAULT_POLICY.replace(old, new, 1))


def test_risks_are_ranked():
    checklist = pd.DataFrame({"risk": list("abcd"), "likelihood": [5, 2, 4, 1], "impact": [5, 4, 2, 4], "who": "x"})
    scored = risk_score(checklist)
    assert scored["risk"].tolist() == ["a", "b", "c", "d"]
    assert scored["grade"].tolist() == ["severe", "medium", "medium", "low"]
    assert risk_score(checklist.sample(frac=1, random_state=1)).equals(scored)
    for bad in (0, 6, 2.5, None):
        with pytest.raises(ValueError, match="risk 'a': impact is"):
            risk_score(checklist.assign(impact=bad))
