"""The terms of the course in English, Chinese and pinyin: one file, read by `cimlab.glossary` and printed as a page."""

from importlib import resources

COLUMNS = ["english", "chinese", "pinyin", "meaning", "chapter"]


def glossary(word=None):
    """Look a term of the course up, in English, Chinese or pinyin.

    Parameters
    ----------
    word : str, optional
        Any part of a term; large and small letters, and the tones of pinyin, make no difference. All terms if left out.

    Returns
    -------
    pandas.DataFrame
        One row a term, in the order of the alphabet: english, chinese, pinyin, meaning, chapter (the first with it).

    Raises
    ------
    ValueError
        If no term holds the word; the message names terms that are spelt alike.

    Examples
    --------
    >>> import cimlab
    >>> cimlab.glossary("recall")["chinese"].tolist()
    ['查全率']
    >>> cimlab.glossary("cha quan")["english"].tolist()
    ['recall']
    """
    import pandas as pd

    with (resources.files("cimlab") / "glossary.csv").open(encoding="utf-8") as stream:
        terms = pd.read_csv(stream, dtype={"chapter": int})
    if word is None:
        return terms
    sought = plain(str(word).strip())
    found = terms[[sought in plain(" ".join(row)) for row in terms[COLUMNS[:3]].itertuples(index=False)]]
    if found.empty:
        raise ValueError(f"No term of the course holds {word!r}.{nearest(sought, terms)}")
    return found.reset_index(drop=True)


def plain(text):
    """Return the text in small letters and without the tones of pinyin.

    Examples
    --------
    >>> plain("Chá Quán Lǜ")
    'cha quan lu'
    """
    import unicodedata

    parts = unicodedata.normalize("NFD", text.lower())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


def nearest(sought, terms):
    """Say which terms are spelt almost so, or where all of them are."""
    import difflib

    words = {plain(value): value for name in ("english", "chinese") for value in terms[name]}
    alike = difflib.get_close_matches(sought, list(words), n=3)
    if not alike:
        return " cimlab.glossary() lists all of them."
    return f" Did you mean {' or '.join(words[name] for name in alike)}?"
