"""Step 1, gather static and dynamic data (静态数据、动态数据), and choose the key variables (关键变量)."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after, need
from cimlab.profiles.words import CATEGORIES, CHANNELS, TABLES, VARIABLES, share_of

AGE_BANDS = {(14, 24): "14-24", (25, 34): "25-34", (35, 44): "35-44", (45, 54): "45-54", (55, 64): "55-64"}
TIERS = ["basic", "silver", "gold"]


def purchase_lines(orders, order_lines, products, clusters, as_of):
    """Join what was bought with who bought it and what it is: one row per line of a known customer's order.

    Parameters
    ----------
    orders, order_lines, products : pandas.DataFrame
        The tables of these names.
    clusters : pandas.DataFrame
        record_id, customer_id: which card, account or call is whose, as ``database.cluster_pairs`` returns it.
    as_of : datetime.date or str
        The last day that is known. Later orders are left out.

    Returns
    -------
    pandas.DataFrame
        customer_id, order_id, line_no, ordered_at, channel, product_id, category, quantity, unit_price, discount,
        amount (CNY of the line).

    Raises
    ------
    ValueError
        A column is not there, a record has two customers, or nobody known had bought by that day.

    Examples
    --------
    >>> import cimlab
    >>> who = pd.DataFrame({"record_id": cimlab.load("members")["member_id"]})
    >>> who["customer_id"] = "K" + who["record_id"]
    >>> tables = [cimlab.load(name) for name in ("orders", "order_lines", "products")]
    >>> purchase_lines(*tables, who, "2026-06-30")["channel"].unique().tolist()
    ['till']
    """
    owner = owners(clusters)
    heads = need(orders, ["order_id", "channel", "customer_ref", "ordered_at"], "orders table")
    heads["customer_id"] = heads.pop("customer_ref").map(owner)
    heads = heads[heads["customer_id"].notna() & (heads["ordered_at"] < after(as_of))]
    columns = ["order_id", "line_no", "product_id", "quantity", "unit_price", "discount", "amount"]
    lines = need(order_lines, columns, "order_lines table").merge(heads, on="order_id")
    lines = lines.merge(need(products, ["product_id", "category"], "products table"), on="product_id", how="left")
    if lines.empty:
        raise ValueError(f"no known customer bought anything up to {pd.Timestamp(as_of).date()}: is the day right?")
    first = ["customer_id", "order_id", "line_no", "ordered_at", "channel", "product_id", "category"]
    lines = lines[[*first, "quantity", "unit_price", "discount", "amount"]]
    return lines.sort_values(["ordered_at", "order_id", "line_no"], ignore_index=True)


def gather_variables(customers, clusters, tables, as_of, days=730):
    """Put what is known of each customer into one table: static and dynamic data, one row per customer.

    A name, a phone, an address or an identity number is not taken over: a profile does not need them. What has a date
    ends with the day. gender, city and tier have none: they are those of the day on which the tables were written, also
    in a profile of an earlier day, so leave them out of a model that predicts.

    Parameters
    ----------
    customers : pandas.DataFrame
        customer_id, gender (F, M), birth_date, city: one row per customer, as ``database.merge_records`` returns it.
    clusters : pandas.DataFrame
        record_id, customer_id: which card, account or call is whose.
    tables : dict of str to pandas.DataFrame
        The tables named in `TABLES`.
    as_of : datetime.date or str
        The last day that is known.
    days : int
        Length of the window of the dynamic data, in days. recency and the survey look back without an end.

    Returns
    -------
    pandas.DataFrame
        customer_id, then the columns of `VARIABLES` (see there for source and unit). A count is 0 where nothing was
        noted; a share or a mean of nothing is missing.

    Raises
    ------
    ValueError
        A table or a column is not there, or a customer stands there twice.

    Examples
    --------
    >>> import cimlab
    >>> tables = {name: cimlab.load(name) for name in TABLES}
    >>> who = pd.DataFrame({"record_id": ["MQ16TQ"], "customer_id": ["K1"]})
    >>> file = pd.DataFrame({"customer_id": ["K1"], "gender": ["F"], "birth_date": pd.to_datetime(["1974-08-10"]),
    ...                      "city": ["宁波"]})
    >>> gather_variables(file, who, tables, "2026-06-30")[["customer_id", "age_band", "city", "tier"]]
      customer_id age_band city   tier
    0          K1    45-54   宁波  basic
    """
    absent = [name for name in TABLES if name not in tables]
    if absent:
        raise ValueError(f"`tables` lacks {', '.join(absent)}: {{name: cimlab.load(name) for name in profiles.TABLES}}")
    table = need(customers, ["customer_id", "gender", "birth_date", "city"], "table of customers")
    if table["customer_id"].duplicated().any():
        raise ValueError("the table of customers has a customer twice: one row per customer is needed")
    table["age_band"] = age_bands(table.pop("birth_date"), as_of)
    table = table.set_index("customer_id")
    sent = _dated(tables["campaign_contacts"], tables["campaigns"])
    tables = {**tables, "campaign_contacts": sent}
    known = {name: _until(tables[name], clusters, name, as_of) for name in EVENT_COLUMNS}
    since = after(as_of) - pd.Timedelta(days=days)
    recent = {name: rows[rows["at"] >= since] for name, rows in known.items()}
    names = ("orders", "order_lines", "products")
    lines = purchase_lines(*(tables[name] for name in names), clusters, as_of)
    window = lines[lines["ordered_at"] >= since]
    parts = [
        _cards(known["members"], known["web_accounts"], as_of),
        _recency(lines, as_of),
        _purchases(window),
        _shares(window),
        _returned(window, tables["returns"], as_of),
        _contacts(recent),
        _answers(known["questionnaire"]),
    ]
    table = pd.concat([table, *parts], axis=1).reindex(table.index).reset_index()
    counts = ["frequency", "monetary", "visits", "views", "calls", "complaints"]
    table[counts] = table[counts].fillna(0)
    return table[["customer_id", *VARIABLES["variable"]]]


# Each table of events: the column that says whose row it is, and the one that says when.
EVENT_COLUMNS = {
    "members": ("member_id", "joined_on"),
    "web_accounts": ("account_id", "registered_on"),
    "web_events": ("account_id", "happened_at"),
    "calls": ("call_id", "called_at"),
    "tickets": ("call_id", "opened_at"),
    "questionnaire": ("member_id", "submitted_at"),
    "campaign_contacts": ("member_id", "ended_on"),
}


def owners(clusters):
    """Return which customer each record belongs to, as a Series that `map` understands.

    Examples
    --------
    >>> owners(pd.DataFrame({"record_id": ["M1"], "customer_id": ["K1"]}))["M1"]
    'K1'
    """
    pairs = need(clusters, ["record_id", "customer_id"], "table of clusters").drop_duplicates()
    if pairs["record_id"].duplicated().any():
        twice = pairs.loc[pairs["record_id"].duplicated(), "record_id"].iloc[0]
        raise ValueError(f"the record {twice} belongs to two customers in the table of clusters: decide for one")
    return pairs.set_index("record_id")["customer_id"]


def age_bands(birth_date, as_of):
    """Sort birth dates into bands of age (年龄段).

    An age under 14 gives no band, since a profile must not hold children; over 100, the date is not believed.

    Parameters
    ----------
    birth_date : pandas.Series of datetime
    as_of : datetime.date or str

    Returns
    -------
    pandas.Series of str

    Examples
    --------
    >>> age_bands(pd.Series(pd.to_datetime(["1990-07-01", "1950-01-01", "2020-01-01", None])), "2026-06-30").tolist()
    ['35-44', '65+', nan, nan]
    """
    age = ages(birth_date, as_of)
    band = pd.Series(pd.NA, index=age.index, dtype="str")
    for (low, high), name in AGE_BANDS.items():
        band[age.between(low, high)] = name
    band[age.between(65, 100)] = "65+"
    return band


def ages(birth_date, as_of):
    """Return the age in whole years at a day.

    Examples
    --------
    >>> ages(pd.Series(pd.to_datetime(["1990-07-01", "1990-06-30"])), "2026-06-30").tolist()
    [35, 36]
    """
    day, born = pd.Timestamp(as_of), birth_date.dt
    birthday_ahead = (born.month * 100 + born.day) > day.month * 100 + day.day
    return day.year - born.year - birthday_ahead


def choose_variables(table, columns=None, filled=0.5, common=0.95, alike=0.9):
    """Choose the key variables: drop those that are too blank, near-constant or near-duplicates of another.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per customer.
    columns : list of str, optional
        Columns to judge; all but customer_id when left out. Of two that are alike the first stays.
    filled : float
        A variable with a smaller share of filled cells is dropped.
    common : float
        A variable of which one value makes up a greater share of the filled cells is dropped.
    alike : float
        A number whose rank correlation with a kept one is greater (either way) is dropped.

    Returns
    -------
    pandas.DataFrame
        One row per variable: variable, filled (share), commonest (share of the commonest value), twin (the kept
        variable that it is most alike), correlation (Spearman), verdict ("keep", "too blank", "near constant",
        "near duplicate").

    Raises
    ------
    ValueError
        A column is not there.

    References
    ----------
    Kuhn, M. and Johnson, K. (2013). Applied Predictive Modeling, chapter 3.5. Springer.

    Examples
    --------
    >>> table = pd.DataFrame({"spent": [1, 2, 3, 4.0], "spent_fen": [100, 200, 300, 400], "shop": "one",
    ...                       "survey": [None, None, None, 5]})
    >>> choose_variables(table)[["variable", "verdict", "twin"]]
        variable         verdict   twin
    0      spent            keep    NaN
    1  spent_fen  near duplicate  spent
    2       shop   near constant    NaN
    3     survey       too blank    NaN
    """
    columns = [column for column in table.columns if column != "customer_id"] if columns is None else list(columns)
    judged = need(table, columns, "table of variables")
    numbers = judged.select_dtypes("number").corr(method="spearman")
    rows, kept = [], []
    for column in columns:
        values = judged[column].dropna()
        share = len(values) / max(len(judged), 1)
        most = values.value_counts(normalize=True).max() if len(values) else 0.0
        among = numbers[column].reindex(kept).dropna() if column in numbers else pd.Series(dtype="float64")
        twin = among.abs().idxmax() if len(among) else None
        correlation = among[twin] if twin else np.nan
        verdict = "keep"
        if share < filled:
            verdict = "too blank"
        elif most > common:
            verdict = "near constant"
        elif abs(correlation) > alike:
            verdict = "near duplicate"
        if verdict == "keep" and column in numbers:
            kept.append(column)
        rows.append([column, share, most, twin, correlation, verdict])
    report = pd.DataFrame(rows, columns=["variable", "filled", "commonest", "twin", "correlation", "verdict"])
    return report.astype({"twin": "str"})


def _dated(contacts, campaigns):
    """Return the contacts with the day on which their time to answer was over: before it, nobody knows who opened."""
    rows = need(campaigns, ["campaign_id", "starts_on", "window_days"], "campaigns table").set_index("campaign_id")
    ends = rows["starts_on"] + pd.to_timedelta(rows["window_days"], unit="D")
    need(contacts, ["campaign_id"], "campaign_contacts table")
    return contacts.assign(ended_on=contacts["campaign_id"].map(ends))


def _until(table, clusters, name, as_of):
    """Return the rows of known customers up to the day, with customer_id and at (the moment)."""
    who, when = EVENT_COLUMNS[name]
    rows = need(table, [who, when], f"{name} table")
    rows = table.assign(customer_id=rows[who].map(owners(clusters)), at=rows[when])
    return rows[rows["customer_id"].notna() & (rows["at"] < after(as_of))]


def _cards(members, accounts, as_of):
    """Return the best grade and the time since the first card or account."""
    rank = members["tier"].map({tier: number for number, tier in enumerate(TIERS)})
    tier = rank.groupby(members["customer_id"]).max().map(dict(enumerate(TIERS)))
    first = pd.concat([rows[["customer_id", "at"]] for rows in (members, accounts)]).groupby("customer_id")["at"].min()
    return pd.DataFrame({"tier": tier, "tenure": (pd.Timestamp(as_of).normalize() - first).dt.days})


def _recency(lines, as_of):
    """Return the days since the last purchase."""
    last = lines.groupby("customer_id")["ordered_at"].max().dt.normalize()
    return (pd.Timestamp(as_of).normalize() - last).dt.days.rename("recency")


def _purchases(lines):
    """Return how often, how much and how each customer buys."""
    each = lines.groupby("customer_id")
    orders = each["order_id"].nunique()
    spent, packs = each["amount"].sum(), each["quantity"].sum()
    offered = lines["amount"].where(lines["discount"] > 0, 0).groupby(lines["customer_id"]).sum()
    full = (lines["unit_price"] * lines["quantity"]).groupby(lines["customer_id"]).sum()
    measures = {"frequency": orders, "monetary": spent, "basket": spent / orders, "articles": packs / orders}
    return pd.DataFrame({**measures, "on_offer": offered / spent, "pack_price": full / packs})


def _shares(lines):
    """Return the mix of channels (of the purchases) and of categories (of the spend)."""
    heads = lines.drop_duplicates("order_id")
    channels = pd.crosstab(heads["customer_id"], heads["channel"], normalize="index").reindex(columns=list(CHANNELS))
    spend = lines.pivot_table(index="customer_id", columns="category", values="amount", aggfunc="sum", fill_value=0)
    spend = spend.div(spend.sum(axis=1), axis=0).reindex(columns=list(CATEGORIES))
    return pd.concat([channels, spend], axis=1).fillna(0).rename(columns=share_of)


def _returned(lines, returns, as_of):
    """Return the share of the lines that came back."""
    back = need(returns, ["order_id", "line_no", "returned_on"], "returns table")
    back = back.loc[back["returned_on"] < after(as_of), ["order_id", "line_no"]].drop_duplicates()
    marked = lines.merge(back.assign(back=1.0), on=["order_id", "line_no"], how="left")
    return marked["back"].fillna(0).groupby(marked["customer_id"]).mean().rename("returned")


def _contacts(recent):
    """Return attention in the web shop, calls, complaints and what became of messages."""
    events, sent = recent["web_events"], recent["campaign_contacts"]
    sent = sent[sent["arm"] == "treated"]
    return pd.DataFrame(
        {
            "visits": events.groupby("customer_id")["session_id"].nunique(),
            "views": events[events["event"] == "view"].groupby("customer_id").size(),
            "calls": recent["calls"].groupby("customer_id").size(),
            "complaints": recent["tickets"].groupby("customer_id").size(),
            "messages_opened": sent.groupby("customer_id")["opened"].mean(),
        }
    )


def _answers(answers):
    """Return the last answer to the survey."""
    last = answers.sort_values("at").drop_duplicates("customer_id", keep="last").set_index("customer_id")
    return last[["q6_overall", "q7_recommend"]].rename(
        columns={"q6_overall": "satisfaction", "q7_recommend": "recommend"}
    )
