"""Visits to the web shop and the app in the last 30 days: who came, when, on what device, from where, and how it ended.

Every web order of these days is the end of a visit. Some orders were prepared by an earlier visit that left its cart;
other visits come from people with an account who only look, from people who are not logged in, and from strangers.
"""

from functools import cache

import numpy as np

from cimlab.retailer.baskets import MOST_LINES
from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import REFERENCE_DAY, SEGMENTS, THINGS, day_of, ranges

PURCHASE, CART, LOOK = range(3)  # how a visit ends: with an order, with a cart that is left, without one
DEVICES = ("phone", "tablet", "computer")
SOURCES = ("direct", "search", "ad", "mini-program", "campaign")
DAY_SECONDS = 24 * 60 * 60
# Visit k of a person: orders have the even numbers, the visits that prepared them the odd ones behind; then come other
# visits, then those of strangers.
MOST_ORDERS, VISITS_FROM, STRANGERS_FROM = 128, 256, 448


def first_day():
    """Return the first day of the log."""
    return REFERENCE_DAY - read_settings("events")["window_days"] + 1


def make_visits(block):
    """Return the visits of a block.

    Returns
    -------
    dict of arrays
        Sorted by `key` (person's row × 512 + k): `person` (position), `kind` (PURCHASE, CART, LOOK), `order` (position
        of the order that the visit ended in or prepared; −1), `record` (account, position in the records; −1: not
        logged in), `day`, `stranger` (bool), `put_in` (articles of the order that lay in the cart before), `device`,
        `source`, and the seconds of `choose_times`.
    """
    buying = buying_visits(block)
    prepared = prepared_visits(block, buying)
    parts = (buying, prepared, other_visits(block), strangers_visits(block))
    visits = {name: np.concatenate([part[name] for part in parts]) for name in buying}
    sequence = np.argsort(visits["key"], kind="stable")
    visits = {name: values[sequence] for name, values in visits.items()}
    return visits | choose_devices(block, visits) | choose_times(block, visits)


def buying_visits(block):
    """Return the visits that end in a web order."""
    orders, rows = block["orders"], block["people"]["row"]
    order = np.flatnonzero((orders["channel"] == 1) & (orders["day"] >= first_day()) & (orders["day"] <= REFERENCE_DAY))
    order = order[np.lexsort((orders["key"][order], orders["at"][order], orders["person"][order]))]
    person = orders["person"][order].astype(np.int64)
    rank = np.arange(len(order)) - np.searchsorted(person, person, side="left")
    order, person, rank = (values[rank < MOST_ORDERS] for values in (order, person, rank))
    return {
        "key": rows[person] * THINGS + 2 * rank,
        "person": person,
        "kind": np.full(len(order), PURCHASE),
        "order": order,
        "record": orders["record"][order].astype(np.int64),
        "day": orders["day"][order].astype(np.int64),
        "stranger": np.zeros(len(order), dtype=bool),
        "put_in": np.zeros(len(order), dtype=np.int64),
    }


def prepared_visits(block, buying):
    """Return the visits that filled a cart for a later order; writes `put_in` of that order's visit."""
    settings, draws = read_settings("events")["visits"], block["world"]["draws"]
    key = buying["key"] + 1
    day = buying["day"] - draws.between(*settings["prepared_days"], "visit", "prepared on", key)
    made = block["records"]["made_on"][buying["record"]]
    chosen = draws.chance(settings["prepared_per_1000"], "visit", "prepared", key) & (
        day >= np.maximum(made, first_day())
    )
    steps = read_settings("events")["steps"]
    ready = draws.chance(steps["ready_cart_per_1000"], "visit", "ready cart", buying["key"])
    buying["put_in"] = np.where(ready, MOST_LINES, np.where(chosen, steps["lines_put_in"], 0))
    visits = {name: values[chosen] for name, values in buying.items()}
    visits |= {"key": key[chosen], "kind": np.full(len(visits["key"]), CART), "day": day[chosen]}
    return visits | {"put_in": np.zeros(len(visits["key"]), dtype=np.int64)}


def other_visits(block):
    """Return the visits without a purchase of people who have an account; some come without logging in."""
    settings, people, draws = read_settings("events")["visits"], block["people"], block["world"]["draws"]
    counts = np.minimum(
        draws.poisson(visit_means(block), "person", "visits", people["row"]), STRANGERS_FROM - VISITS_FROM
    )
    person = np.repeat(np.arange(len(counts)), counts)
    key = people["row"][person] * THINGS + VISITS_FROM + ranges(counts)
    percents = [settings["segment_carts"][name] for name in SEGMENTS]
    carts = settings["cart_per_1000"] * np.array(percents)[people["segment"][person]] // 100
    visits = new_visits(draws, key, person, carts)
    record = find_accounts(
        block, person, visits["day"], draws.chance(settings["older_account_per_1000"], "visit", "older", key)
    )
    away = draws.chance(settings["logged_out_per_1000"], "visit", "logged out", key)
    return visits | {"record": np.where(away, -1, record), "stranger": np.zeros(len(key), dtype=bool)}


