"""Checkpoints (检查点): the data set from which one goes on whose own answer does not carry the next part.

They are made of the tables that everybody has, by the steps of the earlier chapters, for whatever edition is loaded:
nothing in them is secret, and linkage and surviving values are middling. Whoever starts from one gets no points for the
part that it stands for (`is_checkpoint` tells); all else counts as usual.
"""

import atexit
import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pandas as pd

import cimlab
from cimlab import database
from cimlab._sqlite import open_read_only
from cimlab.analysis.columns import need
from cimlab.collection import consent_of_customers, consent_state

TODAY = pd.Timestamp("2026-06-30")  # the last day of the data
BASE_AT = pd.Timestamp("2026-07-01")  # the base says what held at this moment: the last day is over

# Linked is who agrees on all columns of one of these …
BLOCKS = [["phone", "surname"], ["email"], ["id_number"], ["name_pinyin", "birth_date"]]
# … but one record in so many is left alone, so that nobody meets this linkage with a rule of his own.
LEFT_ALONE = 20
SAME = 0.97  # two linkages that share so many of their pairs are one
# Which record speaks for each field: rules that one could have, and hardly anybody will choose together.
SURVIVORS = database.CUSTOMER_RULES | {"birth_date": "newest", "phone": "priority:call>web>till", "email": "vote",
                                       "id_number": "newest"}  # fmt: skip
MARK = 0x63696D6C  # stands in the head of the base's file (PRAGMA application_id)

# Where a reader's own base lies: part A of the capstone leaves the second; the first is a name for a copy of one's own,
# which no code writes.
OWN_BASES = ("xudong_customers.db", "capstone_files/live/base.db")

_EDITION = []  # the folder of the data of which the checkpoints were made
_MADE = []  # what was made of it, to be forgotten when another one is loaded

# The tables that the base has beside those of `create_database`; the words are understood by SQLite and PostgreSQL.
MORE_TABLES = {
    "consent_state": """CREATE TABLE consent_state (
        customer_id VARCHAR(10) NOT NULL REFERENCES customer_file (customer_id),
        purpose VARCHAR(20) NOT NULL CHECK (purpose IN ('marketing', 'profiling', 'sharing')),
        state VARCHAR(12) NOT NULL CHECK (state IN ('given', 'withdrawn', 'never given')),
        PRIMARY KEY (customer_id, purpose))""",
    "lineage": """CREATE TABLE lineage (
        customer_id VARCHAR(10) NOT NULL REFERENCES customer_file (customer_id),
        field VARCHAR(20) NOT NULL,
        record_id VARCHAR(20) NOT NULL REFERENCES customer_source (record_id),
        rule VARCHAR(40) NOT NULL,
        PRIMARY KEY (customer_id, field))""",
    "quality_report": """CREATE TABLE quality_report (
        stage VARCHAR(6) NOT NULL CHECK (stage IN ('before', 'after')),
        field VARCHAR(20) NOT NULL,
        completeness FLOAT, validity FLOAT, uniqueness FLOAT,
        PRIMARY KEY (stage, field))""",
}


def checkpoint(name, folder=None):
    """Return a checkpoint of the capstone, for the loaded edition.

    The base holds, beside the tables of `database.create_database`:

    - customer_file, customer_source (record_id, source, customer_id), customer_history;
    - transactions (customer_id is missing for a purchase without a card) and transaction_lines;
    - consent_state: customer_id, purpose, state ("given", "withdrawn", "never given"), when the last day is over; every
      customer of the file with each purpose;
    - lineage: customer_id, field, record_id (which holds the value), rule;
    - quality_report: stage ("before": the records as typed, "after": the customer file), field, completeness, validity,
      uniqueness (shares from 0 to 1, as `quality_figures` defines them).

    Parameters
    ----------
    name : str
        "typed": the records of all channels as typed (DataFrame). "records": the same, standardised and repaired.
        "links": record_id, customer_id. "customers": the customer file; "sources", "lineage", "consent", "quality": the
        tables above. "base": the finished base (path of a SQLite file). "backup": a backup of it (path).
    folder : str or pathlib.Path, optional
        Where the file of "base" or "backup" is put, as base.db or backup.db; an older one is replaced. By default a
        temporary folder, which is emptied when the program ends: then do not write into the file.

    Returns
    -------
    pandas.DataFrame or pathlib.Path
        A new frame each time. A path for "base" and "backup".

    Raises
    ------
    ValueError
        There is no such checkpoint.

    References
    ----------
    The linkage: records that agree on phone and surname, e-mail, identity number, or name and birth date; joined by
    `database.cluster_pairs`, without those that `database.find_conflicts` keeps apart. One record in twenty is left
    alone.

    Examples
    --------
    >>> links = checkpoint("links")
    >>> links.columns.tolist(), is_checkpoint(links)
    (['record_id', 'customer_id'], True)
    >>> checkpoint("base").name
    'base.db'
    """
    _look_at_edition()
    if name in ("base", "backup"):
        made = _make_base().with_name(f"{name}.db")
        if folder is None:
            return made
        if not Path(folder).is_dir():
            raise ValueError(f"the folder {folder} does not exist: make it first, or choose another place")
        return Path(shutil.copyfile(made, Path(folder, made.name)))
    parts = {"typed": _typed, "records": _records, "links": _links, "customers": _customers, "sources": _sources,
             "lineage": _lineage, "consent": _consent, "quality": _quality}  # fmt: skip
    if name not in parts:
        raise ValueError(f"there is no checkpoint {name!r}; there are: {', '.join([*parts, 'base', 'backup'])}")
    return parts[name]().copy()


