"""Lab 7: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import numpy as np
import pandas as pd

import cimlab
from cimlab import analysis, checks, database

TODAY = pd.Timestamp("2026-06-30")
CHARTS = ("bar", "stacked bar", "line", "scatter", "histogram")
BUCKETS = ["not yet due", "1-30", "31-60", "61-90", "over 90"]
FACTS = ["collection_rate", "mean_days_past_due", "default_share", "current_ratio", "debt_ratio", "known", "score"]


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    orders : pandas.DataFrame
        Invoices of enterprise customers by `firm`; records of one firm are joined.
    years : pandas.DataFrame
        firm, year, revenue (10,000 CNY) in no order; for some firms a year is missing.
    indicators : pandas.DataFrame
        One row per firm (index) with the indicators that are scored; some are blank.
    rules : pandas.DataFrame
        One row per indicator (index): worst, best, weight.
    scored : pandas.DataFrame
        One row per firm (index): score, known, status in the register, monthly (CNY), open (CNY).
    case : pandas.Series
        What is known of one firm, for the last question.

    Examples
    --------
    >>> orders, years, indicators, rules, scored, case = prepare()
    >>> scored.columns.tolist()
    ['score', 'known', 'status', 'monthly', 'open']
    """
    firms = database.standardise_enterprises(cimlab.load("enterprises"))
    pairs = database.candidate_pairs(firms, database.ENTERPRISE_BLOCKS)
    firm_of = database.cluster_pairs(firms, pairs).set_index("record_id")["customer_id"]
    orders, years = (
        table.assign(firm=table["enterprise_id"].map(firm_of))
        for table in (cimlab.load("enterprise_orders"), cimlab.load("enterprise_years"))
    )
    years = years.drop_duplicates(["firm", "year"])
    table = analysis.score_on(orders, years, TODAY, "firm").set_index("firm")
    recent = orders[orders["ordered_on"] > TODAY - pd.DateOffset(years=1)]
    monthly = recent.groupby("firm")["amount"].sum() / 12
    codes = firms.groupby(firms["record_id"].map(firm_of))["credit_code"].first()
    status = codes.map(cimlab.load("business_register").set_index("credit_code")["status"])
    table = table.assign(monthly=monthly.reindex(table.index, fill_value=0.0).round(2), status=status)
    rules = pd.DataFrame(analysis.CREDIT_POINTS).T
    case = choose_case(table, orders)
    kept = years[~((years["year"] == 2024) & (years["firm"].str[-1] == "7"))].sample(frac=1, random_state=1)
    orders = orders[["b2b_order_id", "firm", "ordered_on", "amount", "due_on", "paid_on", "paid"]]
    scored = table[["score", "known", "status", "monthly", "open"]]
    return orders, kept[["firm", "year", "revenue"]], table[list(rules.index)], rules, scored, case


def choose_case(table, orders):
    """Return the facts of the firm that orders most among those that are neither clearly good nor clearly bad."""
    doubtful = table[table["score"].between(45, 85) & (table["monthly"] > 0)]
    firm = (doubtful if len(doubtful) else table)["monthly"].idxmax()
    facts = table.loc[firm, FACTS].astype("float64").round(2)
    limits = analysis.credit_terms(table.loc[[firm]], "monthly").iloc[0]
    money = {"monthly (CNY)": table.loc[firm, "monthly"], "open (CNY)": table.loc[firm, "open"]}
    money |= {"overdue (CNY)": table.loc[firm, "overdue"], "limit by the score (CNY)": limits["credit_limit"]}
    status = table.loc[firm, "status"]
    words = {"firm": firm, "state in the register": status if isinstance(status, str) else "not found"}
    words |= {"days agreed": int(orders.loc[orders["firm"] == firm, "terms_days"].iloc[-1])}
    words |= {"grade by the score": limits["grade"], "days by the score": int(limits["terms_days"])}
    return pd.Series(words | {name: round(value) for name, value in money.items()} | facts.to_dict(), name="case")


def compare_charts(charts, right, reveal=True):
    """Compare a dict of question → chart with the right one; `right` is question → (chart, hint)."""
    names = {"place": "The chart for {}", "elsewhere": "The chart for one of the other questions"}
    absent = "`charts` needs all ten `questions`, spelt as in that list."
    checks.choices(charts, right, CHARTS, **names, absent=absent, reveal=reveal)


