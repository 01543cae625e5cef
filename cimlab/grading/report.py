"""The figures of `cimlab report`: how hard each question was, what failed, who waits, what was late. Only tables.

Three tables go through these functions. *grades* has one row for each hand-in and graded cell: student, cell, points
(NaN without a mark), waits (True until a person has graded or confirmed it). *cells* has one row for each graded cell
in the order of the lab, with the cell as its index: question, max. *errors* has one row for each failed check: student,
cell, kind (the name of the error), sentence (what the student was told).
"""

import random
import re

import numpy as np
import pandas as pd

from cimlab.grading.export import NOTHING
from cimlab.grading.feedback import SENTENCES

ENOUGH = 3  # hand-ins below which a correlation says nothing at all
PAUSE = 15  # minutes without a run cell that count as a break
LONGEST = 400  # characters of a sentence that are shown


def points_table(grades, cells):
    """Return the points of each hand-in (rows) for each graded cell (columns, in the order of the lab).

    Parameters
    ----------
    grades, cells : pandas.DataFrame
        As described at the top of the module.

    Returns
    -------
    pandas.DataFrame
        NaN where there is no mark yet.

    Examples
    --------
    >>> cells = pd.DataFrame({"question": ["q1", "q1"], "max": [1, 2]}, index=["test", "hidden"])
    >>> grades = pd.DataFrame({"student": ["a", "a"], "cell": ["hidden", "test"], "points": [2.0, None]})
    >>> points_table(grades, cells)
       test  hidden
    a   NaN     2.0
    """
    table = grades.pivot_table(index="student", columns="cell", values="points", dropna=False, sort=True)
    table = table.reindex(index=sorted(grades["student"].unique()), columns=cells.index).astype(float)
    return table.rename_axis(index=None, columns=None)


def by_question(points, cells):
    """Add up the cells of each question; a question with a cell without a mark has no sum.

    Examples
    --------
    >>> cells = pd.DataFrame({"question": ["q1", "q1", "q2"], "max": [1, 2, 4]}, index=["test", "hidden", "written"])
    >>> by_question(pd.DataFrame({"test": [1.0], "hidden": [2.0], "written": [None]}, index=["a"]), cells)
        q1  q2
    a  3.0 NaN
    """
    questions = list(dict.fromkeys(cells["question"]))
    sums = {q: points[cells.index[cells["question"] == q]].sum(axis=1, skipna=False) for q in questions}
    return pd.DataFrame(sums, index=points.index).astype(float)


def item_figures(points, maxima):
    """Return how hard each item was and how well it tells strong hand-ins from weak ones.

    Parameters
    ----------
    points : pandas.DataFrame, shape (hand-ins, items)
        Points, NaN where there is no mark yet.
    maxima : pandas.Series
        The most that each item gives.

    Returns
    -------
    pandas.DataFrame, one row for each item
        marked (hand-ins with a mark), share (mean share of the points, 0 to 1; the classical *difficulty*), full and
        none (shares of hand-ins with all and with no points), discrimination: Pearson's correlation of the item with
        the sum of the *other* items; NaN where everybody has the same or fewer than three hand-ins have a mark. An item
        that is not marked for everybody is compared with the sum of those that are.

    References
    ----------
    Henrysson, S. (1963). Correction of item-total correlations in item analysis. *Psychometrika*, 28, 211-218.

    Examples
    --------
    >>> points = pd.DataFrame({"q1": [0.0, 1, 1, 1], "q2": [0.0, 0, 2, 2], "q3": [1.0, 1, 1, 1]})
    >>> item_figures(points, pd.Series({"q1": 1, "q2": 2, "q3": 1})).round(2)
        marked  share  full  none  discrimination
    q1       4   0.75  0.75  0.25            0.58
    q2       4   0.50  0.50  0.50            0.58
    q3       4   1.00  1.00  0.00             NaN
    """
    whole = points.columns[points.notna().all()]
    total = points[whole].sum(axis=1)
    rows = {}
    for name in points.columns:
        own = points[name].dropna()
        rest = (total - points[name] if name in whole else total)[own.index]
        share = own / maxima[name] if maxima[name] else own * np.nan
        rows[name] = {
            "marked": len(own),
            "share": share.mean(),
            "full": (share >= 1 - 1e-9).mean() if len(own) else np.nan,
            "none": (own <= 0).mean() if len(own) else np.nan,
            "discrimination": _correlation(own, rest),
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"marked": int})


def _correlation(own, rest):
    own, rest = own.round(9), rest.round(9)
    if len(own) < ENOUGH or own.nunique() < 2 or rest.nunique() < 2:
        return np.nan
    return float(np.corrcoef(own, rest)[0, 1])


