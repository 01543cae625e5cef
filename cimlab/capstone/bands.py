"""What is judged, and in which bands (评分档): the paper that students read is made from this table.

A band says from which value on so many points are given. The bounds leave room: a careful answer of another kind than
the model answer gets full points too, and small differences between two editions of the retailer change nothing.
"""

import math

import pandas as pd

REPORT_COLUMNS = ["criterion", "measure", "value", "band", "points", "of", "sentence"]

LEAST_LINKAGE, SHARE_WITHOUT_LINKAGE = 4, 0.4  # of its 15 points; of the points of all else: see `limit_points`
_LINKAGE = ["linkage by pairs", "linkage by records"]

# criterion: part, what is measured, which values are good ("high" or "low"), bands from the best on, a way forward.
CRITERIA = {
    "linkage by pairs": (
        "A",
        "F1 of the pairs of records that stand under one customer, 0 to 1",
        "high",
        [(0.92, 10), (0.87, 7), (0.80, 4), (0.70, 2)],
        "Look at the pairs just above and just below your threshold, and at the largest customers.",
    ),
    "linkage by records": (
        "A",
        "B-cubed F1: how well each record is together with those of its person, 0 to 1",
        "high",
        [(0.965, 5), (0.945, 3), (0.90, 1)],
        "Compare your number of customers with the number of cards: where do customers fall apart or run together?",
    ),
    "constraints kept": (
        "A",
        "rows that break a key, a reference, a needed value or a check",
        "low",
        [(0, 4), (5, 3), (50, 1)],
        "Run each count of the sentence as a query of your own, look at the rows, and mend or leave out the values.",
    ),
    "constraints declared": (
        "A",
        "share of wrong rows that the base itself refuses, 0 to 1",
        "high",
        [(0.95, 3), (0.70, 2), (0.40, 1)],
        "Make the tables with PRIMARY KEY, NOT NULL, REFERENCES and CHECK; `to_sql` alone declares none of them.",
    ),
    "purchases kept": (
        "A",
        "share of the purchases with a card, account or call that stand under the person who bought, 0 to 1",
        "high",
        [(0.94, 3), (0.89, 2), (0.80, 1)],
        "Join the orders to the customers by the record that ordered, not by a name, and compare the number of rows.",
    ),
    "surviving values": (
        "A",
        "share of the phones, e-mails, addresses, birth dates chosen rightly where records of a person differ, 0 to 1",
        "high",
        [(0.60, 6), (0.52, 4), (0.46, 2)],
        "Compare your rule of each field with the alternatives: newest, most frequent, best source.",
    ),
    "lineage": (
        "A",
        "share of the values that point at a record of the customer which holds them, 0 to 1",
        "high",
        [(0.99, 5), (0.95, 3), (0.75, 1)],
        "Write the lineage in the step that chooses the value, not afterwards, and again after each repair.",
    ),
    "quality report": (
        "A",
        "share of the figures, before and after, that come out the same when measured again, 0 to 1",
        "high",
        [(0.95, 3), (0.75, 2), (0.50, 1)],
        "Completeness is a share of all rows, validity and uniqueness of the filled cells; measure what you hand in.",
    ),
    "dictionary": (
        "A",
        "share of the columns of the base that the dictionary explains and grades, 0 to 1",
        "high",
        [(1.0, 2), (0.90, 1)],
        "List the columns from the base itself, not from memory; a value is of no lower grade than in the channel.",
    ),
    "access": (
        "A",
        "share of the tests of the roles that held: attacks repelled, secrets unseen, needed columns readable, 0 to 1",
        "high",
        [(1.0, 6), (0.95, 4), (0.85, 2)],
        "Give each role a copy with its own columns; whoever can open the base itself reads all of it.",
    ),
    "consent": (
        "A",
        "share of the states of consent (person and purpose) that are right at the day, 0 to 1",
        "high",
        [(0.97, 4), (0.95, 3), (0.90, 1)],
        "Take the newest entry before the day for each record and purpose; one record that withdraws is enough.",
    ),
    "erasure": (
        "A",
        "places where the person can still be found, and rows of others that were lost",
        "low",
        [(0, 5), (2, 3), (5, 1)],
        "List all places first: tables, lineage, extracts, backups, free text. Erase there, then search again.",
    ),
    "restore": (
        "A",
        "share of the tests that held after the backup was restored: same rows, same contents, right proof, 0 to 1",
        "high",
        [(1.0, 4), (0.80, 2), (0.50, 1)],
        "Back up after the last change, restore into another file, and count and compare there.",
    ),
    "label coverage": (
        "B",
        "share of the customers who bought that have a label which tells them from others, 0 to 1",
        "high",
        [(0.70, 4), (0.50, 3), (0.30, 1)],
        "Which customers have no label? One that everybody has says nothing; one that nobody has, neither.",
    ),
    "label lift": (
        "B",
        "share of the labels whose claim is true of the days after them, 0 to 1",
        "high",
        [(0.60, 7), (0.45, 4), (0.25, 2)],
        "Ask more evidence (purchases, share) of the labels that failed, or drop them.",
    ),
    "segment sizes": (
        "B",
        "share of the customers in segments of a size that one can work with, 0 to 1; 3 to 8 segments",
        "high",
        [(0.95, 3), (0.80, 1)],
        "Choose 3 to 8 segments; a segment with nearly everybody or nearly nobody asks for no action of its own.",
    ),
    "segment contents": (
        "B",
        "how far the segments tell what drives the customers apart: mean share of variance explained, 0 to 1",
        "high",
        [(0.13, 7), (0.09, 4), (0.04, 2)],
        "Make segments of behaviour (how often, how much, on offer, channel), scaled so that no side drowns another.",
    ),
    "no leak": (
        "B",
        "findings: features that know the future, learning from the days of the test, scores that nobody could have",
        "low",
        [(0, 6)],
        "Build each feature with the rows up to the cutoff only, and learn from windows that were over by then.",
    ),
    "hold-out": (
        "B",
        "AUC on a test after the learning, measured again; worth nothing beside a leak, 0 to 1",
        "high",
        [(0.68, 6), (0.64, 4), (0.60, 2)],
        "Compare with recency and frequency alone; a model that does not beat them is not needed.",
    ),
    "calibration": (
        "B",
        "mean distance between promised and observed share, over groups of scores, 0 to 1",
        "low",
        [(0.05, 4), (0.08, 2), (0.12, 1)],
        "Do not weight the classes, or bend the scores back on a window of their own (`recalibrate`).",
    ),
    "numbers of the paper": (
        "B",
        "share of the numbers in the paper that come out the same when computed again, 0 to 1",
        "high",
        [(1.0, 3), (0.90, 2), (0.70, 1)],
        "Let the notebook write the numbers into the text, so that they cannot grow old.",
    ),
}


