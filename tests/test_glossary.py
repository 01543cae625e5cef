"""The glossary holds every key term, under one name in each language, and its page is what its file gives."""

import re
import subprocess
import sys

import pytest

import cimlab
from tests import notebooks as nb
from tools import make_glossary

# Latin capitals may stand before or within a Chinese name: A/B测试, 宏平均F1.
SIGNS = r"(?:[A-Z]/[A-Z]|[a-z])?[\u4e00-\u9fff][\u4e00-\u9fffA-Z0-9]*"
TERMS = cimlab.glossary()
# A clock strikes no headword: words of the sentence before a bold term are no part of it, so only what is bold is read.
BOLD = re.compile(rf"\*\*([A-Za-z][^*\n]*?)\*\* \(({SIGNS})[^)]*\)")


def key_terms(text):
    """Return the (English, Chinese) pairs of the line of key terms."""
    found = re.search(r"Key terms: ((?:.|\n(?!\n))*)", text)
    parts = re.split(r"\s*·\s*", found.group(1).strip().rstrip(".")) if found else []
    parts = [part.replace("\n", " ").strip() for part in parts]
    assert all(re.search(SIGNS, part) for part in parts), f"each key term stands with its Chinese: {parts}"
    return [tuple(re.fullmatch(rf"(.+?)\s+({SIGNS})", part).groups()) for part in parts]


def missing(pairs):
    """Return the pairs that the glossary does not hold; the short form in brackets may be left out."""
    held = {(re.sub(r" \(.*\)", "", row.english).lower(), row.chinese) for row in TERMS.itertuples()}
    held |= {(row.english.lower(), row.chinese) for row in TERMS.itertuples()}
    held |= {
        (short.group(1).lower(), row.chinese)
        for row in TERMS.itertuples()
        if (short := re.search(r"\((.*)\)", row.english))
    }
    return [pair for pair in pairs if (pair[0].lower(), pair[1]) not in held]


@pytest.mark.parametrize("path", [path for path in nb.CHAPTERS if not path.stem.startswith("00")], ids=lambda p: p.stem)
def test_key_terms_of_a_chapter_stand_in_the_glossary(path):
    text = "\n\n".join(cell.source for cell in nb.cells(nb.read(path), "markdown"))
    pairs = key_terms(text)
    assert len(pairs) >= 5, "a recap ends with `Key terms: recall 查全率 · ...`"
    assert not missing(pairs), "write them into cimlab/glossary.csv, then run tools/make_glossary.py"


@pytest.mark.parametrize("path", [*nb.CHAPTERS, *nb.SOLUTIONS], ids=lambda p: p.stem)
def test_a_term_has_one_chinese_name_everywhere(path):
    """What a notebook sets in bold with its Chinese behind it, and the glossary knows, is called the same in both."""
    text = "\n".join(cell.source for cell in nb.cells(nb.read(path), "markdown"))
    known = {row.english.lower(): row.chinese for row in TERMS.itertuples()}
    other = [
        (english, chinese, known[english.lower()])
        for english, chinese in BOLD.findall(text)
        if english.lower() in known and known[english.lower()] != chinese
    ]
    assert not other


def test_a_missing_term_and_a_second_name_are_seen():
    assert key_terms("Key terms: recall 查全率 · flying\ncarpet 飞毯.\n\nNext") == [
        ("recall", "查全率"),
        ("flying carpet", "飞毯"),
    ]
    assert missing([("recall", "查全率"), ("flying carpet", "飞毯"), ("recall", "召回率")]) == [
        ("flying carpet", "飞毯"),
        ("recall", "召回率"),
    ]
    assert BOLD.findall("the **holdout** (对照组, left out) and **uplift** (增量)") == [
        ("holdout", "对照组"),
        ("uplift", "增量"),
    ]


def test_no_name_stands_twice():
    assert TERMS["english"].str.lower().is_unique
    assert TERMS["chinese"].is_unique, TERMS.loc[TERMS["chinese"].duplicated(keep=False), ["english", "chinese"]]


def test_every_term_is_complete():
    assert not TERMS.isna().any().any()
    assert TERMS["chinese"].str.fullmatch(SIGNS).all()
    assert TERMS["meaning"].str.fullmatch(r"[A-Z].*\.").all()
    assert (TERMS["meaning"].str.split().str.len() <= 24).all()


def test_pinyin_is_that_of_the_signs():
    assert [make_glossary.spell(signs) for signs in TERMS["chinese"]] == TERMS["pinyin"].tolist()


def test_page_is_what_the_file_gives():
    listed = make_glossary.complete(make_glossary.read_terms())
    assert make_glossary.TERMS.read_text(encoding="utf-8") == make_glossary.as_csv(listed)
    assert make_glossary.PAGE.read_text(encoding="utf-8") == make_glossary.as_page(listed)


@pytest.mark.parametrize("word", ["Recall", "查全", "cha quan", "chá quán lǜ", " recall "])
def test_a_term_is_found_by_any_of_its_names(word):
    assert cimlab.glossary(word)["english"].tolist() == ["recall"]


def test_an_unknown_word_gets_a_hint():
    with pytest.raises(ValueError, match=r"'recal l'\. Did you mean recall\?"):
        cimlab.glossary("recal l")
    with pytest.raises(ValueError, match=r"cimlab\.glossary\(\) lists all"):
        cimlab.glossary("飞毯飞毯飞毯飞毯")


def test_looking_up_does_not_slow_the_start():
    code = "import sys, cimlab; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
