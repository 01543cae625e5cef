"""Persons as the channels note them: members, web accounts and callers as typed, and who they truly are.

Cards and accounts say when they were made and last touched; a person's number and home say since when they hold. A row
that was last touched before a change shows the former value, and so do some that were confirmed without asking again.
What was typed of that is in `dirt`.
"""

import numpy as np
import pyarrow as pa

from cimlab.retailer import people as persons
from cimlab.retailer.dirt import channel_rules, kept_rate, ledger_table, type_cells
from cimlab.retailer.draws import read_settings
from cimlab.retailer.households import GROUP
from cimlab.retailer.texts import put
from cimlab.retailer.world import (
    MINUTES,
    NO_DAY,
    TIERS,
    date_column,
    enum_column,
    id_text,
    iso_dates,
    year_month_day,
)

# Which columns of each table are typed, and which value of the person each of them shows.
MEMBER = {key: key for key in ("name", "gender", "birth_date", "phone", "email", "id_number", "city", "address")}
ACCOUNT = {"full_name": "name"} | {key: key for key in MEMBER if key not in ("name", "id_number")}
CALLER = {"caller_name": "name", "phone": "phone", "city": "city"}
# What becomes old on which day.
CHANGES = {"phone": "phone_changed_on", "city": "moved_on", "address": "moved_on"}


def make_record_tables(block, tiers):
    """Return the cards and accounts of a block as typed, and the truth about them.

    Parameters
    ----------
    block : dict
        `world` (with `draws` and `level`), `people` and `records`, see `block.make_block`.
    tiers : array of int, shape (records,) or (till records,)
        Grade of each card: 0 basic, 1 silver, 2 gold.

    Returns
    -------
    data : dict of str to pyarrow.Table
        `members` and `web_accounts`.
    truth : dict of str to pyarrow.Table
        `entity_map` and `ledger`.
    """
    records = block["records"]
    of_till, tiers = records["channel"] == 0, np.asarray(tiers)
    till = {key: values[of_till] for key, values in records.items() if np.ndim(values)}
    web = {key: values[~of_till] for key, values in records.items() if np.ndim(values)}
    tiers = tiers if len(tiers) == len(till["person"]) else tiers[of_till]
    stores = [f"ST{number:02d}" for number in range(1, len(read_settings("catalogue")["stores"]) + 1)]
    made = {}
    typed, cards = type_records(block, "till", till, MEMBER, till_facts(block, till, tiers), made)
    members = {"member_id": id_text(till["id"])} | typed | {"store_id": enum_column(till["store"], stores)}
    members |= {"tier": enum_column(tiers, TIERS)}
    members |= {"joined_on": date_column(till["made_on"]), "updated_on": date_column(till["updated_on"])}
    typed, accounts = type_records(block, "web", web, ACCOUNT, {}, made)
    members = pa.table(members)
    web_accounts = {"account_id": id_text(web["id"])} | typed
    web_accounts |= {"registered_on": date_column(web["made_on"]), "updated_on": date_column(web["updated_on"])}
    truth = {"ledger": pa.concat_tables([cards, accounts]), "entity_map": map_entities(block, records)}
    return {"members": members, "web_accounts": pa.table(web_accounts)}, truth


