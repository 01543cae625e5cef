"""Make chapters/glossary.md from cimlab/glossary.csv: `python tools/make_glossary.py`.

A term that is new in the CSV may leave its pinyin blank: it is filled in here, and the rows are put into order.
"""

import csv
import io
from pathlib import Path

from pypinyin import Style, lazy_pinyin, load_phrases_dict

ROOT = Path(__file__).resolve().parents[1]
TERMS, PAGE = ROOT / "cimlab" / "glossary.csv", ROOT / "chapters" / "glossary.md"
COLUMNS = ["english", "chinese", "pinyin", "meaning", "chapter"]
# Words that the library spells as they sound in a sentence or in another word.
load_phrases_dict({"电子": [["diàn"], ["zǐ"]], "一致": [["yī"], ["zhì"]], "行级": [["háng"], ["jí"]]})
HEAD = """\
# Glossary (术语表)

The terms of the course, with the chapter in which each one first stands. In a notebook, `cimlab.glossary("recall")`
looks one up, also by its Chinese or its pinyin.

| English | 中文 | pinyin | meaning | chapter |
|---|---|---|---|---|
"""


def read_terms():
    with TERMS.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def complete(terms):
    """Return the terms in the order of the alphabet, each with its pinyin."""
    for term in terms:
        term["pinyin"] = term["pinyin"] or spell(term["chinese"])
    return sorted(terms, key=lambda term: (term["english"].lower(), term["chapter"]))


def spell(chinese):
    """Return the pinyin with its tones, a syllable a sign."""
    return " ".join(lazy_pinyin(chinese, style=Style.TONE))


def as_csv(terms):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(terms)
    return stream.getvalue()


def as_page(terms):
    return HEAD + "".join(f"| {' | '.join(term[name] for name in COLUMNS)} |\n" for term in terms)


if __name__ == "__main__":
    listed = complete(read_terms())
    TERMS.write_text(as_csv(listed), encoding="utf-8", newline="\n")
    PAGE.write_text(as_page(listed), encoding="utf-8", newline="\n")
