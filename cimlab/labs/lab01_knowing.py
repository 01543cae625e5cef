"""Lab 1: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import math

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks

KINDS = ("descriptive", "behavioural", "associated")
GRADES = ("none", "general", "medium", "high")
FIRST_DAY, LAST_DAY = pd.Timestamp("2025-07-01"), pd.Timestamp("2026-06-30")


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    raw : dict of str to list of str
        The first 25 lines of five files of the retailer.
    planned : pandas.DataFrame
        A definition table with faults: field, purpose, source, sensitivity, lawful_basis.
    grades : pandas.Series
        The real grade of each column of each table, by its name such as ``members.phone``.
    mailed : pandas.DataFrame
        One row for each person in the audience of a campaign: campaign_id, member_id, arm, group (did the card buy in
        the 180 days before?), bought (in the days of the campaign), margin (CNY), coupon (CNY), cost (CNY a message).

    Examples
    --------
    >>> raw, planned, grades, mailed = prepare()
    >>> grades["members.id_number"]
    'high'
    >>> sorted(mailed["arm"].unique())
    ['holdout', 'treated']
    """
    names = ["members", "business_register", "web_events", "reviews", "calls"]
    raw = {name: cimlab.locate(name).read_text(encoding="utf-8-sig").splitlines()[:25] for name in names}
    planned = pd.DataFrame(
        [
            ("phone", "send the coupon", "members.phone", "medium", "consent"),
            ("birthday", "congratulate in the right month", "members.birth_date", "general", "consent"),
            ("identity", "to be decided", "members.id_number", "high", "consent"),
            ("manner", None, "enterprise_contacts.manner", "medium", "consent"),
            ("searches", "offer what was looked for", "web_events.query", "general", "they clicked"),
        ],
        columns=["field", "purpose", "source", "sensitivity", "lawful_basis"],
    )
    described = pd.concat([cimlab.describe(name).assign(table=name) for name in cimlab.tables()["table"]])
    grades = described.set_index(described["table"] + "." + described["column"])["personal_data"]
    return raw, planned, grades, join_campaigns()


def join_campaigns():
    """Return `mailed`, as chapter 1 makes it: each person of an audience with what the card bought."""
    lines = cimlab.load("order_lines").merge(cimlab.load("products")[["product_id", "unit_cost"]], on="product_id")
    margin = (lines["amount"] - lines["quantity"] * lines["unit_cost"]).groupby(lines["order_id"]).sum()
    orders = cimlab.load("orders")
    orders["margin"] = orders["order_id"].map(margin)
    audience = cimlab.load("campaign_contacts").merge(cimlab.load("campaigns"), on="campaign_id")
    audience = audience.rename(columns={"cost_per_contact": "cost"})
    seen = audience.merge(orders, left_on="member_id", right_on="customer_ref", how="left")
    days = (seen["ordered_at"].dt.normalize() - seen["starts_on"]).dt.days
    seen["bought"] = (days >= 0) & (days < seen["window_days"])
    seen["margin"] = seen["margin"].where(seen["bought"], 0.0)
    seen["recent"] = days.between(-180, -1)
    person = ["campaign_id", "member_id", "arm", "coupon", "cost"]
    mailed = seen.groupby(person, as_index=False).agg({"bought": "any", "margin": "sum", "recent": "any"})
    mailed["group"] = np.where(mailed["recent"], "bought lately", "did not")
    return mailed[["campaign_id", "member_id", "arm", "group", "bought", "margin", "coupon", "cost"]]


def gains(mailed):
    """Return what a message earns before it is paid for, in each group and in all, with its standard error.

    Examples
    --------
    >>> gains(prepare()[3]).columns.tolist()
    ['people', 'gain', 'error']
    """
    treated = mailed["arm"] == "treated"
    earned = mailed["margin"] - mailed["coupon"] * (treated & mailed["bought"])
    rows = {}
    for name, rows_of in {"everybody": mailed, **dict(list(mailed.groupby("group")))}.items():
        arms = earned[rows_of.index].groupby(rows_of["arm"])
        error = math.sqrt((arms.var() / arms.size()).sum())
        rows[name] = {"people": len(rows_of), "gain": arms.mean()["treated"] - arms.mean()["holdout"], "error": error}
    return pd.DataFrame(rows).T


