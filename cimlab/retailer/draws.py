"""Random numbers that depend on nothing but a seed and the place where they are used.

Each number is a hash of (seed; table, column, row, draw). There is no running stream: a new column, a new table,
another order of work or another cut of the rows moves no other number. Only integer arithmetic is used, so that every
machine, every number of processes and every version of numpy gives the same bits. Distributions are integer quantile
tables (`quantiles.csv`, `poisson.csv`; `tools/make_quantiles.py` builds them), since logarithms differ between
machines.

References
----------
Steele, G., Lea, D., Flood, C. (2014). Fast splittable pseudorandom number generators. OOPSLA (the mixing function).
Salmon, J. et al. (2011). Parallel random numbers: as easy as 1, 2, 3. SC '11 (why counters, not streams).
"""

from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import yaml

FOLDER = Path(__file__).resolve().parent
# 2^64 / golden ratio, and the two multipliers of SplitMix64.
STEP = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
# Numbers are mixed in pieces that stay in the processor's cache: 2.5 times faster than whole columns.
PIECE = 1 << 14
SMALL = 1 << 25  # keys of things of the first 65,536 persons: they get short identifiers
# Quantile tables are in thousandths of this: a table of mean 1 has mean ONE.
ONE = 1 << 16
CELLS = 1024  # of the body of a quantile table, and as many again for its last cell, the tail


@cache
def read_settings(name):
    """Return one of the YAML files beside this module; read once, to be treated as read-only."""
    # The C loader is five times faster and gives the same values.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)


def split_entries(text):
    """Return the words of each entry of a list such as `王 wang 7100, 李 li 7000`."""
    return [entry.split() for entry in text.replace("\n", " ").split(",") if entry.strip()]


def mix(numbers):
    """Scramble an array of uint64 in place (the finaliser of SplitMix64, a bijection) and return it."""
    spare = np.empty_like(numbers)
    for shift, factor in ((30, FIRST), (27, SECOND), (31, None)):
        np.right_shift(numbers, np.uint64(shift), out=spare)
        np.bitwise_xor(numbers, spare, out=numbers)
        if factor is not None:
            np.multiply(numbers, factor, out=numbers)
    return numbers


