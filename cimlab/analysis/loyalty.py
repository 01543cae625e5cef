"""Loyalty and attention (忠诚度、关注度)."""

import pandas as pd

from cimlab.analysis.columns import need, orders_until


def loyalty_table(orders, as_of, customer="customer_id", place="store_id"):
    """Measure how long, how often and how faithfully each customer buys.

    Parameters
    ----------
    orders : pandas.DataFrame
        order_id, ordered_at, the columns `customer` and `place`.
    as_of : datetime.date or str
        The day from which one looks back. Later orders are left out.
    customer : str
        Column that says whose order it is; orders without a customer are left out.
    place : str
        Where a visit may go: store_id, channel, brand, … A visit without a place is not counted in the share.

    Returns
    -------
    pandas.DataFrame
        One row per customer: orders, repeat (True for two or more), tenure (days since the first purchase),
        days_between (mean days from order to order; missing for one order), main_place (the most visited; the first of
        the alphabet if equal), share_of_visits (part of the visits that go there).

    Raises
    ------
    ValueError
        A column is not there, or nobody had bought by that day.

    References
    ----------
    Reinartz, W. and Kumar, V. (2000). On the profitability of long-life customers in a noncontractual setting. Journal
    of Marketing 64(4): a long tenure alone is not loyalty, nor profit.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["o1", "o2", "o3"], "customer_id": ["a", "a", "a"],
    ...                        "ordered_at": pd.to_datetime(["2026-06-10", "2026-06-16", "2026-06-20"]),
    ...                        "store_id": ["ST01", "ST02", "ST01"]})
    >>> loyalty_table(orders, as_of="2026-06-30").round(2)
      customer_id  orders  repeat  tenure  days_between main_place  share_of_visits
    0           a       3    True      20           5.0       ST01             0.67
    """
    known = orders_until(orders, as_of, ["order_id", place], customer)
    grouped = known.groupby(customer)
    days = known["ordered_at"].dt.normalize().groupby(known[customer])
    table = pd.DataFrame({"orders": grouped["order_id"].nunique()})
    table["repeat"] = table["orders"] > 1
    table["tenure"] = (pd.Timestamp(as_of).normalize() - days.min()).dt.days
    gaps = (table["orders"] - 1).where(table["repeat"])
    table["days_between"] = (days.max() - days.min()).dt.days / gaps

    visits = known.groupby([customer, place])["order_id"].nunique().rename("visits").reset_index()
    best = visits.sort_values(["visits", place], ascending=[False, True]).drop_duplicates(customer).set_index(customer)
    table["main_place"] = best[place]
    table["share_of_visits"] = best["visits"] / visits.groupby(customer)["visits"].sum()
    return table.reset_index()


def loyalty_summary(table):
    """Summarise the loyalty of a group of customers.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `loyalty_table`. Compare only groups with the same chance: who came last month could hardly buy
        again.

    Returns
    -------
    pandas.DataFrame
        One row: customers, repeat_rate (part who bought twice or more), orders_per_customer (mean), tenure and
        days_between (medians), share_of_visits (mean of those who bought more than once).

    Examples
    --------
    >>> table = pd.DataFrame({"orders": [1, 3], "repeat": [False, True], "tenure": [10, 20],
    ...                       "days_between": [None, 5.0], "share_of_visits": [1.0, 0.6]})
    >>> loyalty_summary(table).drop(columns="orders_per_customer")
       customers  repeat_rate  tenure  days_between  share_of_visits
    0          2          0.5    15.0           5.0              0.6
    """
    columns = need(table, ["orders", "repeat", "tenure", "days_between", "share_of_visits"], "table of loyalty")
    row = {
        "customers": len(columns),
        "repeat_rate": columns["repeat"].mean(),
        "orders_per_customer": columns["orders"].mean(),
        "tenure": columns["tenure"].median(),
        "days_between": columns["days_between"].median(),
        "share_of_visits": columns.loc[columns["repeat"], "share_of_visits"].mean(),
    }
    return pd.DataFrame([row])


def attention_table(events, as_of, customer="customer_id"):
    """Measure what each customer looked at, without having to buy it (关注度).

    Parameters
    ----------
    events : pandas.DataFrame
        session_id, happened_at, event (view, search, add_to_cart, purchase, …), product_id, and the column `customer`
        (table ``web_events``; there it is account_id).
    as_of : datetime.date or str
        The day from which one looks back. Later events are left out.
    customer : str
        Events of visitors who were not logged in are left out.

    Returns
    -------
    pandas.DataFrame
        One row per customer: sessions, views, products (different articles viewed or put in the cart), searches, carts
        (articles put in the cart), purchases, days_since (days since the last event).

    Raises
    ------
    ValueError
        A column is not there.

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["s1", "s1", "s2"], "account_id": ["W1", "W1", "W1"],
    ...                        "event": ["view", "add_to_cart", "view"], "product_id": ["P1", "P1", "P2"],
    ...                        "happened_at": pd.to_datetime(["2026-06-01", "2026-06-01", "2026-06-28"])})
    >>> attention_table(events, as_of="2026-06-30", customer="account_id")
      account_id  sessions  views  products  searches  carts  purchases  days_since
    0         W1         2      2         2         0      1          0           2
    """
    seen = need(events, [customer, "session_id", "happened_at", "event", "product_id"], "table of events")
    day = pd.Timestamp(as_of).normalize()
    seen = seen[seen[customer].notna() & seen["happened_at"].lt(day + pd.Timedelta(days=1))]
    kinds = {"views": "view", "searches": "search", "carts": "add_to_cart", "purchases": "purchase"}
    seen = seen.assign(**{column: seen["event"].eq(kind) for column, kind in kinds.items()})
    seen["products"] = seen["product_id"].where(seen["views"] | seen["carts"])
    table = seen.groupby(customer).agg(
        sessions=("session_id", "nunique"),
        views=("views", "sum"),
        products=("products", "nunique"),
        searches=("searches", "sum"),
        carts=("carts", "sum"),
        purchases=("purchases", "sum"),
        last=("happened_at", "max"),
    )
    table["days_since"] = (day - table.pop("last").dt.normalize()).dt.days
    return table.reset_index()
