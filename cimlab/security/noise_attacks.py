"""The attacks on answers with noise: ask again and take the mean, or ask with and without one person.

They need many answers, or a large epsilon. Whoever answers within a small budget is safe from both.
"""

import numpy as np


def averaging_attack(ask, times):
    """Ask the same again and again, and take the mean: the noise goes, the truth stays.

    Parameters
    ----------
    ask : function of nothing to float
        Raises ValueError when it refuses.
    times : int
        Most questions; 1 or more.

    Returns
    -------
    dict
        answers (how many came), refused (bool), mean (missing if no answer came).

    Examples
    --------
    >>> from cimlab.security import noisy_count
    >>> draw = np.random.default_rng(1)
    >>> found = averaging_attack(lambda: noisy_count(321, 0.1, 1, draw), times=5000)
    >>> found["answers"], found["refused"], round(found["mean"])
    (5000, False, 321)
    """
    told, refused = [], False
    for _ in range(times):
        try:
            told.append(ask())
        except ValueError:
            refused = True
            break
    return {"answers": len(told), "refused": refused, "mean": float(np.mean(told)) if told else np.nan}


def differencing_attack(answer, count, people=200):
    """Learn one person's secret from two harmless counts: of all, and of all but this person.

    Parameters
    ----------
    answer : function of int to float
        What is told for a true count.
    count : int
        The true count of all who have the secret.
    people : int
        Persons attacked, each by two questions; half of them have the secret, so that a coin is right for half.

    Returns
    -------
    float
        Share of the persons whose secret is guessed right.

    References
    ----------
    Denning, D., Denning, P. and Schwartz, M. (1979). The tracker: a threat to statistical database security. ACM TODS
    4(1).

    Examples
    --------
    >>> from cimlab.security import noisy_count
    >>> differencing_attack(lambda true: true, count=40)
    1.0
    >>> draw = np.random.default_rng(1)
    >>> right = differencing_attack(lambda true: noisy_count(true, 0.25, 1, draw), count=40, people=2000)
    >>> 0.45 < right < best_guess(0.25 + 0.25)
    True
    """
    has = np.arange(people) % 2 == 0
    guessed = np.array([answer(count) - answer(count - int(secret)) > 0.5 for secret in has])
    return float((guessed == has).mean())


def best_guess(epsilon):
    """Return how often the best attacker can be right about a secret that was a coin toss to him before the answers.

    Parameters
    ----------
    epsilon : float
        Of all answers that he got, added up; 0 or more.

    Returns
    -------
    float
        0.5 (he learns nothing) to 1.

    References
    ----------
    Dwork, C. and Roth, A. (2014). The algorithmic foundations of differential privacy: odds change at most by exp(ε).

    Examples
    --------
    >>> [round(best_guess(epsilon), 2) for epsilon in (0, 0.5, 1, 5)]
    [0.5, 0.62, 0.73, 0.99]
    """
    if not epsilon >= 0:
        raise ValueError(f"epsilon is 0 or more, not {epsilon}")
    return float(1 / (1 + np.exp(-epsilon)))
