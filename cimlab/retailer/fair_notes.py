"""What the helpers at an exhibition noted of a visitor: looks, manner, likings, what was said, what is to be done next.

A note is some of these parts in one of several orders, in Chinese or English, joined in different ways. The words are
in `external.yaml`.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import CATEGORIES

SLOTS = ("look", "age", "manner", "liking", "said", "next", "sensitive")
LANGUAGES = ("zh", "en")


@cache
def note_tables():
    """Return (all phrases, dict of slot: (first phrase, number of phrases), arrays of shape (languages, groups)).

    Groups: of `look` the sexes; of `age` sex and age band; of `liking` the groups of goods, for private visitors, then
    for firms; of `said` and `next` private visitors and firms.
    """
    texts, tables = [], {}
    for slot in SLOTS:
        rows = []
        for language in LANGUAGES:
            row = []
            for phrases in phrase_groups(read_settings("external")["manner"][language], slot):
                row.append((len(texts), len(phrases)))
                texts += phrases
            rows.append(row)
        tables[slot] = tuple(np.array(rows).transpose(2, 0, 1))
    return pa.array(texts), tables


def phrase_groups(words, slot):
    """Return the lists of phrases of a slot in one language, one list for each group of visitors."""
    if slot == "look":
        return [words["look"]["any"] + words["look"][sex] for sex in "FM"]
    if slot == "age":
        return [phrases for sex in "FM" for phrases in words["age"][sex].values()]
    if slot == "liking":
        return [words[kind][category] for kind in ("liking", "wants") for category in CATEGORIES]
    return list(words[slot].values()) if isinstance(words[slot], dict) else [words[slot]]


def groups_of(slot, visitors):
    """Return the group of each visitor in a slot; −1 where the slot says nothing of that visitor."""
    for_firm = visitors["age"] < 0
    if slot == "look":
        return visitors["sex"]
    if slot == "age":
        limits = list(read_settings("external")["manner"]["zh"]["age"]["F"])
        return np.where(
            for_firm, -1, visitors["sex"] * len(limits) + np.searchsorted(limits, visitors["age"], side="left")
        )
    if slot == "liking":
        return for_firm * len(CATEGORIES) + visitors["interests"][:, 0]
    return for_firm.astype(np.int64) if slot in ("said", "next") else np.zeros(len(for_firm), dtype=np.int64)


def make_notes(draws, visitors):
    """Return the note on each visitor, null where none was made.

    Parameters
    ----------
    draws : Draws
    visitors : dict of arrays
        `key`, `sex` (0 F, 1 M), `age` (−1 for those who came for a firm), `interests` (first column: group of goods),
        `english`.

    Returns
    -------
    pyarrow.StringArray
    """
    settings, key = read_settings("external")["exhibition"], visitors["key"]
    shapes = [shape.split() for shape, _ in settings["shapes"]]
    words = draws.words("fair visitor", "note", key).astype(np.int64)
    shape = pick16([weight for _, weight in settings["shapes"]], 16)[words[0]]
    secret = words[3] * 1000 >> 16 < settings["sensitive"]
    texts, chosen = note_tables()[0], []
    for place in range(max(map(len, shapes)) + 1):
        names = [parts[place] if place < len(parts) else "" for parts in shapes]
        slots = np.array([SLOTS.index(name) if name else -1 for name in names])[shape]
        if place == max(map(len, shapes)):
            slots = np.where(secret, SLOTS.index("sensitive"), -1)
        number = choose_phrases(draws, visitors, slots, place)
        for other in chosen:  # nothing is said twice
            number[number == other] = -1
        chosen.append(number)
    columns = [texts.take(pa.array(number, mask=number < 0)) for number in chosen]
    notes = pc.binary_join_element_wise(*columns, choose_joints(visitors, words[1]), null_handling="skip")
    return pc.if_else(pa.array(words[2] * 1000 >> 16 < settings["noted"]), notes, pa.scalar(None, pa.string()))


def choose_phrases(draws, visitors, slots, place):
    """Return the number of the phrase that stands at a place of each note; −1 for none."""
    tables = note_tables()[1]
    bits = draws.words("fair visitor", "phrase", visitors["key"], place)[0].astype(np.int64)
    language, out = visitors["english"].astype(np.int64), np.full(len(bits), -1)
    for slot in np.unique(slots[slots >= 0]).tolist():
        group, (starts, counts) = groups_of(SLOTS[slot], visitors), tables[SLOTS[slot]]
        number = starts[language, group] + (bits * counts[language, group] >> 16)
        fits = (slots == slot) & (group >= 0)
        out[fits] = number[fits]
    return out


def choose_joints(visitors, bits):
    """Return what stands between the parts of each note."""
    joints = read_settings("external")["exhibition"]["joints"]
    texts = [text for language in LANGUAGES for text, _ in joints[language]]
    picks = np.stack([pick16([weight for _, weight in joints[language]], 16) for language in LANGUAGES])
    language = visitors["english"].astype(np.int64)
    return pa.array(texts).take(pa.array(picks[language, bits] + language * len(joints["zh"])))


def write_interests(draws, visitors):
    """Return the groups of goods as the helper wrote them: one of several Chinese words, or the English one."""
    names = read_settings("external")["interests"]
    texts = pa.array([text for c in CATEGORIES for text in names[c]] + list(CATEGORIES))
    starts = np.cumsum([0] + [len(names[c]) for c in CATEGORIES])
    counts, first_english = np.diff(starts), starts[-1]
    pairs = read_settings("external")["exhibition"]["joints_of_interests"]
    words = draws.words("fair visitor", "interest written", visitors["key"]).astype(np.int64)
    columns = []
    for place, category in enumerate(visitors["interests"].T):
        chinese = starts[category] + (words[place] * counts[category] >> 16)
        number = np.where(visitors["english"], first_english + category, chinese)
        columns.append(texts.take(pa.array(number, mask=category < 0)))
    texts = [text for text, _ in pairs]
    joint = pick16([weight for _, weight in pairs], 16)[words[3]]
    joints = pa.array(texts).take(pa.array(np.where(visitors["english"], texts.index(", "), joint)))
    return pc.binary_join_element_wise(*columns, joints, null_handling="skip")
