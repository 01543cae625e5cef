"""How a text is made from phrases: by mood, topic, goods and language, plainly or with negation, contrast or irony.

Everything is planned in whole numbers for all texts at once; only the joining of the words goes from row to row. The
phrases and all shares stand in `voices.yaml`. A list of good and bad words errs on much of it ("not bad at all", "box
so-so, but it tastes great", "lovely, it fell apart in a day"); a model that sees longer pieces of text does better.
"""

from functools import cache

import numpy as np

from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.world import CATEGORIES

LANGUAGES = ("zh", "en")
ENGLISH = LANGUAGES.index("en")
TOPICS = ("quality", "price", "delivery", "packaging", "service", "taste")  # taste last: the others fit all goods
ANY = len(TOPICS)  # the place of phrases that fit all topics
SENTIMENTS = ("negative", "neutral", "positive")
MOODS = ("bad", "fair", "good")  # what the phrases of the three sentiments are called
WAYS = ("plain", "negation", "contrast", "irony")
CONTRAST, IRONY = WAYS.index("contrast"), WAYS.index("irony")
FOOD = ("fresh", "dairy", "pantry", "drinks")
PARTS = ("opener", "first", "link", "second", "extra", "closer")
# One text takes these numbers of 16 bits, four from each column of draws.
WORDS = (
    *("topic", "way", "main", "minor first", "other topic", "other phrase", "turn", "second"),
    *("second topic", "second phrase", "opener", "opener phrase", "closer", "closer phrase", "slang", "slang phrase"),
    *("lazy", "lazy phrase", "separator", "end", "capitals", "spare 1", "spare 2", "spare 3"),
)


def languages(draws, rows):
    """Return the language in which persons write (index into LANGUAGES); a person keeps to one."""
    return draws.chance(read_settings("voices")["texts"]["english_per_1000"], "person", "language", rows) * ENGLISH


@cache
def groups():
    """Return the names of the groups of goods with phrases of their own; the place after the last is for all others."""
    return tuple(read_settings("voices")["texts"]["groups"])


@cache
def group_table():
    """Return the group of each category (index into `groups()`, its length for none)."""
    members = read_settings("voices")["texts"]["groups"]
    place = {category: number for number, group in enumerate(members) for category in members[group]}
    return np.array([place.get(category, len(members)) for category in CATEGORIES])


def split_name(name):
    """Return (kind, group or None) of the name of a list of phrases, such as `good_fresh`."""
    kind, _, group = name.rpartition("_")
    return (kind, group) if group in groups() else (name, None)


@cache
def phrase_book():
    """Return (phrases, kinds, start, count): all phrases in one list, and where those of each list stand in it.

    `start` and `count` have the shape (languages, kinds, topics and ANY, groups and none); phrase 0 is the empty one.
    """
    book = read_settings("voices")["phrases"]
    lists = {
        (language, topic, name): text
        for language, topics in book.items()
        for topic, entries in topics.items()
        for name, text in entries.items()
    }
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(split_name(name)[0] for _, _, name in lists))}
    start = np.zeros((len(LANGUAGES), len(kinds), len(TOPICS) + 1, len(groups()) + 1), dtype=np.int64)
    count, phrases = np.zeros_like(start), [""]
    for (language, topic, name), text in lists.items():
        kind, own = split_name(name)
        if own is not None:
            continue
        at = (LANGUAGES.index(language), kinds[kind], TOPICS.index(topic) if topic in TOPICS else ANY)
        for place, group in enumerate([*groups(), None]):
            more = lists.get((language, topic, f"{kind}_{group}"), "")
            entries = [entry.strip() for part in (text, more) if part for entry in part.split(" / ")]
            start[(*at, place)], count[(*at, place)] = len(phrases), len(entries)
            phrases += entries
    return phrases, kinds, start, count


@cache
def way_tables():
    """Return the tables (sentiment, 10 bits) → way of speaking."""
    ways = read_settings("voices")["texts"]["ways"]
    return np.stack([pick16([ways[sentiment][way] for way in WAYS], 10) for sentiment in SENTIMENTS])


