"""Differential privacy (差分隐私): answers with noise, and a budget for all answers together.

The noise is first made by hand, so that one can read it; what really goes out is made by the library OpenDP, which
proves the epsilon of each answer and draws its noise from the system's entropy: no seed brings the same answer back.
"""

import numpy as np
import pandas as pd


def noisy_count(value, epsilon, sensitivity, seed):
    """Add Laplace noise to a count (差分隐私). For teaching only: the last bits of the noise give the true value away.

    Parameters
    ----------
    value : float
    epsilon : float
        Above 0; the smaller, the more noise.
    sensitivity : float
        By how much one person can change the value: 1 for a count of persons, more for a count of orders.
    seed : int or numpy.random.Generator
        For several answers hand over one generator: two answers with the same seed have the same noise, and whoever
        knows a seed takes the noise off again.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Epsilon or the sensitivity is not above 0.

    References
    ----------
    Dwork, C. et al. (2006). Calibrating noise to sensitivity in private data analysis. TCC 2006. Mironov, I. (2012). On
    significance of the least significant bits for differential privacy. CCS 2012: why a library (OpenDP) is better.

    Examples
    --------
    >>> draw = np.random.default_rng(1)
    >>> answers = [noisy_count(100, 0.5, 1, draw) for _ in range(2000)]
    >>> bool(abs(np.mean(answers) - 100) < 0.3)
    True
    """
    if not (epsilon > 0 and sensitivity > 0):
        raise ValueError(f"epsilon and sensitivity must be above 0, not {epsilon} and {sensitivity}")
    even = np.random.default_rng(seed).uniform(-0.5, 0.5)
    return float(value - sensitivity / epsilon * np.sign(even) * np.log1p(-2 * abs(even)))


def spend_budget(queries, budget):
    """Keep the account of the privacy budget (隐私预算): the epsilons of all answers add up.

    Parameters
    ----------
    queries : list of tuple of (str, float)
        What is asked, and the epsilon of its answer, in the order of asking.
    budget : float
        Epsilon for all answers together.

    Returns
    -------
    pandas.DataFrame
        query, epsilon, answered (bool: it still fits in), spent, left.

    Raises
    ------
    ValueError
        An epsilon is not above 0.

    References
    ----------
    Dwork, C. and Roth, A. (2014). The algorithmic foundations of differential privacy, theorem 3.14.

    Examples
    --------
    >>> spend_budget([("members in 宁波", 0.4), ("the same again", 0.4), ("and again", 0.4)], budget=1.0)
                 query  epsilon  answered  spent  left
    0  members in 宁波      0.4      True    0.4   0.6
    1   the same again      0.4      True    0.8   0.2
    2        and again      0.4     False    0.8   0.2
    """
    rows, spent = [], 0.0
    for query, epsilon in queries:
        if not epsilon > 0:
            raise ValueError(f"{query}: an answer costs an epsilon above 0, not {epsilon}")
        answered = spent + epsilon <= budget * (1 + 1e-9)
        spent += epsilon if answered else 0.0
        rows.append((query, epsilon, answered, round(spent, 9), round(max(budget - spent, 0.0), 9)))
    return pd.DataFrame(rows, columns=["query", "epsilon", "answered", "spent", "left"])


def noise_within(epsilon, sensitivity=1, share=0.95):
    """Say how far Laplace noise takes an answer away at most, in this share of the answers.

    Parameters
    ----------
    epsilon : float
        Above 0.
    sensitivity : float
        By how much one person can change the value.
    share : float
        Between 0 and 1.

    Returns
    -------
    float
        In the unit of the answer: the true value lies within ± this of what is told.

    Raises
    ------
    ValueError
        Epsilon or the sensitivity is not above 0, or the share not between 0 and 1.

    Examples
    --------
    >>> round(noise_within(0.5), 2), round(float(np.log(1 / 0.05) / 0.5), 2)
    (5.99, 5.99)
    """
    _check_epsilon(epsilon, sensitivity)
    if not 0 < share < 1:
        raise ValueError(f"the share of the answers lies between 0 and 1, not at {share}")
    return float(_opendp().laplacian_scale_to_accuracy(float(sensitivity / epsilon), 1 - share))


def private_count(values, epsilon, rows=1):
    """Count rows with OpenDP's noise.

    Parameters
    ----------
    values : pandas.Series
        One row a record; its length is counted, missing values too.
    epsilon : float
        What the answer costs of the budget.
    rows : int
        The most rows that one person has: 1 in a table of customers, more in a table of orders.

    Returns
    -------
    dict
        told (int, the answer), epsilon (that OpenDP proves; never above the one asked for), scale (of the noise),
        within_95 (the truth lies within ± this in 95 of 100 answers).

    Raises
    ------
    ValueError
        Epsilon is not above 0, or `rows` is below 1.

    References
    ----------
    Gaboardi, M., Hay, M. and Vadhan, S. (2020). A programming framework for OpenDP.

    Examples
    --------
    >>> answer = private_count(pd.Series(["M1"] * 1000), epsilon=0.5)
    >>> round(answer["epsilon"], 6), round(answer["scale"], 3), abs(answer["told"] - 1000) < 100
    (0.5, 2.0, True)
    """
    dp = _opendp()
    counted = _space(dp) >> dp.t.then_count()
    return _release(counted, pd.Series(values).astype("str").fillna("").to_list(), epsilon, rows)


