"""Get fields out of free text by rules (规则抽取): the phone, the article, the intent, the mood; English and Chinese.

A rule can be read, and corrected word by word. It misses what nobody wrote down in it: misspelt names, new words,
irony. `score_extraction` measures how often; `predict_classes` is the other way, which learns from examples.
"""

import re

import pandas as pd

from cimlab.collection.words import ALIASES, ASIDES, INTENT_WORDS, NEGATIONS, NEGATIVE, POSITIVE

_DIGITS = str.maketrans("零〇○一二三四五六七八九幺", "0001234567891")
_ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# What is no phone of today: the number of a receipt (it begins with its date), and a number that is said to be old.
_RECEIPT = r"20\d{10}(?!\d)"
_OLD = r"(?:不要再打|别再?打|以前登记|以前是|原来|旧号|used to be|old number|dead, not)\D{0,4}(?:86)?1[3-9]\d{9}"
# What may stand between the pieces of one number: a blank, a dash, "174,中间0123,最后4567", "134 then 9701, ends 6557".
_BETWEEN = r"(?<=\d)(?:[,，]? ?(?:开头,|中间|最后|尾号|then|ends) ?|[)\s.-]+)(?=\d)"
_PHONE = r"(?<!\d)(?:0086|86)?(1[3-9]\d{9})(?!\d)"


def find_phones(texts):
    """Find the mobile number that a text gives: 11 digits, spaced, with 86, in Chinese digits, or in pieces.

    The numbers of receipts, and numbers that the text calls old, are passed over.

    Parameters
    ----------
    texts : pandas.Series

    Returns
    -------
    pandas.Series
        dtype ``str``: 11 digits, or missing.

    Examples
    --------
    >>> find_phones(pd.Series(["请打 174 0123 4567", "回电8617401234567", "一七四零一二三四五六七找本人"])).tolist()
    ['17401234567', '17401234567', '17401234567']
    >>> find_phones(pd.Series(["打174,中间0123,最后4567", "不要再打17401234567", "小票202604235712"])).tolist()
    ['17401234567', nan, nan]
    """
    digits = texts.astype("str").str.normalize("NFKC").str.lower().str.translate(_DIGITS)
    for digit, word in enumerate(_ENGLISH):
        digits = digits.str.replace(rf"\b{word}\b", str(digit), regex=True)
    for pattern, instead in ((_RECEIPT, " # "), (_BETWEEN, ""), (_OLD, " # ")):
        digits = digits.str.replace(pattern, instead, regex=True)
    return digits.str.extract(_PHONE, expand=False)


def find_products(texts, products, aliases=None):
    """Find the article that a text names.

    Of several names the longest counts, so that 婴儿米粉 is not taken for 米粉. A misspelt name is not found.

    Parameters
    ----------
    texts : pandas.Series
    products : pandas.DataFrame
        The table ``products``: product_id, name, name_zh.
    aliases : dict, optional
        What customers say → name_zh; `ALIASES` when left out.

    Returns
    -------
    pandas.Series
        dtype ``str``: product_id, or missing.

    Raises
    ------
    ValueError
        If an alias leads to a name that is not in the catalogue.

    Examples
    --------
    >>> products = pd.DataFrame({"product_id": ["P1", "P2"], "name": ["Rice noodles", "Potatoes"],
    ...                          "name_zh": ["米粉", "土豆"]})
    >>> texts = pd.Series(["米线还有货吗", "asks for POTATOES", "问营业时间"])
    >>> find_products(texts, products, aliases={"米线": "米粉"}).tolist()
    ['P1', 'P2', nan]
    """
    aliases = ALIASES if aliases is None else aliases
    number_of = dict(zip(products["name_zh"], products["product_id"], strict=True))
    unknown = sorted(set(aliases.values()) - set(number_of))
    if unknown:
        raise ValueError(f"The aliases lead to {', '.join(unknown)}, which the catalogue does not have")
    names = {alias: number_of[name] for alias, name in aliases.items()} | number_of
    names |= dict(zip(products["name"].str.lower(), products["product_id"], strict=True))
    longest_first = _any_of(sorted(names, key=len, reverse=True))
    found = texts.astype("str").str.lower().str.findall(longest_first)
    longest = found.map(lambda words: max(words, key=len) if isinstance(words, list) and words else None)
    return longest.map(names).astype("str")


