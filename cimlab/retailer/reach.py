"""How persons can be reached: their mobile numbers and e-mail addresses, all invented, as numbers and as texts."""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import by_limit, pick16, read_settings, words_of
from cimlab.retailer.households import OLDEST, PARENT
from cimlab.retailer.naming import given_texts, surname_table
from cimlab.retailer.world import NO_DAY, day_of, join_texts, text_column

# Two ranges of satellite numbers: valid for every checker, and nobody's in the street.
PHONES = 16_000_000
FIRST_RANGE, FIRST_RANGE_SIZE, SECOND_RANGE = 17_400_000_000, 6_000_000, 13_490_000_000
FORMER_FROM, FORMER_SIZE = 8_000_000, 4_000_000  # numbers that were given up; above 8 M customers they are sold again


def phone_numbers(draws, places):
    """Return the mobile numbers at some places of the shuffled list of all numbers; every place has another number."""
    index = draws.permute(places, PHONES, "phone")
    in_second = index >= FIRST_RANGE_SIZE
    index += FIRST_RANGE
    index -= in_second * (FIRST_RANGE + FIRST_RANGE_SIZE - SECOND_RANGE)
    return index


def make_phones(draws, rows, people, past=True):
    """Return phone, and with `past` the former phone and the day of the change.

    Some numbers were somebody else's, some old people use a child's.
    """
    settings, owner = read_settings("parameters")["people"], rows
    old = np.flatnonzero((people["role"] == PARENT) & (people["age"] >= 65))
    shared = old[draws.chance(settings["phone_shared_per_1000"], "person", "phone shared", rows[old])]
    if len(shared):
        owner = rows.copy()
        owner[shared] = people["household"][shared]
    places = owner % PHONES if owner.max(initial=0) >= PHONES else owner.copy()
    changed, days, words = phone_changes(draws, owner)
    recycled = words[1] < settings["phone_recycled_per_1000"] * 65536 // 1000
    takers, taken_on = changed[recycled], days[recycled]
    givers = owner[takers] - 8 * (1 + (words[2, recycled].astype(np.int64) >> 10))
    known, given_up, _ = phone_changes(draws, np.maximum(givers, 0))
    known = known[(givers[known] >= 0) & (given_up < taken_on[known])]
    places[takers[known]] = FORMER_FROM + givers[known] % FORMER_SIZE
    phones = {"phone": phone_numbers(draws, places)}
    if past:
        phones["former_phone"] = np.full(len(rows), -1, dtype=np.int64)
        phones["former_phone"][changed] = phone_numbers(draws, FORMER_FROM + owner[changed] % FORMER_SIZE)
        phones["phone_changed_on"] = np.full(len(rows), NO_DAY, dtype=np.int32)
        phones["phone_changed_on"][changed] = days
    return phones


