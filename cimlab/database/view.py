"""The single customer view (客户统一视图): what sales, service and marketing know, in one row per customer."""

import pandas as pd


def single_customer_view(customers, clusters, orders, calls, tickets, campaign_contacts, consents):
    """Join what the departments know of each customer: one row per customer, whatever each of them has noted.

    Each table is brought down to one row per customer *before* it is joined. Two tables with several rows of one
    customer that are joined first multiply: three orders and two calls make six rows, and the sales count double.

    Parameters
    ----------
    customers : pandas.DataFrame
        customer_id and any columns to show, one row per customer (the customer file).
    clusters : pandas.DataFrame
        record_id, customer_id, as returned by `cluster_pairs`: which card, account or call is whose.
    orders, calls, tickets, campaign_contacts, consents : pandas.DataFrame
        The tables of these names. An order without a customer_ref belongs to nobody and is left out.

    Returns
    -------
    pandas.DataFrame
        The columns of `customers`, then by department. Sales: orders (number), spent (CNY), last_order. Service: calls,
        open_tickets (numbers), severity (the highest of the open tickets, 0 without one). Marketing: messages, opened
        (numbers), may_write (True if the newest entry for marketing, whichever record it was made on, is "given").

    Raises
    ------
    ValueError
        `customers` has a customer twice.

    References
    ----------
    Kimball, R. and Ross, M. (2013). The Data Warehouse Toolkit, 3rd ed., chapter 8. Wiley.

    Examples
    --------
    >>> import cimlab
    >>> names = ["orders", "calls", "tickets", "campaign_contacts", "consents"]
    >>> mine = {"orders": ["W1", "W1", "M1"], "calls": ["C1", "C2"], "tickets": [], "campaign_contacts": ["M1"],
    ...         "consents": ["M1"]}
    >>> key = {"calls": "call_id", "tickets": "call_id", "campaign_contacts": "member_id"}
    >>> tables = [cimlab.load(name).head(len(mine[name])).assign(**{key.get(name, "customer_ref"): mine[name]})
    ...           for name in names]
    >>> who = pd.DataFrame({"record_id": ["W1", "M1", "C1", "C2"], "customer_id": "K000001"})
    >>> view = single_customer_view(pd.DataFrame({"customer_id": ["K000001", "K000002"]}), who, *tables)
    >>> view[["customer_id", "orders", "calls", "open_tickets"]].to_numpy().tolist()
    [['K000001', 3, 2, 0], ['K000002', 0, 0, 0]]
    """
    if customers["customer_id"].duplicated().any():
        raise ValueError("`customers` has a customer twice: one row per customer is needed")
    owner = clusters.set_index("record_id")["customer_id"]
    waiting = tickets[tickets["closed_at"].isna()]
    sent = campaign_contacts[campaign_contacts["arm"] == "treated"]
    asked = consents[consents["purpose"] == "marketing"].sort_values("recorded_at")

    def by_customer(table, ref):
        return table.groupby(table[ref].map(owner).rename("customer_id"))

    bought, called = by_customer(orders, "customer_ref"), by_customer(calls, "call_id")
    open_cases, mailed = by_customer(waiting, "call_id"), by_customer(sent, "member_id")
    known = pd.DataFrame(
        {
            "orders": bought.size(),
            "spent": bought["amount"].sum(),
            "last_order": bought["ordered_at"].max(),
            "calls": called.size(),
            "open_tickets": open_cases.size(),
            "severity": open_cases["severity"].max(),
            "messages": mailed.size(),
            "opened": mailed["opened"].sum(),
            "may_write": by_customer(asked, "customer_ref")["action"].last() == "given",
        }
    )
    view = customers.merge(known, left_on="customer_id", right_index=True, how="left")
    counts = ["orders", "calls", "open_tickets", "severity", "messages", "opened"]
    view[counts] = view[counts].fillna(0).astype("int64")
    view["spent"] = view["spent"].astype("float64").fillna(0).round(2)
    view["may_write"] = view["may_write"].eq(True)
    return view.reset_index(drop=True)
