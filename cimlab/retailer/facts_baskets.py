"""What is bought: how it follows prices, and which articles meet in a basket more often than basket sizes make them.

A part of the statistics of `facts.py`, for any table of lines.
"""

import numpy as np
import pandas as pd

__all__ = ["basket_pairs", "lift_figures", "planted_figures", "price_elasticity"]


def basket_pairs(lines, item, least_baskets=400):
    """Count each pair of items that meet in a basket, and say how many are to be expected from the basket sizes alone.

    The usual lift, P(both) / (P(first) P(second)), is above 1 for nearly every pair where baskets differ in size: in
    the Complete Journey 97 % of the pairs of categories "go together", only because large baskets hold everything. So
    the expected number is reckoned among baskets of one size. A basket of n different items holds n (n − 1) / 2 pairs;
    these are dealt out to the pairs of items as when n items are drawn without one caring for the other: with the
    chances p that a basket of that size holds an item, Hájek's approximation gives a pair the weight
    p₁ p₂ (1 − (1 − p₁)(1 − p₂) / Σ p (1 − p)). Neighbouring sizes are taken together until a class has enough baskets:
    in a class of one basket everything would be expected exactly as it is.

    Parameters
    ----------
    lines : pandas.DataFrame
        `order_id` and the column `item`; the same item twice in a basket counts once.
    item : str
        The column of items: articles, or their categories.
    least_baskets : int
        Baskets in a class of sizes, at least.

    Returns
    -------
    pandas.DataFrame
        One row a pair: `first`, `second` (in the order of the alphabet), `observed`, `expected`, `lift`.

    References
    ----------
    Hájek, J. (1964). Asymptotic theory of rejective sampling. Annals of Mathematical Statistics 35(4).
    """
    order = pd.factorize(lines["order_id"])[0]
    code, names = pd.factorize(lines[item], sort=True)
    width = len(names)
    held = np.unique(order.astype(np.int64) * width + code)  # sorted by basket, each item once
    order, code = np.divmod(held, width)
    size = np.bincount(order)
    classes = size_classes(size, least_baskets)
    expected = np.zeros((width, width))
    for number in range(1, classes.max() + 1):
        chosen = classes == number
        pairs = (size[chosen] * (size[chosen] - 1)).sum() / 2
        chance = np.bincount(code[chosen[order]], minlength=width) / chosen.sum()
        expected += deal_pairs(chance, pairs)
    first, second = np.triu_indices(width, 1)
    table = pd.DataFrame({"first": names[first], "second": names[second]})
    table["observed"] = count_pairs(order, code, width)[first, second]
    table["expected"] = expected[first, second]
    return table.assign(lift=table["observed"] / table["expected"])


def size_classes(size, least):
    """Return the class of each basket: 0 for one item, then neighbouring sizes with at least so many baskets in all."""
    counts = np.bincount(size)
    class_of, number, filled = np.zeros(len(counts), dtype=np.int64), 1, 0
    for items in range(2, len(counts)):
        class_of[items], filled = number, filled + counts[items]
        if filled >= least and counts[items + 1 :].sum() >= least:
            number, filled = number + 1, 0
    return class_of[size]


def deal_pairs(chance, pairs):
    """Return the expected number of baskets with each pair, given the chance of each item; all pairs sum to `pairs`."""
    rest = 1 - chance
    variance = max((chance * rest).sum(), 1e-9)  # 0 where all baskets of the class are alike
    weight = np.outer(chance, chance) * (1 - np.outer(rest, rest) / variance)
    weight = np.maximum(weight, 0)
    np.fill_diagonal(weight, 0)
    return weight * (2 * pairs / weight.sum())


def count_pairs(order, code, width):
    """Return how many baskets hold each pair, as a symmetric matrix; lines are sorted by basket, each item once."""
    counts = np.zeros(width * width, dtype=np.int64)
    for step in range(1, int(np.bincount(order).max(initial=1))):
        together = order[step:] == order[:-step]
        pair = code[:-step][together] * width + code[step:][together]
        counts += np.bincount(pair, minlength=width * width)
    counts = counts.reshape(width, width)
    return counts + counts.T


def planted_figures(lines, item, pairs):
    """Return the size-adjusted lifts of the given pairs of items.

    Parameters
    ----------
    lines : pandas.DataFrame
    item : str
    pairs : list of pairs of names
        Such as ``[["Cat food", "Cat litter"]]``.

    Returns
    -------
    dict
        `least` and `median` of their lifts.
    """
    table = basket_pairs(lines, item).set_index(["first", "second"])["lift"]
    lifts = pd.Series([table[tuple(sorted(pair))] for pair in pairs])
    return {"least": lifts.min(), "median": lifts.median()}


def lift_figures(lines, item, pairs=(), least=10):
    """Return how the size-adjusted lifts of all pairs but the given ones are spread.

    Parameters
    ----------
    lines : pandas.DataFrame
    item : str
    pairs : list of pairs of names
        Left out: the pairs that are known to go together.
    least : float
        Pairs that are expected less often than this are left out: their lift is mostly chance.

    Returns
    -------
    dict
        `median`, `p99` and `max` of the lifts.
    """
    table = basket_pairs(lines, item)
    known = {tuple(sorted(pair)) for pair in pairs}
    others = np.array([pair not in known for pair in zip(table["first"], table["second"], strict=True)])
    lifts = table.loc[others & (table["expected"] >= least), "lift"]
    return {"median": lifts.median(), "p99": lifts.quantile(0.99), "max": lifts.max()}


def price_elasticity(cells, rounds=200):
    """Return by how many per cent the sold quantity changes when a price changes by one per cent.

    A Poisson regression of the quantity on the logarithm of the price, with an effect of each article and each week.
    Weeks without a sale count, which a regression on logarithms would have to leave out.

    Parameters
    ----------
    cells : pandas.DataFrame
        `product`, `week`, `quantity` and `price`, one row an article and week; missing rows are unknown, not zero.
    rounds : int
        At most so many rounds of the fit.

    Returns
    -------
    float
        Below 0 for ordinary goods.

    References
    ----------
    Santos Silva, J., Tenreyro, S. (2006). The log of gravity. Review of Economics and Statistics 88(4).
    """
    product, week = pd.factorize(cells["product"])[0], pd.factorize(cells["week"])[0]
    sold, log_price = np.zeros((2, product.max() + 1, week.max() + 1))
    known = np.zeros(sold.shape, dtype=bool)
    sold[product, week], log_price[product, week] = cells["quantity"], np.log(cells["price"])
    known[product, week] = True
    slope, weeks = 0.0, np.ones(sold.shape[1])
    for _ in range(rounds):
        pull = np.where(known, np.exp(slope * log_price), 0.0)
        for _ in range(3):  # the effects that fit the sums of the articles and of the weeks, for this slope
            products = divide(sold.sum(axis=1), pull @ weeks)
            weeks = divide(sold.sum(axis=0), products @ pull)
        mean = products[:, None] * pull * weeks
        rest = centre(log_price, mean)
        step = ((sold - mean) * rest).sum() / (mean * rest**2).sum()
        slope += float(np.clip(step, -1, 1))
        if abs(step) < 1e-8:
            break
    return slope


def divide(above, below):
    """Return above / below, and 0 where both are 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def centre(values, weights, rounds=30):
    """Return `values` without the weighted means of their rows and columns."""
    rest = values.copy()
    for _ in range(rounds):
        rest = rest - divide((weights * rest).sum(axis=1), weights.sum(axis=1))[:, None]
        rest = rest - divide((weights * rest).sum(axis=0), weights.sum(axis=0))
    return rest
