"""The phrase book of the call centre: every phrase that an operator may write, cut into pieces that can be looked up.

A phrase of phrases.yaml such as `{product} is broken, sent {days} days ago` is a chain of texts and of things to fill
in. All texts, their mistyped forms, and all that can be filled in stand in one list of pieces; a phrase is a row of
numbers.
"""

import re
from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.contacts import MOODS, TOPICS, subjects
from cimlab.retailer.draws import read_settings, split_entries

LANGUAGES = ("zh", "en")
FILLS = 3  # most things filled into one phrase
DAYS = (
    ["周一", "周二", "周三", "周四", "周五", "周六", "周日"],
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
)
NUMERALS = "零一二三四五六七八九"
FULL_WIDTH = "０１２３４５６７８９"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# What can stand between braces. Numbers of telephones and papers are filled in by groups of digits; see `digit_groups`.
TOKENS = ("", "product", "store", "day", "time", "count", "days", "yuan", "year", "date", "serial", "oa", "ob", "oc")
DIGITS = ("a", "b", "c", "p", "q", "r", "ha", "hb", "hc", "fa", "fb", "fc", "wa")
NUMBERS = {name: number for number, name in enumerate(TOKENS + DIGITS)}
LONGER = {"{receipt}": "{year}{date}{serial}", "{old}": "{oa}{ob}{oc}"}


def note_settings():
    """Return the settings of notes."""
    return read_settings("contacts")["notes"]


def read_lines(text):
    """Return the phrases of a block of phrases.yaml."""
    return [line for line in text.split("\n") if line]


def spellings(language):
    """Return the spellings of a telephone number in a language, with their weights."""
    forms = note_settings()["spellings"][language]
    return [(form, weight) for kind in ("easy", "hard") for weight, form in forms[kind]]


def list_groups(language):
    """Return the groups of phrases of a language by name; a phrase is chosen within one group."""
    words = read_settings("phrases")[language]
    forms = [form for form, _ in spellings(language)]
    groups = {"opening": read_lines(words["openings"]), "paper": read_lines(words["papers"])}
    groups["old"] = read_lines(words["old_numbers"])
    for entry in subjects():
        intent, subject = entry["intent"], entry["subject"]
        lines = read_lines(words["reasons"][intent][subject])
        groups["plain", intent, subject] = [line for line in lines if line[0] != "~"]
        groups["oblique", intent, subject] = [line[1:] for line in lines if line[0] == "~"]
    for topic in TOPICS:
        groups["aside", topic] = read_lines(words["asides"][topic])
        groups["action", topic] = read_lines(words["actions"]["any"]) + read_lines(words["actions"][topic])
    for mood in MOODS:
        for way in ("open", "hidden"):
            groups["mood", mood, way] = read_lines(words["moods"][mood][way])
    for name in ("contacts", "relatives"):
        groups[name] = [lead.replace("{phone}", form) for lead in read_lines(words[name]) for form in forms]
    return groups


def mistype(text, slips):
    """Return a text with its first word of the list mistyped; the text itself if there is none.

    Examples
    --------
    >>> mistype("customer has the receipt", [("receipt", "reciept")])
    'customer has the reciept'
    """
    for right, wrong in slips:
        if right in text:
            return text.replace(right, wrong, 1)
    return text


def digit_groups():
    """Return the texts of groups of digits: plain 3 and 4, numerals 3 and 4, full width 3 and 4, English words 3."""
    three, four = [f"{number:03d}" for number in range(1000)], [f"{number:04d}" for number in range(10_000)]
    spell = [str.maketrans("0123456789", digits) for digits in (NUMERALS, FULL_WIDTH)]
    written = [[text.translate(table) for text in group] for table in spell for group in (three, four)]
    return [three, four, *written, [" ".join(WORDS[int(digit)] for digit in text) for text in three]]


