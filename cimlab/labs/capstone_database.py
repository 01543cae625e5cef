"""The capstone, part A: the places and scenes of the notebook, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there; the functions that they
need to read an answer stand at the end of this file.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence. It
looks at the form: the contents are judged after submission, in the bands of the paper.
"""

import json
import re
import shutil
import sqlite3
import sys
from contextlib import closing
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

import cimlab
from cimlab import capstone, checks, database, security
from cimlab._sqlite import open_read_only, quote, table_columns
from cimlab.collection.consent import PURPOSES, STATES
from cimlab.database.schema import CHANNELS

FIELDS = capstone.FIELDS
DATABASES = ["sqlite", "postgres"]

# What each table of the base has at least; more tables and columns are welcome.
TABLES = {
    "customer_file": ["customer_id", *FIELDS, "updated_on"],
    "customer_source": ["record_id", "source", "customer_id"],
    "transactions": ["order_id", "customer_id", "channel", "ordered_at", "amount"],
    "consent_state": ["customer_id", "purpose", "state"],
    "lineage": ["customer_id", "field", "record_id"],
    "quality_report": ["stage", "field", "completeness", "validity", "uniqueness"],
}

# Who needs what for his work. "masked": a part of the value may be shown, never all of it.
_RIGHTS = {
    "analyst": {"customer_id": "read", "gender": "read", "city": "read", "birth_date": "masked", "name": "none",
                "phone": "none", "email": "none", "address": "none", "id_number": "none"},
    "service": {"customer_id": "read", "name": "read", "phone": "read", "city": "read", "email": "masked",
                "birth_date": "none", "address": "none", "id_number": "none"},
    "dispatch": {"customer_id": "read", "name": "read", "city": "read", "address": "read", "phone": "masked",
                 "email": "none", "birth_date": "none", "id_number": "none"},
}  # fmt: skip
RIGHTS = pd.DataFrame(
    [(role, column, right) for role, columns in _RIGHTS.items() for column, right in columns.items()],
    columns=["role", "column", "right"],
)


