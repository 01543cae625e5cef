"""What the dashboard shows, as plain tables: read from a finished base, and through the eyes of a role.

Names, numbers and addresses are read through `security.open_as` only: what a role may not see does not get this far.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd

from cimlab._sqlite import open_read_only, quote
from cimlab.analysis.columns import after

# Table → the columns that the dashboard reads. Without one of the first three there is no dashboard.
TABLES = {
    "customer_file": ["customer_id"],
    "customer_source": ["record_id", "source", "customer_id"],
    "transactions": ["order_id", "customer_id", "channel", "ordered_at", "amount"],
    "transaction_lines": ["order_id", "line_no", "product_id", "quantity", "unit_price", "discount", "amount"],
    "consent_state": ["customer_id", "purpose", "state"],
    "lineage": ["customer_id", "field", "record_id", "rule"],
    "quality_report": ["stage", "field", "completeness", "validity", "uniqueness"],
    "labels": ["customer_id", "label", "weight", "source"],
    "segments": ["customer_id", "segment"],
}
NEEDED = ["customer_file", "customer_source", "transactions"]
FIELDS = ["name", "name_pinyin", "gender", "birth_date", "phone", "email", "id_number", "city", "address", "tier"]

_OPEN = dict.fromkeys(["customer_id", "gender", "city", "tier", "updated_on"], "read")
# A manager decides on groups, and needs no number to call; service finds the caller and sends the goods.
VIEWERS = {
    "manager": _OPEN
    | dict.fromkeys(["name", "birth_date", "phone", "email", "id_number", "address"], "masked")
    | {"name_pinyin": "none"},
    "service": _OPEN
    | dict.fromkeys(["name", "name_pinyin", "birth_date", "phone", "email", "address"], "read")
    | {"id_number": "masked"},
}


def read_base(base):
    """Read from a finished base what names nobody: the tables with customer_id alone.

    Parameters
    ----------
    base : str or pathlib.Path
        A SQLite file.

    Returns
    -------
    dict of str to pandas.DataFrame or None
        Table → the columns of `TABLES`; None for a table that is not there, or lacks a column.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no base, or one of `NEEDED` is not there or empty.

    Examples
    --------
    >>> read_base("none.db")
    Traceback (most recent call last):
    ...
    FileNotFoundError: there is no base none.db: give the path of the file that your database notebook has made
    """
    if not Path(base).is_file():
        raise FileNotFoundError(
            f"there is no base {Path(base).name}: give the path of the file that your database notebook has made"
        )
    with closing(open_read_only(base)) as door:
        tables = {name: _read(door, name, columns) for name, columns in TABLES.items()}
    for name in NEEDED:
        if tables[name] is None or tables[name].empty:
            raise ValueError(
                f"{Path(base).name} has no table {name} with the columns {', '.join(TABLES[name])}, or no row in it: "
                "the dashboard needs it"
            )
    bought = tables["transactions"]
    tables["transactions"] = bought.assign(ordered_at=pd.to_datetime(bought["ordered_at"], format="ISO8601"))
    return tables


def _read(door, name, columns):
    """Return a table, or None; the error of a file that is no base is told in plain words."""
    try:
        return pd.read_sql(f"SELECT {', '.join(map(quote, columns))} FROM {quote(name)}", door)
    except (pd.errors.DatabaseError, sqlite3.DatabaseError) as error:
        if "not a database" in str(error):
            raise ValueError("the file is no SQLite base: it is encrypted, or something else") from error
        return None


def read_as(base, role, day):
    """Read the customer file as a role sees it.

    Parameters
    ----------
    base : str or pathlib.Path
    role : str
        One of `VIEWERS`.
    day : pandas.Timestamp
        On which the age bands are counted.

    Returns
    -------
    pandas.DataFrame
        One row per customer; masked values, and no column that the role may not see.

    Raises
    ------
    ValueError
        There is no such role.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with closing(sqlite3.connect(Path(folder, "base.db"))) as door:
    ...         _ = door.execute("CREATE TABLE customer_file (customer_id, name, phone)")
    ...         _ = door.execute("INSERT INTO customer_file VALUES ('K1', '李小明', '+8617402010123')")
    ...         door.commit()
    ...     for role in ("manager", "service"):
    ...         read_as(Path(folder, "base.db"), role, pd.Timestamp("2026-06-30")).to_numpy().tolist()
    [['K1', '李*', '174****0123']]
    [['K1', '李小明', '+8617402010123']]
    """
    from cimlab.security import open_as, view_name

    if role not in VIEWERS:
        raise ValueError(f"there is no role {role!r}; there are: {', '.join(VIEWERS)}")
    with closing(open_read_only(base)) as door:
        columns = [row[1] for row in door.execute("PRAGMA table_info(customer_file)")]
    rights = [(role, "customer_file", column, VIEWERS[role].get(column, "none")) for column in columns]
    matrix = pd.DataFrame(rights, columns=["role", "table", "column", "right"])
    with closing(open_as(base, role, matrix, roles={role: {"rows": "all"}}, as_of=day)) as door:
        rows = pd.read_sql(f"SELECT * FROM {quote(view_name('customer_file', role))}", door)
    return rows.sort_values("customer_id", ignore_index=True)


def last_day(tables):
    """Return the last day on which somebody bought: the dashboard counts back from there."""
    return tables["transactions"]["ordered_at"].max().normalize()


def last_year(tables):
    """Return the purchases of the twelve months that end on the last day.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-06-30 18:00", "2025-07-01 09:00", "2026-06-30 12:00"])
    >>> last_year({"transactions": pd.DataFrame({"ordered_at": days})})["ordered_at"].dt.day.tolist()
    [1, 30]
    """
    bought = tables["transactions"]
    return bought[bought["ordered_at"] >= after(last_day(tables)) - pd.DateOffset(years=1)]


def head_figures(tables):
    """Return the figures at the top of the dashboard.

    Returns
    -------
    pandas.DataFrame
        figure, value (number), text (the value as it is written), told (what it says more exactly).
    """
    customers, records = len(tables["customer_file"]), len(tables["customer_source"])
    together = tables["customer_source"]["customer_id"].duplicated(keep=False)
    year = last_year(tables)
    active, known = year["customer_id"].nunique(), year.loc[year["customer_id"].notna(), "amount"].sum()
    revenue = year["amount"].sum()
    rows = [
        ("customers", customers, f"{customers:,}", f"made of {records:,} records"),
        ("records linked", together.mean(), f"{together.mean():.0%}", f"{together.sum():,} share a customer"),
        ("active", active, f"{active:,}", f"{active / customers:.0%} bought in 12 months"),
        ("revenue, 12 months", revenue, f"{revenue:,.0f} CNY", f"{known / (revenue or 1):.0%} from known customers"),
    ]
    states = tables["consent_state"]
    if states is None:
        rows.append(("consent", float("nan"), "–", "the base has no table consent_state"))
    else:
        agreed = given(tables, "marketing")
        rows.append(("consent", len(agreed) / customers, f"{len(agreed) / customers:.0%}", "agreed to marketing"))
    return pd.DataFrame(rows, columns=["figure", "value", "text", "told"])


def given(tables, purpose):
    """Return the customers whose consent to a purpose holds; none, where the base does not say."""
    states = tables["consent_state"]
    if states is None:
        return set()
    return set(states.loc[(states["purpose"] == purpose) & (states["state"] == "given"), "customer_id"])


def find_customers(rows, words, most=50):
    """Find customers by what a role sees of them.

    A search that looks into hidden values would give them away: type a number, and see whose it is.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `read_as` returns them.
    words : str
        All of them must occur, in any column; blank for everybody.
    most : int

    Returns
    -------
    found : pandas.DataFrame
        The first `most` rows.
    count : int
        How many there are in all.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["K1", "K2"], "name": ["李*", "王*"], "city": ["杭州", None]})
    >>> find_customers(rows, "李 杭州")[0]["customer_id"].tolist(), find_customers(rows, "")[1]
    (['K1'], 2)
    """
    text = pd.Series("", index=rows.index)
    for column in rows:
        text += rows[column].astype("str").where(rows[column].notna(), "").str.casefold() + " "
    hit = pd.Series(True, index=rows.index)
    for word in words.casefold().split():
        hit &= text.str.contains(word, regex=False)
    return rows[hit].head(most), int(hit.sum())


def card_values(rows, tables, customer_id):
    """Return what is known of a customer, each value with the record that it came from (血缘).

    Parameters
    ----------
    rows : pandas.DataFrame
        As `read_as` returns them.
    tables : dict
        As `read_base` returns it.
    customer_id : str

    Returns
    -------
    pandas.DataFrame
        field, value (None if there is none), source (till, web or call), record_id, rule. A column that the role may
        not see is not there.

    Raises
    ------
    ValueError
        There is no such customer.
    """
    mine = rows[rows["customer_id"] == customer_id]
    if len(mine) != 1:
        raise ValueError(f"the customer {customer_id!r} stands {len(mine)} times in the file; once was expected")
    fields = [field for field in FIELDS if field in rows]
    card = pd.DataFrame({"field": fields, "value": mine.iloc[0][fields].to_list()}).astype("object")
    card["value"] = card["value"].where(card["value"].notna(), None)
    lineage = tables["lineage"]
    if lineage is None:
        return card.assign(source=None, record_id=None, rule=None)
    lineage = lineage[lineage["customer_id"] == customer_id].drop(columns="customer_id")
    source = tables["customer_source"].drop_duplicates("record_id").set_index("record_id")["source"]
    lineage = lineage.assign(source=lineage["record_id"].map(source)).drop_duplicates("field")
    card = card.merge(lineage, on="field", how="left")[["field", "value", "source", "record_id", "rule"]]
    return card.astype("object").where(card.notna(), None)


def monthly_orders(tables, customer_id, months=24):
    """Return what a customer spent in each month, by channel, in CNY.

    Returns
    -------
    pandas.DataFrame
        One row per month (period) up to that of the last day, also those without a purchase; a column a channel.

    Examples
    --------
    >>> day = pd.to_datetime(["2026-05-02", "2026-06-30"])
    >>> bought = pd.DataFrame({"customer_id": "K1", "ordered_at": day, "channel": ["web", "till"], "amount": [5, 7]})
    >>> monthly_orders({"transactions": bought}, "K1", months=2).to_numpy().tolist()
    [[0.0, 5.0], [7.0, 0.0]]
    """
    bought = tables["transactions"]
    mine = bought[bought["customer_id"] == customer_id]
    index = pd.period_range(end=last_day(tables).to_period("M"), periods=months, freq="M", name="month")
    channels = sorted(bought["channel"].unique())
    month = mine["ordered_at"].dt.to_period("M")
    by_month = mine.pivot_table(index=month, columns="channel", values="amount", aggfunc="sum")
    return by_month.reindex(index=index, columns=channels).fillna(0.0)


def consent_of(tables, customer_id):
    """Return purpose → state of consent of one customer; empty where the base does not say."""
    states = tables["consent_state"]
    if states is None:
        return {}
    return states[states["customer_id"] == customer_id].set_index("purpose")["state"].sort_index().to_dict()


def profile_of(tables, labels, segments, customer_id):
    """Return the labels and the segment of a customer, or why they are not shown.

    Parameters
    ----------
    tables : dict
    labels : pandas.DataFrame or None
        customer_id, label, weight, source; label_zh where there is one.
    segments : pandas.Series
        Segment by customer_id.
    customer_id : str

    Returns
    -------
    labels : pandas.DataFrame
        Of this customer, the strongest first; empty without consent.
    segment : str or None
    why : str
        Empty, or a sentence.

    References
    ----------
    PIPL, articles 13, 14 and 24: no profile of a person who has not agreed; groups are counted.
    """
    none = pd.DataFrame(columns=["label", "weight", "source"])
    state = consent_of(tables, customer_id).get("profiling", "not known")
    if state != "given":
        return none, None, f"No profile (consent to profiling: {state}). This customer is counted in groups only."
    mine = none if labels is None else labels[labels["customer_id"] == customer_id]
    mine = mine.sort_values(["weight", "label"], ascending=[False, True])
    return mine, segments.get(customer_id), "" if len(mine) else "No label holds for this customer now."
