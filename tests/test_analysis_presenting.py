"""Chapter 7, presenting: the dashboard and the report, by hand and in a browser."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cimlab import plots
from cimlab.analysis import dashboard, presenting, show_report, write_report

GIVEN = {"question": "Who pays?", "answer": "Two of three.", "source": "enterprise_orders", "as_of": "2026-06-30"}


@pytest.fixture(autouse=True)
def close_figures():
    plots.use_house_style()
    yield
    plt.close("all")


def draw():
    return plots.bar(pd.Series({"旭日": 3, "云舟": 2}), "Overdue", "invoices")


def test_a_report_holds_all_it_needs(tmp_path):
    table = pd.DataFrame({"firm": ["旭日<b>", None], "open": [1234567.0, np.nan], "share": ["12 %", "–"]})
    named = pd.DataFrame(
        {"since": [pd.Timestamp("2026-01-31")], "rate": [0.937]}, index=pd.Index(["云舟"], name="firm")
    )
    sections = [
        {"heading": "Where & why", "text": "One.\n\nTwo.", "figure": draw(), "alt": 'Two firms owe us "much"'},
        {"heading": "Debts", "text": ["call", "wait"], "table": table},
        {"heading": "More", "table": named},
    ]
    path = write_report(tmp_path / "report.html", "信用 <report>", sections, **GIVEN)
    page = path.read_text(encoding="utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">') and page.count("<h1>") == 1
    assert page.index("Who pays?") < page.index("Two of three.") < page.index("Where &amp; why")
    assert "信用 &lt;report&gt;" in page and "旭日&lt;b&gt;" in page
    assert "<p>One.</p><p>Two.</p>" in page and "<ul><li>call</li><li>wait</li></ul>" in page
    assert 'alt="Two firms owe us &quot;much&quot;"' in page and "data:image/png;base64," in page
    assert '<td class="number">1,234,567</td><td class="number">12 %</td>' in page
    assert '<td>–</td><td class="number">–</td>' in page, "what is missing is a dash"
    assert '<th scope="row">云舟</th><td>2026-01-31</td><td class="number">0.94</td>' in page
    assert "Source: enterprise_orders. Data up to 2026-06-30." in page
    assert not re.search(r"https?:|src=\"(?!data:)|<script|<link", page), "nothing comes from outside"
    assert 'url("data:font/woff;base64,' in page and "size: A4" in page
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    again = write_report(tmp_path / "again.html", "信用 <report>", sections, **GIVEN)
    assert again.read_bytes() == path.read_bytes(), "the same report is the same file"


def test_a_chinese_report_says_so(tmp_path):
    page = write_report(tmp_path / "r.html", "信用", [], **GIVEN, language="zh").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert all(word in page for word in ("问题</span>", "结论</span>", "来源: ", "数据截至 2026-06-30"))


def test_a_report_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write_report(tmp_path / "report.html", "Old", [], **GIVEN)
    bad = {
        "needs alt": [{"heading": "H", "figure": draw()}],
        "needs heading": [{"text": "no heading"}],
        "this one has heading, picture": [{"heading": "H", "picture": 1}],
        "has 26 rows; a report takes at most 25": [{"heading": "H", "table": pd.DataFrame({"a": range(26)})}],
    }
    for sentence, sections in bad.items():
        with pytest.raises(ValueError, match=sentence):
            write_report(path, "New", sections, **GIVEN)
    with pytest.raises(ValueError, match="a report needs a text for: answer"):
        write_report(path, "New", [], **GIVEN | {"answer": " "})
    with pytest.raises(ValueError, match="the language 'fr' is unknown"):
        write_report(path, "New", [], **GIVEN, language="fr")
    with pytest.raises(ValueError, match=r"report\.txt should end with \.html"):
        write_report(tmp_path / "report.txt", "New", [], **GIVEN)
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere is not there"):
        write_report(tmp_path / "nowhere" / "report.html", "New", [], **GIVEN)

    def full(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(presenting.Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_report(path, "New", [], **GIVEN)
    assert "<h1>Old</h1>" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_numbers_are_written_for_a_manager():
    written = [presenting._number(number) for number in (1234567.8, 100, 93.46, 3.0, 0.123, -1500.0, np.int64(7))]
    assert written == ["1,234,568", "100", "93.5", "3", "0.12", "-1,500", "7"]


def tiles(**columns):
    return pd.DataFrame(columns, index=[f"tile {number}" for number in range(len(columns["value"]))])


def told(figure):
    return [ax.texts[2].get_text() for ax in figure.axes if len(ax.texts) == 3]


def test_a_change_is_judged_in_words():
    table = tiles(
        value=[90.0, 120.0, 120.0, 7.0, 5.0],
        before=[95.0, 100.0, 100.0, 7.0, np.nan],
        unit=["%", "CNY", "CNY", "", ""],
        better=["higher", "lower", None, "lower", "lower"],
    )
    figure = dashboard(table, since="since May")
    assert told(figure) == [
        "−5 points since May: worse",
        "+20 % since May: worse",
        "+20 % since May",
        "unchanged since May",
        "",
    ]
    assert told(dashboard(tiles(value=[3.0], before=[0.0], better=["higher"]))) == ["+3: better"]
    assert [text.get_text() for text in dashboard(tiles(value=[2500.0])).axes[0].texts] == ["tile 0", "2,500", ""]


def test_a_dashboard_draws_its_charts_and_no_more_than_one_look_holds():
    chart = lambda ax: plots.bar(pd.Series({"a": 1}), "One", "CNY", ax=ax)  # noqa: E731
    figure = dashboard(tiles(value=[1.0, 2.0]), [chart, chart], title="Credit 信用")
    assert len(figure.axes) == 4 and figure.get_suptitle() == "Credit 信用"
    assert figure.axes[2].get_title(loc="left") == "One"
    figure.savefig(io.BytesIO(), format="png")  # every letter is in the font: a missing one would warn
    with pytest.raises(ValueError, match="not 6 and 0"):
        dashboard(tiles(value=[1.0] * 6))
    with pytest.raises(ValueError, match="not 1 and 4"):
        dashboard(tiles(value=[1.0]), [chart] * 4)
    with pytest.raises(ValueError, match="the tiles need the column value"):
        dashboard(pd.DataFrame({"number": [1]}))
    with pytest.raises(ValueError, match="the tiles need the column value"):
        dashboard(tiles(value=[1.0], colour=["red"]))


@pytest.mark.browser
def test_a_report_prints_on_one_page_of_a4_with_its_own_letters(tmp_path, browser):
    board = dashboard(tiles(value=[93.7, 12345.0], unit=["%", "CNY"]), [lambda ax: draw_on(ax)], "Credit")
    table = pd.DataFrame({"firm": ["上海邈樾餐饮股份有限公司"] * 5, "overdue": [1000.0] * 5})
    sections = [{"heading": "Where we stand", "figure": board, "alt": "Two numbers and one chart of debts"}]
    sections += [{"heading": "Debts", "table": table}, {"heading": "How sure", "text": "A test in time."}]
    path = write_report(tmp_path / "report.html", "企业客户信用报告", sections, **GIVEN)
    page = browser.new_page(viewport={"width": 375, "height": 700})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].map(font => font.status)") == ["loaded"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 375, "a telephone shows it without moving it"
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
    page.set_content(show_report(path).data)
    inside = page.frames[1].locator("h1").inner_text()
    page.close()
    assert pages == 1 and inside == "企业客户信用报告"
    assert all(url.startswith(("file:", "data:", "about:")) for url in asked)


def draw_on(ax):
    plots.bar(pd.Series({"not yet due": 300.0, "1-30": 60.0}), "Open", "CNY", ax=ax)
