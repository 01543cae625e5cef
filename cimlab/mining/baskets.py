"""What is bought together (购物篮分析): support, confidence, lift, and what is more than the size of the baskets."""

import math

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

JOINT = " + "
RULE_COLUMNS = ["antecedent", "consequent", "support", "confidence", "lift", "leverage", "n"]


def basket_table(lines, item="name", order="order_id"):
    """Make the basket table: one row per order, one column per article, True where the order holds it (one-hot).

    Parameters
    ----------
    lines : pandas.DataFrame
        One row per article of an order, with the columns `order` and `item`. An article that stands twice in an order
        counts once; so does one of which several packs were bought.
    item : str
        The column of the things that are counted: articles, or their categories.
    order : str
        The column that says which lines are one basket.

    Returns
    -------
    pandas.DataFrame
        Of bool; the index holds the orders, the columns the items, both in the order of the alphabet.

    Raises
    ------
    ValueError
        A column is not there, there are no lines, or a line has no order or no item.

    Examples
    --------
    >>> lines = pd.DataFrame({"order_id": ["o1", "o1", "o2"], "name": ["Lager", "Peanuts", "Lager"]})
    >>> basket_table(lines)
    name      Lager  Peanuts
    order_id
    o1         True     True
    o2         True    False
    """
    lines = need(lines, [order, item], "table of lines")
    if lines.empty:
        raise ValueError("the table of lines has no rows: there is no basket to count")
    blank = lines.isna().any(axis=1)
    if blank.any():
        raise ValueError(
            f"{int(blank.sum())} lines have no {order} or no {item}, the first in row {blank.idxmax()}: leave them out "
            f"(dropna), or join the articles with how='inner'"
        )
    return pd.crosstab(lines[order], lines[item]).sort_index(axis=1) > 0


def count_pairs(table):
    """Count for each two articles how many baskets hold both; the diagonal counts the baskets with the one article.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `basket_table`.

    Returns
    -------
    pandas.DataFrame
        Items × items, of int, symmetric.

    Raises
    ------
    ValueError
        The table holds anything but bought or not.

    Examples
    --------
    >>> table = pd.DataFrame({"Lager": [True, True, False], "Peanuts": [True, False, True]})
    >>> count_pairs(table)
             Lager  Peanuts
    Lager        2        1
    Peanuts      1        2
    """
    held = need_baskets(table).to_numpy("float64")
    return pd.DataFrame((held.T @ held).round().astype("int64"), index=list(table.columns), columns=list(table.columns))


def mine_rules(table, support=0.001, confidence=0.0, most_items=2):
    """Find the rules "who buys this also buys that" that enough baskets support (association rules, 关联规则).

    For baskets with the antecedent A and the consequent C, of N in all::

        support     share of the baskets that hold A and C (支持度)
        confidence  share of the baskets with A that hold C, too (置信度)
        lift        confidence / share of all baskets that hold C (提升度)
        leverage    support − the support that A and C would have, did they not care for each other
        n           baskets that hold A and C

    The consequent is one article, as in the package arules and most others. The frequent sets are found by FP-growth.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `basket_table`.
    support, confidence : float
        The least that a rule must have, shares from 0 to 1; the support above 0.
    most_items : int
        Articles in a rule, the consequent included.

    Returns
    -------
    pandas.DataFrame
        One row per rule, those with the greatest lift first. Several antecedents stand joined by " + ".

    Raises
    ------
    ValueError
        The table holds anything but bought or not, a share is out of range, or `most_items` is below 2.

    References
    ----------
    Agrawal, R., Imieliński, T., Swami, A. (1993). Mining association rules between sets of items in large databases.
    SIGMOD. Han, J., Pei, J., Yin, Y. (2000). Mining frequent patterns without candidate generation. SIGMOD.

    Examples
    --------
    >>> table = pd.DataFrame({"Lager": [True, True, True, False], "Peanuts": [True, True, False, False]})
    >>> mine_rules(table, support=0.5).drop(columns="leverage").round(2)
      antecedent consequent  support  confidence  lift  n
    0      Lager    Peanuts      0.5        0.67  1.33  2
    1    Peanuts      Lager      0.5        1.00  1.33  2
    """
    from mlxtend.frequent_patterns import fpgrowth

    if not 0 < support <= 1 or not 0 <= confidence <= 1:
        raise ValueError(
            f"support {support} and confidence {confidence} must be shares: above 0, up to 1 (0.01 is 1 %)"
        )
    if most_items < 2:
        raise ValueError(f"most_items={most_items}: a rule needs at least two articles")
    held = need_baskets(table).sort_index(axis=1)
    joined = [str(name) for name in held.columns if JOINT in str(name)]
    if joined:
        raise ValueError(f"the article {joined[0]!r} has {JOINT!r} in its name, which joins articles: rename it")
    baskets, least = len(held), math.ceil(support * len(held) - 1e-9)
    sets = fpgrowth(held, min_support=(least - 0.5) / baskets, use_colnames=True, max_len=most_items)
    counts = {items: round(share * baskets) for items, share in zip(sets["itemsets"], sets["support"], strict=True)}
    found = [
        (JOINT.join(sorted(items - {last})), last, counts[items], counts[items - {last}], counts[frozenset([last])])
        for items in counts
        if len(items) > 1
        for last in items
    ]
    rules = pd.DataFrame(found, columns=["antecedent", "consequent", "n", "first", "second"])
    rules["support"] = rules["n"] / baskets
    rules["confidence"] = rules["n"] / rules["first"]
    rules["lift"] = rules["n"] * baskets / (rules["first"] * rules["second"])
    rules["leverage"] = rules["support"] - rules["first"] * rules["second"] / baskets**2
    rules = rules.loc[rules["confidence"] >= confidence - 1e-12, RULE_COLUMNS]
    order = ["lift", "n", "antecedent", "consequent"]
    return rules.sort_values(order, ascending=[False, False, True, True], ignore_index=True)


