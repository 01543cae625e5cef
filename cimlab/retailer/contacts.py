"""Calls to the call centre: orders by telephone, and all the other reasons to call."""

from datetime import datetime, timedelta

from cimlab.retailer.draws import read_settings
from cimlab.retailer.people import REFERENCE_DATE

OPERATORS = 8  # who take turns at the telephone


def make_calls(draws, persons, orders, shelf, progress=lambda rows, _: rows):
    """Return the calls of all persons; an order by telephone points to its call afterwards."""
    calls = []
    by_person = {}
    for order in orders:
        if order["channel"] == "call":
            by_person.setdefault(order["person"]["row"], []).append(order)
    for person in progress(persons, "calls"):
        if "call" in person["channels"]:
            calls += make_person_calls(draws, person, by_person.get(person["row"], []), shelf)
    return calls


def make_person_calls(draws, person, orders, shelf):
    """Return the calls of one person: one for each order by telephone, and some more."""
    calls = []
    for order in orders:
        product = shelf.products[order["lines"][0]["product"]]
        order["record"] = make_call(draws, person, len(calls), order["at"], "order", product, len(order["lines"]))
        calls.append(order["record"])
    settings, row = read_settings("parameters"), person["row"]
    number = draws.weighted(settings["channels"]["service_calls"], "person", "service calls", row)
    first = max(person["since"], settings["orders"]["first_day"])
    for _ in range(number):
        key = row * 64 + len(calls)
        day = first + timedelta(days=draws.below((REFERENCE_DATE - first).days + 1, "call", "day", key))
        hour = draws.weighted(settings["orders"]["hours"]["call"], "call", "hour", key)
        at = datetime(day.year, day.month, day.day, hour, draws.below(60, "call", "minute", key))
        topic = draws.weighted(read_settings("phrases")["topics"], "call", "topic", key)
        product = draws.pick(shelf.products, "call", "product", key)
        calls.append(make_call(draws, person, len(calls), at, topic, product, 0))
    return calls


def make_call(draws, person, place, at, topic, product, lines):
    """Return one call as a record."""
    key = person["row"] * 64 + place
    operator = draws.below(OPERATORS, "call", "operator", key)
    call = {"channel": "call", "key": key, "person": person, "made_on": at.date(), "updated_on": at.date(), "at": at}
    return call | {"topic": topic, "operator": operator, "note": make_note(draws, person, key, topic, product, lines)}


def make_note(draws, person, key, topic, product, lines):
    """Return the note of a call in Chinese or English."""
    phrases = read_settings("phrases")
    language = "en" if draws.chance(phrases["english_per_1000"], "call", "language", key) else "zh"
    stores = read_settings("catalogue")["stores"]
    near = [name for name, city, _ in stores if city == person["city"]] or [name for name, _, _ in stores]
    return draws.pick(phrases[language][topic], "call", "phrase", key).format(
        product=product["name_zh"] if language == "zh" else product["name"].lower(),
        lines=lines,
        phone=person["phone"],
        day=draws.pick(phrases[f"days_{language}"].split(), "call", "weekday", key),
        store=draws.pick(near, "call", "store", key),
        time=draws.between(9, 19, "call", "time", key),
    )
