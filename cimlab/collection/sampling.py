"""Whom to ask (抽样): four ways to draw a sample, and how many answers are needed.

Each way returns rows of the list that was drawn from (the frame, 抽样框) and a new column ``weight``: how many rows of
the frame a drawn one stands for. It is 1 over the chance of being drawn, and `weighted_mean` needs it.
"""

import math
from statistics import NormalDist

import numpy as np
import pandas as pd


def simple_sample(frame, n, seed):
    """Draw a simple random sample (简单随机抽样): every row has the same chance.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row for each person who could be asked.
    n : int
        How many to draw.
    seed : int
        The same seed draws the same rows.

    Returns
    -------
    pandas.DataFrame
        n rows in the order of the frame, with the column weight.

    Raises
    ------
    ValueError
        If the frame has fewer than n rows, or n is less than 1.

    Examples
    --------
    >>> people = pd.DataFrame({"person": range(100)})
    >>> sample = simple_sample(people, n=20, seed=1)
    >>> len(sample), sample["weight"].unique().tolist()
    (20, [5.0])
    """
    _check_size(frame, n)
    drawn = np.random.default_rng(seed).choice(len(frame), size=n, replace=False)
    return frame.iloc[np.sort(drawn)].assign(weight=len(frame) / n)


def systematic_sample(frame, n, seed):
    """Draw a systematic sample (系统抽样): a random start, then every k-th row.

    It is easy at a shop's door or in a sorted list. It goes wrong where the list has a rhythm of k rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row for each person who could be asked, in the order of the list.
    n : int
        How many to draw.
    seed : int
        The same seed draws the same rows.

    Returns
    -------
    pandas.DataFrame
        n rows in the order of the frame, with the column weight.

    Raises
    ------
    ValueError
        If the frame has fewer than n rows, or n is less than 1.

    Examples
    --------
    >>> people = pd.DataFrame({"person": range(100)})
    >>> systematic_sample(people, n=5, seed=1)["person"].diff().dropna().tolist()
    [20.0, 20.0, 20.0, 20.0]
    """
    _check_size(frame, n)
    step = len(frame) / n
    start = np.random.default_rng(seed).uniform(0, step)
    rows = (start + step * np.arange(n)).astype(int)
    return frame.iloc[rows].assign(weight=step)


def stratified_sample(frame, n, by, seed, allocation="proportional"):
    """Draw a stratified sample (分层抽样): a simple random sample of each group.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row for each person who could be asked.
    n : int
        How many to draw in all.
    by : str
        Column with the groups (strata, 层).
    seed : int
        The same seed draws the same rows.
    allocation : {"proportional", "equal"}
        "proportional": each group gets its share of n. "equal": each gets the same number, so that a small group can
        be looked at by itself; the weights put the whole right again.

    Returns
    -------
    pandas.DataFrame
        n rows in the order of the frame, with the column weight.

    Raises
    ------
    ValueError
        If a group would get nobody or has too few rows, if a group is missing, or the allocation is unknown.

    Examples
    --------
    >>> people = pd.DataFrame({"city": ["Shanghai"] * 80 + ["Hangzhou"] * 20})
    >>> stratified_sample(people, n=10, by="city", seed=1, allocation="equal").value_counts().sort_index()
    city      weight
    Hangzhou  4.0       5
    Shanghai  16.0      5
    Name: count, dtype: int64
    """
    _check_size(frame, n)
    _check_groups(frame, by)
    sizes = frame[by].value_counts().sort_index()
    if allocation == "equal":
        shares = pd.Series(n / len(sizes), index=sizes.index)
    elif allocation == "proportional":
        shares = n * sizes / len(frame)
    else:
        raise ValueError(f"There is no allocation {allocation!r}; choose 'proportional' or 'equal'")
    numbers = _round_to_sum(shares, n)
    bad = numbers[(numbers < 1) | (numbers > sizes)]
    if len(bad):
        raise ValueError(
            f"The group '{bad.index[0]}' has {sizes[bad.index[0]]} rows and would give {bad.iloc[0]}: "
            "join it with another group, or change n or the allocation."
        )
    places = pd.Series(range(len(frame)))
    random = np.random.default_rng(seed)  # one for all groups: else they would draw the same places
    strata = [places[(frame[by] == group).to_numpy()].to_frame("place") for group in numbers.index]
    parts = [simple_sample(rows, number, random) for rows, number in zip(strata, numbers, strict=True)]
    drawn = pd.concat(parts).sort_values("place")
    return frame.iloc[drawn["place"].to_numpy()].assign(weight=drawn["weight"].to_numpy())


