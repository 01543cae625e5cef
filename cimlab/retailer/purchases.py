"""Purchases: each person buys at an own rate and taste, through the calendar of the shops, until the person leaves.

The model is that of Schmittlein, Morrison and Colombo (1987) with the leaving of Fader, Hardie and Lee (2005): Poisson
purchases at gamma-distributed rates, a chance to leave after each purchase. Seasons are a change of time: purchases are
spread evenly over an operational time in which a busy day is longer. A Poisson process with a known number of purchases
in a stretch of time has them at independent even places of it; so a whole block is drawn at once and sorted.

References
----------
Schmittlein, D., Morrison, D., Colombo, R. (1987). Counting your customers. Management Science 33(1).
Fader, P., Hardie, B., Lee, K. (2005). "Counting your customers" the easy way. Marketing Science 24(2).
"""

from functools import cache
from importlib.util import find_spec

import numpy as np

from cimlab.retailer.cards import LATE, choose_stores, count_until, store_tables
from cimlab.retailer.draws import ONE, by_limit, pick16, poisson_guides, poisson_table, read_settings
from cimlab.retailer.world import (
    CALL,
    FIRST_DAY,
    MINUTES,
    NO_DAY,
    REFERENCE_DAY,
    THINGS,
    day_of,
    ranges,
    year_month_day,
)

WORTH_COMPILING = 10_000  # persons of a block
MOST_ORDERS = 250  # of one person in two years, and as many in the year after
EXTRA_FROM = 500  # orders that a campaign caused have these numbers
TIME_BITS = 31
DAYS = 3 * 365


def compiled_loops(persons):
    """Return the module of compiled loops for a block of so many persons; None without numba, or if it does not pay."""
    if persons < WORTH_COMPILING or find_spec("numba") is None:
        return None
    from cimlab.retailer import compiled

    return compiled


@cache
def day_weights():
    """Return how much is bought on each of the 1,095 days from the first order on, as whole numbers."""
    calendar = read_settings("calendar")
    days = FIRST_DAY + np.arange(DAYS)
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    for start, end, *_ in calendar["holidays"]:
        weekday[(days >= day_of(start)) & (days <= day_of(end))] = calendar["holiday_as_weekday"]
    weekday[np.isin(days, [day_of(day) for day in calendar["working_days"]])] = calendar["working_day_as_weekday"]
    weights = np.array(calendar["weekday"])[weekday] * np.array(calendar["month"])[year_month_day(days)[1] - 1]
    for start, end, percent, *_ in calendar["special_days"]:
        special = (days >= day_of(start)) & (days <= day_of(end))
        weights[special] = weights[special] * percent // 100
    return weights


@cache
def clock():
    """Return the clock of the shops.

    A tuple: operational time at the start of each day, the day at each 2^16th of it, time at the end of the reference
    date.
    """
    sums = np.concatenate([[0], np.cumsum(day_weights())])
    # 2^31 units for the three years, so that products of a time and a 32-bit number fit into 63 bits
    starts = (sums << TIME_BITS) // sums[-1]
    cells = np.searchsorted(starts, np.arange(1 << 16) << (TIME_BITS - 16), side="right") - 1
    return starts, cells.astype(np.int32), int(starts[REFERENCE_DAY + 1 - FIRST_DAY])


def make_times(draws, people):
    """Return when persons buy, until they leave.

    Writes into `people`: `leaves_after` (purchases until the person leaves), `lost_on` (day; −1 while active) and
    `counted` (number of observed purchases).

    Returns
    -------
    person, number, day : arrays of int64
        One entry a purchase up to the reference date, sorted by person and time: position of the person, number of the
        purchase of that person, day.
    """
    starts, _, end = clock()
    rows, since = people["row"], people["since"].astype(np.int64)
    begin = starts[np.maximum(since - FIRST_DAY, 0)]
    newcomer = since >= FIRST_DAY
    settings = read_settings("parameters")["orders"]
    asleep = ~newcomer & draws.chance(settings["asleep_at_start_per_1000"], "person", "asleep", rows)
    counts = count_orders(draws, rows, expected_orders(people["rate"], end - begin))
    counts = np.where(asleep, 0, np.minimum(counts, MOST_ORDERS - 1))
    welcomed = newcomer & draws.chance(settings["welcomed_per_1000"], "person", "welcomed", rows)
    people["leaves_after"] = leave_after(draws, people)
    person, number, day = spread_purchases(draws, people, begin, end - begin, counts, welcomed)
    write_losses(draws, people, day, asleep, since)
    return person, number, day


