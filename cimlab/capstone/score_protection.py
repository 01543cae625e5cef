"""Part A, the protection: roles under attack, consent at a day, an erasure searched for, a backup restored."""

import re
import sqlite3
import tempfile
from pathlib import Path

import pandas as pd

from cimlab._sqlite import open_read_only, quote
from cimlab.analysis.columns import need
from cimlab.capstone.bands import judge
from cimlab.capstone.score_database import owner_of_customers
from cimlab.collection import consent_of_customers, consent_state
from cimlab.database import restore
from cimlab.security import attack_queries, check_erased, find_person, table_sums, view_name

_NAN = float("nan")


def score_access(opened, rights, file, table="customer_file"):
    """Judge what each role gets to see: attack it, read all it can read, and try what it needs.

    Three kinds of tests: a column that the role may not read (right "masked" or "none") stays unseen, in whatever table
    or view the role reads; no attack of `attack_queries` brings out a secret or changes a row; a column that the role
    needs (right "read") can be read.

    Parameters
    ----------
    opened : dict of str to (sqlite3.Connection, str or pathlib.Path)
        Role → what it is given: a connection (fresh; see `security.open_as`), or the file of a copy, opened to be read.
    rights : pandas.DataFrame
        role, column, right ("read", "masked", "none"): what was asked for.
    file : pandas.DataFrame
        The customer file in clear. Values of five characters or fewer are no secrets that could be recognised.
    table : str
        What it is called in the base.

    Returns
    -------
    pandas.DataFrame
        One row of the report. If a secret came out, at most 2 points, however many tests there are.

    Raises
    ------
    ValueError
        A column or a right is not known.

    Examples
    --------
    >>> from contextlib import closing
    >>> file = pd.DataFrame({"customer_id": ["K000001"], "city": ["上海"], "phone": ["+8617400000001"]})
    >>> rights = pd.DataFrame({"role": "analyst", "column": ["city", "phone"], "right": ["read", "none"]})
    >>> with closing(sqlite3.connect(":memory:")) as door:
    ...     _ = file.to_sql("customer_file", door, index=False)
    ...     row = score_access({"analyst": door}, rights, file)
    >>> row["points"].item(), row["sentence"].item().split(";")[0]
    (0, 'analyst: phone can be read')
    """
    rights = need(rights, ["role", "column", "right"], "table of rights")
    need(file, sorted(set(rights["column"])), "customer file")
    odd = sorted(set(rights["right"]) - {"read", "masked", "none"})
    if odd:
        raise ValueError(f"a right is read, masked or none, not {', '.join(map(repr, odd))}")
    tests = []
    for role, mine in rights.groupby("role", sort=True):
        given = opened.get(role)
        if given is None:
            tests += [(role, "missing", "nothing was handed in for this role", False)] * len(mine)
            continue
        try:
            door = given if isinstance(given, sqlite3.Connection) else open_read_only(given)
        except (sqlite3.Error, OSError, TypeError) as error:
            tests += [(role, "missing", f"it cannot be opened ({error})", False)] * len(mine)
            continue
        try:
            tests += [(role, *test) for test in _test_role(door, role, mine, file, table)]
        finally:
            if door is not given:
                door.close()
    found = pd.DataFrame(tests, columns=["role", "kind", "what", "held"])
    failed = found[~found["held"]]
    faults = list(dict.fromkeys(failed["role"] + ": " + failed["what"]))
    says = f"{'; '.join(faults[:3])}{' …' if len(faults) > 3 else ''}. " if faults else ""
    says += f"{int(found['held'].sum())} of {len(found)} tests held, of {found['role'].nunique()} roles."
    leak = failed["kind"].isin(["secret", "attack"]).any()
    return judge("access", float(found["held"].mean()), says, at_most=2 if leak else None)


