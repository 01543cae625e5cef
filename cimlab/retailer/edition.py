"""The tables of an edition, block by block: from a seed to Arrow tables of the data and of the truth."""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer import people as texts
from cimlab.retailer.block import ALL, make_block, make_future
from cimlab.retailer.campaigns import list_contacts
from cimlab.retailer.catalogue import make_common_tables as list_common
from cimlab.retailer.catalogue import product_ids
from cimlab.retailer.consents import make_consents_table
from cimlab.retailer.contacts import TOPICS, make_tickets_table
from cimlab.retailer.draws import ONE, read_settings
from cimlab.retailer.enterprises import make_enterprise_tables
from cimlab.retailer.events import make_events_table
from cimlab.retailer.external import make_bought_rows, make_exhibition_rows
from cimlab.retailer.notes import make_notes
from cimlab.retailer.records import make_call_columns, make_record_tables
from cimlab.retailer.returns import list_returns, make_returns
from cimlab.retailer.survey import make_survey_tables, survey_propensity
from cimlab.retailer.voices import make_review_tables, review_propensity
from cimlab.retailer.world import (
    CAMPAIGN_KINDS,
    CATEGORIES,
    CHANNELS,
    LIFE_STAGES,
    MINUTES,
    MOST_CUSTOMERS,
    REFERENCE_DAY,
    ROLES,
    SEGMENTS,
    date_column,
    enum_column,
    id_text,
    make_world,
    money_column,
    time_column,
)

_WORLDS = {}


def world_of(seed, level):
    """Return the world of an edition; the last one is kept, since every block asks for it."""
    if (seed, level) not in _WORLDS:
        _WORLDS.clear()
        _WORLDS[seed, level] = make_world(seed, level)
    return _WORLDS[seed, level]


def make_common_tables(seed):
    """Return the tables that do not grow with the customers: stores, products, promotions, campaigns."""
    return list_common(world_of(seed, "normal"))


def make_tables(seed, level, start, stop, *, truth=True, only=None):
    """Return the tables of the persons of some rows.

    Parameters
    ----------
    seed : int
        The seed: the same seed gives the same rows on every machine.
    level : str
        How dirty: clean, light, normal or heavy.
    start, stop : int
        Rows of persons; `start` is a multiple of 8.
    truth : bool
        Whether the truth is made too.
    only : set of str, optional
        The tables of the data to make; all if not given.

    Returns
    -------
    tuple of dict
        The tables of the data and those of the truth: name → pyarrow.Table with the columns of the data dictionary.
    """
    wanted = set(read_settings("dictionary")["tables"]) if only is None else set(only)
    needs = ALL if truth else set().union(*(needs for makes, needs, _ in MAKERS if makes & wanted))
    block = make_block(world_of(seed, level), start, stop, needs)
    data, facts = {}, {}
    for makes, _, maker in MAKERS:
        if truth or makes & wanted:
            made, known = maker(block, wanted)
            data |= made
            for name, table in known.items():
                facts[name] = pa.concat_tables([facts[name], table]) if name in facts else table
    data = {name: table for name, table in data.items() if name in wanted}
    return data, facts if truth else {}


ENTERPRISE_TABLES = {"enterprises", "enterprise_contacts", "enterprise_orders", "enterprise_years", "business_register"}


def list_orders(block, wanted):
    """Return `orders`, and in the truth who made those without a card."""
    orders, people = block["orders"], block["people"]
    reference = np.zeros(len(orders["id"]), dtype=np.uint64)
    named = orders["record"] >= 0
    reference[named] = block["records"]["id"][orders["record"][named]]
    called = orders["call"] >= 0
    reference[called] = block["calls"]["id"][orders["call"][called]]
    anonymous = ~(named | called)
    table = pa.table(
        {
            "order_id": id_text(orders["id"]),
            "channel": enum_column(orders["channel"], CHANNELS),
            "customer_ref": id_text(reference, anonymous),
            "store_id": store_column(orders["store"]),
            "ordered_at": time_column(orders["at"]),
            "amount": money_column(orders["amount"]),
        }
    )
    persons = texts.person_ids(block["world"]["draws"], people["row"])
    buyers = {"order_id": id_text(orders["id"][anonymous]), "person_id": id_text(persons[orders["person"][anonymous]])}
    return {"orders": table}, {"anonymous_orders": pa.table(buyers)}


def store_column(stores):
    """Return the numbers of shops as an Arrow column of their ids; null for −1."""
    names = pa.array([f"ST{number:02d}" for number in range(1, 100)])
    stores = np.asarray(stores, dtype=np.int8)
    return pa.DictionaryArray.from_arrays(pa.array(stores, mask=stores < 0), names)


@cache
def product_texts(count):
    """Return the numbers of articles as an Arrow column."""
    return pa.array(product_ids(count))


