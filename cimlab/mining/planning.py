"""Plan an A/B test: how many people it needs, what it can see, and why nobody may look before its end (提前查看)."""

import numpy as np
import pandas as pd


def sample_size(base, effect, power=0.8, alpha=0.05, holdout=0.5):
    """Say how many people an A/B test needs to see an effect (样本量).

    Parameters
    ----------
    base : float
        Share that buys without a message, 0 to 1.
    effect : float
        The smallest uplift worth seeing, in the same unit: 0.02 is two points.
    power : float
        Chance of seeing the effect if it is there (功效).
    alpha : float
        Chance of seeing one that is not there, two-sided (显著性水平).
    holdout : float
        Part of the audience that is left out.

    Returns
    -------
    treated, holdout : int
        People in each arm, rounded up.

    Raises
    ------
    ValueError
        A number is out of range, the effect is 0, or base and effect together are no rate.

    References
    ----------
    Fleiss, J. L., Levin, B., Paik, M. C. (2003). Statistical Methods for Rates and Proportions. 3rd ed. Wiley, without
    the correction for continuity. With half left out it is what `power.prop.test` of R reckons.

    Examples
    --------
    >>> sample_size(base=0.5, effect=0.25, power=0.9)
    (77, 77)
    >>> sample_size(base=0.04, effect=0.02, holdout=0.25)
    (3859, 1287)
    """
    _check_plan(base, effect, alpha, holdout)
    _check_share("power", power)
    total = _total(base, effect, power, alpha, holdout)
    return int(np.ceil(total * (1 - holdout))), int(np.ceil(total * holdout))


def power_of_test(base, effect, treated, holdout, alpha=0.05):
    """Say with what chance an A/B test of this size sees an effect (功效).

    Parameters
    ----------
    base, effect, alpha : float
        As for `sample_size`.
    treated, holdout : int
        People in each arm.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ValueError
        As for `sample_size`, or an arm is empty.

    Examples
    --------
    >>> round(power_of_test(base=0.5, effect=0.25, treated=50, holdout=50), 3)
    0.74
    """
    from scipy.stats import norm

    if treated < 1 or holdout < 1:
        raise ValueError("both arms need people")
    share = holdout / (treated + holdout)
    _check_plan(base, effect, alpha, share)
    same, apart = _spreads(base, effect, share)
    reach = abs(effect) * np.sqrt(treated + holdout) - norm.ppf(1 - alpha / 2) * same
    return float(norm.cdf(reach / apart))


def smallest_effect(base, treated, holdout, power=0.8, alpha=0.05):
    """Say which uplift an A/B test of this size can just see (最小可检测效应).

    Parameters
    ----------
    base, power, alpha : float
        As for `sample_size`.
    treated, holdout : int
        People in each arm.

    Returns
    -------
    float
        The smallest uplift that is seen with that power, as a share (0.02 is two points).

    Raises
    ------
    ValueError
        As for `power_of_test`, or even the largest effect is not seen.

    Examples
    --------
    >>> round(smallest_effect(base=0.5, treated=50, holdout=50, power=0.9), 4)
    0.3026
    """
    from scipy.optimize import brentq

    _check_share("power", power)
    largest = 1 - base - 1e-9

    def short(effect):
        return power_of_test(base, effect, treated, holdout, alpha) - power

    if short(largest) < 0:
        raise ValueError(f"{treated} and {holdout} people are too few to see any effect with a power of {power}")
    return float(brentq(short, 1e-9, largest))


def simulate_looks(looks=14, people=100, rate=0.1, effect=0.0, experiments=2000, seed=20260630):
    """Run many A/B tests on paper, and look at each of them every day (提前查看).

    Parameters
    ----------
    looks : int
        Days; each day is looked at.
    people : int
        People who join *each* arm every day.
    rate : float
        Share of the holdout that buys, 0 to 1.
    effect : float
        What the message adds to it; 0 for a message that changes nothing.
    experiments : int
        Tests to run.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a test, one column a day (1, 2, …): z of the difference of the two rates, of all who joined so far.
        Above 1.96 in size it looks significant at 5 %. A day on which nobody has bought yet has 0.

    Raises
    ------
    ValueError
        A number is out of range.

    Examples
    --------
    >>> z = simulate_looks(looks=10, experiments=2000)
    >>> every_day, at_the_end = (z.abs() > 1.96).any(axis=1).mean(), (z[10].abs() > 1.96).mean()
    >>> bool(every_day > 3 * at_the_end)
    True
    """
    _check_share("rate", rate)
    _check_share("rate + effect", rate + effect)
    if min(looks, people, experiments) < 1:
        raise ValueError("looks, people and experiments must be at least 1")
    random, shape = np.random.default_rng(seed), (experiments, looks)
    sold, base = (random.binomial(people, share, shape).cumsum(axis=1) for share in (rate + effect, rate))
    joined = people * np.arange(1, looks + 1)
    pooled = (sold + base) / (2 * joined)
    error = np.sqrt(pooled * (1 - pooled) * 2 / joined)
    z = np.divide((sold - base) / joined, error, out=np.zeros(shape), where=error > 0)
    return pd.DataFrame(z, columns=pd.RangeIndex(1, looks + 1, name="look")).rename_axis("experiment")


