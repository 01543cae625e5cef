"""Lab 6: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import numpy as np
import pandas as pd

import cimlab
from cimlab import analysis, checks

AS_OF = pd.Timestamp("2026-06-30")
SPLIT = pd.Timestamp("2025-06-30")


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    A customer is here a card or an account, so that the lab starts at once; chapter 6 links them to persons. Calls
    are left out, since each has a number of its own.

    Returns
    -------
    orders : pandas.DataFrame
        order_id, customer_id (missing for a purchase without a card), ordered_at, amount (CNY).
    returns : pandas.DataFrame
        order_id, returned_on, refund (CNY); an order may have several.
    worth : pandas.DataFrame
        One row per customer: customer_id, profit (CNY, last twelve months), clv (CNY, next twelve months, as the
        model says it).

    Examples
    --------
    >>> orders, returns, worth = prepare()
    >>> worth.columns.tolist()
    ['customer_id', 'profit', 'clv']
    """
    orders = cimlab.load("orders").query("channel != 'call'").rename(columns={"customer_ref": "customer_id"})
    orders = orders[["order_id", "customer_id", "ordered_at", "amount"]].reset_index(drop=True)
    returns = cimlab.load("returns")
    now = analysis.value_table(orders, cimlab.load("order_lines"), cimlab.load("products"), AS_OF, returns=returns)
    summary = analysis.clv_summary(orders, until=AS_OF)
    models = analysis.fit_bgnbd(summary), analysis.fit_gamma_gamma(summary)
    worth = analysis.customer_lifetime_value(summary, *models, margin=now["profit"].sum() / now["revenue"].sum())
    worth = worth.merge(now[["customer_id", "profit"]], how="left", on="customer_id").fillna({"profit": 0.0})
    return orders, returns[["order_id", "returned_on", "refund"]], worth[["customer_id", "profit", "clv"]]


def forecast(past, weeks):
    """Learn BG/NBD from all orders that are given, and return the purchase days expected in the weeks after them.

    Parameters
    ----------
    past : pandas.DataFrame
        customer_id, ordered_at, amount.
    weeks : float

    Returns
    -------
    pandas.Series
        Expected purchase days, indexed by customer_id.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-05", "2026-02-02", "2026-02-02"])
    >>> past = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": days, "amount": 10.0})
    >>> forecast(past, weeks=4).index.tolist()
    ['a', 'b']
    """
    summary = analysis.clv_summary(past, until=past["ordered_at"].max())
    expected = analysis.expected_purchases(summary, analysis.fit_bgnbd(summary), weeks)
    return expected.set_axis(pd.Index(summary["customer_id"]))


def options(worth, orders, effect, cost, places):
    """Return what care brings, if the forecast is believed, and if it is cut down by what a hold-out showed.

    Parameters
    ----------
    worth, orders
        As `prepare` returns them.
    effect : float
        By which part care raises what a customer brings.
    cost : float
        CNY a customer and year.
    places : int
        How many customers can be cared for.

    Returns
    -------
    pandas.DataFrame
        Two rows, "forecast believed" and "forecast cut down": ratio (expected by actual purchases), worth_it
        (customers whose gain is above 0), gain (CNY, of the best of them, up to `places`).

    Examples
    --------
    >>> orders, _, worth = prepare()
    >>> options(worth, orders, effect=0.1, cost=4, places=300).index.tolist()
    ['forecast believed', 'forecast cut down']
    """
    tested = analysis.holdout(orders, SPLIT, AS_OF)
    rows = {}
    for name, ratio in {"believed": 1.0, "cut down": tested["expected"].sum() / tested["actual"].sum()}.items():
        gain = effect * worth["clv"] / ratio - cost
        good = gain[gain > 0].nlargest(places)
        rows[f"forecast {name}"] = {"ratio": ratio, "worth_it": (gain > 0).sum(), "gain": good.sum()}
    return pd.DataFrame(rows).T.astype({"worth_it": "int64"})


