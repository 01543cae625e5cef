"""The decision paper: its numbers, its page and its PDF, with the Chinese that a manager reads."""

import importlib.util
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from cimlab.capstone import Paper, fill_numbers, parse_paper, write_paper
from cimlab.capstone.paper import table_rows, words_of
from cimlab.capstone.paper_letters import FACES, make_letters
from cimlab.capstone.paper_pdf import _WIDTH, _column_widths

TEXT = """
**结论：**先挽留 {n:,} 位客户。*Then* ask who is {name}, at a share of {share:.1%}.

## What we know 我们知道什么

![Sizes 各细分的规模](figure:sizes "60%")

- loyal 忠诚 & <true>
    1. first
- [the law](https://example.com/a?b=1&c=2), [no link](javascript:alert)

| 细分 segment | customers |
|:--|--:|
| 忠诚 loyal | {n:,} |
| web | 12 |

> 引用 a quote

```
SELECT  *  FROM customer_file
```
"""
NUMBERS = {"n": 1820, "share": 0.3821, "name": "王*|<b>"}


def picture():
    figure = Figure(figsize=(4, 2))
    figure.subplots().bar(["a", "b"], [1, 2])
    return figure


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    return write_paper(TEXT, NUMBERS, {"sizes": picture()}, folder / "paper", "客户挽留 Whom to keep", "曾国藩")


def text_of_pdf(path):
    """Return the words of each page, as a program that searches in a PDF sees them."""
    if not importlib.util.find_spec("pypdf"):
        pytest.skip("pypdf is not installed (extra [dev])")
    from pypdf import PdfReader

    return [page.extract_text() for page in PdfReader(path).pages]


def test_both_files_hold_the_words_and_the_numbers(paper):
    page = paper.html.read_text(encoding="utf-8")
    assert (paper.pages, paper.notes) == (1, [])
    for words in (
        "<strong>结论：</strong>先挽留 1,820 位客户。",
        "<em>Then</em>",
        "王*|&lt;b&gt;",
        "38.2%",
        "<li>loyal 忠诚 &amp; ",
    ):
        assert words in page
    assert '<html lang="zh-CN">' in page or '<html lang="en">' in page
    assert "<h1>客户挽留 Whom to keep</h1>" in page and "<h2>What we know 我们知道什么</h2>" in page
    assert '<td style="text-align: right">1,820</td>' in page
    assert '<a href="https://example.com/a?b=1&amp;c=2">the law</a>' in page and "javascript" not in page