def false_alarm_rate(bounds):
    """Reckon how often a test of a message that changes nothing crosses its bounds at one of the looks.

    Parameters
    ----------
    bounds : list of float
        The bound for the size of z at each look; the looks come after equally many people each.

    Returns
    -------
    float
        0 to 1. The chance is summed up look by look on a grid (numerical integration).

    Raises
    ------
    ValueError
        There is no bound, or one is not above 0.

    References
    ----------
    Armitage, P., McPherson, C. K., Rowe, B. C. (1969). Repeated significance tests on accumulating data. Journal of
    the Royal Statistical Society A 132(2).

    Examples
    --------
    >>> [round(false_alarm_rate([1.96] * looks), 3) for looks in (1, 5, 10)]
    [0.05, 0.142, 0.193]
    """
    from scipy.stats import norm

    bounds = np.asarray(bounds, dtype="float64")
    if not bounds.size or not (bounds > 0).all():
        raise ValueError("give one bound above 0 for each look, such as [1.96] * 5")
    nodes, weights = np.polynomial.legendre.leggauss(200)
    limits = bounds * np.sqrt(np.arange(1, len(bounds) + 1))
    at, mass = np.zeros(1), np.ones(1)
    for limit in limits:
        ahead = nodes * limit
        mass = norm.pdf(ahead[:, None] - at) @ mass * weights * limit
        at = ahead
    return float(1 - mass.sum())


def stopping_bounds(looks, kind="obrien-fleming", alpha=0.05):
    """Set a higher bound at each look, so that looking every day does no harm (分组序贯检验).

    Parameters
    ----------
    looks : int
        How often one will look, fixed before the start; after equally many people each.
    kind : str
        "obrien-fleming": strict at first, near the usual bound at the end. "pocock": the same bound at every look.
        "fixed": one and the same usual bound, which is what peeking does.
    alpha : float
        The false alarms that all looks together may give.

    Returns
    -------
    pandas.Series
        The bound for the size of z at each look, 1 to `looks`.

    Raises
    ------
    ValueError
        The kind is unknown, or a number is out of range.

    References
    ----------
    Pocock, S. J. (1977). Group sequential methods in the design and analysis of clinical trials. Biometrika 64(2).
    O'Brien, P. C., Fleming, T. R. (1979). A multiple testing procedure for clinical trials. Biometrics 35(3).

    Examples
    --------
    >>> stopping_bounds(5, "pocock").round(3).tolist()
    [2.413, 2.413, 2.413, 2.413, 2.413]
    >>> stopping_bounds(5).round(2).tolist()
    [4.56, 3.23, 2.63, 2.28, 2.04]
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    if looks < 1:
        raise ValueError("at least one look is needed")
    _check_share("alpha", alpha)
    number = np.arange(1, looks + 1)
    shapes = {"fixed": np.ones(looks), "pocock": np.ones(looks), "obrien-fleming": np.sqrt(looks / number)}
    if kind not in shapes:
        raise ValueError(f"no kind {kind!r} of bounds; there are: {', '.join(shapes)}")
    usual = norm.ppf(1 - alpha / 2)
    if kind == "fixed" or looks == 1:
        level = usual
    else:
        level = brentq(lambda c: false_alarm_rate(c * shapes[kind]) - alpha, usual / 2, 2 * usual)
    return pd.Series(level * shapes[kind], index=pd.Index(number, name="look"), name=kind)


def _spreads(base, effect, holdout):
    """Return the spread of the difference if both rates are alike, and if they are not, for one person in all."""
    rate, pooled = base + effect, base + effect * (1 - holdout)
    same = pooled * (1 - pooled) / (holdout * (1 - holdout))
    apart = rate * (1 - rate) / (1 - holdout) + base * (1 - base) / holdout
    return np.sqrt(same), np.sqrt(apart)


def _total(base, effect, power, alpha, holdout):
    """Return the people of both arms together."""
    from scipy.stats import norm

    same, apart = _spreads(base, effect, holdout)
    return ((norm.ppf(1 - alpha / 2) * same + norm.ppf(power) * apart) / effect) ** 2


def _check_plan(base, effect, alpha, holdout):
    for name, value in (("base", base), ("alpha", alpha), ("holdout", holdout), ("base + effect", base + effect)):
        _check_share(name, value)
    if effect == 0:
        raise ValueError("no test sees an effect of 0: name the smallest uplift that is worth seeing")


def _check_share(name, value):
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {value:g}; is it a percentage?")
