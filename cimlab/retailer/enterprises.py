"""Enterprise customers as the retailer has them: records, contact persons, orders, yearly figures, and a register."""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer import dirt
from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.firm_accounts import make_orders, make_years
from cimlab.retailer.firms import (
    INDUSTRIES,
    PARTS,
    PAYMENTS,
    SIZES,
    STRANGERS,
    firm_ids,
    make_basics,
    make_firms,
    spread,
)
from cimlab.retailer.naming import given_texts, surname_table
from cimlab.retailer.world import (
    CATEGORIES,
    CITIES,
    REFERENCE_DAY,
    THINGS,
    date_column,
    enum_column,
    id_text,
    money_column,
    ranges,
    year_month_day,
)

__all__ = ["make_enterprise_tables", "make_firms"]

SOURCES = ("sales", "exhibition")
STATES = ("in business", "listed as abnormal", "revoked", "cancelled")
COPIES = 8  # room for the contact persons of one record in a key


def make_enterprise_tables(block):
    """Return all tables about the firms of a block, and the truth about them.

    Parameters
    ----------
    block : dict
        `world` (with `draws` and `level`) and `firms`: the first row of the block's firms and the one after the last.

    Returns
    -------
    (dict of pyarrow.Table, dict of pyarrow.Table)
        Data: `enterprises`, `enterprise_contacts`, `enterprise_orders`, `enterprise_years`, `business_register`.
        Truth: `enterprises`, `firms`, `contacts`, `ledger`. Columns as in dictionary.yaml.
    """
    draws, level = block["world"]["draws"], block["world"]["level"]
    rows = np.arange(*block["firms"], dtype=np.int64)
    firms = make_firms(draws, rows)
    firms["registered"] = draws.chance(
        read_settings("firms")["register"]["customers_per_1000"], "firm", "registered", rows
    )
    firms["id"] = id_text(firm_ids(draws, rows))
    records = make_records(draws, firms)
    people = make_record_contacts(draws, firms, records)
    enterprises, true_enterprises, changes = enterprise_tables(draws, level, firms, records)
    contacts, true_contacts, more = contact_tables(draws, level, firms, records, people)
    data = {"enterprises": enterprises, "enterprise_contacts": contacts}
    data["enterprise_orders"] = order_table(draws, make_orders(draws, firms), records)
    data["enterprise_years"] = year_table(make_years(draws, firms), records)
    data["business_register"] = register_table(draws, firms)
    truth = {"enterprises": true_enterprises, "firms": firm_table(firms), "contacts": true_contacts}
    return data, truth | {"ledger": pa.concat_tables([changes, more])}


# --- records ---------------------------------------------------------------------------------------------------------


def make_records(draws, firms):
    """Return the records of firms: one each, some in both sources or twice, firm by firm.

    A dict of arrays: `firm`, `copy`, `key`, `id`, `source` (SOURCES), `main` (place of its contact person),
    `updated` (day), `sitting`; `first` and `count` are per firm: where its records begin, and how many.
    """
    rule, rows = read_settings("firms")["records"], firms["row"]
    more = draws.words("firm", "records", rows)
    second = spread(more[0], 1000) < rule["second_per_1000"]
    count = 1 + second + (second & (spread(more[1], 1000) < rule["third_per_1000"]))
    firm, copy = np.repeat(np.arange(len(rows)), count), ranges(count)
    key = rows[firm] * THINGS + copy
    bits = draws.words("firm record", "facts", key)
    persons = (firms["first_contact"][1:] - firms["first_contact"][:-1])[firm]
    other = (copy > 0) & (persons > 1) & (spread(bits[0], 1000) >= rule["same_contact_per_1000"])
    source, updated = (spread(more[2], 2)[firm] + copy) % 2, REFERENCE_DAY - spread(bits[2], rule["updated_days"])
    # who typed it in which year: their records share an error level
    clerk = (source * len(CITIES) + firms["city"][firm]) * rule["salesmen"] + spread(bits[3], rule["salesmen"])
    return {
        "firm": firm,
        "copy": copy,
        "key": key,
        "id": id_text(draws.ids("E", key)),
        "source": source,
        "sitting": clerk * 10_000 + year_month_day(updated)[0],
        "main": np.where(other, 1 + spread(bits[1], np.maximum(persons - 1, 1)), 0),
        "updated": updated.astype(np.int32),
        "first": np.cumsum(count) - count,
        "count": count,
    }