def test_the_page_needs_nothing_from_outside(paper):
    page = paper.html.read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|url)=?\(?"([a-z]+):', page)) == {"data"}
    assert '@font-face { font-family: "Report"' in page and "size: A4" in page
    assert '<figure style="width: 60%"><img alt="Sizes 各细分的规模" src="data:image/png;base64,' in page
    assert "\u3164" not in page  # parts the marks of bold


def test_words_of_the_pdf_can_be_read_back(paper):
    (text,) = text_of_pdf(paper.pdf)
    words = "".join(text.split())
    parts = ["客户挽留Whomtokeep", "曾国藩", "结论：先挽留1,820位客户。", "王*|<b>", "38.2%", "我们知道什么"]
    parts += ["忠诚&<true>", "Sizes各细分的规模", "细分segment", "引用aquote", "SELECT*FROMcustomer_file", "1/1"]
    for part in parts:
        assert part in words, part


def test_the_pdf_carries_its_letters(paper):
    """No PDF reader is needed for this: fonts are embedded as TrueType, each with a table back to Unicode."""
    raw = paper.pdf.read_bytes()
    fonts = {name for name in re.findall(rb"/BaseFont\s*/[A-Z]+\+([\w-]+)", raw) if b"cimlab" in name}
    assert {b"cimlabPaper-regular", b"cimlabPaper-bold", b"cimlabPaper-italic"} <= fonts
    assert raw.count(b"/FontFile2") >= 3 and raw.count(b"/ToUnicode") >= 3


@pytest.mark.parametrize(("title", "text", "language"), [
    ("Whom to keep", "先挽留经常来的客户，再问一问谁已经走了。", "zh-CN"),
    ("客户挽留", "Keep those first who come often, then ask who has gone.", "en"),
], ids=["Chinese", "English"])  # fmt: skip
def test_page_and_pdf_are_in_one_language(tmp_path, title, text, language):
    """All words tell it: a reader that speaks the paper reads both files in one voice."""
    paper = write_paper(text, {}, {}, tmp_path / "paper", title)
    assert f'<html lang="{language}">' in paper.html.read_text("utf-8")
    assert f"/Lang ({language})".encode() in paper.pdf.read_bytes()


def test_a_paper_is_the_same_on_any_day(paper, tmp_path):
    again = write_paper(TEXT, NUMBERS, {"sizes": picture()}, tmp_path / "again.pdf", "客户挽留 Whom to keep", "曾国藩")
    assert again.pdf.name == "again.pdf" and again.html.name == "again.html"
    assert again.pdf.read_bytes() == paper.pdf.read_bytes()
    assert again.html.read_text("utf-8") == paper.html.read_text("utf-8")


def test_three_pages_are_too_many_for_a_manager(tmp_path):
    long = "\n\n".join(["Each paragraph of this paper holds a sentence that a manager has no time for. 太长了。"] * 90)
    with pytest.warns(UserWarning, match="The paper has 3 pages; a manager reads 2"):
        paper = write_paper(long, {}, {}, tmp_path / "paper", "Long")
    assert isinstance(paper, Paper) and paper.pages == 3 and len(paper.notes) == 1
    texts = text_of_pdf(paper.pdf)
    assert ["1 / 3" in texts[0], "3 / 3" in texts[2]] == [True, True]


def test_unused_numbers_and_pictures_are_told(tmp_path):
    with pytest.warns(UserWarning) as told:
        paper = write_paper("Nothing.", {"n": 1}, {"sizes": picture()}, tmp_path / "paper", "Title")
    assert [str(warning.message) for warning in told] == paper.notes
    assert paper.notes == ["The number 'n' is given, and the text does not use it.",
                           "The picture 'sizes' is given, and the text does not show it."]  # fmt: skip


def test_a_letter_without_a_font_is_told(tmp_path):
    with pytest.warns(UserWarning, match=r"No font of this machine has .* \(U\+E123\): a box stands there"):
        write_paper("A letter of one's own: \ue123", {}, {}, tmp_path / "paper", "Title")


def test_a_rare_letter_comes_from_the_machine_or_is_missing():
    """囧 is not among the letters that ship with cimlab."""
    from matplotlib import font_manager

    here = any(font.name == "Noto Sans CJK SC" for font in font_manager.fontManager.ttflist)
    assert make_letters("囧")[1] == ([] if here else ["囧"])
    assert make_letters("✓→≥客户")[1] == []


def test_fonts_that_are_broken_or_closed_are_passed_by(tmp_path, monkeypatch):
    """A font whose maker forbids embedding is as good as none."""
    from fontTools.ttLib import TTFont

    from cimlab.capstone import paper_letters

    broken, closed, open_ = (tmp_path / f"{name}.ttf" for name in ("broken", "closed", "open"))
    broken.write_bytes(b"no font")
    monkeypatch.setattr(paper_letters, "_font_files", list)
    open_.write_bytes(make_letters("客")[0]["regular"])
    font = TTFont(open_)
    font["OS/2"].fsType = 2
    font.save(closed)
    monkeypatch.setattr(paper_letters, "FONT_FILE", broken)  # cimlab's own font has 客; here it cannot be read
    for files, missing in (([], ["客"]), ([(broken, -1), (closed, -1)], ["客"]), ([(closed, -1), (open_, -1)], [])):
        monkeypatch.setattr(paper_letters, "_font_files", lambda files=files: files)
        assert make_letters("客")[1] == missing


def test_letters_are_drawn_in_each_face():
    from io import BytesIO

    from fontTools.ttLib import TTFont

    fonts, _ = make_letters("客h", FACES)
    drawn = {face: TTFont(BytesIO(data)) for face, data in fonts.items()}
    assert [font.getBestCmap().keys() for font in drawn.values()] == [{ord("客"), ord("h")}] * 4
    wide = {face: font["glyf"][font.getBestCmap()[ord("h")]] for face, font in drawn.items()}
    assert wide["bold"].xMax - wide["bold"].xMin > wide["regular"].xMax - wide["regular"].xMin
    assert wide["italic"].xMax > wide["regular"].xMax
    assert {font["hmtx"][font.getBestCmap()[ord("客")]][0] for font in drawn.values()} == {1000}
    with pytest.raises(ValueError, match="no face 'thin'; there are: regular"):
        make_letters("a", ["thin"])


@pytest.mark.parametrize(("text", "numbers", "says"), [
    ("{n}", {}, "the text asks for the number 'n', which is not given; given: none"),
    ("{n}", {"m": 1}, "given: m"),
    ("{n:.0%}", {"n": "much"}, "'n' is a text, 'much': it cannot be written as '.0%'"),
    ("{n:.0%}", {"n": [1]}, "which cannot be written as '.0%'"),
    ("{n}", {"n": float("nan")}, "the number 'n' is missing"),
    ("{n}", {"n": None}, "the number 'n' is missing"),
    ("100 {", {}, "a brace of the text has no partner"),
    ("{}", {}, "is no name of a number"),
    ("{n.real}", {"n": 1}, "is no name of a number"),
    ("{a b}", {}, "is no name of a number"),
])  # fmt: skip
def test_what_is_wrong_with_a_number_is_said(text, numbers, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        fill_numbers(text, numbers)


@example("R&D &lt;b&gt; &amp; *A*")
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20))
def test_a_text_among_the_numbers_is_shown_as_it_is(words):
    """Also where it looks like Markdown, or like a sign of HTML."""
    from cimlab.capstone.paper_letters import plain_letters

    blocks = parse_paper(fill_numbers("It is called {name}.", {"name": words}))
    assert words_of(blocks) == plain_letters(f"It is called {words}.")


