"""One block: everything that happens around some neighbouring persons, as plain arrays, before it becomes tables.

A block needs nothing from any other block, and its content does not depend on where it was cut.
"""

import numpy as np

from cimlab.retailer.baskets import make_lines
from cimlab.retailer.campaigns import make_contacts, make_effects
from cimlab.retailer.cards import make_cards, make_record_days
from cimlab.retailer.contacts import calls_of_orders, make_calls
from cimlab.retailer.draws import read_settings
from cimlab.retailer.households import GROUP
from cimlab.retailer.people import make_people
from cimlab.retailer.purchases import (
    MOST_ORDERS,
    TIME_BITS,
    clock,
    compiled_loops,
    describe_orders,
    expected_orders,
    forget_cards,
    make_orders,
)
from cimlab.retailer.world import FIRST_DAY, REFERENCE_DAY, THINGS, ranges

FUTURE_FROM = MOST_ORDERS + 2  # numbers of the purchases after the reference date
MOST_FUTURE = 240
ALL = frozenset(["texts", "cards", "lines", "orders", "calls"])


def firms_before(persons):
    """Return how many firms belong to the first so many persons: at least one, as soon as there is anybody."""
    share = read_settings("parameters")["enterprises"]["per_1000_customers"]
    return max(persons * share // 1000, 1) if persons else 0


def make_block(world, start, stop, needs=ALL):
    """Return the persons of the rows from `start` to `stop` with all that happens around them.

    Parameters
    ----------
    world : dict
        From `make_world`.
    start, stop : int
        Rows of persons; `start` is a multiple of 8, so that no household is cut.
    needs : set of str
        What is made besides the persons: `texts` (names, numbers), `cards`, `lines` (of orders), `orders` (all about
        them), `calls`.

    Returns
    -------
    dict
        `world`, `people`, `firms` (the first row of the firms that belong to the block and the one after the last), and
        as needed `records` (cards and accounts), `contacts` (of campaigns), `orders`, `lines`, `calls`.
    """
    if start % GROUP:
        raise ValueError(f"A block cannot begin at row {start}: households would be cut. Take a multiple of {GROUP}.")
    world["draws"].compiled = compiled_loops(stop - start)
    people = make_people(world["draws"], np.arange(start, stop), texts="texts" in needs)
    make_record_days(world["draws"], people, copies="cards" in needs)
    block = {"world": world, "people": people, "firms": (firms_before(start), firms_before(stop))}
    if "cards" in needs:
        block["records"] = make_cards(world["draws"], people)
    if "lines" in needs:
        add_orders(block, "orders" in needs)
    if "calls" in needs:
        block["calls"] = make_calls(world, people, block["records"], block["orders"])
        block["orders"]["call"] = calls_of_orders(block["calls"], len(block["orders"]["id"]))
    return block


def add_orders(block, described=True):
    """Add `contacts`, `orders` and `lines` to a block.

    `described`: with lines, channel, time, shop, record and amount of the orders.
    """
    world, people = block["world"], block["people"]
    block["contacts"] = make_contacts(world["draws"], people)
    effects = make_effects(world["draws"], people, block["contacts"])
    orders = make_orders(world["draws"], people, effects)
    lines, counts = make_lines(world, people, orders["person"], orders["key"], orders["day"])
    if described:
        orders["line_count"], orders["first_line"] = counts, np.cumsum(counts) - counts
        describe_orders(world["draws"], people, orders)
        amounts = lines["amount"].astype(np.int64)
        orders["amount"] = np.add.reduceat(amounts, orders["first_line"]) if len(counts) else counts
        forget_cards(orders, counts)
    block["orders"], block["lines"] = orders, lines


def make_future(block):
    """Return (purchases, amount in fen) of each person in the twelve months after the reference date."""
    world, people = block["world"], block["people"]
    starts, cells, end = clock()
    span = int(starts[-1]) - end
    counts = world["draws"].poisson(
        expected_orders(people["rate"], np.full(len(people["row"]), span)), "person", "future", people["row"]
    )
    left = np.where(people["lost_on"] >= 0, 0, people["leaves_after"] - people["counted"])
    counts = np.minimum(np.minimum(counts, left), MOST_FUTURE)
    person, number = np.repeat(np.arange(len(counts)), counts), FUTURE_FROM + ranges(counts)
    key = people["row"][person] * THINGS + number
    place = (world["draws"].bits("order", "time", key) >> np.uint64(32)).astype(np.int64)
    day = FIRST_DAY + cells[(end + (place * span >> 32)) >> (TIME_BITS - 16)].astype(np.int64)
    lines, _ = make_lines(world, people, person, key, np.maximum(day, REFERENCE_DAY + 1))
    spent = np.bincount(person[lines["order"]], weights=lines["amount"], minlength=len(counts))
    return counts, spent.astype(np.int64)