def purchases(rows):
    """Return a small table of orders from (customer, time, amount); the numbers of the orders are made up."""
    table = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])
    table["ordered_at"] = pd.to_datetime(table["ordered_at"], format="mixed")
    table.insert(0, "order_id", [f"o{number}" for number in range(1, len(table) + 1)])
    return table


def has(column, key="customer_id", **values):
    """Return a function that says whether a table holds these values in a column, by the name of the customer."""

    def found(got):
        own = got.set_index(key)[column]
        return all(np.isclose(float(own.get(name, np.nan)), value) for name, value in values.items())

    return found


ONE_PER_CUSTOMER = (
    lambda got: got["customer_id"].duplicated().any(),
    "A customer stands in several rows, one for each order. One row per *customer* is asked for: "
    '`groupby("customer_id")`.',
)
NOBODY = (
    lambda got: got["customer_id"].isna().any(),
    "Your table has a row without a customer. Purchases without a card belong to nobody: leave them out.",
)


def few_orders():
    """Return the orders of the visible check of question 1."""
    return purchases(
        [
            ("C1", "2026-06-29 22:00", 100.0),
            ("C1", "2026-06-30 20:15", 50.0),
            ("C2", "2026-06-20 23:30", 80.0),
            ("C2", "2026-05-01 09:00", 20.0),
            ("C3", "2026-07-01 00:00", 70.0),
            ("C4", "2025-12-31 12:00", 30.0),
            ("C4", "2026-07-02 10:00", 500.0),
            (None, "2026-06-30 12:00", 35.0),
            ("C5", "2026-06-30 09:00", 40.0),
        ]
    )


def check_rfm_table(names):
    """Question 1."""
    rfm_table = checks.answer(names, "rfm_table", "function")
    right = pd.DataFrame(
        [("C1", 0, 2, 150.0), ("C2", 10, 2, 100.0), ("C4", 181, 1, 30.0), ("C5", 0, 1, 40.0)],
        columns=["customer_id", "recency", "frequency", "monetary"],
    )
    mistakes = [
        ONE_PER_CUSTOMER,
        NOBODY,
        (
            lambda got: "C3" in set(got["customer_id"]),
            "C3 bought *after* `as_of` only. Who looks back from that day cannot know it yet: leave later orders out.",
        ),
        (
            lambda got: "C5" not in set(got["customer_id"]),
            "C5 bought on `as_of` at 9:00, which counts. `ordered_at <= as_of` compares with midnight: take "
            "`ordered_at < as_of + pd.Timedelta(days=1)`.",
        ),
        (has("frequency", C4=2), "C4 bought once more *after* `as_of`: later orders do not count."),
        (
            lambda got: pd.api.types.is_timedelta64_dtype(got["recency"]),
            "`recency` is a span of time; a whole number of days is asked for: `.dt.days`.",
        ),
        (
            has("recency", C2=9),
            "C2 bought on 20 June at 23:30. From that *day* to `as_of` it is 10 days; yours counts by the hour and "
            "loses one. Cut off the time of day first: `.dt.normalize()`.",
        ),
        (has("recency", C2=11), "`recency` is one too many: from 20 to 30 June it is 10 days, and today is 0."),
        (has("recency", C2=60), "`recency` is counted from the *first* order; the last one counts (`max`)."),
        (has("monetary", C1=75.0), "`monetary` is the mean of the amounts; their sum is asked for."),
    ]
    got = checks.call(rfm_table, few_orders(), AS_OF)
    what = "rfm_table(nine_orders, as_of)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def few_measured():
    """Return the RFM table of the visible check of question 2."""
    return pd.DataFrame(
        {
            "customer_id": [f"C{number}" for number in range(10)],
            "recency": [3, 400, 20, 20, 90, 1, 200, 55, 310, 20],
            "frequency": [1, 1, 1, 1, 5, 9, 2, 1, 3, 1],
            "monetary": [40.0, 12.0, 80.0, 25.0, 400.0, 950.0, 75.0, 33.0, 210.0, 18.0],
        }
    )