def check_charts(names):
    """Question 1."""
    compare_charts(
        checks.answer(names, "charts", dict),
        {
            "Which of eight cities buys most?": ("bar", "It compares *who has more*: lengths from zero."),
            "How did overdue money move, month by month?": ("line", "It asks for the *change* over time."),
            "Do firms with more debts pay later?": ("scatter", "Two numbers of each firm, do they go *together*?"),
            "How do all credit scores spread?": ("histogram", "One number of each firm: where do most of them lie?"),
            "What parts (not due, late) make up each city's debts?": (
                "stacked bar",
                "It asks for the *parts of a whole*, for each city.",
            ),
        },
    )


def few_years():
    """Return the statements of the visible check of question 2."""
    rows = [("F2", 2025, 90.0), ("F1", 2024, 120.0), ("F3", 2025, 300.0), ("F1", 2023, 100.0), ("F3", 2023, 200.0)]
    return pd.DataFrame([*rows, ("F2", 2024, 100.0), ("F1", 2025, 150.0), ("F4", 2024, 40.0)], columns=YEAR_COLUMNS)


YEAR_COLUMNS = ["firm", "year", "revenue"]


def check_growth(names):
    """Question 2."""
    growth = checks.answer(names, "growth", "function")
    years = few_years()
    right = years[["firm", "year"]].assign(growth=[-0.1, 0.2, None, None, None, None, 0.25, None])

    def is_growth(firm, year, value):
        return lambda got: np.isclose(got.set_index(["firm", "year"]).loc[(firm, year), "growth"], value)

    mistakes = [
        (
            lambda got: len(got) == right["growth"].notna().sum(),
            "Rows without a growth are lost. Keep every row; where the year before is not there, `growth` is blank.",
        ),
        (is_growth("F1", 2024, 20.0), "These are per cent; the task asks for fractions: 0.2 stands for 20 per cent."),
        (is_growth("F1", 2024, 1.2), "This is the ratio to the year before; growth is that ratio *less 1*."),
        (
            lambda got: got.set_index(["firm", "year"])["growth"].loc[[("F1", 2023), ("F2", 2024)]].notna().any(),
            "The first year of a firm has a growth: it is compared with another firm or a later year. Sort by firm "
            "and year, then `groupby` the firm.",
        ),
        (
            is_growth("F3", 2025, 0.5),
            "F3 has 2023 and 2025, but no 2024: that is the growth of *two* years, and must be blank. Compare the "
            "years too, not only neighbouring rows.",
        ),
        (
            lambda got: got.set_index(["firm", "year"]).loc[("F4", 2024), "growth"] == 0,
            "F4 has one year: its growth is not 0, it is not known. Leave it blank.",
        ),
    ]
    got = checks.call(growth, years)
    checks.equal(got, right, "growth(few_years)", by=["firm", "year"], row="one per firm and year", mistakes=mistakes)


ORDER_COLUMNS = ["firm", "ordered_on", "amount", "due_on", "paid_on", "paid"]


def invoices(rows):
    """Return invoices as a table: firm, ordered_on, amount, due_on, paid_on, paid, and a number for each."""
    table = pd.DataFrame(rows, columns=ORDER_COLUMNS)
    for column in ("ordered_on", "due_on", "paid_on"):
        table[column] = pd.to_datetime(table[column])
    table.insert(0, "b2b_order_id", [f"O{number}" for number in range(1, len(table) + 1)])
    return table.astype({"amount": "float64", "paid": "float64"})