def write_texts(draws, table, voice, items, weights, *, frame=True):
    """Return (texts, topics): what each voice writes, and what it is mostly about.

    Parameters
    ----------
    draws : Draws
    table : str
        Name of the table of draws.
    voice : dict of arrays
        `key`, `language`, `sentiment`, `group` (of the goods).
    items : list of str
        What stands for {item}.
    weights : dict
        Weights of the topics for each sentiment.
    frame : bool
        Whether openers, closers and texts of one word are used, as in reviews.

    Returns
    -------
    tuple of (list of str, numpy.ndarray of int64)
    """
    numbers = [draws.words(table, "text", voice["key"], turn).astype(np.int64) for turn in range(len(WORDS) // 4)]
    voice = voice | {"word": dict(zip(WORDS, np.concatenate(numbers), strict=True))}
    food = np.isin(voice["group"], [groups().index(name) for name in FOOD])
    voice["topics"] = np.where(food, len(TOPICS), len(TOPICS) - 1)  # how many topics the goods allow
    tables = np.stack([topic_tables(tuple(weights[name][topic] for topic in TOPICS)) for name in SENTIMENTS])
    voice["topic"] = tables[voice["sentiment"], food.astype(np.int64), voice["word"]["topic"] >> 6]
    voice["way"] = way_tables()[voice["sentiment"], voice["word"]["way"] >> 6]
    parts = plan_body(voice) | plan_frame(voice)
    lazy = happens(voice, "lazy", "lazy_per_1000") & frame
    if not frame:
        parts |= dict.fromkeys(("opener", "closer"), np.zeros_like(parts["first"]))
    parts = {name: np.where(lazy, 0, column) for name, column in parts.items()}
    parts["first"] = np.where(lazy, by_mood(voice, "lazy"), parts["first"])
    return join_parts(voice, parts, items), np.where(lazy, TOPICS.index("quality"), voice["topic"])


@cache
def topic_tables(weights):
    """Return the tables (not food or food, 10 bits) → topic."""
    return np.stack([pick16([*weights[:-1], 0], 10), pick16(weights, 10)])


def happens(voice, word, rate):
    """Return where something happens, by a number of 16 bits and a rate per 1000 among the settings of texts."""
    return voice["word"][word] * 1000 >> 16 < read_settings("voices")["texts"][rate]


def phrase(voice, kind, topic, word):
    """Return the number of a phrase of a kind (a name, or a number for each voice) on a topic."""
    _, kinds, start, count = phrase_book()
    at = (voice["language"], kinds[kind] if isinstance(kind, str) else kind, topic, voice["group"])
    return start[at] + (count[at] * voice["word"][word] >> 16)


def by_mood(voice, kind):
    """Return the number of a phrase such as `closer_good`, which fits all topics, after the sentiment of each voice."""
    kinds = phrase_book()[1]
    names = np.array([kinds[f"{kind}_{mood}"] for mood in MOODS])
    return phrase(voice, names[voice["sentiment"]], ANY, f"{kind} phrase")


def plan_body(voice):
    """Return the phrases of the judgement: first, link, second (a contrast), extra (another point of the same mood)."""
    kinds, mood, way, topic = phrase_book()[1], voice["sentiment"], voice["way"], voice["topic"]

    def numbers(*names):
        return np.array([kinds[name] for name in names])

    main_kinds = np.stack(
        [
            numbers("bad", "not_good", "bad", "irony"),
            numbers("fair", "fair", "minus", "fair"),
            numbers("good", "not_bad", "good", "good"),
        ]
    )
    main = phrase(voice, main_kinds[mood, way], topic, "main")
    minor = phrase(voice, numbers("plus", "plus", "minus")[mood], other_topic(voice, "other topic"), "other phrase")
    minor_first = happens(voice, "minor first", "minor_first_per_1000")
    turn = numbers("turn_bad", "turn_bad", "turn_good")[mood]
    tail = numbers("tail_plus", "turn_good", "tail_minus")[mood]
    link = phrase(voice, np.where(minor_first, turn, tail), ANY, "turn")
    contrast = way == CONTRAST
    more = happens(voice, "second", "second_topic_per_1000") & (way != CONTRAST) & (way != IRONY)
    extra = phrase(voice, numbers(*MOODS)[mood], other_topic(voice, "second topic"), "second phrase")
    return {
        "first": np.where(contrast & minor_first, minor, main),
        "link": np.where(contrast, link, 0),
        "second": np.where(contrast, np.where(minor_first, main, minor), 0),
        "extra": np.where(more, extra, 0),
    }


def other_topic(voice, word):
    """Return a topic that is not the main one, out of those that the goods allow."""
    step = 1 + (voice["word"][word] * (voice["topics"] - 1) >> 16)
    return (voice["topic"] + step) % voice["topics"]


def plan_frame(voice):
    """Return what stands before and after the judgement: opener, closer (or slang)."""
    opener = phrase(voice, "opener", ANY, "opener phrase")
    closer = np.where(happens(voice, "closer", "closer_per_1000"), by_mood(voice, "closer"), 0)
    slang = happens(voice, "slang", "slang_per_1000")
    return {
        "opener": np.where(happens(voice, "opener", "opener_per_1000"), opener, 0),
        "closer": np.where(slang, by_mood(voice, "slang"), closer),
    }


def join_parts(voice, parts, items):
    """Return the finished texts: clauses joined in the manner of the language."""
    settings, phrases = read_settings("voices")["texts"], phrase_book()[0]

    def one_of(pairs, word):
        texts, weights = zip(*pairs, strict=True)
        return [texts[place] for place in pick16(weights, 10)[voice["word"][word] >> 6].tolist()]

    marks = one_of(settings["separators"], "separator")
    ends = zip(one_of(settings["ends_zh"], "end"), one_of(settings["ends_en"], "end"), strict=True)
    lower = happens(voice, "capitals", "lower_case_per_1000").tolist()
    clauses = [
        [phrases[number] for number in parts[name].tolist()]
        for name in ("opener", "first", "link", "second", "extra", "closer")
    ]
    columns = zip(voice["language"].tolist(), zip(*clauses, strict=True), marks, ends, lower, items, strict=True)
    return [
        (join_english(clause, small, end[1]) if language else join_chinese(clause, mark, end[0])).replace(
            "{item}", item
        )
        for language, clause, mark, end, small, item in columns
    ]


def join_chinese(clauses, mark, end):
    """Return a Chinese text of (opener, first, link, second, extra, closer).

    Examples
    --------
    >>> join_chinese(("老顾客了", "包装一般", "但", "味道很好", "", ""), ",", "。")
    '老顾客了,包装一般,但味道很好。'
    """
    opener, first, link, second, extra, closer = clauses
    return mark.join(clause for clause in (opener, first, link + second, extra, closer) if clause) + end


def join_english(clauses, small, end):
    """Return an English text of (opener, first, link, second, extra, closer), without capitals if `small`.

    Examples
    --------
    >>> join_english(("regular customer", "a dent in the box", "but", "tastes great", "", ""), False, "!")
    'Regular customer. A dent in the box, but tastes great!'
    """
    opener, first, link, second, extra, closer = clauses
    first = f"{first}, {link} {second}" if link else first
    sentences = [clause for clause in (opener, first, extra, closer) if clause]
    return ". ".join(text if small else text[:1].upper() + text[1:] for text in sentences) + end
