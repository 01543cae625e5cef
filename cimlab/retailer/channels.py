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
    person["records"] = []
    for channel, day in start_days(draws, person, settings).items():
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


def start_days(draws, person, settings):
    """Return the day of the first record in each channel that makes records.

    Some persons have one from before the orders begin, the others come within the two years of the orders. Each channel
    draws its own day, so that the days do not pile up towards the end; nobody is younger than 16.
    """
    row, first_order = person["row"], read_settings("parameters")["orders"]["first_day"]
    channels = [channel for channel in person["channels"] if channel != "call"]
    first = draws.pick(channels, "person", "first channel", row)
    sixteen = date(person["birth"].year + 16, person["birth"].month, min(person["birth"].day, 28))
    before = draws.chance(settings["started_before_window_per_1000"], "person", "started before", row)
    before = before and sixteen < first_order
    days = {}
    for channel in channels:
        low = max(settings["web_since"] if channel == "web" else settings["first_record"], sixteen)
        high = REFERENCE_DATE
        if not before:
            low = max(low, first_order)
        elif channel == first:
            high = first_order - timedelta(days=1)
        days[channel] = low + timedelta(days=draws.below((high - low).days + 1, "person", f"since {channel}", row))
    return days


def make_copies(draws, person, channel, day, settings):
    """Return the record of one channel and its duplicates: a new card for a lost one, a second account."""
    row, days = person["row"], [day]
    chances = (
        [settings["second_member_per_1000"], settings["third_member_per_1000"]]
        if channel == "till"
        else [settings["second_account_per_1000"]]
    )
    for copy, chance in enumerate(chances):
        day = days[-1] + timedelta(
            days=draws.between(*settings["again_after_days"], "record", f"again on {channel}", row, copy)
        )
        if day > REFERENCE_DATE or not draws.chance(chance, "record", f"again {channel}", row, copy):
            break
        days.append(day)
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