def check_payment(names):
    """Question 3."""
    payment = checks.answer(names, "payment", "function")
    few = invoices(
        [
            ("F1", "2026-01-01", 100, "2026-01-31", "2026-01-21", 100),
            ("F1", "2026-03-02", 300, "2026-04-01", None, 0),
            ("F1", "2026-06-10", 50, "2026-07-10", "2026-06-20", 50),
            ("F2", "2026-02-01", 200, "2026-03-03", "2026-03-13", 200),
            ("F2", "2026-04-01", 200, "2026-05-01", "2026-05-31", 80),
            ("F3", "2026-05-31", 70, "2026-06-30", None, 0),
            ("F3", "2026-05-01", 10, "2026-05-31", "2026-05-31", 10),
        ]
    )
    index = pd.Index(["F1", "F2", "F3"], name="firm")
    right = pd.DataFrame({"collection_rate": [0.25, 0.7, 1.0], "days": [70.0, 65.0, 30.0]}, index=index)

    def has(firm, column, value):
        return lambda got: np.isclose(got.loc[firm, column], value)

    mistakes = [
        (has("F1", "collection_rate", 25), "`collection_rate` is in per cent; the task asks for a fraction."),
        (
            has("F1", "collection_rate", 0.5),
            "`collection_rate` counts *invoices*. It is a part of the *money*: sum of `paid` / sum of `amount`.",
        ),
        (
            lambda got: (
                np.isclose(got.loc["F1", "collection_rate"], 150 / 450) or np.isclose(got.loc["F1", "days"], 50)
            ),
            "An invoice of F1 is due on 10 July, after `as_of`: nobody has to have paid it yet. Keep the invoices that "
            "were due first.",
        ),
        (
            has("F3", "collection_rate", 1 / 8),
            "An invoice of F3 is due *on* `as_of`; only those due *before* that day count: `<`, not `<=`.",
        ),
        (
            has("F1", "days", 20),
            "`days` leaves out what is open: F1 has an invoice that nobody paid for 120 days, and looks like a quick "
            "payer. Let an open invoice count with the days from the order to `as_of`.",
        ),
        (
            has("F2", "days", 50),
            "F2 paid 80 of 200: that invoice is not paid in full, so it counts up to `as_of`, not up to the first "
            "payment.",
        ),
        (
            has("F3", "days", 0),
            "`days` starts on the day when payment is due. The task counts from the day of the *order*.",
        ),
    ]
    got = checks.call(payment, few, TODAY)
    checks.equal(got, right, "payment(seven_invoices, …)", by="index", row="one per firm", mistakes=mistakes)


def check_ageing(names):
    """Question 4."""
    ageing = checks.answer(names, "ageing", "function")
    few = invoices(
        [
            ("F1", "2026-05-20", 80, "2026-06-19", None, 0),
            ("F1", "2026-05-01", 40, "2026-05-31", None, 0),
            ("F2", "2026-04-01", 100, "2026-05-01", None, 0),
            ("F2", "2026-03-31", 200, "2026-04-30", "2026-04-20", 50),
            ("F3", "2026-02-01", 60, "2026-03-02", None, 0),
            ("F3", "2025-12-01", 500, "2025-12-31", "2026-06-10", 500),
            ("F4", "2026-06-05", 999, "2026-07-05", None, 0),
            ("F4", "2026-01-05", 70, "2026-02-04", "2026-02-01", 70),
        ]
    )
    right = pd.Series([120.0, 100.0, 150.0, 60.0, 500.0], index=BUCKETS)
    mistakes = [
        (
            lambda got: set(got.index) < set(BUCKETS),
            "A bucket is missing: all five are asked for, with 0 where nothing is open (`observed=False`, `reindex`).",
        ),
        (
            lambda got: np.allclose(got.loc[BUCKETS], [0, 120, 100, 150, 560]),
            "You count from the day of the *order*, so that money which is not due yet looks late. Ageing counts from "
            "`due_on`.",
        ),
        (
            lambda got: np.isclose(got["not yet due"], 1119),
            "An order of 5 June counts, but on 31 May (`as_of`) nobody had placed it yet (step 1).",
        ),
        (
            lambda got: np.isclose(got["over 90"], 0),
            "F3 paid 500 on 10 June. On 31 May (`as_of`) that was not paid yet: it is open, and over 90 days late "
            "(step 1).",
        ),
        (
            lambda got: np.isclose(got["31-60"], 200),
            "F2 owes 150 of the 200: what is *open* is `amount` less `paid` (step 2).",
        ),
        (
            lambda got: np.isclose(got["not yet due"], 80),
            "An invoice that is due *on* `as_of` (0 days) is not late yet: it belongs to `not yet due` (step 3).",
        ),
        (
            lambda got: np.isclose(got["1-30"], 0) or np.isclose(got["61-90"], 0),
            "30 days belong to `1-30`, and 90 days to `61-90`. `pd.cut` includes the right edge by itself; leave "
            "`right=False` away.",
        ),
    ]
    got = checks.call(ageing, few, pd.Timestamp("2026-05-31"))
    checks.equal(got, right, "ageing(eight_invoices, …)", by="index", row="one per bucket", mistakes=mistakes)


def few_rules():
    """Return the rules of the visible check of question 5."""
    rows = {"collection_rate": (0.5, 1.0, 50), "days_late": (60.0, 0.0, 30), "debt_ratio": (0.9, 0.4, 20)}
    return pd.DataFrame(rows, index=["worst", "best", "weight"]).T


