"""What the operators of the call centre write, and what each call was truly about.

A note is put together from parts: an opening, the reason, perhaps a second matter, the mood, what was done, the number
of a paper, a number to call back. Each part is a phrase of the phrase book; a note is a row of numbers of its pieces,
so that all notes of a block are one look-up.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.catalogue import product_ids
from cimlab.retailer.contacts import (
    MOODS,
    TOPICS,
    line_named,
    order_named,
    per_thousand,
    pick_tables,
    subject_number,
    subjects,
)
from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.phrasebook import FILLS, LANGUAGES, NUMBERS, make_book, note_settings, spellings
from cimlab.retailer.world import CITIES, MINUTES, enum_column, id_text, year_month_day

PARTS = ("opening", "reason", "aside", "mood", "action", "paper", "contact")


def make_notes(world, people, orders, lines, calls):
    """Return the notes of the calls of a block, and the truth about them.

    Parameters
    ----------
    world : dict
        `draws` and `shelf` (`name`, `name_zh`).
    people, orders, lines, calls : dict of arrays
        Of the block; `calls` from `make_calls`.

    Returns
    -------
    notes : pyarrow.StringArray
        One note a call.
    call_facts : pyarrow.Table
        The truth: language, intent, article and number that the note names, mood.
    """
    draws, shelf = world["draws"], world["shelf"]
    book = make_book(tuple(map(str, shelf["name"])), tuple(map(str, shelf["name_zh"])))
    product = name_articles(draws, calls, orders, lines, len(shelf["name"]))
    phones = choose_phones(draws, people, calls)
    phrases = choose_phrases(draws, book, calls, phones)
    fills = fill_tokens(draws, book, people, orders, calls, product, phones)
    notes = write_notes(draws, book, phrases, fills, calls)
    names_article = (book["tokens"][phrases] == NUMBERS["product"]).any(axis=(0, 2))
    gives_phone = phrases[PARTS.index("contact")] > 0
    facts = {
        "call_id": id_text(calls["id"]),
        "language": enum_column(calls["language"], LANGUAGES),
        "intent": enum_column(calls["intent"], TOPICS),
        "product_id": pa.array(product_ids(len(shelf["name"]))).take(pa.array(product, mask=~names_article)),
        "phone": pa.array(phones["number"], mask=~gives_phone).cast(pa.string()),
        "sentiment": enum_column(calls["mood"], MOODS),
    }
    return notes, pa.table(facts)


def name_articles(draws, calls, orders, lines, products):
    """Return the article that each call speaks of: one of the person's last order if there is one."""
    key, line = calls["key"], line_named(draws, calls, orders, lines)
    some = draws.below(products, "note", "article", key)
    asks = calls["intent"] == TOPICS.index("product")
    new = (line < 0) | (asks & draws.chance(note_settings()["any_article_per_1000"], "note", "any article", key))
    bought = lines["product"][line].astype(np.int64) if len(lines["product"]) else some
    return np.where(new, some, bought)


def number_on(people, place, day):
    """Return the telephone number that persons had on a day."""
    former = (people["former_phone"][place] > 0) & (people["phone_changed_on"][place] > day)
    return np.where(former, people["former_phone"][place], people["phone"][place])


def choose_phones(draws, people, calls):
    """Return the number to call back (the caller's of that day or that of a relative) and, where told, the old one."""
    settings, place, day = note_settings(), calls["person"], calls["at"] // MINUTES
    household, last = people["household"], len(people["row"]) - 1
    after, before = np.minimum(place + 1, last), np.maximum(place - 1, 0)
    other = np.where((household[after] == household[place]) & (after != place), after, before)
    own, theirs = number_on(people, place, day), number_on(people, other, day)
    former = people["former_phone"][place]
    old = (former > 0) & (people["phone_changed_on"][place] <= day)
    old &= calls["subject"] == subject_number("account", "change")
    old &= draws.chance(settings["old_number_per_1000"], "note", "old number", calls["key"])
    relative = (household[other] == household[place]) & (theirs != own) & ~old
    relative &= draws.chance(settings["relative_per_1000"], "note", "relative", calls["key"])
    return {"number": np.where(relative, theirs, own), "relative": relative, "old": np.where(old, former, -1)}


# --- words


def choose(book, names, which, language, words, used=None):
    """Return a phrase for each call from the group `names[which]`, by a 16-bit number; 0 where it is not `used`."""
    first, count = np.stack([book["groups"][name] for name in names])[which, language].T
    phrase = first + ((words.astype(np.int64) * count) >> 16)
    return phrase if used is None else np.where(used, phrase, 0)


