"""Part A, the tables: do the rows keep the rules, can each value be traced, is the report of quality right?"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd

from cimlab._sqlite import open_read_only, table_columns
from cimlab.analysis.columns import need
from cimlab.capstone.bands import judge
from cimlab.capstone.score_database import one_way
from cimlab.database.codes import id_number_status

FIELDS = ["name", "gender", "birth_date", "phone", "email", "id_number", "city", "address"]
GRADES = ["none", "general", "medium", "high"]  # of personal data, from the lowest on
_NAN = float("nan")

# Table → what a row breaks: (what it is called, the condition under which a row is wrong).
_NEEDED = {"customer_file": ["customer_id", "name"], "customer_source": ["record_id", "source", "customer_id"],
           "transactions": ["order_id", "channel", "ordered_at", "amount"]}  # fmt: skip
_KEYS = {"customer_file": ["customer_id", "id_number"], "customer_source": ["record_id"], "transactions": ["order_id"]}
_CHECKS = {
    "customer_file": {
        "gender": "gender NOT IN ('F', 'M')",
        "birth_date": "birth_date < '1900-01-01'",
        "phone": "phone NOT GLOB '+[0-9]*' OR length(phone) NOT BETWEEN 8 AND 16",
        "email": "email NOT LIKE '%_@_%._%'",
        "id_number": "length(id_number) <> 18",
    },
    "customer_source": {"source": "source NOT IN ('till', 'web', 'call')"},
    "transactions": {"channel": "channel NOT IN ('till', 'web', 'call')", "amount": "amount < 0"},
}
# A value that no row may have: (table, column, value). None: the value is left out.
_WRONG = [
    ("customer_file", "customer_id", "same"),
    ("customer_file", "name", None),
    ("customer_file", "gender", "X"),
    ("customer_file", "email", "no address"),
    ("customer_source", "record_id", "same"),
    ("customer_source", "customer_id", "K999999"),
    ("customer_source", "source", "fax"),
    ("transactions", "order_id", "same"),
    ("transactions", "customer_id", "K999999"),
    ("transactions", "amount", -1.0),
    ("transactions", "amount", None),
]


def score_constraints(base):
    """Judge the constraints of a base: do its rows keep them, and would the base refuse a row that does not?

    Parameters
    ----------
    base : str or pathlib.Path
        A SQLite file with the tables customer_file, customer_source and transactions. It is read, never written: wrong
        rows are tried on a copy in memory.

    Returns
    -------
    pandas.DataFrame
        Two rows of the report: rows that break a rule (not measured if a table or column is not there, or is empty),
        and the share of wrong rows refused.

    Examples
    --------
    >>> score_constraints("no_such_base.db")["band"].tolist()
    ['not measured', 'not measured']
    """
    if not Path(base).is_file():
        fault = f"There is no base {Path(base).name}."
        return pd.concat(
            [judge(f"constraints {what}", _NAN, fault) for what in ("kept", "declared")], ignore_index=True
        )
    with closing(open_read_only(base)) as door, closing(sqlite3.connect(":memory:")) as copy:
        try:
            broken = {name: door.execute(sql).fetchone()[0] for name, sql in _violation_queries().items()}
            empty = [table for table in _NEEDED if not door.execute(f"SELECT count(*) FROM {table}").fetchone()[0]]
        except sqlite3.Error as error:
            kept = judge("constraints kept", _NAN, f"The rows cannot be counted: {error}.")
        else:
            worst = sorted((item for item in broken.items() if item[1]), key=lambda item: -item[1])
            told = "; ".join(f"{name}: {number}" for name, number in worst[:4])
            says = f"Rows that break a rule – {told}." if worst else "No row breaks a rule."
            kept = judge("constraints kept", sum(broken.values()), says)
            if empty:
                kept = judge("constraints kept", _NAN, f"The table {empty[0]} has no row, so that it keeps any rule.")
        door.backup(copy)
        return pd.concat([kept, _score_declared(copy)], ignore_index=True)


def _violation_queries():
    queries = {}
    for table, columns in _NEEDED.items():
        for column in columns:
            queries[f"{table} without {column}"] = (
                f"SELECT count(*) FROM {table} WHERE {column} IS NULL OR trim({column}) = ''"
            )
        for key in _KEYS[table]:
            queries[f"{table}, {key} twice"] = (
                f"SELECT count(*) - count(DISTINCT {key}) FROM {table} WHERE {key} IS NOT NULL"
            )
        for column, wrong in _CHECKS[table].items():
            queries[f"{table}, {column} of another form"] = f"SELECT count(*) FROM {table} WHERE {wrong}"
        if table != "customer_file":
            queries[f"{table}, customer unknown"] = (
                f"SELECT count(*) FROM {table} WHERE customer_id IS NOT NULL "
                "AND customer_id NOT IN (SELECT customer_id FROM customer_file WHERE customer_id IS NOT NULL)"
            )
    return queries


def _score_declared(copy):
    """Try wrong rows on a copy: each is a right row with a new key and one value that no row may have."""
    copy.execute("PRAGMA foreign_keys = ON")
    refused, let_in = 0, []
    for table, column, value in _WRONG:
        try:
            names = [row[1] for row in copy.execute(f"PRAGMA table_info({table})")]
            row = dict(zip(names, copy.execute(f"SELECT * FROM {table} LIMIT 1").fetchone(), strict=True))
            copy.execute(f"SELECT {column} FROM {table} LIMIT 1")
        except (sqlite3.Error, TypeError):
            return judge("constraints declared", _NAN, f"{table} has no row or no column {column} to try a rule on.")
        if value != "same":
            key = _KEYS[table][0]
            row |= {key: "K999998"} | ({"id_number": None} if "id_number" in row else {}) | {column: value}
        try:
            holes = ", ".join("?" * len(row))
            copy.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({holes})", list(row.values()))
            let_in.append(f"{table}.{column}")
        except sqlite3.IntegrityError:
            refused += 1
        finally:
            copy.rollback()
    let_in = list(dict.fromkeys(let_in))
    says = f"The base refused {refused} of {len(_WRONG)} wrong rows."
    says += f" It let in what is wrong in {', '.join(let_in[:4])}." if let_in else ""
    return judge("constraints declared", refused / len(_WRONG), says)


def score_lineage(file, lineage, sources, records, fields=FIELDS):
    """Judge whether each value of the file points at a record of its customer that holds it.

    Parameters
    ----------
    file : pandas.DataFrame
        customer_id and the fields.
    lineage : pandas.DataFrame
        customer_id, field, record_id.
    sources : pandas.DataFrame
        record_id, customer_id.
    records : pandas.DataFrame
        record_id and the fields, standardised; a record may stand there in several versions (as typed, repaired).
    fields : list of str
        Fields to follow.

    Returns
    -------
    pandas.DataFrame
        One row of the report.

    Examples
    --------
    >>> file = pd.DataFrame({"customer_id": ["K1"], "phone": ["+861"], "city": ["上海"]})
    >>> records = pd.DataFrame({"record_id": ["r1", "r2"], "phone": ["+861", None], "city": ["宁波", "上海"]})
    >>> lineage = pd.DataFrame({"customer_id": "K1", "field": ["phone", "city"], "record_id": ["r1", "r1"]})
    >>> who = pd.DataFrame({"record_id": ["r1", "r2"], "customer_id": "K1"})
    >>> score_lineage(file, lineage, who, records, ["phone", "city"])["value"].item()
    0.5
    """
    cells = _long(need(file, ["customer_id", *fields], "customer file"), "customer_id", fields)
    held = _long(need(records, ["record_id", *fields], "table of records"), "record_id", fields).assign(held=True)
    link = need(lineage, ["customer_id", "field", "record_id"], "table of lineage").drop_duplicates()
    link = link.merge(
        need(sources, ["record_id", "customer_id"], "sources").assign(own=True).drop_duplicates(), how="left"
    )
    traced = cells.merge(link, on=["customer_id", "field"], how="left")
    traced = traced.merge(held.drop_duplicates(), on=["record_id", "field", "value"], how="left")
    traced["right"] = traced["held"].eq(True) & traced["own"].eq(True)
    each = traced.groupby(["customer_id", "field"])["right"].any()
    if each.empty:
        return judge("lineage", _NAN, "The customer file holds no value to be traced.")
    pointed = traced.groupby(["customer_id", "field"])["record_id"].count().gt(0)
    says = f"{each.mean():.1%} of the values can be traced; {int((~pointed).sum())} of {len(each)} point nowhere, "
    says += f"{int((pointed & ~each).sum())} at a record that does not hold the value or is not the customer's."
    return judge("lineage", float(each.mean()), says)


def quality_figures(table, stage, fields=FIELDS):
    """Measure a table of records or customers for the quality report.

    Parameters
    ----------
    table : pandas.DataFrame
    stage : str
        "before" or "after".
    fields : list of str

    Returns
    -------
    pandas.DataFrame
        stage, field, completeness (share of rows with a value), validity (share of the values that can be read),
        uniqueness (different values / values).

    Examples
    --------
    >>> quality_figures(pd.DataFrame({"phone": ["174 0000 0001", "1740", None, None]}), "before", ["phone"])
        stage  field  completeness  validity  uniqueness
    0  before  phone           0.5       0.5         1.0
    """
    rows = []
    for field in fields:
        values = need(table, [field], "table to measure")[field]
        values = values[values.notna() & values.astype("str").str.strip().ne("")]
        if field == "id_number":
            valid = (id_number_status(values.astype("str")) == "ok").mean()
        else:
            valid = one_way(values, field).notna().mean()
        rows.append((stage, field, len(values) / max(len(table), 1), valid, values.nunique() / max(len(values), 1)))
    return pd.DataFrame(rows, columns=["stage", "field", "completeness", "validity", "uniqueness"])


def score_quality(report, before, after, fields=FIELDS, tolerance=0.005):
    """Judge a quality report by measuring again.

    Parameters
    ----------
    report : pandas.DataFrame
        stage ("before", "after"), field, completeness, validity, uniqueness, as `quality_figures` defines them.
    before : pandas.DataFrame
        The records of all channels as typed.
    after : pandas.DataFrame
        The customer file.
    fields : list of str
    tolerance : float
        How far a share may be off.

    Returns
    -------
    pandas.DataFrame
        One row of the report.

    Examples
    --------
    >>> typed = pd.DataFrame({"phone": ["17400000001", "1740", None, None]})
    >>> mine = quality_figures(typed, "before", ["phone"])
    >>> score_quality(mine, typed, typed.head(1), ["phone"])["value"].item()
    0.5
    """
    names = ["completeness", "validity", "uniqueness"]
    want = pd.concat([quality_figures(before, "before", fields), quality_figures(after, "after", fields)])
    want = want.set_index(["stage", "field"])[names]
    mine = need(report, ["stage", "field", *names], "quality report").drop_duplicates(["stage", "field"])
    mine = mine.set_index(["stage", "field"]).reindex(want.index).astype("float64")
    same = (mine - want).abs().le(tolerance) | (mine.isna() & want.isna() & mine.notna().any(axis=None))
    off = [f"{name} of {field} {stage}" for (stage, field), row in same.iterrows() for name in names if not row[name]]
    says = f"{same.to_numpy().mean():.0%} of the figures come out the same."
    says += f" Not so: {', '.join(off[:3])}{' …' if len(off) > 3 else ''}." if off else ""
    return judge("quality report", float(same.to_numpy().mean()), says)


def score_dictionary(dictionary, base, least):
    """Judge a data dictionary: is each column of the base explained, and its grade of personal data not too low?

    Parameters
    ----------
    dictionary : pandas.DataFrame
        table, column, meaning, personal_data ("none", "general", "medium", "high").
    base : str or pathlib.Path
        The SQLite base. A table or a column that only the dictionary knows counts as a fault too.
    least : dict of str to str
        Column → the lowest grade that it may have; columns that are not in it may have any.

    Returns
    -------
    pandas.DataFrame
        One row of the report.

    Examples
    --------
    >>> nothing = pd.DataFrame({"table": [], "column": [], "meaning": [], "personal_data": []})
    >>> score_dictionary(nothing, "no_such_base.db", {})["band"].item()
    'not measured'
    """
    if not Path(base).is_file():
        return judge("dictionary", _NAN, f"There is no base {Path(base).name}.")
    with closing(open_read_only(base)) as door:
        there = [(table, column) for table, columns in table_columns(door).items() for column in columns]
    rows = need(dictionary, ["table", "column", "meaning", "personal_data"], "dictionary")
    rows = {(row.table, row.column): row for row in rows.drop_duplicates(["table", "column"]).itertuples(index=False)}
    faults = {}
    for place in {*there, *rows}:
        row, name = rows.get(place), f"{place[0]}.{place[1]}"
        if row is None or place not in there:
            faults[name] = "is not explained" if row is None else "does not exist"
        elif not isinstance(row.meaning, str) or len(row.meaning.split()) < 2:
            faults[name] = "has no meaning of two words or more"
        elif row.personal_data not in GRADES:
            faults[name] = f"has no grade ({', '.join(GRADES)})"
        elif GRADES.index(row.personal_data) < GRADES.index(least.get(place[1], "none")):
            faults[name] = f"is of grade {least[place[1]]}, not {row.personal_data}"
    if not there:
        return judge("dictionary", _NAN, "The base has no table.")
    says = f"{len(there)} columns stand in the base; {len(faults)} faults in the dictionary."
    says += f" {'; '.join(f'{name} {what}' for name, what in sorted(faults.items())[:3])}." if faults else ""
    return judge("dictionary", max(0.0, 1 - len(faults) / len(there)), says)


def _long(table, key, fields):
    """Return key, field, value: one row per filled cell, the value as text."""
    parts = []
    for field in fields:
        values = table[field]
        dates = pd.api.types.is_datetime64_any_dtype(values)
        text = (values.dt.strftime("%Y-%m-%d") if dates else values).astype("str").str.strip()
        parts.append(pd.DataFrame({key: table[key], "field": field, "value": text}).dropna())
    cells = pd.concat(parts, ignore_index=True)
    return cells[cells["value"] != ""]