def make_record_contacts(draws, firms, records):
    """Return who of a firm is noted with each record: the main contact person always, the others by chance.

    A dict of arrays: `record`, `person` (place in firms["contacts"]), `key`.
    """
    first = firms["first_contact"]
    persons = (first[1:] - first[:-1])[records["firm"]]
    record, place = np.repeat(np.arange(len(persons)), persons), ranges(persons)
    key = firms["row"][records["firm"]][record] * THINGS + records["copy"][record] * COPIES + place
    noted = read_settings("firms")["contact_persons"]["noted"]
    share = np.array([noted[source] for source in SOURCES])[records["source"]][record]
    kept = (place == records["main"][record]) | draws.chance(share, "firm contact", "noted", key)
    person = first[records["firm"][record]] + place
    return {"record": record[kept], "person": person[kept], "key": key[kept]}


def enterprise_tables(draws, level, firms, records):
    """Return (the records as typed, their clean values, the ledger)."""
    firm, contacts = records["firm"], firms["contacts"]
    main = firms["first_contact"][firm] + records["main"]
    clean = {key: firms[key].take(pa.array(firm)) for key in ("name", "credit_code")}
    clean["industry"] = texts_of(INDUSTRIES, firms["industry"][firm])
    clean["contact_name"] = contacts["name"].take(pa.array(main))
    clean["contact_phone"] = pa.array(contacts["phone"][main]).cast(pa.string())
    clean["city"] = texts_of(CITIES, firms["city"][firm])
    facts = person_facts(contacts, main) | {"sitting": records["sitting"]}
    typed, changes = dirt.type_cells(draws, level, "firm", records["key"], clean, {}, facts)
    source, updated = enum_column(records["source"], SOURCES), date_column(records["updated"])
    table = pa.table({"enterprise_id": records["id"]} | typed | {"source": source, "updated_on": updated})
    truth = {"enterprise_id": records["id"], "firm_id": firms["id"].take(pa.array(firm))}
    return table, pa.table(truth | clean), dirt.ledger_table(changes, records["id"])


def contact_tables(draws, level, firms, records, people):
    """Return (the contact persons as typed, their clean values, the ledger)."""
    contacts, person, record = firms["contacts"], people["person"], people["record"]
    clean = {key: contacts[key].take(pa.array(person)) for key in ("name", "position")}
    clean["phone"] = pa.array(contacts["phone"][person]).cast(pa.string())
    clean["email"] = contacts["email"].take(pa.array(person))
    facts = person_facts(contacts, person) | {"sitting": records["sitting"][record]}
    typed, changes = dirt.type_cells(draws, level, "contact", people["key"], clean, {}, facts)
    ids = id_text(draws.ids("K", people["key"]))
    table = {"contact_id": ids, "enterprise_id": records["id"].take(pa.array(record))}
    table |= {"name": typed["name"], "position": typed["position"]}
    table |= {"role": enum_column(contacts["part"][person], PARTS), "phone": typed["phone"], "email": typed["email"]}
    table["manner"] = make_notes(draws, people["key"], records["source"][record])
    truth = {"record_id": ids, "firm_id": firms["id"].take(pa.array(contacts["firm"][person]))}
    truth |= {key: clean[key] for key in ("name", "phone", "email")}
    return pa.table(table), pa.table(truth), dirt.ledger_table(changes, ids)


def person_facts(contacts, rows):
    """Return what `dirt.type_cells` wants to know of contact persons; texts are looked up only where needed."""
    return {
        "sex": contacts["sex"][rows],
        "title": lambda at: contacts["title"].take(pa.array(rows[at])),
        "surname": lambda at: surname_table()[0].take(pa.array(contacts["surname"][rows[at]])),
        "surname_pinyin": lambda at: surname_table()[1].take(pa.array(contacts["surname"][rows[at]])),
        "given_syllables": lambda at: given_texts()[1].take(pa.array(contacts["given"][rows[at]])),
    }


def texts_of(names, numbers):
    """Return the names behind small numbers as an Arrow text column."""
    return pa.array(names, pa.string()).take(pa.array(numbers))


# --- what salesmen note ----------------------------------------------------------------------------------------------