def choose_phrases(draws, book, calls, phones):
    """Return the phrase of each part of each note, 0 where the part is left out: shape (PARTS, calls)."""
    settings, key, language, intent = note_settings(), calls["key"], calls["language"], calls["intent"]
    first, opening, reason, second = draws.words("note", "opening", key)
    aside, shift, third, action = draws.words("note", "aside", key)
    reasons = [(way, entry["intent"], entry["subject"]) for way in ("plain", "oblique") for entry in subjects()]
    way = draws.chance(settings["oblique_per_1000"], "note", "oblique", key) * len(subjects())
    asides, actions = ([(part, topic) for topic in TOPICS] for part in ("aside", "action"))
    other = (intent + 1 + ((shift.astype(np.int64) * (len(TOPICS) - 1)) >> 16)) % len(TOPICS)
    used = [
        per_thousand(word) < settings[f"{part}_per_1000"]
        for word, part in ((first, "opening"), (second, "aside"), (third, "action"))
    ]
    phrases = {
        "opening": choose(book, ["opening"], 0 * intent, language, opening, used[0]),
        "reason": choose(book, reasons, calls["subject"] + way, language, reason),
        "aside": choose(book, asides, other, language, aside, used[1]),
        "mood": choose_mood(draws, book, calls),
        "action": choose(book, actions, intent, language, action, used[2]),
    }
    phrases["paper"], phrases["contact"] = choose_contact(draws, book, calls, phones)
    return np.stack([phrases[part] for part in PARTS])


def choose_mood(draws, book, calls):
    """Return the phrase that shows the mood: openly, between the lines, or none."""
    way, phrase, _, _ = draws.words("note", "mood", calls["key"])
    tables = pick_tables([note_settings()["mood_shown"][mood] for mood in MOODS], 12)
    shown = tables[calls["mood"], way >> 4]
    groups = [("mood", mood, kind) for mood in MOODS for kind in ("open", "hidden")]
    return choose(book, groups, calls["mood"] * 2 + np.minimum(shown, 1), calls["language"], phrase, shown < 2)


