"""Where people live: real cities and districts, invented streets and housing estates.

There is a fixed list of housing estates, the same in every edition, each with one street address in one district; a
household lives in a flat of one of them. So neighbours share an address up to the flat, as they do in life.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.draws import Draws, pick16, read_settings
from cimlab.retailer.world import CITIES, NO_DAY, day_of

BLOCKS, FLOORS, FLATS = 28, 24, 4


@cache
def city_table():
    """Return (pick of 16 bits by share of customers, number of estates before each city)."""
    places = read_settings("places")
    shares = [places["cities"][city]["share"] for city in CITIES]
    settings = read_settings("parameters")["people"]
    per_share, least = settings["estates_per_share"], settings["estates_at_least"]
    counts = [max(share * per_share, least) for share in shares]
    return pick16(shares, 16).astype(np.int32), np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


@cache
def city_texts():
    """Return the names of the cities as an Arrow column."""
    return pa.array(CITIES, pa.string())


def city_names(cities):
    """Return the names of cities given by number; null for -1."""
    cities = np.asarray(cities, dtype=np.int64)
    return city_texts().take(pa.array(cities, mask=cities < 0))


def district_names(city):
    """Return the names of the districts of a city."""
    districts = read_settings("places")["cities"][city]["districts"]
    return [district if isinstance(district, str) else district[0] for district in districts]


@cache
def estate_texts(city=False):
    """Return the address of every housing estate, without flat, with or without the city, as an Arrow column."""
    estates, starts = make_estates(), city_table()[1]
    if city:
        estates = [CITIES[c] + text for c in range(len(CITIES)) for text in estates[starts[c] : starts[c + 1]]]
    return pa.array(estates, pa.string())


def make_estates():
    """Return the addresses of all estates: district, street, number, name of the estate."""
    places, starts, draws = read_settings("places"), city_table()[1], Draws(0)
    rows = np.arange(starts[-1])

    def word(part, words):
        return np.array(words.split())[draws.below(len(words.split()), "estate", part, rows)].tolist()

    def kind(part, pairs):
        return np.array([name for name, _ in pairs])[
            draws.weighted([weight for _, weight in pairs], "estate", part, rows)
        ].tolist()

    city = np.searchsorted(starts, rows, side="right") - 1
    chosen = draws.bits("estate", "district", rows) >> np.uint64(33)
    names = [district_names(name) for name in CITIES]
    district = [names[c][int(bits) % len(names[c])] for c, bits in zip(city, chosen, strict=True)]
    number = (draws.below(398, "estate", "number", rows) + 1).tolist()
    parts = (word("street", places["street_first"]), word("street two", places["street_second"]))
    parts += (kind("street kind", places["street_kind"]), number)
    parts += (word("name", places["estate_first"]), word("name two", places["estate_second"]))
    parts += (kind("kind", places["estate_kind"]),)
    return [f"{d}{a}{b}{k}{n}号{e}{f}{g}" for d, a, b, k, n, e, f, g in zip(district, *parts, strict=True)]


@cache
def flat_texts():
    """Return the texts of all flats: block, floor and door."""
    return pa.array(
        [
            f"{block}栋{floor}{flat:02d}室"
            for block in range(1, BLOCKS + 1)
            for floor in range(1, FLOORS + 1)
            for flat in range(1, FLATS + 1)
        ]
    )


def draw_flats(words, city):
    """Return (estate, flat) of households that live in that city."""
    starts = city_table()[1]
    estate = starts[city] + ((words[0] * (starts[1:] - starts[:-1])[city]) >> 16)
    # the number of a flat takes more than 16 bits do justice to, so a few flats are a little more common than others
    return estate, (words[1] * np.int32(BLOCKS * FLOORS * FLATS)) >> 16


def make_homes(draws, people):
    """Return where persons live and where they lived before: a household moves as a whole.

    Returns
    -------
    dict of arrays
        `city`, `estate`, `flat`, and of those who moved `former_city`, `former_estate`, `former_flat`, `moved_on` (−1:
        none).
    """
    settings, house = read_settings("parameters")["people"], people["household"]
    words, count = draws.words("household", "home", house), len(house)
    city = city_table()[0][words[2]]
    estate, flat = draw_flats(words, city)
    homes = {"city": city, "estate": estate, "flat": flat}
    moved = np.flatnonzero(words[3] < settings["household_moved_per_1000"] * 65536 // 1000)
    homes |= {key: np.full(count, -1, dtype=np.int32) for key in ("former_city", "former_estate", "former_flat")}
    homes["moved_on"] = np.full(count, NO_DAY, dtype=np.int32)
    words = draws.words("household", "former home", house[moved])
    stayed = words[3] < settings["moved_within_city_per_1000"] * 65536 // 1000
    homes["former_city"][moved] = former_city = np.where(stayed, city[moved], city_table()[0][words[2]])
    homes["former_estate"][moved], homes["former_flat"][moved] = draw_flats(words, former_city)
    homes["moved_on"][moved] = change_days(draws, "household", "moved on", house[moved])
    return homes


def change_days(draws, table, column, rows):
    """Return a day between the first and the last day on which changes are made."""
    first, last = (day_of(day) for day in read_settings("parameters")["people"]["changes_between"])
    return first + draws.below(last - first + 1, table, column, rows)


def addresses(people, former=False, city=False):
    """Return the addresses of persons, or their former ones (null where there is none), with or without the city."""
    estate, flat = (people[f"former_{key}" if former else key] for key in ("estate", "flat"))
    mask = estate < 0 if former else None
    parts = (estate_texts(city).take(pa.array(estate, mask=mask)), flat_texts().take(pa.array(flat, mask=mask)))
    return pc.binary_join_element_wise(*parts, "")
