"""Slips of hand and ear: the errors that `dirt.yaml` names.

Each takes (value, draw, record): `draw(limit, label)` returns a whole number below the limit. It returns the new text;
a slip that does not fit the value returns it as it is. All dirt stays harmless: numbers stay in the invented range of
mobile numbers, identity numbers in regions that do not exist, e-mail addresses in the example domains or unreadable.
"""

from functools import cache

from cimlab.retailer.draws import read_settings, split_entries
from cimlab.retailer.enterprises import ALPHABET
from cimlab.retailer.forms import date_parts, surname_of

# The keys beside each letter of a QWERTY keyboard.
KEYS = {
    key: near
    for key, *near in [
        "qwa",
        "wqes",
        "ewrd",
        "retf",
        "tryg",
        "ytuh",
        "uyij",
        "iuok",
        "oipl",
        "pol",
        "aqsz",
        "sadw",
        "dsfe",
        "fdgr",
        "gfht",
        "hgjy",
        "jhku",
        "kjli",
        "lko",
        "zsax",
        "xzcd",
        "cxvf",
        "vcbg",
        "bvnh",
        "nbmj",
        "mnk",
    ]
}
TAIL = 6  # the last digits of a number, where slips are made: those before name the invented range


@cache
def homophone_rows():
    """Return for each character those that an input method offers in its place."""
    others = {}
    for row in split_entries(read_settings("names")["homophones"]):
        for character in row:
            others.setdefault(character, []).extend(other for other in row if other != character)
    return others


def homophone(value, draw, record):
    """王静 → 王敬: another character of the same reading; in surnames one time in four."""
    known = homophone_rows()
    places = [place for place, character in enumerate(value) if character in known]
    if not places:
        return value
    given = [place for place in places if place > 0]
    if given and (places[0] > 0 or draw(4, "surname")):
        places = given
    return replace_at(value, places[draw(len(places), "place")], known, draw)


def street_homophone(value, draw, record):
    """青溪路 → 清溪路: in the two characters of the street."""
    known, start = homophone_rows(), value.index("区") + 1
    places = [place for place in (start, start + 1) if value[place] in known]
    return replace_at(value, places[draw(len(places), "place")], known, draw) if places else value


def brand_homophone(value, draw, record):
    """云禾 → 云和: in the two characters of the brand, which stand after the city."""
    known, start = homophone_rows(), len(record["firm"]["city"]) - 1
    places = [place for place in (start, start + 1) if value[place] in known]
    return replace_at(value, places[draw(len(places), "place")], known, draw) if places else value


def replace_at(value, place, known, draw):
    """Return the text with the character at a place replaced by one of those known for it."""
    others = known[value[place]]
    return value[:place] + others[draw(len(others), "other")] + value[place + 1 :]


def dropped_character(value, draw, record):
    """王小静 → 王静: never the surname."""
    surname = surname_of(record)
    place = len(surname) + draw(max(len(value) - len(surname), 1), "place")
    return value[:place] + value[place + 1 :] if len(value) > len(surname) + 1 else value


def other_gender(value, draw, record):
    """F → M."""
    return {"F": "M", "M": "F"}[value]


def digit(value, draw, record):
    """One digit wrong: among the last six of a number, in the year's last two, the month or the day of a date."""
    places = [place for place, character in enumerate(value) if character.isdigit()][-TAIL:]
    place = places[draw(len(places), "place")]
    return value[:place] + str((int(value[place]) + 1 + draw(9, "digit")) % 10) + value[place + 1 :]


def swapped_digits(value, draw, record):
    """…4567 → …4657: two neighbours among the last six."""
    places = [place for place in range(len(value) - TAIL, len(value) - 1) if value[place] != value[place + 1]]
    if not places:
        return value
    place = places[draw(len(places), "place")]
    return value[:place] + value[place + 1] + value[place] + value[place + 2 :]


def dropped_digit(value, draw, record):
    """One of the last six characters is missing."""
    place = len(value) - 1 - draw(TAIL, "place")
    return value[:place] + value[place + 1 :]


def day_month(value, draw, record):
    """1987-05-12 → 1987-12-05, where that is a date."""
    year, month, day = date_parts(value)
    return f"{year}-{day}-{month}" if int(day) <= 12 else value


def default_date(value, draw, record):
    """1990-01-01 or 1900-01-01: what the form offered."""
    return ("1990-01-01", "1990-01-01", "1900-01-01")[draw(3, "default")]


def id_digit(value, draw, record):
    """One digit of the birth date or the order code wrong, so that the check digit fails."""
    place = 8 + draw(9, "place")
    return value[:place] + str((int(value[place]) + 1 + draw(9, "digit")) % 10) + value[place + 1 :]


def id_region(value, draw, record):
    """The first digits slipped to the next key: 89 and 98 are no regions either."""
    return ("89", "98")[draw(2, "region")] + value[2:]


def check_character(value, draw, record):
    """The last character of a credit code is another one."""
    return value[:-1] + ALPHABET[(ALPHABET.index(value[-1]) + 1 + draw(30, "check")) % 31]


def letter_o(value, draw, record):
    """The letter O for the zero."""
    return value.replace("0", "O")


def address_digit(value, draw, record):
    """One digit of the house, block or flat wrong."""
    places = [place for place, character in enumerate(value) if character.isdigit()]
    place = places[draw(len(places), "place")]
    return value[:place] + str((int(value[place]) + 1 + draw(8, "digit")) % 10) + value[place + 1 :]


def truncated(value, draw, record):
    """The end of an address did not fit."""
    return value[: len(value) - 4 - draw(4, "length")]


def letter(value, draw, record):
    """One letter before the @ hit beside its key."""
    head, at, tail = value.partition("@")
    return keyboard(head, draw, record) + at + tail


def keyboard(value, draw, record):
    """A Latin letter hit beside its key, twice as often as one left out or two swapped."""
    places = [place for place, character in enumerate(value) if character.lower() in KEYS]
    if not places:
        return value
    place = places[draw(len(places), "place")]
    kind = draw(4, "kind")
    if kind == 0:
        return value[:place] + value[place + 1 :]
    if kind == 1 and place + 1 < len(value) and place + 1 in places:
        return value[:place] + value[place + 1] + value[place] + value[place + 2 :]
    near = KEYS[value[place].lower()]
    new = near[draw(len(near), "key")]
    return value[:place] + (new.upper() if value[place].isupper() else new) + value[place + 1 :]


def lost_at(value, draw, record):
    """The @ is missing."""
    return value.replace("@", "")


def comma(value, draw, record):
    """A comma for the dot of the domain: unreadable, never another domain."""
    head, _, tail = value.rpartition(".")
    return f"{head},{tail}"


def stray_space(value, draw, record):
    """A space before, after, or a full-width one after the text."""
    return (f" {value}", f"{value} ", f"{value}\u3000")[draw(3, "space")]
