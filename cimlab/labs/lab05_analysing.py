"""Lab 5: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import statistics

import numpy as np
import pandas as pd

import cimlab
from cimlab import analysis, checks

BUSY_SHOP = "ST06"


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    monthly, weekly : pandas.Series
        Purchases in each month, and in each whole week.
    shop_days : pandas.Series
        Purchases of one shop on each day that had any.
    stores : pandas.DataFrame
        One row for each shop, the last twelve months: sales and basket (CNY), growth and refunded (fractions).
    buyers : pandas.DataFrame
        One row for each known customer: spent (CNY), bought (articles), returned (articles).
    panel : pandas.DataFrame
        One row for each drink and whole week: product_id, week, packs, discount (fraction, blank without an offer).

    Examples
    --------
    >>> monthly, weekly, shop_days, stores, buyers, panel = prepare()
    >>> len(monthly), len(weekly), len(stores)
    (24, 104, 12)
    """
    orders = cimlab.load("orders")
    lines = cimlab.load("order_lines").merge(orders[["order_id", "customer_ref", "ordered_at"]], on="order_id")
    when = orders["ordered_at"]
    monthly = orders.groupby(when.dt.to_period("M").rename("month")).size()
    weekly = orders.groupby(when.dt.to_period("W").rename("week")).size().iloc[:-1]
    one = orders[orders["store_id"] == BUSY_SHOP]
    shop_days = one.groupby(one["ordered_at"].dt.to_period("D").rename("day")).size()
    return monthly, weekly, shop_days, shop_year(orders), known_buyers(lines), drink_weeks(lines)


def shop_year(orders):
    """Return `stores`, as chapter 5 makes it."""
    year, before = orders[orders["ordered_at"] >= "2025-07-01"], orders[orders["ordered_at"] < "2025-07-01"]
    stores = year.groupby("store_id").agg(sales=("amount", "sum"), basket=("amount", "mean"))
    stores["growth"] = stores["sales"] / before.groupby("store_id")["amount"].sum() - 1
    refunds = cimlab.load("returns").merge(year[["order_id", "store_id"]], on="order_id")
    return stores.assign(refunded=refunds.groupby("store_id")["refund"].sum() / stores["sales"])


def known_buyers(lines):
    """Return `buyers`, as chapter 5 makes it."""
    back = cimlab.load("returns").merge(lines[["order_id", "line_no", "customer_ref"]], on=["order_id", "line_no"])
    buyers = lines.groupby("customer_ref").agg(spent=("amount", "sum"), bought=("line_no", "size"))
    return buyers.assign(returned=back.groupby("customer_ref").size().reindex(buyers.index, fill_value=0))


def drink_weeks(lines):
    """Return `panel`: how many packs of each drink were sold in each whole week, and at which discount."""
    products = cimlab.load("products")
    drinks = products.loc[products["category"] == "drinks", "product_id"]
    sold = lines[lines["product_id"].isin(drinks)]
    weeks = sold["ordered_at"].dt.to_period("W").dt.start_time.rename("week")
    packs = sold["quantity"].groupby([weeks, sold["product_id"]]).sum()
    whole = pd.date_range(weeks.min(), lines["ordered_at"].max() - pd.Timedelta(days=6), freq="7D")
    every = pd.MultiIndex.from_product([whole, drinks], names=["week", "product_id"])
    panel = packs.reindex(every, fill_value=0).rename("packs").reset_index()
    offers = cimlab.load("promotions").rename(columns={"starts_on": "week"})[["product_id", "week", "discount"]]
    return panel.merge(offers, on=["product_id", "week"], how="left")


def some_months():
    """Return the purchases of the visible check of question 1."""
    numbers = [80, 50, 100, 120, 90, 110, 100, 95, 130, 125, 160, 150, 100, 75, 90, 130]
    return pd.Series(numbers, index=pd.period_range("2025-01", periods=16, freq="M", name="month"))


def changes_of(numbers, year=12):
    """Return the changes on the entry before and on the one a year before; blank where there is none."""
    listed, rows = numbers.tolist(), []
    for place, number in enumerate(listed):
        back = [listed[place - step] if place >= step else np.nan for step in (1, year)]
        rows.append([number / before - 1 for before in back])
    table = pd.DataFrame(rows, columns=["on_last_month", "on_last_year"], index=numbers.index)
    return table.assign(disagree=table["on_last_month"] * table["on_last_year"] < 0)


