"""Persons: who the customers truly are, where they live, how they can be reached, and what drives them.

Every column is a function of the row alone. The texts (names, addresses, e-mail addresses, …) are made on demand, since
most uses need only some of them.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.cards import make_first_days
from cimlab.retailer.draws import by_limit, pick16, read_settings
from cimlab.retailer.homes import addresses, city_names, make_homes
from cimlab.retailer.households import KINDS, OLDEST, make_households, stage_cells, stage_table
from cimlab.retailer.naming import (
    full_names,
    given_names,
    make_given_names,
    make_surnames,
    pinyin,
    surnames,
)
from cimlab.retailer.reach import (
    PHONES,
    by_age,
    digit_groups,
    emails,
    fixed_text,
    make_mail,
    make_phones,
    phone_numbers,
    phones_text,
)
from cimlab.retailer.world import (
    CAMPAIGN_KINDS,
    CATEGORIES,
    CITIES,
    LIFE_STAGES,
    SEGMENTS,
    THINGS,
    date_column,
    enum_column,
    id_text,
    year_month_day,
)

__all__ = [
    "PHONES",
    "addresses",
    "city_names",
    "emails",
    "former_addresses",
    "full_names",
    "given_names",
    "id_numbers",
    "make_master",
    "make_people",
    "phone_numbers",
    "phones_text",
    "pinyin",
    "surnames",
]
ONLINE_EXPLORER = SEGMENTS.index("online explorer")


def make_people(draws, rows, *, texts=True, traits=True, past=True):
    """Return the persons of some rows.

    Parameters
    ----------
    draws : Draws
    rows : array of int64
        Row numbers; each person depends on its own row only.
    texts : bool
        Whether what names, addresses, numbers and e-mail addresses are made from is made as well.
    traits : bool
        Whether what drives the purchases is made as well.
    past : bool
        Whether former homes and numbers are made as well; without texts they are not.

    Returns
    -------
    dict of arrays
        One entry a person; days are days since 1970-01-01 (−1: none), scores and factors in units of 1/65536.
    """
    rows = np.asarray(rows, dtype=np.int64)
    people, houses = make_households(draws, rows)
    people["row"] = rows
    people |= make_homes(draws, houses, flats=texts, past=past and texts)
    make_segments(draws, rows, people, houses)
    if texts:
        people["surname"] = make_surnames(draws, people, houses)
        people["given"] = make_given_names(draws, rows, people)
        people |= make_phones(draws, rows, people, past)
        people |= make_mail(draws, rows, people)
    return people | make_traits(draws, rows, people) if traits else people


def make_traits(draws, rows, people):
    """Return what drives persons: satisfaction, rate and size of purchases, taste, answers to campaigns."""
    settings = read_settings("parameters")["traits"]
    segment, facts = people["segment"], [settings["segments"][name] for name in SEGMENTS]

    def of_segment(key):
        return np.array([fact[key] for fact in facts], dtype=np.int64).take(segment)

    rate = draws.quantile("rate", "person", "rate", rows) * settings["mean_orders_per_year"] >> 16
    basket = draws.quantile("lognormal_30", "person", "basket", rows) * of_segment("basket") // 100
    spread = draws.quantile("normal", "person", "price", rows) * settings["price_sensitivity_spread"] >> 16
    # by segment and a number of 12 bits
    words = draws.words("person", "taste", rows) >> 4
    cell = segment * np.int64(1 << 12)
    favourites = np.empty((len(rows), 3), dtype=np.uint8)
    for place in range(3):
        favourites[:, place] = taste_table().take(cell + words[place])
    return {
        "satisfaction": draws.quantile("normal", "person", "satisfaction", rows),
        "rate": np.maximum(rate * of_segment("rate") // 100, settings["least_orders_per_year"]),
        "basket": basket,
        "price_sensitivity": np.clip(of_segment("price_sensitivity") + spread, 0, 1000),
        "campaign_kind": campaign_kind_table().take(cell + words[3]),
        "favourites": favourites,
    }


def make_segments(draws, rows, people, houses):
    """Return stage of life, latent segment and channels of persons.

    The chances depend on age, children and the city.
    """
    cell = stage_cells(draws, people, houses)
    words = draws.words("person", "segment", rows)
    people["life_stage"] = stage_table().take(cell)
    people["segment"] = segment_table().take(segment_starts().take(cell) + (words[0] >> 4))
    segment = people["segment"] * np.int64(OLDEST)
    segment += people["age"]
    starts, cities = mix_starts()
    segment += cities.take(people["city"])
    people["channels"] = channel_table().take(starts.take(segment) + (words[1] >> 4))


@cache
def segment_table():
    """Return the segment for (group of persons, number of 12 bits)."""
    weights = read_settings("parameters")["traits"]["segment_weights"]
    return np.stack([pick16(weights[name], 12) for name in ("young", "family", "middle", "old")]).astype(np.uint8)


@cache
def segment_starts():
    """Return where the row of `segment_table` begins for a place of `stage_table`: young, family, middle or old."""
    groups = np.full((len(LIFE_STAGES), OLDEST), 2)
    groups[:, :32] = 0
    for stage in ("young family", "grown family"):
        groups[LIFE_STAGES.index(stage), 26:] = 1
    groups[:, 60:] = 3
    age = np.arange(OLDEST)[:, None]
    return groups[stage_table().reshape(len(KINDS), OLDEST, 2), age].reshape(-1) << 12


@cache
def campaign_kind_table():
    """Return how persons answer campaigns (index into CAMPAIGN_KINDS) for (segment, number of 12 bits)."""
    segments = read_settings("parameters")["traits"]["segments"]
    weights = [[segments[name]["campaign"][kind] for kind in CAMPAIGN_KINDS] for name in SEGMENTS]
    return np.stack([pick16(row, 12) for row in weights]).astype(np.uint8)


@cache
def taste_table():
    """Return a group of goods for (segment, number of 12 bits)."""
    segments, categories = read_settings("parameters")["traits"]["segments"], read_settings("catalogue")["categories"]
    rows = []
    for name in SEGMENTS:
        taste = segments[name]["taste"]
        rows.append(pick16([categories[c]["share"] * taste.get(c, 100) for c in CATEGORIES], 12))
    return np.stack(rows).astype(np.uint8)


@cache
def channel_table():
    """Return the channels that persons use, as bits, for (mix, number of 12 bits).

    By age, online explorers, without a shop.
    """
    settings = read_settings("parameters")["channels"]
    bits = {"till": 1, "web": 2, "call": 4}
    rows = []
    for mix in [*(step["mix"] for step in settings["by_age"]), settings["online_explorer"], settings["no_shop"]]:
        masks = np.array([sum(bits[name] for name in names.split()) for names, _ in mix], dtype=np.uint8)
        rows.append(masks[pick16([weight for _, weight in mix], 12)])
    return np.stack(rows)


@cache
def mix_starts():
    """Return (where the row of `channel_table` of a person begins; where the entries of each city begin there).

    The first is for (a city with a shop or one without, segment, age).
    """
    steps = [(step["until"], number) for number, step in enumerate(read_settings("parameters")["channels"]["by_age"])]
    starts = np.tile(by_limit(steps, np.arange(OLDEST)), (2, len(SEGMENTS), 1))
    starts[:, ONLINE_EXPLORER] = len(steps)
    starts[1] = len(steps) + 1
    shops = {city for _, city, _ in read_settings("catalogue")["stores"]}
    return starts.reshape(-1) << 12, np.array([city not in shops for city in CITIES]) * starts[0].size


def incomes(draws, people):
    """Return the income of persons in CNY a year, in whole hundreds."""
    factor = draws.quantile("lognormal_45", "person", "income", people["row"])
    return (by_age("people", "income_by_age")[people["age"]] * factor >> 16) // 100 * 100


# -------------------------------------------------------------------------------------------------------------------
# texts of persons


def former_addresses(people):
    """Return the former addresses of persons; null where the household has not moved."""
    return addresses(people, former=True)


def id_numbers(people):
    """Return the identity numbers of persons: 18 characters with a right check digit (GB 11643); no region is real."""
    year, month, day = year_month_day(people["birth"])
    groups, out = digit_groups(), np.empty((len(year), 18), dtype=np.uint8)
    regions = read_settings("places")["cities"]
    region = np.array([int(regions[city]["region"]) for city in CITIES])[people["city"]]
    order = ((people["id_order"] * np.int64(500)) >> 16) * 2 + (people["sex"] == 1)
    out[:, 0:4] = groups[9900 + region]
    out[:, 4:6] = groups[people["id_order"] % 9 + 1][:, 2:]
    out[:, 6:10] = groups[year]
    out[:, 10:14] = groups[month * 100 + day]
    out[:, 14:17] = groups[order][:, 1:]
    weights = np.array([pow(2, 17 - place, 11) for place in range(17)])
    rest = ((out[:, :17].astype(np.int64) - ord("0")) * weights).sum(axis=1) % 11
    out[:, 17] = np.frombuffer(b"10X98765432", dtype=np.uint8)[rest]
    return fixed_text(out)


def person_ids(draws, rows):
    """Return the identifiers of persons, as bytes."""
    return draws.ids("N", np.asarray(rows) * THINGS)


def household_ids(draws, households):
    """Return the identifiers of households, as bytes: that of the first member, with an H."""
    return (person_ids(draws, households) & ~np.uint64(0xFF)) | np.uint64(ord("H"))


def make_master(draws, start, stop):
    """Return the customer master as it would be without any dirt: what the benchmark compares with other makers.

    Parameters
    ----------
    draws : Draws
    start, stop : int
        The rows of the persons.

    Returns
    -------
    pyarrow.Table
        person_id, name, gender, birth_date, phone, email, address (with the city), joined_on.
    """
    people = make_people(draws, np.arange(start, stop), traits=False, past=False)
    return pa.table(
        {
            "person_id": id_text(person_ids(draws, people["row"])),
            "name": full_names(people),
            "gender": enum_column(people["sex"], ["F", "M"]),
            "birth_date": date_column(people["birth"]),
            "phone": phones_text(people["phone"]),
            "email": emails(people),
            "address": addresses(people, city=True),
            "joined_on": date_column(make_first_days(draws, people)[0]),
        }
    )