class Draws:
    """Whole numbers keyed by (table, column, row, draw) under one seed.

    Parameters
    ----------
    seed : int
        The seed of an edition.

    Examples
    --------
    >>> draws = Draws(1)
    >>> rows = np.arange(8)
    >>> draws.below(6, "dice", "spots", rows) + 1
    array([...])
    >>> bool((draws.below(6, "dice", "spots", rows[3:5]) == draws.below(6, "dice", "spots", rows)[3:5]).all())
    True
    """

    def __init__(self, seed):
        self.seed = int(seed)
        self.compiled = None  # the module of that name, while a block is made for which it is worth while
        self._keys = {}

    def key(self, table, column, draw=0):
        """Return the 64-bit key of one column of draws."""
        place = (table, column, draw)
        if place not in self._keys:
            text = f"cimlab\x1f{self.seed}\x1f{table}\x1f{column}\x1f{draw}"
            self._keys[place] = np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))
        return self._keys[place]

    def bits(self, table, column, rows, draw=0):
        """Return 64 random bits for each row.

        Parameters
        ----------
        table, column : str
            What the numbers are for; other names give other numbers.
        rows : array of int64
            Row numbers; the bits of a row do not depend on the other rows.
        draw : int
            Number of the draw within that column.

        Returns
        -------
        numpy.ndarray of uint64
        """
        rows = np.ascontiguousarray(rows, dtype=np.int64).view(np.uint64)
        key, out = self.key(table, column, draw), np.empty(rows.shape, dtype=np.uint64)
        flat, given = out.reshape(-1), rows.reshape(-1)
        if self.compiled is not None:
            self.compiled.fill_bits(given, key, flat)
            return out
        for start in range(0, len(flat), PIECE):
            piece = flat[start : start + PIECE]
            np.multiply(given[start : start + PIECE], STEP, out=piece)
            np.add(piece, key, out=piece)
            mix(piece)
        return out

    def words(self, table, column, rows, draw=0):
        """Return four numbers of 16 bits for each row, as an array of shape (4, rows).

        Four draws for the price of one.
        """
        return words_of(self.bits(table, column, rows, draw))

    def below(self, limit, table, column, rows, draw=0):
        """Return a whole number from 0 to limit − 1 for each row, all equally likely.

        `limit` is below 2^31 (or an array).
        """
        return scale(self.bits(table, column, rows, draw), limit)

    def between(self, low, high, table, column, rows, draw=0):
        """Return a whole number from low to high for each row, both included."""
        return low + self.below(np.asarray(high) - low + 1, table, column, rows, draw)

    def chance(self, per_thousand, table, column, rows, draw=0):
        """Return True with a chance of so many in a thousand (a number, or one for each row)."""
        bits = self.bits(table, column, rows, draw)
        if not isinstance(per_thousand, int):
            return scale(bits, 1000) < per_thousand
        # the same without scaling each number: what their upper half is compared with
        limit = -(-(min(max(per_thousand, 0), 1000) << 32) // 1000)
        return bits < np.uint64(limit << 32) if limit < 1 << 32 else np.ones(bits.shape, dtype=bool)

    def weighted(self, weights, table, column, rows, draw=0):
        """Return the place of one of the whole-number weights for each row, in proportion to them."""
        sums = np.cumsum(np.asarray(weights, dtype=np.int64))
        at = self.below(int(sums[-1]), table, column, rows, draw)
        return np.searchsorted(sums, at, side="right")

    def quantile(self, name, table, column, rows, draw=0):
        """Return a draw from a quantile table for each row, in units of 1/ONE."""
        numbers = self.bits(table, column, rows, draw) >> np.uint64(32)
        if self.compiled is None:
            return read_quantile(name, numbers)
        out = np.empty(numbers.shape, dtype=np.int64)
        tables = quantile_tables()[name], quantile_steps(name)
        self.compiled.quantiles(numbers.reshape(-1), *tables, out.reshape(-1))
        return out

    def poisson(self, means, table, column, rows, draw=0):
        """Return a Poisson number for each row; `means` in units of 1/ONE, one for each row."""
        levels, starts, sums = poisson_table()
        bits = self.bits(table, column, rows, draw)
        # Between two levels of the table one is taken by chance, so that the mean is exact.
        upper = np.minimum(np.searchsorted(levels, means, side="left"), len(levels) - 1)
        lower = np.maximum(upper - 1, 0)
        span = np.maximum(levels[upper] - levels[lower], 1)
        high = (bits & np.uint64(0xFFFF)).astype(np.int64) * span < (means - levels[lower]) * 65536
        level = np.where(high, upper, lower)
        at = (level << 32) + (bits >> np.uint64(32)).astype(np.int64)
        counts = np.searchsorted(sums, at, side="right") - starts[level]
        return np.where(means > 0, counts, 0)

    def permute(self, numbers, size, name):
        """Return other numbers below `size` for numbers below `size`, each one once: a shuffle without a list.

        Values are mixed within the next power of two and walk on until they are below `size` (cycle walking,
        Black and Rogaway 2002).
        """
        width = max(int(size - 1).bit_length(), 2)
        out = self._permute_bits(np.asarray(numbers, dtype=np.int64), width, name)
        outside = np.flatnonzero(out >= size)
        while len(outside):
            out[outside] = self._permute_bits(out[outside], width, name)
            outside = outside[out[outside] >= size]
        return out

    def _permute_bits(self, numbers, width, name):
        """Return a keyed bijection of `width` bits: odd multipliers and folded shifts."""
        # nothing above the lowest `width` bits counts, so half the space does for most
        kind = np.uint32 if width <= 32 else np.uint64
        x, high, mask = numbers.astype(kind), (1 << 8 * kind().itemsize) - 1, kind((1 << width) - 1)
        for turn in range(3):
            key = int(self.key("permutation", name, turn))
            x *= kind((key | 1) & high)
            x += kind((key >> 7) & high)
            x &= mask
            x ^= x >> kind((width + 1) // 2)
        return x.astype(np.int64)

    def ids(self, letter, keys):
        """Return an identifier for each key below 2^35, as its bytes in a uint64 (see `world.id_text`).

        The letter, then Crockford's base 32: five characters for keys below 2^25, seven for the others. They are a
        keyed shuffle of the key, so that neither the order nor the neighbourhood of two identifiers tells anything, and
        a larger world changes none.
        """
        keys = np.asarray(keys, dtype=np.int64)
        small = keys < SMALL
        if small.all():
            return self._short_ids(letter, keys)
        out = self._long_ids(letter, keys)
        if small.any():
            out[small] = self._short_ids(letter, keys[small])
        return out

    def _short_ids(self, letter, keys):
        """Return identifiers of six characters."""
        mixed, (head, three, _) = self._permute_bits(keys, 25, f"short id {letter}"), base32_tables()
        out = head.take(mixed >> 10)
        out |= three.take(mixed & 1023)
        out |= np.uint64(ord(letter))
        return out.astype("<u8", copy=False)

    def _long_ids(self, letter, keys):
        """Return identifiers of eight characters."""
        mixed, (head, three, two) = self._permute_bits(keys, 35, f"id {letter}"), base32_tables()
        out = head.take(mixed >> 20)
        out |= three.take((mixed >> 10) & 1023)
        out |= two.take(mixed & 1023)
        out |= np.uint64(ord(letter))
        return out.astype("<u8", copy=False)


def words_of(bits):
    """Return the four numbers of 16 bits in each number of 64 bits, as an array of shape (4, numbers)."""
    return bits.astype("<u8", copy=False).view("<u2").reshape(-1, 4).T


def scale(bits, limit):
    """Return numbers below `limit` (below 2^31; a number, or one for each row) from 64-bit numbers."""
    high = (bits >> np.uint64(32)).astype(np.int64)
    return (high * limit) >> 32


def pick16(weights, bits):
    """Return a table of 2^bits places for whole-number weights.

    `table[number of that many bits]` is a weighted pick.
    """
    weights = np.asarray(weights, dtype=np.int64)
    edges = np.cumsum(weights) * (1 << bits) // weights.sum()
    return np.searchsorted(edges, np.arange(1 << bits), side="right").astype(np.int64)


def by_limit(steps, values):
    """Return for each value the number of the first (limit, number) step whose limit is not below it."""
    limits = np.array([limit for limit, _ in steps])
    return np.array([number for _, number in steps])[np.searchsorted(limits, values, side="left")]


@cache
def base32_tables():
    """Return the texts of 15, 10 and 10 bits as uint64 pieces of an 8-byte identifier."""
    digits = [ord(character) for character in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"]
    pair = [(first, second) for first in digits for second in digits]
    head = [a << 8 | b << 16 | c << 24 for a in digits for b, c in pair]
    three = [a << 32 | b << 40 for a, b in pair]
    two = [a << 48 | b << 56 for a, b in pair]
    return tuple(np.array(table, dtype=np.uint64) for table in (head, three, two))


@cache
def quantile_tables():
    """Return the quantile tables by name: values at the edges of the body's cells, then at those of the tail's."""
    path = FOLDER / "quantiles.csv"
    names = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
    values = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64)
    return {name: np.ascontiguousarray(values[:, column]) for column, name in enumerate(names)}


@cache
def quantile_steps(name):
    """Return how much the values of a quantile table grow from each edge to the next one."""
    return np.diff(quantile_tables()[name])


def read_quantile(name, numbers):
    """Return the values of a quantile table at 32-bit numbers, straight lines between its edges; in units of 1/ONE."""
    table, steps = quantile_tables()[name], quantile_steps(name)
    numbers = np.asarray(numbers).astype(np.int64)
    cell, rest = numbers >> 22, numbers & 0x3FFFFF
    rest *= steps.take(cell)
    rest >>= 22
    out = table.take(cell)
    out += rest
    tail = np.flatnonzero(cell == CELLS - 1)
    if len(tail):
        rest = numbers[tail] & 0x3FFFFF
        cell, rest = CELLS + 1 + (rest >> 12), rest & 0xFFF
        out[tail] = table[cell] + ((steps[cell] * rest) >> 12)
    return out


@cache
def poisson_table():
    """Return the table of Poisson numbers.

    A tuple: the means of its levels in 1/ONE, where each level starts, the sums of all levels one behind the other.
    """
    rows = np.loadtxt(FOLDER / "poisson.csv", delimiter=",", skiprows=1, dtype=np.int64)
    levels, starts = np.unique(rows[:, 0], return_index=True)
    place = np.searchsorted(levels, rows[:, 0])
    return levels, starts, (place << 32) + rows[:, 1]


@cache
def poisson_guides():
    """Return where a search in `poisson_table` may begin.

    A tuple: for each 1,024 of a mean the first level that is not below; for (level, number of 4 bits) the first sum
    above.
    """
    levels, _, sums = poisson_table()
    cells = (np.arange(len(levels)) << 32)[:, None] + (np.arange(16) << 28)
    first_levels = np.searchsorted(levels, np.arange((levels[-1] >> 10) + 1) << 10)
    return first_levels.astype(np.int16), np.searchsorted(sums, cells, side="right").astype(np.int16)