# ----------------------------------------------------------------------------------------------------------- the scene
def workplace(folder="capstone_files"):
    """Return the folder for the base and all that is made of it, beside the notebook; it is made where it is not there.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     workplace(Path(place, "capstone_files")).is_dir()
    True
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_base(build, folder):
    """Let the student's function make the base in a new SQLite file.

    Parameters
    ----------
    build : callable
        Takes the address of an empty database: the path of a SQLite file, or the URL of PostgreSQL.
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
        base.db in the folder; there is no such file if the function made none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     make_base(database.create_database, Path(place)).name
    'base.db'
    """
    path = Path(folder, "base.db")
    try:
        path.unlink(missing_ok=True)
    except PermissionError as error:
        raise PermissionError(f"{path} is open in another program or cell: close it and run the cell again") from error
    build(str(path))
    return path


_SERVERS = []  # at most one; it stops when the program ends


def fill_server(build, base, kind):
    """Let the same function make the same base in a PostgreSQL server on this machine, and compare the two.

    Parameters
    ----------
    build : callable
        As for `make_base`.
    base : pathlib.Path
        What `make_base` returned.
    kind : str
        "postgres"; with "sqlite" nothing is done.

    Returns
    -------
    str
        What came out, as a sentence: also where there is no PostgreSQL.

    Examples
    --------
    >>> fill_server(None, capstone.checkpoint("base"), "sqlite")
    'The base stands in SQLite: base.db.'
    """
    if kind not in DATABASES:
        return f"DATABASE is {kind!r}; it can be {' or '.join(map(repr, DATABASES))}. The base stands in SQLite."
    if not base.is_file():
        return "There is no base yet: `build` made no file."
    if kind == "sqlite":
        return f"The base stands in SQLite: {base.name}."
    if reason := security.missing_postgres():
        return f"There is no PostgreSQL here, so that the base stands in SQLite only ({reason})."
    while _SERVERS:
        security.stop_postgres(_SERVERS.pop())
    _SERVERS.append(security.start_postgres())
    engine = security.connect_postgres(_SERVERS[0])
    build(engine.url.render_as_string(hide_password=False))
    compared = compare_bases(base, engine)
    other = compared.loc[~compared["equal"], "table"].tolist()
    if other or compared.empty:
        return (
            f"PostgreSQL and SQLite do not hold the same: look at {', '.join(other) or 'the tables, there are none'}."
        )
    where = f"{len(compared)} tables with {compared['rows'].sum():,} rows"
    return f"PostgreSQL ({_SERVERS[0].host}:{_SERVERS[0].port}) and SQLite ({base.name}) hold the same: {where}."


def compare_bases(base, engine):
    """Compare a SQLite base with one in another database, table by table, whatever types each has for a day or a text.

    Parameters
    ----------
    base : str or pathlib.Path
    engine : sqlalchemy.Engine
        Of the other base.

    Returns
    -------
    pandas.DataFrame
        table, rows (in SQLite), equal (bool): one row per table of either base.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     engine = database.create_database(Path(place, "base.db"))
    ...     compare_bases(Path(place, "base.db"), engine)["equal"].all().item()
    True
    """
    from sqlalchemy import inspect, text

    names = inspect(engine).get_table_names()
    mine, theirs = read_tables(base), {}
    with engine.connect() as connection:
        for name in names:
            theirs[name] = pd.read_sql(text(f"SELECT * FROM {quote(name)}"), connection)
    rows = [
        (name, len(mine.get(name, ())), name in mine and name in theirs and _lines(mine[name]) == _lines(theirs[name]))
        for name in sorted({*mine, *theirs})
    ]
    return pd.DataFrame(rows, columns=["table", "rows", "equal"])


def _lines(frame):
    """Return the rows of a table as sorted texts, with the columns in the order of their names."""
    columns = [[_cell(value) for value in frame[column]] for column in sorted(frame.columns)]
    return sorted(frame.columns), sorted(zip(*columns, strict=True))


def _cell(value):
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    return re.sub(r"(\.0+)?$", "", str(value)) if re.match(r"\d{4}-\d\d-\d\d \d", str(value)) else str(value)


def read_tables(base):
    """Read all tables of a SQLite base as they are.

    Parameters
    ----------
    base : str or pathlib.Path

    Returns
    -------
    dict of str to pandas.DataFrame
        Empty if there is no such file.

    Examples
    --------
    >>> read_tables("no_such_base.db")
    {}
    """
    if not Path(base).is_file():
        return {}
    with closing(open_read_only(base)) as door:
        return {name: pd.read_sql(f"SELECT * FROM {quote(name)}", door) for name in table_columns(door)}


def _columns(base):
    """Return the columns of each table of a SQLite base; empty if there is no such file."""
    if not Path(base).is_file():
        return {}
    with closing(open_read_only(base)) as door:
        return table_columns(door)


def receive_request(base, folder):
    """Play the morning on which somebody asks to be erased: the base at work, last night's backup, an extract.

    Each call begins again, from `base`, which itself stays as it is.

    Parameters
    ----------
    base : pathlib.Path
        The finished base.
    folder : pathlib.Path

    Returns
    -------
    types.SimpleNamespace
        record_id, name, phone (what the person says of herself: the number of a card, the name and phone on it), and
        the paths: base (a copy, at work), backup (of last night), extract (JSON: what the letter shop got of it).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     receive_request(capstone.checkpoint("base"), Path(place)).extract.name
    'letters.json'
    """
    live = Path(folder, "live")
    shutil.rmtree(live, ignore_errors=True)
    live.mkdir(parents=True, exist_ok=True)
    request = SimpleNamespace(**pick_person(), base=live / "base.db", backup=live / "last_night.db",
                              extract=live / "letters.json")  # fmt: skip
    if Path(base).is_file():
        for copy in (request.base, request.backup):
            shutil.copyfile(base, copy)
    letters = _letters(read_tables(base), request)
    request.extract.write_text(json.dumps(letters, ensure_ascii=False, indent=1), encoding="utf-8")
    return request


def _letters(tables, request):
    """Return what the letter shop got: whoever allows marketing, the person, and a note at somebody else's address."""
    if not {"customer_file", "customer_source", "consent_state"} <= set(tables):
        return []
    file, sources, state = (tables[name] for name in ("customer_file", "customer_source", "consent_state"))
    persons = sources.loc[sources["record_id"].isin(person_records(request.record_id)), "customer_id"]
    allowed = state.loc[(state["purpose"] == "marketing") & (state["state"] == "given"), "customer_id"]
    rows = file[file["customer_id"].isin({*allowed, *persons})].sort_values("customer_id")
    rows = rows[["customer_id", "name", "phone", "address", "city"]].assign(note="")
    host = rows.index[~rows["customer_id"].isin(persons)][:1]
    digits = request.phone[-11:]
    rows.loc[host, "note"] = f"takes parcels in for a neighbour, ring {digits[:3]} {digits[3:7]} {digits[7:]}"
    return rows.astype(object).where(rows.notna(), None).to_dict("records")


