"""What visitors did in the web shop and the app in the last 30 days: the events of each visit.

A block is drawn as whole columns: the visits (`visits`), then the articles of all visits one behind the other, then the
events of all articles. The numbers and words are in `events.yaml`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.baskets import common_table
from cimlab.retailer.catalogue import product_ids
from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.queries import type_queries
from cimlab.retailer.visits import CART, DEVICES, PURCHASE, SOURCES, make_visits
from cimlab.retailer.world import FIRST_DAY, THINGS, enum_column, id_text, ranges

EVENTS = ("view", "search", "add_to_cart", "remove_from_cart", "checkout", "purchase")
VIEW, SEARCH, ADD, REMOVE, CHECKOUT, BUY = range(len(EVENTS))
# Room for the articles of one visit in a key: first those that are bought, then others, then a search in vain.
ARTICLES, OTHERS_FROM, IN_VAIN = 64, 16, 63


def make_events_table(block):
    """Return the table `web_events` of a block.

    Parameters
    ----------
    block : dict
        From `make_block`: `world`, `people`, `records`, `orders` and `lines` are used.

    Returns
    -------
    pyarrow.Table
        One row an event, in the order of persons, their visits and time.
    """
    draws = block["world"]["draws"]
    visits = make_visits(block)
    articles = list_articles(block, visits)
    events = lay_out(draws, visits, articles)
    events["second"] = time_events(draws, visits, events)
    return list_events(block, visits, articles, events)


# --- articles of visits --------------------------------------------------------------------------------------------


def list_articles(block, visits):
    """Return what each visit was about.

    Returns
    -------
    dict of arrays
        Sorted by visit, in the order in which they were looked at: `visit` (position), `key`, `product` (−1: a search
        in vain), and whether it was `searched`, `viewed`, `added` and `removed`.
    """
    draws, steps = block["world"]["draws"], read_settings("events")["steps"]
    parts = [bought_articles(block, visits), other_articles(block, visits)]
    in_vain = np.flatnonzero(draws.chance(steps["unsold_search"], "visit", "in vain", visits["key"]))
    parts.append((in_vain, np.full(len(in_vain), IN_VAIN), np.full(len(in_vain), -1)))
    visit, place, product = (np.concatenate(part) for part in zip(*parts, strict=True))
    # Each article of a visit once; the first one counts, and those that were bought come first.
    _, kept = np.unique(visit << 16 | product & 0xFFFF, return_index=True)
    visit, place, product = visit[kept], place[kept], product[kept]
    key = visits["key"][visit] * ARTICLES + place
    words = draws.words("visit", "articles", key).astype(np.int64)
    sequence = np.lexsort((place, words[0], visit))
    articles = {"visit": visit, "place": place, "product": product, "key": key, "chance": (words * 1000 >> 16).T}
    return add_steps({name: values[sequence] for name, values in articles.items()}, visits)


def bought_articles(block, visits):
    """Return (visit, place, product) of the articles of orders that were put into the cart in these visits."""
    most = read_settings("events")["steps"]["lines_put_in"]
    visit = np.flatnonzero(visits["order"] >= 0)
    order = visits["order"][visit]
    lines = block["orders"]["line_count"][order].astype(np.int64)
    counts = np.clip(lines - visits["put_in"][visit], 0, most)
    # Lines stand in the order of articles: begin anywhere, and at the same place in both visits of an order.
    start = block["world"]["draws"].below(lines, "visit", "first line", block["orders"]["key"][order])
    each, place = np.repeat(np.arange(len(visit)), counts), ranges(counts)
    line = (start + visits["put_in"][visit])[each] + place
    line = block["orders"]["first_line"][order[each]] + line % lines[each]
    return visit[each], place, block["lines"]["product"][line].astype(np.int64)


def other_articles(block, visits):
    """Return (visit, place, product) of the articles that caught the eye: by taste and the offers of the week."""
    draws, people, steps = block["world"]["draws"], block["people"], read_settings("events")["steps"]
    names = ("articles_besides_purchase", "articles_in_cart_visit", "articles_in_look_visit")
    tables = [np.array([n for n, _ in steps[name]])[pick16([w for _, w in steps[name]], 12)] for name in names]
    counts = np.stack(tables)[visits["kind"], draws.words("visit", "articles of", visits["key"])[0] >> 4]
    counts[(visits["kind"] == CART) & (visits["order"] >= 0)] = 0
    visit, place = np.repeat(np.arange(len(counts)), counts), OTHERS_FROM + ranges(counts)
    words = draws.words("visit", "taste", visits["key"][visit] * ARTICLES + place).astype(np.int64)
    person, known = visits["person"][visit], ~visits["stranger"][visit]
    favourite = people["favourites"][person, words[1] * 3 >> 16]
    likes = known & (words[0] * 1000 >> 16 < steps["favourite"])
    category = np.where(likes, favourite, common_table()[words[1] >> 4])
    sensitive = people["price_sensitivity"] >= read_settings("parameters")["orders"]["sensitive_from"]
    week = (visits["day"][visit] - FIRST_DAY) // 7
    pick = block["world"]["shelf"]["pick"]
    return (
        visit,
        place,
        pick[(sensitive[person] & known).astype(np.int64), week, category, words[2] >> 8].astype(np.int64),
    )


def add_steps(articles, visits):
    """Return articles with what was done with each: searched, viewed, added, removed."""
    steps, chance = read_settings("events")["steps"], articles.pop("chance").T
    kind, stranger = visits["kind"][articles["visit"]], visits["stranger"][articles["visit"]]
    bought, real = articles["place"] < OTHERS_FROM, articles["product"] >= 0
    first = articles["place"] == OTHERS_FROM
    besides = (kind == PURCHASE) & ~bought & (chance[1] < steps["put_in_besides_purchase"])
    more = (kind == CART) & (first | (chance[1] < steps["also_put_in"]))
    articles["added"] = added = (bought | besides | more) & real
    articles["removed"] = real & (besides | (more & ~bought & (chance[0] < steps["taken_out"])))
    opened = np.where(kind == PURCHASE, steps["viewed_before_cart_of_buyer"], steps["viewed_before_cart"])
    articles["viewed"] = real & (~added | (chance[2] < opened))
    searched = np.where(stranger, steps["searched_by_stranger"], steps["searched"])
    articles["searched"] = ~real | (chance[3] < searched)
    return articles


# --- events ------------------------------------------------------------------------------------------------------


def lay_out(draws, visits, articles):
    """Return the events in their order.

    A dict of arrays: `visit`, `article` (position; −1 for checkout and purchase), `event`, `number` from 1; and
    `counts`, the events of each visit.
    """
    does = np.stack([articles["searched"], articles["viewed"], articles["added"]], axis=1)
    article, step = np.nonzero(does)
    removed = np.flatnonzero(articles["removed"])
    left = read_settings("events")["steps"]["checkout_of_left_cart"]
    seen = (visits["kind"] == CART) & (visits["order"] < 0) & draws.chance(left, "visit", "checkout", visits["key"])
    bought = np.flatnonzero(visits["kind"] == PURCHASE)
    checkout = np.flatnonzero(seen | (visits["kind"] == PURCHASE))
    ends = np.full(len(checkout) + len(bought), -1)
    article, event, visit = (
        np.concatenate(parts)
        for parts in (
            (article, removed, ends),
            (
                np.array([SEARCH, VIEW, ADD])[step],
                np.full(len(removed), REMOVE),
                np.repeat([CHECKOUT, BUY], [len(checkout), len(bought)]),
            ),
            (articles["visit"][article], articles["visit"][removed], checkout, bought),
        )
    )
    # Within a visit the order stays: one article after the other, what is taken out, the checkout, the purchase.
    sequence = np.argsort(visit, kind="stable")
    visit, counts = visit[sequence], np.bincount(visit, minlength=len(visits["key"]))
    return {
        "visit": visit,
        "article": article[sequence],
        "event": event[sequence],
        "number": ranges(counts) + 1,
        "counts": counts,
    }


def time_events(draws, visits, events):
    """Return the second of each event: gaps by kind of event; an order is made in the minute that it carries."""
    settings = read_settings("events")["steps"]
    mean = np.array([settings["seconds"][name] for name in EVENTS])[events["event"]]
    gap = (
        mean * draws.quantile("exponential", "event", "gap", visits["key"][events["visit"]] * THINGS + events["number"])
        >> 16
    )
    least = np.array([settings["least_seconds"][name] for name in EVENTS])[events["event"]]
    gap = np.minimum(np.maximum(gap, least), settings["most_seconds"])
    gap[events["number"] == 1] = 0
    passed = np.cumsum(gap)
    last = np.cumsum(events["counts"]) - 1
    start = passed[last - events["counts"] + 1]
    length = passed[last] - start
    begins = np.where(
        visits["kind"] == PURCHASE, visits["end"] - length, np.minimum(visits["begin"], visits["latest"] - length)
    )
    second = begins[events["visit"]] + passed - start[events["visit"]]
    return np.maximum(second, visits["earliest"][events["visit"]])


def list_events(block, visits, articles, events):
    """Return the table `web_events`."""
    visit, article, event = events["visit"], events["article"], events["event"]
    draws, records, orders = block["world"]["draws"], block["records"], block["orders"]
    session = id_text(draws.ids("S", visits["key"])[visit])
    record = visits["record"][visit]
    account = records["id"][record] if len(records["id"]) else np.zeros(len(visit), dtype=np.uint64)
    order = orders["id"][visits["order"][visit]] if len(orders["id"]) else account
    ids = product_ids(len(block["world"]["shelf"]["name"]))
    product = articles["product"][article] if len(articles["product"]) else article
    no_product = (article < 0) | (event == SEARCH)
    return pa.table(
        {
            "event_id": pc.binary_join_element_wise(session, pa.array(events["number"]).cast(pa.string()), "-"),
            "session_id": session,
            "device": enum_column(visits["device"][visit], DEVICES),
            "source": enum_column(visits["source"][visit], SOURCES),
            "account_id": id_text(account, record < 0),
            "happened_at": pa.array(events["second"]).cast(pa.timestamp("s")),
            "event": enum_column(event, EVENTS),
            "product_id": pa.array(ids, pa.string()).take(pa.array(product, mask=no_product)),
            "query": list_queries(block, visits, articles, events),
            "order_id": id_text(order, event != BUY),
        }
    )


def list_queries(block, visits, articles, events):
    """Return what was searched for by event, null where nothing was."""
    at = np.flatnonzero(events["event"] == SEARCH)
    article, visit = events["article"][at], events["visit"][at]
    # A person keeps the habit of typing; a stranger is another one each time.
    person = block["people"]["row"][visits["person"][visit]]
    who = np.where(visits["stranger"][visit], -1 - visits["key"][visit], person)
    keys, products = articles["key"][article], articles["product"][article]
    texts = type_queries(block["world"]["draws"], who, keys, products)
    number = np.full(len(events["event"]), -1)
    number[at] = np.arange(len(at))
    return texts.take(pa.array(number, mask=number < 0))
