"""Cards and accounts: which person is on file where, since when, and when the row was last touched.

A record here is still clean: it points to its person and says *when* it was taken. What was typed then is made by
`records`.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import read_settings, words_of
from cimlab.retailer.world import CITIES, FIRST_DAY, REFERENCE_DAY, THINGS, TILL, WEB, day_of

LATE = np.int32(2**31 - 1)  # no such record
MOST_COPIES = {0: 3, 1: 2}  # cards and accounts of one person, at most


@cache
def start_tables():
    """Return what decides the first record of persons.

    Four arrays over (before the orders, a bit, channels): whether the account comes before the card, the first and the
    last day on which the first of them can be made, the first day for the second one.
    """
    settings = read_settings("parameters")["channels"]
    opened = [day_of(settings[name]) for name in ("first_record", "web_since")]
    before, bit, channels = np.meshgrid(range(2), range(2), range(8), indexing="ij")
    uses_till, uses_web = channels & TILL > 0, channels & WEB > 0
    web_first = uses_web & (~uses_till | (bit == 1))  # of two channels either may be the first
    low = np.where(before, np.where(web_first, opened[1], opened[0]), FIRST_DAY)
    high = np.where(before, FIRST_DAY - 1, REFERENCE_DAY)
    low, high = (np.where(uses_till | uses_web, days, LATE) for days in (low, high))
    second = np.where(web_first, opened[0], opened[1])
    return web_first.reshape(-1), *(days.reshape(-1).astype(np.int32) for days in (low, high, second))


def make_first_days(draws, people):
    """Return (day of the first record of persons, LATE for none; their words; their place in `start_tables`).

    Some persons had one before the orders begin, the others come evenly within the two years of the orders. Nobody is
    younger than 16.
    """
    settings, words = read_settings("parameters")["channels"], draws.words("person", "first record", people["row"])
    sixteen = people["birth"] + np.int32(16 * 36525 // 100 + 1)
    before = words[1] < settings["started_before_window_per_1000"] * 65536 // 1000
    before &= sixteen < FIRST_DAY
    cell = people["channels"] + (words[0] >> 12 & 8).astype(np.uint8) + before * np.uint8(16)
    _, low, high, _ = start_tables()
    low, high = low.take(cell), high.take(cell)
    low = np.minimum(np.maximum(low, sixteen), high)
    first = low + ((words[2] * (high - low + 1)) >> 16)
    return first, words, cell


def make_start_days(draws, people):
    """Return the day of the first record of persons, then that of the first card and of the first account.

    LATE for none. The second channel follows the first.
    """
    first, words, cell = make_first_days(draws, people)
    web_first, _, _, opened = start_tables()
    low = np.maximum(np.minimum(first, np.int32(REFERENCE_DAY)), opened.take(cell))
    second = low + ((words[3] * (np.int32(REFERENCE_DAY + 1) - low)) >> 16)
    web_first = web_first.take(cell)
    till, web = np.where(web_first, second, first), np.where(web_first, first, second)
    uses = people["channels"]
    return first, np.where(uses & TILL, till, LATE), np.where(uses & WEB, web, LATE)


def make_record_days(draws, people, copies=True):
    """Write the days of the records into persons.

    `card_on` is the day of the first card, `since` that of the first card or account. With `copies`, `record_days`
    holds the day of each card, then of each account. LATE for none.
    """
    people["since"], *starts = make_start_days(draws, people)
    people["card_on"] = starts[0]
    if copies:
        days = [day for channel in (0, 1) for day in make_copies(draws, people["row"], channel, starts[channel])]
        people["record_days"] = np.stack(days)


def make_cards(draws, people):
    """Return the cards and accounts of persons.

    Parameters
    ----------
    draws : Draws
    people : dict of arrays
        With `record_days`.

    Returns
    -------
    dict of arrays
        One entry a record, sorted by person, channel and copy: `person` (position), `channel` (0 till, 1 web), `copy`,
        `key`, `id`, `made_on`, `updated_on`, `store` (−1 for the web).
    """
    days = people["record_days"]
    channels = np.array([channel for channel, count in MOST_COPIES.items() for _ in range(count)])
    copies = np.array([copy for count in MOST_COPIES.values() for copy in range(count)])
    person, kind = np.nonzero(days.T != LATE)
    cards = {"person": person, "channel": channels[kind].astype(np.uint8), "copy": copies[kind]}
    cards["key"] = people["row"][person] * THINGS + cards["channel"].astype(np.int64) * 16 + cards["copy"]
    cards["made_on"] = days[kind, person]
    cards["id"] = np.where(cards["channel"] == 0, draws.ids("M", cards["key"]), draws.ids("W", cards["key"]))
    cards["updated_on"] = make_updates(draws, cards)
    near = read_settings("parameters")["channels"]["near_store_per_1000"]
    cities = people["city"][person]
    store = choose_stores(draws.bits("record", "store", cards["key"]), cities, cards["made_on"], near)
    cards["store"] = np.where(cards["channel"] == 0, store, -1)
    return cards


def make_copies(draws, rows, channel, first):
    """Return the days of the first, second, … record of persons in one channel; LATE where there is none."""
    settings = read_settings("parameters")["channels"]
    chances = settings["second_cards_per_1000"] if channel == 0 else settings["second_accounts_per_1000"]
    low, high = settings["again_after_days"]
    days, has = [first], np.flatnonzero(first != LATE)
    for copy, chance in enumerate(chances, 1):
        words = draws.words("record", f"again {channel}", rows[has], copy)
        again = np.flatnonzero(words[0] < chance * 65536 // 1000)
        has = has[again]
        day = days[-1][has] + low + ((words[1, again] * np.int32(high - low + 1)) >> 16)
        has, day = has[day <= REFERENCE_DAY], day[day <= REFERENCE_DAY]
        days.append(np.full(len(rows), LATE, dtype=np.int32))
        days[-1][has] = day
    return days


def make_updates(draws, cards):
    """Return the day on which records were last touched.

    Not after the next record of that person and channel was made.
    """
    same = (cards["person"][1:] == cards["person"][:-1]) & (cards["channel"][1:] == cards["channel"][:-1])
    following = np.append(np.where(same, cards["made_on"][1:], REFERENCE_DAY), REFERENCE_DAY)[: len(same) + 1]
    later = draws.below(following.astype(np.int64) - cards["made_on"] + 1, "record", "updated on", cards["key"])
    share = read_settings("parameters")["channels"]["updated_later_per_1000"]
    touched = draws.chance(share, "record", "updated", cards["key"])
    return (cards["made_on"] + np.where(touched, later, 0)).astype(np.int32)


@cache
def store_tables():
    """Return (opening days in their order, stores in that order, stores near each city, their opening days)."""
    stores = read_settings("catalogue")["stores"]
    opened = np.array([day_of(day) for _, _, day in stores])
    order = np.argsort(opened, kind="stable")
    near = [[number for number in order if stores[number][1] == city] for city in CITIES]
    width = max(len(numbers) for numbers in near)
    table = np.array([numbers + [-1] * (width - len(numbers)) for numbers in near])
    return opened[order], order, table, np.where(table < 0, LATE, opened[table])


def choose_stores(bits, cities, days, near_per_1000):
    """Return the number of a shop that was open on those days, mostly one in the person's city.

    Parameters
    ----------
    bits : array of uint64
        Random bits, one for each choice.
    cities, days : array of int
    near_per_1000 : int
        How often a shop of the own city is taken, if there is one.
    """
    opened, order, near, near_opened = store_tables()
    words = words_of(bits).astype(np.int64)
    open_here = (near_opened[cities] <= np.asarray(days)[:, None]).sum(axis=1)
    open_all = np.searchsorted(opened, days, side="right")
    here = near[cities, words[1] * open_here >> 16]
    anywhere = order[words[1] * open_all >> 16]
    return np.where((open_here > 0) & (words[0] * 1000 >> 16 < near_per_1000), here, anywhere)


def count_until(days, when):
    """Return how many records (rows of `days`) were made up to a day; both as arrays over the same persons."""
    return sum((row <= when).astype(np.int64) for row in days)
