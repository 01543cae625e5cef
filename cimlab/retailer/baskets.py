"""Baskets: which articles an order holds, how many packs, at what price.

The work of a block is done on whole columns; a line costs a few table look-ups. Articles come from groups of goods that
the person likes (or any), by the offers of the week; some articles bring a companion with them; no article stands in a
basket twice.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import pick16, quantile_tables, read_settings
from cimlab.retailer.purchases import is_used
from cimlab.retailer.world import FIRST_DAY, day_of, ranges

MOST_LINES = 60


@cache
def quantity_table():
    """Return the packs for a number of 8 bits."""
    pairs = read_settings("parameters")["orders"]["quantity"]
    return np.array([packs for packs, _ in pairs])[pick16([weight for _, weight in pairs], 8)]


def make_lines(world, people, person, keys, day):
    """Return the lines of orders.

    Parameters
    ----------
    world : dict
    people : dict of arrays
    person, keys, day : arrays of int64
        Of each order: position of the buyer, key, day.

    Returns
    -------
    dict of arrays
        One entry a line, in the order of the orders: `order` (position), `line_no`, `product`, `quantity`, `price` and
        `amount` in fen, `tenths` let off.
    counts : array of int64
        Lines of each order.
    """
    draws, shelf = world["draws"], world["shelf"]
    settings = read_settings("parameters")["orders"]
    sizes = basket_sizes(draws, people, person, keys)
    week = ((day - FIRST_DAY) // 7).astype(np.int32)
    late = (day >= day_of(settings["prices_rose_on"])).astype(np.int32)
    sensitive = (people["price_sensitivity"] >= settings["sensitive_from"]).astype(np.int32)
    limit = settings["favourite_categories_per_1000"] * 65536 // 1000
    if is_used(len(sensitive)):
        return fill_compiled(draws, shelf, (sizes, person, keys, week, late, sensitive), people["favourites"], limit)
    order, place = np.repeat(np.arange(len(keys), dtype=np.int32), sizes), ranges(sizes)
    words = draws.words("line", "choices", np.repeat(keys * 64, sizes) + place)
    category = choose_categories(people["favourites"], limit, person, order, words)
    picks = shelf["pick"].reshape(-1)
    row = (sensitive[person] * shelf["pick"].shape[1] + week)[order] * shelf["pick"].shape[2] + category
    product = picks[(row << 8) + (words[2] >> 8)]
    order, product, code = add_companions(shelf, order, product, words)
    order, product, code = drop_repeats(order, product, code)
    counts = np.bincount(order, minlength=len(keys))
    return price_lines(shelf, late, week, order, product, code) | {"line_no": ranges(counts) + 1}, counts


def fill_compiled(draws, shelf, columns, favourites, limit):
    """Return what `make_lines` returns, from compiled code."""
    from cimlab.retailer import compiled

    most = 2 * int(columns[0].sum())
    kinds = [np.int32, np.uint8, np.int32, np.int32, np.int32, np.int32, np.int64]
    out = [np.empty(most, dtype=kind) for kind in kinds]
    counts = np.empty(len(columns[0]), dtype=np.int64)
    tables = (
        favourites,
        common_table(),
        shelf["pick"],
        shelf["companion"],
        shelf["companion_chance"],
        quantity_table(),
    )
    prices = np.stack([shelf["old_price"], shelf["price"]])
    key = draws.key("line", "choices")
    length = compiled.fill(*columns, *tables, prices, shelf["offers"], limit, key, (*out, counts))
    names = ("order", "product", "quantity", "price", "tenths", "amount", "line_no")
    return {name: column[:length] for name, column in zip(names, out, strict=True)}, counts


def basket_sizes(draws, people, person, keys):
    """Return how many lines each basket is filled with: log-normal with the person's own mean, at least one."""
    weights = people["basket"] * read_settings("parameters")["orders"]["lines_mean_percent"] // 100
    if is_used(len(weights)):
        from cimlab.retailer import compiled

        sizes = np.empty(len(keys), dtype=np.int64)
        table = quantile_tables()["lognormal_90"]
        compiled.basket_sizes(keys, person, weights, table, draws.key("order", "lines"), MOST_LINES, sizes)
        return sizes
    size = draws.quantile("lognormal_90", "order", "lines", keys)
    size = (size * (weights[person] >> 4) >> 12) + (1 << 15)
    return np.clip(size >> 16, 1, MOST_LINES)


@cache
def common_table():
    """Return the group of goods for a number of 12 bits, as all people buy them."""
    categories = read_settings("catalogue")["categories"]
    return pick16([facts["share"] for facts in categories.values()], 12).astype(np.uint8)


def choose_categories(favourites, limit, person, order, words):
    """Return the group of goods of each line: one of the person's three favourites, or any."""
    favourites = favourites.reshape(-1)
    which = (words[1].astype(np.int32) * 3) >> 16
    favourite = favourites[(person * 3).astype(np.int32)[order] + which]
    return np.where(words[0] < limit, favourite, common_table()[words[1] >> 4]).astype(np.int64)


def add_companions(shelf, order, product, words):
    """Return the lines with the articles that follow others added behind them."""
    follows = np.flatnonzero(words[3] < shelf["companion_chance"][product])
    code = (words[2] & 0xFF).astype(np.uint8)
    if not len(follows):
        return order, product, code
    second = shelf["companion"][product[follows]].astype(product.dtype)
    parts = (order, order[follows]), (product, second), (code, (words[0][follows] & 0xFF).astype(np.uint8))
    return tuple(np.concatenate(part) for part in parts)


def drop_repeats(order, product, code):
    """Return the lines sorted by order and article, each article of an order once."""
    together = order.astype(np.int64) << 16
    together |= product.astype(np.int64) << 8
    together |= code
    together.sort()
    article = together >> 8
    new = np.empty(len(together), dtype=bool)
    new[:1] = True
    np.not_equal(article[1:], article[:-1], out=new[1:])
    together = together[new]
    return (together >> 16).astype(np.int32), (together >> 8).astype(np.uint8), together.astype(np.uint8)


def price_lines(shelf, late, week, order, product, code):
    """Return the lines with packs, the price of that day, the offer, the amount rounded half up to the fen."""
    products = len(shelf["price"])
    prices = np.concatenate([shelf["old_price"], shelf["price"]]).astype(np.int32)
    price = prices[(late * products)[order] + product]
    quantity = np.where(price >= 10_000, 1, quantity_table()[code]).astype(np.int32)
    tenths = shelf["offers"].astype(np.int32).reshape(-1)[(week * products)[order] + product]
    amount = (quantity * price * (10 - tenths) + 5) // 10
    return {
        "order": order,
        "product": product,
        "quantity": quantity,
        "price": price,
        "tenths": tenths,
        "amount": amount,
    }
