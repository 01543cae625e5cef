"""Data from outside: visitors of two exhibitions as the stand noted them, and a list of addresses bought from a dealer.

Both hold people of the world and strangers. A stranger is a person (or firm) computed from a row far outside the world,
so that no customer can be taken for one. The numbers and words are in `external.yaml`; what happens to typed columns is
in `dirt.yaml`.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer import firms as companies
from cimlab.retailer import people as persons
from cimlab.retailer.baskets import common_table
from cimlab.retailer.dirt import ledger_table, type_cells
from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.fair_notes import make_notes, write_interests
from cimlab.retailer.records import map_entities, type_records
from cimlab.retailer.world import (
    CATEGORIES,
    CITIES,
    REFERENCE_DAY,
    THINGS,
    date_column,
    day_of,
    enum_column,
    id_text,
    year_month_day,
)

# Rows and numbers of strangers: outside the rows of any world (below 2^26), and numbers that are kept free for them.
STRANGERS, FIRST_NUMBER, NUMBERS = 1 << 30, 12_000_000, 3_000_000
PRIVATE, BOUGHT, FIRM = 0, 2, 3  # kinds of strangers of one row: private visitors of two fairs, the list, firms
# Things of a row in the keys of cards: persons of the world 0, 1, strangers 2, 3, firms 8 to 23, other firms 24, 25.
STRANGER_CARDS, FIRM_CARDS, OTHER_CARDS, PERSONS = 2, 8, 24, 8
TYPED = ("name", "firm", "position", "phone", "email")
LISTED = {"name": "name", "gender": "gender", "phone": "phone", "city": "city", "address": "address"}


# --- strangers ------------------------------------------------------------------------------------------------------


def make_strangers(draws, rows, kind):
    """Return people who are no customers, as `people.make_people` does; one for each row of the world.

    Parameters
    ----------
    draws : Draws
    rows : array of int64
        Rows of the world, in rising order.
    kind : int
        PRIVATE (or the next, for the second fair) or BOUGHT: which strangers of the row.

    Returns
    -------
    dict of arrays
    """
    places = rows * 4 + kind
    # Each one in a household of its own, in any part of it.
    people = persons.make_people(draws, STRANGERS + places * 8 + draws.below(8, "stranger", "place", places))
    people["phone"] = strangers_numbers(draws, places)
    return people


def strangers_numbers(draws, places):
    """Return mobile numbers that nobody in the world has."""
    return persons.phone_numbers(draws, FIRST_NUMBER + places % NUMBERS)


# --- exhibitions ----------------------------------------------------------------------------------------------------


def make_exhibition_rows(block):
    """Return the visitors of the two exhibitions, and the truth about them.

    Parameters
    ----------
    block : dict
        From `make_block`: `world`, `people` and `firms` are used.

    Returns
    -------
    data : dict of str to pyarrow.Table
        `exhibition`.
    truth : dict of str to pyarrow.Table
        `entity_map` (no person for strangers and for those who came for a firm), `contacts` (these) and `ledger`.
    """
    draws, level = block["world"]["draws"], block["world"]["level"]
    parts = []
    for number, fair in enumerate(read_settings("external")["exhibition"]["fairs"]):
        parts += [known_visitors(block, number, fair), strange_visitors(block, number, fair)]
        parts += [firm_visitors(block, number, fair, other) for other in (False, True)]
    visitors = {name: join_parts([part[name] for part in parts]) for name in parts[0]}
    visitors |= note_facts(draws, visitors)
    ids = id_text(draws.ids("X", visitors["key"]))
    clean, told = {column: visitors[column] for column in TYPED}, {"phone": visitors["told_phone"]}
    typed, ledger = type_cells(
        draws, level, "exhibition", visitors["key"], clean, told, {"sitting": visitors["sitting"]}
    )
    fairs = [fair["name"] for fair in read_settings("external")["exhibition"]["fairs"]]
    table = {"card_no": ids, "fair": enum_column(visitors["fair"], fairs), "visited_on": date_column(visitors["day"])}
    table |= {column: typed[column] for column in TYPED}
    table |= {"interest": write_interests(draws, visitors), "manner": make_notes(draws, visitors)}
    truth = {"entity_map": map_visitors(block, visitors, ids), "contacts": map_contacts(visitors, ids)}
    return {"exhibition": pa.table(table)}, truth | {"ledger": ledger_table(ledger, ids)}


def join_parts(parts):
    """Return arrays or Arrow columns one behind the other."""
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else pa.concat_arrays(parts)


def note_facts(draws, visitors):
    """Return the day, who of the stand wrote the card (`sitting`), and whether in English."""
    fairs = read_settings("external")["exhibition"]["fairs"]
    fair, key = visitors["fair"], visitors["key"]
    words = draws.words("fair visitor", "card", key).astype(np.int64)
    helpers, english = (np.array([place[name] for place in fairs])[fair] for name in ("helpers", "english_helpers"))
    helper = words[1] * helpers >> 16
    return {"sitting": fair * 64 + helper, "english": helper >= helpers - english}


def visit_days(draws, fair, key):
    """Return the day of the visit: within the days of the fair."""
    return day_of(fair["first_day"]) + pick16(fair["day_weights"], 16)[draws.words("fair visitor", "day", key)[0]]


def come(draws, kind, number, key, city):
    """Return which of those come to a fair: more of those who live in its city, and some who came to the one before.

    Parameters
    ----------
    draws : Draws
    kind : str
        persons, strangers, firms or other_firms.
    number : int
        Which fair.
    key : array of int64
        Keys of persons or firms.
    city : array of int
        Where they are at home.
    """
    settings = read_settings("external")["exhibition"]
    near = np.asarray(city) == CITIES.index(settings["fairs"][number]["city"])
    chance = np.where(near, settings[kind]["near"], settings[kind]["far"])
    comes = draws.chance(chance, "fair", kind, key, number)
    if number:
        again = draws.chance(settings["again"], "fair", f"{kind} again", key, number)
        comes |= again & come(draws, kind, number - 1, key, city)
    return comes


def known_visitors(block, number, fair):
    """Return the private visitors of a fair who are persons of the block."""
    draws, people = block["world"]["draws"], block["people"]
    person = np.flatnonzero(come(draws, "persons", number, people["row"], people["city"]))
    rows = people["row"][person]
    visitors = private_visitors(draws, persons.make_people(draws, rows), rows * THINGS + number, number, fair)
    return visitors | {"person": person}


def strange_visitors(block, number, fair):
    """Return the private visitors of a fair whom nobody knows: so many for each person of the world."""
    draws, rows = block["world"]["draws"], block["people"]["row"]
    rates = read_settings("external")["exhibition"]["strangers"]
    rows = rows[draws.chance(rates["near"], "fair", "strangers", rows, number)]
    # Where strangers live is known only once they are made.
    home = make_strangers(draws, rows, PRIVATE + number)["city"]
    elsewhere = home != CITIES.index(fair["city"])
    rows = rows[
        ~elsewhere | draws.chance(rates["far"] * 1000 // rates["near"], "fair", "stranger from afar", rows, number)
    ]
    # With the row goes the number in an e-mail address: as long as those of customers. In the world it stands right
    # behind the name; so no stranger has the address of a customer.
    people = make_strangers(draws, rows, PRIVATE + number) | {"row": rows}
    visitors = private_visitors(draws, people, rows * THINGS + STRANGER_CARDS + number, number, fair)
    email = pc.replace_substring_regex(visitors["email"], r"(\d+)@", rf"{'_-'[number]}\1@")
    return visitors | {"person": np.full(len(rows), -1), "email": email, "told_phone": visitors["phone"]}


def private_visitors(draws, people, key, number, fair):
    """Return private visitors, their number as of that day."""
    settings, day = read_settings("external")["exhibition"], visit_days(draws, fair, key)
    nothing = pa.nulls(len(key), pa.string())
    old = people["phone_changed_on"] > day
    words = [draws.words("fair visitor", "interest", key, draw).astype(np.int64) for draw in range(3)]
    favourite = [np.take_along_axis(people["favourites"], (w[1] * 3 >> 16)[:, None], axis=1)[:, 0] for w in words]
    likes = [w[0] * 1000 >> 16 < settings["from_favourites"] for w in words]
    interests = [np.where(a, f, common_table()[w[2] >> 4]) for a, f, w in zip(likes, favourite, words, strict=True)]
    return {
        "key": key,
        "fair": np.full(len(key), number),
        "day": day,
        "sex": people["sex"].astype(np.int64),
        "age": people["age"],
        "interests": keep_interests(words, interests),
        "name": persons.full_names(people),
        "firm": nothing,
        "firm_id": nothing,
        "position": nothing,
        "phone": persons.phones_text(people["phone"]),
        "told_phone": persons.phones_text(np.where(old, people["former_phone"], people["phone"])),
        "email": persons.emails(people),
    }


def firm_visitors(block, number, fair, other):
    """Return the visitors of a fair who come for a firm: a customer, or (`other`) one of the register that is none."""
    draws, settings = block["world"]["draws"], read_settings("external")["exhibition"]
    rows = np.arange(*block["firms"], dtype=np.int64)
    key = rows * THINGS + (OTHER_CARDS + number if other else FIRM_CARDS + number * PERSONS)
    # The city of a firm costs little; the contact persons are made for those that come.
    city = companies.draw_kinds(draws, rows + companies.STRANGERS * other)["city"]
    chosen = come(draws, "other_firms" if other else "firms", number, rows, city)
    rows, key = rows[chosen], key[chosen]
    firms = companies.make_firms(draws, rows + companies.STRANGERS * other)
    contacts = firms["contacts"]
    second = draws.chance(0 if other else settings["colleague"], "fair", "colleague", key)
    at = np.flatnonzero(contacts["place"] <= second[contacts["firm"]])
    firm, place = contacts["firm"][at], pa.array(contacts["firm"][at])
    phone, email = contacts["phone"][at], contacts["email"].take(pa.array(at))
    if other:  # neither number nor address of a customer: those of customers have a number of their firm
        phone = strangers_numbers(draws, rows[firm] * 4 + FIRM)
        email = pc.replace_substring_regex(email, r"\d+@", "@")
    key = key[firm] + contacts["place"][at]
    words = [draws.words("fair visitor", "interest", key, draw).astype(np.int64) for draw in range(3)]
    interests = [buying_table()[firms["industry"][firm], w[2]] for w in words]
    phone = persons.phones_text(phone)
    return {
        "key": key,
        "fair": np.full(len(key), number),
        "day": visit_days(draws, fair, key - contacts["place"][at]),  # colleagues come together
        "sex": contacts["sex"][at],
        "age": np.full(len(key), -1),
        "interests": keep_interests(words, interests),
        "name": contacts["name"].take(pa.array(at)),
        "firm": firms["name"].take(place),
        "firm_id": firm_ids(draws, rows, other).take(place),
        "position": contacts["position"].take(pa.array(at)),
        "phone": phone,
        "told_phone": phone,
        "email": email,
        "person": np.full(len(key), -1),
    }


def firm_ids(draws, rows, other):
    """Return the identifiers of firms; other firms have the odd numbers between those of customers."""
    return id_text(draws.ids("F", rows * THINGS + 1) if other else companies.firm_ids(draws, rows))


@cache
def buying_table():
    """Return for each industry the group of goods for a number of 16 bits."""
    industries = read_settings("firms")["industries"]
    return np.stack(
        [pick16([industries[name]["buys"].get(c, 0) for c in CATEGORIES], 16) for name in companies.INDUSTRIES]
    )


def keep_interests(words, interests):
    """Return one to three groups of goods of each visitor, as an array (visitors, 3) with −1 where there is none."""
    second, third = read_settings("external")["exhibition"]["more_interests"]
    out = np.stack(interests, axis=1).astype(np.int64)
    more = words[0][3] * 1000 >> 16 < second
    out[~more | (out[:, 1] == out[:, 0]), 1] = -1
    more &= words[1][3] * 1000 >> 16 < third * 1000 // second
    out[~more | (out[:, 2] == out[:, 0]) | (out[:, 2] == out[:, 1]), 2] = -1
    return out


def map_visitors(block, visitors, ids):
    """Return the person and household of each card; none for strangers and for those who came for a firm."""
    known = np.flatnonzero(visitors["person"] >= 0)
    records = {"person": visitors["person"][known], "id": block["world"]["draws"].ids("X", visitors["key"][known])}
    return pa.concat_tables(
        [map_entities(block, records), map_nobody(ids.take(pa.array(np.flatnonzero(visitors["person"] < 0))))]
    )


def map_nobody(ids):
    """Return rows of the `entity_map` for strangers."""
    nothing = pa.nulls(len(ids), pa.string())
    return pa.table({"record_id": ids, "person_id": nothing, "household_id": nothing})


def map_contacts(visitors, ids):
    """Return the clean values of those who came for a firm."""
    columns = {"record_id": ids} | {name: visitors[name] for name in ("firm_id", "name", "phone", "email")}
    table = pa.table(columns)
    return table.filter(table["firm_id"].is_valid())


# --- the bought list ------------------------------------------------------------------------------------------------


def make_bought_rows(block):
    """Return the bought list, and the truth about it.

    Parameters
    ----------
    block : dict
        From `make_block`: `world` and `people` are used.

    Returns
    -------
    data : dict of str to pyarrow.Table
        `bought_list`: people of the world with the values of the day of collection, and strangers; some of them twice.
    truth : dict of str to pyarrow.Table
        `entity_map` (no person for strangers) and `ledger`.
    """
    settings, people, draws = read_settings("external")["bought"], block["people"], block["world"]["draws"]
    key = people["row"] * THINGS
    share = np.where(people["age"] >= 60, settings["persons"] * settings["old_percent"] // 100, settings["persons"])
    listed = np.flatnonzero(draws.chance(share, "bought list", "person", key))
    known, changes = list_people(block, np.arange(len(people["row"]))[listed], key[listed])
    strange = np.flatnonzero(draws.chance(settings["strangers"], "bought list", "stranger", key))
    outside = block | {"people": make_strangers(draws, people["row"][strange], BOUGHT)}
    others, more = list_people(outside, np.arange(len(strange)), key[strange] + 2)
    entities = [map_entities(block, known.pop("records")), map_nobody(id_text(others.pop("records")["id"]))]
    tables = [pa.table(known), pa.table(others)]
    truth = {"entity_map": pa.concat_tables(entities), "ledger": pa.concat_tables([changes, more])}
    return {"bought_list": pa.concat_tables(tables)}, truth


def list_people(block, person, key):
    """Return (the columns of the list for some persons, with their `records`; the ledger): some stand there twice."""
    draws, people, settings = block["world"]["draws"], block["people"], read_settings("external")["bought"]
    again = draws.chance(settings["twice"], "bought list", "twice", key)
    person, key = np.repeat(person, 1 + again), np.repeat(key, 1 + again)
    key[1:] += key[1:] == key[:-1]
    words = draws.words("bought list", "collected", key).astype(np.int64)
    low, high = settings["collected_days"]
    day = REFERENCE_DAY - low - (np.maximum(words[0], words[1]) * (high - low + 1) >> 16)
    # Nobody under 16 takes part in a prize draw.
    day = np.minimum(np.maximum(day, people["birth"][person] + 16 * 36525 // 100 + 1), REFERENCE_DAY).astype(np.int32)
    records = {"person": person, "key": key, "id": draws.ids("Z", key), "made_on": day, "updated_on": day}
    year, month, _ = year_month_day(day)
    facts = {"sitting": (year * 4 + (month - 1) // 3) * settings["parcels"] + (words[2] * settings["parcels"] >> 16)}
    typed, ledger = type_records(block, "bought", records, LISTED, facts, {})
    ids = id_text(records["id"])
    bands, changes = guess_bands(block, people["birth"][person], day, key, ids)
    columns = {"list_no": ids, "name": typed["name"], "gender": typed["gender"], "age_band": bands}
    columns |= {name: typed[name] for name in ("phone", "city", "address")}
    columns |= {"interests": sell_interests(draws, people["favourites"][person], key), "collected_on": date_column(day)}
    return columns | {"records": records}, pa.concat_tables([ledger, changes])


def guess_bands(block, birth, day, key, ids):
    """Return the age bands of the day of collection as the dealer gives them, and the ledger of the wrong ones."""
    settings, level = read_settings("external")["bought"], block["world"]["level"]
    factors = read_settings("dirt")["levels"][level]
    limits, texts = zip(*settings["age_bands"], strict=True)
    true = np.searchsorted(limits, (day - birth) * 100 // 36525, side="left")
    words = block["world"]["draws"].words("bought list", "age band", key).astype(np.int64)
    off = words[0] * 1000 >> 16 < settings["age_band_off"] * factors["errors"] // 100
    blank = words[1] * 1000 >> 16 < settings["age_band_blank"] * factors["blank"] // 100
    step = np.where((words[2] < 1 << 15) & (true > 0) | (true == len(limits) - 1), -1, 1)
    names, changed = pa.array(texts), np.flatnonzero(off | blank)
    bands = names.take(pa.array(np.where(off, true + step, true), mask=blank))
    operation = pa.array(["blank", "other_band"]).take(pa.array((~blank[changed]).astype(np.int8)))
    columns = {"record_id": ids.take(pa.array(changed)), "field": pa.array(["age_band"]).take(pa.array(changed * 0))}
    columns |= {"operation": operation, "clean_value": names.take(pa.array(true[changed]))}
    columns |= {name: columns[name].dictionary_encode() for name in ("field", "operation")}
    return bands, pa.table(columns)


def sell_interests(draws, favourites, key):
    """Return the interests that the dealer sells of each person: few are true."""
    settings = read_settings("external")["bought"]
    sold, weights = zip(*settings["sold"], strict=True)
    own = np.array([sold.index(settings["names"][c]) for c in CATEGORIES])
    count = np.array([n for n, _ in settings["count"]])[pick16([w for _, w in settings["count"]], 16)]
    count = count[draws.words("bought list", "interests", key)[0]]
    chosen = []
    for place in range(count.max(initial=0)):
        words = draws.words("bought list", "interest", key, place).astype(np.int64)
        true = words[0] * 1000 >> 16 < settings["from_favourites"]
        liked = own[np.take_along_axis(favourites, (words[1] * 3 >> 16)[:, None], axis=1)[:, 0]]
        number = np.where(true, liked, pick16(weights, 16)[words[2]])
        repeated = np.logical_or.reduce([number == other for other in chosen] or [np.zeros(len(key), dtype=bool)])
        chosen.append(np.where(repeated | (place >= count), -1, number))
    columns = [pa.array(sold).take(pa.array(number, mask=number < 0)) for number in chosen]
    return pc.binary_join_element_wise(*columns, "、", null_handling="skip") if columns else pa.array([], pa.string())