@cache
def note_tables():
    """Return (texts, where they begin, how many, tails, where they begin): notes by language and shape, and their ends.

    The first tail of a language is a full stop, the others add what is nobody's business.
    """
    settings, texts, counts, tails, tail_starts = read_settings("firms")["notes"], [], [], [], []
    for language in ("zh", "en"):
        words = settings[language]
        for shape in settings["shapes"]:
            notes = [""]
            for part in shape.split():
                notes = [f"{note}{words['joint'] if note else ''}{word}" for note in notes for word in words[part]]
            counts.append(len(notes))
            texts += [note[0].upper() + note[1:] for note in notes]
        tail_starts.append(len(tails))
        tails += [words["end"]] + [f"{words['joint']}{word}{words['end']}" for word in words["sensitive"]]
    counts = np.array(counts)
    return pa.array(texts), np.cumsum(counts) - counts, counts, pa.array(tails), np.array([*tail_starts, len(tails)])


def make_notes(draws, keys, source):
    """Return looks, manner and likings of contact persons as a salesman noted them; null where nothing was noted."""
    settings, (texts, starts, counts, tails, tail_starts) = read_settings("firms")["notes"], note_tables()
    shapes, bits = len(settings["shapes"]), draws.words("firm contact", "note", keys)
    what = draws.words("firm contact", "note text", keys)
    noted = np.array([settings["noted"][name] for name in SOURCES])[source]
    english = spread(bits[1], 1000) < settings["english_per_1000"]
    kind = english * shapes + spread(bits[2], shapes)
    note = starts[kind] + spread(what[0], counts[kind])
    sensitive = spread(bits[3], 1000) < settings["sensitive_per_1000"]
    first, after = tail_starts[english.astype(int)], tail_starts[english + 1]
    tail = first + np.where(sensitive, 1 + spread(what[1], after - first - 1), 0)
    head = texts.take(pa.array(note, mask=spread(bits[0], 1000) >= noted))
    return pc.binary_join_element_wise(head, tails.take(pa.array(tail)), "")


# --- orders and yearly figures ---------------------------------------------------------------------------------------


def order_table(draws, orders, records):
    """Return the orders; those of a firm with several records are spread over them, most on the first one."""
    rule, firm = read_settings("firms")["orders"], orders["firm"]
    bits, count = draws.words("firm order", "record", orders["key"]), records["count"][firm]
    other = (count > 1) & (spread(bits[0], 1000) >= rule["first_record_per_1000"])
    record = records["first"][firm] + np.where(other, 1 + spread(bits[1], np.maximum(count - 1, 1)), 0)
    columns = {
        "b2b_order_id": id_text(draws.ids("B", orders["key"])),
        "enterprise_id": records["id"].take(pa.array(record)),
        "ordered_on": date_column(orders["ordered"]),
        "category": enum_column(orders["category"], CATEGORIES),
        "amount": money_column(orders["amount"]),
        "terms_days": pa.array(orders["terms"]),
        "due_on": date_column(orders["due"]),
        "paid_on": date_column(orders["paid_on"]),
        "paid": money_column(orders["paid"]),
    }
    return pa.table(columns)


def year_table(years, records):
    """Return the yearly figures, on the first record of each firm; money in 10,000 CNY with two decimals."""
    columns = {"enterprise_id": records["id"].take(pa.array(records["first"][years["firm"]]))}
    columns |= {key: pa.array(years[key]) for key in ("year", "employees")}
    names = ("revenue", "profit", "assets", "current_assets", "inventory", "receivables")
    names += ("liabilities", "current_liabilities", "equity")
    return pa.table(columns | {name: money_column(years[name]) for name in names})


# --- register and truth ----------------------------------------------------------------------------------------------


