"""Purchases: each person buys at an own rate and taste, through the calendar of the shops, until the person leaves.

The model is that of Schmittlein, Morrison and Colombo (1987) with the leaving of Fader, Hardie and Lee (2005): Poisson
purchases at gamma-distributed rates, a chance to leave after each purchase. Seasons are a change of time: gaps are
drawn in operational time and read off a calendar in which a busy day is longer.

References
----------
Schmittlein, D., Morrison, D., Colombo, R. (1987). Counting your customers. Management Science 33(1).
Fader, P., Hardie, B., Lee, K. (2005). "Counting your customers" the easy way. Marketing Science 24(2).
"""

from bisect import bisect_right
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate

from cimlab.retailer.channels import choose_store
from cimlab.retailer.draws import by_limit, read_settings
from cimlab.retailer.people import REFERENCE_DATE

BIG_ROW = 1 << 12  # room for the purchases of one person in a row number


def make_orders(draws, shelf, persons, progress=lambda rows, _: rows):
    """Return the orders of all persons in the order of time, each with its lines."""
    orders = []
    for person in progress(persons, "orders"):
        orders += make_person_orders(draws, shelf, person)
    orders.sort(key=lambda order: (order["at"], order["key"]))
    return orders


def make_person_orders(draws, shelf, person):
    """Return the orders of one person; writes `orders_per_year` (thousandths) and `lost_on` into the person."""
    settings, tables = read_settings("parameters")["orders"], read_settings("quantiles")
    row, calendar, first_day = person["row"], make_calendar(), settings["first_day"]
    rate = draws.pick(tables["gamma"], "person", "rate", row) * settings["mean_orders_per_year"] // 1000
    person["orders_per_year"] = rate = max(rate, 100)
    person["lost_on"] = None
    year = calendar[-1] // 2
    if person["since"] < first_day:
        if draws.chance(settings["asleep_at_start_per_1000"], "person", "asleep", row):
            days = (first_day - person["since"]).days
            person["lost_on"] = person["since"] + timedelta(days=draws.below(days, "person", "lost", row))
            return []
        time = draws.pick(tables["exponential"], "order", "gap", row * BIG_ROW) * year // rate
    else:  # the first purchase comes with the card
        time = calendar[(person["since"] - first_day).days] - 1
    leaving = draws.weighted(settings["leaving"], "person", "leaving", row)
    orders = []
    while time < calendar[-1]:
        key = row * BIG_ROW + len(orders)
        day = first_day + timedelta(days=bisect_right(calendar, time))
        orders.append(make_order(draws, shelf, person, key, day, orders))
        if draws.chance(leaving, "order", "leaves", key):
            person["lost_on"] = day
            break
        time += draws.pick(tables["exponential"], "order", "gap", key + 1) * year // rate
    return orders


@lru_cache(maxsize=1)
def make_calendar():
    """Return the running sum of the weights of the days from the first order to the reference date."""
    settings = read_settings("parameters")["orders"]
    weights, day = [], settings["first_day"]
    while day <= REFERENCE_DATE:
        weight = settings["weekday"][day.weekday()] * settings["month"][day.month - 1] * 100
        for start, end, percent in settings["special_days"]:
            if start <= day <= end:
                weight = weight * percent // 100
        weights.append(weight)
        day += timedelta(days=1)
    return list(accumulate(weights))


def make_order(draws, shelf, person, key, day, earlier):
    """Return one order of a person on a day: channel, time, shop, record used, lines."""
    settings = read_settings("parameters")["orders"]
    record, channel = choose_channel(draws, person, key, day, earlier, settings)
    hour = draws.weighted(settings["hours"][channel], "order", "hour", key)
    at = datetime(day.year, day.month, day.day, hour, draws.below(60, "order", "minute", key))
    lines = shelf.fill_basket(draws, person, key, day)
    order = {
        "key": key,
        "person": person,
        "channel": channel,
        "at": at,
        "lines": lines,
        "record": record,
        "store": None,
    }
    order["amount"] = sum(line["amount"] for line in lines)
    if channel == "till":
        order["store"] = choose_store(draws, person, key, day, {"near_store_per_1000": 930})
        chance = by_limit(settings["anonymous_by_hour"], hour)
        if len(lines) == 1:
            chance = chance * settings["anonymous_small_basket_percent"] // 100
        first = record["made_on"] == day and not earlier
        if not first and draws.chance(chance, "order", "anonymous", key):
            order["record"] = None
    return order


def choose_channel(draws, person, key, day, earlier, settings):
    """Return (record, channel) of a purchase: of the records made by that day, mostly the newest of the channel."""
    usable = [record for record in person["records"] if record["made_on"] <= day]
    weights = {channel: settings["channel_weight"][channel] for channel in dict.fromkeys(r["channel"] for r in usable)}
    ordered = sum(order["channel"] == "call" for order in earlier)
    if "call" in person["channels"] and ordered < settings["order_calls_limit"]:
        weights["call"] = settings["channel_weight"]["call"]
    if "web" in weights and any(m1 == day.month and d1 <= day.day <= d2 for m1, d1, _, d2 in settings["web_days"]):
        weights["web"] *= 5
    channel = draws.weighted(list(weights.items()), "order", "channel", key)
    mine = [record for record in usable if record["channel"] == channel]
    if len(mine) > 1 and draws.chance(120, "order", "old record", key):
        return mine[0], channel
    return (mine[-1] if mine else None), channel