def _test_role(door, role, rights, file, table):
    """Return (kind, what, held) of each test of one role."""
    secret = rights.loc[rights["right"] != "read", "column"].tolist()
    needed = rights.loc[rights["right"] == "read", "column"].tolist()
    open_values = {_bare(value) for column in needed for value in file[column].dropna().map(_text)}
    secrets = {column: _secrets(file[column]) - open_values for column in secret}
    tests = []
    contents = _contents(door, role, table)
    cells = {_bare(value) for frame in contents.values() for column in frame for value in frame[column]}
    for column, values in secrets.items():
        tests.append(("secret", f"{column} can be read", not (cells & values)))
    for column in needed:
        shown = [set(frame[column]) - {""} for frame in contents.values() if column in frame]
        true = set(file[column].dropna().map(_text))
        held = any(values and values <= true for values in shown) or not true
        tests.append(("needed", f"{column}, which it needs, cannot be read", held))
    every = set().union(*secrets.values())
    for attack, sql in _attacks(role, table, secret, needed):
        tests.append(("attack", f"the attack “{attack}” got through", not _gets_through(door, sql, every)))
    return tests


def _attacks(role, table, secret, needed):
    """Return the attacks of the security chapter, in the columns of this table."""
    wanted = secret[0] if secret else "customer_id"
    attacks = attack_queries(role, table, wanted)
    sql = attacks["sql"].str.replace("store_id = 'ST99'", "city = 'ST99'", regex=False)
    sql = sql.str.replace("SELECT store_id", f"SELECT {needed[0] if needed else 'customer_id'}", regex=False)
    own = [("all columns", f"SELECT * FROM {table}"), ("all columns, by main", f"SELECT * FROM main.{table}")]
    return [*zip(attacks["attack"], sql, strict=True), *own]


def _gets_through(door, sql, secrets):
    before = door.total_changes
    try:
        found = door.execute(sql).fetchall()
        return door.total_changes > before or any(_bare(_text(value)) in secrets for row in found for value in row)
    except (sqlite3.Error, sqlite3.Warning):
        return False
    finally:
        door.rollback()


def _contents(door, role, table):
    """Return all that the role can read: table or view → its cells as text."""
    try:
        listed = door.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        listed += door.execute("SELECT name FROM sqlite_temp_master WHERE type IN ('table', 'view')").fetchall()
    except sqlite3.Error:
        listed = []
    contents = {}
    for name in dict.fromkeys([name for (name,) in listed] + [view_name(table, role), table]):
        try:
            cursor = door.execute(f"SELECT * FROM {quote(name)}")
            rows = [[_text(value) for value in row] for row in cursor.fetchall()]
        except sqlite3.Error:
            continue
        contents[name] = pd.DataFrame(rows, columns=[each[0] for each in cursor.description])
    return contents


def score_consent(stated, consents, sources, entity_map, at):
    """Judge the state of consent of each person at a moment, for each purpose in the ledger.

    A person who withdraws on one record has withdrawn: a base that has not linked it goes on writing to him.

    Parameters
    ----------
    stated : pandas.DataFrame
        customer_id, purpose, state ("given", "withdrawn", "never given").
    consents : pandas.DataFrame
        The table ``consents``.
    sources : pandas.DataFrame
        record_id, customer_id.
    entity_map : pandas.DataFrame
        record_id, person_id: the truth. Judged are the persons with an entry in the ledger.
    at : str or pandas.Timestamp
        What was recorded at or after it does not count yet.

    Returns
    -------
    pandas.DataFrame
        One row of the report. A person whom no customer is (see `owner_of_customers`) has no right state.

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_ref": ["M1", "W1", "M2"], "purpose": "marketing", "method": "till",
    ...     "action": ["given", "withdrawn", "given"], "notice_version": "v1",
    ...     "recorded_at": pd.to_datetime(["2025-01-01", "2025-02-01", "2025-03-01"])})
    >>> truth = pd.DataFrame({"record_id": ["M1", "W1", "M2"], "person_id": ["N1", "N1", "N2"]})
    >>> mine = pd.DataFrame({"customer_id": ["K1", "K2"], "purpose": "marketing", "state": "given"})
    >>> score_consent(mine, ledger, truth.assign(customer_id=["K1", "K3", "K2"]), truth, "2026-07-01")["value"].item()
    0.5
    """
    person = need(entity_map, ["record_id", "person_id"], "entity map").dropna().set_index("record_id")["person_id"]
    listed = consents.loc[consents["customer_ref"].isin(person.index), "customer_ref"].unique()
    state = consent_state(consents, at, listed, sorted(set(consents["purpose"])))
    want = {purpose: consent_of_customers(part, person) for purpose, part in state.groupby("purpose")}
    want = pd.concat(want, names=["purpose", "person_id"])
    mine = need(stated, ["customer_id", "purpose", "state"], "table of consent").dropna(subset="customer_id")
    mine["person_id"] = mine["customer_id"].map(owner_of_customers(sources, entity_map))
    mine = mine.dropna().drop_duplicates(["purpose", "person_id"], keep=False)
    mine = mine.set_index(["purpose", "person_id"])["state"].reindex(want.index).astype("str")
    right = float((mine == want).mean()) if len(want) else _NAN
    danger = int(((mine == "given") & (want != "given")).sum())
    says = f"{right:.1%} of {len(want)} states are right; {danger} times you say “given” where it is not, and would "
    says += f"write to somebody who did not allow it. {int(mine.isna().sum())} are missing, or of nobody known."
    return judge("consent", right, says)