def is_checkpoint(answer):
    """Say whether a linkage, a customer file or a base is the checkpoint's.

    Parameters
    ----------
    answer : pandas.DataFrame, str or pathlib.Path
        A linkage (record_id, customer_id), a customer file (customer_id and the fields), or the path of a SQLite base.

    Returns
    -------
    bool
        True for a linkage that shares 97 of 100 of its pairs with that of the checkpoint, whatever the numbers of the
        customers: who moves a few records has not linked. For a customer file, if it has the checkpoint's value nearly
        wherever that is another one than by the rules of `database.merge_records`. For a base, if it is a copy.

    Examples
    --------
    >>> import cimlab
    >>> alone = pd.DataFrame({"record_id": cimlab.load("members")["member_id"]})
    >>> is_checkpoint(alone.assign(customer_id=alone["record_id"])), is_checkpoint(checkpoint("customers"))
    (False, True)
    >>> is_checkpoint(checkpoint("base"))
    True
    """
    _look_at_edition()
    if not isinstance(answer, pd.DataFrame):
        return _has_mark(answer)
    if "record_id" not in answer:
        return _same_survivors(answer)
    mine = need(answer, ["record_id", "customer_id"], "clusters").dropna().drop_duplicates("record_id")
    both = _links().rename(columns={"customer_id": "ours"}).merge(mine, on="record_id", how="inner")
    ours, theirs = _count_pairs(_links(), ["customer_id"]), _count_pairs(mine, ["customer_id"])
    shared = _count_pairs(both, ["ours", "customer_id"])
    return shared / max(ours + theirs - shared, 1) >= SAME


def _has_mark(path):
    try:
        with closing(open_read_only(path)) as door:
            return door.execute("PRAGMA application_id").fetchone()[0] == MARK
    except (sqlite3.Error, OSError):
        return False


def _same_survivors(customers):
    fields = ["birth_date", "phone", "email", "address"]
    mine = need(customers, ["customer_id", *fields], "customer file").drop_duplicates("customer_id")
    ours, usual = (frame.set_index("customer_id")[fields] for frame in (_customers(), _usual()))
    mine = mine.set_index("customer_id")[fields].reindex(ours.index)
    ours, usual, mine = (frame.astype("str").fillna("") for frame in (ours, usual.reindex(ours.index), mine))
    telling = (ours != usual).to_numpy()
    return bool(telling.any() and (ours == mine).to_numpy()[telling].mean() >= SAME)


