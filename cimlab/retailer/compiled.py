"""Compiled loops over orders and lines.

What `purchases` and `baskets` do with whole columns, for machines that have numba.

Each function gives bit for bit what the numpy code gives; a test holds them together. Import this module only where
numba is there (see `purchases.compiled_loops`): it is an accelerator for large editions, not a part of the course.
"""

import numba
import numpy as np

from cimlab.retailer.draws import FIRST, SECOND, STEP

MOST_ARTICLES = 128  # that `fill` can keep apart
ROOM = 4  # places of a basket that `list_places` writes at once
# The place of the only bit that is set in a number: each place gives another product with this one (Leiserson, Prokop,
# Randall 1998, "Using de Bruijn sequences to index a 1 in a computer word").
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
BIT_PLACES = np.zeros(64, dtype=np.uint8)
BIT_PLACES[[((1 << place) * int(DE_BRUIJN) >> 58) & 63 for place in range(64)]] = np.arange(64)
# Up to so many purchases it is faster to compare a new one with all of them than to look for its place: the processor
# cannot guess where that is.
FEW = 32
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
def fill_bits(rows, key, out):
    """Return the loop of `Draws.bits`."""
    for i in range(len(rows)):
        out[i] = bits(rows[i], key)


@jit
def quantiles(numbers, table, steps, out):
    """Return the loop of `read_quantile`."""
    for i in range(len(numbers)):
        cell, rest = numbers[i] >> np.uint64(22), numbers[i] & np.uint64(0x3FFFFF)
        out[i] = table[cell] + ((steps[cell] * np.int64(rest)) >> 22)
        if cell == 1023:
            cell, rest = np.uint64(1025) + (rest >> np.uint64(12)), rest & np.uint64(0xFFF)
            out[i] = table[cell] + ((steps[cell] * np.int64(rest)) >> 12)


@jit
def poisson(means, words_in, tables, guides, out):
    """Return the loop of `Draws.poisson`; the guides say where its two searches may begin."""
    levels, starts, sums = tables
    first_levels, first_places = guides
    for i in range(len(means)):
        mean, words = means[i], words_in[i]
        if mean <= 0:
            out[i] = 0
            continue
        upper = np.int64(first_levels[min(mean >> 10, len(first_levels) - 1)])
        while upper < len(levels) - 1 and levels[upper] < mean:
            upper += 1
        lower = max(upper - 1, 0)
        span = max(levels[upper] - levels[lower], 1)
        high = np.int64(words & np.uint64(0xFFFF)) * span < (mean - levels[lower]) * 65536
        level = upper if high else lower
        at = (np.int64(level) << 32) + np.int64(words >> np.uint64(32))
        place = np.int64(first_places[level, words >> np.uint64(60)])
        while place < len(sums) and sums[place] <= at:
            place += 1
        out[i] = place - starts[level]


@jit
def spread(
    rows, since, begin, spans, early, counts, welcomed, newcomer, leaves_after, cells, first_day, key, things, out
):
    """Return the loop of `purchases.make_times`."""
    person_of, number_of, day_of, counted = out
    times, place = np.empty(512, dtype=np.int64), 0
    for person in range(len(rows)):
        # The first purchase comes with the card: it is before all the others. Of these the earliest are needed.
        count, extra = counts[person], 1 if newcomer[person] else 0
        seen = min(count + extra, leaves_after[person])
        for k in range(count if seen > extra else 0):
            u = np.int64(bits(rows[person] * things + k, key) >> np.uint64(32))
            span = early[person] if welcomed[person] and k == count - 1 else spans[person]
            time, at = begin[person] + ((u * span) >> 32), min(k, seen - extra)
            if at <= FEW:
                for earlier in range(at):
                    times[earlier], time = min(times[earlier], time), max(times[earlier], time)
            while at > 0 and times[at - 1] > time:
                times[at] = times[at - 1]
                at -= 1
            times[at] = time
        for number in range(seen):
            time = begin[person] if number < extra else times[number - extra]
            person_of[place], number_of[place] = person, number
            day_of[place] = max(first_day + cells[time >> 15], since[person])
            place += 1
        counted[person] = seen
    return place


@jit
def choose_store(words, city, day, stores, near_per_thousand):
    """Return the loop of `cards.choose_stores`."""
    opened, order, near, near_opened = stores
    w0, w1 = np.int64(words & np.uint64(0xFFFF)), np.int64((words >> np.uint64(16)) & np.uint64(0xFFFF))
    open_here = open_all = 0
    for s in range(near.shape[1]):
        open_here += near_opened[city, s] <= day
    for s in range(len(opened)):
        open_all += opened[s] <= day
    if open_here > 0 and (w0 * 1000 >> 16) < near_per_thousand:
        return near[city, w1 * open_here >> 16]
    return order[w1 * open_all >> 16]


