"""What the shops offer: articles, prices, weekly offers, and the tables from which baskets are filled."""

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import (
    CATEGORIES,
    FIRST_DAY,
    date_column,
    day_of,
    enum_column,
    money_column,
    year_month_day,
)

WEEKS = 157  # three years: two that are shown, and the one after them for the truth
PICK_BITS = 8  # tables of 256 places: small enough for the processor's cache


def make_shelf(draws):
    """Return the catalogue of an edition as arrays.

    Parameters
    ----------
    draws : Draws

    Returns
    -------
    dict
        Per article: `name`, `name_zh`, `category` (number), `price` and `old_price` (fen), `cost` (fen), `size`,
        `companion` (article or −1) and `companion_chance`. `offers`: tenths let off, shape (WEEKS, articles). `pick`:
        article for (sensitive to prices, week, category, number of 8 bits).
    """
    catalogue = read_settings("catalogue")
    rows = [(*facts, number) for number, c in enumerate(CATEGORIES) for facts in catalogue["categories"][c]["products"]]
    name, name_zh, price, size, share, category = (list(column) for column in zip(*rows, strict=True))
    shelf = {"name": np.array(name), "name_zh": np.array(name_zh), "size": np.array(size)}
    shelf |= {"category": np.array(category), "price": np.array(price, dtype=np.int64), "share": np.array(share)}
    shelf["old_price"] = old_prices(draws, shelf["price"])
    percent = np.array([catalogue["cost_percent"][c] for c in CATEGORIES])[shelf["category"]]
    shelf["cost"] = shelf["price"] * percent // 100
    shelf["offers"] = make_offers(draws, len(name))
    shelf["pick"] = np.stack([make_picks(shelf, sensitive) for sensitive in (False, True)])
    shelf["companion"], shelf["companion_chance"] = make_companions(name)
    return shelf


def old_prices(draws, prices):
    """Return the prices before the rise: some articles were 5 % cheaper, in whole ten fen."""
    share = read_settings("parameters")["orders"]["dearer_per_1000"]
    dearer = draws.chance(share, "product", "dearer", np.arange(len(prices)))
    return np.where(dearer, prices * 100 // 105 // 10 * 10, prices)


def make_offers(draws, products):
    """Return the tenths that are let off each article in each week: 0 if it is not on offer."""
    settings = read_settings("parameters")["orders"]
    rows = np.arange(WEEKS * products)
    on = draws.chance(settings["promotion_per_1000"], "promotion", "on", rows)
    depths = np.array([depth for depth, _ in settings["promotion_depth"]])
    depth = depths[draws.weighted([weight for _, weight in settings["promotion_depth"]], "promotion", "depth", rows)]
    return np.where(on, depth, 0).astype(np.int32).reshape(WEEKS, products)


def make_picks(shelf, sensitive):
    """Return the article for (week, category, number of 8 bits).

    Better sold ones, those on offer and in season more often.
    """
    weights = week_weights(shelf, sensitive)
    picks = np.empty((WEEKS, len(CATEGORIES), 1 << PICK_BITS), dtype=np.uint8)
    for category in range(len(CATEGORIES)):
        articles = np.flatnonzero(shelf["category"] == category)
        for week in range(WEEKS):
            picks[week, category] = articles[pick16(weights[week, articles], PICK_BITS)]
    return picks


def week_weights(shelf, sensitive):
    """Return how often each article is taken in each week, as whole numbers of shape (WEEKS, articles)."""
    settings, catalogue = read_settings("parameters")["orders"], read_settings("catalogue")
    classes = np.array([catalogue["elasticity"][c] for c in CATEGORIES])[shelf["category"]]
    gain = np.array([[0, *(p - 100 for p in settings["uplift"][e])] for e in classes.tolist()])
    percent = settings["sensitive_percent" if sensitive else "insensitive_percent"]
    uplift = 10_000 + gain[np.arange(len(classes)), shelf["offers"]] * percent
    months = year_month_day(FIRST_DAY + 7 * np.arange(WEEKS) + 3)[1]
    in_season = np.ones((WEEKS, len(classes)), dtype=bool)
    for name, allowed in catalogue["seasons"].items():
        in_season[:, shelf["name"].tolist().index(name)] = np.isin(months, allowed)
    return shelf["share"] * uplift * in_season


def make_companions(names):
    """Return for each article the one that follows it (−1: none) and the chance of that in 1/65536."""
    follows, chances = np.full(len(names), -1), np.zeros(len(names), dtype=np.int64)
    for first, second, chance in read_settings("catalogue")["companions"]:
        follows[names.index(first)], chances[names.index(first)] = names.index(second), chance * 65536 // 1000
    return follows, chances


def product_ids(count):
    """Return the numbers of articles as texts."""
    return [f"P{row:04d}" for row in range(1, count + 1)]


def make_common_tables(world):
    """Return the tables that are the same for every block of persons: stores, products, promotions, campaigns."""
    stores = read_settings("catalogue")["stores"]
    names, cities, opened = zip(*stores, strict=True)
    tables = {
        "stores": pa.table(
            {
                "store_id": [f"ST{number:02d}" for number in range(1, len(stores) + 1)],
                "name": list(names),
                "city": list(cities),
                "opened_on": date_column([day_of(day) for day in opened]),
            }
        )
    }
    tables["products"] = list_products(world["shelf"])
    tables["promotions"] = list_promotions(world["shelf"])
    return tables | {"campaigns": list_campaigns()}


def list_products(shelf):
    """Return the table `products`."""
    return pa.table(
        {
            "product_id": product_ids(len(shelf["name"])),
            "name": shelf["name"].tolist(),
            "name_zh": shelf["name_zh"].tolist(),
            "category": enum_column(shelf["category"], CATEGORIES),
            "unit_price": money_column(shelf["price"]),
            "unit_cost": money_column(shelf["cost"]),
            "pack_size": shelf["size"].tolist(),
        }
    )


def list_promotions(shelf):
    """Return the table `promotions`: the offers of the weeks that are shown."""
    from cimlab.retailer.world import REFERENCE_DAY

    weeks = (REFERENCE_DAY - FIRST_DAY) // 7 + 1
    week, product = np.nonzero(shelf["offers"][:weeks])
    start = FIRST_DAY + 7 * week
    return pa.table(
        {
            "promotion_id": [f"PR{number:05d}" for number in range(1, len(week) + 1)],
            "product_id": [f"P{row + 1:04d}" for row in product],
            "starts_on": date_column(start),
            "ends_on": date_column(start + 6),
            "discount": pa.array(shelf["offers"][week, product] / 10.0),
        }
    )


def list_campaigns():
    """Return the table `campaigns`."""
    rows = [
        {
            "campaign_id": f"CA{number:02d}",
            "name": name,
            "name_zh": name_zh,
            "medium": medium,
            "starts_on": start,
            "window_days": window,
            "coupon": float(coupon),
            "cost_per_contact": float(cost),
            "holdout": holdout / 1000,
        }
        for number, (name, name_zh, medium, start, window, coupon, cost, holdout, _) in enumerate(
            read_settings("parameters")["campaigns"]["list"], 1
        )
    ]
    return pa.Table.from_pylist(rows)
