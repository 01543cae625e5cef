"""The answers of a questionnaire (问卷): several choices, a scale that hangs together, the Net Promoter Score."""

import numpy as np
import pandas as pd

from cimlab.collection.weighting import weighted_mean


def split_choices(answers, separator="┋"):
    """Give each choice of a question with several answers a column of its own.

    Parameters
    ----------
    answers : pandas.Series
        The choices of a person in one cell, joined by the separator.
    separator : str, optional
        What the platform joins them by.

    Returns
    -------
    pandas.DataFrame
        One column a choice, in the order in which they first occur: True where it was ticked; all missing where the
        question was left out (dtype ``boolean``).

    Examples
    --------
    >>> split_choices(pd.Series(["门店┋网店", "网店", None]))
          门店     网店
    0   True   True
    1  False   True
    2   <NA>   <NA>
    """
    lists = answers.str.split(separator)
    choices = lists.explode().dropna().unique()
    said = answers.notna()
    columns = {choice: lists[said].map(lambda ticked, choice=choice: choice in ticked) for choice in choices}
    return pd.DataFrame(columns, index=answers.index, dtype="boolean")


def reverse_items(items, reverse, low=1, high=5):
    """Turn the answers to questions that were asked the other way round: 1 becomes 5, 5 becomes 1.

    Parameters
    ----------
    items : pandas.DataFrame
        One column a question.
    reverse : list of str
        The questions to turn.
    low, high : int, optional
        The ends of the scale.

    Returns
    -------
    pandas.DataFrame

    Examples
    --------
    >>> reverse_items(pd.DataFrame({"easy": [5, 4], "hard": [1, 2]}), ["hard"])["hard"].tolist()
    [5, 4]
    """
    missing = [item for item in reverse if item not in items]
    if missing:
        raise ValueError(f"There is no question {', '.join(missing)}; there are {', '.join(items.columns)}")
    return items.assign(**{item: low + high - items[item] for item in reverse})


def cronbach_alpha(items, reverse=(), low=1, high=5):
    """Measure by Cronbach's alpha (信度) how well questions about one thing hang together.

    alpha = k / (k − 1) × (1 − sum of the variances of the k questions / variance of their sum). From 0.7 on it is
    usually called good enough. Only rows without a blank count.

    Parameters
    ----------
    items : pandas.DataFrame
        One column a question, all on the same scale.
    reverse : list of str, optional
        The questions that were asked the other way round.
    low, high : int, optional
        The ends of the scale.

    Returns
    -------
    float
        1 if all questions say the same; below 0 if they contradict one another (is a reversed one forgotten?).

    Raises
    ------
    ValueError
        If there are fewer than two questions or complete rows, an answer lies outside the scale, or all sums are equal.

    References
    ----------
    Cronbach, L. J. (1951). Coefficient alpha and the internal structure of tests. *Psychometrika* 16, 297–334.

    Examples
    --------
    >>> answers = pd.DataFrame({"goods": [5, 4, 2, 1, 3], "staff": [4, 4, 3, 1, 3], "hard_to_return": [1, 2, 4, 4, 2]})
    >>> round(cronbach_alpha(answers, reverse=["hard_to_return"]), 2)
    0.95
    >>> round(cronbach_alpha(answers), 2)
    -1.61
    """
    complete = reverse_items(items, list(reverse), low, high).dropna().astype("float64")
    count = complete.shape[1]
    if count < 2 or len(complete) < 2:
        raise ValueError(f"Two questions and two complete rows are needed; there are {count} and {len(complete)}")
    if not complete.isin(range(low, high + 1)).all(axis=None):
        raise ValueError(f"Some answers lie outside the scale from {low} to {high}: give low and high")
    spread = complete.sum(axis=1).var()
    if np.isclose(spread, 0):
        raise ValueError("All persons have the same sum: there is nothing to tell them apart by")
    return float(count / (count - 1) * (1 - complete.var().sum() / spread))


