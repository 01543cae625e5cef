"""Records of persons in the channels: who is on file where, since when, and when the row was last touched.

A record here is still clean: it points to its person and says *when* it was taken; `dirt` writes what was typed then.
"""

from datetime import date, timedelta

from cimlab.retailer.draws import read_settings
from cimlab.retailer.people import REFERENCE_DATE


def make_records(draws, persons, progress=lambda rows, _: rows):
    """Return the cards and accounts of all persons as a list of dicts (calls come from `contacts`)."""
    records = []
    for person in progress(persons, "records"):
        records += make_person_records(draws, person)
    return records


def make_person_records(draws, person):
    """Return the cards and accounts of one person; writes `channels`, `since` and `records` into the person."""
    settings = read_settings("parameters")["channels"]
    row = person["row"]
    person["channels"] = draws.weighted(channel_mix(person, settings), "person", "channels", row).split()
    person["since"] = start_day(draws, person, settings)
    person["records"] = []
    made = [channel for channel in person["channels"] if channel != "call"]
    first = draws.pick(made, "person", "first channel", row)
    for channel in made:
        earliest = max(person["since"], settings["web_since"]) if channel == "web" else person["since"]
        day = earliest if channel == first else later_day(draws, earliest, "person", f"since {channel}", row)
        person["records"] += make_copies(draws, person, channel, day, settings)
    person["since"] = min(record["made_on"] for record in person["records"])
    return person["records"]


def channel_mix(person, settings):
    """Return the (channels, share) pairs for a person of that age in that city."""
    shops = {city for _, city, _ in read_settings("catalogue")["stores"]}
    if person["city"] not in shops:
        return settings["no_shop"]
    age = REFERENCE_DATE.year - person["birth"].year
    return next(step["mix"] for step in settings["by_age"] if age <= step["until"])


def start_day(draws, person, settings):
    """Return the day of the first record: before the orders begin, or within their two years; from the age of 16 on."""
    row, first_order = person["row"], read_settings("parameters")["orders"]["first_day"]
    sixteen = date(person["birth"].year + 16, person["birth"].month, min(person["birth"].day, 28))
    low, high = settings["first_record"], first_order
    if sixteen >= high or not draws.chance(settings["started_before_window_per_1000"], "person", "started before", row):
        low, high = first_order, REFERENCE_DATE
    low = max(low, sixteen)
    return low + timedelta(days=draws.below(max((high - low).days, 1), "person", "since", row))


def later_day(draws, day, table, column, row):
    """Return a day between the given one and the reference date."""
    return day + timedelta(days=draws.below((REFERENCE_DATE - day).days + 1, table, column, row))


def make_copies(draws, person, channel, day, settings):
    """Return the record of one channel and its duplicates: a new card for a lost one, a second account."""
    row, days = person["row"], [day]
    chances = (
        [settings["second_member_per_1000"], settings["third_member_per_1000"]]
        if channel == "till"
        else [settings["second_account_per_1000"]]
    )
    for copy, chance in enumerate(chances):
        room = (REFERENCE_DATE - days[-1]).days - 60
        if room <= 0 or not draws.chance(chance, "record", f"again {channel}", row, copy):
            break
        days.append(days[-1] + timedelta(days=60 + draws.below(room, "record", f"again on {channel}", row, copy)))
    records = []
    for copy, (made_on, next_on) in enumerate(zip(days, [*days[1:], REFERENCE_DATE], strict=True)):
        key = row * 8 + copy
        record = {"channel": channel, "key": key, "person": person, "made_on": made_on, "updated_on": made_on}
        if draws.chance(settings["updated_later_per_1000"], "record", f"updated {channel}", key):
            record["updated_on"] += timedelta(
                days=draws.below((next_on - made_on).days + 1, "record", f"updated on {channel}", key)
            )
        if channel == "till":
            record["store"] = choose_store(draws, person, key, made_on, settings)
        records.append(record)
    return records


def choose_store(draws, person, key, day, settings):
    """Return the number of a shop that was open that day, mostly in the person's city."""
    stores = read_settings("catalogue")["stores"]
    opened = [number for number, (_, _, opened_on) in enumerate(stores) if opened_on <= day]
    near = [number for number in opened if stores[number][1] == person["city"]]
    if near and draws.chance(settings["near_store_per_1000"], "record", "near store", key):
        return draws.pick(near, "record", "store", key)
    return draws.pick(opened, "record", "store", key)
