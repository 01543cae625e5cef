"""Compiled loops over orders and lines.

What `purchases` and `baskets` do with whole columns, for machines that have numba.

Each function gives bit for bit what the numpy code gives; a test holds them together. Import this module only where
numba is there (see `is_used`): it is an accelerator for large editions, not a part of the course.
"""

import numba
import numpy as np

from cimlab.retailer.draws import FIRST, SECOND, STEP

# compiled code is kept beside the module, so that only the first run waits for it
jit = numba.njit(cache=True, nogil=True)


@jit
def bits(row, key):
    """Return the 64 random bits of one row of a column with that key."""
    x = np.uint64(row) * STEP + key
    x = (x ^ (x >> np.uint64(30))) * FIRST
    x = (x ^ (x >> np.uint64(27))) * SECOND
    return x ^ (x >> np.uint64(31))


@jit
def poisson(means, rows, key, tables, out):
    """Return the loop of `Draws.poisson`."""
    levels, starts, sums = tables
    for i in range(len(rows)):
        mean = means[i]
        if mean <= 0:
            out[i] = 0
            continue
        words = bits(rows[i], key)
        upper = min(np.searchsorted(levels, mean), len(levels) - 1)
        lower = max(upper - 1, 0)
        span = max(levels[upper] - levels[lower], 1)
        high = np.int64(words & np.uint64(0xFFFF)) * span < (mean - levels[lower]) * 65536
        level = upper if high else lower
        at = (np.int64(level) << 32) + np.int64(words >> np.uint64(32))
        place = starts[level]
        while place < len(sums) and sums[place] <= at:
            place += 1
        out[i] = place - starts[level]


@jit
def basket_sizes(keys, person, weights, table, key, most, out):
    """Return the loop of `baskets.basket_sizes`; the sum of the sizes."""
    total = 0
    for i in range(len(keys)):
        number = np.int64(bits(keys[i], key) >> np.uint64(32))
        cell, rest, width = number >> 22, number & 0x3FFFFF, 22
        if cell == 1023:
            cell, rest, width = 1025 + (rest >> 12), rest & 0xFFF, 12
        value = table[cell] + (((table[cell + 1] - table[cell]) * rest) >> width)
        size = ((value * (weights[person[i]] >> 4) >> 12) + 32768) >> 16
        out[i] = min(max(size, 1), most)
        total += out[i]
    return total


@jit
def spread(
    rows, since, begin, spans, early, counts, welcomed, newcomer, leaves_after, cells, first_day, key, things, out
):
    """Return the loop of `purchases.make_times`."""
    person_of, number_of, day_of, counted = out
    times, place = np.empty(512, dtype=np.int64), 0
    for person in range(len(rows)):
        count = counts[person]
        for k in range(count):
            u = np.int64(bits(rows[person] * things + k, key) >> np.uint64(32))
            span = early[person] if welcomed[person] and k == count - 1 else spans[person]
            time = begin[person] + ((u * span) >> 32)
            at = k
            while at > 0 and times[at - 1] > time:
                times[at] = times[at - 1]
                at -= 1
            times[at] = time
        # The first purchase comes with the card: it is before all the others.
        extra = 1 if newcomer[person] else 0
        for number in range(min(count + extra, leaves_after[person])):
            time = begin[person] if number < extra else times[number - extra]
            person_of[place], number_of[place] = person, number
            day_of[place] = max(first_day + cells[time >> 15], since[person])
            place += 1
        counted[person] = min(count + extra, leaves_after[person])
    return place


