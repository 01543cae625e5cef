"""Drills: what a mask hides and what a check sees, counted on cases that were made wrong on purpose."""

import re

import pandas as pd

from cimlab.assistant.masking import mask_text
from cimlab.assistant.narrative import check_narrative


def drill_masking(values, sentence, known, most=200, seed=0):
    """Plant values in a sentence and see which are still readable after masking.

    Parameters
    ----------
    values : pandas.Series
        Names, phones …; a random `most` of the different ones is tried.
    sentence : str
        With {} where the value goes.
    known : dict
        From `known_persons`; build it without the tables of the values, and they are strangers.
    most : int
    seed : int

    Returns
    -------
    pandas.DataFrame
        value, masked (the sentence), hidden (bool: the value is not in it).

    Raises
    ------
    ValueError
        The sentence has no place for the value, or there is no value.

    Examples
    --------
    >>> from cimlab.assistant import known_persons
    >>> known = known_persons([pd.DataFrame({"name": ["刘美娟"]})])
    >>> drill_masking(pd.Series(["刘美娟", "末浩睿"]), "{}来电", known)["hidden"].tolist()
    [True, False]
    """
    if "{}" not in sentence:
        raise ValueError("drill_masking: the sentence needs {} where the value goes")
    different = pd.Series(sorted(set(values.dropna().astype("str").str.strip()) - {""}), dtype="str")
    if different.empty:
        raise ValueError("drill_masking: there is no value to plant")
    some = different.sample(min(most, len(different)), random_state=seed).sort_index()
    masked = [mask_text(sentence.format(value), known)["text"] for value in some]
    hidden = [value not in text for value, text in zip(some, masked, strict=True)]
    return pd.DataFrame({"value": some.to_numpy(), "masked": masked, "hidden": hidden})


def drill_narrative(facts, language="en"):
    """Make a true narrative wrong in all simple ways, and count how many of them `check_narrative` catches.

    Parameters
    ----------
    facts : str
        A text that is true, such as the narrative of the template; it is narrative and facts at once.
    language : str

    Returns
    -------
    pandas.DataFrame
        wrong ("a number changed": each by 1 to 9; "two numbers swapped": each two), tried, caught (share).

    Raises
    ------
    ValueError
        The text itself does not pass, or has no two different numbers.

    Examples
    --------
    >>> drill_narrative("10 of 20 customers buy online; a purchase is 80 CNY, that of all is 50 CNY.").round(2)
                     wrong  tried  caught
    0     a number changed     36    1.00
    1  two numbers swapped      6    0.33
    """
    check_narrative(facts, facts, language)
    places = list(re.finditer(r"\d+", facts))
    changed = [_put(facts, [(one, str(int(one[0]) + step))]) for one in places for step in range(1, 10)]
    pairs = [(a, b) for at, a in enumerate(places) for b in places[at + 1 :] if a[0] != b[0]]
    if not pairs:
        raise ValueError("drill_narrative: the text has no two different numbers")
    swapped = [_put(facts, [(a, b[0]), (b, a[0])]) for a, b in pairs]
    rows = [
        (wrong, len(texts), sum(not _passes(text, facts, language) for text in texts) / len(texts))
        for wrong, texts in {"a number changed": changed, "two numbers swapped": swapped}.items()
    ]
    return pd.DataFrame(rows, columns=["wrong", "tried", "caught"])


def _put(text, changes):
    """Write other words at places, from the last to the first, so that the places stay right."""
    for place, word in sorted(changes, key=lambda change: -change[0].start()):
        text = text[: place.start()] + word + text[place.end() :]
    return text


def _passes(text, facts, language):
    try:
        check_narrative(text, facts, language)
    except ValueError:
        return False
    return True
