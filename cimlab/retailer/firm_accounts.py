"""The accounts of firms: what they order and how they pay, and the yearly figures of their statements.

Both follow from the hidden credit standing (see `firms.yaml`), so that ratios foretell payment, as they do in life. All
arithmetic is in whole numbers: fen for orders, hundreds of CNY (0.01 × 10,000 CNY) for the yearly figures.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import ONE, pick16, read_settings
from cimlab.retailer.firms import INDUSTRIES, PAYMENTS, size_facts, spread
from cimlab.retailer.world import CATEGORIES, FIRST_DAY, NO_DAY, REFERENCE_DAY, THINGS, day_of, ranges, year_month_day

MILLION = 1_000_000


# --- orders ----------------------------------------------------------------------------------------------------------


@cache
def order_tables():
    """Return (day of the window for each number of 16 bits, group of goods for each industry and number of 16 bits)."""
    settings, days = read_settings("firms"), np.arange(FIRST_DAY, REFERENCE_DAY + 1)
    weights = np.array(settings["orders"]["month"])[year_month_day(days)[1] - 1] * 100
    weights = np.where(working_days(days), weights, weights * settings["orders"]["day_off_percent"] // 100)
    buys = [settings["industries"][industry]["buys"] for industry in INDUSTRIES]
    goods = np.array([pick16([entry.get(name, 0) for name in CATEGORIES], 16) for entry in buys])
    return pick16(weights, 16), goods


def working_days(days):
    """Return whether offices are open on days: Monday to Friday but no public holidays, and the days worked instead."""
    calendar = read_settings("calendar")
    closed = (days + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    for first, last, *_ in calendar["holidays"]:
        closed |= (days >= day_of(first)) & (days <= day_of(last))
    return ~closed | np.isin(days, [day_of(day) for day in calendar["working_days"]])


def make_orders(draws, firms):
    """Return the orders of firms: a Poisson process for each firm, and what became of each invoice.

    Parameters
    ----------
    draws : Draws
    firms : dict of arrays
        See `firms.make_firms`.

    Returns
    -------
    dict of arrays
        `firm` (place of the firm), `key` (row of the firm × 512 + number), `ordered`, `due`, `paid_on` (days; −1:
        nothing was paid), `category` (index into world.CATEGORIES), `amount`, `paid` (fen), `terms` (days).
    """
    # the rate is in thousandths of orders in a year of 365 days
    means = firms["rate"] * ((REFERENCE_DAY - FIRST_DAY + 1) * ONE) // (365 * 1000)
    counts = np.minimum(draws.poisson(means, "firm order", "count", firms["row"]), THINGS - 1)
    firm = np.repeat(np.arange(len(counts)), counts)
    key = firms["row"][firm] * THINGS + ranges(counts)
    pick_day, pick_goods = order_tables()
    bits = draws.words("firm order", "day", key)
    orders = {"firm": firm, "key": key, "ordered": FIRST_DAY + pick_day[bits[0]]}
    orders["category"] = pick_goods[firms["industry"][firm], bits[1]]
    orders["terms"] = firms["terms"][firm]
    orders["due"] = orders["ordered"] + orders["terms"]
    orders["amount"] = make_amounts(draws, firms, firm, key)
    return orders | pay(draws, firms, orders)


def make_amounts(draws, firms, firm, key):
    """Return the amounts of orders in fen: size and industry of the firm, its habit, and the single order."""
    settings = read_settings("firms")
    basket = np.array([settings["industries"][industry]["basket"] for industry in INDUSTRIES])
    mean = size_facts("amount")[firms["size"]] * basket[firms["industry"]]  # CNY × per cent = fen
    mean = (mean * draws.quantile("lognormal_45", "firm", "amount", firms["row"])) >> 16
    amount = (mean[firm] * draws.quantile("lognormal_45", "firm order", "amount", key)) >> 16
    return np.maximum(amount, settings["orders"]["least_fen"])


def pay(draws, firms, orders):
    """Return when and how much was paid of orders by the reference date."""
    rule, firm, key = read_settings("firms")["payment"], orders["firm"], orders["key"]
    kind = firms["payment"][firm]
    classes = [rule["classes"][name] for name in PAYMENTS]
    early, delay, never, part = (
        np.array([entry[k] for entry in classes])[kind] for k in ("early", "delay", "never", "part")
    )
    fate, share, _, _ = draws.words("firm order", "payment", key)
    fate, (low, high) = spread(fate, 1000), rule["part_percent"]
    unpaid, partly = fate < never, (fate >= never) & (fate < never + part)
    # 160 − standing per cent of the mean, times the habit of the firm, times the luck of the invoice
    weak, strong = rule["weak_percent"]
    habit = (weak - firms["standing"]) * draws.quantile("lognormal_30", "firm", "delay", firms["row"]) // strong
    days = (delay * habit[firm] >> 8) * draws.quantile("lognormal_90", "firm order", "delay", key) >> 24
    in_advance = orders["terms"] == 0
    days = np.where(in_advance, (days - early) * rule["in_advance_percent"] // 100, days - early)
    paid_on = np.maximum(orders["due"] + days, orders["ordered"])
    unpaid |= paid_on > REFERENCE_DAY
    part_paid = orders["amount"] * (low + spread(share, high - low + 1)) // 100
    paid = np.where(unpaid, 0, np.where(partly, part_paid, orders["amount"]))
    return {"paid_on": np.where(unpaid, NO_DAY, paid_on).astype(np.int32), "paid": paid}


# --- yearly figures --------------------------------------------------------------------------------------------------


def make_years(draws, firms):
    """Return the yearly figures of firms that handed in statements; those of years before the founding are missing.

    Equity moves by the profit that is not paid out, liabilities are the rest of the assets, and every part is within
    its whole. So the figures of one year add up, and those of two years fit together.

    Parameters
    ----------
    draws : Draws
    firms : dict of arrays
        See `firms.make_firms`.

    Returns
    -------
    dict of arrays
        `firm` (place of the firm), `year`, `employees`, and in 0.01 × 10,000 CNY `revenue`, `profit`, `assets`,
        `current_assets`, `inventory`, `receivables`, `liabilities`, `current_liabilities`, `equity`.
    """
    rule = read_settings("firms")["statements"]
    handed_in = np.where(firms["terms"] > 0, rule["handed_in"]["terms"], rule["handed_in"]["advance"])
    handed_in = draws.chance(handed_in, "firm", "statement", firms["row"])
    founded = year_month_day(firms["founded"])[0]
    years, equity = [], None
    for figures in turnover_by_year(draws, firms, rule):
        figures |= balance(draws, firms, rule, figures, equity)
        equity = figures["equity"]
        figures["kept"] = handed_in & (founded < figures["year"])
        years.append(figures)
    kept = np.stack([figures.pop("kept") for figures in years], axis=1)
    out = {name: np.stack([np.broadcast_to(f[name], len(kept)) for f in years], axis=1)[kept] for name in years[0]}
    return {"firm": np.nonzero(kept)[0]} | out


def industry_facts(firms, key):
    """Return a setting of the industry of each firm."""
    industries = read_settings("firms")["industries"]
    return np.array([industries[industry][key] for industry in INDUSTRIES], dtype=np.int64)[firms["industry"]]


def noisy(draws, firms, column, year, spread_of):
    """Return millionths for each firm and year: normal, mean 0, with that spread in thousandths."""
    return (spread_of * 1000 * draws.quantile("normal", "firm year", column, firms["row"], year)) >> 16


def rates(draws, firms, column, year, rule, mean, sign):
    """Return millionths for each firm: a mean in thousandths, its slope with the standing (up or down), noise; cut."""
    slope = sign * rule.get("per_point", 0) * (firms["standing"] - 60)
    rate = (mean + slope) * 1000 + noisy(draws, firms, column, year, rule["noise"])
    return np.clip(rate, rule["least"] * 1000, rule["most"] * 1000)


def turnover_by_year(draws, firms, rule):
    """Return year, employees, revenue for each year: turnover grows with the standing, the staff half as fast."""
    grow = rule["growth"]
    growth = [rates(draws, firms, "growth", year, grow, grow["mean"], 1) for year in rule["years"][1:]]
    employees = [firms["employees"]]
    for rate in reversed(growth):
        employees.insert(0, np.maximum(employees[0] * (2 * MILLION) // (2 * MILLION + rate), 1))
    revenue = industry_facts(firms, "per_head") * 100 * employees[0]
    revenue = [np.maximum(revenue * draws.quantile("lognormal_45", "firm", "revenue", firms["row"]) >> 16, 100)]
    for rate in growth:
        revenue.append(np.maximum(revenue[-1] * (MILLION + rate) // MILLION, 100))
    rows = zip(rule["years"], employees, revenue, strict=True)
    return [{"year": year, "employees": staff, "revenue": turnover} for year, staff, turnover in rows]


def balance(draws, firms, rule, figures, equity):
    """Return profit and balance sheet of one year; `equity` is that of the year before (None in the first year)."""
    year, revenue = figures["year"], figures["revenue"]
    margin = rates(draws, firms, "margin", year, rule["margin"], industry_facts(firms, "margin"), 1)
    profit = revenue * margin // MILLION
    assets = revenue * 100 // industry_facts(firms, "turnover")
    assets = assets * draws.quantile("lognormal_30", "firm", "assets", firms["row"]) >> 16
    assets = assets * (MILLION + noisy(draws, firms, "assets", year, rule["assets_noise"])) // MILLION
    assets = np.maximum(assets, 100)
    if equity is None:
        debt = rates(draws, firms, "leverage", year, rule["leverage"], rule["leverage"]["mean"], -1)
        equity = assets - assets * debt // MILLION
    else:
        # who has neither profit nor equity takes nothing out
        taken = np.where(equity > 0, np.maximum(profit, 0) * rule["payout"] // 1000, 0)
        equity = equity + profit - taken
    equity = np.minimum(equity, assets - assets * rule["least_liabilities"] // 1000)
    parts = {"profit": profit, "assets": assets, "liabilities": assets - equity, "equity": equity}
    return parts | split_up(draws, firms, rule, year, assets, assets - equity)


def split_up(draws, firms, rule, year, assets, liabilities):
    """Return the current parts of assets and liabilities; stock and receivables leave some cash."""

    def part(whole, name, mean):
        return whole * rates(draws, firms, name, year, rule[name], mean, -1) // MILLION

    current = part(assets, "current", industry_facts(firms, "current"))
    parts = {name: part(current, name, industry_facts(firms, name)) for name in ("inventory", "receivables")}
    short = part(liabilities, "short", rule["short"]["mean"])
    return {"current_assets": current} | parts | {"current_liabilities": short}