def check_changes(names):
    """Question 1."""
    changes = checks.answer(names, "changes", "function")
    numbers = some_months()
    right = changes_of(numbers)

    def is_column(column, values):
        return lambda got: np.allclose(got[column].astype(float).iloc[-4:], np.array(values)[-4:], equal_nan=True)

    last, year = numbers / numbers.shift(1), numbers / numbers.shift(12)
    mistakes = [
        (
            lambda got: len(got) < len(right) and "on_last_year" in got,
            "Your table has lost the first months. They have nothing to be compared with, but stay, with a blank: "
            "leave `dropna` out.",
        ),
        (is_column("on_last_month", 100 * (last - 1)), "These are per cent; the task asks for fractions: 0.1 is 10 %."),
        (
            is_column("on_last_month", numbers.diff()),
            "These are differences in purchases; a change is that difference *divided by the earlier number*.",
        ),
        (
            is_column("on_last_month", 1 - 1 / last),
            "You divide by the later number. A change is measured on the *earlier* one: now / before - 1.",
        ),
        (
            is_column("on_last_month", last),
            "These are ratios (1.1); the task asks for changes (0.1): now / before - 1.",
        ),
        (
            is_column("on_last_year", numbers / numbers.shift(11) - 1),
            "`on_last_year` looks 11 months back. The same month of the last year is 12 back: `shift(12)`.",
        ),
        (
            is_column("on_last_year", numbers / numbers.shift(13) - 1),
            "`on_last_year` looks 13 months back. The same month of the last year is 12 back: `shift(12)`.",
        ),
        (
            lambda got: is_column("on_last_year", last - 1)(got) and is_column("on_last_month", year - 1)(got),
            "The two columns are swapped: one month back for `on_last_month`, twelve for `on_last_year`.",
        ),
        (
            lambda got: not got["on_last_year"].iloc[:12].isna().any(),
            "The first year has no year before it. A change that nobody can know is blank (NaN), not a number.",
        ),
        (
            lambda got: (got["disagree"].to_numpy() == ~right["disagree"].to_numpy()).all(),
            "`disagree` is turned round: it is True where one change is up and the other down.",
        ),
        (
            lambda got: got["disagree"].iloc[1:12].eq(True).all(),
            "`disagree` is True all through the first year. Where one change is blank, nothing disagrees: the product "
            "of the two changes is below 0 only if both are known.",
        ),
    ]
    got = checks.call(changes, numbers)
    checks.equal(got, right, "changes(sixteen_months)", by="index", row="one per month", mistakes=mistakes)


def four_shops():
    """Return the shops and the weights of the visible check of question 2."""
    shops = pd.DataFrame(
        {"sales": [100, 300, 200, 220], "complaints": [10, 8, 2, 4], "days": [1.0, 5.0, 2.0, 4.0]},
        index=pd.Index(["A", "B", "C", "D"], name="shop"),
    )
    return shops, {"sales": 5, "complaints": 3, "days": 2}


def index_of(table, weights, turn, share=True):
    """Return the index of each shop; with `share=False` the weights are not made shares of 1."""
    total = sum(weights.values()) if share else 1
    found = {}
    for shop, row in table.iterrows():
        scaled = {c: (row[c] - min(table[c])) / (max(table[c]) - min(table[c])) for c in table}
        scaled |= {c: 1 - scaled[c] for c in turn}
        found[shop] = sum(weights[c] / total * scaled[c] for c in table)
    return pd.Series(found)