@jit
def describe(
    person, key, day, first, record_days, late, uses, cities, sale, channel_of, hour_of, keys, stores, per_thousand, out
):
    """Return the loop of `purchases.describe_orders`."""
    channel_out, at_out, hour_out, store_out, record_out, unlucky_out = out
    opened, order, near, near_opened = stores
    cards = np.zeros(record_days.shape[1], dtype=np.int64)
    for i in range(len(person)):
        p, d = person[i], day[i]
        known_cards = known_accounts = held = 0
        for c in range(5):
            made = record_days[c, p]
            if c < 3:
                held += made != late
                known_cards += made <= d
            else:
                known_accounts += made <= d
        words = bits(key[i], keys[0])
        usable = (known_cards > 0) + 2 * (known_accounts > 0) + (uses[p] & 4)
        channel = channel_of[sale[i], usable, (words & np.uint64(0xFFFF)) >> np.uint64(4)]
        hour = hour_of[channel, ((words >> np.uint64(16)) & np.uint64(0xFFFF)) >> np.uint64(4)]
        minute = np.int64(((words >> np.uint64(32)) & np.uint64(0xFFFF)) * np.uint64(60) >> np.uint64(16))
        channel_out[i], hour_out[i], at_out[i] = channel, hour, np.int64(d) * 1440 + hour * 60 + minute
        unlucky_out[i] = np.int64(words >> np.uint64(48))
        store_out[i] = -1
        if channel == 0:
            more = bits(key[i], keys[1])
            w0, w1 = np.int64(more & np.uint64(0xFFFF)), np.int64((more >> np.uint64(16)) & np.uint64(0xFFFF))
            open_here = open_all = 0
            for s in range(near.shape[1]):
                open_here += near_opened[cities[p], s] <= d
            for s in range(len(opened)):
                open_all += opened[s] <= d
            if open_here > 0 and (w0 * 1000 >> 16) < per_thousand[0]:
                store_out[i] = near[cities[p], w1 * open_here >> 16]
            else:
                store_out[i] = order[w1 * open_all >> 16]
        record_out[i] = -1
        if channel < 2:
            count = known_accounts if channel == 1 else known_cards
            copy = count - 1
            if (
                count > 1
                and np.int64(((bits(key[i], keys[2]) >> np.uint64(32)) * np.uint64(1000)) >> np.uint64(32))
                < per_thousand[1]
            ):
                copy = 0
            record_out[i] = first[p] + (held if channel == 1 else 0) + copy
    return len(cards)


@jit
def fill(
    sizes,
    person,
    keys,
    week,
    late_price,
    sensitive,
    favourites,
    common,
    picks,
    companion,
    chance,
    packs,
    price,
    offers,
    limit,
    key,
    out,
):
    """Return the loop of `baskets.make_lines`."""
    order_out, product_out, quantity_out, price_out, tenths_out, amount_out, number_out, counts = out
    basket, place = np.empty(256, dtype=np.int64), 0
    for i in range(len(sizes)):
        p, w, filled = person[i], week[i], 0
        for k in range(sizes[i]):
            words = bits(keys[i] * 64 + k, key)
            w0, w1 = np.int64(words & np.uint64(0xFFFF)), np.int64((words >> np.uint64(16)) & np.uint64(0xFFFF))
            w2, w3 = np.int64((words >> np.uint64(32)) & np.uint64(0xFFFF)), np.int64(words >> np.uint64(48))
            category = favourites[p, (w1 * 3) >> 16] if w0 < limit else common[w1 >> 4]
            product = picks[sensitive[p], w, category, w2 >> 8]
            for second in range(2):
                if second == 1:
                    if not w3 < chance[product]:
                        break
                    item = companion[product] << 8 | (w0 & 0xFF)
                else:
                    item = np.int64(product) << 8 | (w2 & 0xFF)
                at = filled
                while at > 0 and basket[at - 1] > item:
                    basket[at] = basket[at - 1]
                    at -= 1
                basket[at] = item
                filled += 1
        number, last = 0, -1
        for k in range(filled):
            product = basket[k] >> 8
            if product == last:
                continue
            last, number = product, number + 1
            cost, tenths = price[late_price[i], product], offers[w, product]
            quantity = 1 if cost >= 10_000 else packs[basket[k] & 0xFF]
            order_out[place], product_out[place], number_out[place] = i, product, number
            quantity_out[place], price_out[place], tenths_out[place] = quantity, cost, tenths
            amount_out[place] = (quantity * cost * (10 - tenths) + 5) // 10
            place += 1
        counts[i] = number
    return place
