"""Step 4, make the tables (建表): make, fill and read a customer database."""

from datetime import date, datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Date, DateTime, String, create_engine, event, insert, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from cimlab.database.codes import id_number_status
from cimlab.database.schema import BASE, ROSTERS


def create_database(url_or_path):
    """Open a customer database, and make its tables, views and indexes where they do not exist yet.

    Parameters
    ----------
    url_or_path : str or pathlib.Path
        A file for SQLite, ":memory:", or the URL of another database, such as ``postgresql+pg8000://…``.

    Returns
    -------
    sqlalchemy.Engine
        For the other functions of this module. A SQLite file is closed after each use, so that it can be copied or
        deleted at any time (Windows forbids that for open files).

    References
    ----------
    Codd, E. F. (1970). A relational model of data for large shared data banks. CACM 13(6).

    Examples
    --------
    >>> engine = create_database(":memory:")
    >>> read_table(engine, "customer_roster").columns.tolist()
    ['customer_id', 'name', 'gender', 'phone', 'city', 'tier']
    >>> engine.dispose()
    """
    address = str(url_or_path)
    if "://" in address:
        engine = create_engine(address)
    elif address == ":memory:":
        engine = create_engine("sqlite://")
    else:
        folder = Path(address).expanduser().resolve().parent
        if not folder.is_dir():
            raise FileNotFoundError(f"the folder {folder} does not exist: make it first, or choose another place")
        engine = create_engine(f"sqlite:///{Path(address).expanduser().resolve().as_posix()}", poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        # SQLite checks foreign keys only when it is asked to, on each connection.
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON").close())
    BASE.create_all(engine)
    with engine.begin() as connection:
        for name in sorted(set(ROSTERS) - set(inspect(connection).get_view_names())):
            connection.execute(text(f"CREATE VIEW {name} AS {ROSTERS[name]}"))
    return engine


def make_customer_file(customers, tiers=None):
    """Turn merged customers into rows of the customer file.

    Parameters
    ----------
    customers : pandas.DataFrame
        As returned by `merge_records`: customer_id, the fields, records, updated_at.
    tiers : pandas.Series, optional
        Tier by customer_id, from `assign_tiers`. Default: basic for everybody.

    Returns
    -------
    pandas.DataFrame
        The columns of customer_file. An identity number that cannot be right is left out: it would identify somebody
        else, or nobody. So is one that several customers have: one of them is somebody else, or they are one person
        whom matching has missed.

    Examples
    --------
    >>> merged = pd.DataFrame({"customer_id": ["K000001"], "name": ["曾国藩"], "id_number": ["123"], "records": [2],
    ...                        "updated_at": pd.to_datetime(["2026-06-30 10:30"])})
    >>> make_customer_file(merged)[["customer_id", "name", "id_number", "tier", "updated_on"]]
      customer_id name id_number   tier updated_on
    0     K000001  曾国藩       NaN  basic 2026-06-30
    """
    rows = customers.assign(updated_on=customers["updated_at"].dt.normalize(), tier="basic")
    if tiers is not None:
        rows["tier"] = customers["customer_id"].map(tiers).fillna("basic").astype("str")
    if "id_number" in rows:
        numbers = rows["id_number"]
        rows["id_number"] = numbers.where((id_number_status(numbers) == "ok") & ~numbers.duplicated(keep=False))
    return _as_in(rows, "customer_file")


def make_enterprise_file(enterprises):
    """Turn merged enterprises into rows of the enterprise file.

    Parameters
    ----------
    enterprises : pandas.DataFrame
        As returned by `merge_records` on standardised enterprises.

    Returns
    -------
    pandas.DataFrame
        The columns of enterprise_file; the cluster number K000001 becomes the enterprise_id E0001.

    Examples
    --------
    >>> merged = pd.DataFrame({"customer_id": ["K000001"], "name": ["旭东食品"], "records": [1],
    ...                        "updated_at": pd.to_datetime(["2026-06-30"])})
    >>> make_enterprise_file(merged).iloc[0, :2].tolist()
    ['E0001', '旭东食品']
    """
    numbers = _enterprise_ids(enterprises["customer_id"])
    rows = enterprises.assign(enterprise_id=numbers, updated_on=enterprises["updated_at"].dt.normalize())
    return _as_in(rows, "enterprise_file")


def make_transactions(orders, clusters):
    """Turn orders into transactions: the customer instead of the card, account or call that ordered.

    Parameters
    ----------
    orders : pandas.DataFrame
        order_id, channel, customer_ref, store_id, ordered_at, amount (table ``orders``).
    clusters : pandas.DataFrame
        record_id, customer_id, as returned by `cluster_pairs`.

    Returns
    -------
    pandas.DataFrame
        order_id, customer_id (missing for a purchase without a card), channel, store_id, ordered_at, amount.

    Raises
    ------
    ValueError
        An order refers to a record that has no customer.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["O1"], "channel": ["web"], "customer_ref": ["W1"], "store_id": [None],
    ...                        "ordered_at": pd.to_datetime(["2026-01-01"]), "amount": [9.9]})
    >>> make_transactions(orders, pd.DataFrame({"record_id": ["W1"], "customer_id": ["K000001"]})).iloc[0, :3].tolist()
    ['O1', 'K000001', 'web']
    """
    customer = orders["customer_ref"].map(clusters.set_index("record_id")["customer_id"])
    lost = orders.loc[customer.isna() & orders["customer_ref"].fillna("").ne(""), "customer_ref"]
    if len(lost):
        raise ValueError(f"{len(lost)} orders refer to a record without a customer, the first to {lost.iloc[0]!r}")
    columns = ["order_id", "customer_id", "channel", "store_id", "ordered_at", "amount"]
    return orders.assign(customer_id=customer.astype("str"))[columns]


def make_enterprise_transactions(orders, clusters):
    """Turn orders of enterprises into transactions: the firm instead of the salesman's or the exhibition's record.

    Parameters
    ----------
    orders : pandas.DataFrame
        b2b_order_id, enterprise_id, ordered_on, category, amount, terms_days, due_on, paid_on, paid (table
        ``enterprise_orders``).
    clusters : pandas.DataFrame
        record_id, customer_id of the enterprise records, as returned by `cluster_pairs`.

    Returns
    -------
    pandas.DataFrame
        The columns of enterprise_transactions; order_id is the b2b_order_id.

    Raises
    ------
    ValueError
        An order refers to a record that has no firm.

    Examples
    --------
    >>> orders = pd.DataFrame({"b2b_order_id": ["B1"], "enterprise_id": ["E0X"], "amount": [950.0], "paid": [0.0]})
    >>> make_enterprise_transactions(orders, pd.DataFrame({"record_id": ["E0X"], "customer_id": ["K000001"]}))
      order_id enterprise_id  amount  paid
    0       B1         E0001   950.0   0.0
    """
    firm = orders["enterprise_id"].map(clusters.set_index("record_id")["customer_id"])
    lost = orders.loc[firm.isna(), "enterprise_id"]
    if len(lost):
        raise ValueError(f"{len(lost)} orders refer to a record without a firm, the first to {lost.iloc[0]!r}")
    rows = orders.rename(columns={"b2b_order_id": "order_id"}).assign(enterprise_id=_enterprise_ids(firm))
    return _as_in(rows, "enterprise_transactions")


def fill_database(engine, **frames):
    """Put rows into the tables, all in one transaction: either every row enters or none.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `create_database`.
    **frames : pandas.DataFrame
        Table name = rows, for example ``customer_file=customers, transactions=transactions``. The order does not
        matter; columns that a table does not have are an error. New customers also open their history, valid from
        updated_on, unless customer_history is given.

    Returns
    -------
    pandas.DataFrame
        table, rows: what was put in.

    Raises
    ------
    ValueError
        An unknown table or column, or a row that breaks a constraint; the message names the row.

    Examples
    --------
    >>> engine = create_database(":memory:")
    >>> new = pd.DataFrame({"customer_id": ["K000001"], "name": ["曾国藩"], "updated_on": ["2026-06-30"]})
    >>> fill_database(engine, customer_file=new)
                  table  rows
    0     customer_file     1
    1  customer_history     1
    >>> fill_database(engine, customer_file=new.assign(customer_id="K000002", phone="1740"))
    Traceback (most recent call last):
    ...
    ValueError: customer_file, row 1 (customer_id K000002) breaks the rule ck_customer_file_phone. Nothing was loaded...
    >>> engine.dispose()
    """
    unknown = sorted(set(frames) - set(BASE.tables))
    if unknown:
        raise ValueError(f"there is no table {', '.join(unknown)}; the tables are {', '.join(BASE.tables)}")
    if "customer_file" in frames and "customer_history" not in frames:
        frames["customer_history"] = open_history(frames["customer_file"])
    batches = [(table, to_rows(frames[table.name], table)) for table in BASE.sorted_tables if table.name in frames]
    try:
        with engine.begin() as connection:
            for table, rows in batches:
                if rows:
                    connection.execute(insert(table), rows)
    except DatabaseError as error:
        raise ValueError(_first_bad_row(engine, batches) or f"Nothing was loaded: {error.orig}") from error
    return pd.DataFrame([{"table": table.name, "rows": len(rows)} for table, rows in batches])


def open_history(customers):
    """Return the first period of the history of new customers: from updated_on, still valid.

    Parameters
    ----------
    customers : pandas.DataFrame
        Rows of customer_file.

    Returns
    -------
    pandas.DataFrame
        Rows of customer_history.

    Examples
    --------
    >>> open_history(pd.DataFrame({"customer_id": ["K000001"], "name": ["曾国藩"], "updated_on": ["2026-06-30"]}))
      customer_id name  valid_from
    0     K000001  曾国藩  2026-06-30
    """
    return customers.rename(columns={"updated_on": "valid_from"})


def read_table(engine, name):
    """Read a table or a roster as a DataFrame, with the right types, ordered by its key.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `create_database`.
    name : str
        A table (``customer_file``, ``transactions`` …) or a roster (``customer_roster``, ``enterprise_roster``).

    Returns
    -------
    pandas.DataFrame
        Text as ``str``, dates as datetime64, numbers as numbers.

    Examples
    --------
    >>> engine = create_database(":memory:")
    >>> len(read_table(engine, "transactions"))
    0
    >>> engine.dispose()
    """
    if name not in BASE.tables and name not in ROSTERS:
        raise ValueError(f"there is no table {name!r}; the tables are {', '.join([*BASE.tables, *ROSTERS])}")
    with engine.connect() as connection:
        if name in ROSTERS:
            frame = pd.read_sql(text(f"SELECT * FROM {name} ORDER BY 1"), connection)
            return frame.astype("str")
        table = BASE.tables[name]
        frame = pd.read_sql(table.select().order_by(*table.primary_key.columns), connection)
    for column in table.columns:
        if isinstance(column.type, (Date, DateTime)):
            frame[column.name] = pd.to_datetime(frame[column.name]).astype("datetime64[us]")
        elif isinstance(column.type, String):
            frame[column.name] = frame[column.name].astype("str")
    return frame


def to_rows(frame, table):
    """Turn a DataFrame into the rows that SQLAlchemy takes: plain Python values, None for missing.

    Examples
    --------
    >>> from cimlab.database.schema import CUSTOMER_FILE
    >>> to_rows(pd.DataFrame({"name": ["A", None]}), CUSTOMER_FILE)
    [{'name': 'A'}, {'name': None}]
    """
    extra = [column for column in frame.columns if column not in table.columns]
    if extra:
        raise ValueError(
            f"the table {table.name} has no column {', '.join(extra)}; it has {', '.join(table.columns.keys())}"
        )
    columns = {name: [_plain(value, table.columns[name].type) for value in frame[name]] for name in frame.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _as_in(rows, table):
    """Return the columns that the table has too, in its order."""
    return rows[[column.name for column in BASE.tables[table].columns if column.name in rows]]


def _enterprise_ids(cluster_numbers):
    return cluster_numbers.str[1:].astype("int64").map("E{:04d}".format).astype("str")


def _plain(value, kind):
    if pd.isna(value):
        return None
    if isinstance(kind, DateTime):
        return pd.Timestamp(value).to_pydatetime()
    if isinstance(kind, Date):
        return pd.Timestamp(value).date() if isinstance(value, (str, datetime, date)) else value
    return value.item() if hasattr(value, "item") else value


def _first_bad_row(engine, batches):
    """Load row by row to see which one the database refuses, and undo it all."""
    with engine.connect() as connection:
        for table, rows in batches:
            keys = [column.name for column in table.primary_key]
            for number, row in enumerate(rows, start=1):
                try:
                    connection.execute(insert(table), row)
                except DatabaseError as error:
                    who = ", ".join(f"{key} {row.get(key)}" for key in keys)
                    rule = str(error.orig).removeprefix("CHECK constraint failed: ")
                    breaks = f"breaks the rule {rule}" if rule != str(error.orig) else f"was refused: {rule}"
                    return (
                        f"{table.name}, row {number} ({who}) {breaks}. Nothing was loaded: mend the row and load again"
                    )
    return None