def check_shop_index(names):
    """Question 2."""
    shop_index = checks.answer(names, "shop_index", "function")
    shops, weights = four_shops()
    turn = ["complaints", "days"]
    right = index_of(shops, weights, turn)
    shares = pd.Series(weights) / sum(weights.values())
    turned = shops.assign(complaints=1 / shops["complaints"], days=1 / shops["days"])
    z = (shops - shops.mean()) / shops.std(ddof=0) * [1, -1, -1]
    by_greatest = (shops / shops.max()).assign(
        complaints=1 - shops["complaints"] / shops["complaints"].max(), days=1 - shops["days"] / shops["days"].max()
    )
    mistakes = [
        (
            lambda got: isinstance(got, pd.DataFrame),
            "Your function returns a whole table; the task asks for one column (Series): the index of each shop.",
        ),
        (
            index_of(shops, weights, []),
            "The shop with the most complaints gets the most points for them. Turn round what is in `less_is_better`: "
            "1 - scaled.",
        ),
        (
            index_of(shops, weights, ["complaints"]),
            "You turn round the first name in `less_is_better` only; all of them are to be turned.",
        ),
        (
            index_of(shops, weights, turn, share=False),
            "Your index goes beyond 1. The weights may add up to anything: divide them by their sum.",
        ),
        (
            index_of(shops, dict.fromkeys(weights, 1), turn),
            "All indicators count the same in your index: use `weights`.",
        ),
        (
            index_of(turned, weights, []),
            "You turn by 1 / x, which also bends the scale. Scale first, then turn: 1 - scaled.",
        ),
        (
            (by_greatest * shares).sum(axis="columns"),
            "You divide by the greatest value only. The worst shop must get 0: (x - min) / (max - min).",
        ),
        ((z * shares).sum(axis="columns"), "These are z-values; the task asks for a scale from 0 (worst) to 1 (best)."),
        (
            lambda got: np.allclose(got.loc[right.index], 1 - right),
            "Your index is upside down: 1 stands for the best shop. Which indicators have to be turned round?",
        ),
        (
            right.rank(ascending=False),
            "These are ranks; the task asks for the index itself, from 0 to 1.",
        ),
    ]
    got = checks.call(shop_index, shops, weights, turn)
    checks.equal(got, right, "shop_index(four_shops, …)", by="index", row="one per shop", mistakes=mistakes)


def nine_experts():
    """Return the answers of the visible check of question 3; in round 2 two stand on the edge of the middle half."""
    first = {"Bai": 60, "Chen": 90, "Deng": 100, "Fang": 100, "Gao": 130, "Hu": 170, "Jin": 200, "Kong": 110}
    second = {"Jin": 150, "Bai": 112, "Chen": 90, "Fang": 108, "Deng": 105, "Hu": 128, "Gao": 135, "Kong": 110}
    rounds = [(1, first | {"Lin": 120}), (2, second | {"Lin": 118})]
    rows = [(number, who, told) for number, answers in rounds for who, told in answers.items()]
    return pd.DataFrame(rows, columns=["round", "expert", "estimate"])


def round_of(answers, number):
    """Return what the moderator of a Delphi survey sends round after one round."""
    told = {r.expert: float(r.estimate) for r in answers.itertuples() if r.round == number}
    q1, _, q3 = statistics.quantiles(told.values(), n=4, method="inclusive")
    ask = sorted(who for who, value in told.items() if not q1 <= value <= q3)
    return {"median": statistics.median(told.values()), "q1": q1, "q3": q3, "ask": ask}


def check_delphi_round(names):
    """Question 3."""
    delphi_round = checks.answer(names, "delphi_round", "function")
    answers = nine_experts()
    right = round_of(answers, 2)
    second = answers[answers["round"] == 2]
    inside = sorted(set(second["expert"]) - set(right["ask"]))
    mistakes = [
        (
            lambda got: got["median"] == answers["estimate"].median(),
            "You take the answers of all rounds together; only those of round `number` count.",
        ),
        (
            lambda got: got["median"] == answers.loc[answers["round"] == 1, "estimate"].median(),
            "These are the answers of round 1; the task asks for round `number`, here 2.",
        ),
        (
            lambda got: np.isclose(got["median"], second["estimate"].mean()),
            "`median` is the mean, which the farthest guess pulls along; Delphi takes the median.",
        ),
        (
            lambda got: (got["q1"], got["q3"]) == (second["estimate"].min(), second["estimate"].max()),
            "`q1` and `q3` are the least and the greatest answer; the middle half lies between the quantiles 0.25 and "
            "0.75.",
        ),
        (
            lambda got: sorted(got["ask"]) == inside,
            "`ask` lists those *inside* the middle half. Reasons are asked of those outside.",
        ),
        (
            lambda got: len(got["ask"]) > 0 and not isinstance(got["ask"][0], str),
            "`ask` holds estimates; the task asks for the names of the experts.",
        ),
        (
            lambda got: not isinstance(got["ask"], list),
            "`ask` has to be a list of names: `sorted(…)` makes one.",
        ),
        (
            lambda got: sorted(got["ask"]) == right["ask"] != got["ask"],
            "The names in `ask` are right, but not in the order of the alphabet: `sorted`.",
        ),
        (
            lambda got: set(got["ask"]) > set(right["ask"]),
            "`ask` names somebody whose answer *is* `q1` or `q3`. Who stands on the edge is inside: `<` and `>`.",
        ),
        (
            lambda got: set(got["ask"]) < set(right["ask"]),
            "`ask` lacks somebody: below `q1` *or* above `q3` is outside.",
        ),
    ]
    checks.equal(checks.call(delphi_round, answers, 2), right, "delphi_round(nine_experts, 2)", mistakes=mistakes)


