"""Baskets: which articles an order holds, how many packs, at what price.

The work of a block is done on whole columns; a line costs a few table look-ups. Articles come from groups of goods that
the person likes (or any), by the offers of the week; some articles bring a companion with them; no article stands in a
basket twice.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import FIRST_DAY, day_of, ranges

MOST_LINES = 60


@cache
def quantity_table():
    """Return the packs for a number of 8 bits."""
    pairs = read_settings("parameters")["orders"]["quantity"]
    return np.array([packs for packs, _ in pairs], dtype=np.int32)[pick16([weight for _, weight in pairs], 8)]


def make_lines(world, people, person, keys, day):
    """Return the lines of orders.

    Parameters
    ----------
    world : dict
    people : dict of arrays
    person, keys, day : arrays of int
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
    week = ((day - FIRST_DAY) // 7).astype(np.int32, copy=False)
    late = (day >= day_of(settings["prices_rose_on"])).astype(np.int32)
    sensitive = (people["price_sensitivity"] >= settings["sensitive_from"]).astype(np.int32)
    limit = settings["favourite_categories_per_1000"] * 65536 // 1000
    # where the rows of the table of picks begin for that person and week
    starts = (sensitive[person] * shelf["pick"].shape[1] + week) * shelf["pick"].shape[2]
    columns = sizes, person, keys, starts
    fill = fill_plain if draws.compiled is None else fill_compiled
    *lines, counts = fill(draws, shelf, columns, people["favourites"], limit)
    return price_lines(draws, shelf, late, week, lines), counts


def fill_plain(draws, shelf, columns, favourites, limit):
    """Return (order, article, code, number in the basket of each line, lines of each order), column by column."""
    sizes, person, keys, starts = columns
    order, place = np.repeat(np.arange(len(keys), dtype=np.int32), sizes), ranges(sizes)
    words = draws.words("line", "choices", np.repeat(keys * 64, sizes) + place)
    category = choose_categories(favourites, limit, person, order, words)
    product = shelf["pick"].reshape(-1).take((starts.take(order) + category << 8) + (words[2] >> 8))
    order, product, code = drop_repeats(*add_companions(shelf, order, product, words))
    counts = np.bincount(order, minlength=len(keys))
    return order, product, code, ranges(counts) + 1, counts


def fill_compiled(draws, shelf, columns, favourites, limit):
    """Return (order, article, code, number in the basket of each line, lines of each order), from compiled code."""
    compiled, (sizes, person, keys, starts) = draws.compiled, columns
    size, products = int(sizes.sum()), len(shelf["price"])
    if products > compiled.MOST_ARTICLES:
        raise ValueError(f"catalogue.yaml: {products} articles; compiled code has room for {compiled.MOST_ARTICLES}.")
    rows, order = (np.empty(size + compiled.ROOM, dtype=kind) for kind in (np.int64, np.uint32))
    compiled.list_places(sizes, keys, rows, order)
    words, product = draws.bits("line", "choices", rows[:size]), np.empty(size, dtype=np.uint8)
    tables = common_table(), shelf["pick"].reshape(-1)
    compiled.choose(words, order, person, starts, favourites.reshape(-1), tables, np.uint64(limit), product)
    # each article may bring another one
    out = [np.empty(2 * size, dtype=kind) for kind in (np.int32, np.uint8, np.uint8, np.int64)]
    counts = np.empty(len(sizes), dtype=np.int64)
    length = compiled.fill(sizes, words, product, shelf["companion"], shelf["companion_chance"], (*out, counts))
    return *(column[:length] for column in out), counts


def basket_sizes(draws, people, person, keys):
    """Return how many lines each basket is filled with: log-normal with the person's own mean, at least one."""
    weights = people["basket"] * read_settings("parameters")["orders"]["lines_mean_percent"] // 100
    size = draws.quantile("lognormal_90", "order", "lines", keys)
    size *= (weights >> 4).take(person)
    size >>= 12
    size += 1 << 15
    size >>= 16
    return np.minimum(np.maximum(size, 1), MOST_LINES)


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


def price_lines(draws, shelf, late, week, lines):
    """Return the lines with packs, the price of that day, the offer, the amount rounded half up to the fen."""
    order, product, code, number = lines
    prices = np.concatenate([shelf["old_price"], shelf["price"]]).astype(np.int32)
    tables = prices, shelf["offers"].reshape(-1), quantity_table()
    price_starts, offer_starts = ((column * len(shelf["price"])).astype(np.uint32) for column in (late, week))
    if draws.compiled is not None:
        out = quantity, price, tenths, amount = tuple(np.empty(len(order), dtype=np.int32) for _ in range(4))
        draws.compiled.price_lines(order, product, code, tables, price_starts, offer_starts, out)
    else:
        price = prices.take(price_starts.take(order) + product)
        quantity = np.where(price >= 10_000, 1, quantity_table().take(code))
        tenths = tables[1].take(offer_starts.take(order) + product)
        amount = (quantity * price * (10 - tenths) + 5) // 10
    return {
        "order": order,
        "product": product,
        "quantity": quantity,
        "price": price,
        "tenths": tenths,
        "amount": amount,
        "line_no": number,
    }