class Shelf:
    """What the shops offer in each week: articles, prices, offers; the sums for drawing are kept."""

    def __init__(self, draws):
        catalogue = read_settings("catalogue")
        self.draws = draws
        self.settings = read_settings("parameters")["orders"]
        self.products, self.categories = [], []
        for category, facts in catalogue["categories"].items():
            numbers = []
            for name, name_zh, price, size, share in facts["products"]:
                numbers.append(len(self.products))
                self.products.append(
                    {
                        "name": name,
                        "name_zh": name_zh,
                        "category": category,
                        "price": price,
                        "size": size,
                        "share": share,
                    }
                )
            self.categories.append((numbers, facts["share"]))
        number = {product["name"]: row for row, product in enumerate(self.products)}
        self.companions = {number[first]: (number[second], chance) for first, second, chance in catalogue["companions"]}
        self.months = {number[name]: months for name, months in catalogue["seasons"].items()}
        for row, product in enumerate(self.products):
            dearer = draws.chance(self.settings["dearer_per_1000"], "product", "dearer", row)
            product["old_price"] = product["price"] * 100 // 105 // 10 * 10 if dearer else product["price"]
        self.category_sums = list(accumulate(share for _, share in self.categories))
        self.sums = {}

    def offer(self, week, row):
        """Return the tenths that are let off an article in a week: 0 if it is not on offer."""
        if not self.draws.chance(self.settings["promotion_per_1000"], "promotion", "on", week, row):
            return 0
        return self.draws.weighted(
            [(int(depth[2]), weight) for depth, weight in self.settings["promotion_depth"]],
            "promotion",
            "depth",
            week,
            row,
        )

    def choose(self, draws, category, day, key, draw):
        """Return an article of a category: the better sold and those on offer more often."""
        week = (day - self.settings["first_day"]).days // 7
        if (category, week, day.month) not in self.sums:
            weights = []
            for row in self.categories[category][0]:
                weight = self.products[row]["share"] * (
                    self.settings["promotion_uplift"] if self.offer(week, row) else 100
                )
                weights.append(weight if day.month in self.months.get(row, (day.month,)) else 0)
            self.sums[category, week, day.month] = list(accumulate(weights))
        sums = self.sums[category, week, day.month]
        return self.categories[category][0][bisect_right(sums, draws.below(sums[-1], "line", "product", key, draw))]

    def fill_basket(self, draws, person, key, day):
        """Return the lines of one basket; amounts in fen."""
        row = person["row"]
        size = draws.weighted(self.settings["lines"], "order", "lines", key)
        taste = draws.pick(read_settings("quantiles")["lognormal"], "person", "basket", row)
        size = max((size * taste + draws.below(1000, "order", "lines round", key)) // 1000, 1)
        chosen = []
        for draw in range(size):
            favourite = draws.chance(self.settings["favourite_categories_per_1000"], "line", "favourite", key, draw)
            owner, place = (
                (("person", row), draws.below(3, "line", "which", key, draw)) if favourite else (("line", key), draw)
            )
            at = draws.below(self.category_sums[-1], owner[0], "category", owner[1], place)
            product = self.choose(draws, bisect_right(self.category_sums, at), day, key, draw)
            if product not in chosen:
                chosen.append(product)
            if product in self.companions:
                second, chance = self.companions[product]
                if second not in chosen and draws.chance(chance, "line", "companion", key, draw):
                    chosen.append(second)
        return [self.make_line(draws, product, key, line, day) for line, product in enumerate(chosen)]

    def make_line(self, draws, row, key, line, day):
        """Return one line: quantity, the price of that day, the offer, the amount rounded half up to the fen."""
        product, week = self.products[row], (day - self.settings["first_day"]).days // 7
        price = product["price"] if day >= PRICES_ROSE_ON else product["old_price"]
        quantity = 1 if price >= 10000 else draws.weighted(self.settings["quantity"], "line", "quantity", key, line)
        tenths = self.offer(week, row)
        return {
            "product": row,
            "quantity": quantity,
            "price": price,
            "tenths": tenths,
            "amount": (quantity * price * (10 - tenths) + 5) // 10,
        }


PRICES_ROSE_ON = REFERENCE_DATE.replace(year=2025, month=7, day=1)


def give_tiers(orders, records):
    """Write the tier of each card: by what it bought in the twelve months before the reference date."""
    since = datetime(REFERENCE_DATE.year - 1, REFERENCE_DATE.month, REFERENCE_DATE.day) + timedelta(days=1)
    spent = {}
    for order in orders:
        if order["record"] is not None and order["at"] >= since:
            spent[id(order["record"])] = spent.get(id(order["record"]), 0) + order["amount"]
    steps = read_settings("parameters")["orders"]["tiers"]
    for record in records:
        if record["channel"] == "till":
            amount = spent.get(id(record), 0)
            record["tier"] = next((tier for tier, least in steps if amount >= least), "basic")