def twelve_buyers():
    """Return the table of the visible check of question 4: ties, one very large sum, two blanks."""
    return pd.DataFrame(
        {
            "calls": [0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 9, 4],
            "spent": [150, 60, 90, 50, 120, 80, 100, 70, 90, 60, 2400, 500],
            "orders": [2, 1, 2, 1, 3, 2, 3, 2, 3, 2, 20, np.nan],
        },
        index=[f"M{number}" for number in range(12)],
    ).assign(spent=lambda table: table["spent"].where(table.index != "M3"))


def coefficients_of(table, x, y, control):
    """Return Pearson, Spearman, and the partial correlation by the formula of the three coefficients."""
    whole = table[[x, y, control]].dropna().astype(float)
    r = np.corrcoef(whole.to_numpy().T)
    partial = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    spearman = np.corrcoef(whole.rank().to_numpy().T)[0, 1]
    return pd.Series({"pearson": r[0, 1], "spearman": spearman, "partial": partial})


def check_three_coefficients(names):
    """Question 4."""
    three_coefficients = checks.answer(names, "three_coefficients", "function")
    table = twelve_buyers()
    right = coefficients_of(table, "calls", "spent", "orders")
    whole = table.dropna()
    r = whole.corr()
    half = right["partial"] * np.sqrt(1 - r.loc["calls", "orders"] ** 2)
    other = right["partial"] * np.sqrt(1 - r.loc["spent", "orders"] ** 2)
    each = whole["calls"].div(whole["orders"]).corr(whole["spent"].div(whole["orders"]))
    of_ranks = coefficients_of(whole.rank(), "calls", "spent", "orders")

    def is_value(name, value):
        return lambda got: np.isclose(got[name], value)

    mistakes = [
        (
            lambda got: isinstance(got, dict) and np.allclose([got[k] for k in right.index], right),
            "The numbers are right, but they stand in a dict; the task asks for a column (Series): `pd.Series(…)`.",
        ),
        (
            is_value("pearson", table["calls"].corr(table["spent"])),
            "Your coefficients use different customers: `orders` of M11 is blank, so that M11 must be left out of all "
            "three. `dropna()` on the three columns first.",
        ),
        (
            lambda got: np.isclose(got["spearman"], got["pearson"]),
            "`spearman` is the same as `pearson`: take the ranks of both columns first (`rank()`).",
        ),
        (
            is_value("spearman", np.corrcoef(whole[["calls", "spent"]].rank(method="first").T)[0, 1]),
            "Customers with the same value must share a rank: leave `method` out of `rank()`.",
        ),
        (
            lambda got: np.isclose(got["partial"], half) or np.isclose(got["partial"], other),
            "`partial` takes the control out of one of the two only. Take it out of `x` *and* of `y`.",
        ),
        (
            is_value("partial", of_ranks["partial"]),
            "`partial` is made of ranks; the task asks for the values themselves.",
        ),
        (
            is_value("partial", each),
            "`partial` divides by the control. That is another thing: take out what a *straight line* on the control "
            'explains, as `analysis.correlate(…, controls=["orders"])` does.',
        ),
        (
            is_value("partial", right["pearson"]),
            "`partial` is the plain coefficient: the control is not taken out.",
        ),
        (
            lambda got: all(isinstance(got[name], pd.DataFrame | pd.Series) for name in right.index),
            'Each entry has to be one number: `analysis.correlate(…)["r"].iloc[0]`.',
        ),
    ]
    got = checks.call(three_coefficients, table, "calls", "spent", "orders")
    checks.equal(got, right, "three_coefficients(twelve_buyers, …)", by="index", mistakes=mistakes)


def some_days():
    """Return the days of the visible check of question 5; three of eleven had no purchase."""
    every = pd.period_range("2026-06-01", "2026-06-11", freq="D", name="day")
    return pd.Series([4, 2, 7, 5, 1, 8, 3, 6], index=every[[0, 1, 2, 4, 5, 8, 9, 10]])