def judge(criterion, value, says, advice=None, at_most=None):
    """Look a measured value up in the bands of its criterion, and write the row of the report.

    Parameters
    ----------
    criterion : str
        A key of `CRITERIA`.
    value : float
        NaN if it could not be measured: that is worth 0 points.
    says : str
        What the value means here, in plain words.
    advice : str, optional
        The likeliest way forward; that of the criterion when left out. Nobody reads it who has full points.
    at_most : int, optional
        No more points than these, whatever the value.

    Returns
    -------
    pandas.DataFrame
        One row: criterion, measure, value, band ("≥ 0.87", "below 0.70", "not measured"), points, of, sentence.

    Raises
    ------
    ValueError
        There is no such criterion.

    Examples
    --------
    >>> judge("linkage by pairs", 0.9, "One pair in ten is wrong.")[["value", "band", "points", "of"]]
       value    band  points  of
    0    0.9  ≥ 0.87       7  10
    >>> judge("erasure", 0, "Nobody finds him.")["sentence"].item()
    'Nobody finds him.'
    """
    if criterion not in CRITERIA:
        raise ValueError(f"there is no criterion {criterion!r}; there are: {', '.join(CRITERIA)}")
    _, measure, better, bands, usual = CRITERIA[criterion]
    sign = 1 if better == "high" else -1
    reached = [] if math.isnan(value) else [band for band in bands if sign * (value - band[0]) >= -1e-9]
    points = reached[0][1] if reached else 0
    points = points if at_most is None else min(points, at_most)
    text = _band_text(better, reached[0][0], True) if reached else _band_text(better, bands[-1][0], False)
    text = "not measured" if math.isnan(value) else text
    says = says if points == bands[0][1] else f"{says} {advice or usual}"
    row = [criterion, measure, float(value), text, points, bands[0][1], says]
    return pd.DataFrame([row], columns=REPORT_COLUMNS)