def fifths(values, best_is_small=False):
    """Score values from 1 to 5, counting for each how many are worse: the slow way, to check the fast one."""
    worse = [sum((other > own) if best_is_small else (other < own) for other in values) for own in values]
    return [-(-5 * (count + 1) // len(worse)) for count in worse]


def check_score_customers(names):
    """Question 2."""
    score_customers = checks.answer(names, "score_customers", "function")
    table = few_measured()
    right = table.assign(
        r_score=fifths(table["recency"], best_is_small=True),
        f_score=fifths(table["frequency"]),
        m_score=fifths(table["monetary"]),
    )
    scores = ["r_score", "f_score", "m_score"]
    once = table["frequency"] == 1
    mistakes = [
        (
            lambda got: not set(scores) & set(got.columns) and set("rfm") <= set(got.columns),
            "The three new columns are called `r_score`, `f_score` and `m_score`.",
        ),
        (lambda got: got[scores].min(axis=None) == 0, "Your scores begin at 0; they go from 1 to 5."),
        (
            lambda got: (
                np.allclose(got["r_score"], fifths(table["recency"])) and np.allclose(got["m_score"], right["m_score"])
            ),
            "`r_score` is upside down: C5 bought yesterday and gets 1. A *small* recency is good: rank "
            '`-table["recency"]`, or with `ascending=False`.',
        ),
        (
            lambda got: np.allclose(got["m_score"], fifths(table["monetary"], best_is_small=True)),
            "`m_score` is upside down: who spends most gets 5.",
        ),
        (
            lambda got: len(set(got["f_score"][once.to_numpy()])) > 1,
            "Customers who bought equally often got different `f_score`s, by the order of the rows. Equal values share "
            'one place: `rank(method="min")`, not `"first"`.',
        ),
        (
            lambda got: got["f_score"][once.to_numpy()].gt(1).all(),
            "Who bought once shares the lowest place with many others, so the score is 1. Yours takes the highest or "
            'the mean place: `rank(method="min")`.',
        ),
        (
            lambda got: np.allclose(got[scores], right[scores]),
            "The scores are right, but not whole numbers: `astype(int)`.",
        ),
    ]
    got = checks.call(score_customers, table)
    what = "score_customers(ten_customers)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def few_refunds():
    """Return the orders and returns of the visible check of question 3."""
    bought = [("a", 100.0), ("a", 100.0), ("b", 150.0), ("c", 60.0), ("d", 30.0), ("d", 10.0), ("e", 20.0)]
    orders = purchases([(who, "2026-03-01 10:00", amount) for who, amount in [*bought, (None, 500.0)]])
    back = pd.DataFrame({"order_id": ["o1", "o3", "o1"], "returned_on": pd.Timestamp("2026-03-09")})
    return orders.sample(frac=1, random_state=4), back.assign(refund=[40.0, 10.0, 45.0])


def check_best_share(names):
    """Question 3."""
    best_share = checks.answer(names, "best_share", "function")
    orders, returns = few_refunds()
    total = 115 + 140 + 60 + 40 + 20
    mistakes = [
        (100 * 255 / total, "`best_share(…)` is in per cent; a fraction from 0 to 1 is asked for."),
        (
            350 / 470,
            "Your share is that of the amounts *before* refunds. Subtract from each order all that was paid back.",
        ),
        (
            355 / 475,
            "Order o1 has two refunds, so a `merge` gives it two rows and counts its amount twice. Add up the refunds "
            "of each order first (`groupby`), then join.",
        ),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in (140 / 155, 140 / 255)),
            'Orders without a refund are lost: most have none. Join with `how="left"` (or `map`), then `fillna(0)`.',
        ),
        (
            1.0,
            "Your best two bring everything: an order without a refund became blank (NaN) and was lost in the sum. "
            "Its refund is 0: `fillna(0)`.",
        ),
        (60 / total, "These are the *worst* two customers: sort with `ascending=False`."),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in (155 / total, 100 / total, 130 / total, 240 / total)),
            "These are the first two customers as they stand in the table, not the best two: sort by what they bring "
            "first.",
        ),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in (300 / total, 240 / 375)),
            "You lined up *orders*. Add up for each customer first: d has two small ones.",
        ),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in (640 / 875, 255 / 875)),
            "The purchase without a card (500 CNY) is counted. It belongs to no customer: leave it out everywhere, "
            "also in the total.",
        ),
        (140 / total, "0.4 of five customers are two; yours is the share of one."),
    ]
    got = checks.call(best_share, orders, returns, 0.4)
    checks.equal(got, 255 / total, "best_share(eight_orders, three_returns, 0.4)", mistakes=mistakes)
    few = [(0.0, "0.05 of five customers is less than one. At least one counts: `max(1, …)`.")]
    got = checks.call(best_share, orders, returns, 0.05)
    checks.equal(got, 140 / total, "best_share(eight_orders, three_returns, 0.05)", mistakes=few)
    cut = [(140 / total, "0.35 of five is 1.75, which rounds to two customers: `round`, not `int` or `//`.")]
    got = checks.call(best_share, orders, returns, 0.35)
    checks.equal(got, 255 / total, "best_share(eight_orders, three_returns, 0.35)", mistakes=cut)