def means_before(days, window):
    """Return, for each day from the first to the last, the mean of so many days before it."""
    every = pd.period_range(days.index.min(), days.index.max(), freq="D")
    known = days.to_dict()
    filled = [float(known.get(day, 0)) for day in every]
    means = [np.nan if at < window else sum(filled[at - window : at]) / window for at in range(len(filled))]
    return pd.Series(means, index=every)


def check_mean_before(names):
    """Question 5."""
    mean_before = checks.answer(names, "mean_before", "function")
    days = some_days()
    right = means_before(days, 3)
    filled = days.reindex(right.index, fill_value=0)

    def is_like(values):
        return lambda got: len(got) == len(values) and np.allclose(got.iloc[3:-3], values.iloc[3:-3], equal_nan=True)

    mistakes = [
        (
            lambda got: not isinstance(got.index, pd.PeriodIndex),
            "The index of your column holds no days as `days` has them (periods): make them by "
            '`pd.period_range(first, last, freq="D")`.',
        ),
        (
            lambda got: len(got) == len(days),
            "A day without a purchase is missing in `days`, so that your 3 rows may be 5 days. Write its 0 first: "
            '`days.reindex(pd.period_range(first, last, freq="D"), fill_value=0)`.',
        ),
        (
            is_like(filled.rolling(3).mean()),
            "Your mean holds the day itself, which is not over when its forecast is made: `shift(1)`.",
        ),
        (
            is_like(filled.rolling(3, center=True).mean()),
            "Your mean holds the day itself and the day after (`center=True`, or `shift(-1)`). Nobody knows them the "
            "day before: the past comes by `shift(1)`.",
        ),
        (
            is_like(filled.rolling(3, center=True).mean().shift(1)),
            "Your mean is centred, then moved by one day: it still holds the day itself. Leave `center` out.",
        ),
        (is_like(filled.rolling(3).mean().shift(2)), "Your mean ends two days before; `shift(1)` is enough."),
        (
            is_like(filled.rolling(3).mean().shift(3)),
            "Your mean is moved by `window` days; it has to end the day before: `shift(1)`.",
        ),
        (
            lambda got: not got.iloc[:3].isna().any() and is_like(right)(got),
            "The first 3 days have not yet 3 days before them: their mean is blank (leave `min_periods` and `fillna` "
            "out).",
        ),
        (
            lambda got: got.iloc[:3].isna().sum() < 3 and is_like(right)(got),
            "The first 3 days have not yet 3 days before them: their mean is blank (leave `min_periods` out).",
        ),
        (
            is_like(days.reindex(right.index).ffill().rolling(3).mean().shift(1)),
            "A day without a purchase had 0, not as many as the day before it: `fill_value=0`.",
        ),
        (is_like(3 * right), "This is the sum of the days; the task asks for their mean."),
    ]
    checks.equal(checks.call(mean_before, days, 3), right, "mean_before(days, 3)", by="index", mistakes=mistakes)


def some_quarters():
    """Return the values of the visible check of question 6: twelve quarters."""
    numbers = [22.0, 31.0, 27.0, 43.0, 25.0, 30.0, 33.0, 47.0, 24.0, 38.0, 35.0, 58.0]
    return pd.Series(numbers, index=pd.period_range("2023Q3", periods=12, freq="Q", name="quarter"))


def straight(values, at):
    """Return where the straight line through values 0, 1, 2 … stands at one place (least squares)."""
    middle = (len(values) - 1) / 2
    places = [place - middle for place in range(len(values))]
    mean = sum(values) / len(values)
    slope = sum(p * v for p, v in zip(places, values, strict=True)) / sum(p * p for p in places)
    return mean + slope * (at - middle)


def errors_of(values, first, season, known=lambda now, first: now, naive=None):
    """Return the two mean absolute errors: the line sees `known` values, the baseline looks `naive` places back."""
    values, back = list(values), naive or season
    lines = [straight(values[: known(now, first)], now) - values[now] for now in range(first, len(values))]
    before = [values[now - back] - values[now] for now in range(first, len(values))]
    return {"trend": float(np.mean(np.abs(lines))), "seasonal naive": float(np.mean(np.abs(before)))}


