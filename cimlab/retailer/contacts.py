"""The call centre: who calls when and why, and the cases that calls open.

An order by telephone is a call. All other calls ask for service; how many a person makes and what they are about
depends on the person's satisfaction and on what was bought shortly before. What the operators write is in `notes`,
consent in `consents`. Words are in phrases.yaml, every rate is in contacts.yaml.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import ONE, pick16, read_settings
from cimlab.retailer.world import (
    CALL,
    FIRST_DAY,
    MINUTES,
    NO_DAY,
    REFERENCE_DAY,
    THINGS,
    day_of,
    enum_column,
    id_text,
    money_column,
    ranges,
    time_column,
)

TOPICS = ("order", "delivery", "return", "complaint", "points", "product", "account")
MOODS = ("negative", "neutral", "positive")
CASES = ("delivery", "quality", "service", "billing", "account", "privacy")
OUTCOMES = ("refund", "replacement", "coupon", "apology", "rejected", "open")
OPEN = OUTCOMES.index("open")
FIRST_SERVICE = 256  # the number of a person's first service call; order calls are counted from 0
NO_ORDER = 2  # the situation of a call that follows no order; 0: a web or telephone order, 1: a till purchase


def subjects():
    """Return the subjects of calls, in the order of contacts.yaml; a subject is a part of an intent."""
    return read_settings("contacts")["calls"]["subjects"]


def subject_number(intent, subject):
    """Return the number of one subject."""
    return [(entry["intent"], entry["subject"]) for entry in subjects()].index((intent, subject))


def pick_tables(rows, bits):
    """Return one table of picks for each row of weights: shape (rows, 2^bits)."""
    return np.stack([pick16(weights, bits) for weights in rows])


@cache
def call_tables():
    """Return the settings of calls as arrays, made once."""
    settings, entries = read_settings("contacts")["calls"], subjects()
    weights = [
        [entry[situation] * (percent if entry.get("cross") else 100) for entry in entries]
        for situation in ("web", "till", "none")
        for percent in settings["cross_percent"]
    ]
    counts = settings["service_calls"]
    taken = [[settings["taken_for"][intent].get(topic, 0) for topic in TOPICS] for intent in TOPICS]
    return {
        "bands": np.array(settings["bands"][:-1]) * ONE // 100,
        "counts": np.array([[n for n, _ in row] + [0] * (8 - len(row)) for row in counts]),
        "count_picks": pick_tables([[weight for _, weight in row] for row in counts], 12),
        "subject_picks": pick_tables(weights, 12),
        "intent": np.array([TOPICS.index(entry["intent"]) for entry in entries]),
        "sting": np.array([entry["sting"] for entry in entries]) * ONE // 100,
        "lag": np.array([entry["lag"] for entry in entries]),
        "hours": np.array([hour for hour, _ in settings["hours"]]),
        "hour_picks": pick16([weight for _, weight in settings["hours"]], 12),
        "mistaken": np.array([settings["mistaken_per_1000"][intent] for intent in TOPICS]),
        "taken_picks": pick_tables(taken, 12),
        "operator_picks": pick16([operator["share"] for operator in settings["operators"]], 12),
        "english": np.array([operator["english_per_1000"] for operator in settings["operators"]]),
    }


def satisfaction_bands(satisfaction):
    """Return the band of each latent satisfaction (in 1/65536): 0 very cross, 1 cross, 2 content, 3 pleased."""
    return np.searchsorted(call_tables()["bands"], satisfaction, side="right")


def per_thousand(words):
    """Return numbers from 0 to 999 from 16-bit numbers: compare with a rate per 1000."""
    return (words.astype(np.int64) * 1000) >> 16


# --- calls


def make_calls(world, people, records, orders):
    """Return the calls of a block of people, sorted by person and number of the call.

    Parameters
    ----------
    world : dict
        `draws`.
    people, records, orders : dict of arrays
        Of the block. `records` is not needed: an operator finds no card of a caller.

    Returns
    -------
    dict of arrays
        `person` (position in the block), `key`, `id`, `at` (minutes), `topic` (what the operator ticked), `operator`
        (0 to 7), `order` (position of the order that the call placed, -1 none); and what only the truth knows: `about`
        (position of the order that the call is about, -1 none), `subject`, `intent`, `mood` (0 negative, 1 neutral,
        2 positive), `language` (0 Chinese, 1 English). `calls_of_orders` gives the way back.
    """
    placed, asked = order_calls(people, orders), service_calls(world["draws"], people, orders)
    calls = {name: np.concatenate([placed[name], asked[name]]) for name in placed}
    order = np.argsort(calls["key"], kind="stable")
    calls = {name: column[order] for name, column in calls.items()}
    return calls | operator_columns(world["draws"], people, calls)


def calls_of_orders(calls, number):
    """Return for each of `number` orders the position of the call that placed it; -1 for the other channels."""
    out = np.full(number, -1, dtype=np.int64)
    placed = np.flatnonzero(calls["order"] >= 0)
    out[calls["order"][placed]] = placed
    return out


def order_calls(people, orders):
    """Return the calls that placed an order: one for each, in the order of time."""
    place = np.flatnonzero(orders["channel"] == 2)
    person = orders["person"][place]
    number = ranges(np.bincount(person, minlength=len(people["row"])))
    subject = np.full(len(place), subject_number("order", "order"))
    key = people["row"][person] * THINGS + number
    return {"person": person, "key": key, "at": orders["at"][place], "order": place, "about": place, "subject": subject}


def service_calls(draws, people, orders):
    """Return the calls for service of the people who use the call centre."""
    person, key = callers(draws, people, orders)
    start = np.maximum(people["since"][person].astype(np.int64), FIRST_DAY)
    about = choose_order(draws, person, key, orders, len(people["row"]))
    channel, ordered = (orders[name][about] if len(orders[name]) else about for name in ("channel", "day"))
    situation = np.where(about < 0, NO_ORDER, channel == 0)  # web and telephone orders are delivered
    band = satisfaction_bands(people["satisfaction"][person])
    number = draws.bits("call", "subject", key) >> np.uint64(52)
    subject = call_tables()["subject_picks"][situation * 4 + band, number.astype(np.int64)]
    after = day_after(draws, key, ordered.astype(np.int64), call_tables()["lag"][subject])
    day = np.where(about < 0, draws.between(start, REFERENCE_DAY, "call", "day", key), after)
    none = np.full(len(person), -1, dtype=np.int64)
    at = day * MINUTES + minute_of_call(draws, key)
    return {"person": person, "key": key, "at": at, "order": none, "about": about, "subject": subject}


def callers(draws, people, orders):
    """Return (person, key) of each service call: the crosser a person and the longer the time to call, the more."""
    settings, tables = read_settings("contacts")["calls"], call_tables()
    user = np.flatnonzero(people["channels"] & CALL)
    number = draws.bits("call", "number", people["row"][user]) >> np.uint64(52)
    band = satisfaction_bands(people["satisfaction"][user])
    counts = tables["counts"][band, tables["count_picks"][band, number.astype(np.int64)]]
    person, place = np.repeat(user, counts), ranges(counts)
    key = people["row"][person] * THINGS + FIRST_SERVICE + place
    window = REFERENCE_DAY - np.maximum(people["since"][person].astype(np.int64), FIRST_DAY) + 1
    ordered = np.zeros(len(people["row"]), dtype=bool)
    ordered[orders["person"][orders["channel"] == 2]] = True
    once = draws.chance(settings["first_call_after_order_call_per_1000"], "call", "once", key)
    time = draws.below(REFERENCE_DAY - FIRST_DAY + 1, "call", "time to call", key) < window
    kept = np.where(place == 0, ~ordered[person] | once, time)
    return person[kept], key[kept]


def choose_order(draws, person, key, orders, people):
    """Return the position of the order that each call is about, -1 where it is about none."""
    if not len(orders["day"]):
        return np.full(len(person), -1, dtype=np.int64)
    counts = np.bincount(orders["person"], minlength=people)
    first = np.cumsum(counts) - counts
    has = counts[person] > 0
    about, other = (
        np.where(has, first[person] + draws.below(np.maximum(counts[person], 1), "call", "about", key, draw), 0)
        for draw in (0, 1)
    )
    # What is delivered gives more reasons to call: if the first one drawn was a till purchase, another is drawn.
    about = np.where(orders["channel"][about] == 0, other, about)
    has &= draws.chance(read_settings("contacts")["calls"]["about_an_order_per_1000"], "call", "has an order", key)
    # Nobody can call after the reference date about an order of that day.
    return np.where(has & (orders["day"][about] < REFERENCE_DAY), about, -1)


def day_after(draws, key, day, lag):
    """Return a day after `day`, on average `lag` days, none after the reference date."""
    after = day + np.maximum((draws.quantile("exponential", "call", "lag", key) * lag) >> 16, 1)
    room = np.maximum(REFERENCE_DAY - day, 1)
    return np.where(after <= REFERENCE_DAY, after, day + 1 + draws.below(room, "call", "lag again", key))


def minute_of_call(draws, key):
    """Return the minute of the day of each call."""
    hours, minutes, _, _ = draws.words("call", "minute", key)
    tables = call_tables()
    return tables["hours"][tables["hour_picks"][hours >> 4]] * 60 + ((minutes.astype(np.int64) * 60) >> 16)


def operator_columns(draws, people, calls):
    """Return what comes with the operator and the caller's mood: topic ticked, operator, language, intent, mood, id."""
    tables, key, subject = call_tables(), calls["key"], calls["subject"]
    who, tongue, wrong, taken = draws.words("call", "operator", key)
    intent = tables["intent"][subject]
    operator = tables["operator_picks"][who >> 4]
    mistaken = (per_thousand(wrong) < tables["mistaken"][intent]) & (calls["order"] < 0)
    return {
        "id": draws.ids("C", key),
        "intent": intent,
        "topic": np.where(mistaken, tables["taken_picks"][intent, taken >> 4], intent),
        "operator": operator,
        "language": (per_thousand(tongue) < tables["english"][operator]).astype(np.int64),
        "mood": call_mood(draws, key, people["satisfaction"][calls["person"]], tables["sting"][subject]),
    }