def find_intents(texts, words=None):
    """Find what a caller wants, by the words of each intent.

    A note is cut into clauses. Asides ("顺便问…") and what the operator did about it ("已…") do not count. The intent
    with the most words in the rest wins; of several with as many, the one that stands first in `words`.

    Parameters
    ----------
    texts : pandas.Series
    words : dict, optional
        Intent → words, parted by commas; `INTENT_WORDS` when left out.

    Returns
    -------
    pandas.Series
        dtype ``str``: an intent, or missing where no word was found.

    Examples
    --------
    >>> find_intents(pd.Series(["忘记密码,要重置", "积分没到账,顺便问快递", "Where is the courier?", "你好"])).tolist()
    ['account', 'points', 'delivery', nan]
    """
    words = INTENT_WORDS if words is None else words
    aside = re.compile(rf"\s*{_any_of(ASIDES)}")
    clauses = texts.fillna("").str.lower().map(lambda note: re.split(r"[，,。；;/.?？！!]| (?=[\u4e00-\u9fff])", note))
    reason = clauses.map(lambda parts: "，".join(part for part in parts if not aside.match(part)))
    hits = pd.DataFrame({intent: reason.str.count(_any_of(listed)) for intent, listed in words.items()}, dtype="int64")
    return hits.idxmax(axis=1).where(hits.max(axis=1) > 0).astype("str")


def find_sentiments(texts, positive=None, negative=None):
    """Find the mood of a text, by counting words of praise and of anger; a negation in front turns a word round.

    Parameters
    ----------
    texts : pandas.Series
    positive, negative : str, optional
        Words, parted by commas; `POSITIVE` and `NEGATIVE` when left out.

    Returns
    -------
    pandas.Series
        dtype ``str``: "positive", "negative", "neutral" (as many of both, or none), or missing where the text is.

    Examples
    --------
    >>> find_sentiments(pd.Series(["很好吃,推荐", "Very slow, not good", "到货了", "不满意", None])).tolist()
    ['positive', 'negative', 'neutral', 'negative', nan]
    """
    text = texts.fillna("").str.lower()
    score = pd.Series(0, index=texts.index)
    for words, sign in ((positive or POSITIVE, 1), (negative or NEGATIVE, -1)):
        turned = text.str.count(rf"{_any_of(NEGATIONS)}\s?{_any_of(words)}")
        score += sign * (text.str.count(_any_of(words)) - 2 * turned)
    mood = pd.Series("neutral", index=texts.index, dtype="str").mask(score > 0, "positive").mask(score < 0, "negative")
    return mood.where(texts.notna())


def extract_by_rules(texts, products):
    """Extract all four fields from notes by rules.

    Parameters
    ----------
    texts : pandas.Series
        Notes of the call centre.
    products : pandas.DataFrame
        The table ``products``.

    Returns
    -------
    pandas.DataFrame
        phone, product_id, intent, sentiment; the index of the texts.

    Examples
    --------
    >>> import cimlab
    >>> note = pd.Series(["问土豆什么时候补货，很高兴，请打174 0123 4567"])
    >>> extract_by_rules(note, cimlab.load("products")).iloc[0].to_dict()
    {'phone': '17401234567', 'product_id': 'P0006', 'intent': 'product', 'sentiment': 'positive'}
    """
    return pd.DataFrame(
        {
            "phone": find_phones(texts),
            "product_id": find_products(texts, products),
            "intent": find_intents(texts),
            "sentiment": find_sentiments(texts),
        }
    )


def _any_of(words):
    """Return a regular expression for any of the words; one in Latin letters must stand as a word of its own."""
    words = [word.strip() for word in words.split(",")] if isinstance(words, str) else words
    latin = r"(?<![a-z0-9])%s(?![a-z0-9])"  # \b would see no border between a Chinese sign and a letter
    return "(?:" + "|".join(latin % re.escape(word) if word.isascii() else re.escape(word) for word in words) + ")"