def check_backtest_errors(names):
    """Question 6."""
    backtest_errors = checks.answer(names, "backtest_errors", "function")
    values = some_quarters()
    listed = values.tolist()
    right = errors_of(listed, 8, 4)
    signed = np.mean([straight(listed[:now], now) - listed[now] for now in range(8, 12)])
    squared = np.sqrt(np.mean([(straight(listed[:now], now) - listed[now]) ** 2 for now in range(8, 12)]))
    last_known = np.mean([abs(straight(listed[:now], now - 1) - listed[now]) for now in range(8, 12)])

    def is_trend(value):
        return lambda got: np.isclose(got["trend"], value)

    def is_naive(back):
        return lambda got: np.isclose(got["seasonal naive"], errors_of(listed, 8, 4, naive=back)["seasonal naive"])

    mistakes = [
        (
            is_trend(errors_of(listed, 8, 4, known=lambda now, first: len(listed))["trend"]),
            "Your line is drawn through *all* values, those to come as well: it has seen the future. At each place fit "
            "it anew to `values.iloc[:now]`.",
        ),
        (
            is_trend(errors_of(listed, 8, 4, known=lambda now, first: now + 1)["trend"]),
            "Your line has seen the value that it forecasts: `values.iloc[: now + 1]` holds it. Take "
            "`values.iloc[:now]`.",
        ),
        (
            is_trend(errors_of(listed, 8, 4, known=lambda now, first: first)["trend"]),
            "Your line is fitted once, to the first values, and learns nothing afterwards. At each place fit it anew, "
            "to all values before it.",
        ),
        (
            is_trend(last_known),
            "Your line is read one place too early, where the last known value stands. The next place is `now`: with "
            "`now` values the places go from 0 to `now - 1`.",
        ),
        (
            lambda got: np.isclose(abs(got["trend"]), abs(signed)),
            "This is the mean error, in which too high and too low cancel out (the bias). Take absolute values first.",
        ),
        (is_trend(squared), "This is the root of the mean *squared* error; the task asks for the mean absolute error."),
        (
            is_trend(errors_of(listed, 9, 4)["trend"]),
            "Your test begins one place too late: with `first` values known, the first forecast is for place `first`.",
        ),
        (
            is_trend(errors_of(listed, 7, 4)["trend"]),
            "Your test begins one place too early: the first `first` values are only known, not forecast.",
        ),
        (is_trend(4 * right["trend"]), "These are sums of the errors; the task asks for their mean."),
        (is_naive(1), "`seasonal naive` takes the value just before; it is the value `season` places before."),
        (
            lambda got: is_naive(5)(got) or is_naive(3)(got),
            "`seasonal naive` is one place off: for place `now` it is the value at `now - season`.",
        ),
        (
            lambda got: isinstance(got, pd.Series),
            'The task asks for a dict: `{"trend": …, "seasonal naive": …}`.',
        ),
    ]
    got = checks.call(backtest_errors, values, 8, 4)
    checks.equal(got, right, "backtest_errors(twelve_quarters, 8, 4)", mistakes=mistakes)


def three_articles():
    """Return the panel of the visible check of question 7: what sells well is on offer more often."""
    draw = np.random.default_rng(5)
    rows = []
    for article, usual, offers in [("tea", 4, 2), ("juice", 9, 5), ("beer", 20, 9)]:
        for week in range(16):
            discount = [0.1, 0.2, 0.3][week % 3] if week < offers else np.nan
            packs = usual + 15 * (0 if np.isnan(discount) else discount) + draw.integers(-2, 3)
            rows.append((article, week, round(packs), discount))
    return pd.DataFrame(rows, columns=["product_id", "week", "packs", "discount"])


def effect_of(panel, predictors=("discount", "product_id"), points=0.1):
    """Return the change in packs for so many more points of discount, with its interval."""
    table = analysis.regression_table(panel, "packs", list(predictors)).set_index("term").loc["discount"]
    return {"packs": points * table["coefficient"], "low": points * table["low"], "high": points * table["high"]}