def _count_pairs(rows, by):
    size = rows.groupby(by).size()
    return int((size * (size - 1) // 2).sum())


def _look_at_edition():
    """Forget what was made of another edition than the one that is loaded now."""
    if (now := [cimlab.locate("members").parent]) != _EDITION:
        _EDITION[:] = now
        for made in _MADE:
            made.cache_clear()


def _once(make):
    """Make a part once for an edition."""
    _MADE.append(cache(make))
    return _MADE[-1]


@_once
def _typed():
    return database.extract_records(*(cimlab.load(name) for name in ("members", "web_accounts", "calls")))


@_once
def _records():
    mended, _ = database.repair_typed(_typed(), on=TODAY)
    clean, _ = database.repair_values(database.standardise_records(mended), on=TODAY)
    return database.repair_missing(clean)[0]


@_once
def _links():
    records = _records()
    digest = records["record_id"].map(lambda record: hashlib.sha256(record.encode()).digest()[0] % LEFT_ALONE)
    pairs = database.candidate_pairs(records[digest != 0], BLOCKS)
    return database.cluster_pairs(records, pairs, database.find_conflicts(records, pairs))


@_once
def _merged():
    return _merge(SURVIVORS)


@_once
def _usual():
    """Make the customer file by the usual rules, which is nobody's checkpoint."""
    return _merge(None)[0]


def _merge(rules):
    customers, lineage = database.merge_records(_records(), _links(), rules)
    file = database.make_customer_file(customers.dropna(subset="name"))
    filled = file.drop(columns="updated_on").melt("customer_id", var_name="field").dropna()[["customer_id", "field"]]
    lineage = lineage.merge(filled, on=["customer_id", "field"])[["customer_id", "field", "record_id", "rule"]]
    return file, lineage.sort_values(["customer_id", "field"], ignore_index=True)


def _customers():
    return _merged()[0]


def _lineage():
    return _merged()[1]


@_once
def _sources():
    known = _links()[_links()["customer_id"].isin(_customers()["customer_id"])]
    return known.merge(_records()[["record_id", "source"]], on="record_id")[["record_id", "source", "customer_id"]]


@_once
def _consent():
    owner, ledger = _sources().set_index("record_id")["customer_id"], cimlab.load("consents")
    state = consent_state(ledger, BASE_AT, owner.index)
    each = {purpose: consent_of_customers(part, owner) for purpose, part in state.groupby("purpose")}
    rows = pd.concat(each, names=["purpose", "customer_id"]).rename("state").reset_index()
    rows = rows.sort_values(["customer_id", "purpose"], ignore_index=True)
    return rows[["customer_id", "purpose", "state"]]


@_once
def _quality():
    from cimlab.capstone.score_tables import quality_figures

    stages = [quality_figures(_typed(), "before"), quality_figures(_customers(), "after")]
    return pd.concat(stages, ignore_index=True)


@_once
def _make_base():
    """Make the base and its backup in a temporary folder, once in a process, and return the path of the base."""
    folder = Path(tempfile.mkdtemp(prefix="cimlab-checkpoint-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    orders, lines = cimlab.load("orders"), cimlab.load("order_lines")
    known = orders["customer_ref"].where(orders["customer_ref"].isin(_sources()["record_id"]))
    transactions = database.make_transactions(orders.assign(customer_ref=known), _sources())
    engine = database.create_database(folder / "base.db")
    columns = ["order_id", "line_no", "product_id", "quantity", "unit_price", "discount", "amount"]
    database.fill_database(engine, customer_file=_customers(), customer_source=_sources(), transactions=transactions,
                           transaction_lines=lines[columns])  # fmt: skip
    add_tables(engine, consent_state=_consent(), lineage=_lineage(), quality_report=_quality())
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {MARK}")
    database.back_up(engine, folder / "backup.db")
    return folder / "base.db"


def own_base(folder="."):
    """Return the path of the base that the reader has made, or None.

    Parameters
    ----------
    folder : str or pathlib.Path
        Looked into, and then its folder labs/capstone, for the files of `OWN_BASES`.

    Examples
    --------
    >>> own_base("nowhere") is None
    True
    """
    places = [Path(place, name) for place in (folder, Path(folder, "labs", "capstone")) for name in OWN_BASES]
    return next((place for place in places if place.is_file()), None)


def add_tables(engine, **frames):
    """Make tables of `MORE_TABLES` in a base and put rows into them: all or nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `database.create_database`.
    **frames : pandas.DataFrame
        Table name = rows.

    Examples
    --------
    >>> engine = database.create_database(":memory:")
    >>> add_tables(engine, quality_report=pd.DataFrame({"stage": ["before"], "field": "phone", "completeness": 0.9}))
    >>> pd.read_sql("SELECT stage, field, completeness FROM quality_report", engine)
        stage  field  completeness
    0  before  phone           0.9
    >>> engine.dispose()
    """
    unknown = sorted(set(frames) - set(MORE_TABLES))
    if unknown:
        raise ValueError(f"there is no table {', '.join(unknown)} to be added; there are: {', '.join(MORE_TABLES)}")
    with engine.begin() as connection:
        for name, frame in frames.items():
            connection.exec_driver_sql(MORE_TABLES[name])
            frame.to_sql(name, connection, if_exists="append", index=False, chunksize=5000)