def pair_lifts(table, least_baskets=400):
    """Judge each pair of articles by how often it should meet in baskets of these sizes, did nobody care.

    A large basket holds many pairs, whatever they are. Where baskets differ in size, the usual lift is therefore above
    1 for nearly every pair. So the expected number is reckoned among baskets of about one size: these hold so many
    pairs, which are dealt out by how often they hold each article. Sizes of baskets and numbers of articles stay as
    they are; only who meets whom is left to chance. Many pairs are tested, and some are rare by chance alone: the
    q-value allows for that.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `basket_table`.
    least_baskets : int
        Neighbouring sizes are taken together until a class has so many baskets. In a class of one basket everything
        would be expected exactly as it is.

    Returns
    -------
    pandas.DataFrame
        One row per pair: first, second (in the order of the alphabet), observed (baskets with both), expected (given
        the sizes), lift (the usual one), adjusted_lift (observed / expected), p_value (chance of so many or more,
        Poisson), q_value (after Benjamini and Hochberg: keep what is below 0.05, and about one in twenty is chance).

    Raises
    ------
    ValueError
        The table holds anything but bought or not, or no basket with two articles.

    References
    ----------
    Hájek, J. (1964). Asymptotic theory of rejective sampling. Annals of Mathematical Statistics 35(4).
    Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57(1).

    Examples
    --------
    >>> one, all_of_it = [True, False, False], [True, True, True]
    >>> table = pd.DataFrame([one] * 6 + [all_of_it] * 4, columns=["Lager", "Peanuts", "Rice"])
    >>> pair_lifts(table)[["first", "second", "observed", "expected", "lift", "adjusted_lift"]]
         first   second  observed  expected  lift  adjusted_lift
    0    Lager  Peanuts         4       4.0   1.0            1.0
    1    Lager     Rice         4       4.0   1.0            1.0
    2  Peanuts     Rice         4       4.0   2.5            1.0
    """
    from scipy.stats import false_discovery_control, poisson

    held = need_baskets(table).sort_index(axis=1)
    size = held.sum(axis=1)
    if size.max() < 2:
        raise ValueError("no basket holds two articles, so there are no pairs: is each order one row of the table?")
    held = held.loc[:, held.any()]  # an article that nobody bought meets nobody
    classes = size_classes(size, least_baskets)
    expected = sum(
        deal_pairs(held[classes == number].mean().to_numpy(), (each * (each - 1) / 2).sum())
        for number, each in size.groupby(classes)
        if number > 0
    )
    counts = count_pairs(held)
    first, second = np.triu_indices(len(counts), 1)
    both, one = counts.to_numpy(), np.diag(counts)
    pairs = pd.DataFrame({"first": counts.columns[first], "second": counts.columns[second]})
    pairs["observed"], pairs["expected"] = both[first, second], expected[first, second]
    pairs["lift"] = pairs["observed"] * len(held) / (one[first] * one[second])
    pairs["adjusted_lift"] = pairs["observed"] / pairs["expected"].where(pairs["expected"] > 0)
    pairs["p_value"] = poisson.sf(pairs["observed"] - 1, pairs["expected"])
    return pairs.assign(q_value=false_discovery_control(pairs["p_value"]))


def size_classes(size, least):
    """Return the class of each basket: 0 for one article, then neighbouring sizes with at least so many baskets in all.

    Parameters
    ----------
    size : pandas.Series
        Different articles of each basket.
    least : int

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> size_classes(pd.Series([1, 2, 2, 3, 4, 9]), least=2).tolist()
    [0, 1, 1, 2, 2, 2]
    """
    counts = size[size > 1].value_counts().sort_index()
    class_of, number, filled, left = {}, 1, 0, counts.sum()
    for articles, baskets in counts.items():
        class_of[articles] = number
        filled, left = filled + baskets, left - baskets
        if filled >= least and left >= least:
            number, filled = number + 1, 0
    return size.map(class_of).fillna(0).astype("int64")