@cache
def address_tables():
    """Return (columns of districts, streets, numbers, houses, rooms; first district of each city; how many; picks)."""
    places, register = read_settings("places"), read_settings("firms")["register"]
    districts = [
        [entry if isinstance(entry, str) else entry[0] for entry in city["districts"]]
        for city in places["cities"].values()
    ]
    counts = np.array([len(names) for names in districts])
    names = [city + name for city, part in zip(CITIES, districts, strict=True) for name in part]

    def words(name):
        firsts, seconds = (source[f"{name}_{part}"].split() for part in ("first", "second"))
        return [a + b for a in firsts for b in seconds]

    source = places
    streets = [street + kind for kind, _ in places["street_kind"] for street in words("street")]
    source = register
    buildings = [house + kind for kind, _ in register["building_kind"] for house in words("building")]
    rooms = [
        f"{floor}层{floor}{door:02d}室"
        for floor in range(1, register["floors"] + 1)
        for door in range(1, register["doors"] + 1)
    ]
    numbers = [f"{number}号" for number in range(1, register["house_numbers"] + 1)]
    columns = [pa.array(texts) for texts in (names, streets, numbers, buildings, rooms)]
    picks = [pick16([w for _, w in kinds], 16) for kinds in (places["street_kind"], register["building_kind"])]
    return columns, np.cumsum(counts) - counts, counts, picks


def make_addresses(draws, firms):
    """Return registered addresses: city, district, invented street, number, invented office building, room."""
    columns, starts, counts, (pick_street, pick_building) = address_tables()
    kinds, words = (draws.words("firm", f"address {part}", firms["row"]) for part in ("kinds", "words"))
    city, (_, streets, numbers, buildings, rooms) = firms["city"], columns
    per_kind = [len(streets) // (pick_street.max() + 1), len(buildings) // (pick_building.max() + 1)]
    places = [
        starts[city] + spread(kinds[0], counts[city]),
        pick_street[kinds[1]] * per_kind[0] + spread(words[0], per_kind[0]),
        spread(words[1], len(numbers)),
        pick_building[kinds[2]] * per_kind[1] + spread(words[2], per_kind[1]),
        spread(words[3], len(rooms)),
    ]
    return pc.binary_join_element_wise(*(c.take(pa.array(p)) for c, p in zip(columns, places, strict=True)), "")


def register_table(draws, firms):
    """Return the extract of the register: the customer firms that are in it, then firms that are no customers."""
    rows = firms["row"] + STRANGERS
    rows = rows[draws.chance(read_settings("firms")["register"]["others_per_1000"], "firm", "registered", rows)]
    customers, names = firms["registered"], ("row", "city", "industry", "capital", "founded", "standing")
    texts = ("name", "credit_code", "legal_representative")
    parts = []
    for listed, mask in ((firms, customers), (make_basics(draws, rows), np.ones(len(rows), dtype=bool))):
        listed = {key: listed[key][mask] for key in names} | {key: listed[key].filter(pa.array(mask)) for key in texts}
        parts.append(register_rows(draws, listed))
    return pa.concat_tables(parts).unify_dictionaries()


def register_rows(draws, firms):
    """Return the rows of the register for firms."""
    industries = read_settings("firms")["industries"]
    return pa.table(
        {
            "credit_code": firms["credit_code"],
            "name": firms["name"],
            "legal_representative": firms["legal_representative"],
            "registered_capital": pa.array(firms["capital"].astype(np.float64)),
            "founded_on": date_column(firms["founded"]),
            "industry": texts_of([industries[name]["register"] for name in INDUSTRIES], firms["industry"]),
            "city": texts_of(CITIES, firms["city"]),
            "address": make_addresses(draws, firms),
            "status": enum_column(draw_states(draws, firms), STATES),
        }
    )


def draw_states(draws, firms):
    """Return the state of firms in the register (index into STATES): the weaker the standing, the more often bad."""
    rules, luck = read_settings("firms")["register"]["status"], draws.below(1000, "firm", "state", firms["row"])
    weak, state = np.maximum(50 - firms["standing"], 0), np.zeros(len(luck), dtype=np.int64)
    edge = np.zeros(len(luck), dtype=np.int64)
    for number, name in enumerate(STATES[1:], start=1):
        base, per_point = rules[name]
        inside = (luck >= edge) & (luck < edge + base + per_point * weak)
        state, edge = np.where(inside, number, state), edge + base + per_point * weak
    return state


def firm_table(firms):
    """Return the truth about firms that are customers."""
    return pa.table(
        {
            "firm_id": firms["id"],
            "size": enum_column(firms["size"], SIZES),
            "employees": pa.array(firms["employees"]),
            "orders_per_year": pa.array(firms["rate"] / 1000.0),
            "payment": enum_column(firms["payment"], PAYMENTS),
            "credit_score": pa.array(firms["standing"]),
            "legal_representative": firms["legal_representative"],
            "registered": pa.array(firms["registered"]),
        }
    )