def article_names(names, names_zh):
    """Return six lists of names of articles: in Chinese as in the catalogue, as people say, mistyped; so in English."""
    known, said = read_settings("phrases")["articles"], []
    for name, chinese in zip(names, names_zh, strict=True):
        unknown = [chinese[-2:], chinese, name.split()[-1].lower(), name.lower()]
        said.append(known.get(name, unknown))
    spoken, wrong, spoken_english, wrong_english = map(list, zip(*said, strict=True))
    return [list(names_zh), spoken, wrong, [name.lower() for name in names], spoken_english, wrong_english]


@cache
def make_book(names, names_zh):
    """Return the book for the articles of a shelf.

    Parameters
    ----------
    names, names_zh : tuple of str
        Names of the articles in English and Chinese.

    Returns
    -------
    dict
        `pieces` : Arrow texts; number 0 is nothing.
        `texts` (phrases, FILLS + 1) and `tokens` (phrases, FILLS) : what each phrase is made of; phrase 0 is nothing.
        `groups` : by name, (first phrase, number of phrases) in Chinese and in English.
        `typos` : how far behind a text its mistyped form stands.
        `marks` : what each operator puts between parts and at the end, by language.
        `digits`, `articles`, `days`, `numbers`, `stores` : the first piece of each list of things to fill in.
    """
    numbers, mistyped, rows, groups = {"": 0}, [""], [], {}

    def number(text, slips=()):
        if text not in numbers:
            numbers[text] = len(numbers)
            mistyped.append(mistype(text, slips))
        return numbers[text]

    for language in LANGUAGES:
        slips = split_entries(read_settings("phrases")[language]["typos"])
        for name, phrases in list_groups(language).items():
            groups.setdefault(name, []).append((1 + len(rows), len(phrases)))
            for texts, tokens in map(split_phrase, phrases):
                rows.append(([number(text, slips) for text in texts], tokens))
    book = {"marks": np.array([[number(mark) for mark in row] for row in joints()]), "typos": len(numbers)}
    book["groups"] = {name: np.array(places) for name, places in groups.items()}
    nothing = ([0] * (FILLS + 1), [0] * FILLS)
    book["texts"], book["tokens"] = (np.array(part, dtype=np.int32) for part in zip(nothing, *rows, strict=True))
    return book | add_fills([*numbers, *mistyped], article_names(names, names_zh))


def add_fills(pieces, articles):
    """Return all pieces as Arrow texts, and the first piece of each list of things to fill in."""
    stores = [name for name, _, _ in read_settings("catalogue")["stores"]]
    fills = {"digits": digit_groups(), "articles": articles, "days": DAYS, "stores": [stores]}
    fills["numbers"] = [[str(number) for number in range(1000)]]
    firsts = {}
    for kind, lists in fills.items():
        firsts[kind] = np.cumsum([len(pieces)] + [len(texts) for texts in lists])[:-1]
        pieces += [text for texts in lists for text in texts]
    return firsts | {"pieces": pa.array(pieces, pa.string())}


def joints():
    """Return for each operator and language what stands between two parts, and at the end, as four texts."""
    settings = read_settings("contacts")["calls"]
    rows = []
    for operator in settings["operators"]:
        own, other = int(operator["english_per_1000"] > 500), settings["between_in_other_language"]
        between = [operator["between"] if language == own else other[language] for language in (0, 1)]
        rows.append([*between, *(operator["end"] if language == own else "" for language in (0, 1))])
    return rows


def split_phrase(phrase):
    """Return (texts, numbers of the tokens) of a phrase, both filled up to their full length."""
    for short, long in LONGER.items():
        phrase = phrase.replace(short, long)
    parts = re.split(r"\{(\w+)\}", phrase)
    texts, tokens = parts[::2], parts[1::2]
    unknown = [token for token in tokens if token not in NUMBERS]
    if unknown or len(tokens) > FILLS:
        raise ValueError(
            f"phrases.yaml: {phrase!r} has {len(tokens)} things to fill in (at most {FILLS}); unknown are {unknown}."
        )
    numbers = [NUMBERS[token] for token in tokens]
    return texts + [""] * (FILLS + 1 - len(texts)), numbers + [0] * (FILLS - len(numbers))
