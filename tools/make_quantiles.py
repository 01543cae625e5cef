"""Build the integer quantile tables of the retailer: cimlab/retailer/quantiles.csv and poisson.csv.

Run it with the environment of the course:  .venv/bin/python tools/make_quantiles.py

A draw looks its value up here, so that no logarithm, power or gamma function is computed when data is made: those give
other bits on other machines and with other versions of numpy. Values are in units of 1/65536; a table named after a
distribution of mean 1 has that mean. The body has 1,024 cells; the last one is divided once more, for the tail.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import stats

ONE, CELLS = 1 << 16, 1024
FOLDER = Path(__file__).resolve().parents[1] / "cimlab" / "retailer"
# What each table is for, and the distribution. The shapes are explained in parameters.yaml.
DISTRIBUTIONS = {
    # buying rates of persons, mean 1: gamma of shape 0.55 (chosen above CDNOW's 0.24: more people buy food often)
    "rate": stats.gamma(0.55, scale=1 / 0.55),
    # −ln(1 − u): with a hazard it gives the number of purchases until somebody leaves
    "exponential": stats.expon(),
    # differences between persons, mean 1
    "lognormal_30": stats.lognorm(0.30, scale=np.exp(-(0.30**2) / 2)),
    "lognormal_45": stats.lognorm(0.45, scale=np.exp(-(0.45**2) / 2)),
    "lognormal_90": stats.lognorm(0.90, scale=np.exp(-(0.90**2) / 2)),
    # scores, mean 0 and standard deviation 1
    "normal": stats.norm(),
}


def make_table(distribution):
    """Return the quantiles at the edges of the cells of the body, then of those of its last cell, in units of 1/ONE."""
    body = np.arange(CELLS + 1) / CELLS
    tail = (CELLS - 1 + np.arange(CELLS + 1) / CELLS) / CELLS
    values = distribution.ppf(np.concatenate([body, tail]))
    # The outermost edges may be infinite: they are put so that the straight line over their cell has the cell's mean.
    last = 1 / CELLS**2
    values[0] = 2 * mean_between(distribution, 0, 1 / CELLS) - values[1]
    values[-1] = 2 * mean_between(distribution, 1 - last, 1) - values[-2]
    values[CELLS] = values[-1]
    return np.rint(values * ONE).astype(np.int64)


def mean_between(distribution, low, high):
    """Return the mean of the quantiles between two shares."""
    steps = 200_000
    return distribution.ppf(low + (high - low) * (np.arange(steps) + 0.5) / steps).mean()


def make_dropout(a, b):
    """Return the quantile table of −ln(1 − p) with p from a beta distribution.

    The hazard of leaving after a purchase.
    """
    return np.maximum(np.rint(-np.log1p(-make_table(stats.beta(a, b)) / ONE) * ONE), 1).astype(np.int64)


def make_poisson():
    """Return (mean in 1/ONE, 32-bit cumulative chance) rows for mean 0 and means from 0.01 to 160 in steps of 6 %."""
    rows = [(0, 2**32)]  # no purchase is certain at mean 0
    for mean in np.unique(np.rint(0.01 * 1.06 ** np.arange(167) * ONE).astype(np.int64)):
        counts = np.arange(int(mean / ONE + 12 * np.sqrt(mean / ONE) + 12))
        sums = np.rint(stats.poisson(mean / ONE).cdf(counts) * 2.0**32).astype(np.int64)
        rows += [(mean, value) for value in sums[sums < 2**32]]
    return rows


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    tables = {name: make_table(distribution) for name, distribution in DISTRIBUTIONS.items()}
    tables["dropout"] = make_dropout(0.35, 2.4)
    lines = [",".join(tables)] + [",".join(map(str, row)) for row in zip(*tables.values(), strict=True)]
    (FOLDER / "quantiles.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    lines = ["mean,cumulative"] + [f"{mean},{value}" for mean, value in make_poisson()]
    (FOLDER / "poisson.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