def known_by(person_id, persons, records, entity_map):
    """Return by what a person can be recognised, and nobody else: phone, e-mail, identity number.

    Parameters
    ----------
    person_id : str
    persons : pandas.DataFrame
        The truth: person_id, phone, former_phone, email, id_number.
    records : pandas.DataFrame
        record_id, phone, email, id_number, standardised.
    entity_map : pandas.DataFrame
        record_id, person_id.

    Returns
    -------
    list of str
        For `score_erasure`; what a record or a person shares with another one, such as the phone of a family, is left
        out.

    Examples
    --------
    >>> persons = pd.DataFrame({"person_id": ["N1", "N2"], "phone": ["17400000001"] * 2, "former_phone": None,
    ...     "email": ["a@example.com", None], "id_number": None})
    >>> records = pd.DataFrame({"record_id": ["r1"], "phone": ["+8617400000001"], "email": None, "id_number": None})
    >>> known_by("N1", persons, records, pd.DataFrame({"record_id": ["r1"], "person_id": ["N1"]}))
    ['a@example.com']
    """
    columns = ["phone", "former_phone", "email", "id_number"]
    truth = need(persons, ["person_id", *columns], "table of persons").melt("person_id").dropna()
    held = need(records, ["record_id", "phone", "email", "id_number"], "table of records").melt("record_id").dropna()
    held["person_id"] = held["record_id"].map(entity_map.set_index("record_id")["person_id"]).fillna("?")
    both = pd.concat([truth, held])[["person_id", "value"]]
    both["value"] = both["value"].astype("str").str.removeprefix("+86")
    own = both[both["value"].str.len() > 5].groupby("value")["person_id"].agg(["nunique", "first"])
    return own.index[(own["nunique"] == 1) & (own["first"] == person_id)].tolist()


