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
    """Return (pick, first, kind, role).

    For each pattern, times 8 plus the slot in the group, what the person there is; `pick` is the pattern, times 8.
    """
    patterns = read_settings("parameters")["people"]["household_patterns"]
    pick = pick16([weight for _, weight in patterns], 16) * GROUP
    first, kind, role = (np.zeros((len(patterns), GROUP), dtype=np.uint8) for _ in range(3))
    for row, (kinds, _) in enumerate(patterns):
        slot = 0
        for name in kinds:
            for number, part in enumerate(MEMBERS[name]):
                first[row, slot + number] = slot
                kind[row, slot + number] = KINDS.index(name)
                role[row, slot + number] = ROLES.index(part)
            slot += len(MEMBERS[name])
        if slot != GROUP:
            raise ValueError(f"parameters.yaml: the households {kinds} have {slot} members; a pattern needs {GROUP}.")
    return pick, *(table.reshape(-1) for table in (first, kind, role))


def number_runs(values):
    """Return (places at which another value than before begins, for each place the number of its run of equal values).

    What is the same for neighbours is made once a run, and taken from there.
    """
    new = np.empty(len(values), dtype=bool)
    new[:1] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return np.flatnonzero(new), np.cumsum(new) - 1


def make_households(draws, rows):
    """Return the place of persons in their households.

    Parameters
    ----------
    draws : Draws
    rows : array of int64
        Row numbers of persons.

    Returns
    -------
    people : dict of arrays
        `household` (row of its first member), `kind`, `role`, `place` (number within the household), `sex` (0 F, 1 M),
        `age` in years, `birth` (day).
    houses : dict of arrays
        One entry a household: `row` (of its first member), `kind`, `head_sex`. And for each person `of` (place of the
        household here) and `cell` (place of the person's role in a table of shape (roles, households)).
    """
    pick, first, kind, role = pattern_tables()
    group = rows >> 3
    starts, group_of = number_runs(group)
    slot = rows & 7
    cell = pick[draws.words("household", "pattern", group[starts])[0]].take(group_of)
    cell += slot
    people = {"kind": kind.take(cell), "role": role.take(cell)}
    people["place"] = slot.astype(np.uint8) - first.take(cell)
    people["household"] = rows - people["place"]
    starts, of = number_runs(people["household"])
    houses = {"row": people["household"][starts], "kind": people["kind"][starts], "of": of}
    houses["cell"] = people["role"].astype(np.int64) * len(starts) + of
    house = draws.words("household", "ages", houses["row"]).astype(np.int32, order="C")
    own = draws.words("person", "birth", rows)
    people["sex"] = make_sexes(house, own, people["role"], houses)
    people["age"] = make_ages(house, own, people, houses)
    days = (people["age"] * 36525) // 100 + ((own[2].astype(np.int32) * 365) >> 16)
    people["birth"] = REFERENCE_DAY - days
    return people, houses


def make_sexes(house, own, role, houses):
    """Return the sex of persons; write that of the first adult into the households.

    Partners are a man and a woman here.
    """
    settings = read_settings("parameters")["people"]
    houses["head_sex"] = (house[3] >= settings["woman_first_per_1000"] * 65536 // 1000).view(np.uint8)
    limits = np.full(len(ROLES), 1 << 15, dtype=np.uint16)
    limits[PARENT] = settings["old_man_per_1000"] * 65536 // 1000
    sex = (own[0] < limits.take(role)).view(np.uint8)
    # of the first adult, and the other one for the partner
    return np.where(role <= PARTNER, houses["head_sex"].take(houses["of"]) ^ role, sex)


@cache
def age_table():
    """Return for each kind of household (lowest age of the first adult, number of ages)."""
    settings = read_settings("parameters")["people"]["age_first_adult"]
    low = np.array([settings[kind][0] for kind in KINDS], dtype=np.int32)
    return low, np.array([settings[kind][1] for kind in KINDS], dtype=np.int32) - low + 1


def make_ages(house, own, people, houses):
    """Return the age of persons in years at the reference date.

    That of the first adult, and the others' by their role.
    """

    def between(words, low, high):
        return low + ((words * np.int32(high - low + 1)) >> 16)

    low, ages = (table.take(houses["kind"]) for table in age_table())
    # for each role the age that its person has in each household, if there is one
    table = np.empty((len(ROLES), len(low)), dtype=np.int32)
    head, partner = low + ((house[0] * ages) >> 16), table[PARTNER]
    table[HEAD] = head
    np.maximum(head + between(house[1], -5, 5), 20, out=partner)
    np.subtract(np.minimum(head, partner), between(house[2], 23, 32), out=table[CHILD])
    np.minimum(np.maximum(head, partner) + between(house[2], 22, 28), 86, out=table[PARENT])
    np.maximum(head + between(house[1], 2, 6), 18, out=table[SIBLING])
    np.maximum(head + between(house[1], -3, 3), 18, out=table[FLATMATE])
    age = table.reshape(-1).take(houses["cell"])
    children = np.flatnonzero(people["role"] == CHILD)
    younger = np.maximum(people["place"][children].astype(np.int32) - 2, 0) * 4
    age[children] = np.maximum(age[children] - younger, between(own[3, children].astype(np.int32), 16, 22))
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


def stage_cells(draws, people, houses):
    """Return the place in `stage_table` of persons: by the kind of their household, its small children, their age."""
    share = read_settings("parameters")["people"]["couples_with_small_children_per_1000"]
    small_children = draws.chance(share, "household", "small children", houses["row"])
    cell = (houses["kind"] * np.int64(2 * OLDEST) + small_children).take(houses["of"])
    cell += 2 * people["age"]
    return cell
