"""Names of persons: tables of surnames and given names, and the draws that take from them."""

from datetime import date
from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import pick16, read_settings, split_entries
from cimlab.retailer.households import CHILD, FLATMATE, HEAD, PARENT, PARTNER, SIBLING, make_households
from cimlab.retailer.world import day_of, join_texts

DOUBLED_FROM = day_of(date(1980, 1, 1))  # 婷婷: women born from then on

# A given name is a number: that of its table (sex, era) and its place there: first the one-character names, then first
# × second character, then the doubled ones.


@cache
def surname_table():
    """Return (characters, readings, pick): the surnames, their pinyin, and a table for weighted picks of 16 bits."""
    entries = split_entries(read_settings("names")["surnames"])
    texts, readings, weights = zip(*entries, strict=True)
    return pa.array(texts), pa.array(readings), pick16([int(weight) for weight in weights], 16).astype(np.int16)


@cache
def given_tables():
    """Return the facts of the tables of given names, for women then men, from the oldest era to the youngest.

    A dict: `era_starts` (days), and arrays with a row per table: `start` (number of its first name), `single_share`,
    `singles`, `firsts`, `seconds` (how many), and over all names `texts` (one or two characters) and `readings`
    (syllables with a space between).
    """
    names, facts = (
        read_settings("names"),
        {key: [] for key in ("start", "single_share", "singles", "firsts", "seconds")},
    )
    sound = {c: reading for reading, characters in split_entries(names["pinyin"]) for c in characters}
    texts = []
    for sex in "FM":
        for era in names["given"][sex]:
            singles, firsts, seconds = (era[key].split() for key in ("single", "first", "second"))
            row = (len(texts), era["single_share"], len(singles), len(firsts), len(seconds))
            for key, value in zip(facts, row, strict=True):
                facts[key].append(value)
            texts += singles + [a + b if a != b else a for a in firsts for b in seconds] + [b + b for b in seconds]
    facts = {key: np.array(values, dtype=np.int32) for key, values in facts.items()}
    facts["single_limit"] = facts["single_share"] * 65536 // 100
    # the days on which the eras after the first one begin
    facts["era_starts"] = [day_of(date(era["until"] + 1, 1, 1)) for era in names["given"]["F"][:-1]]
    facts["texts"] = texts
    facts["readings"] = [" ".join(sound[character] for character in text) for text in texts]
    return facts


def make_surnames(draws, people, houses):
    """Return the surname of persons as numbers: children carry one of their parents', partners keep their own."""
    words = draws.words("household", "surnames", houses["row"])
    limit = read_settings("parameters")["people"]["mothers_surname_per_1000"] * 65536 // 1000
    # The first adult's name is the first word, the second one's the second; a child has the husband's, or now and then
    # the wife's. The old father is the husband's, the old mother has her own name, the third word.
    man_first = houses["head_sex"] == 1
    first, second, third = (surname_table()[2].take(word) for word in words[:3])
    of_child = np.where(man_first ^ (words[3] < limit), first, second)
    roles = {HEAD: first, PARTNER: second, CHILD: of_child, PARENT: third, SIBLING: first, FLATMATE: second}
    codes = np.stack([roles[role] for role in sorted(roles)]).reshape(-1).take(houses["cell"])
    fathers = np.flatnonzero((people["role"] == PARENT) & (people["sex"] == 1))
    codes[fathers] = np.where(man_first, first, second)[houses["of"][fathers]]
    return codes


def make_given_names(draws, rows, people):
    """Return the given names of persons as numbers, as people of that sex born in that year have them.

    Brothers and sisters may share the first character, as a generation name.
    """
    facts = given_tables()
    codes = draw_given_names(draws, rows, people["sex"], people["birth"])
    places = np.flatnonzero(((people["role"] == CHILD) & (people["place"] == 3)) | (people["role"] == SIBLING))
    share = read_settings("parameters")["people"]["sibling_character_per_1000"]
    places = places[draws.chance(share, "household", "shared character", people["household"][places])]
    if not len(places):
        return codes
    # The elder one is in the row before, and shares with nobody.
    elder_rows = rows[places] - 1
    if places[0] > 0 and np.array_equal(rows[places - 1], elder_rows):
        elder_codes = codes[places - 1]
    else:  # some rows before are not there
        elder, _ = make_households(draws, elder_rows)
        elder_codes = draw_given_names(draws, elder_rows, elder["sex"], elder["birth"])
    table, first, second = split_code(codes[places])
    elder_table, elder_first, elder_second = split_code(elder_codes)
    both = (first >= 0) & (elder_first >= 0) & (table == elder_table)
    second = np.where(second == elder_second, (second + 1) % facts["seconds"][table], second)
    shared = facts["start"][table] + facts["singles"][table] + elder_first * facts["seconds"][table] + second
    codes[places] = np.where(both, shared, codes[places])
    return codes


def draw_given_names(draws, rows, sex, birth):
    """Return given names as numbers for persons of that sex and day of birth."""
    facts = given_tables()
    table = sex * np.int64(len(facts["era_starts"]) + 1)
    for start in facts["era_starts"]:
        table += birth >= start
    single, first, second, other = draws.words("person", "given", rows)
    firsts, seconds, singles = (facts[key].take(table) for key in ("firsts", "seconds", "singles"))
    is_single = single < facts["single_limit"].take(table)
    lone = (other * singles) >> 16
    # a doubled name stands behind those of all first characters
    share = read_settings("names")["doubled_share"] * 65536 // 100
    doubled = (sex == 0) & (birth >= DOUBLED_FROM) & (other < share)
    place = np.where(doubled, firsts, (first * firsts) >> 16)
    place *= seconds
    place += (second * seconds) >> 16
    place += singles
    np.copyto(place, lone, where=is_single)
    place += facts["start"].take(table)
    return place


def split_code(codes):
    """Return (table, first, second) of given names; first is -1 for a name of one character or a doubled one."""
    facts = given_tables()
    table = np.searchsorted(facts["start"], codes, side="right") - 1
    place = codes - facts["start"][table] - facts["singles"][table]
    first, second = place // facts["seconds"][table], place % facts["seconds"][table]
    return table, np.where((place < 0) | (first >= facts["firsts"][table]), -1, first), second


def surnames(people):
    """Return the surnames of persons as text."""
    return surname_table()[0].take(pa.array(people["surname"]))


@cache
def given_texts():
    """Return (names, readings with spaces, readings joined, initials) of all given names as Arrow columns."""
    facts = given_tables()
    joined = [reading.replace(" ", "") for reading in facts["readings"]]
    initials = ["".join(part[0] for part in reading.split()) for reading in facts["readings"]]
    return pa.array(facts["texts"]), pa.array(facts["readings"]), pa.array(joined), pa.array(initials)


def given_names(people):
    """Return the given names of persons as text."""
    return given_texts()[0].take(pa.array(people["given"]))


@cache
def name_pieces():
    """Return all surnames and then all given names, as one Arrow column."""
    return pa.concat_arrays([surname_table()[0], given_texts()[0]])


def full_names(people):
    """Return the names of persons: surname and given name."""
    codes = np.empty((len(people["given"]), 2), dtype=np.int32)
    codes[:, 0] = people["surname"]
    np.add(people["given"], np.int32(len(surname_table()[0])), out=codes[:, 1])
    return join_texts(name_pieces(), codes)


def pinyin(people):
    """Return (reading of the surname, syllables of the given name with spaces between) of persons."""
    readings = surname_table()[1].take(pa.array(people["surname"]))
    return readings, given_texts()[1].take(pa.array(people["given"]))