def pick_person():
    """Return who asks: somebody of the clerks' sample with several records, whom any sound linkage finds.

    Returns
    -------
    dict
        record_id, name, phone.

    Examples
    --------
    >>> sorted(pick_person())
    ['name', 'phone', 'record_id']
    """
    records, links = capstone.checkpoint("records"), capstone.checkpoint("links")
    rows = records.merge(cimlab.load("reviewed"), on="record_id").merge(links, on="record_id")
    owners = records.merge(links, on="record_id").groupby("phone")["customer_id"].nunique()
    rows["own"] = rows["phone"].map(owners).eq(1)
    who = rows.groupby("person_no").agg(
        records=("record_id", "size"), sources=("source", "nunique"), phones=("phone", "nunique"),
        names=("name", "nunique"), customers=("customer_id", "nunique"), own=("own", "all"),
    )  # fmt: skip
    busy = set(cimlab.load("orders")["customer_ref"]) & set(cimlab.load("consents")["customer_ref"])
    who["busy"] = rows["record_id"].isin(busy).groupby(rows["person_no"]).any()
    sure = who[(who["phones"] == 1) & (who["names"] == 1) & (who["customers"] == 1) & who["own"] & who["busy"]]
    some = sure[(sure["records"] >= 3) & (sure["sources"] >= 2)]
    person = (some if len(some) else sure).sort_values("records", ascending=False).index[0]
    card = rows[(rows["person_no"] == person) & rows["name"].notna()].sort_values(["source", "record_id"]).iloc[0]
    till = rows[(rows["person_no"] == person) & (rows["source"] == "till")].sort_values("record_id")
    return dict((till.iloc[0] if len(till) else card)[["record_id", "name", "phone"]])


def person_records(record_id):
    """Return all records of a person of the clerks' sample, of whom one record is known.

    Parameters
    ----------
    record_id : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> len(person_records(pick_person()["record_id"])) >= 3
    True
    """
    sample = cimlab.load("reviewed").set_index("record_id")["person_no"]
    return sample.index[sample == sample[record_id]].tolist()


# ----------------------------------------------------------------------------------------------------- visible checks
def check_records(names):
    """Question A1: all records are there, written in one way, and each repair can be followed."""
    _written(names, "records", "clean_records")
    records = _table(names, "records", ["record_id", "source", *FIELDS, "updated_at"], key="record_id")
    raw = typed()
    lost = sorted(set(raw["record_id"]) - set(records["record_id"]))
    checks.require(
        not lost,
        f"{len(lost):,} of {len(raw):,} records of the three channels are not in `records`, for example "
        f"{lost[0] if lost else ''}: repair or blank values, but leave no record out. Two records of one person are "
        "linked in the next question, not dropped here.",
    )
    forms = {"phone": r"\+\d{7,15}", "gender": "F|M", "email": r"[^@\s]+@[^@\s]+\.[^@\s]+", "id_number": r"\d{17}[\dX]"}
    ways = {"phone": "+86 and digits", "gender": "F or M", "email": "with one @ and a dot", "id_number": "18 signs"}
    for field, form in forms.items():
        values = records[field].dropna().astype("str")
        odd = values[~values.str.fullmatch(form)]
        checks.require(
            len(odd) <= (0.05 if field == "id_number" else 0) * len(values),
            f"`records`, column `{field}`: {len(odd):,} values are not written in the one way ({ways[field]}), for "
            f"example {odd.iloc[0]!r}. `database.standardise_records` writes all fields in one way."
            if len(odd)
            else "",
        )
    born = records["birth_date"]
    checks.require(
        pd.api.types.is_datetime64_any_dtype(born),
        f"`records`, column `birth_date`: {_kind(born)} stand there; dates are needed (datetime64).",
    )
    often = born.value_counts()
    checks.require(
        often.empty or often.iloc[0] <= 0.01 * len(records),
        f"{often.iloc[0] if len(often) else 0:,} persons of `records` are born on "
        f"{often.index[0].date() if len(often) else ''}: that is a date that a program writes when nobody asks. Blank "
        "it (`database.repair_values`), and log it.",
    )
    repairs = _table(names, "repairs", ["record_id", "field", "old", "new", "reason"])
    checks.require(
        len(repairs) > 0,
        "`repairs` has no row: log what you changed, value by value. The functions `database.repair_…` return the log "
        "beside the records; put the logs under one another.",
    )
    alien = repairs.loc[~repairs["record_id"].isin(records["record_id"]), "record_id"]
    checks.require(alien.empty, f"`repairs` logs {len(alien)} changes of records that `records` does not have.")


