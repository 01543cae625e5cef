"""One measure for what rules and models found in texts: precision, recall and F1, and what went wrong most often."""

import pandas as pd


def score_extraction(found, labels, most_classes=12):
    """Compare what was found with the labels: precision, recall and F1 of each field and of each class.

    Precision (查准率): how many of the found values are right. Recall (查全率): how many of the values that are there
    were found. F1: their harmonic mean. A value that was found and is wrong counts against both.

    Parameters
    ----------
    found, labels : pandas.DataFrame or pandas.Series
        What was found and what is right, same index; of frames the columns of both are compared.
    most_classes : int, optional
        A field with more different labels (phones, articles) is not shown class by class.

    Returns
    -------
    pandas.DataFrame
        field, class ("all" for the field as a whole), labelled, found, right (counts), precision, recall, f1.

    Raises
    ------
    ValueError
        If the indexes differ or there is no column in both.

    Examples
    --------
    >>> labels = pd.Series(["return", "return", "order", None], name="intent")
    >>> found = pd.Series(["return", "order", "order", "order"], name="intent")
    >>> score_extraction(found, labels).round(2)
        field   class  labelled  found  right  precision  recall    f1
    0  intent     all         3      4      2       0.50    0.67  0.57
    1  intent   order         1      3      1       0.33    1.00  0.50
    2  intent  return         2      1      1       1.00    0.50  0.67
    """
    found, labels = _same_form(found, labels)
    rows = []
    for field in found.columns:
        right = found[field].eq(labels[field]) & labels[field].notna()
        rows.append([field, "all", labels[field].notna().sum(), found[field].notna().sum(), right.sum()])
        classes = sorted(set(labels[field].dropna()))
        for name in classes if len(classes) <= most_classes else []:
            is_label, is_found = labels[field].eq(name), found[field].eq(name)
            rows.append([field, name, is_label.sum(), is_found.sum(), (is_label & is_found).sum()])
    table = pd.DataFrame(rows, columns=["field", "class", "labelled", "found", "right"])
    precision, recall = table["right"] / table["found"], table["right"] / table["labelled"]
    f1 = 2 * table["right"] / (table["found"] + table["labelled"])
    return table.assign(precision=precision, recall=recall, f1=f1)


def common_errors(found, labels, texts=None, most=10):
    """List the confusions that occur most often, each with a text as an example.

    Parameters
    ----------
    found, labels : pandas.DataFrame or pandas.Series
        As in `score_extraction`.
    texts : pandas.Series, optional
        The texts, same index.
    most : int, optional
        How many to list for each field.

    Returns
    -------
    pandas.DataFrame
        field, label, found ("nothing" where nothing was found or nothing is there), count and, with texts, example.

    Examples
    --------
    >>> labels = pd.Series(["return", "return", "order"], name="intent")
    >>> found = pd.Series(["order", "order", None], name="intent")
    >>> common_errors(found, labels)
        field   label    found  count
    0  intent  return    order      2
    1  intent   order  nothing      1
    """
    found, labels = _same_form(found, labels)
    parts = []
    for field in found.columns:
        pairs = pd.DataFrame({"field": field, "label": labels[field], "found": found[field]})
        pairs[["label", "found"]] = pairs[["label", "found"]].astype("str").fillna("nothing")
        pairs["example"] = "" if texts is None else texts
        wrong = pairs[pairs["label"] != pairs["found"]].groupby(["field", "label", "found"])["example"]
        counts = wrong.agg(count="size", example="first").sort_values("count", ascending=False, kind="stable")
        parts.append(counts.head(most).reset_index())
    table = pd.concat(parts, ignore_index=True)
    return table if texts is not None else table.drop(columns="example")


def _same_form(found, labels):
    """Return both as frames with the same columns."""
    if isinstance(found, pd.Series) and isinstance(labels, pd.Series):
        name = labels.name or "value"
        found, labels = found.to_frame(name), labels.to_frame(name)
    if not found.index.equals(labels.index):
        raise ValueError("What was found and the labels have different indexes: sort both by the same key first")
    both = [column for column in found.columns if column in labels.columns]
    if not both:
        raise ValueError(f"No column in both: found has {list(found.columns)}, the labels have {list(labels.columns)}")
    return found[both], labels[both]
