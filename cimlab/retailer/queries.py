"""What visitors type into the search box of the web shop: articles in Chinese, English and pinyin, with mistakes.

The words are in `events.yaml`. All queries are written down once, two of each form of each article; a search takes one.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import pick16, read_settings, split_entries
from cimlab.retailer.world import CATEGORIES

FORMS = (
    "name",
    "short",
    "wrong",
    "with_size",
    "group",
    "english",
    "wrong_english",
    "pinyin",
    "spaced",
    "initials",
    "wrong_pinyin",
)


def type_queries(draws, who, keys, products):
    """Return what was typed into the search box.

    Parameters
    ----------
    draws : Draws
    who, keys : arrays of int64
        Key of the person who searches, whose habit stays the same, and of the search itself.
    products : array of int64
        Article that is looked for; −1 for something that the shop does not have.

    Returns
    -------
    pyarrow.StringArray
    """
    words = draws.words("query", "form", keys)
    habits, forms = form_tables()
    form = forms[habits[draws.words("query", "habit", who)[0]], words[0]]
    texts, in_vain = query_texts()
    variant = words[1].astype(np.int64)
    sold = (products * len(FORMS) + form) * 2 + (variant & 1)
    unsold = in_vain + ((variant * (len(texts) - in_vain)) >> 16)
    return texts.take(pa.array(np.where(products < 0, unsold, sold)))


@cache
def form_tables():
    """Return (habit for a number of 16 bits, form for (habit, number of 16 bits))."""
    settings = read_settings("events")
    forms = [[settings["forms"][habit].get(form, 0) for form in FORMS] for habit in settings["habits"]]
    return pick16(list(settings["habits"].values()), 16), np.stack([pick16(weights, 16) for weights in forms])


@cache
def query_texts():
    """Return (all queries: two of each form of each article, then those in vain; where the latter begin)."""
    settings, catalogue = read_settings("events"), read_settings("catalogue")["categories"]
    words = {entry[0]: entry[1:] for entry in split_entries(settings["words"])}
    texts = []
    for category in CATEGORIES:
        for name, name_zh, _, size, *_ in catalogue[category]["products"]:
            if name_zh not in words:
                raise ValueError(
                    f"events.yaml: `words` has no entry for the article {name_zh!r}; add its pinyin and names."
                )
            texts += [
                text
                for pair in article_queries(name, name_zh, size, settings["groups"][category], *words[name_zh])
                for text in pair
            ]
    return pa.array(texts + settings["unsold"].split(), pa.string()), len(texts)


def article_queries(name, name_zh, size, group, pinyin, short, wrong):
    """Return two queries of each of FORMS for an article."""
    short, wrong, syllables = short.split("/"), wrong.split("/"), pinyin.split("-")
    english, joined = name.lower(), "".join(syllables)
    return [
        (name_zh, name_zh),
        short,
        wrong,
        with_size(name_zh, short[0], size),
        (group, group),
        (english, name),
        (drop_letter(english), swap_letters(english)),
        (joined, joined),
        (" ".join(syllables), " ".join(syllables)),
        ("".join(part[0] for part in syllables),) * 2,
        (drop_letter(joined), confuse_ending(joined)),
    ]


def with_size(name_zh, short, size):
    """Return two queries with the contents of a pack, as far as somebody would type them.

    Examples
    --------
    >>> with_size("海盐", "盐", "400 g"), with_size("可乐", "汽水", "6 x 330ml"), with_size("炒锅", "铁锅", "1 pc")
    (('海盐400g', '盐 400g'), ('可乐整箱', '汽水 大包装'), ('炒锅促销', '铁锅 便宜'))
    """
    if size.endswith("pc"):
        return f"{name_zh}促销", f"{short} 便宜"
    if " x " in size or size.endswith(("pcs", "rolls")):
        return f"{name_zh}整箱", f"{short} 大包装"
    return f"{name_zh}{size.replace(' ', '')}", f"{short} {size.replace(' ', '')}"


def drop_letter(text):
    """Return shampo of shampoo: the letter after the middle is missing.

    Examples
    --------
    >>> drop_letter("toothpaste")
    'toothaste'
    """
    middle = len(text) // 2
    return text[:middle] + text[middle + 1 :]


def swap_letters(text):
    """Return butetr of butter: two different letters from the middle on are exchanged.

    Examples
    --------
    >>> swap_letters("butter"), swap_letters("egg noodles"), swap_letters("wok")
    ('butetr', 'egg nodoles', 'wko')
    """
    pairs = range(len(text) // 2, len(text) - 1)
    place = next(place for place in pairs if text[place] != text[place + 1] and text[place : place + 2].isalpha())
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def confuse_ending(text):
    """Return xianjiao of xiangjiao: n for ng, as many speakers of the south type it; ng for n, where there is no ng.

    Examples
    --------
    >>> confuse_ending("xiangjiao"), confuse_ending("shupian"), confuse_ending("kele")
    ('xianjiao', 'shupiang', 'kel')
    """
    if "ng" in text:
        return text.replace("ng", "n", 1)
    return text[::-1].replace("n", "gn", 1)[::-1] if "n" in text else text[:-1]
