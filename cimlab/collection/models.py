"""The second way to read texts: a model that learns from examples (从样本学习), and one measure for both ways."""

import pandas as pd


def text_model():
    """Make the model: pieces of the text (one to three signs) weighed by TF-IDF, then logistic regression.

    Pieces of signs need no list of words, hold for Chinese and English alike, and forgive a misspelling.

    Returns
    -------
    sklearn.pipeline.Pipeline

    Examples
    --------
    >>> model = text_model().fit(["坏了", "很差", "很好", "好吃"], ["negative", "negative", "positive", "positive"])
    >>> model.predict(["太差"]).tolist()
    ['negative']
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pieces = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    return make_pipeline(pieces, LogisticRegression(C=30, class_weight="balanced", max_iter=1000))


def predict_classes(texts, labels, folds=5, seed=0):
    """Predict the class of each text by a model that has not seen it (cross-validation, 交叉验证).

    The texts are dealt into folds; each fold is predicted by a model that learned from the others. So all predictions
    can be compared with all labels.

    Parameters
    ----------
    texts : pandas.Series
    labels : pandas.Series
        The class of each text, same index; texts or labels that are missing are left out.
    folds : int, optional
    seed : int, optional
        The same seed deals the same folds.

    Returns
    -------
    pandas.Series
        dtype ``str``: the predicted class; missing where the text or its label is.

    Raises
    ------
    ValueError
        If the indexes differ, there is only one class, or a class has fewer texts than folds.

    Examples
    --------
    >>> texts = pd.Series(["积分没到账", "积分少了", "忘记密码", "密码不对", None])
    >>> predict_classes(texts, pd.Series(["points", "points", "account", "account", "order"]), folds=2).tolist()
    ['points', 'points', 'account', 'account', nan]
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    if not texts.index.equals(labels.index):
        raise ValueError("texts and labels have different indexes: take both from the same table")
    known = texts.notna() & labels.notna()
    sizes = labels[known].value_counts()
    if len(sizes) < 2 or sizes.min() < folds:
        raise ValueError(
            f"Two classes are needed, each with {folds} texts or more (one a fold); there are {sizes.to_dict()}. "
            "Leave small classes out, join them, or use fewer folds."
        )
    deal = StratifiedKFold(folds, shuffle=True, random_state=seed)
    examples, classes = texts[known].astype("object"), labels[known].astype("object")
    with threadpool_limits(1):  # on a busy machine several threads only wait for one another, ten times as long
        predicted = cross_val_predict(text_model(), examples, classes, cv=deal)
    return pd.Series(predicted, index=texts.index[known], dtype="str").reindex(texts.index)
