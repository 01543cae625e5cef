"""How well does a firm manage customer information? Principles, steps and success factors as a self-assessment (自评).

Each question of `ASSESSMENT` is answered from 1 to 5; it says what 1 and what 5 look like. Some are asked the other way
round (column `reversed`): there a 5 is bad, and who ticks 4 all the way down betrays himself. An answer is an opinion
until two people have given it: `compare_assessments` shows where they differ, `draw_assessments` draws it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

ASSESSMENT = pd.read_csv(Path(__file__).with_name("assessment.csv"))


def _read_answers(answers, questions, who="answers"):
    """Return the answers as points in the order of the questions, reversed ones turned; missing where there is none."""
    answers = pd.Series(answers, dtype="float64")
    if answers.index.has_duplicates:
        raise ValueError(f"{who}: question {answers.index[answers.index.duplicated()][0]} is answered twice")
    unknown = answers.index.difference(questions["question_id"])
    if len(unknown):
        raise ValueError(f"{who}: there is no question {unknown[0]}; they run from {questions['question_id'].iloc[0]}")
    wrong = answers[answers.notna() & ~answers.isin([1, 2, 3, 4, 5])]
    if len(wrong):
        raise ValueError(f"{who}: {wrong.index[0]} is {wrong.iloc[0]:g}; answer with a whole number from 1 to 5")
    points = answers.reindex(questions["question_id"])
    if "reversed" in questions:
        points = points.where(~questions["reversed"].to_numpy(dtype=bool), 6 - points)
    return points


def _need_questions(questions, columns):
    """Return the table of questions with these columns, and `reversed` where there is one."""
    return need(questions, [*columns, *({"reversed"} & set(questions.columns))], "table of questions")


def score_assessment(answers, questions=ASSESSMENT):
    """Score each factor by its answered questions, the weakest first, and tell what was left out.

    A question left out is not a 1 and not a mean: it is missing, and `answered` says how much of the weight the score
    stands on. `if_worst` is the score if each missing answer were the worst one. A reversed question counts 6 − answer.

    Parameters
    ----------
    answers : dict or pandas.Series
        question_id → 1 to 5. Questions may be left out.
    questions : pandas.DataFrame
        As `ASSESSMENT`: question_id, group, factor, weight; reversed (True where 5 is bad; none if left out).

    Returns
    -------
    pandas.DataFrame
        group, factor, questions (how many), missing (how many without an answer), answered (fraction of the weight),
        score (weighted mean, 1 to 5; missing if nothing was answered), if_worst. What nobody answered stands last.

    Raises
    ------
    ValueError
        A question is unknown or answered twice, an answer is not 1 to 5, or a weight is not above 0.

    References
    ----------
    Likert, R. (1932). A technique for the measurement of attitudes. Archives of Psychology 140.

    Examples
    --------
    >>> questions = pd.DataFrame({"question_id": ["P1", "P2", "P3"], "group": "principle",
    ...                           "factor": ["lawful", "secure", "secure"], "weight": [1, 3, 1]})
    >>> score_assessment({"P1": 4, "P2": 2}, questions).drop(columns="group")
       factor  questions  missing  answered  score  if_worst
    0  secure          2        1      0.75    2.0      1.75
    1  lawful          1        0      1.00    4.0      4.00
    """
    table = _need_questions(questions, ["question_id", "group", "factor", "weight"])
    if not (table["weight"] > 0).all():
        raise ValueError("score_assessment: each question needs a weight above 0; leave out what shall not count")
    table["answer"] = _read_answers(answers, table).to_numpy()
    table["missing"] = table["answer"].isna()
    table["known"] = table["weight"].where(~table["missing"], 0)
    table["points"] = table["known"] * table["answer"].fillna(0)
    table["worst"] = table["weight"] * table["answer"].fillna(1)
    sums = table.groupby(["group", "factor"], sort=False).agg(
        questions=("question_id", "size"),
        missing=("missing", "sum"),
        weight=("weight", "sum"),
        known=("known", "sum"),
        points=("points", "sum"),
        worst=("worst", "sum"),
    )
    sums["answered"] = sums["known"] / sums["weight"]
    sums["score"] = sums["points"] / sums["known"].where(sums["known"] > 0)
    sums["if_worst"] = sums["worst"] / sums["weight"]
    scored = sums.reset_index().sort_values(["score", "group", "factor"], na_position="last")
    return scored[["group", "factor", "questions", "missing", "answered", "score", "if_worst"]].reset_index(drop=True)


def compare_assessments(first, second, questions=ASSESSMENT):
    """See where two raters differ, and how far they agree beyond chance.

    Two raters who tick 4 everywhere agree on all and have measured nothing: kappa is then missing, because there is no
    spread to agree on (nor if all their points are the same). Weighted kappa counts a difference of two points four
    times one of one point. Reversed questions are turned first, so that a higher number is a kinder one everywhere.

    Parameters
    ----------
    first, second : dict or pandas.Series
        question_id → 1 to 5.
    questions : pandas.DataFrame
        As `ASSESSMENT`: question_id, factor; reversed (True where 5 is bad; none if left out).

    Returns
    -------
    summary : pandas.Series
        both (questions that both answered), same (fraction equal), kappa (quadratic weights; 1 all the same, 0 as by
        chance), shift (mean of second − first: is one of them kinder?).
    differences : pandas.DataFrame
        question_id, factor, first, second (points, reversed ones turned), difference: the questions that differ, the
        furthest first.

    Raises
    ------
    ValueError
        Answers that are not 1 to 5, or no question that both answered.

    References
    ----------
    Cohen, J. (1968). Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit.
    Psychological Bulletin 70(4).

    Examples
    --------
    >>> questions = pd.DataFrame({"question_id": ["P1", "P2", "P3"], "factor": ["lawful", "secure", "secure"]})
    >>> summary, differences = compare_assessments({"P1": 1, "P2": 3, "P3": 5}, {"P1": 1, "P2": 4, "P3": 5}, questions)
    >>> summary.round(2).to_dict()
    {'both': 3.0, 'same': 0.67, 'kappa': 0.94, 'shift': 0.33}
    >>> differences
      question_id  factor  first  second  difference
    0          P2  secure      3       4           1
    """
    from sklearn.metrics import cohen_kappa_score

    table = _need_questions(questions, ["question_id", "factor"])
    table["first"] = _read_answers(first, table, "first").to_numpy()
    table["second"] = _read_answers(second, table, "second").to_numpy()
    both = (
        table.drop(columns="reversed", errors="ignore")
        .dropna(subset=["first", "second"])
        .astype({"first": "int64", "second": "int64"})
    )
    if both.empty:
        raise ValueError("compare_assessments: there is no question that both answered")
    both["difference"] = both["second"] - both["first"]
    ticks = [_read_answers(given, table[["question_id"]])[both["question_id"]] for given in (first, second)]
    kappa = np.nan
    if min(len({*both["first"], *both["second"]}), len({*ticks[0], *ticks[1]})) > 1:
        kappa = cohen_kappa_score(both["first"], both["second"], labels=[1, 2, 3, 4, 5], weights="quadratic")
    summary = {
        "both": len(both),
        "same": (both["difference"] == 0).mean(),
        "kappa": kappa,
        "shift": both["difference"].mean(),
    }
    differ = both[both["difference"] != 0]
    order = differ["difference"].abs().sort_values(ascending=False, kind="stable").index
    return pd.Series(summary, dtype="float64"), differ.loc[order].reset_index(drop=True)


def draw_assessments(answers, title, questions=ASSESSMENT, ax=None):
    """Draw what each rater gives each factor; a hollow mark stands on a part of the questions only.

    Parameters
    ----------
    answers : dict of str to (dict or pandas.Series)
        Name of the rater → question_id → 1 to 5; up to eight raters.
    title : str
        What the picture says.
    questions : pandas.DataFrame
        As `ASSESSMENT`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        As `score_assessment`, or there is no rater, or too many.

    Examples
    --------
    >>> ax = draw_assessments({"sales": {"P1": 4, "P2": 4}, "service": {"P1": 2}}, "Sales is kinder")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['sales', 'service']
    """
    from cimlab.plots.style import axes_for, look, need_few, set_title

    if not answers:
        raise ValueError("draw_assessments: give the answers of at least one rater: {name: answers}")
    need_few(list(answers), "raters", "draw_assessments")
    factors = questions["factor"].unique()
    scored = {name: score_assessment(given, questions).set_index("factor") for name, given in answers.items()}
    points = pd.DataFrame({name: table["score"].reindex(factors) for name, table in scored.items()})
    ax = axes_for(ax, figsize=(8, 0.36 * len(factors) + 1.3))
    ax.hlines(range(len(factors)), points.min(axis=1), points.max(axis=1), color="#999999", linewidth=1.5)
    for number, (name, table) in enumerate(scored.items()):
        mark = {**look(number), "linestyle": "", "markersize": max(5, 11 - 3 * number), "markeredgewidth": 1.5}
        ax.plot(points[name], range(len(factors)), label=name, **mark)
        part = table["answered"].reindex(factors).to_numpy() < 1
        ax.plot(points[name][part], np.flatnonzero(part), **mark, markerfacecolor="white")
    ax.set_yticks(range(len(factors)), factors)
    ax.set(xlim=(0.8, 5.2), xticks=range(1, 6), ylim=(len(factors) - 0.5, -0.5))
    ax.set_xlabel("score (1 worst, 5 best); hollow: not all questions answered")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    set_title(ax, title)
    return ax