def few_months():
    """Return the orders of the visible check of question 4; `as_of` is 15 June 2026."""
    rows = [("A", f"2026-03-{day:02} 12:00") for day in (5, 6, 7, 8)]
    rows += [("A", "2026-01-10"), ("B", "2026-01-20"), ("B", "2026-02-01"), ("B", "2026-04-01"), ("I", "2026-01-15")]
    rows += [("H", "2026-02-10"), ("H", "2026-04-30 23:10"), ("C", "2026-03-31 23:00"), ("C", "2026-05-02")]
    rows += [("D", "2026-03-05"), ("D", "2026-06-05"), ("E", "2026-04-02"), ("E", "2026-06-10"), ("F", "2026-05-20")]
    rows += [("G", "2026-06-01"), ("K", "2026-06-20"), (None, "2026-01-03"), (None, "2026-03-03")]
    return purchases([(*row, 10.0) for row in rows])


def check_retention(names):
    """Question 4."""
    retention = checks.answer(names, "retention", "function")
    mistakes = [
        (50.0, "`retention(…)` is in per cent; a fraction from 0 to 1 is asked for."),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in (3 / 9, 3 / 10, 4 / 9, 4 / 10)),
            "You divide by *all* customers. E, F and G came so late that the month in question is not over: they "
            "cannot have come back yet, and count neither above nor below the line.",
        ),
        (
            4 / 7,
            "The cohort of April counts as ripe, but its month is June, which `as_of` (15 June) cuts short. A cohort "
            "is ripe when that month is *over*.",
        ),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in ((1 / 3 + 1 + 1 / 2) / 3, (1 / 3 + 1 + 1 / 2 + 1) / 4)),
            "This is the mean of the cohorts' rates, in which H alone weighs as much as three others. Count customers "
            "over all ripe cohorts, then divide once.",
        ),
        (5 / 6, "You count who came back in that month *or later*. Only the month that is `age` months after counts."),
        (4 / 6, "You count who came back at *any* time up to that month. Only the month itself counts."),
        (1.0, "A bought four times in March and is counted four times: count customers (`nunique`), not orders."),
    ]
    got = checks.call(retention, few_months(), pd.Timestamp("2026-06-15"), 2)
    checks.equal(got, 3 / 6, "retention(orders, 15 June 2026, 2)", mistakes=mistakes)