def spread(totals):
    """Return number, mean, median, standard deviation (n - 1), lowest and highest of the class's totals.

    Examples
    --------
    >>> {name: round(float(value), 1) for name, value in spread(pd.Series([2.0, 4, 9])).items()}
    {'number': 3.0, 'mean': 5.0, 'median': 4.0, 'deviation': 3.6, 'lowest': 2.0, 'highest': 9.0}
    """
    figures = {"number": len(totals), "mean": totals.mean(), "median": totals.median(), "deviation": totals.std()}
    return figures | {"lowest": totals.min(), "highest": totals.max()}


# ---------------------------------------------------------------------------------------------------------------------
# what failed


def told(kind, sentence):
    """Return what may be shown of an error in a test cell: a check's own sentence, of any other error the name alone.

    Examples
    --------
    >>> told("CheckFailed", "`share` is a fraction; the task asks for per cent.")
    '`share` is a fraction; the task asks for per cent.'
    >>> told("KeyError", "'expected_total'")
    'The test itself stopped (KeyError).'
    """
    return sentence if kind in SENTENCES else f"The test itself stopped ({kind})."


def name_mistakes(errors, mistakes):
    """Add the filed mistake that each failed check recognised.

    Parameters
    ----------
    errors : pandas.DataFrame
        As described at the top of the module.
    mistakes : list of dict
        As `mistakes.read_mistakes` returns them. A mistake is recognised where one of the tests that it fails said its
        sentence; where several fit, the longest sentence decides.

    Returns
    -------
    pandas.DataFrame
        With a column mistake: its name, several names with " / " where mistakes share a sentence, "" for none.
    """
    filed = {}
    for entry in mistakes:
        key = (entry["cell"], " ".join(entry["says"].lower().split()))
        names, tests = filed.setdefault(key, ([], set()))
        names.append(entry["name"])
        tests.update(entry["points"])

    def recognise(cell, sentence):
        heard = " ".join(sentence.lower().split())
        fits = [(len(says), " / ".join(names)) for (_, says), (names, tests) in filed.items()
                if cell in tests and says in heard]  # fmt: skip
        return max(fits)[1] if fits else ""

    pairs = zip(errors["cell"], errors["sentence"], strict=True)
    return errors.assign(mistake=[recognise(cell, sentence) for cell, sentence in pairs])


def mistakes_seen(named, cells):
    """Return how many students made each filed mistake: mistake, question, students; the commonest first."""
    found = named[named["mistake"] != ""]
    found = found.assign(question=found["cell"].map(cells["question"]))
    counts = found.groupby(["mistake", "question"], as_index=False)["student"].nunique()
    counts = counts.rename(columns={"student": "students"})
    return counts.sort_values(["students", "question", "mistake"], ascending=[False, True, True], ignore_index=True)


def common_sentences(named):
    """Return the sentences that students were told, the commonest first.

    Sentences that differ only in numbers or quoted values count as one; the commonest wording stands for them.

    Parameters
    ----------
    named : pandas.DataFrame
        As `name_mistakes` returns it.

    Returns
    -------
    pandas.DataFrame
        cell, sentence, students, wordings (how many there were), mistake.

    Examples
    --------
    >>> errors = pd.DataFrame({"student": ["a", "b", "c"], "cell": "test_q1", "kind": "CheckFailed", "mistake": "",
    ...                        "sentence": ["`n` is 3, expected 5.", "`n` is 4, expected 5.", "`n` is None."]})
    >>> common_sentences(errors)[["sentence", "students", "wordings"]]
                    sentence  students  wordings
    0  `n` is 3, expected 5.         2         2
    1           `n` is None.         1         1
    """
    shown = [told(kind, sentence) for kind, sentence in zip(named["kind"], named["sentence"], strict=True)]
    table = named.assign(sentence=shown, form=[_form(sentence) for sentence in shown])
    rows = []
    for (cell, _), group in table.groupby(["cell", "form"], sort=True):
        wordings = group["sentence"].value_counts()
        first = min(wordings.index[wordings == wordings.max()])
        names = [name for name in group["mistake"] if name]
        rows.append(
            {
                "cell": cell,
                "sentence": first if len(first) <= LONGEST else first[:LONGEST] + " …",
                "students": group["student"].nunique(),
                "wordings": len(wordings),
                "mistake": max(names, key=names.count) if names else "",
            }
        )
    table = pd.DataFrame(rows, columns=["cell", "sentence", "students", "wordings", "mistake"])
    return table.sort_values(["students", "cell", "sentence"], ascending=[False, True, True], ignore_index=True)


def _form(sentence):
    return re.sub(r"'[^']*'|\"[^\"]*\"|-?\d[\d.,:]*", "…", sentence)


