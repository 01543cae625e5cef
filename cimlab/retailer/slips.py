"""Slips of hand, ear and scanner: the errors that `dirt.yaml` names.

Operations as in `forms`, mostly text by text: function(value, number, facts), where `number` holds 64 random bits that
are used up from below (`divmod`). A slip that does not fit the value returns it as it is. All dirt stays harmless:
numbers stay in the invented ranges of mobile numbers or become unreadable, identity numbers stay in regions that do not
exist, e-mail addresses in the example domains or become unreadable.
"""

from functools import cache

import pyarrow as pa

from cimlab.retailer.draws import read_settings, split_entries
from cimlab.retailer.forms import split_firm
from cimlab.retailer.texts import by_word, detail, each, join

# GB 32100: the characters of a unified social credit code.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# The keys beside each letter of a QWERTY keyboard.
ROWS = (
    *("qwa", "wqes", "ewrd", "retf", "tryg", "ytuh", "uyij", "iuok", "oipl", "pol"),
    *("aqsz", "sadw", "dsfe", "fdgr", "gfht", "hgjy", "jhku", "kjli", "lko"),
    *("zsax", "xzcd", "cxvf", "vcbg", "bvnh", "nbmj", "mnk"),
)
KEYS = {row[0]: row[1:] for row in ROWS}
DIGITS = "0123456789"
TAIL = 6  # the last digits of a number, where slips are made: those before name the invented range


# --- tools ---------------------------------------------------------------------------------------------------------


def replace_at(value, place, text):
    """Return the value with the character at a place replaced."""
    return value[:place] + text + value[place + 1 :]


def swap_in(value, places, known, number):
    """Return the value with the character at one of the places replaced by one of those known for it."""
    if not places:
        return value
    number, at = divmod(number, len(places))
    others = known[value[places[at]]]
    return replace_at(value, places[at], others[number % len(others)])


def wrong_digit(value, places, number):
    """Return the value with the digit at one of the places replaced by another digit."""
    if not places:
        return value
    number, at = divmod(number, len(places))
    place = places[at]
    return replace_at(value, place, str((int(value[place]) + 1 + number % 9) % 10))


def digit_places(value):
    """Return the places of the digits of a text."""
    return [place for place, character in enumerate(value) if character in DIGITS]


@cache
def homophones():
    """Return for each character those that an input method offers in its place, as one text."""
    others = {}
    for row in split_entries(read_settings("names")["homophones"]):
        for character in row:
            old = others.get(character, "")
            others[character] = old + "".join(new for new in row if new != character and new not in old)
    return others


@cache
def look_alikes():
    """Return for each character those that a scanner reads in its place, as one text."""
    others = {}
    for first, second in split_entries(read_settings("dirt")["ocr"]):
        others[first] = others.get(first, "") + second
        others[second] = others.get(second, "") + first
    return others


# --- names ---------------------------------------------------------------------------------------------------------


@each()
def homophone(value, number):
    """王静 → 王敬: another character of the same reading; seldom in the surname."""
    known = homophones()
    places = [place for place, character in enumerate(value) if character in known]
    number, surname = divmod(number, detail("surname_one_in"))
    if len(places) > 1 and places[0] == 0 and surname:
        places = places[1:]
    return swap_in(value, places, known, number)


@each("surname")
def dropped_character(value, number, surname):
    """王小静 → 王静: never the surname."""
    start = len(surname)
    if len(value) <= start + 1:
        return value
    return replace_at(value, start + number % (len(value) - start), "")


@each()
def keyboard(value, number):
    """A Latin letter hit beside its key, twice as often as one left out or two swapped."""
    places = [place for place, character in enumerate(value) if character.lower() in KEYS]
    if not places:
        return value
    number, at = divmod(number, len(places))
    number, kind = divmod(number, 4)
    place = places[at]
    if kind == 0:
        return replace_at(value, place, "")
    if kind == 1 and place + 1 in places:
        return value[:place] + value[place + 1] + value[place] + value[place + 2 :]
    near = KEYS[value[place].lower()]
    new = near[number % len(near)]
    return replace_at(value, place, new.upper() if value[place].isupper() else new)


@by_word
def other_gender(value):
    """F → M."""
    return {"F": "M", "M": "F"}.get(value, value)


# --- numbers -------------------------------------------------------------------------------------------------------


@each()
def digit(value, number):
    """One digit wrong: among the last six of a number; in a date the year's last two, the month or the day."""
    return wrong_digit(value, digit_places(value)[-TAIL:], number)