@jit
def describe(
    person, key, day, first, record_days, late, uses, cities, sale, channel_of, hour_of, keys, stores, per_thousand, out
):
    """Return the loop of `purchases.describe_orders`."""
    channel_out, at_out, hour_out, store_out, record_out, unlucky_out = out
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
            store_out[i] = choose_store(bits(key[i], keys[1]), cities[p], d, stores, per_thousand[0])
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
def list_places(sizes, keys, rows_out, order_out):
    """Write the row number and the order of each place in the baskets, and ROOM − 1 entries behind them.

    ROOM are written for every order, since it costs more to guess how many there are.
    """
    first = 0
    for i in range(len(sizes)):
        for k in range(ROOM):
            rows_out[first + k], order_out[first + k] = keys[i] * 64 + k, i
        for k in range(ROOM, sizes[i]):
            rows_out[first + k], order_out[first + k] = keys[i] * 64 + k, i
        first += sizes[i]


@jit
def choose(words, order, person, rows, favourites, tables, limit, out):
    """Write the article of each place in the baskets: the first half of `baskets.make_lines`."""
    common, picks = tables
    for j in range(len(words)):
        w0, w1 = words[j] & np.uint64(0xFFFF), (words[j] >> np.uint64(16)) & np.uint64(0xFFFF)
        mine = np.uint64(person[order[j]]) * np.uint64(3) + ((w1 * np.uint64(3)) >> np.uint64(16))
        # both are read, since to guess which one costs more
        liked, usual = favourites[mine], common[w1 >> np.uint64(4)]
        row = np.uint64(rows[order[j]]) + np.uint64(liked if w0 < limit else usual)
        out[j] = picks[(row << np.uint64(8)) + ((words[j] >> np.uint64(40)) & np.uint64(0xFF))]


@jit
def fill(sizes, words_in, product_in, companion, chance, out):
    """Write the articles of each basket in their order, each once, and return the lines of all: `baskets.drop_repeats`.

    What is in a basket is kept as a bit for each article, so nothing needs to be sorted. Of an article that is taken
    twice the least code counts.
    """
    order_out, product_out, code_out, number_out, counts = out
    codes, place, line = np.full(MOST_ARTICLES, 255, dtype=np.uint8), 0, 0
    for i in range(len(sizes)):
        low = high = np.uint64(0)
        for _ in range(sizes[i]):
            words, product = words_in[line], product_in[line]
            line += 1
            low, high = low | low_bit(product), high | high_bit(product)
            codes[product] = min(codes[product], np.uint8((words >> np.uint64(32)) & np.uint64(0xFF)))
            if np.int64(words >> np.uint64(48)) < chance[product]:
                product = companion[product]
                low, high = low | low_bit(product), high | high_bit(product)
                codes[product] = min(codes[product], np.uint8(words & np.uint64(0xFF)))
        number = 0
        while low | high:
            left = low if low else high
            lowest = left & (~left + np.uint64(1))
            product = BIT_PLACES[(lowest * DE_BRUIJN) >> np.uint64(58)] + (0 if low else 64)
            low, high, number = low ^ lowest if low else low, high if low else high ^ lowest, number + 1
            order_out[place], product_out[place], number_out[place] = i, product, number
            code_out[place], codes[product] = codes[product], 255
            place += 1
        counts[i] = number
    return place


@jit
def low_bit(product):
    """Return the bit of an article in the word of the first 64 articles."""
    return np.uint64(1) << np.uint64(product) if product < 64 else np.uint64(0)


@jit
def high_bit(product):
    """Return the bit of an article in the word of those that follow."""
    return np.uint64(1) << np.uint64(product - 64) if product >= 64 else np.uint64(0)


@jit
def price_lines(order, product, code, tables, price_starts, offer_starts, out):
    """Return the loop of `baskets.price_lines`: 32 bits are enough for all of it."""
    prices, offers, packs = tables
    quantity_out, price_out, tenths_out, amount_out = out
    for j in range(len(order)):
        i = np.uint32(order[j])
        price, tenths = prices[price_starts[i] + product[j]], offers[offer_starts[i] + product[j]]
        quantity = np.int32(1) if price >= 10_000 else packs[code[j]]
        quantity_out[j], price_out[j], tenths_out[j] = quantity, price, tenths
        amount_out[j] = np.uint32(np.int32(quantity * price) * np.int32(10 - tenths) + np.int32(5)) // np.uint32(10)