def check_links(names):
    """Question A2: each record has one customer, and the clerks' sample says that they are persons."""
    links = _table(names, "links", ["record_id", "customer_id"], key="record_id")
    raw = typed()
    lost = sorted(set(raw["record_id"]) - set(links["record_id"]))
    checks.require(
        not lost,
        f"{len(lost):,} records have no customer in `links`, for example {lost[0] if lost else ''}: whom you link "
        "with nobody is a customer of one record.",
    )
    odd = links.loc[~links["customer_id"].astype("str").str.fullmatch(r"K\d{6}"), "customer_id"]
    checks.require(
        odd.empty,
        f"`links`: a customer number is K and six digits (K000001); {odd.iloc[0]!r} is none." if len(odd) else "",
    )
    largest = links["customer_id"].value_counts()
    checks.require(
        largest.iloc[0] <= 30,
        f"{largest.iloc[0]} records stand under {largest.index[0]}: no person has so many cards, accounts and calls. "
        "One wrong pair glues two persons together: raise the threshold, and give `cluster_pairs` the pairs that "
        "cannot be one person (`find_conflicts`).",
    )
    pairs = database.score_pairs(database.pairs_in_groups(links), cimlab.load("reviewed")).iloc[0]
    told = (
        f"you found {pairs['recall']:.0%} of the pairs, and {pairs['precision']:.0%} of yours are right "
        f"(F1 {pairs['f1']:.2f})"
        if pairs["found_pairs"]
        else "you put no two records together"
    )
    checks.require(
        pairs["f1"] >= 0.75,
        f"On the clerks' sample (`reviewed`) {told}: that carries nothing of what follows. "
        "Link on several fields with `database.link_records`, or go on from the checkpoint: "
        "`links = capstone.checkpoint('links')`. The sample holds a fifth of the persons, and this is a check of the "
        "form: the points come from all persons.",
    )


def check_customers(names):
    """Question A3: one row per customer, and for each value a record that it comes from."""
    customers = _table(names, "customers", ["customer_id", *FIELDS, "updated_on"], key="customer_id")
    links = checks.answer(names, "links", pd.DataFrame)
    nameless = customers["name"].isna() | customers["name"].astype("str").str.strip().eq("")
    checks.require(
        not nameless.any(),
        f"{int(nameless.sum())} rows of `customers` have no name: a customer without any name in all records is no row "
        "of the file (leave it out here and in `sources`).",
    )
    alien = sorted(set(customers["customer_id"]) - set(links["customer_id"]))
    checks.require(not alien, f"{len(alien)} rows of `customers` are no customers of `links`, for example {alien[:1]}.")
    sources = _table(names, "sources", ["record_id", "source", "customer_id"], key="record_id")
    odd = sorted(set(sources["source"].astype("str")) - set(CHANNELS))
    checks.require(not odd, f"`sources`, column `source`: {', '.join(CHANNELS)}, not {', '.join(odd[:3])}.")
    apart = set(sources["customer_id"]) ^ set(customers["customer_id"])
    checks.require(
        not apart,
        f"{len(apart)} customers stand in one of `customers` and `sources` only, for example {sorted(apart)[:1]}: the "
        "base refuses a source of a customer who is not in the file.",
    )
    lineage = _table(names, "lineage", ["customer_id", "field", "record_id"], key=["customer_id", "field"])
    filled = customers[["customer_id", *FIELDS]].astype("object").melt("customer_id", var_name="field").dropna()
    filled = set(zip(filled["customer_id"], filled["field"], strict=True))
    there = set(zip(lineage["customer_id"], lineage["field"], strict=True))
    missing = sorted(filled - there)
    checks.require(
        not missing,
        f"{len(missing):,} of {len(filled):,} values of `customers` have no row in `lineage`, for example "
        f"{missing[0] if missing else ''}.",
    )


