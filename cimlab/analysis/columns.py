"""What all analyses ask of a table before they begin."""

import pandas as pd


def need(table, columns, what="table"):
    """Return these columns of a table, or say which one is missing.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : list of str
    what : str
        What the table is called in the message.

    Returns
    -------
    pandas.DataFrame
        A copy with these columns, each once.

    Raises
    ------
    ValueError
        A column is not there.

    Examples
    --------
    >>> need(pd.DataFrame({"amount": [1.0]}), ["customer_id", "amount"], "orders table")
    Traceback (most recent call last):
    ...
    ValueError: the orders table has no column customer_id; it has: amount
    """
    absent = [column for column in columns if column not in table.columns]
    if absent:
        has = ", ".join(str(column) for column in table.columns)
        raise ValueError(f"the {what} has no column {', '.join(absent)}; it has: {has}")
    return table[list(dict.fromkeys(columns))].copy()


def after(as_of):
    """Return the first moment that is no longer known: midnight after the day.

    Examples
    --------
    >>> after("2026-06-30")
    Timestamp('2026-07-01 00:00:00')
    """
    return pd.Timestamp(as_of).normalize() + pd.Timedelta(days=1)


def orders_until(orders, as_of, columns, customer="customer_id"):
    """Return the orders of known customers up to the end of a day, with the columns that are needed.

    What happened after that day is left out: who looks back may not know it yet. An order without a customer (no card
    shown) belongs to nobody and is left out too.

    Parameters
    ----------
    orders : pandas.DataFrame
        With ordered_at, the column `customer` and `columns`.
    as_of : datetime.date or str
        The last day that counts.
    columns : list of str
    customer : str

    Returns
    -------
    pandas.DataFrame
        The column `customer`, ordered_at and `columns`.

    Raises
    ------
    ValueError
        A column is not there, or nobody bought by that day.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-06-30 18:00", "2026-06-30 09:00", "2026-07-01 00:00"])
    >>> orders = pd.DataFrame({"customer_id": ["a", None, "a"], "ordered_at": times, "amount": [1.0, 2.0, 3.0]})
    >>> orders_until(orders, "2026-06-30", ["amount"])
      customer_id          ordered_at  amount
    0           a 2026-06-30 18:00:00     1.0
    """
    if customer not in orders.columns:
        has = ", ".join(str(column) for column in orders.columns)
        raise ValueError(f"no column {customer!r} says whose order it is: name yours, customer=…; there is: {has}")
    wanted = need(orders, [customer, "ordered_at", *columns], "orders table")
    wanted = wanted[wanted[customer].notna() & (wanted["ordered_at"] < after(as_of))]
    if wanted.empty:
        raise ValueError(f"no known customer bought anything up to {pd.Timestamp(as_of).date()}: is the day right?")
    return wanted
