"""Campaigns: who was asked, who was left out at random, who opened the message, and what it changed.

The answer is planted: a persuadable person who is treated may make one more purchase in the window, a sleeping dog
drops purchases of it, the others do as they would have done. So the difference between the arms is the effect, and the
kinds are in the truth.
"""

import numpy as np
import pyarrow as pa

from cimlab.retailer.cards import newest_card
from cimlab.retailer.draws import read_settings
from cimlab.retailer.purchases import EXTRA_FROM
from cimlab.retailer.world import CAMPAIGN_KINDS, NO_DAY, REFERENCE_DAY, THINGS, day_of, id_text

PERSUADABLE, SURE_THING, LOST_CAUSE, SLEEPING_DOG = range(len(CAMPAIGN_KINDS))
ROOM = 8  # for campaigns in a row number


def make_contacts(draws, people):
    """Return who was in the audience of which campaign.

    Parameters
    ----------
    draws : Draws
    people : dict of arrays
        With `record_days` (see `make_cards`).

    Returns
    -------
    dict of arrays
        One entry a campaign and person: `campaign` (number), `person` (position), `card` (copy of the card that was
        used), `treated`, `opened`, `clicked`.
    """
    settings = read_settings("parameters")["campaigns"]
    parts = []
    for number, campaign in enumerate(settings["list"]):
        start, holdout, audience = day_of(campaign[3]), campaign[7], campaign[8]
        words = draws.words("campaign", "contact", people["row"] * ROOM + number).astype(np.int64) * 1000 >> 16
        card = newest_card(people, start - 1)
        person = np.flatnonzero((card >= 0) & (words[0] < audience))
        kind = people["campaign_kind"][person]
        treated = words[1, person] >= holdout
        opened = treated & (words[2, person] < np.array(settings["opened_per_1000"])[kind])
        clicked = opened & (words[3, person] < np.array(settings["clicked_per_1000"])[kind])
        parts.append((np.full(len(person), number), person, card[person], treated, opened, clicked))
    names = ("campaign", "person", "card", "treated", "opened", "clicked")
    return {name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)}


def make_effects(draws, people, contacts):
    """Return a function that adds to the purchases (person, number, day) what campaigns caused.

    And takes away what they cost.
    """

    settings, kind = read_settings("parameters")["campaigns"], people["campaign_kind"][contacts["person"]]
    starts = np.array([day_of(facts[3]) for facts in settings["list"]])[contacts["campaign"]]
    windows = np.array([facts[4] for facts in settings["list"]])[contacts["campaign"]]
    rows = people["row"][contacts["person"]] * ROOM + contacts["campaign"]

    def apply(person, number, day):
        lost = people["lost_on"][contacts["person"]]
        who = contacts["treated"] & (kind == PERSUADABLE) & ((lost == NO_DAY) | (lost >= starts))
        who &= draws.chance(settings["persuaded_per_1000"], "campaign", "persuaded", rows)
        who = np.flatnonzero(who)
        when = starts[who] + draws.below(windows[who], "campaign", "day", rows[who])
        added = contacts["person"][who], EXTRA_FROM + contacts["campaign"][who], np.minimum(when, REFERENCE_DAY)
        kept = ~put_off(draws, people, contacts, starts, windows, (person, number, day))
        old, new = ((p << 26) + (d << 9) + n for p, n, d in ((person[kept], number[kept], day[kept]), added))
        # the purchases are in this order already; the few new ones are sorted and put in their places
        sequence = np.argsort(new, kind="stable")
        places = np.searchsorted(old, new[sequence])
        columns = zip((person, number, day), added, strict=True)
        return tuple(np.insert(mine[kept], places, other[sequence]) for mine, other in columns)

    return apply


def put_off(draws, people, contacts, starts, windows, purchases):
    """Return which purchases are not made, since a message put the person off."""
    person, number, day = purchases
    dogs = contacts["treated"] & (people["campaign_kind"][contacts["person"]] == SLEEPING_DOG)
    is_dog = np.zeros(len(people["row"]), dtype=bool)
    is_dog[contacts["person"][dogs]] = True
    places = np.flatnonzero(is_dog[person])  # the few purchases of the few that can be put off
    inside = np.zeros(len(places), dtype=bool)
    for campaign in range(len(read_settings("parameters")["campaigns"]["list"])):
        mine = np.flatnonzero(dogs & (contacts["campaign"] == campaign))
        if len(mine):
            reached = np.isin(person[places], contacts["person"][mine])
            start, window = starts[mine[0]], windows[mine[0]]
            inside |= reached & (day[places] >= start) & (day[places] < start + window)
    keys = people["row"][person[places]] * THINGS + number[places]
    inside &= draws.chance(read_settings("parameters")["campaigns"]["put_off_per_1000"], "campaign", "put off", keys)
    out = np.zeros(len(person), dtype=bool)
    out[places] = inside
    return out


def list_contacts(people, cards, contacts):
    """Return the table `campaign_contacts`."""
    first = np.searchsorted(cards["person"], contacts["person"], side="left")
    card = first + contacts["card"]
    arms = pa.array(["holdout", "treated"])
    return pa.table(
        {
            "campaign_id": pa.array([f"CA{number:02d}" for number in range(1, ROOM + 1)]).take(
                pa.array(contacts["campaign"])
            ),
            "member_id": id_text(cards["id"][card]),
            "arm": arms.take(pa.array(contacts["treated"].astype(np.int8))),
            "opened": contacts["opened"],
            "clicked": contacts["clicked"],
        }
    )