def compare_kinds(kinds, right, reveal=True):
    """Compare a dict of field → kind with the right one; `right` is field → (kind, hint)."""
    names = {"place": "`kinds[{}]`", "elsewhere": "One of the other fields of `kinds`"}
    absent = "`kinds` needs all ten fields, spelt as in the list `fields`."
    checks.choices(kinds, right, KINDS, **names, absent=absent, reveal=reveal)


def check_kinds(names):
    """Question 1."""
    compare_kinds(
        checks.answer(names, "kinds", dict),
        {
            "members.birth_date": ("descriptive", "It says who somebody is, and never changes."),
            "orders.amount": ("behavioural", "Each purchase is something that the customer *does*."),
            "reviews.stars": ("associated", "Stars say what the customer *thinks* of the goods."),
            "questionnaire.age_group": (
                "descriptive",
                "It stands in a survey, but an age is no opinion: what counts is what the field says, "
                "not where it stands.",
            ),
            "web_events.query": ("behavioural", "To search is something that the visitor *does*."),
        },
    )


def check_grade_counts(names):
    """Question 2."""
    grade_counts = checks.answer(names, "grade_counts", "function")
    listed = {name: cimlab.describe(name)["personal_data"].tolist() for name in ("stores", "members", "calls")}
    right = pd.DataFrame(
        {grade: {name: found.count(grade) for name, found in listed.items()} for grade in GRADES},
    )
    shares = right.div(right.sum(axis=1), axis=0)
    mistakes = [
        (
            lambda got: list(got.index) == list(right.columns),
            "Your table lies on its side: one *row* per table is asked for. `.T` turns a table over.",
        ),
        (
            lambda got: "high" not in got.columns or "none" not in got.columns,
            "A grade that no table has is missing among your columns. All four are asked for, with 0 where there is "
            'nothing: `reindex(columns=["none", "general", "medium", "high"], fill_value=0)`.',
        ),
        (
            lambda got: got.isna().any(axis=None),
            "Where a table has no column of a grade, yours is blank (NaN). The number is known, it is 0: `fillna(0)`, "
            "then `astype(int)`.",
        ),
        (
            lambda got: np.allclose(got.loc[right.index, right.columns], shares),
            "These are shares of the columns; the task asks for their number.",
        ),
        (
            lambda got: np.allclose(got.loc[right.index, right.columns], right),
            "The numbers are right, but stand there as decimals: `astype(int)` makes whole numbers.",
        ),
        (
            lambda got: set(got.index) > set(right.index),
            "Your table has more rows than `names` has tables: count only the tables in `names`.",
        ),
    ]
    got = checks.call(grade_counts, list(right.index))
    what = f"grade_counts({list(right.index)})"
    checks.equal(got, right, what, by="index", row="one per table", mistakes=mistakes)


def check_form_of(names):
    """Question 3."""
    form_of = checks.answer(names, "form_of", "function")
    event, other = '{"event":"view","item":"P1"}', '{"event":"search","query":"tea"}'
    checks.cases(
        form_of,
        [
            (["id,name,city", "1,Wang,Wuhan", "2,Li,"], "structured", "each line has two commas (step 3)."),
            ([event, other], "semi-structured", "each line is an object in braces: step 2 comes before step 3."),
            (["no comma here", "nor here"], "unstructured", "no comma at all is no table: at least one (step 3)."),
            (
                ["the parcel, again", "caller: Li", "phone: 1"],
                "unstructured",
                "*every* line must have as many, not only the first, or one of them (step 3).",
            ),
            (["code\tname", "9\tXu, Ltd"], "structured", "the tab is a separator too; a comma may occur (step 3)."),
            (["id,name", "1,Wang", ""], "structured", "a blank line at the end says nothing (step 1)."),
            (
                ["a,b", "a;b", "a,b"],
                "unstructured",
                "each separator is counted by itself; do not add commas and semicolons (step 3).",
            ),
            (
                [event, "caller: Li"],
                "unstructured",
                "*every* line must be in braces, not one of them (step 2).",
            ),
        ],
    )


