"""Cards and accounts: which person is on file where, since when, and when the row was last touched.

A record here is still clean: it points to its person and says *when* it was taken. What was typed then is made by
`records`.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import read_settings
from cimlab.retailer.world import CITIES, FIRST_DAY, REFERENCE_DAY, THINGS, TILL, WEB, day_of

LATE = np.int32(2**31 - 1)  # no such record
MOST_COPIES = {0: 3, 1: 2}  # cards and accounts of one person, at most


def make_start_days(draws, people):
    """Return the day of the first card and of the first account of persons, as an array (2, persons); LATE for none.

    Some persons have one from before the orders begin, the others come evenly within the two years of the orders; the
    second channel follows the first. Nobody is younger than 16.
    """
    settings, words = read_settings("parameters")["channels"], draws.words("person", "first record", people["row"])
    opened = [np.int32(day_of(settings[name])) for name in ("first_record", "web_since")]
    uses_till, uses_web = people["channels"] & TILL > 0, people["channels"] & WEB > 0
    sixteen = people["birth"] + np.int32(16 * 36525 // 100 + 1)
    before = words[1] < settings["started_before_window_per_1000"] * 65536 // 1000
    before &= sixteen < FIRST_DAY
    # of two channels either may be the first
    web_first = uses_web & (~uses_till | (words[0] >= 1 << 15))
    high = np.where(before, np.int32(FIRST_DAY - 1), np.int32(REFERENCE_DAY))
    low = np.where(before, np.where(web_first, opened[1], opened[0]), np.int32(FIRST_DAY))
    low = np.minimum(np.maximum(low, sixteen), high)
    first = low + ((words[2] * (high - low + 1)) >> 16)
    low = np.maximum(first, np.where(web_first, opened[0], opened[1]))
    second = low + ((words[3] * (np.int32(REFERENCE_DAY + 1) - low)) >> 16)
    till, web = np.where(web_first, second, first), np.where(web_first, first, second)
    return np.stack([np.where(uses_till, till, LATE), np.where(uses_web, web, LATE)])


def first_days(days):
    """Return the day of the first record of each person."""
    return np.minimum(days[0], days[1])


def make_record_days(draws, people):
    """Write the days of the records into persons.

    `record_days` holds the day of each card, then of each account, LATE for none; `since` is the first of them.
    """
    starts = make_start_days(draws, people)
    days = [day for channel in (0, 1) for day in make_copies(draws, people["row"], channel, starts[channel])]
    people["since"], people["record_days"] = first_days(starts), np.stack(days)


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
        again = words[0] < chance * 65536 // 1000
        day = days[-1][has] + low + ((words[1] * np.int32(high - low + 1)) >> 16)
        again &= day <= REFERENCE_DAY
        has, day = has[again], day[again]
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
    words = bits.astype("<u8", copy=False).view("<u2").reshape(-1, 4).T.astype(np.int64)
    open_here = (near_opened[cities] <= np.asarray(days)[:, None]).sum(axis=1)
    open_all = np.searchsorted(opened, days, side="right")
    here = near[cities, words[1] * open_here >> 16]
    anywhere = order[words[1] * open_all >> 16]
    return np.where((open_here > 0) & (words[0] * 1000 >> 16 < near_per_1000), here, anywhere)


def count_until(days, when):
    """Return how many records (rows of `days`) were made up to a day; both as arrays over the same persons."""
    return (days <= when).sum(axis=0)