def private_sum(values, epsilon, bounds, rows=1):
    """Add up amounts with OpenDP's noise. Amounts beyond the bounds are cut to them, or one rich person would show.

    Parameters
    ----------
    values : pandas.Series of float
        Missing values are left out.
    epsilon : float
    bounds : tuple of (float, float)
        The least and the most that a row counts for. Do not read them off the data: they would tell something.
    rows : int
        The most rows that one person has.

    Returns
    -------
    dict
        As `private_count` returns it; told is a float in the unit of the values.

    Raises
    ------
    ValueError
        The bounds are not in order, or as for `private_count`.

    Examples
    --------
    >>> answer = private_sum(pd.Series([20.0, 9000.0] * 500), epsilon=0.5, bounds=(0, 100))
    >>> round(answer["scale"]), abs(answer["told"] - 500 * 120) < 10_000
    (200, True)
    """
    low, high = (float(bound) for bound in bounds)
    if not low < high:
        raise ValueError(f"the lower bound must be below the upper one, not {bounds}")
    dp = _opendp()
    amounts = dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.symmetric_distance()
    summed = amounts >> dp.t.then_clamp((low, high)) >> dp.t.then_sum()
    return _release(summed, pd.Series(values, dtype=float).dropna().to_list(), epsilon, rows)


def private_histogram(values, categories, epsilon, rows=1):
    """Count the rows of each category with OpenDP's noise: one epsilon for all bars, since a row stands in one only.

    Parameters
    ----------
    values : pandas.Series of str
    categories : list of str
        All that may be told of, known beforehand and not read off the data. Other values are not counted.
    epsilon : float
    rows : int
        The most rows that one person has.

    Returns
    -------
    tuple of (pandas.Series of int, dict)
        The told count by category (it may be below 0: leave it so, or means go wrong); epsilon, scale and within_95
        (of one bar) as for `private_count`.

    Raises
    ------
    ValueError
        A category is there twice, or as for `private_count`.

    Examples
    --------
    >>> told, proof = private_histogram(pd.Series(["宁波"] * 900 + ["上海"] * 100), ["上海", "宁波", "杭州"], 1.0)
    >>> told.idxmax(), round(proof["epsilon"], 6)
    ('宁波', 1.0)
    """
    categories = list(categories)
    if not categories or len(set(categories)) < len(categories):
        raise ValueError("name each category once")
    dp = _opendp()
    counted = _space(dp) >> dp.t.then_count_by_categories(categories, null_category=False)
    proof = _release(counted, pd.Series(values).dropna().astype("str").to_list(), epsilon, rows)
    return pd.Series(proof.pop("told"), index=categories, name="told"), proof


def open_account(values, budget, rows=1):
    """Open an account for questions about one column: each answer costs its epsilon, until the budget is spent.

    Parameters
    ----------
    values : pandas.Series of str
    budget : float
        Epsilon for all answers together. OpenDP keeps the account (a privacy filter) and refuses.
    rows : int
        The most rows that one person has.

    Returns
    -------
    function of (value, epsilon) to int
        Tells about how many rows hold the value, with noise for that epsilon. The first question for which the budget
        does not suffice closes the account: ValueError from then on.

    Raises
    ------
    ValueError
        The budget is not above 0, or `rows` is below 1.

    References
    ----------
    Rogers, R., Roth, A., Ullman, J. and Vadhan, S. (2016). Privacy odometers and filters: pay-as-you-go composition.

    Examples
    --------
    >>> ask = open_account(pd.Series(["宁波"] * 900 + ["上海"] * 100), budget=1.0)
    >>> abs(ask("宁波", 0.6) - 900) < 60
    True
    >>> ask("宁波", 0.6)
    Traceback (most recent call last):
    ...
    ValueError: the budget of 1.0 does not suffice for an answer of epsilon 0.6: nothing more is told
    """
    _check_epsilon(budget, rows)
    dp = _opendp()
    odometer = dp.c.make_fully_adaptive_composition(*_space(dp), output_measure=dp.max_divergence())
    held = pd.Series(values).dropna().astype("str").to_list()
    account = dp.c.make_privacy_filter(odometer, d_in=rows, d_out=float(budget))(held)

    def ask(value, epsilon):
        counted = _space(dp) >> dp.t.then_count_by_categories([str(value)], null_category=False)
        try:
            return account(_with_noise(dp, counted, epsilon, rows)[0])[0]
        except dp.OpenDPException as error:
            problem = f"the budget of {budget} does not suffice for an answer of epsilon {epsilon}"
            raise ValueError(f"{problem}: nothing more is told") from error

    return ask


def _opendp():
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp


def _space(dp):
    """Return the data sets of texts, where two are neighbours if one has a row more."""
    return dp.vector_domain(dp.atom_domain(T=str)), dp.symmetric_distance()


def _check_epsilon(epsilon, rows):
    if not (epsilon > 0 and rows > 0):
        raise ValueError(f"epsilon must be above 0, and what one person can change too, not {epsilon} and {rows}")


def _with_noise(dp, query, epsilon, rows):
    """Add Laplace noise to a query; return the measurement and its scale, a hair too large: rounding then adds up."""
    _check_epsilon(epsilon, rows)
    scale = float(query.map(rows) / epsilon * (1 + 1e-7))
    return query >> dp.m.then_laplace(scale=scale), scale


def _release(query, values, epsilon, rows):
    dp = _opendp()
    measurement, scale = _with_noise(dp, query, epsilon, rows)
    told = measurement(values)
    whole = isinstance(told, int | list)
    within = (dp.discrete_laplacian_scale_to_accuracy if whole else dp.laplacian_scale_to_accuracy)(scale, 0.05)
    return {"told": told, "epsilon": measurement.map(rows), "scale": scale, "within_95": within}