def check_consent(names):
    """Question A4: one state per customer and purpose."""
    consent = _table(names, "consent", ["customer_id", "purpose", "state"], key=["customer_id", "purpose"])
    odd = sorted(set(consent["state"].astype("str")) - set(STATES))
    checks.require(not odd, f"`consent`, column `state`: the words are {', '.join(STATES)}, not {', '.join(odd[:3])}.")
    odd = sorted(set(consent["purpose"].astype("str")) ^ set(PURPOSES))
    checks.require(not odd, f"`consent`, column `purpose`: {', '.join(PURPOSES)}; look at {', '.join(odd[:3])}.")
    customers = checks.answer(names, "customers", pd.DataFrame)
    wanted = len(customers) * len(PURPOSES)
    checks.require(
        len(consent) == wanted and set(consent["customer_id"]) == set(customers["customer_id"]),
        f"`consent` has {len(consent):,} rows; {len(customers):,} customers and {len(PURPOSES)} purposes make "
        f"{wanted:,}. Who never gave consent has the state “never given”, not no row.",
    )
    checks.require(
        len(set(consent["state"])) > 1, f"Everybody's state is “{consent['state'].iloc[0]}”: read the ledger."
    )


def check_quality(names):
    """Question A5: 8 fields before and after, as shares."""
    figures = ["completeness", "validity", "uniqueness"]
    quality = _table(names, "quality", ["stage", "field", *figures], key=["stage", "field"])
    want = {(stage, field) for stage in ("before", "after") for field in FIELDS}
    there = set(zip(quality["stage"], quality["field"], strict=True))
    checks.require(
        there == want,
        f"`quality` has a row for each of the {len(FIELDS)} fields, “before” and “after”; look at "
        f"{sorted(map(str, there ^ want))[:1]}.",
    )
    for name in figures:
        values = pd.to_numeric(quality[name], errors="coerce")
        odd = quality.loc[~values.between(0, 1), name].tolist()
        checks.require(
            not odd, f"`quality`, column `{name}`: shares from 0 to 1 are asked for; there is {(odd or [None])[0]!r}."
        )
    records = names.get("records")
    before = quality[quality["stage"] == "before"].set_index("field")
    if isinstance(records, pd.DataFrame) and set(FIELDS) <= set(records):
        repaired = capstone.quality_figures(records, "before").set_index("field")
        as_typed = capstone.quality_figures(typed(), "before").set_index("field")
        wrong = before["validity"].sub(repaired["validity"]).abs().max() < 1e-6
        checks.require(
            not wrong or repaired["validity"].equals(as_typed["validity"]),
            "“before” is measured on `records`, which are repaired already; it is asked for `raw`, as typed.",
        )


def check_base(names):
    """Question A6: the tables are there, with their keys, and hold what was made before."""
    base = checks.answer(names, "base")
    tables = read_tables(base)
    checks.require(
        bool(tables), "There is no base yet: `build(address)` has to make the tables at `address` and fill them."
    )
    for table, columns in TABLES.items():
        checks.require(table in tables, f"The base has no table `{table}`; it has {', '.join(tables)}.")
        absent = [column for column in columns if column not in tables[table]]
        checks.require(not absent, f"The table `{table}` has no column {', '.join(absent)}.")
        checks.require(len(tables[table]) > 0, f"The table `{table}` has no row: fill it in `build`.")
    orders, bought = cimlab.load("orders"), len(tables["transactions"])
    checks.require(
        bought == len(orders),
        f"`transactions` has {bought:,} rows; there are {len(orders):,} orders. One without a card stays, with a "
        "missing `customer_id`; a join that makes more rows has found a customer twice.",
    )
    checks.require(
        tables["transactions"]["customer_id"].notna().mean() > 0.5,
        "Most of `transactions` have no customer: `customer_ref` of an order is a record_id; `sources` says whose.",
    )
    with closing(open_read_only(base)) as door:
        keyless = [name for name in TABLES if not any(row[5] for row in door.execute(f"PRAGMA table_info({name})"))]
        free = [name for name in list(TABLES)[1:5] if not door.execute(f"PRAGMA foreign_key_list({name})").fetchall()]
        broken = door.execute("PRAGMA foreign_key_check").fetchall()
    checks.require(
        not keyless,
        f"`{keyless[0] if keyless else ''}` has no primary key: `to_sql` makes a table without any rule. Make the "
        "tables first (`database.create_database`, CREATE TABLE), then append the rows.",
    )
    checks.require(not free, f"`{free[0] if free else ''}` does not refer to the customer file (REFERENCES).")
    checks.require(not broken, f"{len(broken)} rows refer to a row that is not there (PRAGMA foreign_key_check).")


