"""What every part of the retailer shares.

Fixed dates, the names behind the small numbers, texts of days and identifiers.
"""

from datetime import date
from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import Draws, read_settings

DAY_ZERO = date(1970, 1, 1)
NO_DAY = -1_000_000  # before all days that occur; -1 is the last day of 1969
LEVELS = ("clean", "light", "normal", "heavy")
CHANNELS = ("till", "web", "call")
TILL, WEB, CALL = 1, 2, 4  # bits of `channels`
ROLES = ("head", "partner", "child", "parent", "sibling", "flatmate")
LIFE_STAGES = ("single", "couple", "young family", "grown family", "three generations", "retired")
SEGMENTS = ("bargain hunter", "family stocker", "fresh daily", "online explorer", "premium", "occasional")
CAMPAIGN_KINDS = ("persuadable", "sure thing", "lost cause", "sleeping dog")
TIERS = ("basic", "silver", "gold")
MINUTES = 24 * 60
THINGS = 512  # room for the orders, records, … of one person in a key
MOST_CUSTOMERS = 1 << 26  # keys of things are below 2^35


def day_of(when):
    """Return the number of a date: days since 1970-01-01."""
    return (when - DAY_ZERO).days


REFERENCE_DATE = read_settings("dictionary")["reference_date"]
REFERENCE_DAY = day_of(REFERENCE_DATE)
FIRST_DAY = day_of(read_settings("parameters")["orders"]["first_day"])
FIRST_TEXT_DAY, LAST_TEXT_DAY = day_of(date(1900, 1, 1)), day_of(date(2040, 12, 31))
CITIES = tuple(read_settings("places")["cities"])
CATEGORIES = tuple(read_settings("catalogue")["categories"])


def make_world(seed, level="normal"):
    """Return what all blocks of an edition share: its draws, the level of its dirt, what stands on its shelves."""
    from cimlab.retailer.catalogue import make_shelf

    if level not in LEVELS:
        raise ValueError(f"There is no level {level!r}; the levels are {', '.join(LEVELS)}.")
    draws = Draws(seed)
    return {"draws": draws, "level": level, "shelf": make_shelf(draws)}


@cache
def day_texts():
    """Return the ISO texts of the days from 1900 to 2040."""
    days = np.arange(FIRST_TEXT_DAY, LAST_TEXT_DAY + 1).astype("M8[D]")
    return pa.array(days.astype(str).tolist(), pa.string())


def iso_dates(days):
    """Return days as ISO texts; NO_DAY becomes null."""
    days = np.asarray(days, dtype=np.int64)
    return day_texts().take(pa.array(days - FIRST_TEXT_DAY, mask=days == NO_DAY))


def valid_bits(mask):
    """Return which values are there as Arrow keeps it, a bit each; None if all are, where `mask` is True for none."""
    return pa.py_buffer(np.packbits(~mask, bitorder="little")) if mask is not None and mask.any() else None


def number_column(kind, values, mask):
    """Return an Arrow column of that type on the numbers themselves: nothing is copied; null where `mask`."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [valid_bits(mask), pa.py_buffer(values)])


def date_column(days):
    """Return days as an Arrow array of dates; NO_DAY becomes null."""
    days = np.asarray(days, dtype=np.int32)
    return number_column(pa.date32(), days, days == NO_DAY)


def time_column(minutes):
    """Return minutes since 1970 as an Arrow array of times; a negative number becomes null."""
    minutes = np.asarray(minutes, dtype=np.int64)
    return number_column(pa.timestamp("s"), minutes * 60, minutes < 0)


def text_column(offsets, data, mask=None):
    """Return texts that lie one behind the other as an Arrow column; null where `mask`.

    `offsets` and `data` hold the texts of the rows that are not null.
    """
    if mask is None or not mask.any():
        mask = None
    else:
        place = np.zeros(len(mask) + 1, dtype=np.int64)
        np.cumsum(~mask, out=place[1:])
        offsets = offsets[place]
    buffers = pa.py_buffer(np.ascontiguousarray(offsets, dtype=np.int32)), pa.py_buffer(data), valid_bits(mask)
    return pa.StringArray.from_buffers(len(offsets) - 1, *buffers)


def join_texts(pieces, codes, mask=None):
    """Return texts that are put together from pieces, as an Arrow column.

    All pieces are taken at once. So they already lie in memory as the texts do, and only the borders within a text go.

    Parameters
    ----------
    pieces : pyarrow.StringArray
    codes : array of int, shape (texts, parts)
        The numbers of the pieces of each text that is not null.
    mask : array of bool, optional
        One entry a row: where the column is null.
    """
    taken = pieces.take(pa.array(codes.reshape(-1)))
    if not len(taken):
        return text_column(np.zeros(1, dtype=np.int32), b"", mask)
    _, offsets, data = taken.buffers()
    return text_column(np.frombuffer(offsets, dtype=np.int32, count=codes.size + 1)[:: codes.shape[1]], data, mask)


def id_text(ids, mask=None):
    """Return identifiers (their bytes in a uint64, see `Draws.ids`) as an Arrow text column; null where `mask`."""
    data = np.ascontiguousarray(ids.astype("<u8", copy=False))
    if mask is not None:
        data = data.compress(~mask)
    short = data < 1 << 48
    if not short.any():  # nothing is copied
        return text_column(np.arange(0, 8 * len(data) + 1, 8, dtype=np.int32), data, mask)
    if short.all():
        pairs, out = data.view("<u2").reshape(-1, 4), np.empty((len(data), 3), dtype="<u2")
        for place in range(3):  # five times faster than to copy the three at once
            out[:, place] = pairs[:, place]
        return text_column(np.arange(0, 6 * len(data) + 1, 6, dtype=np.int32), out, mask)
    lengths, bytes_ = np.where(short, 6, 8), data.view(np.uint8).reshape(-1, 8)
    return text_column(np.concatenate([[0], np.cumsum(lengths)]), bytes_[np.arange(8) < lengths[:, None]], mask)


def enum_column(codes, names):
    """Return small numbers as an Arrow column of the names behind them (dictionary encoded)."""
    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(codes, dtype=np.int8)), pa.array(names, pa.string()))


def money_column(fen):
    """Return amounts in fen as an Arrow column of CNY. A division by 100 is rounded the same way everywhere."""
    return pa.array(np.asarray(fen, dtype=np.int64) / 100.0)


def year_month_day(days):
    """Return (year, month, day of the month) of days."""
    dates = np.asarray(days, dtype=np.int64).astype("M8[D]")
    months = dates.astype("M8[M]")
    count = months.astype(np.int64)
    return count // 12 + 1970, count % 12 + 1, (dates - months).astype(np.int64) + 1


def ranges(counts):
    """Return 0, 1, … count − 1 for each of the counts, one behind the other."""
    counts = np.asarray(counts, dtype=np.int64)
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