def check_score(names):
    """Question 5."""
    score = checks.answer(names, "score", "function")
    table = pd.DataFrame(
        {
            "city": ["上海", "上海", "杭州", None],
            "collection_rate": [0.9, 1.0, 0.4, None],
            "days_late": [15.0, 90.0, 0.0, None],
            "debt_ratio": [0.5, None, 0.2, None],
        },
        index=["F1", "F2", "F3", "F4"],
    )
    right = pd.DataFrame({"score": [78.5, 62.5, 50.0, None], "known": [1.0, 0.8, 1.0, 0.0]}, index=table.index)

    def has(firm, column, value):
        return lambda got: np.isclose(got.loc[firm, column], value)

    mistakes = [
        (has("F1", "score", 0.785), "`score` goes from 0 to 1; the task asks for 0 to 100."),
        (
            has("F1", "score", 51.5),
            "For `days_late` and `debt_ratio` lower is better, but yours give more points for more. Take "
            "(value − worst) / (best − worst): both signs turn, and it is right in either direction.",
        ),
        (
            has("F1", "score", (0.8 + 0.75 + 0.8) / 3 * 100),
            "Each indicator counts the same; the task asks for the *weights* of `rules`.",
        ),
        (
            lambda got: has("F3", "score", 48)(got) or has("F2", "score", 43.75)(got),
            "A value beyond `best` gets more than all points, or one beyond `worst` fewer than none: "
            "`.clip(0, 1)` before the weights (step 1).",
        ),
        (
            has("F2", "score", 50),
            "A blank counts as no points. Nobody knows F2's debts: leave the indicator out, and divide by the weights "
            "of those that *are* there (step 2).",
        ),
        (
            has("F2", "known", 2 / 3),
            "`known` counts indicators; the task asks for the part of the *weight* that is there.",
        ),
        (has("F1", "known", 100), "`known` is a fraction from 0 to 1: divide by the sum of all weights."),
        (has("F4", "score", 0), "Of F4 nothing is known: its score is blank, not 0 (step 3)."),
    ]
    got = checks.call(score, table, few_rules())
    checks.equal(got, right, "score(four_firms, rules)", by="index", row="one per firm", mistakes=mistakes)


def check_terms(names):
    """Question 6."""
    terms = checks.answer(names, "terms", "function")
    rows = [
        (80.0, 1.0, "in business", 100.0, 120.0),
        (79.9, 1.0, "in business", 100.0, 250.0),
        (65.0, 0.5, "in business", 50.0, 0.0),
        (90.0, 0.4, "in business", 100.0, 0.0),
        (95.0, 1.0, "revoked", 100.0, 40.0),
        (50.0, 0.9, None, 30.0, 10.0),
        (None, 0.0, "in business", 0.0, 0.0),
        (49.9, 1.0, "in business", 100.0, 500.0),
    ]
    index = pd.Index([f"F{number}" for number in range(1, 9)], name="firm")
    few = pd.DataFrame(rows, columns=["score", "known", "status", "monthly", "open"], index=index)
    right = pd.DataFrame({"grade": list("ABBDDCDD"), "days": [60, 30, 30, 0, 0, 15, 0, 0]}, index=index)
    right["free"] = [180.0, 0.0, 100.0, 0.0, 0.0, 20.0, 0.0, 0.0]

    def graded(**grades):
        return lambda got: all(got.loc[firm, "grade"] == grade for firm, grade in grades.items())

    mistakes = [
        (
            lambda got: got.loc["F1", "grade"] == "B",
            "Exactly 80 points are an A, 65 a B and 50 a C: `>=`, not `>`.",
        ),
        (
            graded(F4="A"),
            "Of F4 less than half is known: however high its score, it gets D (step 2).",
        ),
        (graded(F3="D"), "Of F3 exactly half is known, which is enough: D is for *less* than 0.5 (step 2)."),
        (graded(F5="A"), "F5 is revoked, so it gets D whatever its score (step 2)."),
        (
            graded(F6="D"),
            'The status of F6 is blank: not found in the register is no reason to refuse. `!= "in business"` is True '
            "for a blank too (step 2).",
        ),
        (
            lambda got: got.loc["F2", "free"] < 0,
            "`free` of F2 is below 0: it owes more than its limit, so nothing is free, that is 0 (`clip`).",
        ),
        (
            lambda got: np.isclose(got.loc["F1", "free"], 300),
            "`free` is the whole limit. What is open already takes a part of it: subtract `open`.",
        ),
    ]
    got = checks.call(terms, few)
    checks.equal(got, right, "terms(eight_firms)", by="index", row="one per firm", mistakes=mistakes)