def check_dictionary(names):
    """Question A7: each column of the base is there, with some words and a grade."""
    dictionary = _table(names, "dictionary", ["table", "column", "meaning", "personal_data"], key=["table", "column"])
    tables = _columns(checks.answer(names, "base"))
    checks.require(bool(tables), "There is no base yet: answer question A6 first.")
    there = {(name, column) for name, columns in tables.items() for column in columns}
    absent = sorted(there - set(zip(dictionary["table"], dictionary["column"], strict=True)))
    checks.require(
        not absent,
        f"{len(absent)} of {len(there)} columns of the base do not stand in `dictionary`, for example "
        f"{'.'.join(absent[0]) if absent else ''}.",
    )
    grades = " or ".join([", ".join(security.GRADES[:-1]), security.GRADES[-1]])
    for row in dictionary.itertuples(index=False):
        place = f"`dictionary`, the line of {row.table}.{row.column}:"
        checks.require(
            row.personal_data in security.GRADES,
            f"{place} `personal_data` is {row.personal_data!r}; the word is {grades}.",
        )
        checks.require(
            isinstance(row.meaning, str) and len(row.meaning.split()) >= 2,
            f"{place} `meaning` is {row.meaning!r}; write two words or more, with a space between them, for a "
            "colleague who comes tomorrow.",
        )


def check_doors(names):
    """Question A8: each role gets something in which it can read."""
    _written(names, "doors", "open_doors")
    doors = checks.answer(names, "doors", dict)
    for role in _RIGHTS:
        checks.require(role in doors, f"`doors` has nothing for the role {role!r}; it has {', '.join(doors)}.")
        given = doors[role]
        if isinstance(given, (str, Path)):
            checks.require(
                Path(given).is_file(), f"`doors[{role!r}]` names {Path(given).name}, but there is no such file."
            )
            checks.require(
                len(_columns(given)) > 0, f"{Path(given).name}, which the role {role!r} gets, holds no table."
            )
        else:
            checks.require(
                isinstance(given, sqlite3.Connection),
                f"`doors[{role!r}]` is {type(given).__name__}: give the path of a SQLite file, or a connection.",
            )


def check_erasure(names):
    """Question A9: the person's rows are gone, the vouchers stay."""
    request = checks.answer(names, "request")
    tables = read_tables(request.base)
    checks.require(bool(tables), "There is no base at `request.base`: answer question A6 first, and erase in the file.")
    sources = tables.get("customer_source", pd.DataFrame({"record_id": []}))
    checks.require(
        request.record_id not in set(sources["record_id"]),
        f"The card {request.record_id} still stands in `customer_source` of `request.base`. Write to the file, and "
        "commit.",
    )
    mine = checks.answer(names, "base")
    checks.require(
        len(tables.get("transactions", ())) == len(read_tables(mine).get("transactions", ())),
        "Rows of `transactions` are gone. A voucher is kept for the accounts (30 years): blank its `customer_id`, and "
        "keep the row.",
    )
    checks.require(
        request.extract.is_file(), f"{request.extract.name} is gone: the letter shop still needs the others."
    )


def check_backup(names):
    """Question A10: a backup beside the base, and a count of each table."""
    request, backup = checks.answer(names, "request"), Path(checks.answer(names, "backup", (str, type(Path()))))
    checks.require(backup.is_file(), f"`backup` names {backup.name}, but there is no such file.")
    checks.require(
        backup.resolve() != Path(request.base).resolve(),
        "`backup` is the base itself: a copy in another file is asked for.",
    )
    proof = _table(names, "proof", ["table", "rows"], key="table")
    absent = sorted(set(_columns(request.base)) - set(proof["table"]))
    checks.require(not absent, f"`proof` counts no rows of {', '.join(absent[:3])}: one row for *each* table.")


def _written(names, name, function):
    """Say what to do as long as a function, whose result has this name, returns nothing."""
    if name in names and names[name] is None:
        raise checks.CheckFailed(
            f"`{function}` returns nothing yet: write your answer in its cell, down to `return`, and run the cell."
        )


def _table(names, name, columns, key=None):
    """Return a table of the student that has at least these columns."""
    got = checks.answer(names, name, pd.DataFrame)
    absent = [column for column in columns if column not in got]
    checks.require(
        not absent, f"`{name}` has no column {', '.join(absent)}; it has {', '.join(map(str, got.columns))}."
    )
    checks.table(got[columns], name, columns=columns, key=key)
    return got