def make_call_columns(block, calls):
    """Return what the operators typed of each caller, and the truth about it.

    Parameters
    ----------
    block : dict
        `world` and `people`.
    calls : dict of arrays
        `person` (position in the block), `key`, `id`, `at` (minutes since 1970) and `operator` of each call.

    Returns
    -------
    columns : dict of str to pyarrow.StringArray
        `caller_name`, `phone`, `city`; null where the operator left it blank.
    truth : dict of str to pyarrow.Table
        `entity_map` and `ledger`.
    """
    day = (np.asarray(calls["at"]) // MINUTES).astype(np.int32)
    year, month, _ = year_month_day(day)
    evening = read_settings("dirt")["groups"]["evening_from_hour"] * 60
    facts = {"evening": np.asarray(calls["at"]) % MINUTES >= evening}
    facts["sitting"] = (np.asarray(calls["operator"], dtype=np.int64) << 16) + year * 12 + month
    calls = {key: calls[key] for key in ("person", "key", "id")} | {"made_on": day, "updated_on": day}
    typed, ledger = type_records(block, "call", calls, CALLER, facts, {})
    return typed, {"ledger": ledger, "entity_map": map_entities(block, calls)}


def type_records(block, channel, records, columns, facts, made):
    """Return (typed columns, the table of the ledger) of the records of one channel; `made` keeps texts of persons."""
    world, people, person = block["world"], block["people"], records["person"]
    clean = clean_columns(people, person, columns, made)
    told = told_columns(world, channel, people, records, clean)
    facts = person_facts(world["draws"], people, records) | facts
    typed, ledger = type_cells(world["draws"], world["level"], channel, records["key"], clean, told, facts)
    return typed, ledger_table(ledger, id_text(records["id"]))


def map_entities(block, records):
    """Return the person and the household of each record."""
    draws, people = block["world"]["draws"], block["people"]
    ids = persons.person_ids(draws, people["row"])
    houses = persons.household_ids(draws, people["household"])
    person = records["person"]
    return pa.table(
        {
            "record_id": id_text(records["id"]),
            "person_id": id_text(ids[person]),
            "household_id": id_text(houses[person]),
        }
    )


# --- true and former values ----------------------------------------------------------------------------------------


def clean_columns(people, person, columns, made):
    """Return the true value of each typed column for records of these persons (positions)."""
    makers = {
        "name": persons.full_names,
        "gender": lambda people: pa.array(["F", "M"]).take(pa.array(people["sex"])),
        "birth_date": lambda people: iso_dates(people["birth"]),
        "phone": lambda people: persons.phones_text(people["phone"]),
        "email": persons.emails,
        "id_number": persons.id_numbers,
        "city": lambda people: persons.city_names(people["city"]),
        "address": persons.addresses,
    }
    for value in columns.values():
        if value not in made:
            made[value] = makers[value](people)
    return {column: made[value].take(pa.array(person)) for column, value in columns.items()}


def told_columns(world, channel, people, records, clean):
    """Return the columns that can be old, as the person would have told them when the row was last touched."""
    makers = {
        "phone": lambda people: persons.phones_text(people["former_phone"]),
        "city": lambda people: persons.city_names(people["former_city"]),
        "address": persons.former_addresses,
    }
    told = {}
    for column in CHANGES:
        if column in clean:
            rows = np.flatnonzero(is_old(world, channel, people, records, column))
            former = makers[column](people).take(pa.array(records["person"][rows]))
            told[column] = put(clean[column], [(rows, former)])
    return told


def is_old(world, channel, people, records, column):
    """Return True for the records that still show the former value of a column."""
    # a home is asked for as a whole: the rate of the city holds for the address as well
    asked = "city" if column == "address" else column
    changed_on = people[CHANGES[column]][records["person"]]
    kept = kept_rate(world["level"], channel, asked)
    kept = world["draws"].chance(kept, f"dirt {channel}", f"kept {asked}", records["key"])
    before = (changed_on != NO_DAY) & (records["made_on"] < changed_on)
    return before & ((records["updated_on"] < changed_on) | kept)


# --- facts on which the dirt depends -------------------------------------------------------------------------------


def person_facts(draws, people, records):
    """Return what the dirt asks about the person of each record; what few records need is a function of positions."""
    person, age, groups = records["person"], people["age"], read_settings("dirt")["groups"]
    month = year_month_day(records["made_on"])[1]

    def part(rows, *keys):
        return {key: people[key][person[rows]] for key in keys}

    return {
        "sex": people["sex"][person],
        "woman": people["sex"][person] == 0,
        "old": age[person] >= groups["old_from"],
        "young": age[person] < groups["young_below"],
        "busy": np.isin(month, groups["busy_months"]),
        "birth_year": lambda rows: year_month_day(people["birth"][person[rows]])[0],
        "surname": lambda rows: persons.surnames(part(rows, "surname")),
        "surname_pinyin": lambda rows: persons.pinyin(part(rows, "surname", "given"))[0],
        "given_syllables": lambda rows: persons.pinyin(part(rows, "surname", "given"))[1],
        "relative": lambda rows: relatives_phones(draws, people, person[rows], records["key"][rows]),
    }


def till_facts(block, cards, tiers):
    """Return what the dirt of the tills depends on besides: the grade of the card, and the sitting.

    A sitting is one cashier of one shop in one quarter of a year.
    """
    cashiers = channel_rules("till")["cashiers_per_store"]
    cashier = block["world"]["draws"].below(cashiers, "dirt", "cashier", cards["key"])
    year, month, _ = year_month_day(cards["updated_on"])
    desk = cards["store"].astype(np.int64) * cashiers + cashier
    return {"gold": tiers == TIERS.index("gold"), "sitting": (desk << 16) + year * 4 + (month - 1) // 3}


def relatives_phones(draws, people, person, keys):
    """Return the number of another member of the household, null where there is none with another number.

    Parameters
    ----------
    draws : Draws
    people : dict of arrays
        Members of a household stand side by side.
    person : array of int64
        Positions of the persons whose relatives are asked for.
    keys : array of int64
        Keys of the records, for the choice among several.
    """
    household, phone = whole_households(draws, people)
    first = np.searchsorted(household, household[person], side="left")
    size = np.searchsorted(household, household[person], side="right") - first
    step = 1 + draws.below(np.maximum(size - 1, 1), "dirt", "relative", keys)
    found = np.full(len(person), -1, dtype=np.int64)
    for turn in range(int(size.max(initial=1)) - 1):
        # from a random other member on, each of the others once
        ahead = 1 + (step - 1 + turn) % np.maximum(size - 1, 1)
        other = phone[first + (person - first + ahead) % size]
        fits = (found < 0) & (other != phone[person])
        found = np.where(fits, other, found)
    return persons.phones_text(found)


def whole_households(draws, people):
    """Return (household, phone) of persons, and of those of the last household who come after the last person."""
    household, phone, last = people["household"], people["phone"], int(people["row"][-1]) if len(people["row"]) else -1
    rows = np.arange(last + 1, (last // GROUP + 1) * GROUP)
    if not len(rows):
        return household, phone
    others = persons.make_people(draws, rows, traits=False)
    same = others["household"] == household[-1]
    return np.concatenate([household, others["household"][same]]), np.concatenate([phone, others["phone"][same]])
