"""Campaigns: who was asked, who was left out at random, who opened the message, and what it changed.

The answer is planted: a persuadable person who is treated may make one more purchase in the window, a sleeping dog
drops purchases of it, the others do as they would have done. So the difference between the arms is the effect, and the
kinds are in the truth.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.cards import MOST_COPIES, count_until
from cimlab.retailer.draws import read_settings, words_of
from cimlab.retailer.purchases import EXTRA_FROM
from cimlab.retailer.world import CAMPAIGN_KINDS, NO_DAY, REFERENCE_DAY, THINGS, day_of, id_text

PERSUADABLE, SURE_THING, LOST_CAUSE, SLEEPING_DOG = range(len(CAMPAIGN_KINDS))
ROOM = 8  # for campaigns in a row number


@cache
def campaign_facts():
    """Return arrays with an entry for each campaign.

    A dict: `start` (day), `window` (days), `holdout` (per 1000), `limit` (those of 65,536 numbers below it are asked).
    """
    rows = read_settings("parameters")["campaigns"]["list"]
    columns = {
        "start": [day_of(row[3]) for row in rows],
        "window": [row[4] for row in rows],
        "holdout": [row[7] for row in rows],
        # as many of 65,536 numbers are below the limit as of 1,000 below the share
        "limit": [-(-row[8] * 65536 // 1000) for row in rows],
    }
    return {name: np.array(column) for name, column in columns.items()}


def make_contacts(draws, people):
    """Return who was in the audience of which campaign.

    Parameters
    ----------
    draws : Draws
    people : dict of arrays
        With `card_on` (see `make_record_days`).

    Returns
    -------
    dict of arrays
        One entry a campaign and person: `campaign` (number), `person` (position), `treated`, `opened`, `clicked`.
    """
    settings, facts, parts = read_settings("parameters")["campaigns"], campaign_facts(), []
    for number, (start, limit) in enumerate(zip(facts["start"], facts["limit"], strict=True)):
        bits = draws.bits("campaign", "contact", people["row"] * ROOM + number)
        chosen = (bits & np.uint64(0xFFFF)) < np.uint64(limit)
        chosen &= people["card_on"] < start
        person = np.flatnonzero(chosen)
        parts.append((np.full(len(person), number), person, bits[person]))
    campaign, person, bits = (np.concatenate(column) for column in zip(*parts, strict=True))
    words = words_of(bits)[1:].astype(np.int64) * 1000 >> 16
    kind = people["campaign_kind"][person]
    treated = words[0] >= facts["holdout"][campaign]
    opened = treated & (words[1] < np.array(settings["opened_per_1000"])[kind])
    clicked = opened & (words[2] < np.array(settings["clicked_per_1000"])[kind])
    return {"campaign": campaign, "person": person, "treated": treated, "opened": opened, "clicked": clicked}


def make_effects(draws, people, contacts):
    """Return a function of purchases (person, number, day) that adds what campaigns caused and drops what they cost."""

    settings, kind = read_settings("parameters")["campaigns"], people["campaign_kind"][contacts["person"]]
    starts, windows = (campaign_facts()[name][contacts["campaign"]] for name in ("start", "window"))
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
        old = np.delete(old, put_off(draws, people, contacts, (person, number, day)))
        together = np.concatenate([old, new])
        together.sort(kind="stable")  # the old ones are in order, of which this kind makes use
        return together >> 26, together & 0x1FF, together >> 9 & 0x1FFFF

    return apply


def pack(person, number, day):
    """Return person, day and number of purchases in one number each."""
    return (person << 26) + (day << 9) + number


def put_off(draws, people, contacts, purchases):
    """Return the places of the purchases that are not made, since a message put the person off."""
    person, number, day = purchases
    dogs = contacts["treated"] & (people["campaign_kind"][contacts["person"]] == SLEEPING_DOG)
    facts, dogs = campaign_facts(), np.flatnonzero(dogs)
    # for each person a bit for each campaign
    reached, campaign = np.zeros(len(people["row"]), dtype=np.uint8), contacts["campaign"][dogs]
    for which in range(len(facts["start"])):
        reached[contacts["person"][dogs[campaign == which]]] |= 1 << which
    places = np.flatnonzero((reached > 0).take(person))  # the few purchases of the few that can be put off
    reached, when, inside = reached[person[places]], day[places], np.zeros(len(places), dtype=bool)
    for which, (start, window) in enumerate(zip(facts["start"], facts["window"], strict=True)):
        inside |= (reached >> which & 1 > 0) & (when >= start) & (when < start + window)
    keys = people["row"][person[places]] * THINGS + number[places]
    inside &= draws.chance(read_settings("parameters")["campaigns"]["put_off_per_1000"], "campaign", "put off", keys)
    return places[inside]


def list_contacts(people, cards, contacts):
    """Return the table `campaign_contacts`."""
    # the newest card that the person had when the campaign began
    starts = campaign_facts()["start"]
    days = people["record_days"][: MOST_COPIES[0], contacts["person"]]
    card = np.searchsorted(cards["person"], contacts["person"], side="left")
    card += count_until(days, starts[contacts["campaign"]] - 1) - 1
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
