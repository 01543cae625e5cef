"""Stolen files, moved cells, guessed passwords, lost keys: each attack succeeds before the defence, not after it."""

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

import cimlab
from cimlab.database import standardise_phones
from cimlab.security import (
    COMMON_PASSWORDS,
    blind_index,
    change_password,
    check_password,
    code_at,
    derive_key,
    encrypt_file,
    enrol,
    frequency_attack,
    guess_chance,
    guess_passwords,
    guess_pseudonyms,
    hash_password,
    join_shares,
    log_in,
    make_accounts,
    new_key,
    new_salt,
    open_column,
    open_encrypted,
    open_value,
    person_keys,
    readable,
    rotate_column,
    seal_column,
    seal_value,
    share_key,
    shred_key,
    steal_files,
    verify_code,
)
from cimlab.security.sealing import check_key

PASSWORD = "three old trams' bells"
AT = 1_782_800_000


@pytest.fixture(scope="module")
def members():
    table = cimlab.load("members")[["member_id", "phone", "city", "store_id"]].copy()
    table["phone"] = standardise_phones(table["phone"])
    return table.astype(object).where(table.notna(), None)


@pytest.fixture
def plain(members, tmp_path):
    path = tmp_path / "base.db"
    with closing(sqlite3.connect(path)) as base:
        members.to_sql("members", base, index=False)
    return path


@pytest.fixture(scope="module")
def phones(members):
    return members["phone"].dropna().iloc[[0, 7, 500]].tolist()


# ------------------------------------------------------------------------------------------------------ the whole file
def test_a_stolen_base_tells_all_before_and_nothing_after(plain, phones, tmp_path, members):
    before = steal_files(tmp_path, phones).set_index("file")
    assert before.loc["base.db"].tolist() == [True, 1, 3]
    safe = encrypt_file(plain, tmp_path / "safe.db", PASSWORD)
    plain.unlink()
    after = steal_files(tmp_path, phones).set_index("file")
    assert after.index.tolist() == ["safe.db"] and after.loc["safe.db"].tolist() == [False, 0, 0]
    with closing(open_encrypted(safe, PASSWORD)) as base:
        assert base.execute("SELECT count(*) FROM members").fetchone()[0] == len(members)
        base.execute("UPDATE members SET city = 'X' WHERE phone = ?", (phones[0],))
        base.commit()
    assert steal_files(tmp_path, phones)["found"].sum() == 0


def test_the_plain_copy_the_backup_and_the_deleted_row_give_it_away(plain, phones, tmp_path):
    encrypt_file(plain, tmp_path / "safe.db", PASSWORD)
    shutil.copy(plain, tmp_path / "base.bak")
    with closing(sqlite3.connect(plain)) as base, base:
        base.execute("PRAGMA secure_delete = OFF")
        base.execute("DELETE FROM members WHERE phone = ?", (phones[0],))
    found = steal_files(tmp_path, phones).set_index("file")["found"]
    assert found.to_dict() == {"base.bak": 3, "base.db": 3, "safe.db": 0}
    with closing(sqlite3.connect(plain)) as base:
        base.execute("VACUUM")
    assert steal_files(tmp_path, phones[:1]).set_index("file").loc["base.db", "found"] == 0