def few_weeks():
    """Return the orders of the visible check of question 5; `until` is 6 July 2026."""
    return purchases(
        [
            ("a", "2026-06-01 10:00", 30.0),
            ("a", "2026-06-01 18:00", 20.0),
            ("a", "2026-06-15 09:00", 40.0),
            ("a", "2026-07-08 09:00", 40.0),
            ("b", "2026-06-22 20:00", 15.0),
            ("c", "2026-06-08 23:00", 15.0),
            ("c", "2026-06-10 01:00", 15.0),
            ("c", "2026-06-29 21:00", 15.0),
            ("d", "2026-07-07 00:00", 15.0),
            ("e", "2026-07-06 08:00", 15.0),
            (None, "2026-06-29 12:00", 15.0),
        ]
    )


def check_clv_numbers(names):
    """Question 5."""
    clv_numbers = checks.answer(names, "clv_numbers", "function")
    right = pd.DataFrame(
        [("a", 1, 2.0, 5.0), ("b", 0, 0.0, 2.0), ("c", 2, 3.0, 4.0), ("e", 0, 0.0, 0.0)],
        columns=["customer_id", "frequency", "recency", "T"],
    )
    mistakes = [
        ONE_PER_CUSTOMER,
        NOBODY,
        (
            lambda got: "d" in set(got["customer_id"]),
            "d bought after `until` only. A model that learns from later orders has seen the answer (leakage): leave "
            "them out.",
        ),
        (
            lambda got: "e" not in set(got["customer_id"]),
            "e bought on `until` at 8:00, which counts: `ordered_at < until + pd.Timedelta(days=1)`.",
        ),
        (
            lambda got: any(has("frequency", a=wrong)(got) for wrong in (2, 3)) and got["recency"].max() > 4,
            "a bought again after `until`: that order may not be known yet.",
        ),
        (
            has("frequency", b=1),
            "`frequency` counts the first purchase too: b bought once and has no *repeat*, so 0.",
        ),
        (
            has("frequency", a=2),
            "a bought twice on 1 June. That is one purchase *day*: count different days (`nunique`), less the first.",
        ),
        (
            has("recency", a=3.0, b=2.0),
            "Your `recency` is that of RFM, from the last purchase to `until`. Here it runs from the *first* purchase "
            "to the last.",
        ),
        (has("T", a=35.0), "`T` is in days; weeks are asked for: divide by 7."),
        (has("recency", a=14.0), "`recency` is in days; weeks are asked for: divide by 7."),
        (
            has("T", a=2.0, c=3.0),
            "`T` ends at the last purchase. It runs to `until`, whether the customer still buys or not.",
        ),
        (
            lambda got: (7 * got[["recency", "T"]] % 1).round(6).isin([0, 1]).all(axis=None) == np.False_,
            "Your weeks are not made of whole days: cut off the time of day first (`.dt.normalize()`).",
        ),
    ]
    got = checks.call(clv_numbers, few_weeks(), pd.Timestamp("2026-07-06"))
    what = "clv_numbers(eleven_orders, until)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def few_later():
    """Return the orders of the visible check of question 6: split on 31 March, end on 30 June 2026."""
    return purchases(
        [
            ("a", "2026-01-05 10:00", 30.0),
            ("a", "2026-02-01 18:00", 20.0),
            ("a", "2026-04-01 09:00", 40.0),
            ("a", "2026-04-01 19:00", 40.0),
            ("a", "2026-06-30 21:00", 40.0),
            ("b", "2026-03-31 20:00", 15.0),
            ("c", "2026-04-10 11:00", 15.0),
            ("d", "2025-12-01 11:00", 15.0),
            ("d", "2026-07-01 00:00", 15.0),
            (None, "2026-05-01 12:00", 15.0),
        ]
    )