def bands_table(part=None):
    """Return the bands as a table, one row per band: this is what the paper of the task prints.

    Parameters
    ----------
    part : {"A", "B"}, optional
        A for the database, B for the profiles; both when left out.

    Returns
    -------
    pandas.DataFrame
        part, criterion, measure, band, points; the best band of each criterion first, the last one is worth 0.

    Examples
    --------
    >>> table = bands_table("B")
    >>> table[table["criterion"] == "segment sizes"][["band", "points"]].to_string(index=False, header=False).split()
    ['≥', '0.95', '3', '≥', '0.8', '1', 'below', '0.8', '0']
    >>> int(bands_table().groupby("criterion")["points"].max().sum())
    100
    """
    rows = []
    for criterion, (of_part, measure, better, bands, _) in CRITERIA.items():
        if part in (None, of_part):
            rows += [(of_part, criterion, measure, _band_text(better, at, True), points) for at, points in bands]
            rows.append((of_part, criterion, measure, _band_text(better, bands[-1][0], False), 0))
    return pd.DataFrame(rows, columns=["part", "criterion", "measure", "band", "points"])


def limit_points(report, linkage):
    """Give less for tidy tables of the wrong customers.

    A base in which the customers are not the persons can be neither trusted nor protected, however tidy it is: whose
    linkage has fewer than 4 of its 15 points gets 40 % of the points of each other criterion of part A at most.

    Parameters
    ----------
    report : pandas.DataFrame
        Rows of the scorers.
    linkage : int
        Points of the linkage. Who goes on from the checkpoint's linkage has none, and no limit: do not call this then.

    Returns
    -------
    pandas.DataFrame
        The report, with fewer points where the limit is passed, and a sentence that says so.

    Examples
    --------
    >>> row = judge("lineage", 1.0, "Each value can be traced.")
    >>> limit_points(row, 15)["points"].item(), limit_points(row, 3)["points"].item()
    (5, 2)
    """
    report = report.copy()
    part = report["criterion"].map(lambda name: CRITERIA[name][0])
    most = (report["of"] * SHARE_WITHOUT_LINKAGE).astype("int64")
    over = (part == "A") & ~report["criterion"].isin(_LINKAGE) & (report["points"] > most)
    if linkage < LEAST_LINKAGE and over.any():
        says = " But your customers are not the persons (linkage below 4 of 15 points), so that this is worth "
        report.loc[over, "sentence"] += says + most[over].astype("str") + " points at most."
        report.loc[over, "points"] = most[over]
    return report


def sum_points(report, from_checkpoint=False):
    """Add the points of a report up, by part.

    Parameters
    ----------
    report : pandas.DataFrame
        Rows of the scorers below one another (``pd.concat``).
    from_checkpoint : bool
        The linkage is the checkpoint's (see `is_checkpoint`): it has no points, and `limit_points` does not hold.

    Returns
    -------
    pandas.DataFrame
        By part: points, of (all criteria of the part; what is not in the report is worth 0), and earned (the points
        before the limit of `limit_points`).

    Raises
    ------
    ValueError
        A criterion stands twice.

    Examples
    --------
    >>> sum_points(judge("linkage by pairs", 0.95, "Nearly all are found."))
          points  of  earned
    part
    A         10  60      10
    B          0  40       0
    """
    twice = report.loc[report["criterion"].duplicated(), "criterion"]
    if len(twice):
        raise ValueError(f"the criterion {twice.iloc[0]!r} stands twice in the report: keep one row for each")
    linked = report["criterion"].isin(_LINKAGE)
    limited = report[~linked] if from_checkpoint else limit_points(report, report.loc[linked, "points"].sum())
    columns = {"points": limited.set_index("criterion")["points"], "earned": report.set_index("criterion")["points"]}
    names = pd.Index(CRITERIA)
    full = pd.DataFrame({name: points.reindex(names, fill_value=0) for name, points in columns.items()})
    full["part"], full["of"] = zip(*((part, bands[0][1]) for part, _, _, bands, _ in CRITERIA.values()), strict=True)
    return full.groupby("part")[["points", "of", "earned"]].sum().astype("int64")


def _band_text(better, bound, inside):
    if inside:
        return f"{'≥' if better == 'high' else '≤'} {bound:g}"
    return f"{'below' if better == 'high' else 'above'} {bound:g}"
