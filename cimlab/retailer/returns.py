"""Returns: articles that came back, by channel and group of goods."""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import (
    CATEGORIES,
    CHANNELS,
    REFERENCE_DAY,
    THINGS,
    date_column,
    enum_column,
    id_text,
    money_column,
    ranges,
)

REASONS = ("damaged", "not as described", "wrong article", "changed mind", "late delivery")


@cache
def return_chances():
    """Return the chance of a return per 65536 lines, as an array (channels, groups of goods)."""
    settings = read_settings("parameters")["returns"]
    rates = np.array([settings["per_1000"][name] for name in CHANNELS])
    percent = np.array([settings["category_percent"].get(name, 100) for name in CATEGORIES])
    return rates[:, None] * percent * 65536 // 100_000


@cache
def reason_tables():
    """Return the reason for (channel, number of 12 bits)."""
    reasons = read_settings("parameters")["returns"]["reasons"]
    return np.stack([pick16([reasons[channel][reason] for reason in REASONS], 12) for channel in CHANNELS])


def make_returns(world, orders, lines):
    """Return the articles that came back before the reference date was over.

    Returns
    -------
    dict of arrays
        `line` (position), `key`, `returned_on`, `quantity`, `reason`, `refund` (fen).
    """
    draws, settings = world["draws"], read_settings("parameters")["returns"]
    key = orders["key"][lines["order"]] * 64 + lines["line_no"]
    words = draws.words("return", "choices", key)
    category, channel = world["shelf"]["category"][lines["product"]], orders["channel"][lines["order"]]
    line = np.flatnonzero(words[0] < return_chances()[channel, category])
    words, key = words[:, line].astype(np.int64), key[line]
    low, high = settings["after_days"]
    day = orders["day"][lines["order"][line]] + low + (words[1] * (high - low + 1) >> 16)
    bought = lines["quantity"][line].astype(np.int64)
    part = draws.chance(settings["part_per_1000"], "return", "part", key)
    packs = np.where(part & (bought > 1), 1 + (words[2] * (bought - 1) >> 16), bought)
    returns = {"line": line, "key": key, "returned_on": day, "quantity": packs}
    returns["reason"] = reason_tables()[channel[line], words[3] >> 4]
    returns["refund"] = lines["amount"][line].astype(np.int64) * packs // bought
    seen = day <= REFERENCE_DAY
    return {name: column[seen] for name, column in returns.items()}


def list_returns(world, orders, lines, returns):
    """Return the table `returns`."""
    order = lines["order"][returns["line"]]
    row = orders["key"][order] // THINGS
    # Returns stand in the order of persons: each is the person's first, second, …
    ids = world["draws"].ids("R", row * THINGS + ranges(np.unique(row, return_counts=True)[1]))
    return pa.table(
        {
            "return_id": id_text(ids),
            "order_id": id_text(orders["id"][order]),
            "line_no": lines["line_no"][returns["line"]],
            "returned_on": date_column(returns["returned_on"]),
            "quantity": returns["quantity"],
            "reason": enum_column(returns["reason"], REASONS),
            "refund": money_column(returns["refund"]),
        }
    )