def cluster_sample(frame, clusters, by, seed):
    """Draw a cluster sample (整群抽样): some whole groups, for example everyone of three shops.

    It saves ways, but people of one shop are alike: the result is less sure than its number of rows promises.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row for each person who could be asked.
    clusters : int
        How many groups to draw.
    by : str
        Column with the groups (clusters, 群).
    seed : int
        The same seed draws the same groups.

    Returns
    -------
    pandas.DataFrame
        All rows of the drawn groups, with the column weight.

    Raises
    ------
    ValueError
        If there are fewer groups than clusters, or a group is missing.

    Examples
    --------
    >>> people = pd.DataFrame({"shop": ["ST01", "ST02", "ST03", "ST04"] * 10})
    >>> sample = cluster_sample(people, clusters=2, by="shop", seed=1)
    >>> sample["shop"].nunique(), len(sample), sample["weight"].unique().tolist()
    (2, 20, [2.0])
    """
    _check_groups(frame, by)
    names = sorted(frame[by].unique())
    if not 1 <= clusters <= len(names):
        raise ValueError(f"{clusters} groups cannot be drawn: {by} has {len(names)}")
    drawn = np.random.default_rng(seed).choice(len(names), size=clusters, replace=False)
    return frame[frame[by].isin([names[place] for place in drawn])].assign(weight=len(names) / clusters)


def sample_size_share(margin, share=0.5, population=None, confidence=0.95):
    """Say how many answers are needed to know a share to within a margin.

    n = z² p (1 − p) / margin², and for a small population n / (1 + (n − 1) / N), the finite population correction.

    Parameters
    ----------
    margin : float
        Half the width of the confidence interval: 0.03 means ± 3 points.
    share : float, optional
        The share that is expected. 0.5 needs the most answers, so it is on the safe side.
    population : int, optional
        How many there are; without limit when left out.
    confidence : float, optional
        How often the interval should hold the true share.

    Returns
    -------
    int
        Answers, not invitations: divide by the response rate to get those.

    References
    ----------
    Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., sections 4.4 and 4.6.

    Examples
    --------
    >>> sample_size_share(margin=0.05)
    385
    >>> sample_size_share(margin=0.05, population=2000)
    323
    """
    _check_between(share=share)
    return _size(math.sqrt(share * (1 - share)), margin, population, confidence)


def sample_size_mean(margin, spread, population=None, confidence=0.95):
    """Say how many answers are needed to know a mean to within a margin.

    n = (z × spread / margin)², and for a small population n / (1 + (n − 1) / N).

    Parameters
    ----------
    margin : float
        Half the width of the confidence interval, in the unit of the mean.
    spread : float
        Standard deviation that is expected, from a pilot or an earlier survey.
    population : int, optional
        How many there are; without limit when left out.
    confidence : float, optional
        How often the interval should hold the true mean.

    Returns
    -------
    int
        Answers, not invitations.

    References
    ----------
    Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 4.7.

    Examples
    --------
    >>> sample_size_mean(margin=10, spread=80)
    246
    """
    return _size(spread, margin, population, confidence)


def _size(spread, margin, population, confidence):
    _check_between(confidence=confidence)
    if margin <= 0 or spread <= 0:
        raise ValueError(f"margin and spread must be above 0; they are {margin} and {spread}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    n = (z * spread / margin) ** 2
    if population is not None:
        n = n / (1 + (n - 1) / population)
    return math.ceil(round(n, 9))


def _check_between(**numbers):
    for name, number in numbers.items():
        if not 0 < number < 1:
            raise ValueError(f"{name} must lie between 0 and 1 (5 % is 0.05); it is {number}")


def _check_size(frame, n):
    if not 1 <= n <= len(frame):
        raise ValueError(f"{n} rows cannot be drawn: the frame has {len(frame)}")


def _check_groups(frame, by):
    if by not in frame:
        raise ValueError(f"There is no column {by!r}; the frame has {', '.join(map(str, frame.columns))}")
    if frame[by].isna().any():
        raise ValueError(f"{int(frame[by].isna().sum())} rows have no {by}: nobody could draw them. Give them a group.")


def _round_to_sum(shares, total):
    """Round shares to whole numbers that add up to the total: the largest remainders go up."""
    numbers = shares.astype(int)
    rest = (shares - numbers).sort_values(ascending=False, kind="stable").index[: total - int(numbers.sum())]
    numbers[rest] += 1
    return numbers
