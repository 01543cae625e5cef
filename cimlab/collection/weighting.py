"""Who answered, who did not, and what weights can repair (无回答偏差与加权).

Weights make the groups of those who answered as large as they are in the population. They repair what hangs on the
groups; what made people answer *within* a group stays.
"""

from statistics import NormalDist

import numpy as np
import pandas as pd


def response_rates(invited, by, answered="answered"):
    """Count who was asked and who answered, group by group.

    Parameters
    ----------
    invited : pandas.DataFrame
        One row for each person who was asked.
    by : str
        Column with the groups.
    answered : str, optional
        Column of bool: an answer came back.

    Returns
    -------
    pandas.DataFrame
        By group: invited, answered, rate (answered / invited), share_invited and share_answered: where the second is
        smaller, the group speaks with too weak a voice.

    Examples
    --------
    >>> asked = pd.DataFrame({"age": ["young"] * 6 + ["old"] * 4, "answered": [True, False, False] * 2 + [True] * 4})
    >>> response_rates(asked, by="age").round(2)
           invited  answered  rate  share_invited  share_answered
    age
    old          4         4  1.00            0.4            0.67
    young        6         2  0.33            0.6            0.33
    """
    _check_columns(invited, [by, answered])
    groups = invited.groupby(by)[answered].agg(["size", "sum"]).set_axis(["invited", "answered"], axis=1)
    return groups.assign(
        rate=groups["answered"] / groups["invited"],
        share_invited=groups["invited"] / groups["invited"].sum(),
        share_answered=groups["answered"] / groups["answered"].sum(),
    )


def nonresponse_bias(invited, value, answered="answered"):
    """Measure the bias of non-response for a value that is known of everybody who was asked.

    The bias is (1 − response rate) × (mean of those who answered − mean of those who did not): it needs both, silence
    and a difference.

    Parameters
    ----------
    invited : pandas.DataFrame
        One row for each person who was asked.
    value : str
        Column of numbers known of all, for example the spend of last year from the slips.
    answered : str, optional
        Column of bool: an answer came back.

    Returns
    -------
    pandas.Series
        response_rate, mean_answered, mean_silent, mean_all, bias (mean_answered − mean_all).

    Raises
    ------
    ValueError
        If the value is missing for some, or if nobody or everybody answered.

    Examples
    --------
    >>> asked = pd.DataFrame({"spend": [100, 300, 20, 60], "answered": [True, True, False, False]})
    >>> nonresponse_bias(asked, "spend").astype(int).to_dict()
    {'response_rate': 0, 'mean_answered': 200, 'mean_silent': 40, 'mean_all': 120, 'bias': 80}
    """
    _check_columns(invited, [value, answered])
    if invited[value].isna().any():
        raise ValueError(f"{value} is missing for some who were asked; here it must be known of all")
    said = invited[answered].astype(bool)
    if said.all() or not said.any():
        raise ValueError("Either everybody or nobody answered: there are no two groups to compare")
    mean, mean_all = invited[value][said].mean(), invited[value].mean()
    numbers = [said.mean(), mean, invited[value][~said].mean(), mean_all, mean - mean_all]
    return pd.Series(numbers, ["response_rate", "mean_answered", "mean_silent", "mean_all", "bias"])


def post_stratify(answers, population, by):
    """Weight answers so that each group is as large as in the population (事后分层).

    Weight = rows of the group in the population / answers of the group.

    Parameters
    ----------
    answers : pandas.DataFrame
        One row for each answer.
    population : pandas.DataFrame
        One row for each person in the population, or for each who was asked, with the same columns of groups.
    by : str or list of str
        Columns that make the groups (cells).

    Returns
    -------
    pandas.Series
        The weight of each answer, with the index of `answers`. They add up to the rows of the population.

    Raises
    ------
    ValueError
        If a group has no answer at all, or answers of a group that the population does not have.

    Examples
    --------
    >>> everybody = pd.DataFrame({"age": ["young"] * 60 + ["old"] * 40})
    >>> answers = pd.DataFrame({"age": ["young", "old", "old", "old"], "satisfied": [0, 1, 1, 0]})
    >>> answers["weight"] = post_stratify(answers, everybody, by="age")
    >>> float(weighted_mean(answers["satisfied"], answers["weight"])["mean"].round(3))
    0.267
    """
    by = [by] if isinstance(by, str) else list(by)
    cells, wanted = _cells(answers, by), _cells(population, by).value_counts()
    answered = cells.value_counts()
    silent, unknown = wanted.index.difference(answered.index), answered.index.difference(wanted.index)
    if len(silent):
        raise ValueError(
            f"{len(silent)} groups have no answer, for example {' / '.join(silent[0])} ({wanted[silent[0]]} persons): "
            "make the groups larger, or use fewer columns, or rake."
        )
    if len(unknown):
        raise ValueError(f"Answers of {' / '.join(unknown[0])}, a group that the population does not have")
    return cells.map(wanted / answered).astype("float64").rename("weight")