def choose_contact(draws, book, calls, phones):
    """Return (phrase of a paper or an old number, phrase of a number to call back)."""
    settings, key, language = note_settings(), calls["key"], calls["language"]
    word, lead, form, paper = draws.words("note", "contact", key)
    old, relative = phones["old"] > 0, phones["relative"].astype(np.int64)
    shares = np.array([settings["contact_per_1000"][topic] for topic in TOPICS])[calls["intent"]]
    used = (per_thousand(word) < shares) | old
    with_paper = used & (old | draws.chance(settings["paper_per_1000"], "note", "paper", key))
    # A group of contacts holds every lead in every spelling: first the lead is chosen, then the spelling by its weight.
    weights = [[weight for _, weight in spellings(name)] for name in LANGUAGES]
    length, longest = np.array([len(row) for row in weights])[language], max(map(len, weights))
    forms = pick_tables([row + [0] * (longest - len(row)) for row in weights], 12)[language, form >> 4]
    first, count = np.stack([book["groups"][name] for name in ("contacts", "relatives")])[relative, language].T
    leads = (lead.astype(np.int64) * (count // length)) >> 16
    papers = choose(book, ["paper", "old"], old.astype(np.int64), language, paper, with_paper)
    return papers, np.where(used, first + leads * length + forms, 0)


# --- what is filled in


@cache
def near_stores():
    """Return for each city (first, number) in a list of stores: those of the city, or all; and the list."""
    stores = read_settings("catalogue")["stores"]
    rows, listed = [], []
    for city in CITIES:
        near = [number for number, store in enumerate(stores) if store[1] == city] or list(range(len(stores)))
        rows.append((len(listed), len(near)))
        listed += near
    return np.array(rows), np.array(listed)


def fill_tokens(draws, book, people, orders, calls, product, phones):
    """Return the piece that each token stands for in each note: shape (calls, tokens)."""
    key, language = calls["key"], calls["language"]
    store, day, time, days = (word.astype(np.int64) for word in draws.words("note", "fills", key))
    yuan, serial, variant, back = (word.astype(np.int64) for word in draws.words("note", "amounts", key))
    order = order_facts(orders, calls)
    paper_day = np.where(order["day"] > 0, order["day"], calls["at"] // MINUTES - 1 - (back * 9 >> 16))
    year, month, date = year_month_day(paper_day)
    first, count = near_stores()[0][people["city"][calls["person"]]].T
    shop = np.where(order["store"] >= 0, order["store"], near_stores()[1][first + (store * count >> 16)])
    kind = language * 3 + pick16(note_settings()["product_names"], 12)[variant >> 4]
    numbers, (three, four, *_) = book["numbers"][0], book["digits"]
    old = phones["old"]
    fills = {
        "product": book["articles"][kind] + product,
        "store": book["stores"][0] + shop,
        "day": book["days"][language] + (day * 7 >> 16),
        "time": numbers + 9 + (time * 11 >> 16),
        "count": numbers + order["line_count"],
        "days": numbers + 2 + (days * 8 >> 16),
        "yuan": numbers + 3 + (yuan * 97 >> 16),
        "year": four + year,
        "date": four + month * 100 + date,
        "serial": four + (serial * 10_000 >> 16),
        "oa": three + old // 10**8,
        "ob": four + old // 10**4 % 10**4,
        "oc": four + old % 10**4,
    } | phone_fills(book, phones["number"])
    table = np.zeros((len(key), len(NUMBERS)), dtype=np.int32)
    for name, column in fills.items():
        table[:, NUMBERS[name]] = column
    return table


def order_facts(orders, calls):
    """Return day, shop and number of articles of the order that each call speaks of; -1, -1 and 1 for none."""
    order = order_named(calls, orders, note_settings()["recent_order_days"])
    missing = {"day": -1, "store": -1, "line_count": 1}
    if not len(orders["at"]):
        return {name: np.full(len(order), value) for name, value in missing.items()}
    return {name: np.where(order >= 0, orders[name][order], value).astype(np.int64) for name, value in missing.items()}


def phone_fills(book, number):
    """Return the pieces of a telephone number: its digits in groups of 3, 4, 4 and of 4, 4, 3, in four scripts."""
    three, four, hthree, hfour, fthree, ffour, words = book["digits"]
    a, b, c = number // 10**8, number // 10**4 % 10**4, number % 10**4
    fills = {"a": three + a, "b": four + b, "c": four + c, "wa": words + a}
    fills |= {"p": four + number // 10**7, "q": four + number // 10**3 % 10**4, "r": three + number % 10**3}
    fills |= {"ha": hthree + a, "hb": hfour + b, "hc": hfour + c}
    return fills | {"fa": fthree + a, "fb": ffour + b, "fc": ffour + c}


# --- writing


@cache
def layouts():
    """Return (picks of 12 bits, order of the parts of each layout)."""
    rows = note_settings()["layouts"]
    return pick16([row[0] for row in rows], 12), np.array([[PARTS.index(part) for part in row[1:]] for row in rows])


def write_notes(draws, book, phrases, fills, calls):
    """Return the notes as Arrow texts: a row of pieces for each, all of them looked up at once."""
    count, parts, bits = len(calls["key"]), len(PARTS), draws.bits("note", "typos", calls["key"])
    if not count:
        return pa.array([], pa.string())
    picks, orders = layouts()
    order = orders[picks[(bits & np.uint64(4095)).astype(np.intp)]]
    rows = np.arange(count)[:, None]
    phrase = phrases[order, rows]
    # Seven bits for each part decide about a typing error; a number to call back has none.
    luck = (bits[:, None] >> (np.uint64(12) + order.astype(np.uint64) * np.uint64(7))).astype(np.int64) & 127
    slip = (luck * 1000 >> 7 < note_settings()["typo_per_1000"]) & (order != PARTS.index("contact"))
    joint, end = book["marks"].reshape(-1, 2, 2).transpose(1, 0, 2)[:, calls["operator"], calls["language"]]
    present = phrase > 0
    later = np.logical_or.accumulate(present, axis=1)
    pieces = np.zeros((count, parts * (2 * FILLS + 2) + 1), dtype=np.int32)
    cells = pieces[:, :-1].reshape(count, parts, 2 * FILLS + 2)
    cells[:, 1:, 0] = np.where(present[:, 1:] & later[:, :-1], joint[:, None], 0)
    cells[:, :, 1::2] = book["texts"][phrase] + np.where(slip, book["typos"], 0)[:, :, None]
    cells[:, :, 2::2] = fills[rows[:, :, None], book["tokens"][phrase]]
    pieces[:, -1] = end
    return join_pieces(book["pieces"], pieces)


def join_pieces(texts, pieces):
    """Return the texts whose pieces stand in the rows of a table of numbers.

    The pieces that one look-up brings lie one behind the other in memory, so that each row of them is a text already:
    only the places where the texts begin are new.
    """
    used = pieces > 0
    ends = np.concatenate([[0], np.cumsum(np.count_nonzero(used, axis=1))])
    long = texts.take(pa.array(pieces[used]))
    offsets = np.frombuffer(long.buffers()[1], dtype=np.int32)[ends]
    return pa.StringArray.from_buffers(len(pieces), pa.py_buffer(np.ascontiguousarray(offsets)), long.buffers()[2])