def test_a_journal_beside_the_base_gives_it_away(plain, phones, tmp_path):
    with closing(sqlite3.connect(plain)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("UPDATE members SET city = 'X' WHERE phone = ?", (phones[0],))
        base.commit()
        found = steal_files(tmp_path, phones[:1]).set_index("file")["found"]
        assert found["base.db-wal"] == 1


def test_wrong_password_and_changed_file_are_refused_and_quiet(plain, tmp_path, capfd):
    safe = encrypt_file(plain, tmp_path / "safe.db", PASSWORD)
    with pytest.raises(ValueError, match="wrong password, or a damaged file"):
        open_encrypted(safe, "three old tram")
    content = bytearray(safe.read_bytes())
    content[100] ^= 1
    safe.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        open_encrypted(safe, PASSWORD)
    assert capfd.readouterr().err == ""


def test_changing_the_password_leaves_old_copies_open_to_the_old_one(plain, tmp_path):
    safe = encrypt_file(plain, tmp_path / "safe.db", PASSWORD)
    copy = shutil.copy(safe, tmp_path / "backup.db")
    change_password(safe, PASSWORD, "new words' here")
    with pytest.raises(ValueError, match="wrong password"):
        open_encrypted(safe, PASSWORD)
    for path, password in ((safe, "new words' here"), (copy, PASSWORD)):
        with closing(open_encrypted(path, password)) as base:
            assert base.execute("SELECT count(*) FROM members").fetchone()[0] > 100


def test_files_that_cannot_be_encrypted(plain, tmp_path):
    with pytest.raises(FileNotFoundError):
        encrypt_file(tmp_path / "no.db", tmp_path / "safe.db", PASSWORD)
    with pytest.raises(ValueError, match="another path"):
        encrypt_file(plain, plain, PASSWORD)
    with pytest.raises(ValueError, match="empty"):
        encrypt_file(plain, tmp_path / "safe.db", "")
    (tmp_path / "list.db").write_text("phone, city\n" * 400, encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be copied"):
        encrypt_file(tmp_path / "list.db", tmp_path / "safe.db", PASSWORD)
    assert not (tmp_path / "safe.db").exists()
    for nothing in ([], "174", [""]):
        with pytest.raises(ValueError, match="list of texts"):
            steal_files(tmp_path, nothing)


# -------------------------------------------------------------------------------------------------------------- fields
@pytest.fixture(scope="module")
def keys():
    return {"k1": derive_key(bytes(32), "field")}


@pytest.fixture(scope="module")
def sealed(members, keys):
    return members.assign(phone=seal_column(members, "phone", keys, "member_id", "members"))


def test_a_sealed_column_comes_back_and_shows_nothing(members, sealed, keys):
    assert open_column(sealed, "phone", keys, "member_id", "members").tolist() == members["phone"].tolist()
    there = members["phone"].notna()
    assert sealed["phone"].notna().equals(there)
    assert sealed["phone"][there].str[:19].is_unique  # the nonce: used twice under one key, it gives the texts away
    assert seal_value("a", keys, "x") != seal_value("a", keys, "x")
    assert not any(phone[3:] in token for phone, token in zip(members["phone"], sealed["phone"], strict=True) if phone)


def test_a_swapped_cell_is_refused_and_so_is_a_changed_one(sealed, keys):
    rows = sealed[sealed["phone"].notna()].head(2).copy()
    swapped = rows.assign(phone=rows["phone"].tolist()[::-1])
    with pytest.raises(ValueError, match="belongs to another place"):
        open_column(swapped, "phone", keys, "member_id", "members")
    token = rows["phone"].iloc[0]
    place = f"members|phone|{rows['member_id'].iloc[0]}"
    assert open_value(token, keys, place)
    for bad in (token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"), "k1.", "k1.short", token.replace("k1.", "k2.")):
        with pytest.raises(ValueError, match="refused"):
            open_value(bad, keys | {"k2": keys["k1"]}, place)
    with pytest.raises(ValueError, match="refused"):
        open_value(token, keys, place.replace("phone", "email"))


def test_the_index_finds_without_opening_all(members, sealed, keys):
    index = blind_index(members["phone"], derive_key(bytes(32), "index"))
    shared = members["phone"].value_counts().idxmax()
    wanted = blind_index(pd.Series([shared]), derive_key(bytes(32), "index"))[0]
    hits = sealed[index == wanted]
    assert len(hits) == (members["phone"] == shared).sum() > 1
    assert set(open_column(hits, "phone", keys, "member_id", "members")) == {shared}
    assert index.isna().equals(members["phone"].isna())
    short = blind_index(members["phone"], derive_key(bytes(32), "index"), length=4)
    assert short.nunique() <= index.nunique() == members["phone"].nunique()


def test_a_hash_without_key_is_guessed_and_an_index_with_key_is_not():
    phones = pd.Series([str(number) for number in range(17400000100, 17400000110)])
    candidates = range(17400000000, 17400001000)
    import hashlib

    plain = phones.map(lambda text: hashlib.sha256(text.encode()).hexdigest())
    assert guess_pseudonyms(plain, candidates)["share"] == 1.0
    assert guess_pseudonyms(blind_index(phones, new_key()), candidates)["share"] == 0.0


def test_equal_ciphertexts_show_the_cities_and_random_ones_do_not(members):
    cities = members.assign(city=members["city"].str.removesuffix("市"))[["member_id", "city"]]
    known = cities["city"].iloc[::2].value_counts()  # what the thief has is another list of the same market
    key = derive_key(bytes(32), "city")
    cities = cities.iloc[1::2]
    index = blind_index(cities["city"], key)
    guessed = frequency_attack(index, known)
    truth = dict(zip(index, cities["city"], strict=True))
    right = [truth[token] == guess for token, guess in zip(guessed["token"], guessed["guess"], strict=True)]
    assert all(right[:2]) and guessed["records"][right].sum() / len(cities) > 0.3
    hidden = seal_column(cities, "city", {"k1": key}, "member_id", "members")
    assert frequency_attack(hidden, known).empty


def test_what_keys_and_rows_have_to_be(members, keys):
    twice = pd.concat([members.head(1)] * 2)
    with pytest.raises(ValueError, match="once"):
        seal_column(twice, "phone", keys, "member_id", "members")
    with pytest.raises(ValueError, match="no key for 'M"):
        seal_column(members.head(3), "phone", keys, "member_id", "members", key_of="member_id")
    with pytest.raises(ValueError, match="32 bytes"):
        check_key("text", "k1")
    with pytest.raises(ValueError, match="32 bytes"):
        derive_key(b"short", "x")
    with pytest.raises(ValueError, match="no key to seal"):
        seal_value("a", {}, "x")
    with pytest.raises(ValueError, match="no point"):
        seal_value("a", {"k.1": bytes(32)}, "x")
    for length in (3, 65):
        with pytest.raises(ValueError, match="4 to 64"):
            blind_index(members["phone"], bytes(32), length=length)
    assert seal_value(None, keys, "x") is None and open_value(None, keys, "x") is None


# ---------------------------------------------------------------------------------------------------------------- keys
def test_a_lost_key_loses_what_was_sealed_with_it(members, sealed, keys):
    late = members.tail(100)
    both = keys | {"k2": new_key()}
    mixed = pd.concat([sealed.iloc[:-100], late.assign(phone=seal_column(late, "phone", both, "member_id", "members"))])
    there = members["phone"].notna()
    found = readable(mixed, ["phone"], keys, "member_id", "members").set_index("key")
    assert found.loc["k1", ["read", "lost"]].tolist() == [there.iloc[:-100].sum(), 0]
    assert found.loc["k2", ["read", "lost"]].tolist() == [0, there.iloc[-100:].sum()]
    wrong = readable(mixed.head(50), ["phone"], {"k1": new_key()}, "member_id", "members")
    assert wrong["refused"].tolist() == wrong["values"].tolist()
    with pytest.raises(KeyError, match="'k2' is not there"):
        open_column(mixed, "phone", keys, "member_id", "members")


def test_rotation_reads_all_the_while_and_ends_without_the_old_key(members, sealed, keys):
    ring = keys | {"k2": new_key()}
    table, left, steps = sealed, 1, 0
    while left:
        table, left = rotate_column(table, "phone", ring, "member_id", "members", limit=1000)
        steps += 1
        assert open_column(table, "phone", ring, "member_id", "members").tolist() == members["phone"].tolist()
    assert steps == int(np.ceil(members["phone"].notna().sum() / 1000))
    only = {"k2": ring["k2"]}
    assert open_column(table, "phone", only, "member_id", "members").tolist() == members["phone"].tolist()
    assert sealed["phone"].dropna().str.startswith("k1.").all()


def test_an_erased_key_erases_the_person_in_the_backup_too(members, tmp_path):
    few = members[members["phone"].notna()].head(5)
    ring = person_keys(few["member_id"])
    table = few.assign(phone=seal_column(few, "phone", ring, "member_id", "members", key_of="member_id"))
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        table.to_sql("members", backup, index=False)
        old = pd.read_sql("SELECT * FROM members", backup)
    person = few["member_id"].iloc[2]
    left = shred_key(ring, person)
    fate = readable(old, ["phone"], left, "member_id", "members").set_index("key")
    assert fate.loc[person, "lost"] == 1 and fate["read"].sum() == 4
    assert readable(old, ["phone"], ring, "member_id", "members")["read"].sum() == 5  # a backup of the keys undoes it
    with pytest.raises(KeyError, match="erased before"):
        shred_key(left, person)


@pytest.mark.parametrize(("need", "parts"), [(2, 2), (2, 3), (3, 5)])
def test_enough_parts_give_the_key_and_fewer_do_not(need, parts):
    key = new_key()
    shares = share_key(key, need, parts)
    assert join_shares(shares[-need:]) == join_shares(shares) == key
    assert not any(key.hex() in share for share in shares)
    with pytest.raises(ValueError, match=f"{need} different parts"):
        join_shares([shares[0]] * need)


def test_a_part_that_was_copied_wrongly_is_noticed():
    first, second = share_key(bytes(32), 2, 2)
    for bad, says in (
        (second[:-10] + ("1" if second[-10] != "1" else "2") + second[-9:], "not as it was handed out"),
        ("2-2-zz-1", "form"),
        (share_key(new_key(), 2, 2)[1], "different keys"),
    ):
        with pytest.raises(ValueError, match=says):
            join_shares([first, bad])
    for numbers in ((1, 2), (3, 2)):
        with pytest.raises(ValueError, match="need is 2"):
            share_key(bytes(32), *numbers)


# ------------------------------------------------------------------------------------------------------- second factor
@pytest.fixture(scope="module")
def users():
    return [f"E{number:02}" for number in range(1, 31)]


def test_common_passwords_fall_in_spite_of_the_salt(users):
    accounts = make_accounts(users, weak=0.4)
    broken = guess_passwords(accounts)
    assert broken["password"].notna().sum() == 12 and accounts["hash"].is_unique
    assert set(broken["password"].dropna()) <= set(COMMON_PASSWORDS)
    assert guess_passwords(make_accounts(users, weak=0.0))["password"].isna().all()
    assert make_accounts(users, seed=2)["hash"].tolist() != accounts["hash"].tolist()
    assert make_accounts(users).equals(accounts)
    with pytest.raises(ValueError, match="share"):
        make_accounts(users, weak=1.2)


def test_stolen_passwords_open_accounts_without_and_not_with_a_second_factor(users):
    accounts = make_accounts(users, weak=1.0).head(10)
    stolen = guess_passwords(accounts).set_index("user")["password"]
    inside = {False: 0, True: 0}
    for row in accounts.to_dict("records"):
        for second in inside:
            account = enrol(row["user"], row["secret"]) if second else None
            inside[second] += log_in(row, account, stolen[row["user"]], "000000" if second else None, AT)[1]
    assert inside == {False: 10, True: 0}


def test_the_owner_gets_in_with_both_and_a_phisher_who_is_quick_too(users):
    row = make_accounts(users, weak=1.0).iloc[0].to_dict()
    password = guess_passwords(pd.DataFrame([row]))["password"][0]
    account = enrol(row["user"], row["secret"])
    code = code_at(row["secret"], AT)
    after, inside, why = log_in(row, account, password, code, AT)
    assert (inside, why) == (True, "right")
    assert log_in(row, after, password, code, AT + 10)[1:] == (False, "used before")
    assert log_in(row, account, password, code, AT + 20)[1] is True  # the limit: a code passed on at once
    assert log_in(row, account, password, code, AT + 300)[1:] == (False, "clock off by -10 steps")
    assert log_in(row, account, "wrong", code, AT)[1:] == (False, "password")


def test_codes_window_and_earlier_codes():
    account = enrol("E07", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    codes = {gap: code_at(account["secret"], AT + 30 * gap) for gap in range(-3, 4)}
    fine = {gap: verify_code(account, code, AT)[1] == "right" for gap, code in codes.items()}
    assert [gap for gap, right in fine.items() if right] == [-1, 0, 1]
    assert verify_code(account, codes[2], AT, window=2)[1] == "right"
    after, _ = verify_code(account, codes[0], AT)
    assert verify_code(after, codes[-1], AT)[1] == "used before"  # older than the one that was used
    assert verify_code(after, codes[1], AT)[1] == "right"
    assert [code_at(account["secret"], at) for at in (59, 1111111109)] == ["287082", "081804"]  # RFC 6238, appendix B


def test_five_failures_lock_for_a_quarter_of_an_hour():
    account = enrol("E07", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    right = code_at(account["secret"], AT + 10)
    wrong = "000000" if right != "000000" else "000001"
    for second in range(5):
        account, why = verify_code(account, wrong, AT + second)
        assert why == "wrong"
    assert verify_code(account, right, AT + 10)[1] == "locked"
    late = code_at(account["secret"], AT + 905)
    account, why = verify_code(account, late, AT + 905)
    assert why == "right" and account["failures"] == ()
    assert guess_chance(5) < 2e-5 < 0.5 < guess_chance(300_000)


def test_passwords_and_salts():
    assert check_password("short1") == "it is shorter than 12 characters"
    assert "list" in check_password("123456") and check_password("a long sentence of mine") == ""
    with pytest.raises(ValueError, match="16 bytes"):
        hash_password("x", b"short")
    assert new_salt() != new_salt()
    assert enrol("a")["secret"] != enrol("a")["secret"]