def test_braces_and_numbers_of_many_kinds():
    import numpy as np

    numbers = {"n": np.int64(1820), "share": np.float64(0.5), "流失": 3}
    assert fill_numbers("{n:,} {{x}} {share:.0%} {流失}", numbers) == "1,820 {x} 50% 3"


@pytest.mark.parametrize(("text", "says"), [
    ("![a](figure:other)", "the text shows the picture 'figure:other'; write figure:NAME, with one of: sizes"),
    ("![a](http://example.com/a.png)", "write figure:NAME"),
    ('![a](figure:sizes "6 cm")', "write it as \"60%\""),
    ('![a](figure:sizes "400%")', "write it as \"60%\""),
])  # fmt: skip
def test_what_is_wrong_with_a_picture_is_said(text, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_paper(text, ["sizes"])


def test_pictures_stand_alone_and_chinese_lines_join_without_a_gap():
    blocks = parse_paper("before\n![a](figure:sizes)\nafter ![b](figure:规模)", ["sizes", "规模"])
    assert [block["type"] for block in blocks] == ["paragraph", "figure", "paragraph", "figure"]
    assert [block["name"] for block in blocks if block["type"] == "figure"] == ["sizes", "规模"]
    from cimlab.capstone.paper import inline_text

    assert inline_text(parse_paper("客户\n流失 and\nmore")[0]["children"], {}) == "客户流失 and more"


def test_neither_file_is_changed_when_one_cannot_be_written(tmp_path, monkeypatch):
    for name in ("paper.html", "paper.pdf"):
        (tmp_path / name).write_text("old")
    replace = Path.replace

    def held(self, target):
        if Path(target).suffix == ".pdf":
            raise PermissionError("in use")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(PermissionError, match="close the program that shows one of them"):
        write_paper("New.", {}, {}, tmp_path / "paper", "Title")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["paper.html", "paper.pdf"]
    assert {file.read_text() for file in tmp_path.iterdir()} == {"old"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="make it first"):
        write_paper("New.", {}, {}, tmp_path / "none" / "paper", "Title")


def test_a_wide_table_and_a_tall_picture_stay_on_the_page(tmp_path):
    wide = "|" + "|".join(f"column {n} with a long name 很长的名字" for n in range(8)) + "|\n" + "|-" * 8 + "|\n"
    wide += ("|" + "|".join("some words 一些文字 " * 6 for _ in range(8)) + "|\n") * 3
    tall = Figure(figsize=(3, 20))
    paper = write_paper(f"{wide}\n\n![Tall](figure:tall)", {}, {"tall": tall}, tmp_path / "paper", "Wide")
    assert paper.pages == 2
    rows = table_rows(parse_paper(wide)[0])
    assert _WIDTH * 0.95 < sum(_column_widths(rows)) <= _WIDTH
    assert sum(_column_widths(table_rows(parse_paper("|a|b|\n|-|-|\n|1|2|")[0]))) < _WIDTH / 4


def test_no_raw_html_gets_into_the_page(tmp_path):
    paper = write_paper(
        "<script>alert(1)</script>\n\na <b onclick='x'>b</b>", {}, {}, tmp_path / "p", "<i>T</i>", "A & B"
    )
    page = paper.html.read_text("utf-8")
    assert "<script" not in page and "<b on" not in page and "<i>" not in page and "A &amp; B" in page