def unnamed(named, cells):
    """Return (student, question) of failed checks of which no filed mistake was recognised: stuff for mistakes.yaml.

    Errors by which nothing was checked (`TimeUp`, `KernelDied`, `NotRun`) do not count.
    """
    checked = named[named["kind"] == "CheckFailed"]
    checked = checked.assign(question=checked["cell"].map(cells["question"]), known=checked["mistake"] != "")
    known = checked.groupby(["student", "question"])["known"].any()
    return list(known.index[~known])


# ---------------------------------------------------------------------------------------------------------------------
# time


def working_minutes(moments, pause=PAUSE):
    """Return the minutes between the first and the last run cell, without the breaks; None if it cannot be known.

    Parameters
    ----------
    moments : iterable of str or pandas.Timestamp
        When each cell was last run.
    pause : float
        Minutes; a longer gap is a break and is left out.

    Examples
    --------
    >>> working_minutes(["2026-10-12T20:00Z", "2026-10-12T20:12Z", "2026-10-13T08:00Z", "2026-10-13T08:05Z"])
    17.0
    """
    times = pd.Series(pd.to_datetime(list(moments), utc=True, errors="coerce", format="ISO8601")).dropna()
    if len(times) < 2:
        return None
    gaps = times.sort_values().diff().dt.total_seconds().dropna() / 60
    return float(gaps[gaps <= pause].sum())


def duration(seconds):
    """Return a length of time in two units.

    Examples
    --------
    >>> duration(40), duration(3 * 3600 + 125), duration(50 * 3600)
    ('1 min', '3 h 2 min', '2 d 2 h')
    """
    minutes = max(1, int(seconds // 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    parts = parts[next(place for place, (number, _) in enumerate(parts) if number) :][:2]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


# ---------------------------------------------------------------------------------------------------------------------
# marks, and numbers for names


def marks(points, cells, hand_ins):
    """Return one row for each student with the points of each question, as a learning platform takes them.

    Parameters
    ----------
    points : pandas.DataFrame
        As `points_table` returns it.
    cells : pandas.DataFrame
        As described at the top of the module.
    hand_ins : pandas.DataFrame
        The whole class, student as the index: status, penalty, and what else is to stand before the points
        (last_name, first_name).

    Returns
    -------
    pandas.DataFrame
        student_id, names, one column for each question, penalty where anybody has one, total, max, status. Blank: no
        mark yet. Who handed in nothing has the total 0; a hand-in that could not be read has no total.
    """
    questions = by_question(points, cells).reindex(hand_ins.index)
    total = points.sum(axis=1).reindex(hand_ins.index)
    total = (total - hand_ins["penalty"].fillna(0)).clip(lower=0)
    total[hand_ins["status"] == NOTHING] = 0.0
    table = hand_ins.drop(columns=["status", "penalty"])
    table = pd.concat([table, questions], axis=1)
    if (hand_ins["penalty"] > 0).any():
        table["penalty"] = hand_ins["penalty"]
    table = table.assign(total=total, max=float(cells["max"].sum()), status=hand_ins["status"])
    return table.rename_axis("student_id").reset_index()


def csv_text(table):
    """Return a table as CSV in which no cell is a formula for a spreadsheet.

    A student's id comes from the name of a file: one that begins with ``=``, ``+``, ``-`` or ``@`` gets an apostrophe.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"student_id": ["=1+1", "李娜"], "total": [-1.0, 2.5]}))
    "student_id,total\\n'=1+1,-1.0\\n李娜,2.5\\n"
    """
    table = table.copy()
    for column in table.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]]:
        table[column] = [
            f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value
            for value in table[column]
        ]
    return table.to_csv(index=False, lineterminator="\n")


def numbers_for(students, seed=None):
    """Return a name without meaning for each student, in an order that nobody can tell from the ids.

    Parameters
    ----------
    students : iterable of str
    seed : int, optional
        By default another order each time.

    Examples
    --------
    >>> sorted(numbers_for(["li_na", "wang"], seed=1).values())
    ['Student 1', 'Student 2']
    """
    students = sorted(students)
    width = len(str(len(students)))
    order = list(range(1, len(students) + 1))
    (random.SystemRandom() if seed is None else random.Random(seed)).shuffle(order)
    return {student: f"Student {number:0{width}}" for student, number in zip(students, order, strict=True)}


def without_names(text, names):
    """Replace the ids and names of students in a sentence.

    Parameters
    ----------
    text : str
    names : dict of str to str
        What to replace → by what.

    Examples
    --------
    >>> without_names("`author` is 李娜 (2023010203), expected 'x'.", {"李娜": "Student 1", "2023010203": "Student 1"})
    "`author` is Student 1 (Student 1), expected 'x'."
    """
    for name in sorted(names, key=len, reverse=True):
        # A word of letters or digits only as a whole; a Chinese name has no blanks around it.
        edge = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"
        start, end = edge if name.isascii() else ("", "")
        text = re.sub(f"{start}{re.escape(name)}{end}", lambda _, name=name: names[name], text)
    return text
