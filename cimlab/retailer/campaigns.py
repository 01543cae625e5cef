"""Campaigns: who was asked, who was left out at random, who opened the message, and what it changed.

The answer is planted: a persuadable person who is treated may make one more purchase in the window, a sleeping dog
drops purchases of it, the others do as they would have done. So the difference between the arms is the effect, and the
kinds are in the truth.
"""

import numpy as np
import pyarrow as pa

from cimlab.retailer.cards import MOST_COPIES, count_until
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
    settings, days = read_settings("parameters")["campaigns"], people["record_days"][: MOST_COPIES[0]]
    opened_rates, clicked_rates = (np.array(settings[f"{name}_per_1000"]) for name in ("opened", "clicked"))
    parts = []
    for number, campaign in enumerate(settings["list"]):
        start, holdout, audience = day_of(campaign[3]), campaign[7], campaign[8]
        words = draws.words("campaign", "contact", people["row"] * ROOM + number)
        # of 65,536 numbers as many are below this as of 1,000 below the share
        person = np.flatnonzero((words[0] < -(-audience * 65536 // 1000)) & (days[0] < start))
        words = words[1:, person].astype(np.int64) * 1000 >> 16
        card = count_until(days[:, person], start - 1) - 1
        kind = people["campaign_kind"][person]
        treated = words[0] >= holdout
        opened = treated & (words[1] < opened_rates[kind])
        clicked = opened & (words[2] < clicked_rates[kind])
        parts.append((np.full(len(person), number), person, card, treated, opened, clicked))
    names = ("campaign", "person", "card", "treated", "opened", "clicked")
    return {name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)}


def make_effects(draws, people, contacts):
    """Return a function of purchases (person, number, day) that adds what campaigns caused and drops what they cost."""

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
        # One number for each purchase keeps the order (person, day, number); the purchases are in this order already.
        old, new = (pack(*columns) for columns in ((person, number, day), added))
        old = np.delete(old, put_off(draws, people, contacts, starts, windows, (person, number, day)))
        new.sort()
        together = np.insert(old, np.searchsorted(old, new), new)
        return together >> 26, together & 0x1FF, together >> 9 & 0x1FFFF

    return apply


def pack(person, number, day):
    """Return person, day and number of purchases in one number each."""
    return (person << 26) + (day << 9) + number


def put_off(draws, people, contacts, starts, windows, purchases):
    """Return the places of the purchases that are not made, since a message put the person off."""
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
    return places[inside]


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
