"""Households: who lives with whom, in which part, of which age and sex.

Eight neighbouring rows of persons form a group, and a pattern cuts the group into households. So the household of a
person follows from the person's row alone: no list of earlier households is needed, and a larger world changes nobody's
family.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import LIFE_STAGES, REFERENCE_DAY, ROLES

GROUP = 8
OLDEST = 130  # ages are below
# The roles of the members of each kind of household, in the order of their rows.
MEMBERS = {
    "single": ["head"],
    "couple": ["head", "partner"],
    "couple_child": ["head", "partner", "child"],
    "couple_two_children": ["head", "partner", "child", "child"],
    "three_generations": ["head", "partner", "child", "parent"],
    "siblings": ["head", "sibling"],
    "flatmates": ["head", "flatmate"],
}
KINDS = tuple(MEMBERS)
HEAD, PARTNER, CHILD, PARENT, SIBLING, FLATMATE = range(len(ROLES))


@cache
def pattern_tables():
    """Return (pick, first, kind, role, place).

    For each pattern, times 8 plus the slot in the group, what the person there is.
    """
    patterns = read_settings("parameters")["people"]["household_patterns"]
    pick = pick16([weight for _, weight in patterns], 16)
    pick = pick.astype(np.int32)
    first, kind, role, place = (np.zeros((len(patterns), GROUP), dtype=np.uint8) for _ in range(4))
    for row, (kinds, _) in enumerate(patterns):
        slot = 0
        for name in kinds:
            for number, part in enumerate(MEMBERS[name]):
                first[row, slot + number] = slot
                kind[row, slot + number] = KINDS.index(name)
                role[row, slot + number] = ROLES.index(part)
                place[row, slot + number] = number
            slot += len(MEMBERS[name])
        if slot != GROUP:
            raise ValueError(f"parameters.yaml: the households {kinds} have {slot} members; a pattern needs {GROUP}.")
    return pick, *(table.reshape(-1) for table in (first, kind, role, place))


def make_households(draws, rows):
    """Return the place of persons in their households.

    Parameters
    ----------
    draws : Draws
    rows : array of int64
        Row numbers of persons.

    Returns
    -------
    dict of arrays
        `household` (row of its first member), `kind`, `role`, `place` (number within the household), `sex` (0 F, 1 M),
        `age` in years, `birth` (day), `head_sex`.
    """
    pick, first, kind, role, place = pattern_tables()
    cell = pick[draws.words("household", "pattern", rows >> 3)[0]]
    cell <<= 3
    slot = (rows & 7).astype(np.int32)
    cell += slot
    people = {"household": rows - slot + first[cell], "kind": kind[cell], "role": role[cell], "place": place[cell]}
    house = draws.words("household", "ages", people["household"])
    own = draws.words("person", "birth", rows)
    people |= make_sexes(house, own, people["role"])
    people["age"] = make_ages(house, own, people)
    days = (people["age"] * 36525) // 100 + ((own[2].astype(np.int32) * 365) >> 16)
    people["birth"] = REFERENCE_DAY - days
    return people


def make_sexes(house, own, role):
    """Return the sex of persons and that of their household's first adult: partners are a man and a woman here."""
    settings = read_settings("parameters")["people"]
    head = (house[3] >= settings["woman_first_per_1000"] * 65536 // 1000).astype(np.uint8)
    old_man = settings["old_man_per_1000"] * 65536 // 1000
    sex = (own[0] < np.where(role == PARENT, old_man, 1 << 15).astype(np.uint16)).astype(np.uint8)
    sex = np.where(role == HEAD, head, sex)
    return {"head_sex": head, "sex": np.where(role == PARTNER, 1 - head, sex)}


@cache
def age_table():
    """Return for each kind of household (lowest age of the first adult, number of ages)."""
    settings = read_settings("parameters")["people"]["age_first_adult"]
    low = np.array([settings[kind][0] for kind in KINDS], dtype=np.int32)
    return low, np.array([settings[kind][1] for kind in KINDS], dtype=np.int32) - low + 1


def make_ages(house, own, people):
    """Return the age of persons in years at the reference date.

    That of the first adult, and the others' by their role.
    """

    def between(words, low, high):
        return low + ((words * np.int32(high - low + 1)) >> 16)

    low, ages = (table[people["kind"]] for table in age_table())
    words = house[:3].astype(np.int32)
    age = low + ((words[0] * ages) >> 16)
    others = np.flatnonzero(people["role"] != HEAD)
    role, head, words = people["role"][others], age[others], words[:, others]
    partner = np.maximum(head + between(words[1], -5, 5), 20)
    younger = np.maximum(people["place"][others].astype(np.int32) - 2, 0) * 4
    child = np.minimum(head, partner) - between(words[2], 23, 32) - younger
    child = np.maximum(child, between(own[3, others].astype(np.int32), 16, 22))
    parent = np.minimum(np.maximum(head, partner) + between(words[2], 22, 28), 86)
    sibling = np.maximum(head + between(words[1], 2, 6), 18)
    flatmate = np.maximum(head + between(words[1], -3, 3), 18)
    age[others] = np.choose(role, [head, partner, child, parent, sibling, flatmate])
    return age


@cache
def stage_table():
    """Return the stage of life (index into LIFE_STAGES) for a kind of household, an age and small children or none."""
    name = {stage: number for number, stage in enumerate(LIFE_STAGES)}
    stages = np.full((len(KINDS), OLDEST, 2), name["single"], dtype=np.uint8)
    stages[KINDS.index("couple")] = name["couple"]
    stages[KINDS.index("couple"), 26:45, 1] = name["young family"]
    stages[:, 60:] = name["retired"]
    for kind in ("couple_child", "couple_two_children"):
        stages[KINDS.index(kind)] = name["grown family"]
    stages[KINDS.index("three_generations")] = name["three generations"]
    return stages.reshape(-1)


def life_stages(draws, people):
    """Return the stage of life of persons' households (index into LIFE_STAGES)."""
    share = read_settings("parameters")["people"]["couples_with_small_children_per_1000"]
    small_children = draws.chance(share, "household", "small children", people["household"])
    return stage_table()[(people["kind"] * np.int32(OLDEST) + people["age"]) * 2 + small_children]