def phone_changes(draws, rows):
    """Return (positions of those who got a new number, the day of it, their words)."""
    settings = read_settings("parameters")["people"]
    bits = draws.bits("person", "phone", rows)
    changed = np.flatnonzero((bits & np.uint64(0xFFFF)) < settings["phone_changed_per_1000"] * 65536 // 1000)
    first, last = (day_of(day) for day in settings["changes_between"])
    words = words_of(bits[changed])
    return changed, first + (words[3] * np.int32(last - first + 1) >> 16), words


@cache
def by_age(table, name):
    """Return the numbers of a (up to that age, number) list of parameters.yaml for each year of age."""
    return by_limit(read_settings("parameters")[table][name], np.arange(OLDEST)).astype(np.int32)


@cache
def email_limits():
    """Return for each year of age below which of 65,536 numbers a person has an e-mail address."""
    return by_age("people", "email_by_age") * 65536 // 1000


def make_mail(draws, rows, people):
    """Return whether persons have an e-mail address, and what it is made from."""
    words = draws.words("person", "email", rows)
    return {
        "has_email": words[2] < email_limits().take(people["age"]),
        "email_words": words[:2],
        "id_order": words[3],
        "email_shift": int(draws.key("person", "email numbers") >> np.uint64(34)),
    }


# -------------------------------------------------------------------------------------------------------------------
# texts


def phones_text(numbers, mask=None):
    """Return mobile numbers as text of 11 digits; null for -1."""
    numbers = np.asarray(numbers, dtype=np.int64)
    mask = numbers < 0 if mask is None else mask
    numbers = numbers.compress(~mask) if mask.any() else numbers
    front = (numbers // 10_000).astype(np.uint32)
    head = front // np.uint32(10_000)
    groups = digit_groups().view("<u4").reshape(-1)
    out = np.empty(len(numbers), dtype=[("mark", "u1"), ("head", "<u2"), ("middle", "<u4"), ("last", "<u4")])
    # of the groups of four digits the first one begins with a 0, which is left out
    out["middle"] = groups.take(front - head * np.uint32(10_000))
    out["last"] = groups.take(numbers.astype(np.uint32) - front * np.uint32(10_000))  # the rest of the low 32 bits
    head = groups.take(head)
    out["mark"], out["head"] = head >> np.uint32(8), head >> np.uint32(16)
    return fixed_text(out.view(np.uint8).reshape(len(numbers), 11), mask)


@cache
def digit_groups():
    """Return the texts of 0000 to 9999 as an array of shape (10000, 4) of bytes."""
    numbers = np.arange(10_000)
    return np.stack([numbers // power % 10 + ord("0") for power in (1000, 100, 10, 1)], axis=1).astype(np.uint8)


def fixed_text(matrix, mask=None):
    """Return rows of bytes as an Arrow text column; null where `mask`, of which the matrix has no row."""
    count, width = matrix.shape
    offsets = np.arange(0, count * width + 1, width, dtype=np.int32)
    return text_column(offsets, np.ascontiguousarray(matrix), mask)


# The forms of an e-mail address: 0 wangfang · 1 fangwang · 2 fang.wang · 3 wang_fang · 4 fwang (initials of the given
# name). For each of them whether the surname comes first, whether initials do, whether a sign stands between.
SURNAME_FIRST, INITIALS, WITH_SIGN = (
    np.array(column, dtype=np.int32) for column in ([1, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 1, 1, 0])
)


@cache
def email_pieces():
    """Return what e-mail addresses are made from.

    Returns
    -------
    pieces : pyarrow.StringArray
        Surnames, given names, initials; surnames and given names with a sign before them; thousands; ends.
    thousands, ends : int
        The places at which those begin.
    domain : array of int
        What to add to `ends` for a number of 8 bits: each domain has a thousand ends.
    """
    readings, joined, initials = surname_table()[1].to_pylist(), *(t.to_pylist() for t in given_texts()[2:])
    names = readings + joined + initials + ["." + text for text in readings] + ["_" + text for text in joined]
    thousands = ["", *map(str, range(1, 100_000))]
    domains = read_settings("parameters")["people"]["email_domains"]
    ends = [f"{low:03d}@example.{domain}" for domain, _ in domains for low in range(1000)]
    domain = pick16([weight for _, weight in domains], 8).astype(np.int32) * 1000
    return pa.array(names + thousands + ends), len(names), len(names) + len(thousands), domain


def emails(people):
    """Return the e-mail addresses of persons, null where they have none; no two persons have the same."""
    pieces, thousands, ends, domain = email_pieces()
    there = np.flatnonzero(people["has_email"])
    form_word, domain_word = (words[there] for words in people["email_words"])
    surnames, given_count = np.int32(len(surname_table()[1])), np.int32(len(given_texts()[0]))
    form, surname, given = (form_word * np.int32(5)) >> 16, people["surname"][there], people["given"][there] + surnames
    swap = (given - surname) * SURNAME_FIRST.take(form)
    codes = np.empty((len(there), 4), dtype=np.int32)
    np.add(given - swap, (INITIALS * given_count).take(form), out=codes[:, 0])
    np.add(surname + swap, (WITH_SIGN * (surnames + 2 * given_count)).take(form), out=codes[:, 1])
    number = email_numbers(people["row"][there], people["email_shift"])
    high = number // np.int32(1000)
    np.add(high, np.int32(thousands), out=codes[:, 2])
    number -= high * np.int32(1000)
    number += np.int32(ends)
    np.add(number, domain.take(domain_word >> 8), out=codes[:, 3])
    return join_texts(pieces, codes, ~people["has_email"])


def email_numbers(rows, shift):
    """Return the number in each e-mail address: each row has its own, with more digits in larger worlds."""
    rows = rows + 100
    low = 10 ** (len(str(int(rows.min(initial=100)))) - 1)
    if len(rows) and low <= rows.min() and rows.max() < 10 * low:  # nearly all blocks
        return shuffle_decade(rows, low, shift)
    out, low = np.empty(len(rows), dtype=np.int32), 100
    while low <= rows.max(initial=0):
        inside = (rows >= low) & (rows < low * 10)
        out[inside] = shuffle_decade(rows[inside], low, shift)
        low *= 10
    return out


def shuffle_decade(numbers, low, shift):
    """Return the numbers from `low` to 10 · `low` − 1 in another order, each once.

    An affine shuffle: 7 · 11 · 13 · 1000003 has no divisor in common with 9 · 10^n.
    """
    size = 9 * low
    out = (numbers - low) * (1_001 * 1_000_003 % size)
    out += shift % size
    out -= out // size * size  # faster than %
    out += low
    return out.astype(np.int32)
