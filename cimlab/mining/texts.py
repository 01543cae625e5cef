"""What customers write: the mood of a review by a lexicon and by a model, and what each of the two is worth.

The lexicon (词典) is that of chapter 2, `collection.find_sentiments`; the model is `collection.text_model`: pieces of
one to three signs weighed by TF-IDF, then logistic regression. Both read Chinese and English.
"""

import numpy as np
import pandas as pd

SENTIMENTS = ["negative", "neutral", "positive"]


def star_sentiment(stars):
    """Take the mood of a review from its stars: 1 and 2 negative, 3 neutral, 4 and 5 positive.

    Stars are labels that cost nothing: the writer gave them. They judge the purchase as a whole, the text may speak of
    one side of it only.

    Parameters
    ----------
    stars : pandas.Series of int
        1 to 5; a missing value stays missing.

    Returns
    -------
    pandas.Series of str
        ``negative``, ``neutral``, ``positive``.

    Raises
    ------
    ValueError
        A value is not from 1 to 5.

    Examples
    --------
    >>> star_sentiment(pd.Series([1, 3, 5])).tolist()
    ['negative', 'neutral', 'positive']
    """
    wrong = stars[stars.notna() & ~stars.isin([1, 2, 3, 4, 5])]
    if len(wrong):
        raise ValueError(f"stars are whole numbers from 1 to 5; row {wrong.index[0]} holds {wrong.iloc[0]}")
    names = {1: "negative", 2: "negative", 3: "neutral", 4: "positive", 5: "positive"}
    return stars.map(names).astype("str").rename("sentiment")


def judge_readers(readers, labels, draws=500, seed=0):
    """Compare ways to read texts on the same texts: accuracy, and the mean F1 of the classes with its interval.

    Where most reviews praise, accuracy flatters who always says "positive". The mean F1 of the classes (macro F1)
    counts each mood alike: who never finds an angry review gets 0 for that class.

    Parameters
    ----------
    readers : dict of str to pandas.Series
        Name of a way → the classes that it gave, same index as `labels`; a missing answer counts as wrong.
    labels : pandas.Series of str
        What is right; texts without a label are left out.
    draws : int
        Bootstrap samples for the interval.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a reader, best first: n, accuracy, macro_f1, low, high (95 % interval of macro_f1, bootstrap).

    Raises
    ------
    ValueError
        There is no labelled text, or an index differs from that of the labels.

    References
    ----------
    Efron, B. and Tibshirani, R. (1993). An Introduction to the Bootstrap, chapter 13 (percentile interval).

    Examples
    --------
    >>> labels = pd.Series(["positive", "positive", "positive", "negative"])
    >>> always = pd.Series("positive", index=labels.index)
    >>> judge_readers({"always positive": always}, labels)[["n", "accuracy", "macro_f1"]].round(2)
                     n  accuracy  macro_f1
    reader
    always positive  4      0.75      0.43
    """
    known = labels.notna()
    if not known.any():
        raise ValueError("judge_readers: no text has a label, so nothing can be judged")
    classes = sorted(set(labels[known]))
    right = pd.Categorical(labels[known], classes).codes
    picks = np.random.default_rng(seed).integers(0, len(right), size=(draws, len(right)))
    rows = []
    for name, answers in readers.items():
        if not answers.index.equals(labels.index):
            raise ValueError(f"judge_readers: {name!r} has another index than the labels: take both from one table")
        given = pd.Categorical(answers[known], classes).codes
        samples = [_macro_f1(right[pick], given[pick], len(classes)) for pick in picks]
        low, high = np.quantile(samples, [0.025, 0.975]) if draws else (np.nan, np.nan)
        rows.append([name, len(right), (right == given).mean(), _macro_f1(right, given, len(classes)), low, high])
    table = pd.DataFrame(rows, columns=["reader", "n", "accuracy", "macro_f1", "low", "high"]).set_index("reader")
    return table.sort_values("macro_f1", ascending=False, kind="stable")


def _macro_f1(right, given, classes):
    """Return the mean F1 over the classes that occur among the right answers."""
    scores = []
    for number in range(classes):
        is_right, is_given = right == number, given == number
        if is_right.any():
            scores.append(2 * (is_right & is_given).sum() / (is_right.sum() + is_given.sum()))
    return float(np.mean(scores))