def alpha_if_dropped(items, reverse=(), low=1, high=5):
    """Say for each question what alpha would be without it, and how it goes with the others.

    Parameters
    ----------
    items : pandas.DataFrame
        One column a question, three or more.
    reverse : list of str, optional
        The questions that were asked the other way round.
    low, high : int, optional
        The ends of the scale.

    Returns
    -------
    pandas.DataFrame
        By question: alpha_if_dropped, and correlation with the sum of the others. A question without which alpha would
        be higher does not belong to the scale, or was not turned round.

    Examples
    --------
    >>> answers = pd.DataFrame({"goods": [5, 4, 2, 1, 3], "staff": [4, 4, 3, 1, 3], "hard_to_return": [1, 2, 4, 4, 2]})
    >>> alpha_if_dropped(answers)["alpha_if_dropped"].round(2).to_dict()
    {'goods': -6.25, 'staff': -26.67, 'hard_to_return': 0.93}
    """
    turned = reverse_items(items, list(reverse), low, high)
    complete = turned.dropna().astype("float64")
    rows = {}
    for item in items.columns:
        others = complete.drop(columns=item)
        rows[item] = [cronbach_alpha(turned.drop(columns=item), (), low, high), complete[item].corr(others.sum(axis=1))]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["alpha_if_dropped", "correlation"])
    return table.rename_axis("question")


NPS_COLUMNS = ["score", "standard_error", "low", "high", "promoters", "passives", "detractors", "n"]


def net_promoter_score(marks, weights=None, confidence=0.95, by=None):
    """Compute the Net Promoter Score (净推荐值): per cent with 9 or 10, less per cent with 0 to 6.

    Parameters
    ----------
    marks : pandas.Series
        Answers from 0 to 10 to "how likely would you recommend us"; missing ones are left out.
    weights : pandas.Series, optional
        How much each answer counts, as `post_stratify` or `rake` returns it.
    confidence : float, optional
        How often the interval should hold the score of all.
    by : pandas.Series, optional
        The group of each answer, same index; answers without a group are left out.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        score (−100 to 100), standard_error, low, high, promoters, passives, detractors (per cent) and n (answers).
        With `by` one row a group; all but n is missing where a group has fewer than two answers. The interval says
        what chance does, not what those think who did not answer.

    Raises
    ------
    ValueError
        If a mark lies outside 0 to 10.

    References
    ----------
    Reichheld, F. F. (2003). The one number you need to grow. *Harvard Business Review* 81 (12), 46–54.
    Rocks, B. (2016). Interval estimation for the Net Promoter Score. *The American Statistician* 70 (4), 365–372.

    Examples
    --------
    >>> marks = pd.Series([10, 9, 8, 7, 6, 10, None])
    >>> net_promoter_score(marks).round(1)[["score", "low", "high", "n"]].to_dict()
    {'score': 33.3, 'low': -32.0, 'high': 98.7, 'n': 6.0}
    >>> net_promoter_score(marks, by=pd.Series(["new", "new", "old", "old", "old", "old", "old"])).round(1)["score"]
    new    100.0
    old      0.0
    Name: score, dtype: float64
    """
    if by is not None:
        return _score_groups(marks, weights, confidence, by)
    known = marks.dropna().astype("float64")
    if not known.between(0, 10).all():
        raise ValueError(f"A mark must lie between 0 and 10; one is {known[~known.between(0, 10)].iloc[0]:g}")
    weights = pd.Series(1.0, index=known.index) if weights is None else weights.loc[known.index]
    points = 100.0 * (known >= 9) - 100.0 * (known <= 6)
    mean = weighted_mean(points, weights, confidence)
    shares = [
        weighted_mean(100.0 * kind, weights)["mean"] for kind in (known >= 9, known.between(6.5, 8.5), known <= 6)
    ]
    numbers = [
        mean["mean"],
        mean["standard_error"],
        max(mean["low"], -100),
        min(mean["high"], 100),
        *shares,
        len(known),
    ]
    return pd.Series(numbers, NPS_COLUMNS)


def _score_groups(marks, weights, confidence, by):
    """Return the Net Promoter Score of each group, one row a group."""
    if not marks.index.equals(by.index):
        raise ValueError("marks and by have different indexes: take both from the same table")
    rows = {}
    for group, part in marks.groupby(by):
        few = part.count() < 2  # of one answer no error can be told
        mine = None if weights is None else weights.loc[part.index]
        rows[group] = pd.Series({"n": float(part.count())}) if few else net_promoter_score(part, mine, confidence)
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=NPS_COLUMNS).rename_axis(by.name)