def count_orders(draws, rows, means):
    """Return how often each person buys, leaving or not: Poisson."""
    if draws.compiled is None:
        return draws.poisson(means, "person", "orders", rows)
    counts = np.empty(len(rows), dtype=np.int64)
    draws.compiled.poisson(means, draws.bits("person", "orders", rows), poisson_table(), poisson_guides(), counts)
    return counts


def spread_purchases(draws, people, begin, spans, counts, welcomed):
    """Return (person, number, day) of the purchases of persons who buy so often in a span of time, and leave.

    Those who are welcomed buy once more in their first two months. Writes `counted`, how many purchases are seen.
    """
    early = np.minimum(spans, (1 << TIME_BITS) // 18)
    counts = counts + welcomed
    rows, cells, since = people["row"], clock()[1], people["since"]
    newcomer = since >= FIRST_DAY
    if draws.compiled is not None:
        out = tuple(np.empty(int(counts.sum() + newcomer.sum()), dtype=np.int64) for _ in range(3))
        people["counted"] = np.empty(len(rows), dtype=np.int64)
        arrays = (rows, since, begin, spans, early, counts, welcomed, newcomer, people["leaves_after"], cells)
        key = draws.key("order", "time")
        length = draws.compiled.spread(*arrays, FIRST_DAY, key, THINGS, (*out, people["counted"]))
        return tuple(column[:length] for column in out)
    person = np.repeat(np.arange(len(rows)), counts)
    place = draws.bits("order", "time", rows[person] * THINGS + ranges(counts)) >> np.uint64(32)
    span = spans[person]
    last = (np.cumsum(counts) - 1)[welcomed]
    span[last] = early[welcomed]
    time = begin[person] + ((place.astype(np.int64) * span) >> 32)
    # The first purchase comes with the card: it is before all the others.
    first = np.flatnonzero(newcomer)
    together = np.concatenate([(person << TIME_BITS) + time, (first << TIME_BITS) + begin[first]])
    together.sort()
    person = together >> TIME_BITS
    number = ranges(counts + newcomer)
    kept = number < people["leaves_after"][person]
    person, number = person[kept], number[kept]
    people["counted"] = np.bincount(person, minlength=len(rows))
    day = FIRST_DAY + cells[(together[kept] & ((1 << TIME_BITS) - 1)) >> (TIME_BITS - 16)].astype(np.int64)
    return person, number, np.maximum(day, since[person])


def expected_orders(rates, spans):
    """Return the expected number of purchases in spans of operational time, in units of 1/ONE."""
    year = (1 << TIME_BITS) // 3
    return rates * ((spans << 16) // year) // 1000


def leave_after(draws, people):
    """Return after how many purchases each person leaves.

    Geometric, with an own hazard that rises as satisfaction falls.
    """
    percent = read_settings("parameters")["orders"]["leaving_by_satisfaction"]
    factor = np.clip(ONE - people["satisfaction"] * percent // 100, ONE // 4, 4 * ONE)
    people["hazard"] = np.maximum(draws.quantile("dropout", "person", "dropout", people["row"]) * factor >> 16, 1)
    return 1 + draws.quantile("exponential", "person", "leaves", people["row"]) // people["hazard"]


def write_losses(draws, people, day, asleep, since):
    """Write into `people` the day on which those who left bought last."""
    lost = np.full(len(since), NO_DAY, dtype=np.int64)
    left = np.flatnonzero(people["counted"] == people["leaves_after"])
    lost[left] = day[np.cumsum(people["counted"])[left] - 1]
    gone = np.flatnonzero(asleep)
    lost[gone] = since[gone] + draws.below(FIRST_DAY - since[gone], "person", "lost", people["row"][gone])
    people["lost_on"] = lost


def make_orders(draws, people, effects=None):
    """Return the orders of persons: who bought when. `describe_orders` adds where and how.

    Parameters
    ----------
    draws : Draws
    people : dict of arrays
        From `make_people` and `make_record_days`.
    effects : callable, optional
        Takes (person, number, day) and returns them with what campaigns added and took away.

    Returns
    -------
    dict of arrays
        `person`, `key`, `id`, `day`, `first` (the purchase that came with the card).
    """
    person, number, day = make_times(draws, people)
    newcomer = people["since"] >= FIRST_DAY
    if effects is not None:
        person, number, day = effects(person, number, day)
    orders = {"person": person, "key": people["row"][person] * THINGS + number, "day": day.astype(np.int32)}
    orders["id"] = draws.ids("O", orders["key"])
    orders["first"] = (number == 0) & newcomer[person]
    return orders


def describe_orders(draws, people, orders):
    """Write channel, time, shop and record into orders.

    `unlucky` and `hour` serve `forget_cards`, which needs the baskets.
    """
    settings = read_settings("parameters")["orders"]
    per_thousand = np.array([settings["near_store_per_1000"], settings["old_record_per_1000"]])
    person, day = orders["person"], orders["day"].astype(np.int64)
    sale = web_sale_days()[day - FIRST_DAY].astype(np.int64)
    held = people["record_days"] != LATE
    per_person = held.sum(axis=0)
    first = np.cumsum(per_person) - per_person
    if draws.compiled is not None:
        keys = np.array([draws.key("order", column) for column in ("choices", "store", "old record")])
        names = ("channel", "at", "hour", "store", "record", "unlucky")
        out = tuple(np.empty(len(person), dtype=np.int64) for _ in names)
        arrays = (
            person,
            orders["key"],
            orders["day"],
            first,
            people["record_days"],
            LATE,
            people["channels"],
            people["city"],
        )
        draws.compiled.describe(*arrays, sale, channel_tables(), hour_table(), keys, store_tables(), per_thousand, out)
        orders |= dict(zip(names, out, strict=True))
        return
    words = draws.words("order", "choices", orders["key"]).astype(np.int64)
    known = count_records(people, orders)
    usable = (known[0] > 0) + 2 * (known[1] > 0) + (people["channels"][person] & CALL)
    orders["channel"] = channel_tables()[sale, usable, words[0] >> 4]
    orders["hour"] = hour_table()[orders["channel"], words[1] >> 4]
    orders["at"] = day * MINUTES + orders["hour"] * 60 + (words[2] * 60 >> 16)
    store = choose_stores(draws.bits("order", "store", orders["key"]), people["city"][person], day, per_thousand[0])
    orders["store"] = np.where(orders["channel"] == 0, store, -1)
    orders["record"] = choose_records(draws, orders, known, first, held[:3].sum(axis=0))
    orders["unlucky"] = words[3]


def count_records(people, orders):
    """Return how many cards and how many accounts the buyers had on the day of the order, as an array (2, orders)."""
    days = people["record_days"][:, orders["person"]]
    return np.stack([count_until(days[:3], orders["day"]), count_until(days[3:], orders["day"])])


@cache
def channel_tables():
    """Return the channel for (a day of web sales, channels that can be used, number of 12 bits)."""
    settings = read_settings("parameters")["orders"]
    weights = [settings["channel_weight"][name] for name in ("till", "web", "call")]
    tables = np.zeros((2, 8, 1 << 12), dtype=np.uint8)
    for sale in (0, 1):
        for mask in range(1, 8):
            usable = [w * (mask >> bit & 1) for bit, w in enumerate(weights)]
            usable[1] *= settings["web_days_factor"] if sale else 1
            tables[sale, mask] = pick16(usable, 12)
    return tables


@cache
def web_sale_days():
    """Return for each day whether it is one on which people buy on the web."""
    _, month, day = year_month_day(FIRST_DAY + np.arange(DAYS))
    stamp = month * 100 + day
    ranges_ = read_settings("parameters")["orders"]["web_days"]
    return np.array([(stamp >= m1 * 100 + d1) & (stamp <= m2 * 100 + d2) for m1, d1, m2, d2 in ranges_]).any(axis=0)


@cache
def hour_table():
    """Return the hour for (channel, number of 12 bits)."""
    hours = read_settings("parameters")["orders"]["hours"]
    tables = []
    for name in ("till", "web", "call"):
        values = np.array([hour for hour, _ in hours[name]])
        tables.append(values[pick16([weight for _, weight in hours[name]], 12)])
    return np.stack(tables)


def choose_records(draws, orders, known, first, cards_held):
    """Return the record that each order names (position in the records; −1 for calls).

    Mostly the newest of its channel.
    """
    web = orders["channel"] == 1
    count = np.where(web, known[1], known[0])
    old = draws.chance(
        read_settings("parameters")["orders"]["old_record_per_1000"], "order", "old record", orders["key"]
    )
    copy = np.where(old & (count > 1), 0, count - 1)
    record = first[orders["person"]] + np.where(web, cards_held[orders["person"]], 0) + copy
    return np.where(orders["channel"] == 2, -1, record)


def forget_cards(orders, line_counts):
    """Write `record` −1 into till orders at which no card was shown.

    Late in the day, and for small baskets, more often.
    """
    settings = read_settings("parameters")["orders"]
    chance = by_limit(settings["anonymous_by_hour"], np.arange(24))[orders["hour"]]
    chance = np.where(line_counts == 1, chance * settings["anonymous_small_basket_percent"] // 100, chance)
    forgotten = (orders["unlucky"] * 1000 >> 16 < chance) & (orders["channel"] == 0) & ~orders["first"]
    orders["record"] = np.where(forgotten, -1, orders["record"])