def check_offer_effect(names):
    """Question 7."""
    offer_effect = checks.answer(names, "offer_effect", "function")
    panel = three_articles()
    filled = panel.fillna({"discount": 0.0})
    right = effect_of(filled)
    row = analysis.regression_table(filled, "packs", ["discount", "product_id"]).set_index("term").loc["discount"]
    on = filled["discount"] > 0
    means = filled.loc[on, "packs"].mean() - filled.loc[~on, "packs"].mean()
    mixed, lost = effect_of(filled, ["discount"])["packs"], effect_of(panel)["packs"]

    def is_packs(value):
        return lambda got: np.isclose(got["packs"], value)

    mistakes = [
        (
            is_packs(10 * right["packs"]),
            "This is for a discount that is greater by 1, that is, for giving the goods away. `discount` is a "
            "fraction; 10 points are 0.1: take a tenth of the coefficient.",
        ),
        (
            is_packs(right["packs"] / 10),
            "This is for one point. The task asks for 10 points, which is 0.1 of `discount`.",
        ),
        (
            lambda got: is_packs(mixed)(got) or is_packs(10 * mixed)(got),
            "What sells well is on offer more often here, so that the article itself hides in your coefficient. Hold "
            'it fixed: `["discount", "product_id"]`.',
        ),
        (
            lambda got: is_packs(lost)(got) or is_packs(10 * lost)(got),
            "The weeks without an offer are lost: their `discount` is blank, and a regression leaves such rows out. "
            "Fill in 0 first.",
        ),
        (
            is_packs(means),
            "This is the difference of two means. It mixes the articles, and small with great discounts; take the "
            "coefficient of a regression.",
        ),
        (
            lambda got: is_packs(right["packs"])(got) and np.isclose(got["low"], row["low"]),
            "`packs` is right; `low` and `high` are still for a discount greater by 1: take a tenth of them, too.",
        ),
        (
            lambda got: np.isclose(got["low"], right["packs"] - 0.1 * row["std_error"]),
            "`low` and `high` are one standard error away; the task asks for the 95 % interval, columns `low` and "
            "`high` of `regression_table`.",
        ),
        (
            lambda got: got["low"] > got["high"],
            "`low` is above `high`: are they swapped?",
        ),
    ]
    got = checks.call(offer_effect, panel)
    checks.equal(got, right, "offer_effect(three_articles)", mistakes=mistakes)


def contest(weekly):
    """Return five forecasts of the next four weeks, with two errors for each.

    Parameters
    ----------
    weekly : pandas.Series
        Purchases in each whole week.

    Returns
    -------
    pandas.DataFrame
        One row for each forecast: how it is made, `fit` (mean absolute error of the sum of four weeks, if the method
        may see all weeks), `test` (the same, if it sees only the weeks before), `forecast` (sum of the next four
        weeks). Blank where it cannot be had.

    Examples
    --------
    >>> contest(prepare()[1]).index.tolist()
    ['last year', 'mean of 8', 'curve', 'centred mean', 'experts']
    """
    numbers = weekly.to_numpy(dtype="float64")
    origins = range(52, len(numbers) - 3)
    came = np.array([numbers[now : now + 4].sum() for now in origins])

    def curve(known, now):
        line = np.polynomial.Polynomial.fit(np.arange(known), numbers[:known], 8)
        return line(np.arange(now, now + 4)).sum()

    centred = pd.Series(numbers).rolling(5, center=True, min_periods=1).mean().to_numpy()
    last_year = {now: numbers[now - 52 : now - 48].sum() for now in [*origins, len(numbers)]}
    mean_of_8 = {now: 4 * numbers[now - 8 : now].mean() for now in [*origins, len(numbers)]}

    def error(forecasts):
        return np.abs(np.array(list(forecasts)) - came).mean()

    errors = {
        "last year": [error(last_year[now] for now in origins)] * 2,
        "mean of 8": [error(mean_of_8[now] for now in origins)] * 2,
        "curve": [error(curve(len(numbers), now) for now in origins), error(curve(now, now) for now in origins)],
        "centred mean": [error(centred[now : now + 4].sum() for now in origins), np.nan],
        "experts": [np.nan, np.nan],
    }
    end, how = (
        len(numbers),
        [
            "the same four weeks, 52 weeks before",
            "four times the mean of the 8 weeks before",
            "a curve of degree 8 through the weeks, drawn on",
            "of each week: mean from 2 weeks before to 2 after",
            "median of a Delphi survey: last year + 8 %",
        ],
    )
    ahead = [last_year[end], mean_of_8[end], curve(end, end), np.nan, 1.08 * last_year[end]]
    table = pd.DataFrame(errors, index=["fit", "test"]).T.rename_axis("forecast by").assign(forecast=ahead)
    table.insert(0, "how", how)
    return table