def list_lines(block, wanted):
    """Return `order_lines`."""
    lines = block["lines"]
    products = product_texts(len(block["world"]["shelf"]["price"]))
    table = {
        "order_id": id_text(block["orders"]["id"].take(lines["order"])),
        "line_no": lines["line_no"],
        "product_id": pa.DictionaryArray.from_arrays(pa.array(lines["product"].astype(np.int8)), products),
        "quantity": lines["quantity"].astype(np.int64),
        "unit_price": pa.array(lines["price"] / 100.0),
        "discount": pa.array(lines["tenths"] / 10.0),
        "amount": pa.array(lines["amount"] / 100.0),
    }
    return {"order_lines": pa.table(table)}, {}


def list_some_returns(block, wanted):
    """Return `returns`."""
    returns = make_returns(block["world"], block["orders"], block["lines"])
    return {"returns": list_returns(block["world"], block["orders"], block["lines"], returns)}, {}


def list_some_contacts(block, wanted):
    """Return `campaign_contacts`."""
    return {"campaign_contacts": list_contacts(block["people"], block["records"], block["contacts"])}, {}


def list_persons(block, wanted):
    """Return the truth about persons: clean values, and what drives them."""
    people, draws = block["people"], block["world"]["draws"]
    ids, houses = texts.person_ids(draws, people["row"]), texts.household_ids(draws, people["household"])
    surname, given = texts.pinyin(people)
    persons = {
        "person_id": id_text(ids),
        "household_id": id_text(houses),
        "role": enum_column(people["role"], ROLES),
        "name": texts.full_names(people),
        "name_pinyin": pc.binary_join_element_wise(surname, pc.replace_substring(given, " ", ""), " "),
        "gender": enum_column(people["sex"], ["F", "M"]),
        "birth_date": date_column(people["birth"]),
        "phone": texts.phones_text(people["phone"]),
        "email": texts.emails(people),
        "id_number": texts.id_numbers(people),
        "city": texts.city_names(people["city"]),
        "address": texts.addresses(people),
        "former_phone": texts.phones_text(people["former_phone"]),
        "phone_changed_on": date_column(people["phone_changed_on"]),
        "former_city": texts.city_names(people["former_city"]),
        "former_address": texts.former_addresses(people),
        "moved_on": date_column(people["moved_on"]),
        "joined_on": date_column(people["since"]),
        "life_stage": enum_column(people["life_stage"], LIFE_STAGES),
        "income": texts.incomes(draws, people),
    }
    future_orders, future_spend = make_future(block)
    taste = np.array(CATEGORIES)[people["favourites"]]
    traits = {
        "person_id": id_text(ids),
        "segment": enum_column(people["segment"], SEGMENTS),
        "favourites": ["|".join(dict.fromkeys(row)) for row in taste.tolist()],
        "orders_per_year": people["rate"] / 1000.0,
        "basket_factor": hundredths(people["basket"]),
        "dropout": dropout_chances(people["hazard"]),
        "lost_on": date_column(people["lost_on"]),
        "satisfaction": hundredths(people["satisfaction"]),
        "price_sensitivity": people["price_sensitivity"] / 1000.0,
        "campaign_kind": enum_column(people["campaign_kind"], CAMPAIGN_KINDS),
        "survey_propensity": survey_propensity(block["world"], people) / 1000.0,
        "review_propensity": review_propensity(block["world"], people) / 1000.0,
        "future_orders": future_orders,
        "future_spend": money_column(future_spend),
    }
    return {}, {"persons": pa.table(persons), "traits": pa.table(traits)}