def check_channel_shares(names):
    """Question 4."""
    channel_shares = checks.answer(names, "channel_shares", "function")
    ten = pd.DataFrame(
        {
            "record_id": ["M1", "M2", "W3", "M4", "M5", "W6", "C7", "C8", "W9", "M10"],
            "person_no": [1, 1, 1, 2, 2, 3, 3, 3, 4, 5],
        }
    )
    right = pd.Series({1: 3 / 5, 2: 2 / 5})
    mistakes = [
        (
            {1: 0.6, 2: 0.4},
            "The numbers are right, but they stand in a dict; the task asks for a column (Series).",
        ),
        (pd.Series({1: 60.0, 2: 40.0}), "These are per cent; the task asks for fractions from 0 to 1."),
        (
            pd.Series({1: 3, 2: 2}),
            "These are numbers of persons; the task asks for shares: `value_counts(normalize=True)`.",
        ),
        (
            lambda got: len(got) == 5,
            "These are the channels of each person, which is half of the way. Now count how many persons have 1, 2, 3 "
            "(`value_counts(normalize=True)`).",
        ),
        (
            lambda got: 3 in got.index,
            "You counted *records*. Person 1 has three (M1, M2, W3), but stands in two channels: count the different "
            "first letters (`nunique`).",
        ),
        (
            pd.Series({1: 4 / 10, 2: 6 / 10}),
            "These are shares of the *records*; the task asks for shares of the persons: "
            "make one row per person first (`groupby`).",
        ),
        (
            lambda got: set(got.index) == {"M", "W", "C"},
            "You counted how often each channel occurs. First count the channels of each person, "
            "then how many persons have 1, 2, 3.",
        ),
    ]
    checks.equal(checks.call(channel_shares, ten), right, "channel_shares(ten_records)", by="index", mistakes=mistakes)


def few_sales():
    """Return the members and orders of the visible check of question 5."""
    members = pd.DataFrame({"member_id": ["M1", "M2", "M3", "M4", "M5", "M6"], "city": "上海"})
    rows = [
        ("M1", "2025-07-01 00:00", 1500.0),
        ("M1", "2026-06-30 21:15", 500.0),
        ("M2", "2025-12-24 10:00", 600.0),
        ("M3", "2026-02-01 09:00", 599.5),
        ("M4", "2025-06-30 20:00", 2500.0),
        ("M4", "2026-03-01 18:00", 25.0),
        ("M5", "2026-07-01 08:00", 700.0),
        ("W7", "2026-01-01 12:00", 90.0),
        (None, "2026-01-01 12:05", 35.0),
    ]
    orders = pd.DataFrame(rows, columns=["customer_ref", "ordered_at", "amount"])
    return members, orders.assign(ordered_at=pd.to_datetime(orders["ordered_at"]))


def check_grade_customers(names):
    """Question 5."""
    grade_customers = checks.answer(names, "grade_customers", "function")
    members, orders = few_sales()
    spent = [2000.0, 600.0, 599.5, 25.0, 0.0, 0.0]
    right = pd.DataFrame({"member_id": members["member_id"], "spent": spent, "grade": list("ABCCDD")})

    def has(column, **values):
        return lambda got: all(got.set_index("member_id")[column].get(card) == v for card, v in values.items())

    mistakes = [
        (
            lambda got: set(got["member_id"].dropna()) - set(members["member_id"]),
            "Your table has a row for W7, which is no card: one row per card of `members` is asked for "
            '(`merge(…, how="left")`, or `map`).',
        ),
        (
            lambda got: not {"M5", "M6"} <= set(got["member_id"]),
            "Cards without a purchase are lost. They belong to grade D: start from `members` and add what was spent "
            '(`map`, or `merge` with `how="left"`).',
        ),
        (
            lambda got: got["member_id"].duplicated().any(),
            "A card stands in several rows, one for each purchase. Add up first (`groupby`), then join.",
        ),
        (
            lambda got: got["spent"].isna().any(),
            "A card without a purchase has spent 0, not blank: `fillna(0)`.",
        ),
        (
            has("spent", M4=2525.0),
            "M4 bought for 2,500 *before* `first_day`: only purchases from `first_day` to `last_day` count.",
        ),
        (has("spent", M5=700.0), "M5 bought *after* `last_day`: that purchase does not count."),
        (
            has("spent", M1=1500.0),
            "M1 bought at 21:15 on `last_day`, which belongs to the period. `ordered_at <= last_day` compares with "
            "midnight: take `ordered_at < last_day + pd.Timedelta(days=1)`.",
        ),
        (
            has("spent", M1=500.0),
            "M1 bought in the first minute of `first_day`, which belongs to the period: `>=`, not `>`.",
        ),
        (
            has("grade", M1="B", M2="C"),
            "Who spends exactly 2,000 is graded A, and exactly 600 is B: `>=`, not `>`.",
        ),
        (has("grade", M5="C", M6="C"), "Who spent nothing is graded D, not C: C begins *above* 0."),
        (has("grade", M1="D", M6="A"), "The grades are upside down: A is for those who spend most."),
    ]
    got = checks.call(grade_customers, members, orders, FIRST_DAY, LAST_DAY)
    what = "grade_customers(six_members, …)"
    checks.equal(got, right, what, by="member_id", row="one per card", mistakes=mistakes)