def _kind(values):
    return "texts" if pd.api.types.is_string_dtype(values) else str(values.dtype)


# ---------------------------------------------------------------------------------- what the hidden tests read and say
def typed():
    """Return the records of the three channels as typed.

    Examples
    --------
    >>> typed()["source"].unique().tolist()
    ['till', 'web', 'call']
    """
    return capstone.checkpoint("typed")


@cache
def _standardised(folder):
    return database.standardise_records(typed())


@cache
def _envelope(folder, name):
    return cimlab.envelope(name)


def truth(name):
    """Return a table of the sealed envelope, opened once in a process.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> truth("entity_map").columns.tolist()[:2]
    ['record_id', 'person_id']
    """
    return _envelope(cimlab.locate("members"), name)


def versions(repairs=None):
    """Return each record as it may stand in a base: standardised, repaired by the course, repaired by the student.

    Parameters
    ----------
    repairs : pandas.DataFrame, optional
        The student's log: record_id, field, old, new. A change counts if `old` is what the record held (or it held
        nothing): what was never there cannot be repaired.

    Returns
    -------
    pandas.DataFrame
        record_id and the fields, several rows per record: for `capstone.score_lineage`.

    Examples
    --------
    >>> len(versions()) == 2 * len(typed())
    True
    """
    raw, plain = typed(), _standardised(cimlab.locate("members"))
    columns = ["record_id", *FIELDS]
    both = pd.concat([plain[columns], capstone.checkpoint("records")[columns]], ignore_index=True)
    both["birth_date"] = both["birth_date"].dt.strftime("%Y-%m-%d").astype("str")
    if not isinstance(repairs, pd.DataFrame) or not {"record_id", "field", "old", "new"} <= set(repairs):
        return both
    log = repairs[repairs["field"].isin(FIELDS)].astype({"record_id": "str", "field": "str"})
    held = {cell for table in (raw[columns], both) for cell in _cells(table)}
    known = {cell[:2] for cell in _cells(plain[columns])}
    added = []
    for _ in range(2):  # a repair of a repaired value
        fits = [
            (record, field, str(old)) in held or (pd.isna(old) and (record, field) not in known)
            for record, field, old in log[["record_id", "field", "old"]].itertuples(index=False)
        ]
        added = log[fits].dropna(subset="new").astype({"new": "str"})
        held |= set(added[["record_id", "field", "new"]].itertuples(index=False, name=None))
    turns = added.groupby(["record_id", "field"]).cumcount()
    wide = [
        part.pivot_table(index="record_id", columns="field", values="new", aggfunc="first").reset_index()
        for _, part in added.groupby(turns)
    ]
    return pd.concat([both, *wide], ignore_index=True)[columns]


def _cells(table):
    rows = table.astype("object").melt("record_id").dropna()
    return {(record, field, str(value)[:10] if field == "birth_date" and "00:00" in str(value) else str(value))
            for record, field, value in rows.itertuples(index=False)}  # fmt: skip


def least_grades():
    """Return the grade of personal data that a column has in the channels: column → grade.

    Examples
    --------
    >>> least_grades()["id_number"]
    'high'
    """
    told = cimlab.describe("members").set_index("column")["personal_data"]
    return {column: grade for column, grade in told.items() if column in FIELDS}