def hundredths(numbers):
    """Return numbers in units of 1/ONE as decimals of two places."""
    return ((np.asarray(numbers, dtype=np.int64) * 100 + ONE // 2) >> 16) / 100.0


def dropout_chances(hazards):
    """Return 1 − exp(−hazard) to four places, by the series of (1 − h/64)^64 in whole numbers."""
    left = np.full(len(hazards), 1 << 30, dtype=np.int64)
    step = (1 << 30) - (np.minimum(hazards, 64 * ONE) << 14) // 64
    for _ in range(64):
        left = left * step >> 30
    return (((1 << 30) - left) * 10_000 >> 30) / 10_000.0


def card_tiers(block):
    """Return the tier of each record by what it bought in the twelve months before the reference date."""
    orders, steps = block["orders"], read_settings("parameters")["orders"]["tiers"]
    recent = (orders["at"] > (REFERENCE_DAY - 364) * MINUTES) & (orders["record"] >= 0)
    spent = np.zeros(len(block["records"]["id"]), dtype=np.int64)
    np.add.at(spent, orders["record"][recent], orders["amount"][recent])
    return np.searchsorted(np.array(steps), spent, side="right")


def list_records(block, wanted):
    """Return `members` and `web_accounts` as typed, and in the truth who is who."""
    return make_record_tables(block, card_tiers(block))


def list_calls(block, wanted):
    """Return `calls` as noted, and in the truth who called and what about."""
    calls, world = block["calls"], block["world"]
    columns, truth = make_call_columns(block, calls)
    notes, facts = make_notes(world, block["people"], block["orders"], block["lines"], calls)
    table = {"call_id": id_text(calls["id"])} | columns | {"called_at": time_column(calls["at"])}
    table |= {"topic": enum_column(calls["topic"], TOPICS), "note": notes}
    made = {"calls": pa.table(table), "labelled_calls": label_calls(world["draws"], calls, facts)}
    return made, truth | {"call_facts": facts}


def label_calls(draws, calls, facts):
    """Return `labelled_calls`: what a reader finds in the notes of some calls, drawn at random."""
    share = read_settings("parameters")["labelled_calls_per_1000"]
    chosen = pa.array(draws.chance(share, "labelled", "call", calls["key"]))
    return facts.select(["call_id", "intent", "sentiment", "product_id", "phone"]).filter(chosen)


def list_reviewed(block, wanted):
    """Return `reviewed`: all records of some persons, under numbers that tell nothing else."""
    draws, rows = block["world"]["draws"], block["people"]["row"]
    chosen = draws.chance(read_settings("parameters")["reviewed_per_1000"], "reviewed", "person", rows)
    number = 1 + draws.permute(rows, MOST_CUSTOMERS, "reviewed")
    ids = np.concatenate([block["records"]["id"], block["calls"]["id"]])
    person = np.concatenate([block["records"]["person"], block["calls"]["person"]])
    kept = chosen[person]
    return {"reviewed": pa.table({"record_id": id_text(ids[kept]), "person_no": number[person[kept]]})}, {}


def list_service(block, wanted):
    """Return `tickets` and `consents`."""
    return {"tickets": make_tickets_table(block), "consents": make_consents_table(block)}, {}


def make_planted(seed):
    """Return what was planted in an edition, to hold findings against: pairs of articles, elasticities, effects, rates.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict
        For JSON. `pairs`: first article, second article, chance that a line of the first brings the second.
        `elasticity` by group of goods. `segments`: rate and basket against the mean, sensitivity to prices.
        `campaigns`: what a message does to whom. `leaving`, `returns`, `offers`, `channels`: the settings as they are.
    """
    parameters, catalogue = read_settings("parameters"), read_settings("catalogue")
    settings, segments = parameters["orders"], parameters["traits"]["segments"]
    return {
        "seed": seed,
        "pairs": [[first, second, chance / 1000] for first, second, chance in catalogue["companions"]],
        "elasticity": {name: -tenths / 10.0 for name, tenths in catalogue["elasticity"].items()},
        "segments": {
            name: {k: facts[k] for k in ("rate", "basket", "price_sensitivity")} for name, facts in segments.items()
        },
        "campaigns": {
            "persuaded": parameters["campaigns"]["persuaded_per_1000"] / 1000,
            "put_off": parameters["campaigns"]["put_off_per_1000"] / 1000,
            "kinds": {name: facts["campaign"] for name, facts in segments.items()},
        },
        "leaving_by_satisfaction": settings["leaving_by_satisfaction"] / 100.0,
        "welcomed": settings["welcomed_per_1000"] / 1000,
        "anonymous_by_hour": settings["anonymous_by_hour"],
        "returns_per_1000": parameters["returns"]["per_1000"],
        "prices_rose_on": settings["prices_rose_on"].isoformat(),
    }


# Which tables each part makes, what of a block it needs, and the maker. A part that makes none of the wanted tables is
# left out.
TEXTS, CARDS, ORDERS, CALLS = (
    {"texts", "cards"},
    {"cards"},
    {"cards", "lines", "orders"},
    {"texts", "cards", "lines", "orders", "calls"},
)
MAKERS = [
    ({"members", "web_accounts"}, TEXTS | ORDERS, list_records),
    ({"calls", "labelled_calls"}, CALLS, list_calls),
    ({"reviewed"}, CALLS, list_reviewed),
    ({"orders"}, CALLS, list_orders),
    ({"order_lines"}, {"lines"}, list_lines),
    ({"returns"}, ORDERS, list_some_returns),
    ({"campaign_contacts"}, ORDERS, list_some_contacts),
    ({"tickets", "consents"}, CALLS, list_service),
    ({"reviews"}, ORDERS, lambda block, wanted: make_review_tables(block)),
    ({"survey_invitations", "questionnaire"}, TEXTS, lambda block, wanted: (make_survey_tables(block), {})),
    ({"web_events"}, ORDERS, lambda block, wanted: ({"web_events": make_events_table(block)}, {})),
    ({"exhibition"}, TEXTS, lambda block, wanted: make_exhibition_rows(block)),
    ({"bought_list"}, TEXTS, lambda block, wanted: make_bought_rows(block)),
    (ENTERPRISE_TABLES, set(), lambda block, wanted: make_enterprise_tables(block)),
    (set(), ALL, list_persons),
]
