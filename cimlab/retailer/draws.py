"""Random numbers that depend on nothing but a seed and the place where they are used.

Each number is a hash of (seed; table, column, row, draw). There is no running stream: a new column, a new table or
another order of work moves no other number, and every machine gets the same bits.
"""

from bisect import bisect_right
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent


@cache
def read_settings(name):
    """Return one of the YAML files beside this module; read once, to be treated as read-only."""
    # The C loader is five times faster and gives the same values.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)


def split_entries(text):
    """Return the words of each entry of a list such as `王 wang 7100, 李 li 7000`."""
    return [entry.split() for entry in text.replace("\n", " ").split(",") if entry.strip()]


class Draws:
    """Whole numbers keyed by (table, column, row, draw) under one seed.

    Parameters
    ----------
    seed : int
        The seed of an edition.

    Examples
    --------
    >>> draws = Draws(1)
    >>> draws.below(6, "dice", "spots", 0) == Draws(1).below(6, "dice", "spots", 0)
    True
    >>> [draws.below(6, "dice", "spots", row) + 1 for row in range(8)]
    [6, 4, 2, 6, 1, 2, 4, 1]
    """

    def __init__(self, seed):
        self._start = blake2b(f"cimlab\x1f{int(seed)}\x1f".encode(), digest_size=8)

    def number(self, table, column, row, draw=0):
        """Return a whole number of 64 bits."""
        state = self._start.copy()
        state.update(f"{table}\x1f{column}\x1f{row}\x1f{draw}".encode())
        return int.from_bytes(state.digest(), "little")

    def below(self, limit, table, column, row, draw=0):
        """Return a whole number from 0 to limit − 1, all equally likely."""
        return self.number(table, column, row, draw) * limit >> 64

    def between(self, low, high, table, column, row, draw=0):
        """Return a whole number from low to high, both included."""
        return low + self.below(high - low + 1, table, column, row, draw)

    def chance(self, per_thousand, table, column, row, draw=0):
        """Return True with a chance of so many in a thousand."""
        return self.below(1000, table, column, row, draw) < per_thousand

    def pick(self, values, table, column, row, draw=0):
        """Return one of the values, all equally likely."""
        return values[self.below(len(values), table, column, row, draw)]

    def weighted(self, pairs, table, column, row, draw=0):
        """Return the value of one of the (value, weight) pairs; the weights are whole numbers."""
        sums = list(accumulate(weight for _, weight in pairs))
        return pairs[bisect_right(sums, self.below(sums[-1], table, column, row, draw))][0]


def by_limit(steps, value):
    """Return the number of the first (limit, number) step whose limit is not below the value."""
    return next(number for limit, number in steps if value <= limit)