def call_mood(draws, key, satisfaction, sting):
    """Return the mood of each caller: 0 negative, 1 neutral, 2 positive."""
    settings = read_settings("contacts")["calls"]["mood"]
    chance = draws.quantile("normal", "call", "mood", key) * settings["chance_percent"]
    score = (satisfaction * settings["satisfaction_percent"] + chance) // 100 + sting
    limits = np.array([settings["negative_below"], settings["positive_above"]]) * ONE // 100
    return np.searchsorted(limits, score, side="right")


def order_named(calls, orders, days):
    """Return the order that each call is about, or else the person's last one within so many days; -1 for none."""
    if not len(orders["at"]):
        return np.full(len(calls["key"]), -1, dtype=np.int64)
    # Orders are sorted by person and time: one number for both, minutes being below 2^26.
    one, other = ((things["person"].astype(np.int64) << 26) + things["at"] for things in (orders, calls))
    place = np.searchsorted(one, other, side="right") - 1
    recent = (place >= 0) & (orders["person"][place] == calls["person"])
    recent &= calls["at"] - orders["at"][place] <= days * MINUTES
    return np.where(calls["about"] >= 0, calls["about"], np.where(recent, place, -1))


def line_named(draws, calls, orders, lines):
    """Return the position of the order line that a call speaks of; -1 where there was no order lately."""
    order = order_named(calls, orders, read_settings("contacts")["notes"]["recent_order_days"])
    if not len(lines["product"]):
        return np.full(len(order), -1, dtype=np.int64)
    at = np.maximum(order, 0)
    line = orders["first_line"][at] + draws.below(orders["line_count"][at], "note", "line", calls["key"])
    return np.where(order >= 0, line, -1)


