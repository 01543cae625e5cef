"""Lab 8: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import math

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, database, profiles

TODAY = pd.Timestamp("2026-06-30")
THEN = pd.Timestamp("2025-12-31")
GROUPS = 5
PERSONAL = ["name", "phone", "id_number", "birth_date", "address"]
GUESSED = ["pregnancy_guess"]
KEPT = ["age_band", "city", "recency", "frequency", "basket", "share_web", "share_baby"]


# --- What is given ----------------------------------------------------------------------------------------------------


def prepare():
    """Return the customers and what they bought.

    A customer is here all cards and accounts with the same phone and the same name in pinyin, so that the lab starts
    at once; chapter 3 links better. Calls are left out.

    Returns
    -------
    customers : pandas.DataFrame
        One row per customer: customer_id, since (day of the first card or account), name, phone, id_number,
        birth_date, address, gender, city: of each the newest that is filled.
    clusters : pandas.DataFrame
        record_id (card or account), customer_id.
    lines : pandas.DataFrame
        One row per article bought, as `cimlab.profiles.purchase_lines` returns it.

    Examples
    --------
    >>> customers, clusters, lines = prepare()
    >>> customers["customer_id"].is_unique, clusters.columns.tolist()
    (True, ['record_id', 'customer_id'])
    """
    members, accounts = cimlab.load("members"), cimlab.load("web_accounts")
    records = database.extract_records(members, accounts, cimlab.load("calls"))
    clean = database.standardise_records(records[records["source"] != "call"])
    clusters = database.cluster_pairs(clean, database.candidate_pairs(clean, [["phone", "name_pinyin"]]))
    owner = clusters.set_index("record_id")["customer_id"]
    first = pd.concat([members.set_index("member_id")["joined_on"], accounts.set_index("account_id")["registered_on"]])
    newest = clean.assign(customer_id=clean["record_id"].map(owner)).sort_values(["updated_at", "record_id"])
    customers = newest.groupby("customer_id").last().reset_index()
    customers = customers.assign(since=customers["customer_id"].map(first.groupby(owner).min()))
    tables = [cimlab.load(name) for name in ("orders", "order_lines", "products")]
    lines = profiles.purchase_lines(*tables, clusters, TODAY)
    return customers[["customer_id", "since", *PERSONAL, "gender", "city"]], clusters, lines


def group(customers, clusters):
    """Return the variables of the customers half a year ago, and the clusters of those who bought twice or more.

    Parameters
    ----------
    customers, clusters
        As `prepare` returns them.

    Returns
    -------
    variables : pandas.DataFrame
        As `cimlab.profiles.gather_variables` returns it at `THEN` for a year, of those who bought in it. Calls
        are not linked here, and the grade of a card is that of today, which nobody knew then: both are left out.
    groups : pandas.Series
        The cluster, by customer_id; who bought once has none.

    Examples
    --------
    >>> customers, clusters, _ = prepare()
    >>> sorted(group(customers, clusters)[1].unique())
    ['C1', 'C2', 'C3', 'C4', 'C5']
    """
    variables = _gathered(customers[customers["since"] <= THEN], clusters, THEN)
    variables = (
        variables[variables["frequency"] > 0].drop(columns=["calls", "complaints", "tier"]).reset_index(drop=True)
    )
    frame = profiles.scale_frame(variables[variables["frequency"] >= 2])
    return variables, profiles.cluster_customers(frame, GROUPS)


def stored_labels(lines, clusters):
    """Return the labels of today and of a year ago in one table, as they heap up where nobody lets them fade.

    Parameters
    ----------
    lines, clusters
        As `prepare` returns them.

    Returns
    -------
    pandas.DataFrame
        customer_id, label, kind, weight, since, seen_on, source; of a label made twice the newer row.

    Examples
    --------
    >>> _, clusters, lines = prepare()
    >>> stored_labels(lines, clusters)["kind"].unique().tolist()
    ['rule', 'fact']
    """
    rules = profiles.RULES[~profiles.RULES["label"].str.startswith("likes")]
    made = [profiles.rule_labels(lines, day, rules) for day in (TODAY - pd.DateOffset(years=1), TODAY)]
    names = {"silver": ("silver card", "银卡会员"), "gold": ("gold card", "金卡会员")}
    cards = cimlab.load("members")
    made.append(profiles.fact_labels(cards, clusters, "member_id", "tier", names, "joined_on", "members"))
    newest = pd.concat(made, ignore_index=True).drop_duplicates(["customer_id", "label"], keep="last")
    return newest.drop(columns="label_zh").reset_index(drop=True)


def draft_profile(customers, clusters):
    """Return the profile table that marketing drafted: who bought in the last year, with all that was at hand.

    Parameters
    ----------
    customers, clusters
        As `prepare` returns them.

    Returns
    -------
    pandas.DataFrame
        customer_id, the columns of `PERSONAL`, `GUESSED` and `KEPT`.

    Examples
    --------
    >>> customers, clusters, _ = prepare()
    >>> draft_profile(customers, clusters)["pregnancy_guess"].unique().tolist()
    ['no sign', 'likely']
    """
    table = _gathered(customers, clusters, TODAY).merge(customers[["customer_id", *PERSONAL]], on="customer_id")
    table = table.assign(pregnancy_guess=np.where(table["share_baby"] >= 0.25, "likely", "no sign"))
    return table.loc[table["frequency"] > 0, ["customer_id", *PERSONAL, *GUESSED, *KEPT]].reset_index(drop=True)


def segment_table(variables, groups, lines, clusters, consents):
    """Return what the clusters of half a year ago did before, and what they paid in the half-year since.

    Parameters
    ----------
    variables, groups
        As `group` returns them.
    lines, clusters
        As `prepare` returns them.
    consents : pandas.DataFrame
        The table ``consents``.

    Returns
    -------
    pandas.DataFrame
        One row per cluster: customers; the means of frequency, recency (days), basket (CNY), on_offer, share_web (all
        before `THEN`); later (CNY a customer paid after `THEN`, mean), low and high (its 95 % interval); agreed (share
        of the customers who may be profiled today).

    Examples
    --------
    >>> customers, clusters, lines = prepare()
    >>> table = segment_table(*group(customers, clusters), lines, clusters, cimlab.load("consents"))
    >>> bool((table["low"] < table["later"]).all())
    True
    """
    mine = variables[variables["customer_id"].isin(groups.index)]
    after = lines[lines["ordered_at"] >= THEN + pd.Timedelta(days=1)].groupby("customer_id")["amount"].sum()
    may = profiles.may_profile(consents, clusters, TODAY + pd.Timedelta(days=1)).set_index("customer_id")["allowed"]
    mine = mine.assign(
        later=mine["customer_id"].map(after).fillna(0.0), agreed=mine["customer_id"].map(may).astype("float64")
    )
    each = mine.groupby(mine["customer_id"].map(groups).rename("cluster"))
    means = each[["frequency", "recency", "basket", "on_offer", "share_web", "later"]].mean()
    half = 1.96 * each["later"].std() / np.sqrt(each.size())
    means.insert(0, "customers", each.size())
    return means.assign(low=means["later"] - half, high=means["later"] + half, agreed=each["agreed"].mean())


def stability(variables, groups):
    """Return how well the clusters agree when customers are drawn again: adjusted Rand index, mean of ten draws.

    Parameters
    ----------
    variables, groups
        As `group` returns them.

    Returns
    -------
    float
        1 is the same clusters, 0 is what chance gives.

    Examples
    --------
    >>> customers, clusters, _ = prepare()
    >>> 0 < stability(*group(customers, clusters)) <= 1
    True
    """
    frame = profiles.scale_frame(variables[variables["customer_id"].isin(groups.index)])
    return float(profiles.cluster_stability(frame, groups.nunique(), rounds=10).mean())


def _gathered(customers, clusters, as_of):
    tables = {name: cimlab.load(name) for name in profiles.TABLES}
    return profiles.gather_variables(customers, clusters, tables, as_of, days=365)


# --- Small tables, and sentences that several checks need -------------------------------------------------------------


def table_of(rows, columns):
    """Return a small table; columns that end in ``_on``, ``_at`` or ``_date`` and ``since`` are read as moments."""
    table = pd.DataFrame(rows, columns=columns)
    for column in table.columns:
        if column == "since" or column.endswith(("_on", "_at", "_date")):
            table[column] = pd.to_datetime(table[column], format="mixed")
    return table


def bought(rows):
    """Return a table of purchase lines from (customer, order, time, channel, amounts of the lines)."""
    lines = [
        (who, order, number, when, channel, amount)
        for who, order, when, channel, amounts in rows
        for number, amount in enumerate(amounts, start=1)
    ]
    return table_of(lines, ["customer_id", "order_id", "line_no", "ordered_at", "channel", "amount"])


def has(column, key="customer_id", **values):
    """Return a function that says whether a table holds these values in a column, by the name of the row."""

    def found(got):
        own = got.set_index(key)[column]
        return all(np.isclose(float(own.get(name, np.nan)), value) for name, value in values.items())

    return found


def blank(column, key="customer_id", **names):
    """Return a function that says whether a table has a blank in a column, in the rows that are named (``C=1``)."""
    return lambda got: got.set_index(key)[column][list(names)].isna().all()


def holds(name, column="customer_id"):
    """Return a function that says whether a name stands in a column."""
    return lambda got: name in set(got[column])


def lacks(name, column="customer_id"):
    """Return a function that says whether a name does not stand in a column."""
    return lambda got: name not in set(got[column])


# --- Question 1 -------------------------------------------------------------------------------------------------------


def few_customers():
    """Return customers and purchase lines of the visible check of question 1; `as_of` is 30 June 2026."""
    rows = [("E", "2026-06-30", "苏州"), ("A", "2025-06-30", "上海"), ("D", "2026-07-05", "宁波")]
    rows += [("C", "2026-01-01", None), ("B", "2026-06-20", "杭州")]
    lines = bought(
        [
            ("A", "o1", "2026-05-01 09:00", "web", [30.0, 20.0, 10.0]),
            ("A", "o2", "2026-06-20 23:30", "till", [40.0]),
            ("B", "o4", "2026-06-30 20:00", "till", [25.0]),
            ("C", "o5", "2026-07-01 00:00", "till", [70.0]),
            ("A", "o3", "2026-07-02 10:00", "web", [500.0]),
            ("D", "o6", "2026-07-06 10:00", "web", [10.0]),
        ]
    )
    return table_of(rows, ["customer_id", "since", "city"]), lines


def check_gather(names):
    """Question 1."""
    gather = checks.answer(names, "gather", "function")
    columns = ["customer_id", "city", "tenure", "recency", "frequency", "monetary", "share_web"]
    rows = [("A", "上海", 365, 10.0, 2.0, 100.0, 0.5), ("B", "杭州", 10, 0.0, 1.0, 25.0, 0.0)]
    rows += [("C", None, 180, None, 0.0, 0.0, None), ("E", "苏州", 0, None, 0.0, 0.0, None)]
    right = pd.DataFrame(rows, columns=columns)
    mistakes = [
        (
            lambda got: got["customer_id"].duplicated().any(),
            "A customer stands in several rows, one for each purchase or article: add up for each customer first "
            "(`groupby`), then join.",
        ),
        (holds("D"), "D became a customer *after* `as_of`. On that day nobody knew D: leave out later customers too."),
        (
            lambda got: not {"C", "E"} & set(got["customer_id"]),
            "Customers who have not bought yet are lost. They have a file too: keep every customer (`map`, or "
            '`how="left"`).',
        ),
        (
            lambda got: any(has("monetary", A=600.0)(got) or has("frequency", A=n)(got) for n in (3, 5)),
            "A bought for 500 CNY on 2 July, *after* `as_of`. A profile that has seen it knows the future (leakage): "
            "leave later lines out.",
        ),
        (
            has("recency", A=9),
            "A bought on 20 June at 23:30. From that *day* it is 10 days; yours counts by the hour. Cut off the time "
            "of day first: `.dt.normalize()`.",
        ),
        (
            lambda got: (got["recency"] < 0).any(),
            "A `recency` is below 0: it looks at a purchase *after* `as_of`. Leave later lines out first.",
        ),
        (
            lambda got: has("monetary", B=0.0)(got) or blank("monetary", B=1)(got),
            "B bought on `as_of` at 20:00, which counts. `<= as_of` compares with midnight: take "
            "`ordered_at < as_of + pd.Timedelta(days=1)`.",
        ),
        (has("frequency", A=4), "`frequency` counts *lines*; A made two orders, with four articles: `nunique`."),
        (
            has("recency", C=0),
            "`recency` of C is 0, which says “bought today”. C has never bought: leave it blank. Only numbers and sums "
            "of nothing are 0.",
        ),
        (
            has("share_web", C=0),
            "`share_web` of C is 0, which says “buys in shops only”. C has not bought: a share of nothing is blank.",
        ),
        (
            lambda got: blank("frequency", C=1)(got) or blank("monetary", C=1)(got),
            "`frequency` and `monetary` of a customer who has not bought are known: 0, not blank (`fillna(0)`).",
        ),
        (
            blank("share_web", B=1),
            "`share_web` of B is blank, but B bought, never in the web shop: the share is known, 0.",
        ),
        (has("share_web", A=0.75), "`share_web` is a share of the *lines*; it is one of the orders: 1 of A's 2."),
        (has("share_web", A=0.6), "`share_web` is a share of the *spend*; it is one of the orders: 1 of A's 2."),
        (has("recency", A=60), "`recency` is counted from the *first* purchase; the last one counts (`max`)."),
    ]
    got = checks.call(gather, *few_customers(), TODAY)
    what = "gather(five_customers, eight_lines, 30 June)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


# --- Question 2 -------------------------------------------------------------------------------------------------------


def few_variables():
    """Return the table of the visible check of question 2."""
    times = np.arange(1, 21)
    basket = [76, 40, 88, 64, 52, 80, 72, 44, 56, 96, 92, 36, 24, 68, 20, 84, 28, 48, 32, 60]
    articles = [74, 30, 98, 59, 52, 79, 83, 55, 68, 88, 102, 41, 12, 63, 23, 87, 39, 38, 42, 58]
    price = [66, 22, 90, 61, 63, 88, 93, 56, 68, 81, 107, 52, 15, 57, 23, 75, 33, 34, 51, 48]
    till = np.array([8, 13, 4, 3, 10, 7, 15, 9, 19, 6, 16, 5, 1, 2, 18, 12, 17, 14, 0, 11]) / 20
    return pd.DataFrame(
        {
            "customer_id": [f"K{number}" for number in times],
            "tier": "basic",
            "city": ["上海", "杭州"] * 10,
            "satisfaction": [5.0] * 9 + [None] * 11,
            "frequency": times,
            "monetary": times.astype("float64") ** 5 / 1000,
            "calls": [0.0] * 14 + [None] * 6,
            "basket": basket,
            "articles": articles,
            "pack_price": price,
            "share_till": till,
            "share_web": 1 - till,
            "recommend": [3.0, 9.0, 7.0, 8.0, 2.0] * 2 + [None] * 10,
        }
    )


def check_key_variables(names):
    """Question 2."""
    key_variables = checks.answer(names, "key_variables", "function")
    table = few_variables()
    right = profiles.choose_variables(table)[["variable", "verdict"]]

    def verdict(variable, *words):
        return lambda got: got.set_index("variable")["verdict"][variable] in words

    mistakes = [
        (
            lambda got: len(got) > 0 and set(got["verdict"]) == {"keep"},
            "Only variables to keep are there. Who reads the report asks why the others went: one row for each column.",
        ),
        (holds("customer_id", "variable"), "`customer_id` is no variable: it says who, not what. Leave it out."),
        (
            lambda got: not {"tier", "city"} & set(got["variable"]),
            "The texts `tier` and `city` are lost. They are judged too, only not by correlation: compare "
            '`select_dtypes("number")`, but go through all columns.',
        ),
        (
            verdict("satisfaction", "near constant"),
            "`satisfaction` is both too blank and near constant; the rule that stands first in the task gives the "
            "verdict: too blank.",
        ),
        (verdict("recommend", "too blank"), "Half of `recommend` is filled, which is not *below* 0.5: `<`, not `<=`."),
        (
            verdict("satisfaction", "keep"),
            "`satisfaction` is filled for 9 of 20, less than half. Count the filled cells: `notna().mean()`.",
        ),
        (
            verdict("calls", "keep"),
            "All *filled* cells of `calls` are 0. You divide by all rows, blanks too: "
            "`value_counts(normalize=True).max()` divides by the filled ones.",
        ),
        (verdict("tier", "keep"), "`tier` is “basic” for everybody and tells nobody apart: near constant."),
        (
            verdict("frequency", "near duplicate"),
            "`frequency` and `monetary` are alike and you drop both. The first one stays: compare each variable only "
            "with those that stand *before* it and were kept.",
        ),
        (
            verdict("monetary", "keep"),
            "`monetary` always grows with `frequency`, only not in a straight line, which Pearson underrates: "
            '`corr(method="spearman")`.',
        ),
        (
            verdict("share_web", "keep"),
            "`share_web` is 1 − `share_till`: their correlation is −1, and one tells all of the other. Compare the "
            "size: `abs()`.",
        ),
        (
            verdict("pack_price", "near duplicate"),
            "`pack_price` is like `articles`, but `articles` was dropped itself. Compare only with the variables that "
            "were *kept*, or what both tell is lost.",
        ),
    ]
    got = checks.call(key_variables, table)
    checks.equal(got, right, "key_variables(twenty_customers)", by="variable", mistakes=mistakes)


# --- Question 3 -------------------------------------------------------------------------------------------------------


def few_purchases():
    """Return purchase lines and returns of the visible check of question 3; `as_of` is 30 June 2026."""
    one, two = [10.0], [10.0, 10.0]
    rows = [
        ("A", "w3", "2026-06-30 21:00", "web", one),
        ("A", "w1", "2026-01-05 10:00", "web", two),
        ("A", "w2", "2026-03-01 10:00", "web", one),
        ("A", "t1", "2026-04-01 10:00", "till", one),
        ("A", "t0", "2025-06-30 10:00", "till", one),
        ("B", "w4", "2026-02-01 10:00", "web", two),
        *[("C", f"w{number}", "2026-05-03 10:00", "web", [10.0, 10.0, 10.0]) for number in (5, 6)],
        ("C", "t2", "2026-05-04 10:00", "till", one),
        ("D", "t3", "2024-12-01 10:00", "till", two),
        *[("E", f"x{number}", f"2026-03-0{number} 10:00", "web", one) for number in range(1, 8)],
        *[("E", f"y{number}", f"2026-04-0{number} 10:00", "till", one) for number in range(1, 4)],
        *[("F", f"z{number}", f"2026-05-0{number} 10:00", "web", one) for number in range(1, 5)],
        ("F", "t4", "2026-06-15 10:00", "till", one),
        ("F", "z5", "2026-07-01 00:00", "web", one),
        ("G", "v1", "2025-07-01 08:00", "web", one),
        ("G", "v2", "2026-02-02 10:00", "web", one),
    ]
    back = [("r2", "w1", 2, "2026-01-12"), ("r1", "w1", 1, "2026-01-10"), ("r3", "w4", 1, "2026-07-03")]
    back += [("r4", "nobody", 1, "2026-03-03"), ("r5", "t3", 1, "2024-12-05")]
    return bought(rows), table_of(back, ["return_id", "order_id", "line_no", "returned_on"])


def check_make_labels(names):
    """Question 3."""
    make_labels = checks.answer(names, "make_labels", "function")
    online, fact = "buys online", "returned goods"
    rows = [
        ("A", online, "rule", 0.75, "2026-06-30", "w1, w2, w3"),
        ("E", online, "rule", 0.7, "2026-03-07", "x1, x2, x3, x4, x5, x6, x7"),
        ("F", online, "rule", 0.8, "2026-05-04", "z1, z2, z3, z4"),
        ("G", online, "rule", 1.0, "2026-02-02", "v1, v2"),
        ("A", fact, "fact", 1.0, "2026-01-12", "r1, r2"),
        ("D", fact, "fact", 1.0, "2024-12-05", "r5"),
    ]
    right = table_of(rows, ["customer_id", "label", "kind", "weight", "seen_on", "source"])

    def of(label, who, column):
        return lambda got: got[(got["label"] == label) & (got["customer_id"] == who)][column].iloc[0]

    def labelled(label, *who):
        return lambda got: set(who) <= set(got.loc[got["label"] == label, "customer_id"])

    def unlabelled(label, *who):
        return lambda got: bool(len(got)) and not set(who) & set(got.loc[got["label"] == label, "customer_id"])

    def told(label, who, column, value):
        return lambda got: of(label, who, column)(got) == value

    mistakes = [
        (
            lambda got: "label" not in got.columns and "customer_id" in got.columns,
            "Your table has no column `label`. Long form has one row for each customer *and* label, so that a new "
            "label is a new row, not a new column.",
        ),
        (
            lambda got: (
                got["customer_id"].isna().any() or lacks(fact, "label")(got) or "nobody" in set(got["customer_id"])
            ),
            f"The fact label `{fact}` is missing, or stands with nobody. Fetch the customer of `order_id` from "
            "`lines`; an order that is not there has none.",
        ),
        (
            lambda got: got.duplicated(["customer_id", "label"]).any(),
            "A customer has one label in several rows, one for each record. It is one label; the records go together "
            "into `source`.",
        ),
        (
            told(fact, "A", "source", "r1, r1, r2, r2"),
            "Returns are named twice: order w1 has two lines, so a `merge` by `order_id` doubles them. Make `lines` "
            'one row an order first: `drop_duplicates("order_id")`.',
        ),
        (labelled(fact, "B"), "B brought something back on 3 July, *after* `as_of`: that cannot be known yet."),
        (unlabelled(fact, "D"), "D returned goods in 2024. The 365 days belong to the *rule*; a fact stays true."),
        (
            lambda got: "z5" in str(of(online, "F", "source")(got)),
            "The order z5 of 1 July stands in a `source`: it is later than `as_of`.",
        ),
        (
            labelled(online, "C"),
            "C has 2 web orders of 3, below 0.7. Yours is a share of the *lines*; count orders (`nunique`).",
        ),
        (
            labelled(online, "B"),
            "B has one order only. One basket makes no habit: the rule asks for two orders or more.",
        ),
        (
            unlabelled(online, "A"),
            "A lost `buys online` because of order t0 of 30 June 2025. 365 days that end with `as_of` begin on 1 July "
            "2025: `ordered_at >= as_of + pd.Timedelta(days=1) - pd.Timedelta(days=365)`.",
        ),
        (unlabelled(online, "G"), "G bought on 1 July 2025 at 8:00, the first of the 365 days: that order counts."),
        (unlabelled(online, "E"), "E has 7 web orders of 10: 0.7 is *at least* 0.7 (`>=`)."),
        (
            lambda got: "t1" in str(of(online, "A", "source")(got)),
            "The till order t1 stands in the `source` of `buys online`. Only records that *support* a label are its "
            "lineage: the web orders.",
        ),
        (
            lambda got: "w3" not in str(of(online, "A", "source")(got)),
            "A bought on `as_of` at 21:00 (order w3), which counts: `ordered_at < as_of + pd.Timedelta(days=1)`.",
        ),
        (
            lambda got: of(online, "A", "source")(got) in ("w1, w1, w2, w3", "w3, w1, w1, w2"),
            "The order w1 is named twice, once for each line: name each record once (`unique`).",
        ),
        (told(online, "A", "source", "w3, w1, w2"), "The records in `source` are not sorted: sort the ids as text."),
        (
            told(online, "A", "weight", 1.0),
            "`weight` of a rule label is the measured share (A: 0.75), not 1: it says how strongly the label holds.",
        ),
        (
            told(online, "F", "seen_on", pd.Timestamp("2026-06-15")),
            "`seen_on` of F is the day of a purchase at the till. The newest record that *supports* the label counts: "
            "the last web order.",
        ),
        (
            told(online, "F", "seen_on", TODAY),
            "`seen_on` is the day on which you look. It is the day of the newest record that supports the label: from "
            "there it fades.",
        ),
        (
            told(online, "F", "seen_on", pd.Timestamp("2026-05-01")),
            "`seen_on` is the day of the *first* record; the newest one counts (`max`).",
        ),
        (
            lambda got: (got["seen_on"] != got["seen_on"].dt.normalize()).any(),
            "`seen_on` has a time of day; a day is asked for: `.dt.normalize()`.",
        ),
    ]
    got = checks.call(make_labels, *few_purchases(), TODAY)
    what = "make_labels(lines, five_returns, 30 June)"
    by = ["customer_id", "label"]
    checks.equal(got, right, what, by=by, row="one per customer and label", mistakes=mistakes)


# --- Question 4 -------------------------------------------------------------------------------------------------------

HALF_LIFE = {"fact": None, "rule": 180, "model": 90}


def few_labels():
    """Return the labels of the visible check of question 4; `as_of` is 30 June 2026."""
    rows = [
        ("K1", "buys online", "rule", 0.8, 360, 180),
        ("K1", "gold card", "fact", 1.0, 900, 900),
        ("K2", "comes often", "rule", 0.9, 200, 90),
        ("K2", "likely to return", "model", 0.6, 30, 0),
        ("K3", "buys in shops", "rule", 0.5, 900, 720),
        ("K3", "hunts offers", "rule", 0.4, 360, 360),
        ("K4", "hunts offers", "rule", 0.7, 40, -5),
        ("K4", "likely to return", "model", 0.8, 90, 90),
    ]
    table = pd.DataFrame(rows, columns=["customer_id", "label", "kind", "weight", "since", "seen_on"])
    for column in ("since", "seen_on"):
        table[column] = TODAY - pd.to_timedelta(table[column], unit="D")
    return table


def check_decay(names):
    """Question 4."""
    decay = checks.answer(names, "decay", "function")
    labels = few_labels()
    right = labels.drop(index=[4, 6]).assign(weight_then=lambda table: table["weight"])
    right["weight"] = [0.4, 1.0, 0.9 * 0.5**0.5, 0.6, 0.1, 0.4]

    def weight(who, label, value):
        def found(got):
            own = got[(got["customer_id"] == who) & (got["label"] == label)]["weight"]
            return np.isclose(own.iloc[0], value, atol=1e-4)

        return found

    def there(who, label):
        return lambda got: ((got["customer_id"] == who) & (got["label"] == label)).any()

    mistakes = [
        (
            lambda got: "weight_then" in got.columns and np.allclose(got["weight"], got["weight_then"]),
            "`weight` is as it was. The faded weight goes into `weight`, the first one into `weight_then`.",
        ),
        (
            there("K4", "hunts offers"),
            "K4's `hunts offers` was seen 5 days *after* `as_of`. It is not known yet, and a negative age makes a "
            "weight grow: leave it out.",
        ),
        (
            lambda got: not there("K1", "gold card")(got) or blank("weight", "label", **{"gold card": 1})(got),
            "The fact label `gold card` is lost. Its half-life is None, so the power is blank (NaN): a label that does "
            "not fade keeps its weight, factor 1 (`fillna(1)`).",
        ),
        (
            weight("K1", "buys online", 0.2),
            "You count from `since`. A habit that was seen again is fresh again: count from `seen_on`.",
        ),
        (
            weight("K1", "buys online", 0.8 * np.exp(-1)),
            "After 180 days your weight is 37 %, since `exp(-1)` is no half. Half-life: `0.5 ** (days / half_life)`.",
        ),
        (
            weight("K2", "comes often", 0.9),
            "90 of 180 days take nothing away: `//` waits for whole half-lives. A weight fades every day: `/`.",
        ),
        (
            weight("K2", "comes often", 0.675),
            "Your weight falls in a straight line. It halves every N days: `0.5 ** (days / half_life)`.",
        ),
        (
            weight("K1", "buys online", 1.6),
            "Old labels become heavier: the power is upside down. `0.5 ** (days / half_life)` gets smaller.",
        ),
        (
            weight("K1", "buys online", 0.5),
            "Yours is the factor alone. A label that held weakly fades from there: multiply by the first `weight`.",
        ),
        (
            weight("K4", "likely to return", 0.8 * 0.5**0.5),
            "A model label fades with the half-life of a rule. Take the half-life of each `kind`: "
            '`labels["kind"].map(half_life)`.',
        ),
        (
            there("K3", "buys in shops"),
            "K3's `buys in shops` has faded to 0.03, below `least`. Compare the weight of *now* with `least`, not the "
            "first one.",
        ),
    ]
    got = checks.call(decay, labels, TODAY, HALF_LIFE, 0.05)
    what = "decay(eight_labels, 30 June, half_life, 0.05)"
    by = ["customer_id", "label"]
    checks.equal(got, right, what, by=by, row="one per customer and label", tolerance=1e-4, mistakes=mistakes)


# --- Question 5 -------------------------------------------------------------------------------------------------------

EXCLUSIVE = profiles.EXCLUSIVE


def few_heaped():
    """Return labels and customers of the visible check of question 5."""
    rows = [
        ("K2", "comes often", 0.8, "2026-01-10"),
        ("K1", "buys online", 0.9, "2026-03-01"),
        ("K1", "buys in shops", 0.4, "2026-05-01"),
        ("K1", "comes often", 0.7, "2026-05-01"),
        ("K2", "buys online", 0.5, "2026-05-20"),
        ("K2", "long away", 0.8, "2026-06-30"),
        ("K3", "hunts offers", 0.6, "2026-02-02"),
        ("K4", "basic card", 1.0, "2025-01-01"),
        ("K4", "gold card", 1.0, "2026-02-01"),
        ("K9", "buys online", 0.9, "2026-05-05"),
    ]
    return table_of(rows, ["customer_id", "label", "weight", "seen_on"]), ["K1", "K2", "K3", "K4", "K5"]


def check_coverage(names):
    """Question 5, the first function."""
    coverage = checks.answer(names, "coverage", "function")
    labels, customers = few_heaped()
    counts = {"buys online": 2, "buys in shops": 1, "comes often": 2, "long away": 1, "hunts offers": 1}
    counts |= {"basic card": 1, "gold card": 1, "any label": 4}
    right = pd.DataFrame({"label": list(counts), "customers": list(counts.values())})
    right["coverage"] = right["customers"] / 5

    def row(column, **values):
        return lambda got: has(column, "label", **{"any label": values["any"]})(got)

    mistakes = [
        (
            has("customers", "label", **{"buys online": 3}),
            "K9 is counted, who is none of the `customers`: keep only labels of customers who are asked for.",
        ),
        (lacks("any label", "label"), "The row `any label` is missing: how many have at least one label?"),
        (
            lambda got: row("customers", any=9)(got) or row("customers", any=10)(got),
            "`any label` adds up the labels. K1 has three and is one customer: count different customers (`nunique`).",
        ),
        (
            row("coverage", any=1.0),
            "You divide by the customers who *have* a label, so that everybody is covered. K5 has none and belongs to "
            "the whole: divide by all `customers`.",
        ),
        (lambda got: row("coverage", any=80.0)(got), "`coverage` is in per cent; a fraction from 0 to 1 is asked for."),
    ]
    got = checks.call(coverage, labels, customers)
    checks.equal(got, right, "coverage(ten_labels, five_customers)", by="label", mistakes=mistakes)
    check_conflicts(names)


def check_conflicts(names):
    """Question 5, the second function."""
    conflicts = checks.answer(names, "conflicts", "function")
    labels, _ = few_heaped()
    rows = [("K1", "channel", "buys in shops, buys online", "buys online")]
    rows += [("K2", "activity", "comes often, long away", "long away")]
    rows += [("K4", "grade", "basic card, gold card", "gold card")]
    right = pd.DataFrame(rows, columns=["customer_id", "group", "labels", "keep"])

    def kept(who, label):
        return lambda got: got.set_index("customer_id")["keep"][who] == label

    mistakes = [
        (
            lambda got: got.duplicated(["customer_id", "group"]).any(),
            "A conflict stands in several rows, one for each label. One row for a customer and group is asked for.",
        ),
        (holds("K3"), "K3 has one label of the group `price`, and one label cannot contradict itself: two or more."),
        (
            lambda got: any("comes often" in text and "buys" in text for text in got["labels"].astype("str")),
            "`comes often` and `buys online` do not exclude each other. Look for two labels of *one* group.",
        ),
        (
            kept("K1", "buys in shops"),
            "Of K1's two labels `keep` is the lighter one (also first in the alphabet, and newer). The heaviest stays: "
            "sort by `weight` first.",
        ),
        (
            lambda got: kept("K2", "comes often")(got) or kept("K4", "basic card")(got),
            "Two labels weigh the same, and `keep` is the one seen *earlier*. The one seen last stays: sort by "
            "`weight`, then by `seen_on`.",
        ),
        (
            lambda got: lacks("K2")(got) and holds("K1")(got),
            "K2's conflict is overlooked. `long away` stands in two groups, `activity` and `outlook`; a dict from "
            "label to group remembers only the last one. Go through `exclusive` group by group.",
        ),
        (
            lambda got: got.set_index("customer_id")["labels"]["K1"] == "buys online, buys in shops",
            "The names in `labels` stand in another order than that of the alphabet: sort them before you join.",
        ),
    ]
    got = checks.call(conflicts, labels, EXCLUSIVE)
    by = ["customer_id", "group"]
    checks.equal(got, right, "conflicts(ten_labels, five_groups)", by=by, mistakes=mistakes)


# --- Question 6 -------------------------------------------------------------------------------------------------------


def few_grouped():
    """Return variables and clusters of the visible check of question 6."""
    table = pd.DataFrame(
        {
            "customer_id": list("habcdefg"),
            "city": ["上海", "杭州"] * 4,
            "monetary": [99000.0, 500.0, 300.0, 900.0, 100.0, 700.0, 400.0, 200.0],
            "share_web": [1.0, 0.1, 0.0, 0.2, 0.9, 1.0, 0.7, 0.8],
            "frequency": [40.0, 6.0, 5.0, 9.0, 2.0, 4.0, 1.0, 3.0],
            "visits": 0.0,
            "on_offer": [0.9, 0.3, 0.1, None, 0.2, None, 0.15, 0.3],
        }
    )
    return table, pd.Series({"g": "C2", "f": "C2", "e": "C2", "d": "C2", "c": "C1", "b": "C1", "a": "C1"})


def traits_of(table, clusters, name, most, ddof=0, against="all", spread="all", everybody=False, size=True):
    """Describe a cluster the slow way; the switches make the mistakes that the checks know."""
    cluster_of = clusters.to_dict()
    theirs = [cluster_of.get(who) for who in table["customer_id"].tolist()]
    rows = []
    for trait in table.select_dtypes("number").columns:
        cells = [
            (cluster, value)
            for cluster, value in zip(theirs, table[trait].astype("float64").tolist(), strict=True)
            if not math.isnan(value) and (everybody or cluster is not None)
        ]
        mine = [value for cluster, value in cells if cluster == name]
        whole = [value for cluster, value in cells if against == "all" or cluster != name]
        steps = mine if spread == "own" else [value for _, value in cells]
        if mine and np.std(steps) > 0:
            value, overall = np.mean(mine), np.mean(whole)
            rows.append((trait, value, overall, (value - overall) / (np.std(steps, ddof=ddof) if spread else 1)))
    rows.sort(key=lambda row: -abs(row[3]) if size else -row[3])
    return pd.DataFrame(rows[:most], columns=["trait", "value", "overall", "distance"])


def check_describe_cluster(names):
    """Question 6."""
    describe_cluster = checks.answer(names, "describe_cluster", "function")
    table, clusters = few_grouped()

    def wrong(**switches):
        def found(got):
            own = got.set_index("trait")["distance"]
            other = traits_of(table, clusters, "C1", 9, **switches).set_index("trait")["distance"].reindex(own.index)
            return np.allclose(own.astype("float64"), other.fillna(0.0))

        return found

    constant = (
        holds("visits", "trait"),
        "`visits` is 0 for all: it sets nobody apart, and 0 / 0 is no distance. Leave it out.",
    )
    right = traits_of(table, clusters, "C1", 3)
    mistakes = [
        constant,
        (
            lambda got: len(got) > 3 and lacks("visits", "trait")(got),
            "All traits are there; the `most` = 3 largest are asked for: `head(most)`.",
        ),
        (
            wrong(spread=None),
            "`distance` is in the units of each trait, so that CNY win over shares. Divide by the standard deviation.",
        ),
        (
            wrong(everybody=True),
            "h has no cluster, but counts in `overall` or in the standard deviation. Leave out who has no cluster.",
        ),
        (
            wrong(ddof=1),
            "Your standard deviation divides by n − 1, as `std()` does; here it is that of all customers: "
            "`std(ddof=0)`.",
        ),
        (
            lambda got: wrong(spread="own")(got) or wrong(spread="own", ddof=1)(got),
            "You divide by the standard deviation *within* the cluster; take that of all customers with a cluster.",
        ),
        (
            lambda got: wrong(against="rest")(got) or wrong(against="rest", ddof=1)(got),
            "`overall` is the mean of the *other* clusters; it is that of all, this cluster too.",
        ),
        (
            lambda got: np.allclose(got["distance"], (got["value"] / got["overall"]).astype("float64")),
            "`distance` is a ratio (lift), which depends on where 0 lies. Take (value − overall) / standard deviation.",
        ),
        (
            lambda got: got["trait"].iloc[0] == "frequency" and lacks("share_web", "trait")(got),
            "`share_web` is missing, where this cluster lies *lowest*. What they do not do sets them apart as well: "
            "sort by size, `sort_values(…, key=abs)`.",
        ),
        (
            lambda got: got["trait"].iloc[0] != "share_web" and holds("share_web", "trait")(got),
            "The traits are not in order: the largest distance first, whatever its sign (`key=abs, ascending=False`).",
        ),
        (
            lambda got: not set(got["value"].round(6)) & set(right["value"].round(6)),
            "Not one mean is right. `clusters` has another order than `table`: find each customer's cluster by "
            '`table["customer_id"].map(clusters)`.',
        ),
    ]
    got = checks.call(describe_cluster, table, clusters, "C1", 3)
    checks.equal(got, right, 'describe_cluster(eight_customers, clusters, "C1", 3)', mistakes=mistakes)
    got, right = checks.call(describe_cluster, table, clusters, "C1", 9), traits_of(table, clusters, "C1", 9)
    checks.equal(got, right, 'describe_cluster(eight_customers, clusters, "C1", 9)', mistakes=[constant])


# --- Question 7 -------------------------------------------------------------------------------------------------------

REFUSED = {
    "name": "A name says who somebody is, not what he is like. Who may write to the customer finds it in the customer "
    "file (PIPL, article 6).",
    "phone": "A phone number is for contacting; a profile does not need it (PIPL, article 6).",
    "address": "An address leads to the door; the city is enough for the purpose (PIPL, article 6).",
    "id_number": "An identity number harms the person when it leaks, and `customer_id` tells customers apart (PIPL, "
    "articles 6 and 28).",
    "birth_date": "An exact birth date helps to find the person. `age_band` serves the purpose (PIPL, article 6).",
    "pregnancy_guess": "A guess about a body is about health, whether it is right or wrong (PIPL, article 28). Say "
    "what was bought, not what it may mean.",
}
NEEDED = {
    "share_baby": "Which part of the spend goes to baby goods is what was *bought*; it may stay. The guess drawn from "
    "it may not.",
    "age_band": "An age band is what the exact date is turned into, so that the date can go.",
    "city": "A city is coarse enough.",
}


def few_drafted():
    """Return draft, consents and clusters of the visible check of question 7; `as_of` is 30 June 2026."""
    rows = [
        ("M7", "profiling", "given", "2025-06-01 10:00"),
        ("M7", "profiling", "withdrawn", "2025-01-01 10:00"),
        ("M2", "profiling", "withdrawn", "2026-02-01 10:00"),
        ("M2", "profiling", "given", "2025-01-01 10:00"),
        ("W3", "profiling", "withdrawn", "2025-03-01 10:00"),
        ("M3", "profiling", "given", "2025-05-01 10:00"),
        ("M4", "marketing", "given", "2025-05-01 10:00"),
        ("M5", "profiling", "given", "2026-07-02 10:00"),
        ("M6", "profiling", "given", "2026-06-30 18:00"),
        ("M13", "profiling", "given", "2025-02-01 10:00"),
        ("M13", "marketing", "withdrawn", "2025-09-01 10:00"),
        *[(f"M{number}", "profiling", "given", "2025-05-01 10:00") for number in (1, 8, 10, 11, 12)],
    ]
    consents = table_of(rows, ["customer_ref", "purpose", "action", "recorded_at"])
    pairs = [(f"M{number}", f"K{number}") for number in range(1, 14)] + [("W3", "K3"), ("W8", "K8"), ("W1", "K1")]
    born = {"K10": "2012-07-01", "K11": "2012-06-30", "K12": None}
    customers = [f"K{number}" for number in range(13, 0, -1)]
    draft = pd.DataFrame({"customer_id": customers})
    draft = draft.assign(name="王梅", phone="17400123456", id_number=None, address="嘉湖街1号", age_band="35-44")
    draft["birth_date"] = pd.to_datetime([born.get(who, "1988-05-05") for who in customers])
    draft = draft.assign(city="杭州", pregnancy_guess="no sign", recency=10.0, frequency=3.0, basket=50.0)
    draft = draft.assign(share_web=0.5, share_baby=0.1)
    return draft[["customer_id", *PERSONAL, *GUESSED, *KEPT]], consents, table_of(pairs, ["record_id", "customer_id"])


def check_allowed_profile(names):
    """Question 7."""
    allowed_profile = checks.answer(names, "allowed_profile", "function")
    draft, consents, clusters = few_drafted()
    allowed = [f"K{number}" for number in (1, 6, 7, 8, 11, 12, 13)]
    right = draft.loc[draft["customer_id"].isin(allowed), ["customer_id", *KEPT]].reset_index(drop=True)
    mistakes = [
        *[
            (lambda got, column=column: column in got.columns, f"`{column}` stands in the profile. {why}")
            for column, why in REFUSED.items()
        ],
        *[
            (lambda got, column=column: column not in got.columns, f"`{column}` is left out. {why}")
            for column, why in NEEDED.items()
        ],
        (
            lambda got: got["customer_id"].duplicated().any(),
            "A customer with two records stands twice: decide for each *customer* first, then choose the rows of "
            "`draft` (`isin`).",
        ),
        (
            holds("K9"),
            "K9 was never asked: no row in the ledger is no consent. Choose who has *given* it, not who has not "
            "withdrawn.",
        ),
        (holds("K4"), 'K4 agreed to *marketing*. Consent is for one purpose: look at `purpose == "profiling"` only.'),
        (holds("K5"), "K5 agreed on 2 July, *after* `as_of`: on that day it did not hold yet."),
        (lacks("K6"), "K6 agreed on `as_of` at 18:00, which counts: `recorded_at < as_of + pd.Timedelta(days=1)`."),
        (
            lambda got: holds("K2")(got) or lacks("K7")(got),
            "K2 gave consent and withdrew it later; K7 did it the other way round. The *newest* row of a record "
            "holds: sort by `recorded_at`, then take the last.",
        ),
        (
            lacks("K13"),
            "K13 withdrew consent for *marketing* and may still be profiled: choose the purpose before you take the "
            "newest row.",
        ),
        (
            holds("K3"),
            "K3 gave consent with the card and withdrew it with the account. One record that withdraws is enough to "
            "leave the customer out, whenever the other one was noted.",
        ),
        (
            lacks("K8"),
            "K8 gave consent with the card; the account says nothing. One record that gives is enough, if none "
            "withdraws.",
        ),
        (
            holds("K10"),
            "K10 turns 14 on 1 July and is still 13. A child under 14 needs a parent's consent (PIPL, article 31): "
            "leave K10 out. Compare days, not only years.",
        ),
        (
            lacks("K11"),
            "K11 turned 14 on `as_of` and may stay. A year is not 365 days: keep `birth_date <= as_of - "
            "pd.DateOffset(years=14)`.",
        ),
        (
            lacks("K12"),
            "K12 has no birth date and is lost, since a comparison with a blank is False. A blank stays here: leave "
            "out who is *known* to be a child.",
        ),
    ]
    got = checks.call(allowed_profile, draft, consents, clusters, TODAY)
    what = "allowed_profile(thirteen_customers, …)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)