def check_known_then(names):
    """Question 7."""
    known_then = checks.answer(names, "known_then", "function")
    day = pd.Timestamp("2025-03-31")
    orders = invoices(
        [
            ("F1", "2025-01-10", 50, "2025-02-09", "2025-02-01", 50),
            ("F1", "2025-02-01", 100, "2025-03-03", "2025-05-02", 100),
            ("F1", "2025-03-31", 80, "2025-04-30", None, 0),
            ("F2", "2025-04-01", 30, "2025-05-01", "2025-04-02", 30),
            ("F2", "2025-03-01", 60, "2025-03-31", "2025-03-31", 40),
        ]
    )
    rows = [("F1", 2023, 10.0), ("F1", 2024, 11.0), ("F2", 2022, 5.0), ("F2", 2024, 6.0), ("F2", 2025, 7.0)]
    years = pd.DataFrame(rows, columns=YEAR_COLUMNS)
    seen = orders.iloc[[0, 1, 2, 4]].assign(paid=[50.0, 0.0, 0.0, 40.0])
    seen["paid_on"] = seen["paid_on"].where(seen["b2b_order_id"] != "O2")
    got = checks.call(known_then, orders, years, day)
    checks.require(
        isinstance(got, tuple) and len(got) == 2 and all(isinstance(table, pd.DataFrame) for table in got),
        "`known_then` has to return two tables: `return orders, years`.",
    )
    compare_known(got, seen, years.iloc[[0, 2]])


def compare_known(got, orders, years, reveal=True):
    """Compare the two tables of question 7 with the right ones: orders O1, O2, O3, O5, and statements."""

    def ids(table):
        return set(table["b2b_order_id"])

    checks.require(
        "b2b_order_id" in got[0] and "b2b_order_id" not in got[1],
        "The first of the two tables has to be the orders, the second the statements: `return orders, years`.",
    )
    late = orders.loc[orders["paid_on"].isna(), "b2b_order_id"]
    mistakes = [
        (
            lambda table: ids(table) < ids(orders) and not ids(table) & set(late),
            "Invoices that were open on `day` are lost. They are the most telling: keep them, as not paid "
            "(`where`, not a filter on `paid_on`).",
        ),
        (
            lambda table: ids(table) > ids(orders),
            "An order stands there that was placed after `day`: nobody knew of it.",
        ),
        (
            lambda table: ids(table) < ids(orders),
            "An order that was placed *on* `day` is lost: that day counts, `<=`.",
        ),
        (
            lambda table: (table["paid_on"].isna() & (table["paid"] > 0)).any(),
            "`paid_on` is blank, but `paid` still holds the money that came later. Set it to 0: a score that sees it "
            "knows the answer already.",
        ),
        (
            lambda table: table.set_index("b2b_order_id").loc[late, "paid"].gt(0).any(),
            "Money that came after `day` is still there. On that day nobody had it: `paid` is 0 and `paid_on` blank.",
        ),
        (
            lambda table: table.set_index("b2b_order_id").loc[late, "paid_on"].notna().any(),
            "`paid` is 0, but `paid_on` still tells the day of a later payment: blank it.",
        ),
        (
            lambda table: table.set_index("b2b_order_id").drop(late)["paid"].eq(0).any(),
            "A payment that came *on* `day` was known on that day: `paid_on <= day`.",
        ),
    ]
    name = "known_then(…)[0]"
    checks.equal(got[0], orders, name, by="b2b_order_id", row="one per order", mistakes=mistakes, reveal=reveal)
    last = years["year"].max()
    mistakes = [
        (
            lambda table: table["year"].max() > last,
            "A statement stands there that was not handed in yet. A year ends on 31 December, and its statement comes "
            "120 days later: compare that day with `day`.",
        ),
        (
            lambda table: len(table) < len(years) and table["year"].max() <= last,
            "Statements are lost that were known on `day`: all years count whose statement was there, not only one.",
        ),
    ]
    name = "known_then(…)[1]"
    checks.equal(
        got[1], years, name, by=["firm", "year"], row="one per firm and year", mistakes=mistakes, reveal=reveal
    )