@each()
def swapped_digits(value, number):
    """…4567 → …4657: two neighbours among the last six."""
    start = max(len(value) - TAIL, 0)
    places = [place for place in range(start, len(value) - 1) if value[place] != value[place + 1]]
    if not places:
        return value
    place = places[number % len(places)]
    return value[:place] + value[place + 1] + value[place] + value[place + 2 :]


@each()
def dropped_digit(value, number):
    """One of the last six characters is missing."""
    return replace_at(value, len(value) - 1 - number % min(TAIL, len(value)), "")


@each()
def day_month(value, number):
    """1987-05-12 → 1987-12-05, where that is a date."""
    year, month, day = value.split("-")
    return f"{year}-{day}-{month}" if int(day) <= 12 else value


@each()
def default_date(value, number):
    """1990-01-01 or 1900-01-01: what the form offered."""
    dates = detail("default_dates").split()
    return dates[number % len(dates)]


@each()
def younger(value, number):
    """Some years younger than true: the year contradicts that of other records of the person."""
    year = int(value[:4]) + 1 + number % detail("younger_by")
    return f"{min(year, detail('youngest_year'))}{value[4:]}"


@each()
def id_digit(value, number):
    """One digit of the birth date or the order code wrong, so that the check digit fails."""
    return wrong_digit(value, [place for place in range(8, 17) if value[place : place + 1].isdigit()], number)


@each()
def id_region(value, number):
    """The first digits slipped to the next key: 89 and 98 are no regions either."""
    return ("89", "98")[number % 2] + value[2:]


@each()
def check_character(value, number):
    """The last character of a credit code is another one."""
    return value[:-1] + ALPHABET[(ALPHABET.find(value[-1]) + 1 + number % 30) % 31]


@each()
def letter_o(value, number):
    """The letter O for the zero."""
    return value.replace("0", "O")


# --- addresses, firms, e-mail addresses ----------------------------------------------------------------------------


@each()
def street_homophone(value, number):
    """青溪路 → 清溪路: in the two characters of the street, which stand after the district."""
    start = value.find("区") + 1
    known = homophones()
    return swap_in(value, [place for place in (start, start + 1) if value[place : place + 1] in known], known, number)


@each()
def brand_homophone(value, number):
    """云禾 → 云和: in the two characters of the brand, which stand after the city."""
    start = len(split_firm(value)[0])
    known = homophones()
    return swap_in(value, [place for place in (start, start + 1) if value[place : place + 1] in known], known, number)


@each()
def address_digit(value, number):
    """One digit of the house, block or flat wrong."""
    return wrong_digit(value, digit_places(value), number)


@each()
def truncated(value, number):
    """The end of an address did not fit."""
    low, high = detail("cut")
    return value[: len(value) - low - number % (high - low + 1)] if len(value) > detail("uncut") else value


@each()
def letter(value, number):
    """One letter before the @ hit beside its key, left out or swapped with the next."""
    head, at, tail = value.partition("@")
    return slip_of_key(head, number) + at + tail


slip_of_key = keyboard.__wrapped__


@each()
def lost_at(value, number):
    """The @ is missing."""
    return value.replace("@", "")


@each()
def comma(value, number):
    """A comma for the dot of the domain: unreadable, never another domain."""
    head, dot, tail = value.rpartition(".")
    return f"{head},{tail}" if dot else value


def stray_space(values, numbers, cells):
    """A space before, after, or a full-width one after the text."""
    which = pa.array((numbers % 3).astype("int8"))
    return join(pa.array([" ", "", ""]).take(which), values, pa.array(["", " ", "\u3000"]).take(which))


# --- scanned paper -------------------------------------------------------------------------------------------------


@each()
def ocr(value, number):
    """A character read as one that looks like it: 0 as O, 日 as 曰; on paper that was scanned."""
    known = look_alikes()
    return swap_in(value, [place for place, character in enumerate(value) if character in known], known, number)


@each()
def ocr_digit(value, number):
    """A digit among the last six of a number read as what looks like it; mostly unreadable afterwards."""
    known = look_alikes()
    places = [place for place in digit_places(value)[-TAIL:] if value[place] in known]
    return swap_in(value, places, known, number)


@each()
def ocr_email(value, number):
    """A character before the @ read as what looks like it; without an @, nothing."""
    known = look_alikes()
    places = [place for place, character in enumerate(value.partition("@")[0]) if character in known]
    return swap_in(value, places, known, number) if "@" in value else value