def rake(answers, margins, rounds=100, tolerance=1e-6):
    """Weight answers so that several columns fit at once, each by itself (耙平, raking).

    Where the cells of all columns together would be empty, only the totals of each column are made to fit: one after
    the other, again and again, until all do.

    Parameters
    ----------
    answers : pandas.DataFrame
        One row for each answer.
    margins : dict
        Column → pandas.Series with the share (or number) of each of its groups in the population.
    rounds : int, optional
        After so many rounds it gives up.
    tolerance : float, optional
        The largest difference between a share that is wanted and the one that is reached.

    Returns
    -------
    pandas.Series
        The weight of each answer, with the index of `answers`. Their mean is 1.

    Raises
    ------
    ValueError
        If the groups of a column and of its margin differ, or the shares do not come to rest.

    References
    ----------
    Deming, W. E. and Stephan, F. F. (1940). On a least squares adjustment of a sampled frequency table when the
    expected marginal totals are known. *Annals of Mathematical Statistics* 11, 427–444.

    Examples
    --------
    >>> answers = pd.DataFrame({"age": ["young", "old", "old", "old"], "sex": ["F", "F", "M", "M"]})
    >>> margins = {"age": pd.Series({"young": 0.5, "old": 0.5}), "sex": pd.Series({"F": 0.6, "M": 0.4})}
    >>> rake(answers, margins).round(3).tolist()
    [2.0, 0.4, 0.8, 0.8]
    """
    wanted = {column: _margin(answers, column, shares) for column, shares in margins.items()}
    weights = pd.Series(1.0, index=answers.index, name="weight")
    for _ in range(rounds):
        worst = 0.0
        for column, shares in wanted.items():
            reached = weights.groupby(answers[column]).sum() / len(answers)
            worst = max(worst, (reached - shares).abs().max())
            weights *= answers[column].map(shares / reached).astype("float64")
        if worst < tolerance:
            return weights
    raise ValueError(f"After {rounds} rounds the shares still differ by {worst:.4f}: join small groups or use fewer")


def weighted_mean(values, weights=None, confidence=0.95):
    """Estimate a mean from weighted answers, with its standard error and confidence interval.

    Parameters
    ----------
    values : pandas.Series
        Numbers; missing ones are left out. For a share give 0 and 1.
    weights : pandas.Series, optional
        How much each counts; all alike when left out.
    confidence : float, optional
        How often the interval should hold the true mean.

    Returns
    -------
    pandas.Series
        mean, standard_error, low, high, n (values used) and effective_n: so many answers without weights would say as
        much (Kish).

    Raises
    ------
    ValueError
        If fewer than two values are there, or a weight is missing, negative or of another index.

    References
    ----------
    Kish, L. (1965). *Survey Sampling*, section 11.7. Standard error by linearisation: Lohr, S. L. (2022). *Sampling:
    Design and Analysis*, 3rd ed., section 9.1.

    Examples
    --------
    >>> weighted_mean(pd.Series([4, 5, 3, 4]), pd.Series([1, 1, 1, 3])).round(2).to_dict()
    {'mean': 4.0, 'standard_error': 0.27, 'low': 3.47, 'high': 4.53, 'n': 4.0, 'effective_n': 3.0}
    """
    if weights is None:
        weights = pd.Series(1.0, index=values.index)
    if not weights.index.equals(values.index):
        raise ValueError("values and weights have different indexes: take both from the same table")
    known = values.notna()
    x, w = values[known].astype("float64"), weights[known].astype("float64")
    if len(x) < 2 or w.isna().any() or (w < 0).any() or w.sum() == 0:
        raise ValueError("At least two values are needed, and no weight may be missing or negative")
    mean = (w * x).sum() / w.sum()
    error = np.sqrt((w**2 * (x - mean) ** 2).sum() * len(x) / (len(x) - 1)) / w.sum()
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    numbers = [mean, error, mean - z * error, mean + z * error, len(x), w.sum() ** 2 / (w**2).sum()]
    return pd.Series(numbers, ["mean", "standard_error", "low", "high", "n", "effective_n"])


def _check_columns(table, columns):
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"There is no column {', '.join(missing)}; the table has {', '.join(map(str, table.columns))}")


def _cells(table, by):
    """Return the group of each row as a tuple of texts; a missing value is a group of its own."""
    _check_columns(table, by)
    texts = table[by].astype("str").fillna("not said")
    return pd.Series(list(texts.itertuples(index=False, name=None)), index=table.index)


def _margin(answers, column, shares):
    _check_columns(answers, [column])
    if answers[column].isna().any():
        raise ValueError(
            f"{int(answers[column].isna().sum())} answers have no {column}: fill in 'not said' or leave out"
        )
    absent = set(shares.index[shares > 0]) ^ set(answers[column])
    if absent:
        raise ValueError(
            f"The groups of {column} differ between the answers and the margin: {sorted(map(str, absent))}"
        )
    return shares / shares.sum()