def strangers_visits(block):
    """Return the visits of people whom the shop does not know: so many for each person of the world."""
    settings, rows, draws = read_settings("events")["visits"], block["people"]["row"], block["world"]["draws"]
    means = np.full(len(rows), settings["strangers_thousandths"] * 65536 // 1000)
    counts = np.minimum(draws.poisson(means, "person", "strangers", rows), THINGS - STRANGERS_FROM)
    person = np.repeat(np.arange(len(counts)), counts)
    key = rows[person] * THINGS + STRANGERS_FROM + ranges(counts)
    visits = new_visits(draws, key, person, settings["stranger_cart_per_1000"])
    return visits | {"record": np.full(len(key), -1), "stranger": np.ones(len(key), dtype=bool)}


def new_visits(draws, key, person, carts):
    """Return visits without a purchase: the day, and whether a cart was filled."""
    kind = np.where(draws.chance(carts, "visit", "cart", key), CART, LOOK)
    day = first_day() + day_table()[draws.words("visit", "day", key)[0]]
    none = np.full(len(key), -1)
    return {
        "key": key,
        "person": person,
        "kind": kind,
        "order": none,
        "day": day,
        "put_in": np.zeros(len(key), dtype=np.int64),
    }


def visit_means(block):
    """Return the mean number of visits without a purchase of each person, in 1/65536."""
    settings, people, orders = read_settings("events")["visits"], block["people"], block["orders"]
    last = np.full(len(people["row"]), -1, dtype=np.int64)
    np.maximum.at(last, orders["person"], orders["day"])
    asleep = np.maximum(last, people["since"]) < REFERENCE_DAY - settings["asleep_after_days"]
    mean_rate = read_settings("parameters")["traits"]["mean_orders_per_year"]
    rate = np.clip(people["rate"] * 100 // mean_rate, *settings["rate_limits"])
    segment = np.array([settings["segment_visits"][name] for name in SEGMENTS])[people["segment"]]
    mean = settings["mean_thousandths"] * segment * rate * np.where(asleep, settings["asleep_percent"], 100)
    return np.where(people["channels"] & 2, mean * 65536 // 10**9, 0)


def find_accounts(block, person, day, older):
    """Return the account (position in the records) that a visitor used on a day, the newest or oldest; −1 for none."""
    records = block["records"]
    web = np.flatnonzero(records["channel"] == 1)
    place = records["person"][web].astype(np.int64) << 16
    start = np.searchsorted(place, person << 16, side="left")
    usable = np.searchsorted(place + records["made_on"][web], (person << 16) + day, side="right") - start
    chosen = start + np.where(older, 0, np.maximum(usable, 1) - 1)
    return np.where(usable > 0, np.append(web, -1)[np.minimum(chosen, len(web))], -1)


@cache
def day_table():
    """Return the day of the log (0 is the first) for a number of 16 bits."""
    settings, days = read_settings("events")["visits"], first_day() + np.arange(read_settings("events")["window_days"])
    weights = np.array(settings["weekday"])[(days + 3) % 7]  # 1970-01-01 was a Thursday
    for start, end, percent in settings["special_days"]:
        special = (days >= day_of(start)) & (days <= day_of(end))
        weights[special] = weights[special] * percent // 100
    return pick16(weights, 16)


@cache
def hour_table():
    """Return the hour for a number of 12 bits."""
    hours = read_settings("events")["visits"]["hours"]
    return np.array([hour for hour, _ in hours])[pick16([weight for _, weight in hours], 12)]


def choose_times(block, visits):
    """Return the second in which visits `begin`, or `end` with an order, and the limits `earliest` and `latest`."""
    draws, key = block["world"]["draws"], visits["key"]
    words = draws.words("visit", "time", key).astype(np.int64)
    begin = visits["day"] * DAY_SECONDS + hour_table()[words[0] >> 4] * 3600 + (words[1] * 3600 >> 16)
    bought, end = visits["kind"] == PURCHASE, np.zeros(len(key), dtype=np.int64)
    end[bought] = block["orders"]["at"][visits["order"][bought]] * 60 + (words[2][bought] * 60 >> 16)
    known, made = visits["record"] >= 0, np.zeros(len(key), dtype=np.int64)
    made[known] = block["records"]["made_on"][visits["record"][known]]
    latest = np.full(len(key), (REFERENCE_DAY + 1) * DAY_SECONDS - 1)
    return {"begin": begin, "end": end, "earliest": np.maximum(made, first_day()) * DAY_SECONDS, "latest": latest}


def choose_devices(block, visits):
    """Return device and source of visits: most people have a usual device; the mini-program runs on no computer."""
    settings, draws = read_settings("events"), block["world"]["draws"]
    usual = settings["devices"]["usual"]
    table = pick16([usual[name] for name in DEVICES], 16)
    of_person = table[draws.words("person", "device", block["people"]["row"])[0]][visits["person"]]
    words = draws.words("visit", "device", visits["key"]).astype(np.int64)
    keeps = (words[1] * 1000 >> 16 < settings["devices"]["usual_per_1000"]) & ~visits["stranger"]
    device = np.where(keeps, of_person, table[words[0]])
    weights = [[settings["sources"][role][name] for name in SOURCES] for role in ("buyer", "visitor", "stranger")]
    role = np.where(visits["stranger"], 2, np.where(visits["kind"] == PURCHASE, 0, 1))
    source = np.stack([pick16(row, 16) for row in weights])[role, words[2]]
    program = (source == SOURCES.index("mini-program")) & (device == DEVICES.index("computer"))
    return {"device": device, "source": np.where(program, SOURCES.index("direct"), source)}