def erasure_places(request, base, doors):
    """Return all places where a person was and may still be: tables and extract, before and after; and files.

    Parameters
    ----------
    request : types.SimpleNamespace
        What `receive_request` returned.
    base : pathlib.Path
        The base before.
    doors : dict
        What the roles were given; a connection is no file.

    Returns
    -------
    tuple of (dict, dict, dict, list)
        Tables before, tables after, the map for `capstone.score_erasure` (vouchers are not in it: they stay), files.

    Examples
    --------
    >>> import tempfile
    >>> base = capstone.checkpoint("base")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     before, after, who, files = erasure_places(receive_request(base, Path(place)), base, {})
    >>> who["lineage"], "transactions" in who, [file.name for file in files]
    (['customer_id', 'record_id'], False, ['base.db', 'last_night.db', 'letters.json'])
    """
    before, after = read_tables(base), read_tables(request.base)
    keys = ("customer_id", "record_id")
    before["extract"] = pd.DataFrame(_letters(before, request), columns=["customer_id", "name", "phone", "address",
                                                                       "city", "note"])  # fmt: skip
    try:
        after["extract"] = pd.DataFrame(json.loads(request.extract.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        after["extract"] = before["extract"].iloc[:0]
    who = {name: [key for key in keys if key in table] for name, table in before.items() if name != "transactions"}
    paths = [Path(path) for path in (doors or {}).values() if isinstance(path, (str, Path))]
    files = [request.base, request.backup, request.extract, *paths]
    return before, after, {name: found for name, found in who.items() if found}, list(dict.fromkeys(files))


def person_of(record_id, sources):
    """Return (record ids and customer numbers of a person, by what else he is known), from the sealed envelope.

    Parameters
    ----------
    record_id : str
    sources : pandas.DataFrame
        record_id, customer_id: the base before the erasure.

    Returns
    -------
    tuple of (list of str, list of str)
        The customers are those who are the person (most of their records), and that of `record_id`.

    Examples
    --------
    >>> records = capstone.checkpoint("links")
    >>> ids, known = person_of(pick_person()["record_id"], records)
    >>> len(ids) > 3, len(known) > 0
    (True, True)
    """
    people = truth("entity_map")
    person = people.set_index("record_id")["person_id"][record_id]
    owner = capstone.owner_of_customers(sources, people)
    customers = {*owner.index[owner == person], *sources.loc[sources["record_id"] == record_id, "customer_id"]}
    records = people.loc[people["person_id"] == person, "record_id"].tolist()
    known = capstone.known_by(person, truth("persons"), _standardised(cimlab.locate("members")), people)
    return [*records, *sorted(customers)], known


def limit(names, rows):
    """Apply the rules of the paper to rows of the report: what a checkpoint stands for, and customers who are nobody.

    Parameters
    ----------
    names : dict
        The student's names; `links`, `customers` and `base` are looked at.
    rows : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame

    Examples
    --------
    >>> rows = capstone.judge("lineage", 1.0, "Each value can be traced.")
    >>> limit({}, rows)["points"].item(), limit({"links": capstone.checkpoint("links")}, rows)["points"].item()
    (2, 5)
    """
    copied = {name for name in _COVERS if name in names and _is_copied(names[name])}
    rows = rows.copy()
    for name in copied:
        mine = rows["criterion"].isin(_COVERS[name])
        says = f"`{name}` is the checkpoint's: no points for this, and all else counts as usual."
        rows.loc[mine, ["points", "sentence"]] = [0, says]
    if "links" in copied or ("base" in copied and rows["criterion"].isin(_AFTER_BASE).all()):
        return rows
    return capstone.limit_points(rows, _linkage_points(names.get("links")))


def _linkage_points(links):
    """Return the points of a linkage; the last one is remembered, since each test of a notebook asks again."""
    if not isinstance(links, pd.DataFrame) or not {"record_id", "customer_id"} <= set(links):
        return 0
    key = (cimlab.locate("members"), len(links), int(pd.util.hash_pandas_object(links, index=False).sum()))
    if key not in _JUDGED:
        _JUDGED.clear()
        try:
            rows = capstone.score_linkage(links, truth("entity_map"), typed()["record_id"])
            _JUDGED[key] = int(rows["points"].sum())
        except ValueError:
            _JUDGED[key] = 0
    return _JUDGED[key]


_JUDGED = {}
# Which criteria a checkpoint stands for; which are judged on a base, wherever it comes from.
_COVERS = {
    "links": ["linkage by pairs", "linkage by records"],
    "customers": ["surviving values", "lineage"],
    "base": ["constraints kept", "constraints declared", "purchases kept"],
}
_AFTER_BASE = ["dictionary", "access", "erasure", "restore"]


def _is_copied(answer):
    try:
        return capstone.is_checkpoint(answer)
    except (ValueError, TypeError):
        return False


def tell(rows):
    """Show rows of the report as text, and return their points: the end of a hidden test.

    Parameters
    ----------
    rows : pandas.DataFrame

    Returns
    -------
    int

    Examples
    --------
    >>> tell(capstone.judge("lineage", 1.0, "Each value can be traced."))
    lineage: 1 (band ≥ 0.99), 5 of 5 points. Each value can be traced.
    5
    """
    for row in rows.itertuples():
        value = "–" if pd.isna(row.value) else f"{row.value:.3g}"
        sys.stdout.write(f"{row.criterion}: {value} (band {row.band}), {row.points} of {row.of} points. ")
        sys.stdout.write(f"{row.sentence}\n")
    return int(rows["points"].sum())