# --- cases


def make_tickets_table(block):
    """Return the cases that the calls of a block opened.

    Parameters
    ----------
    block : dict
        `world`, `people`, `orders`, `lines`, `calls`.

    Returns
    -------
    pyarrow.Table
        Table `tickets` of the dictionary, in the order of the calls.
    """
    draws, calls = block["world"]["draws"], opened_cases(block["world"]["draws"], block["calls"])
    key, case = calls["key"], calls["case"]
    severity = 1 + pick_by(draws, "severity", key, [case_settings()["severity"][mood] for mood in MOODS], calls["mood"])
    closed = closing_time(draws, calls, severity)
    outcome = pick_by(draws, "outcome", key, [case_settings()["outcomes"][name] for name in CASES], case)
    outcome = np.where(closed < 0, OPEN, outcome)
    satisfaction = block["people"]["satisfaction"][calls["person"]]
    stars = rating(draws, key, satisfaction, outcome, closed - calls["at"])
    columns = {
        "ticket_id": id_text(draws.ids("T", key)),
        "call_id": id_text(calls["id"]),
        "category": enum_column(case, CASES),
        "severity": pa.array(severity),
        "opened_at": time_column(calls["at"]),
        "closed_at": time_column(closed),
        "outcome": enum_column(outcome, OUTCOMES),
        "compensation": money_column(compensation(block, calls, outcome, severity)),
        "rating": pa.array(stars, mask=stars == 0),
    }
    return pa.table(columns)


def case_settings():
    """Return the settings of cases."""
    return read_settings("contacts")["cases"]