def deal_pairs(chance, pairs):
    """Deal out the pairs of a class of baskets as if its articles did not care for each other.

    Two articles of a basket take two of its places, so they meet a little less often than the product of their chances
    p says: Hájek's weight for that is p₁ p₂ (1 − (1 − p₁)(1 − p₂) / Σ p (1 − p)).

    Parameters
    ----------
    chance : array of float
        Share of the baskets of the class that hold each article.
    pairs : float
        Pairs that these baskets hold together, of whatever articles.

    Returns
    -------
    array of float
        Items × items, symmetric, 0 on the diagonal; each pair stands twice, so that all cells sum to 2 × `pairs`.

    Examples
    --------
    >>> deal_pairs(np.array([1.0, 0.5, 0.5]), pairs=10).round(1)
    array([[0. , 4.4, 4.4],
           [4.4, 0. , 1.1],
           [4.4, 1.1, 0. ]])
    """
    rest = 1 - chance
    spread = max((chance * rest).sum(), 1e-9)  # 0 where all baskets of the class are alike
    weight = np.maximum(np.outer(chance, chance) * (1 - np.outer(rest, rest) / spread), 0)
    np.fill_diagonal(weight, 0)
    return weight * (2 * pairs / weight.sum())


def sift_rules(rules, pairs, least_lift=1.5, most_q=0.05):
    """Say of each rule whether it says anything: beyond the size of baskets, beyond chance, and once.

    The verdicts, the first that fits::

        weak         the usual lift is below `least_lift` already
        basket size  the usual lift is high, but only as large baskets hold everything
        chance       among so many pairs, some meet as often without a reason
        mirror       the same pair, told the other way round, has the greater confidence
        keep

    Parameters
    ----------
    rules : pandas.DataFrame
        As returned by `mine_rules`, with one article on each side.
    pairs : pandas.DataFrame
        As returned by `pair_lifts`, of the same baskets.
    least_lift : float
        A smaller lift is of no use.
    most_q : float
        A greater q-value is taken for chance.

    Returns
    -------
    pandas.DataFrame
        The rules, with adjusted_lift, q_value and verdict, in the same order.

    Raises
    ------
    ValueError
        A rule has several antecedents, or its pair does not stand in `pairs`.

    Examples
    --------
    >>> rules = pd.DataFrame({"antecedent": ["Rice", "Lager"], "consequent": ["Lager", "Rice"],
    ...                       "confidence": [0.6, 0.2], "lift": [2.0, 2.0]})
    >>> pairs = pd.DataFrame({"first": ["Lager"], "second": ["Rice"], "adjusted_lift": [1.8], "q_value": [0.01]})
    >>> sift_rules(rules, pairs)["verdict"].tolist()
    ['keep', 'mirror']
    """
    rules = need(rules, ["antecedent", "consequent", *rules.columns, "confidence", "lift"], "table of rules")
    judged = need(pairs, ["first", "second", "adjusted_lift", "q_value"], "table of pairs")
    if rules["antecedent"].astype("str").str.contains(JOINT, regex=False).any():
        raise ValueError("a rule has several antecedents; pairs judge only rules of two: mine_rules(…, most_items=2)")
    named = np.sort(rules[["antecedent", "consequent"]].to_numpy(dtype="object"), axis=1)
    sifted = rules.assign(first=named[:, 0], second=named[:, 1]).merge(judged, on=["first", "second"], how="left")
    lost = sifted["q_value"].isna()
    if lost.any():
        one = sifted.loc[lost].iloc[0]
        raise ValueError(
            f"the pair {one['antecedent']}, {one['consequent']} does not stand in the table of pairs: "
            "make both from one basket table"
        )
    best = sifted.sort_values(["confidence", "antecedent"], ascending=[False, True])
    mirror = best.duplicated(["first", "second"]).reindex(sifted.index)
    verdicts = {
        "weak": sifted["lift"] < least_lift,
        "basket size": sifted["adjusted_lift"] < least_lift,
        "chance": sifted["q_value"] >= most_q,
        "mirror": mirror,
    }
    sifted["verdict"] = np.select(list(verdicts.values()), list(verdicts), "keep")
    return sifted.drop(columns=["first", "second"])


def need_baskets(table):
    """Return the basket table as bool, or say why it is none.

    Examples
    --------
    >>> need_baskets(pd.DataFrame({"Rice": [3, 0]}))
    Traceback (most recent call last):
    ...
    ValueError: the basket table holds 3 in the column Rice: it says bought or not, True or False; take table > 0
    """
    if not isinstance(table, pd.DataFrame) or table.empty:
        raise ValueError("a basket table is a DataFrame, a row per order, a column per article: basket_table(lines)")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"the basket table has two columns {twice}: an article has one; take its number, or sum them")
    if all(pd.api.types.is_bool_dtype(kind) for kind in table.dtypes):
        return table
    other = ~table.isin([0, 1])
    if other.any(axis=None):
        column = other.any().idxmax()
        value = table.loc[other[column], column].iloc[0]
        raise ValueError(
            f"the basket table holds {value} in the column {column}: it says bought or not, True or False; "
            "take table > 0"
        )
    return table.astype("bool")
