"""What a customer is worth: the profit now, the matrix of now and later, our share of the wallet (客户价值)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need, orders_until


def value_table(orders, lines, products, as_of, days=365, returns=None, customer="customer_id"):
    """Work out what each customer brought in the last days: revenue less cost of goods and refunds.

    Parameters
    ----------
    orders : pandas.DataFrame
        order_id, ordered_at and the column `customer`.
    lines : pandas.DataFrame
        order_id, product_id, quantity, amount (table ``order_lines``).
    products : pandas.DataFrame
        product_id, unit_cost (CNY per pack).
    as_of : datetime.date or str
        The last day that counts.
    days : int
        How far back, that day included.
    returns : pandas.DataFrame, optional
        order_id, returned_on, refund: what was paid back by that day is taken off. Goods that came back are counted as
        lost, which is the careful assumption.
    customer : str

    Returns
    -------
    pandas.DataFrame
        One row per customer who bought in that time: orders, revenue, cost, refunds, profit (what is left; rent, wages
        and advertising are not in it), margin (profit / revenue). The most profitable first.

    Raises
    ------
    ValueError
        A column is not there, nobody bought in that time, or an article has no cost.

    References
    ----------
    Kumar, V. and Reinartz, W. (2018). Customer Relationship Management, 3rd ed., chapter 5. Springer.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["o1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-06-01"])})
    >>> lines = pd.DataFrame({"order_id": ["o1", "o1"], "product_id": ["P1", "P2"], "quantity": [2, 1],
    ...                       "amount": [20.0, 5.0]})
    >>> products = pd.DataFrame({"product_id": ["P1", "P2"], "unit_cost": [7.0, 3.5]})
    >>> value_table(orders, lines, products, as_of="2026-06-30")
      customer_id  orders  revenue  cost  refunds  profit  margin
    0           a       1     25.0  17.5      0.0     7.5     0.3
    """
    day = pd.Timestamp(as_of).normalize()
    known = orders_until(orders, day, ["order_id"], customer)
    known = known[known["ordered_at"] >= day - pd.Timedelta(days=days - 1)]
    bought = need(lines, ["order_id", "product_id", "quantity", "amount"], "table of lines")
    unit_cost = need(products, ["product_id", "unit_cost"], "table of products").set_index("product_id")["unit_cost"]
    bought["cost"] = bought["quantity"] * bought["product_id"].map(unit_cost)
    sums = bought.groupby("order_id")[["amount", "cost"]].sum(min_count=1)
    known = known.join(sums, on="order_id").assign(refund=0.0)
    if known["cost"].isna().any():
        raise ValueError(f"the cost of order {known.loc[known['cost'].isna(), 'order_id'].iloc[0]} is not known")
    if returns is not None:
        back = need(returns, ["order_id", "returned_on", "refund"], "table of returns")
        refund = back[back["returned_on"] <= day].groupby("order_id")["refund"].sum()
        known["refund"] = known["order_id"].map(refund).fillna(0.0)
    table = known.groupby(customer).agg(
        orders=("order_id", "nunique"), revenue=("amount", "sum"), cost=("cost", "sum"), refunds=("refund", "sum")
    )
    table["profit"] = table["revenue"] - table["cost"] - table["refunds"]
    table["margin"] = table["profit"] / table["revenue"].where(table["revenue"] != 0)
    return table.sort_values("profit", ascending=False, kind="stable").reset_index()


def value_matrix(table, now, future, cuts=None):
    """Sort customers by what they bring now and what they will bring (客户价值矩阵).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per customer.
    now, future : str
        The columns with the value now (profit) and to come (customer lifetime value).
    cuts : tuple of float, optional
        From where on now and future are high; the means if not given.

    Returns
    -------
    pandas.DataFrame
        The table and `group`: platinum (白金, both high), gold (黄金, high now), iron (铁质, high in future), lead
        (铅质, neither). Missing if one of the values is.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["a", "b", "c"], "profit": [90.0, 5.0, 10.0], "clv": [80.0, 60.0, 1.0]})
    >>> value_matrix(table, now="profit", future="clv", cuts=(50, 50))["group"].tolist()
    ['platinum', 'iron', 'lead']
    """
    values = need(table, [now, future])
    cut_now, cut_future = (values[now].mean(), values[future].mean()) if cuts is None else cuts
    high_now, high_future = values[now].ge(cut_now), values[future].ge(cut_future)
    conditions = [high_now & high_future, high_now & ~high_future, ~high_now & high_future]
    group = pd.Series(np.select(conditions, ["platinum", "gold", "iron"], "lead"), index=table.index, dtype="str")
    return table.assign(group=group.where(values.notna().all(axis="columns")))


def share_of_wallet(table, ours, total, by=None):
    """Work out which part of what customers spend on such goods they spend with us (钱包份额).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per customer.
    ours : str
        Column with what the customer spends with us.
    total : str
        Column with what the customer spends on such goods everywhere: asked for, or estimated (`estimate_wallet`).
    by : str, optional
        Column of groups; one row for all if not given.

    Returns
    -------
    pandas.DataFrame
        Per group: customers, ours, total (sums), share (ours / total), gap (total - ours: what others get).

    Raises
    ------
    ValueError
        Somebody spends more with us than in total.

    Examples
    --------
    >>> table = pd.DataFrame({"tier": ["gold", "gold", "basic"], "spend": [300.0, 100.0, 20.0],
    ...                       "wallet": [400.0, 400.0, 200.0]})
    >>> share_of_wallet(table, "spend", "wallet", by="tier")
        tier  customers   ours  total  share    gap
    0  basic          1   20.0  200.0    0.1  180.0
    1   gold          2  400.0  800.0    0.5  400.0
    """
    values = need(table, [ours, total, *([] if by is None else [by])]).dropna()
    above = values[ours] > values[total]
    if above.any():
        raise ValueError(f"in {above.sum()} rows {ours} is more than {total}: a wallet holds at least what we get")
    groups = pd.Series(0, index=values.index) if by is None else values[by]
    grouped = values.groupby(groups)
    sums = grouped.agg(customers=(ours, "size"), ours=(ours, "sum"), total=(total, "sum"))
    sums = sums.assign(share=sums["ours"] / sums["total"], gap=sums["total"] - sums["ours"])
    return sums.reset_index(drop=by is None)


def estimate_wallet(table, spend, peers, quantile=0.9):
    """Estimate the wallet by what the best of a customer's peers spend.

    Who spends less than comparable customers probably spends the rest elsewhere. It is a guess as good as the choice
    of peers, and the best of them have other shops too: the true wallets are larger.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per customer.
    spend : str
        Column with what the customer spends with us.
    peers : list of str
        Customers with the same values in these columns are peers (size of household, city, industry, …).
    quantile : float
        Which one of the peers is the measure: 0.9 is spent or exceeded by one in ten.

    Returns
    -------
    pandas.DataFrame
        The table and `wallet`: that quantile of the peers, or what the customer spends if that is more.

    References
    ----------
    Rosset, S. et al. (2007). Wallet estimation models. Proceedings of the International Workshop on Customer
    Relationship Management: Data Mining Meets Marketing.

    Examples
    --------
    >>> table = pd.DataFrame({"city": ["x", "x", "x"], "spend": [10.0, 20.0, 30.0]})
    >>> estimate_wallet(table, "spend", ["city"], quantile=0.5)
      city  spend  wallet
    0    x   10.0    20.0
    1    x   20.0    20.0
    2    x   30.0    30.0
    """
    values = need(table, [spend, *peers])
    wallet = values.groupby(peers)[spend].transform("quantile", quantile)
    return table.assign(wallet=wallet.where(wallet >= values[spend], values[spend]))