def opened_cases(draws, calls):
    """Return the calls that open a case, with its kind."""
    chance = np.array([entry.get("case_per_1000", 0) for entry in subjects()])[calls["subject"]]
    chance = chance * np.array([case_settings()["cross_percent"][mood] for mood in MOODS])[calls["mood"]] // 100
    opened = np.flatnonzero(draws.chance(chance, "ticket", "opened", calls["key"]))
    kinds = np.array([CASES.index(entry["case"]) if "case" in entry else 0 for entry in subjects()])
    return {name: column[opened] for name, column in calls.items()} | {"case": kinds[calls["subject"][opened]]}


def pick_by(draws, column, key, weights, group):
    """Return a weighted pick for each key; each group has its own weights."""
    number = (draws.bits("ticket", column, key) >> np.uint64(52)).astype(np.int64)
    return pick_tables(weights, 12)[group, number]


@cache
def busy_days():
    """Return for each day up to the reference date whether there is a backlog: sales days and the days after."""
    settings = case_settings()["backlog"]
    busy = np.zeros(REFERENCE_DAY + 1, dtype=bool)
    for first, last, weight in read_settings("calendar")["special_days"]:
        if weight >= settings["least_weight"]:
            busy[day_of(first) : day_of(last) + settings["days_after"] + 1] = True
    return busy


def closing_time(draws, calls, severity):
    """Return the minute at which each case was closed; NO_DAY while it is open at the reference date."""
    settings, key, opened = case_settings(), calls["key"], calls["at"]
    busy = busy_days()[opened // MINUTES]
    hours = np.array([settings["hours"][name] for name in CASES])[calls["case"]]
    percent = np.array(settings["severity_percent"])[severity - 1] * np.where(busy, settings["backlog"]["percent"], 100)
    minutes = draws.quantile("lognormal_90", "ticket", "minutes", key) * hours * 60 // ONE * percent // 10000
    closed = opened + np.maximum(minutes, 5)
    opens, closes = (hour * 60 for hour in settings["office"])
    minute, day = closed % MINUTES, closed // MINUTES
    morning = opens + draws.below(180, "ticket", "morning", key)
    closed = np.where(minute < opens, day * MINUTES + morning, closed)
    closed = np.where(minute >= closes, (day + 1) * MINUTES + morning, closed)
    forgotten = draws.chance(settings["forgotten_per_1000"], "ticket", "forgotten", key)
    return np.where(forgotten | (closed >= (REFERENCE_DAY + 1) * MINUTES), NO_DAY, closed)


def compensation(block, calls, outcome, severity):
    """Return what was paid or given in each case, in fen: the price of the article, or a coupon."""
    settings, draws, key = case_settings(), block["world"]["draws"], calls["key"]
    line = line_named(draws, calls, block["orders"], block["lines"])
    price = draws.quantile("lognormal_45", "ticket", "refund", key) * settings["refund_without_order"] >> 16
    if len(block["lines"]["amount"]):
        price = np.where(line >= 0, block["lines"]["amount"][line], price)
    half = draws.chance(settings["refund_part_per_1000"], "ticket", "half", key)
    price = np.where(half, (price + 1) // 2, price)
    values = np.array([value for value, _ in settings["coupon"]])
    coupon = values[draws.weighted([weight for _, weight in settings["coupon"]], "ticket", "coupon", key)]
    coupon = coupon * np.array(settings["coupon_percent_by_severity"])[severity - 1] // 100
    refund, given = OUTCOMES.index("refund"), OUTCOMES.index("coupon")
    return np.where(outcome == refund, price, np.where(outcome == given, coupon, 0))


def rating(draws, key, satisfaction, outcome, minutes):
    """Return the stars that a caller gave afterwards, 0 for none: the experience decides on both."""
    settings = case_settings()["rating"]
    chance = draws.quantile("normal", "ticket", "experience", key) * settings["chance_percent"]
    happened = np.array([settings["outcome"][name] for name in OUTCOMES])[outcome]
    happened = happened + np.where(minutes > settings["slow_after_hours"] * 60, settings["slow"], 0)
    experience = (satisfaction * settings["satisfaction_percent"] + chance) // ONE + happened
    stars = 1 + np.searchsorted(settings["stars_from"], experience, side="right")
    limits, chances = (np.array(column) for column in zip(*settings["answers"], strict=True))
    answered = draws.chance(chances[np.searchsorted(limits, experience)], "ticket", "answered", key)
    return np.where(answered, stars, 0)