def few_fields():
    """Return the definition table and the real grades of the visible check of question 6."""
    definition = pd.DataFrame(
        [
            ("phone", "send the coupon", "shop.phone", "medium", "consent"),
            ("nickname", None, "shop.nickname", "general", "consent"),
            ("birthday", "  ", "shop.birthday", "high", "contract"),
            ("city", "choose the shop", "shop.city", "none", "consent"),
            ("income", "set the credit line", "shop.income", "medium", "separate consent"),
            ("passport", "collect the parcel", "shop.passport", "high", "consent"),
            ("fingerprint", "open the door", "shop.fingerprint", "general", "somebody said so"),
            ("photo", "print the card", "shop.photo", "high", "separate consent"),
        ],
        columns=["field", "purpose", "source", "sensitivity", "lawful_basis"],
    )
    real = ["medium", "general", "medium", "general", "high", "high", "high", "high"]
    return definition, pd.Series(real, index=definition["source"])


def check_definition_faults(names):
    """Question 6."""
    definition_faults = checks.answer(names, "definition_faults", "function")
    definition, grades = few_fields()
    right = pd.DataFrame(
        [
            ("nickname", "no purpose"),
            ("birthday", "no purpose"),
            ("fingerprint", "no lawful basis"),
            ("city", "graded too low"),
            ("income", "graded too low"),
            ("fingerprint", "graded too low"),
            ("passport", "no separate consent"),
            ("fingerprint", "no separate consent"),
        ],
        columns=["field", "fault"],
    )

    def found(got):
        return set(zip(got["field"], got["fault"], strict=True))

    texts = sorted(right["fault"].unique())
    mistakes = [
        (
            lambda got: set(got["fault"]) - set(texts),
            f"The texts in `fault` must be exactly these four: {', '.join(texts)}.",
        ),
        (
            lambda got: (
                {("income", "graded too low"), ("birthday", "graded too low")} & found(got)
                == {("birthday", "graded too low")}
            ),
            "`graded too low` compares the words by the alphabet, which goes general, high, medium, none. Give each "
            'grade its place in the list `["none", "general", "medium", "high"]` and compare the places.',
        ),
        (
            lambda got: found(got) < found(right) and not got["field"].duplicated().any(),
            "A field may break several rules: `fingerprint` breaks three. Look at each rule by itself and put the "
            "results under one another (`pd.concat`).",
        ),
        (
            lambda got: ("birthday", "graded too low") in found(got),
            "`birthday` is graded high, and its source is medium. That is more careful than needed, and allowed: "
            "only a grade *below* the real one is a fault.",
        ),
        (
            lambda got: ("nickname", "no purpose") not in found(got) and ("birthday", "no purpose") in found(got),
            'The purpose of `nickname` is blank (NaN), which is not the same as an empty text: `fillna("")` first.',
        ),
        (
            lambda got: ("birthday", "no purpose") not in found(got),
            "The purpose of `birthday` is two spaces, which says nothing: `.str.strip()` takes them away.",
        ),
        (
            lambda got: ("birthday", "no lawful basis") in found(got),
            "`contract` is a lawful basis too: the four are consent, separate consent, contract, law.",
        ),
        (
            lambda got: (
                ("fingerprint", "no separate consent") not in found(got)
                and ("passport", "no separate consent") in found(got)
            ),
            "`fingerprint` is graded general by its definition, but its *source* is high. Whoever grades too low would "
            "escape the last rule: use the real grade from `grades`.",
        ),
        (
            lambda got: ("photo", "no separate consent") in found(got),
            "`photo` has separate consent, so it is no fault.",
        ),
    ]
    got = checks.call(definition_faults, definition, grades)
    what = "definition_faults(eight_fields, grades)"
    checks.equal(got, right, what, by=["field", "fault"], row="one per field and fault", mistakes=mistakes)


