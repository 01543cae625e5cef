"""Which hand-ins are alike? Runs of words that two answers share and that neither the lab nor the class gave.

A place to look, never a verdict: short answers and standard ways look alike without anybody having copied.

The answers are cut into words (Python's own tokens; a written answer into words and Chinese characters), the student's
own names become one word, comments and layout are dropped. Each run of six words is a passage. What the lab or its
chapter gave is removed; what many students wrote weighs little.

References
----------
Schleimer, S., Wilkerson, D. S. and Aiken, A. (2003). Winnowing: local algorithms for document fingerprinting. *SIGMOD*.
"""

import builtins
import io
import itertools
import keyword
import re
import tokenize
from collections import Counter, defaultdict
from math import log

import pandas as pd

RUN = 6  # words in a passage
LEAST = 20  # shared passages below which nothing is said: about 25 words in common
THRESHOLD = 0.7  # of all answers together
CELL_THRESHOLD = 0.8  # of one answer
RARE = 3  # a passage in at most so many hand-ins is rare (or in 5 % of the class, if that is more)

_KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins))
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_words(source):
    """Return the words of Python code, the same for a copy with other names, comments, docstrings and line breaks.

    Keywords, built-in names, what follows a dot and names of arguments stay; other names become ``N``. Round brackets
    are dropped: a pair around an expression lets a line be broken and means nothing.

    Examples
    --------
    >>> code_words("total = orders.groupby('city', sort=False).sum()  # by city")
    ['N', '=', 'N', '.', 'groupby', 'city', ',', 'sort', '=', 'False', '.', 'sum']
    >>> code_words("def best(a):\\n    'What it does.'\\n    return a") == code_words("def top(x): return (x)")
    True
    """
    tokens = [token for token in _without_docstrings(_tokens(source)) if token[0] not in _LAYOUT]
    words, depth = [], 0
    for place, (kind, text) in enumerate(tokens):
        depth += (text in "([{") - (text in ")]}") if kind == tokenize.OP else 0
        before = tokens[place - 1][1] if place else ""
        after = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        if kind == tokenize.NAME:
            own = text not in _KEPT and before != "." and not (depth > 0 and after == "=" and before in ("(", ","))
            words.append("N" if own else text)
        elif kind == tokenize.STRING:
            text = re.sub(r"\{[^{}]*\}", "{}", text) if "f" in text[:2].lower() else text
            words.append(re.sub(r"^\w*('''|\"\"\"|'|\")(.*)\1$", r"\2", text, flags=re.DOTALL))
        elif text not in ("(", ")"):
            words.append(text)
    return words


def _without_docstrings(tokens):
    """Leave out texts that stand alone in a line: the lab gave them, and rewording one changes nothing."""
    alone = _LAYOUT - {tokenize.NL}
    ends = [(tokenize.NEWLINE, ""), *tokens, (tokenize.NEWLINE, "")]
    for (before, _), token, (after, _) in zip(ends, tokens, ends[2:], strict=False):
        if not (token[0] == tokenize.STRING and before in _LAYOUT and after in alone):
            yield token


def _tokens(source):
    """Yield (kind, text); where Python's own tokenizer stops at a slip of the student, a plain rule goes on."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            found.append((token.type, token.string))
    except (tokenize.TokenError, SyntaxError):
        found = []
        rule = r"#[^\n]*|(?P<name>[^\W\d]\w*)|(?P<string>'[^'\n]*'|\"[^\"\n]*\")|(?P<number>\d[\w.]*)|(?P<op>[^\s\w])"
        kinds = {"name": tokenize.NAME, "string": tokenize.STRING, "number": tokenize.NUMBER, "op": tokenize.OP}
        for match in re.finditer(rule, source):
            if match.lastgroup:
                found.append((kinds[match.lastgroup], match.group()))
    return found


def text_words(source):
    """Return the words of a written answer; each Chinese character is one.

    Examples
    --------
    >>> text_words("Keep the *best* 客户!")
    ['keep', 'the', 'best', '客', '户']
    """
    return re.findall(r"[㐀-鿿]|[^\W_㐀-鿿]+", source.lower())


def passages(source, kind="code"):
    """Return the set of runs of words of an answer; `kind` is "code" or "markdown"."""
    words = code_words(source) if kind == "code" else text_words(source)
    return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}


def alike(answers, given=(), threshold=THRESHOLD):
    """Return the pairs of hand-ins that an instructor may want to lay side by side.

    Parameters
    ----------
    answers : pandas.DataFrame
        One row for each answer: student, cell, kind ("code" or "markdown"), source.
    given : iterable of (kind, source)
        What everybody had: the student version, the chapter.
    threshold : float
        Of the similarity of all answers together, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        first, second; similarity: passages in both as a share of those in either, each weighted by log((n + 1) / number
        of hand-ins that have it); shared: passages in both; rare: those of them that hardly anybody else has; cells:
        answers that are alike by themselves. A pair is listed if it shares 20 passages or more and reaches the
        threshold, or if one answer reaches 0.8 by 20 or more rare passages. The most similar pair stands first.
    """
    taken = {passage for kind, source in given for passage in passages(source, kind)}
    own = defaultdict(dict)
    for row in answers.sort_values(["student", "cell"]).itertuples():
        left = passages(row.source, row.kind) - taken
        if left:
            own[row.student][row.cell] = left
    everything = {student: set().union(*cells.values()) for student, cells in own.items()}
    spread = Counter(itertools.chain.from_iterable(everything.values()))
    number = answers["student"].nunique()
    weight = {passage: log((number + 1) / count) for passage, count in spread.items()}
    few = max(RARE, number * 0.05)
    rare = {passage for passage, count in spread.items() if count <= few}
    rows = [
        row
        for first, second in itertools.combinations(sorted(own), 2)
        if len(everything[first] & everything[second]) >= LEAST
        and (row := _compare(first, second, own, everything, weight, rare, threshold))
    ]
    table = pd.DataFrame(rows, columns=["first", "second", "similarity", "shared", "rare", "cells"])
    return table.sort_values(["similarity", "first", "second"], ascending=[False, True, True], ignore_index=True)


def _compare(first, second, own, everything, weight, rare, threshold):
    shared = everything[first] & everything[second]
    similarity = _share(everything[first], everything[second], weight)
    cells = [
        cell
        for cell in own[first]
        if cell in own[second]
        and len(own[first][cell] & own[second][cell] & rare) >= LEAST
        and _share(own[first][cell], own[second][cell], weight) >= CELL_THRESHOLD
    ]
    if not cells and (similarity < threshold or len(shared) < LEAST):
        return None
    return {
        "first": first,
        "second": second,
        "similarity": similarity,
        "shared": len(shared),
        "rare": len(shared & rare),
        "cells": cells,
    }


def _share(one, other, weight):
    either = sum(weight[passage] for passage in one | other)
    return sum(weight[passage] for passage in one & other) / either if either else 0.0
