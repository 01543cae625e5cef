"""Where people live: real cities and districts, invented streets and housing estates.

There is a fixed list of housing estates, the same in every edition, each with one street address in one district; a
household lives in a flat of one of them. So neighbours share an address up to the flat, as they do in life.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import Draws, pick16, read_settings
from cimlab.retailer.world import CITIES, NO_DAY, day_of, join_texts

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
    estate = starts.take(city) + ((words[0] * np.diff(starts).take(city)) >> 16)
    # the number of a flat takes more than 16 bits do justice to, so a few flats are a little more common than others
    return estate, (words[1] * np.int32(BLOCKS * FLOORS * FLATS)) >> 16


def make_homes(draws, houses, flats=True, past=True):
    """Return where persons live and where they lived before: a household moves as a whole.

    Parameters
    ----------
    draws : Draws
    houses : dict of arrays
        From `make_households`.
    flats, past : bool
        Whether more than the city is made, and former homes.

    Returns
    -------
    dict of arrays
        `city`, `estate`, `flat`, and of those who moved `former_city`, `former_estate`, `former_flat`, `moved_on`
        (former ones −1, NO_DAY: none).
    """
    words = draws.words("household", "home", houses["row"])
    city = city_table()[0][words[2]]
    homes = {"city": city}
    if flats:
        homes["estate"], homes["flat"] = draw_flats(words, city)
    if past:
        homes |= make_former_homes(draws, houses["row"], words[3], city)
    return {name: column.take(houses["of"]) for name, column in homes.items()}


def make_former_homes(draws, rows, words, city):
    """Return where households lived before, and since when they do not."""
    settings = read_settings("parameters")["people"]
    homes = {key: np.full(len(rows), -1, dtype=np.int32) for key in ("former_city", "former_estate", "former_flat")}
    homes["moved_on"] = np.full(len(rows), NO_DAY, dtype=np.int32)
    moved = np.flatnonzero(words < settings["household_moved_per_1000"] * 65536 // 1000)
    words = draws.words("household", "former home", rows[moved])
    stayed = words[3] < settings["moved_within_city_per_1000"] * 65536 // 1000
    homes["former_city"][moved] = former_city = np.where(stayed, city[moved], city_table()[0][words[2]])
    homes["former_estate"][moved], homes["former_flat"][moved] = draw_flats(words, former_city)
    homes["moved_on"][moved] = change_days(draws, "household", "moved on", rows[moved])
    return homes


def change_days(draws, table, column, rows):
    """Return a day between the first and the last day on which changes are made."""
    first, last = (day_of(day) for day in read_settings("parameters")["people"]["changes_between"])
    return first + draws.below(last - first + 1, table, column, rows)


@cache
def address_pieces(city):
    """Return the texts of the estates and then those of the flats, as one Arrow column."""
    return pa.concat_arrays([estate_texts(city), flat_texts()])


def addresses(people, former=False, city=False):
    """Return the addresses of persons, or their former ones (null where there is none), with or without the city."""
    estate, flat = (people[f"former_{key}" if former else key] for key in ("estate", "flat"))
    mask = estate < 0 if former else None
    if former:
        estate, flat = estate.compress(~mask), flat.compress(~mask)
    codes = np.empty((len(estate), 2), dtype=np.int32)
    codes[:, 0] = estate
    np.add(flat, np.int32(city_table()[1][-1]), out=codes[:, 1])
    return join_texts(address_pieces(city), codes, mask)