def score_erasure(before, after, who, person, also, files=()):
    """Judge an erasure: search every table, extract and file for the person, and count what others lost.

    Parameters
    ----------
    before, after : dict of str to pandas.DataFrame
        All tables and extracts that held the person, before and after.
    who : dict of str to list
        The map of `security.find_person` for the tables of `before`: table → columns with record ids or customer ids. A
        table that is not in it may lose no row.
    person : list of str
        The record ids, and the customer id, of the person.
    also : list of str
        By what else he is known (see `known_by`).
    files : iterable of (str or pathlib.Path)
        Files to search byte by byte: the base, its backups. SQLite leaves deleted rows there until ``VACUUM``.

    Returns
    -------
    pandas.DataFrame
        One row of the report.

    Examples
    --------
    >>> before = {"members": pd.DataFrame({"member_id": ["M1", "M2", "M3"]}), "list": pd.DataFrame({"id": ["M1"]})}
    >>> after = {"members": pd.DataFrame({"member_id": ["M3"]}), "list": before["list"]}
    >>> row = score_erasure(before, after, {"members": ["member_id"]}, ["M1"], [])
    >>> row["value"].item(), row["sentence"].item()[:53]
    (2.0, '1 place still holds the person: list; 1 row of others')
    """
    finds = check_erased(after, {}, list(person), list(also))
    places = finds.drop_duplicates(["table", "row"])["table"].tolist()
    texts = [text.encode("utf-8") for text in [*person, *also]]
    for path in files:
        content = Path(path).read_bytes() if Path(path).is_file() else b""
        places += [f"the bytes of {Path(path).name}"] * any(text in content for text in texts)
    mine = find_person(before, who, list(person)) if who else {}
    lost = {}
    for name, table in before.items():
        left = len(after[name]) if name in after else 0
        lost[name] = max(0, len(table) - len(mine.get(name, ())) - left)
    gone = sum(lost.values())
    told = f": {', '.join(dict.fromkeys(places))}" if places else ""
    says = f"{len(places)} place{'s hold' if len(places) != 1 else ' still holds'} the person{told}; "
    says += f"{gone} row{'s' * (gone != 1)} of others {'are' if gone != 1 else 'is'} lost"
    says += f" ({max(lost, key=lost.get)})." if gone else "."
    return judge("erasure", len(places) + gone, says)


def score_backup(base, backup, proof):
    """Judge a backup: restore it into another place, and compare table by table.

    Parameters
    ----------
    base : str or pathlib.Path
        The SQLite base as handed in.
    backup : str or pathlib.Path
        The SQLite file of the backup.
    proof : pandas.DataFrame
        What the student counted in the restored base: table, rows.

    Returns
    -------
    pandas.DataFrame
        One row of the report. Each table of the base is tested twice: it comes back with the same rows and contents,
        and the proof counts its rows rightly.

    Examples
    --------
    >>> score_backup("base.db", "base.db", pd.DataFrame({"table": [], "rows": []}))["sentence"].item()[:44]
    'The backup is the base itself: one disk that'
    """
    base, backup = Path(base), Path(backup)
    if base.resolve() == backup.resolve():
        return judge("restore", _NAN, "The backup is the base itself: one disk that dies takes both.")
    if not base.is_file() or not backup.is_file():
        return judge("restore", _NAN, f"There is no {'backup' if base.is_file() else 'base'} to restore.")
    try:
        with tempfile.TemporaryDirectory() as folder:
            now, then = table_sums(base), table_sums(restore(backup, Path(folder, "restored.db")))
    except ValueError as error:
        return judge("restore", 0.0, f"The backup cannot be restored: {error}.")
    if now is None:
        return judge("restore", _NAN, "The base has no table.")
    now, then = (_by_table(sums) for sums in (now, then))
    counted = need(proof, ["table", "rows"], "proof").drop_duplicates("table").set_index("table")["rows"]
    same = {name: now[name] == then.get(name) for name in now}
    proved = {name: counted.get(name, -1) == now[name][0] for name in now}
    faults = [f"{name} comes back with {then.get(name, (0,))[0]} rows, or others" for name in now if not same[name]]
    faults += [f"the proof does not count {now[name][0]} rows of {name}" for name in now if not proved[name]]
    says = f"{sum(same.values())} of {len(now)} tables come back as they are, {sum(proved.values())} are proved."
    says += f" Not so: {'; '.join(faults[:2])}." if faults else ""
    return judge("restore", (sum(same.values()) + sum(proved.values())) / (2 * len(now)), says)


def _by_table(sums):
    """Return table → (rows, hash)."""
    return {} if sums is None else {name: (rows, sha) for name, rows, sha in sums.itertuples(index=False)}


def _text(value):
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    return value.strftime("%Y-%m-%d") if isinstance(value, pd.Timestamp) else str(value)


def _bare(text):
    """Return a text as an attacker reads it: without signs, a phone without its country."""
    return re.sub(r"[\s\-]", "", text).removeprefix("+86").lower()


def _secrets(values):
    """Return the values of a column that can be recognised when they turn up."""
    bare = {_bare(text) for text in values.dropna().map(_text)}
    return {text for text in bare if len(text) > 5}