def learning_curve(texts, labels, sizes=(25, 50, 100, 150), repeats=10, seed=0):
    """Say how well the model reads after so many examples: is it worth to label more texts?

    Parameters
    ----------
    texts, labels : pandas.Series
        Same index; what is missing is left out.
    sizes : sequence of int
        Numbers of texts to learn from; all others judge.
    repeats : int
        How often each number is drawn anew.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a size: examples, macro_f1 (mean over the repeats), low, high (lowest and highest of the repeats).

    Raises
    ------
    ValueError
        A size leaves too few texts to judge, or is smaller than the number of classes.

    Examples
    --------
    >>> texts = pd.Series(["很好", "好吃", "真好", "不错", "好用", "太差", "很差", "差评", "坏了", "真差"])
    >>> labels = pd.Series(["positive"] * 5 + ["negative"] * 5)
    >>> learning_curve(texts, labels, sizes=[4, 6], repeats=3)["examples"].tolist()
    [4, 6]
    """
    from sklearn.model_selection import StratifiedShuffleSplit
    from threadpoolctl import threadpool_limits

    from cimlab.collection import text_model

    known = texts.notna() & labels.notna()
    examples, classes = texts[known].to_numpy("object"), labels[known].to_numpy("object")
    kinds = len(set(classes))
    wrong = [size for size in sizes if not kinds <= size <= len(classes) - kinds]
    if wrong:
        raise ValueError(
            f"learning_curve: {wrong[0]} examples do not fit: there are {len(classes)} labelled texts in {kinds} "
            f"classes, so take {kinds} to {len(classes) - kinds}"
        )
    numbers = pd.Series(classes).astype("category").cat.codes.to_numpy()
    rows = []
    with threadpool_limits(1):
        for size in sizes:
            deal = StratifiedShuffleSplit(repeats, train_size=int(size), random_state=seed)
            scores = []
            for learn, test in deal.split(examples, numbers):
                model = text_model().fit(examples[learn], numbers[learn])
                scores.append(_macro_f1(numbers[test], model.predict(examples[test]), kinds))
            rows.append([size, np.mean(scores), np.min(scores), np.max(scores)])
    return pd.DataFrame(rows, columns=["examples", "macro_f1", "low", "high"])


def telling_pieces(texts, labels, top=6, at_least=3):
    """List the pieces of text by which the model knows each class: its explanation, and a look at its faults.

    Parameters
    ----------
    texts, labels : pandas.Series
        Same index; what is missing is left out.
    top : int
        Pieces for each class.
    at_least : int
        A piece must stand in so many texts.

    Returns
    -------
    pandas.DataFrame
        class, piece, weight (log-odds for one unit of the piece's TF-IDF weight; larger speaks more for the class),
        texts (in how many it stands). A piece within a heavier piece of its class that stands in as many texts is left
        out.

    Raises
    ------
    ValueError
        There are fewer than two classes, or no piece stands in enough texts.

    Examples
    --------
    >>> texts = pd.Series(["很好", "好吃", "很好吃", "太差", "很差", "差评"])
    >>> labels = pd.Series(["positive"] * 3 + ["negative"] * 3)
    >>> telling_pieces(texts, labels, top=1)[["class", "piece", "texts"]]
          class piece  texts
    0  negative     差      3
    1  positive     好      3
    """
    from threadpoolctl import threadpool_limits

    from cimlab.collection import text_model

    known = texts.notna() & labels.notna()
    examples, classes = texts[known].astype("object"), labels[known].astype("object")
    if classes.nunique() < 2:
        raise ValueError("telling_pieces: two classes are needed, so that a piece can speak for one of them")
    with threadpool_limits(1):
        model = text_model().fit(examples, classes)
    pieces, regression = model[0], model[-1]
    names = pieces.get_feature_names_out()
    counts = np.asarray((pieces.transform(examples) > 0).sum(axis=0)).ravel()
    weights = regression.coef_ if len(regression.classes_) > 2 else np.vstack([-regression.coef_, regression.coef_])
    usable = [number for number, name in enumerate(names) if counts[number] >= at_least and name.strip()]
    if not usable:
        raise ValueError(f"telling_pieces: no piece stands in {at_least} texts; ask for less with at_least=1")
    rows = []
    for kind, row in zip(regression.classes_, weights, strict=True):
        kept = []
        for number in sorted(usable, key=lambda at: (-row[at], names[at])):
            name = names[number].strip()
            if not any(name in names[other] and counts[other] == counts[number] for other in kept):
                kept.append(number)
            if len(kept) == top:
                break
        rows += [[kind, names[number].strip(), row[number], int(counts[number])] for number in kept]
    return pd.DataFrame(rows, columns=["class", "piece", "weight", "texts"])