def few_mailed():
    """Return the audience of the visible check of question 7."""
    margins = {
        ("treated", "bought lately"): [30.0, 20.0, 25.0, 0.0, 0.0],
        ("holdout", "bought lately"): [16.0, 0.0],
        ("treated", "did not"): [12.0, 0.0, 0.0, 0.0],
        ("holdout", "did not"): [0.0, 0.0],
    }
    rows = [(arm, group, margin) for (arm, group), listed in margins.items() for margin in listed]
    mailed = pd.DataFrame(rows, columns=["arm", "group", "margin"])
    return mailed.assign(bought=mailed["margin"] > 0, coupon=10.0, cost=0.3)


def check_campaign_profit(names):
    """Question 7."""
    campaign_profit = checks.answer(names, "campaign_profit", "function")
    right = pd.DataFrame({"uplift": [0.1, 0.25], "profit": [0.7, 0.2]}, index=["bought lately", "did not"])

    def is_profit(lately, did_not):
        return lambda got: np.allclose(got.loc[right.index, "profit"], [lately, did_not])

    def is_uplift(lately, did_not):
        return lambda got: np.allclose(got.loc[right.index, "uplift"], [lately, did_not])

    mistakes = [
        (
            lambda got: set(got.index) == {"treated", "holdout"},
            "Your rows are the two arms. One row per *group* is asked for; the arms are compared within it.",
        ),
        (
            right * -1,
            "The signs are turned: it is treated less holdout, not the other way round.",
        ),
        (
            is_uplift(0.6, 0.25),
            "`uplift` is the share of the treated that bought. Some of them buy without a message: subtract the share "
            "of the holdout.",
        ),
        (is_uplift(10, 25), "`uplift` is in per cent points; the task asks for a fraction: do not multiply by 100."),
        (
            is_uplift(2, 1),
            "`uplift` subtracts *numbers* of buyers. The arms differ in size: take the share in each arm (`mean`).",
        ),
        (
            lambda got: np.isclose(got.loc["bought lately", "uplift"], 0.2),
            "`uplift` is divided by the share of the holdout. The task asks for the difference of the two shares.",
        ),
        (
            is_profit(8.7, 0.2),
            "`profit` is what the treated bring. Some would have bought anyway: subtract the mean of the holdout.",
        ),
        (
            is_profit(-3.3, -7.3),
            "`profit` takes the coupon off for every message. Only a treated person who *bought* has used it.",
        ),
        (
            lambda got: is_profit(6.0, 0.5)(got) or is_profit(5.7, 0.2)(got),
            "`profit` takes the coupon off in the holdout as well. The holdout got no message, so it has neither "
            "coupon nor cost; every treated person who bought used a coupon, not only the additional buyers.",
        ),
        (
            is_profit(1.0, 0.5),
            "`profit` leaves the cost out: each treated person costs one message, whether he or she bought or not.",
        ),
        (
            is_profit(6.7, 2.7),
            "`profit` leaves the coupon out: each treated person who bought has used one.",
        ),
        (
            is_profit(27.5, 0.8),
            "`profit` subtracts *sums*. The arms differ in size: take the mean of each arm.",
        ),
    ]
    got = checks.call(campaign_profit, few_mailed())
    what = "campaign_profit(thirteen_people)"
    checks.equal(got, right, what, by="index", row="one per group", mistakes=mistakes)
