"""What the dashboard counts of all customers: quality before and after, consent, segments. It names nobody."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after
from cimlab.capstone.dashboard_tables import given, last_day, last_year
from cimlab.collection.consent import STATES

DIMENSIONS = ["completeness", "validity", "uniqueness"]
UNIQUE = ["phone", "email", "id_number"]  # two customers may well share a name, a city, or a house
SIDES = {"habit": ["frequency"], "basket": ["basket"], "price": ["on_offer"], "channel": ["share_web"]}
# Variable → what a segment is called that stands out by it, upwards or downwards.
_WORDS = {
    "frequency": ("come often", "come rarely"),
    "basket": ("large baskets", "small baskets"),
    "on_offer": ("hunt offers", "pay full price"),
    "share_web": ("buy online", "buy in shops"),
}


def quality_change(report):
    """Compare the quality of the fields before and after.

    Parameters
    ----------
    report : pandas.DataFrame
        stage ("before", "after"), field, completeness, validity, uniqueness.

    Returns
    -------
    pandas.DataFrame
        dimension, field, before, after, change (all shares). Uniqueness is told of what should be unique only.

    Examples
    --------
    >>> report = pd.DataFrame({"stage": ["before", "after"], "field": "city", "completeness": [0.9, 0.8],
    ...                        "validity": [0.9, 1.0], "uniqueness": [0.1, 0.1]})
    >>> quality_change(report)[["dimension", "change"]].round(2).to_numpy().tolist()
    [['completeness', -0.1], ['validity', 0.1]]
    """
    long = report.melt(["stage", "field"], DIMENSIONS, "dimension", "share")
    order = list(dict.fromkeys(report["field"]))
    table = long.pivot_table(index=["dimension", "field"], columns="stage", values="share", aggfunc="first")
    table = table.reindex(columns=["before", "after"]).dropna().reset_index().rename_axis(columns=None)
    table = table[(table["dimension"] != "uniqueness") | table["field"].isin(UNIQUE)]
    table["change"] = table["after"] - table["before"]
    return table.sort_values(
        ["dimension", "field"],
        key=lambda names: names.map((DIMENSIONS if names.name == "dimension" else order).index),
        ignore_index=True,
    )


def consent_shares(tables):
    """Return the share of the customers in each state of consent, by purpose.

    Returns
    -------
    pandas.DataFrame
        One row per purpose; columns given, withdrawn, never given: shares of all customers, 0 to 1.
    """
    states = tables["consent_state"]
    counts = pd.crosstab(states["purpose"], states["state"]).reindex(columns=list(STATES), fill_value=0)
    return counts.div(counts.sum(axis="columns"), axis="index").rename_axis(columns=None)


def consent_by_channel(tables, purpose):
    """Return the states of consent to a purpose of those who are known to each channel.

    Returns
    -------
    pandas.DataFrame
        One row per channel (a customer of two channels counts in both); columns given, withdrawn, never given: shares.
    """
    states = tables["consent_state"]
    known = tables["customer_source"][["customer_id", "source"]].drop_duplicates()
    known = known.merge(states[states["purpose"] == purpose], on="customer_id")
    counts = pd.crosstab(known["source"], known["state"]).reindex(columns=list(STATES), fill_value=0)
    counts = counts.reindex([name for name in ("till", "web", "call") if name in counts.index])
    return counts.div(counts.sum(axis="columns"), axis="index").rename_axis(index="channel", columns=None)


def reach(rows, tables, purpose):
    """Count who may be contacted for a purpose, and how.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `read_as` returns them: a masked phone is a phone, too.
    tables : dict
    purpose : str

    Returns
    -------
    pandas.DataFrame
        way (phone, email, address, none of them), may (customers with consent), active (of these, bought in 12 months),
        may_not (customers without consent).
    """
    active = set(last_year(tables)["customer_id"].dropna())
    ways = [way for way in ("phone", "email", "address") if way in rows]
    has = {way: rows[way].notna() for way in ways}
    has["none of them"] = ~rows[ways].notna().any(axis="columns")
    has["all customers"] = pd.Series(True, index=rows.index)
    may, lately = rows["customer_id"].isin(given(tables, purpose)), rows["customer_id"].isin(active)
    return pd.DataFrame(
        {
            "way": list(has),
            "may": [int((may & there).sum()) for there in has.values()],
            "active": [int((may & lately & there).sum()) for there in has.values()],
            "may_not": [int((~may & there).sum()) for there in has.values()],
        }
    )


def behaviour(tables, days=730):
    """Gather what the customers who bought in the last two years do.

    Returns
    -------
    pandas.DataFrame
        customer_id, frequency (purchases in a year), monetary (CNY in a year), basket (CNY a purchase), on_offer (share
        of the spend, 0 to 1; blank without the table transaction_lines), share_web (share of the purchases).
    """
    end = after(last_day(tables))
    bought = tables["transactions"].dropna(subset="customer_id")
    bought = bought[bought["ordered_at"] >= end - pd.Timedelta(days=days)]
    who = bought.groupby("customer_id")
    table = pd.DataFrame({"frequency": who.size() * 365 / days, "monetary": who["amount"].sum() * 365 / days})
    table["basket"] = table["monetary"] / table["frequency"]
    lines = tables["transaction_lines"]
    if lines is None:
        table["on_offer"] = np.nan
    else:
        lines = lines.merge(bought[["order_id", "customer_id"]], on="order_id")
        spent = lines.groupby("customer_id")["amount"].sum()
        offers = lines[lines["discount"] > 0].groupby("customer_id")["amount"].sum()
        table["on_offer"] = (offers / spent).reindex(table.index).fillna(0.0)
    table["share_web"] = bought["channel"].eq("web").groupby(bought["customer_id"]).mean()
    return table.reset_index()


def find_segments(table, k=5):
    """Group the customers by what they do, and call each group by what sets it apart.

    Parameters
    ----------
    table : pandas.DataFrame
        As `behaviour` returns it.
    k : int

    Returns
    -------
    pandas.Series
        Segment by customer_id, such as "C1 hunt offers"; the largest is C1.

    References
    ----------
    `mining.segment_customers`: k-means on the scaled sides of `SIDES`.
    """
    from cimlab import mining, profiles

    sides = {side: names for side, names in SIDES.items() if table[names].notna().all(axis=None)}
    scaled = profiles.scale_frame(table, sides)
    groups = mining.segment_customers(scaled, k)
    means = scaled.groupby(groups).mean()
    names = {}
    for group, row in means.iterrows():
        most = row.abs().idxmax()
        names[group] = f"{group} {_WORDS[most][0 if row[most] > 0 else 1]}"
    return groups.map(names).rename("segment")


def segment_table(table, segments):
    """Describe the segments: how many, what they bring, what they do.

    Parameters
    ----------
    table : pandas.DataFrame
        As `behaviour` returns it.
    segments : pandas.Series
        Segment by customer_id. Who is in none, or bought nothing in two years, is left out.

    Returns
    -------
    pandas.DataFrame
        One row per segment (the index), by revenue: customers, share, revenue (CNY a year), revenue_share, and the
        means of frequency, basket, on_offer, share_web. A segment of fewer than 10 customers has no means: they would
        tell of persons.

    Raises
    ------
    ValueError
        None of the customers has a segment.
    """
    table = table.assign(segment=table["customer_id"].map(segments)).dropna(subset="segment")
    if table.empty:
        raise ValueError("no customer who bought in the last two years has a segment: compare the customer_id of both")
    who = table.groupby("segment")
    told = pd.DataFrame({"customers": who.size(), "revenue": who["monetary"].sum()})
    told["share"] = told["customers"] / told["customers"].sum()
    told["revenue_share"] = told["revenue"] / told["revenue"].sum()
    means = who[["frequency", "basket", "on_offer", "share_web"]].mean()
    means[told["customers"] < 10] = np.nan
    told = told.join(means).sort_values("revenue", ascending=False)
    return told[["customers", "share", "revenue", "revenue_share", *means.columns]]


def find_labels(tables, products=None):
    """Label the customers by the rules of chapter 8.

    Parameters
    ----------
    tables : dict
        As `read_base` returns it.
    products : pandas.DataFrame, optional
        product_id, category. Without it the rules that speak of a category are left out.

    Returns
    -------
    pandas.DataFrame or None
        As `profiles.rule_labels` returns it; None without the table transaction_lines.
    """
    from cimlab import profiles

    lines = tables["transaction_lines"]
    if lines is None:
        return None
    heads = tables["transactions"].dropna(subset="customer_id")[["order_id", "customer_id", "channel", "ordered_at"]]
    lines, rules = lines.merge(heads, on="order_id"), profiles.RULES
    if products is None:
        rules = rules[~rules["condition"].str.contains("category")]
    else:
        lines = lines.merge(products[["product_id", "category"]], on="product_id", how="left")
    return profiles.rule_labels(lines, last_day(tables), rules)
