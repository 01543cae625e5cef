"""Persons: who the customers truly are, where they live, how they can be reached, and what drives them.

Every column is a function of the row alone. The texts (names, addresses, e-mail addresses, …) are made on demand, since
most uses need only some of them.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.cards import first_days, make_start_days
from cimlab.retailer.draws import by_limit, pick16, read_settings
from cimlab.retailer.homes import addresses, city_names, make_homes
from cimlab.retailer.households import OLDEST, PARENT, life_stages, make_households
from cimlab.retailer.naming import (
    full_names,
    given_names,
    given_texts,
    make_given_names,
    make_surnames,
    pinyin,
    surname_table,
    surnames,
)
from cimlab.retailer.world import (
    CAMPAIGN_KINDS,
    CATEGORIES,
    CITIES,
    LIFE_STAGES,
    NO_DAY,
    SEGMENTS,
    THINGS,
    date_column,
    day_of,
    enum_column,
    id_text,
    year_month_day,
)

__all__ = [
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
# Two ranges of satellite numbers: valid for every checker, and nobody's in the street.
PHONES = 16_000_000
ONLINE_EXPLORER = SEGMENTS.index("online explorer")
FIRST_RANGE, FIRST_RANGE_SIZE, SECOND_RANGE = 17_400_000_000, 6_000_000, 13_490_000_000
FORMER_FROM, FORMER_SIZE = 8_000_000, 4_000_000  # numbers that were given up; above 8 M customers they are sold again


def make_people(draws, rows, *, texts=True, traits=True):
    """Return the persons of some rows.

    Parameters
    ----------
    draws : Draws
    rows : array of int64
        Row numbers; each person depends on its own row only.
    texts : bool
        Whether what names, numbers and e-mail addresses are made from is made as well.
    traits : bool
        Whether what drives the purchases is made as well.

    Returns
    -------
    dict of arrays
        One entry a person; days are days since 1970-01-01 (−1: none), scores and factors in units of 1/65536.
    """
    rows = np.asarray(rows, dtype=np.int64)
    people = {"row": rows} | make_households(draws, rows)
    people |= make_homes(draws, people)
    make_segments(draws, rows, people)
    if texts:
        people["surname"] = make_surnames(draws, people)
        people["given"] = make_given_names(draws, rows, people)
        people |= make_phones(draws, rows, people)
        people |= make_mail(draws, rows, people)
    return people | make_traits(draws, rows, people) if traits else people


def phone_numbers(draws, places):
    """Return the mobile numbers at some places of the shuffled list of all numbers; every place has another number."""
    index = draws.permute(places, PHONES, "phone")
    index += np.where(index < FIRST_RANGE_SIZE, FIRST_RANGE, SECOND_RANGE - FIRST_RANGE_SIZE)
    return index


def make_phones(draws, rows, people):
    """Return phone, former phone and the day of the change.

    Some numbers were somebody else's, some old people use a child's.
    """
    settings, owner = read_settings("parameters")["people"], rows
    old = np.flatnonzero((people["role"] == PARENT) & (people["age"] >= 65))
    shared = old[draws.chance(settings["phone_shared_per_1000"], "person", "phone shared", rows[old])]
    if len(shared):
        owner = rows.copy()
        owner[shared] = people["household"][shared]
    places, changed_on = owner % PHONES, np.full(len(rows), NO_DAY, dtype=np.int32)
    changed, days, words = phone_changes(draws, owner)
    changed_on[changed] = days
    former = np.full(len(rows), -1, dtype=np.int64)
    former[changed] = phone_numbers(draws, FORMER_FROM + owner[changed] % FORMER_SIZE)
    recycled = words[1] < settings["phone_recycled_per_1000"] * 65536 // 1000
    takers = changed[recycled]
    givers = owner[takers] - 8 * (1 + (words[2, recycled].astype(np.int64) >> 10))
    known, given_up, _ = phone_changes(draws, np.maximum(givers, 0))
    fits = (givers[known] >= 0) & (given_up < changed_on[takers[known]])
    places[takers[known[fits]]] = FORMER_FROM + givers[known[fits]] % FORMER_SIZE
    return {"phone": phone_numbers(draws, places), "former_phone": former, "phone_changed_on": changed_on}


def phone_changes(draws, rows):
    """Return (positions of those who got a new number, the day of it, their words)."""
    settings = read_settings("parameters")["people"]
    words = draws.words("person", "phone", rows)
    changed = np.flatnonzero(words[0] < settings["phone_changed_per_1000"] * 65536 // 1000)
    first, last = (day_of(day) for day in settings["changes_between"])
    words = words[:, changed]
    return changed, first + (words[3] * np.int32(last - first + 1) >> 16), words


@cache
def by_age(table, name):
    """Return the numbers of a (up to that age, number) list of parameters.yaml for each year of age."""
    return by_limit(read_settings("parameters")[table][name], np.arange(OLDEST)).astype(np.int32)


def make_mail(draws, rows, people):
    """Return whether persons have an e-mail address, and what it is made from."""
    words = draws.words("person", "email", rows)
    return {
        "has_email": words[2] < by_age("people", "email_by_age")[people["age"]] * 65536 // 1000,
        "email_words": words[:2],
        "id_order": words[3],
        "email_shift": int(draws.key("person", "email numbers") >> np.uint64(34)),
    }


def make_traits(draws, rows, people):
    """Return what drives persons: satisfaction, rate and size of purchases, taste, answers to campaigns."""
    settings = read_settings("parameters")["traits"]
    segment, facts = people["segment"], [settings["segments"][name] for name in SEGMENTS]

    def of_segment(key):
        return np.array([fact[key] for fact in facts], dtype=np.int64)[segment]

    rate = draws.quantile("rate", "person", "rate", rows) * settings["mean_orders_per_year"] >> 16
    basket = draws.quantile("lognormal_30", "person", "basket", rows) * of_segment("basket") // 100
    spread = draws.quantile("normal", "person", "price", rows) * settings["price_sensitivity_spread"] >> 16
    words = draws.words("person", "taste", rows)
    return {
        "satisfaction": draws.quantile("normal", "person", "satisfaction", rows),
        "rate": np.maximum(rate * of_segment("rate") // 100, settings["least_orders_per_year"]),
        "basket": basket,
        "price_sensitivity": np.clip(of_segment("price_sensitivity") + spread, 0, 1000),
        "campaign_kind": campaign_kind_table()[segment, words[3] >> 4],
        "favourites": taste_table()[segment[:, None], (words[:3] >> 4).T],
    }


def make_segments(draws, rows, people):
    """Return stage of life, latent segment and channels of persons.

    The chances depend on age, children and the city.
    """
    people["life_stage"] = life_stages(draws, people)
    words = draws.words("person", "segment", rows)
    people["segment"] = segment_table()[segment_groups()[people["life_stage"], people["age"]], words[0] >> 4]
    people["channels"] = channel_table()[mix_groups(people), words[1] >> 4]


@cache
def segment_table():
    """Return the segment for (group of persons, number of 12 bits)."""
    weights = read_settings("parameters")["traits"]["segment_weights"]
    return np.stack([pick16(weights[name], 12) for name in ("young", "family", "middle", "old")]).astype(np.uint8)


@cache
def segment_groups():
    """Return the group on which the segment depends (young, family, middle, old) for a stage of life and an age."""
    groups = np.full((len(LIFE_STAGES), OLDEST), 2, dtype=np.uint8)
    groups[:, :32] = 0
    for stage in ("young family", "grown family"):
        groups[LIFE_STAGES.index(stage), 26:] = 1
    groups[:, 60:] = 3
    return groups


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
def mix_tables():
    """Return (the mix of channels for each year of age, whether each city has no shop)."""
    steps = [(step["until"], number) for number, step in enumerate(read_settings("parameters")["channels"]["by_age"])]
    shops = {city for _, city, _ in read_settings("catalogue")["stores"]}
    return by_limit(steps, np.arange(OLDEST)).astype(np.uint8), np.array([city not in shops for city in CITIES])


def mix_groups(people):
    """Return the row of `channel_table` of persons."""
    by_years, no_shop = mix_tables()
    ages = len(channel_table()) - 2
    groups = np.where(people["segment"] == ONLINE_EXPLORER, np.uint8(ages), by_years[people["age"]])
    return np.where(no_shop[people["city"]], np.uint8(ages + 1), groups)


def incomes(draws, people):
    """Return the income of persons in CNY a year, in whole hundreds."""
    factor = draws.quantile("lognormal_45", "person", "income", people["row"])
    return (by_age("people", "income_by_age")[people["age"]] * factor >> 16) // 100 * 100


# -------------------------------------------------------------------------------------------------------------------
# texts of persons


def former_addresses(people):
    """Return the former addresses of persons; null where the household has not moved."""
    return addresses(people, former=True)


def phones_text(numbers, mask=None):
    """Return mobile numbers as text of 11 digits; null for -1."""
    numbers = np.asarray(numbers, dtype=np.int64)
    mask = numbers < 0 if mask is None else mask
    valid = np.where(mask, FIRST_RANGE, numbers) if mask.any() else numbers
    head, rest = np.divmod(valid, 100_000_000)
    middle, last = np.divmod(rest.astype(np.int32), np.int32(10_000))
    out = np.empty(len(numbers), dtype=[("mark", "u1"), ("head", "<u2"), ("middle", "<u4"), ("last", "<u4")])
    groups = digit_groups().view("<u4").reshape(-1)
    head = groups[head]
    out["mark"], out["head"] = head >> np.uint32(8), head >> np.uint32(16)
    out["middle"], out["last"] = groups[middle], groups[last]
    return fixed_text(out.view(np.uint8).reshape(len(numbers), 11), mask)


@cache
def digit_groups():
    """Return the texts of 0000 to 9999 as an array of shape (10000, 4) of bytes."""
    numbers = np.arange(10_000)
    return np.stack([numbers // power % 10 + ord("0") for power in (1000, 100, 10, 1)], axis=1).astype(np.uint8)


def fixed_text(matrix, mask=None):
    """Return rows of bytes as an Arrow text column; null where `mask`."""
    count, width = matrix.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    column = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix)))
    if mask is None or not mask.any():
        return column
    return pc.if_else(pa.array(~mask), column, pa.scalar(None, pa.string()))


@cache
def email_pieces():
    """Return the pieces of e-mail addresses: what comes first, second, as thousands, and as the end with the domain."""
    readings, joined, initials = surname_table()[1].to_pylist(), *(t.to_pylist() for t in given_texts()[2:])
    first = pa.array(readings + joined + initials)
    second = pa.array(readings + joined + ["." + text for text in readings] + ["_" + text for text in joined])
    thousands = pa.array(["", *map(str, range(1, 100_000))])
    domains = read_settings("parameters")["people"]["email_domains"]
    ends = pa.array([f"{low:03d}@example.{domain}" for domain, _ in domains for low in range(1000)])
    return first, second, thousands, ends, pick16([weight for _, weight in domains], 8).astype(np.int32) * 1000


def emails(people):
    """Return the e-mail addresses of persons, null where they have none; no two persons have the same."""
    first, second, thousands, ends, domain = email_pieces()
    form_word, domain_word = people["email_words"]
    surnames_count, given_count = np.int32(len(surname_table()[1])), np.int32(len(given_texts()[0]))
    form, surname, given = (form_word * np.int32(5)) >> 16, people["surname"], people["given"] + surnames_count
    # 0 wangfang · 1 fangwang · 2 fang.wang · 3 wang_fang · 4 fwang (the initial of the given name)
    surname_first = np.array([True, False, False, True, False])[form]
    swap = np.where(surname_first, given - surname, 0)
    head = given - swap + np.array([0, 0, 0, 0, given_count], dtype=np.int32)[form]
    tail = surname + swap + np.array([0, 0, 1, 1, 0], dtype=np.int32)[form] * (surnames_count + given_count)
    high, low = np.divmod(email_numbers(people), np.int32(1000))
    end = domain[domain_word >> 8] + low
    parts = [first.take(pa.array(head, mask=~people["has_email"])), second.take(pa.array(tail))]
    return pc.binary_join_element_wise(*parts, thousands.take(pa.array(high)), ends.take(pa.array(end)), "")


def email_numbers(people):
    """Return the number in each e-mail address: each row has its own, with more digits in larger worlds."""
    rows = people["row"] + 100
    low = 10 ** (len(str(int(rows.min(initial=100)))) - 1)
    if len(rows) and low <= rows.min() and rows.max() < 10 * low:  # nearly all blocks
        return shuffle_decade(rows, low, people["email_shift"])
    out, low = np.empty(len(rows), dtype=np.int32), 100
    while low <= rows.max(initial=0):
        inside = (rows >= low) & (rows < low * 10)
        out[inside] = shuffle_decade(rows[inside], low, people["email_shift"])
        low *= 10
    return out


def shuffle_decade(numbers, low, shift):
    """Return the numbers from `low` to 10 · `low` − 1 in another order, each once.

    An affine shuffle: 7 · 11 · 13 · 1000003 has no divisor in common with 9 · 10^n.
    """
    out = (numbers - low) * (1_001 * 1_000_003 % (9 * low))
    out += shift % (9 * low)
    out %= 9 * low
    out += low
    return out.astype(np.int32)


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
    people = make_people(draws, np.arange(start, stop), traits=False)
    return pa.table(
        {
            "person_id": id_text(person_ids(draws, people["row"])),
            "name": full_names(people),
            "gender": enum_column(people["sex"], ["F", "M"]),
            "birth_date": date_column(people["birth"]),
            "phone": phones_text(people["phone"]),
            "email": emails(people),
            "address": addresses(people, city=True),
            "joined_on": date_column(first_days(make_start_days(draws, people))),
        }
    )