class Spy:
    """A forecast for the check: a tenth of a purchase for each earlier one and week. It notes what it is shown."""

    __name__ = "forecast"

    def __init__(self):
        self.past, self.weeks = pd.DataFrame({"ordered_at": []}), None

    def __call__(self, past, weeks):
        self.past, self.weeks = past.copy(), weeks
        return past.groupby("customer_id").size() * weeks / 10


def judged(names, orders, split, end):
    """Run the student's `judge` with a spy and return its result and the spy, after a look at what it was shown."""
    judge = checks.answer(names, "judge", "function")
    spy = Spy()
    got = checks.call(judge, orders, spy, split, end)
    checks.require(
        spy.weeks is not None,
        "`judge` never calls `forecast`: the second argument is a function, call it as `forecast(past, weeks)`.",
    )
    checks.require(
        {"customer_id", "ordered_at"} <= set(spy.past.columns),
        "`forecast` needs the columns `customer_id` and `ordered_at`: hand over rows of `orders` as they are.",
    )
    checks.require(
        not (spy.past["ordered_at"] >= split + pd.Timedelta(days=1)).any(),
        "`forecast` is shown orders from *after* `split`. So it has seen what it should foretell (leakage), and the "
        "test says nothing: hand over only the orders up to `split`.",
    )
    last = orders.loc[orders["customer_id"].notna() & (orders["ordered_at"] < split + pd.Timedelta(days=1))]
    checks.require(
        last["ordered_at"].max() in set(spy.past["ordered_at"]),
        "`forecast` is not shown the orders of the evening of `split`, which belong to the past: "
        "`ordered_at < split + pd.Timedelta(days=1)`.",
    )
    weeks = (end - split).days / 7
    checks.require(
        isinstance(spy.weeks, (int, float, np.number)),
        "The second argument of `forecast` is a number of weeks: `(end - split).days / 7`.",
    )
    checks.require(
        np.isclose(float(spy.weeks), weeks),
        f"`forecast` is called for {float(spy.weeks):g} weeks; from `split` to `end` there are {weeks:g}: "
        "`(end - split).days / 7`.",
    )
    return got, spy


def check_judge(names):
    """Question 6."""
    orders, split, end = few_later(), pd.Timestamp("2026-03-31"), pd.Timestamp("2026-06-30")
    got, _ = judged(names, orders, split, end)
    right = pd.DataFrame([("a", 2.6, 2), ("b", 1.3, 0), ("d", 1.3, 0)], columns=["customer_id", "expected", "actual"])
    mistakes = [
        ONE_PER_CUSTOMER,
        NOBODY,
        (
            lambda got: "c" in set(got["customer_id"]),
            "c came after `split`. Nobody could have foretold a customer who was not there: keep the customers of the "
            "forecast only.",
        ),
        (
            lambda got: not {"b", "d"} & set(got["customer_id"]),
            "Customers who did not buy again are lost. They are what an over-forecast is made of: keep all of the "
            'forecast (`how="left"`, or `map`), with 0.',
        ),
        (
            lambda got: got["actual"].isna().any(),
            "`actual` is blank for who did not buy again. The number is known, it is 0: `fillna(0)`.",
        ),
        (has("actual", d=1), "d bought after `end`: that day lies outside of the test."),
        (
            has("actual", a=3),
            "a bought twice on 1 April. The model counts purchase *days*: count different days (`nunique`).",
        ),
        (
            has("actual", a=1),
            "a bought on `end` at 21:00, which counts: `ordered_at < end + pd.Timedelta(days=1)`.",
        ),
        (has("actual", a=4), "`actual` counts purchases up to `split` too; only those after it are the test."),
        (
            lambda got: np.allclose(got.set_index("customer_id")["actual"][["a", "b", "d"]].astype(float), [2, 0, 0]),
            "The numbers in `actual` are right, but they are decimals or texts: `fillna(0).astype(int)`.",
        ),
    ]
    what = "judge(ten_orders, forecast, split, end)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def few_worth():
    """Return the table of the visible check of question 7."""
    rows = [("f", -20.0, 60.0), ("b", 300.0, 20.0), ("c", 5.0, 80.0), ("d", 0.0, 10.0), ("a", 100.0, 90.0)]
    rows += [("e", 60.0, 30.0), ("g", 40.0, 40.0)]
    return pd.DataFrame(rows, columns=["customer_id", "profit", "clv"])


