"""Names of persons: tables of surnames and given names, and the draws that take from them."""

from datetime import date
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.draws import pick16, read_settings, split_entries
from cimlab.retailer.households import CHILD, HEAD, PARENT, SIBLING
from cimlab.retailer.world import day_of

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


def make_surnames(draws, people):
    """Return the surname of persons as numbers: children carry one of their parents', partners keep their own."""
    pick = surname_table()[2]
    role, words = people["role"], draws.words("household", "surnames", people["household"])
    limit = read_settings("parameters")["people"]["mothers_surname_per_1000"] * 65536 // 1000
    # The first adult's name is the first word, the second one's the second; a child has the husband's, or now and then
    # the wife's. The old father is the husband's, the old mother has her own name, the third word.
    man_first = people["head_sex"] == 1
    of_child = man_first ^ (words[3] < limit)
    of_parent = np.where(people["sex"] == 1, np.where(man_first, words[0], words[1]), words[2])
    word = np.where((role == HEAD) | (role == SIBLING) | ((role == CHILD) & of_child), words[0], words[1])
    return pick[np.where(role == PARENT, of_parent, word)]


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
    # The elder one is in the row before, whose name is computed again: it may lie in another block.
    elder_rows = rows[places] - 1
    from cimlab.retailer.households import make_households

    elder = make_households(draws, elder_rows)
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
    era = sum(birth >= start for start in facts["era_starts"][1:]) + (birth >= facts["era_starts"][0])
    table = sex * np.int32(len(facts["era_starts"]) + 1) + era
    single, first, second, other = draws.words("person", "given", rows)
    seconds, is_single = facts["seconds"][table], single < facts["single_limit"][table]
    first = (first * facts["firsts"][table]) >> 16
    second = (second * seconds) >> 16
    lone = (other * facts["singles"][table]) >> 16
    share = read_settings("names")["doubled_share"] * 65536 // 100
    doubled = (sex == 0) & (birth >= DOUBLED_FROM) & (other < share)
    place = np.where(doubled, facts["firsts"][table], first) * seconds + second + facts["singles"][table]
    return facts["start"][table] + np.where(is_single, lone, place)


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


def full_names(people):
    """Return the names of persons: surname and given name."""
    return pc.binary_join_element_wise(surnames(people), given_names(people), "")


def pinyin(people):
    """Return (reading of the surname, syllables of the given name with spaces between) of persons."""
    readings = surname_table()[1].take(pa.array(people["surname"]))
    return readings, given_texts()[1].take(pa.array(people["given"]))
