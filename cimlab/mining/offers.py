"""The next best offer (下一个最佳提议): what to send to whom, within consent, contact pressure and budget."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after, need
from cimlab.collection import consent_of_customers, consent_state
from cimlab.profiles.variables import owners


def may_contact(customers, consents, clusters, messages, as_of, quiet_days=60):
    """Say whom one may write to: who agreed to marketing, and was left in peace for long enough (触达频次).

    A person may have several cards and accounts. Consent must be given for one of them and be withdrawn for none: who
    said no once at the till means no in the app, too.

    Parameters
    ----------
    customers : list of str or pandas.Series
        The customers who are asked about.
    consents : pandas.DataFrame
        The table ``consents``.
    clusters : pandas.DataFrame
        record_id, customer_id, as ``database.cluster_pairs`` returns it.
    messages : pandas.DataFrame
        One row a customer and campaign: customer_id, starts_on, treated.
    as_of : datetime.date or str
        The day of the decision; what is recorded on it counts.
    quiet_days : int
        Days of peace after a message.

    Returns
    -------
    pandas.DataFrame
        One row a customer, sorted: customer_id, consent (given, withdrawn, never given), last_message (day), allowed
        (bool), why ("" or the rule that forbids it: no consent, messaged lately).

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_ref": ["M1", "W1", "M2"], "purpose": "marketing", "method": "web form",
    ...     "action": ["given", "withdrawn", "given"], "notice_version": "v2",
    ...     "recorded_at": pd.to_datetime(["2025-01-01", "2026-01-01", "2025-01-01"])})
    >>> who = pd.DataFrame({"record_id": ["M1", "W1", "M2"], "customer_id": ["K1", "K1", "K2"]})
    >>> none = pd.DataFrame(columns=["customer_id", "starts_on", "treated"])
    >>> may_contact(["K1", "K2", "K3"], ledger, who, none, "2026-06-30")[["customer_id", "consent", "allowed"]]
      customer_id      consent  allowed
    0          K1    withdrawn    False
    1          K2        given     True
    2          K3  never given    False
    """
    owner = owners(clusters)
    sent = need(messages, ["customer_id", "starts_on", "treated"], "table of messages")
    said = consent_of_customers(consent_state(consents, after(as_of), purposes=["marketing"]), owner)
    table = pd.DataFrame({"customer_id": sorted(pd.unique(pd.Series(customers)))})
    table["consent"] = table["customer_id"].map(said).astype("str").fillna("never given")
    day = pd.Timestamp(as_of).normalize()
    past = sent[sent["treated"].astype("bool") & (pd.to_datetime(sent["starts_on"]) <= day)]
    last = pd.to_datetime(table["customer_id"].map(past.groupby("customer_id")["starts_on"].max()))
    quiet = ~((day - last).dt.days < quiet_days)
    table = table.assign(last_message=last, allowed=quiet & (table["consent"] == "given"))
    forbids = np.where(table["consent"] != "given", "no consent", np.where(quiet, "", "messaged lately"))
    return table.assign(why=forbids)


def shrink_to_mean(table, estimate="difference", error="error"):
    """Pull estimates from little data towards their mean (收缩估计), the more the less each of them is sure.

    How much the groups really differ is estimated from how much they differ *more* than their errors explain (the
    method of DerSimonian and Laird). If that is nothing, all get the mean.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a group or campaign, as `compare_arms` returns it.
    estimate, error : str
        Columns with the estimate and its standard error.

    Returns
    -------
    pandas.DataFrame
        The table, own (0 to 1: how much the group's own estimate counts) and shrunk.

    Raises
    ------
    ValueError
        A column is missing, or an error is not above 0.

    References
    ----------
    DerSimonian, R., Laird, N. (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7(3). Efron, B.,
    Morris, C. (1977). Stein's paradox in statistics. Scientific American 236(5).

    Examples
    --------
    >>> groups = pd.DataFrame({"difference": [0.10, 0.02], "error": [0.02, 0.02]}, index=["active", "asleep"])
    >>> shrink_to_mean(groups)
            difference  error   own  shrunk
    active        0.10   0.02  0.875   0.095
    asleep        0.02   0.02  0.875   0.025
    """
    need(table, [estimate, error])
    values, variances = table[estimate].to_numpy("float64"), table[error].to_numpy("float64") ** 2
    if not (variances > 0).all():
        raise ValueError(f"each {error} must be above 0: without an error nothing says how far to trust an estimate")
    weight = 1 / variances
    apart = (weight * (values - np.average(values, weights=weight)) ** 2).sum()
    room = weight.sum() - (weight**2).sum() / weight.sum()
    between = max(0.0, (apart - (len(values) - 1)) / room) if len(values) > 1 else 0.0
    mean = np.average(values, weights=1 / (variances + between))
    own = between / (between + variances)
    return table.assign(own=own, shrunk=mean + own * (values - mean))


def offer_gains(customers, offers):
    """Reckon for each customer what each offer is expected to earn: uplift × value − cost.

    Parameters
    ----------
    customers : pandas.DataFrame
        customer_id, base (chance to buy without a message, 0 to 1), uplift (what a message adds to it), value (margin
        of one purchase, CNY).
    offers : pandas.DataFrame
        offer (name), medium, strength (its uplift as a multiple of the usual one), coupon, cost (CNY a message).

    Returns
    -------
    pandas.DataFrame
        One row a customer and offer, sorted: customer_id, offer, medium, buys (chance with the message), uplift, spend
        (CNY: the message, and the coupon of all who then buy, also of those who would have bought anyway), gain (CNY:
        uplift × value − spend).

    Raises
    ------
    ValueError
        A column is missing, a number is blank, or a customer or an offer stands there twice.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["K1"], "base": [0.1], "uplift": [0.1], "value": [30.0]})
    >>> offers = pd.DataFrame({"offer": ["coupon", "greeting"], "medium": "sms", "strength": [1.0, 0.5],
    ...                        "coupon": [10.0, 0.0], "cost": [0.1, 0.1]})
    >>> offer_gains(customers, offers)[["customer_id", "offer", "spend", "gain"]].round(2)
      customer_id     offer  spend  gain
    0          K1    coupon    2.1   0.9
    1          K1  greeting    0.1   1.4
    """
    people = need(customers, ["customer_id", "base", "uplift", "value"], "table of customers")
    goods = need(offers, ["offer", "medium", "strength", "coupon", "cost"], "table of offers")
    for table, key in ((people, "customer_id"), (goods, "offer")):
        if table[key].duplicated().any():
            raise ValueError(f"{key} {table.loc[table[key].duplicated(), key].iloc[0]} stands there twice")
        if table.isna().any(axis=None):
            raise ValueError(f"the column {table.columns[table.isna().any()][0]} has a blank: fill it with the mean")
    each = people.merge(goods, how="cross")
    each["buys"] = (each["base"] + each["uplift"] * each["strength"]).clip(0, 1)
    each["uplift"] = each["buys"] - each["base"]
    each["spend"] = each["coupon"] * each["buys"] + each["cost"]
    each["gain"] = each["uplift"] * each["value"] - each["spend"]
    columns = ["customer_id", "offer", "medium", "buys", "uplift", "spend", "gain"]
    return each.sort_values(["customer_id", "offer"], ignore_index=True)[columns]


def choose_offers(gains, allowed, reach=None, budget=None):
    """Choose the next best offer for each customer; "no offer" is an answer.

    Each customer gets the offer with the highest gain among those that reach him, if it is above 0. Then the money
    goes to the offers that gain most for each CNY, until the next one would cost more than is left.

    Parameters
    ----------
    gains : pandas.DataFrame
        As returned by `offer_gains`.
    allowed : pandas.DataFrame
        One row a customer: customer_id, allowed (bool), why, as `may_contact` returns it.
    reach : pandas.DataFrame, optional
        customer_id, medium: how each customer can be reached. All by all media when left out.
    budget : float, optional
        CNY for messages and coupons together; without an end when left out.

    Returns
    -------
    pandas.DataFrame
        One row a customer of `allowed`, sorted: customer_id, offer ("no offer" or its name), medium, spend, gain (CNY;
        0 without an offer), why (best offer, or what stands against one: the word of `allowed`, cannot be reached, no
        offer pays, beyond the budget).

    Raises
    ------
    ValueError
        A column is missing, a customer stands there twice, a customer who is allowed has no gains, or the budget is
        below 0.

    Examples
    --------
    >>> gains = pd.DataFrame({"customer_id": ["K1", "K1", "K2", "K3"], "offer": ["coupon", "greeting"] + ["coupon"] * 2,
    ...                       "medium": "sms", "spend": [2.0, 0.1, 2.0, 2.0], "gain": [0.9, 1.4, -0.2, 3.0]})
    >>> allowed = pd.DataFrame({"customer_id": ["K1", "K2", "K3", "K4"], "allowed": [True, True, True, False],
    ...                         "why": ["", "", "", "no consent"]})
    >>> choose_offers(gains, allowed, budget=1.0)[["customer_id", "offer", "gain", "why"]]
      customer_id     offer  gain                why
    0          K1  greeting   1.4         best offer
    1          K2  no offer   0.0       no offer pays
    2          K3  no offer   0.0  beyond the budget
    3          K4  no offer   0.0         no consent
    """
    options = need(gains, ["customer_id", "offer", "medium", "spend", "gain"], "table of gains")
    table = need(allowed, ["customer_id", "allowed", "why"], "table of those who may be written to")
    if table["customer_id"].duplicated().any():
        raise ValueError("a customer stands twice in `allowed`: one row per customer is needed")
    unknown = set(table.loc[table["allowed"], "customer_id"]) - set(options["customer_id"])
    if unknown:
        raise ValueError(f"customer {min(unknown)} may be written to, but has no gains")
    if budget is not None and budget < 0:
        raise ValueError("the budget is below 0")
    if reach is not None:
        options = options.merge(need(reach, ["customer_id", "medium"], "table of reach").drop_duplicates())
    best = options.sort_values(["customer_id", "gain", "offer"], ascending=[True, False, True])
    best = best.drop_duplicates("customer_id").set_index("customer_id")
    table = table.sort_values("customer_id").join(best, on="customer_id").reset_index(drop=True)
    may = table["allowed"]
    table.loc[may, "why"] = "best offer"
    table.loc[may & table["offer"].isna(), "why"] = "cannot be reached"
    table.loc[may & (table["gain"] <= 0), "why"] = "no offer pays"
    if budget is not None:
        wanted = table[table["why"] == "best offer"]
        worth = wanted["gain"] / wanted["spend"].clip(lower=1e-9)
        paid = wanted.loc[worth.sort_values(ascending=False, kind="stable").index, "spend"].cumsum()
        table.loc[paid.index[paid > budget + 1e-9], "why"] = "beyond the budget"
    none = table["why"] != "best offer"
    table.loc[none, ["spend", "gain"]] = 0.0
    table.loc[none, "offer"], table.loc[none, "medium"] = "no offer", None
    return table[["customer_id", "offer", "medium", "spend", "gain", "why"]]


def offer_report(choice):
    """Count what a choice of offers sends, costs and is expected to earn.

    Parameters
    ----------
    choice : pandas.DataFrame
        As returned by `choose_offers`.

    Returns
    -------
    pandas.DataFrame
        One row an offer and, for those without one, a reason: offer, why, customers, spend, gain (CNY); the offers
        first, by gain, then the reasons, by customers.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> choice = pd.DataFrame({"offer": ["greeting", "no offer"], "why": ["best offer", "no consent"],
    ...                        "spend": [0.1, 0.0], "gain": [1.4, 0.0]})
    >>> offer_report(choice)
          offer         why  customers  spend  gain
    0  greeting  best offer          1    0.1   1.4
    1  no offer  no consent          1    0.0   0.0
    """
    rows = need(choice, ["offer", "why", "spend", "gain"], "choice")
    parts = {"customers": ("offer", "size"), "spend": ("spend", "sum"), "gain": ("gain", "sum")}
    table = rows.groupby(["offer", "why"], as_index=False).agg(**parts)
    order = [(table["offer"] == "no offer"), -table["gain"], -table["customers"], table["why"]]
    ranked = pd.concat(order, axis=1, keys=range(4)).sort_values(list(range(4))).index
    return table.loc[ranked].reset_index(drop=True)