def check_choose_customers(names):
    """Question 7."""
    choose_customers = checks.answer(names, "choose_customers", "function")
    rows = [("a", "platinum", 12.5), ("c", "iron", 10.0), ("f", "iron", 5.0)]
    right = pd.DataFrame(rows, columns=["customer_id", "group", "gain"])

    def who(*chosen):
        return lambda got: got["customer_id"].tolist() == list(chosen)

    def gain_of_a(value):
        return lambda got: np.isclose(got.set_index("customer_id")["gain"]["a"], value)

    past = (
        lambda got: "b" in set(got["customer_id"].head(2)),
        "b brought most *last* year and will bring little. Care pays by what is still to come: choose by `clv`.",
    )
    common = [
        (gain_of_a(22.5), "`gain` leaves the cost out: care costs `cost` for each customer."),
        (
            gain_of_a(80.0),
            "`gain` takes the whole `clv`. Most of it comes without care, too: care adds `effect` × `clv`.",
        ),
        (gain_of_a(20.0), "`effect` belongs to `clv` only, not to the cost: `effect * clv - cost`."),
        (
            lambda got: got["customer_id"].iloc[0] == "d" or got["gain"].is_monotonic_increasing,
            "The best must stand first: sort by `gain` with `ascending=False` before you cut.",
        ),
        (
            lambda got: set(got["group"]) - {"platinum", "gold", "iron", "lead"},
            "`group` is one of the four words platinum, gold, iron, lead.",
        ),
    ]
    losers = [
        (
            lambda got: (got["gain"] < 0).any(),
            "Your choice has customers whose `gain` is below 0. An empty place costs nothing: leave it empty.",
        ),
        (lambda got: (got["gain"] == 0).any(), "g gains exactly 0, which is not above 0: `>`, not `>=`."),
        (
            who("f", "c", "a"),
            "The right customers, in the order of the table. The best must stand first: sort by `gain`.",
        ),
    ]
    what = "choose_customers(seven_customers, 0.25, 10, 5)"
    got = checks.call(choose_customers, few_worth(), 0.25, 10, 5)
    checks.equal(got, right, what, mistakes=[past, *losers, *common, *wrong_groups(right)])
    got = checks.call(choose_customers, few_worth(), 0.25, 10, 2)
    too_many = [(lambda got: len(got) > 2, "There are two places here, and you fill more: `head(places)`.")]
    what = "choose_customers(seven_customers, 0.25, 10, 2)"
    checks.equal(got, right.head(2), what, mistakes=[past, *too_many, *common, *wrong_groups(right)])


def wrong_groups(right):
    """Return the recognised mistakes in the column `group` of question 7."""
    own = right.set_index("customer_id")["group"]

    def same_but_groups(got):
        return got["customer_id"].tolist() == right["customer_id"].head(len(got)).tolist()

    def differs(got):
        return same_but_groups(got) and not got.set_index("customer_id")["group"].equals(own.head(len(got)))

    turned = {"a": "platinum", "c": "gold", "f": "gold"}
    return [
        (
            lambda got: same_but_groups(got) and got["group"].tolist() == [turned[name] for name in got["customer_id"]],
            "gold and iron are changed over: gold is high *now* (`profit`), iron is high in *future* (`clv`).",
        ),
        (
            differs,
            "The customers are right, a `group` is not. High is from the mean of the *whole* `table` on, not of the "
            "chosen ones: make the groups before you choose.",
        ),
    ]
