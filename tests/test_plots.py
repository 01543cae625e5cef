"""The house style: Chinese labels on every machine, colours that everybody can tell apart, titles and units."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from fontTools.ttLib import TTFont
from matplotlib import colors, font_manager

from cimlab import plots
from cimlab.plots.style import ink, luminance

ROOT = Path(__file__).parents[1]
PAIRS = itertools.product(range(0xB0, 0xF8), range(0xA1, 0xFF))
GB2312 = [character for pair in PAIRS if (character := bytes(pair).decode("gb2312", errors="ignore"))]


@pytest.fixture(autouse=True)
def clean(clean_matplotlib):
    """Every test of this file begins with Matplotlib as it is at the start."""


@pytest.fixture
def no_chinese_fonts(monkeypatch):
    """A machine with nothing but the fonts that Matplotlib brings."""
    own = Path(matplotlib.get_data_path())
    listed = [font for font in font_manager.fontManager.ttflist if Path(font.fname).is_relative_to(own)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    font_manager._get_font.cache_clear()


def draw(text):
    """Draw a text; a missing glyph is a warning, and a warning fails the test."""
    ax = plt.subplots()[1]
    ax.set_title(text)
    ax.figure.canvas.draw()


def test_without_the_house_style_chinese_is_boxes(no_chinese_fonts):
    with pytest.warns(UserWarning, match="Glyph .* missing"):
        draw("客户")


def test_chinese_is_drawn_where_no_chinese_font_is_installed(no_chinese_fonts):
    plots.use_house_style()
    draw("客户信息管理 Xudong 旭东: −5 ¥, “引号”…，。（全角）")


def test_chinese_is_drawn_after_seaborn_set_its_theme(no_chinese_fonts):
    plots.use_house_style()
    sns.set_theme()
    plots.use_house_style()
    draw("客户")


def test_the_font_is_registered_once(no_chinese_fonts):
    plots.use_house_style()
    plots.use_house_style()
    assert [font.name for font in font_manager.fontManager.ttflist].count(plots.FONT_FAMILY) == 1


def test_the_font_holds_every_character_of_the_standard_the_data_and_the_notebooks():
    known = set(TTFont(plots.FONT_FILE).getBestCmap())
    assert len(GB2312) == 6763 and not {character for character in GB2312 if ord(character) not in known}
    data = [path for path in (ROOT / "datasets").iterdir() if path.suffix in (".csv", ".tsv", ".txt", ".jsonl")]
    texts = [path.read_text(encoding="gb18030" if path.stem == "bought_list" else "utf-8-sig") for path in data]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / "chapters").glob("*.ipynb")]
    chinese = set(re.findall(r"[\u3400-\u9fff]", "".join(texts)))
    assert chinese and not {character for character in chinese if ord(character) not in known}


def test_the_font_has_a_name_of_its_own_and_says_what_it_was_made_from():
    names = TTFont(plots.FONT_FILE)["name"]
    assert names.getDebugName(1) == plots.FONT_FAMILY
    for entry in (1, 3, 4, 6):
        assert not re.search("Noto|Source|Adobe", names.getDebugName(entry))
    assert "Noto Sans CJK SC" in names.getDebugName(10)
    assert "SIL Open Font License" in names.getDebugName(13)


# Machado, Oliveira and Fernandes (2009): what a reader without one kind of cone sees, on linear RGB.
VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "all cones": np.eye(3),
}


def lab(color, vision):
    """Return a colour in CIE L*a*b* (D65) as a reader with that vision sees it."""
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
def test_colours_are_told_apart(vision):
    for one, two in itertools.combinations(plots.PALETTE, 2):
        distance = np.linalg.norm(lab(one, vision) - lab(two, vision))
        assert distance > 10, f"{one} and {two} look alike with {vision}: {distance:.0f}"


def test_the_first_colours_and_all_lines_are_told_apart_in_grey():
    grey = [lab(color, "all cones")[0] for color in plots.PALETTE[:2]]
    assert abs(grey[0] - grey[1]) > 20
    plots.use_house_style()
    ax = plt.subplots()[1]
    lines = [ax.plot([0, 1], [0, number])[0] for number in range(len(plots.PALETTE))]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(lines)


def test_bar_starts_at_zero_and_keeps_the_order():
    values = pd.Series({"till 门店": 1820, "web shop 网店": 1340, "call centre": 0})
    ax = plots.bar(values, title="Records by channel", unit="records", category="channel")
    assert ax.get_title(loc="left") or ax.get_title()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("records", "channel")
    assert ax.get_xlim()[0] == 0 and ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == [1820, 1340, 0]
    assert [text.get_text() for text in ax.texts] == ["1,820", "1,340", "0"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(values.index)


def test_bar_draws_where_it_is_told():
    ax = plt.subplots()[1]
    assert plots.bar(pd.Series({"a": 0.125}), title="t", unit="share", ax=ax) is ax
    assert ax.texts[0].get_text() == "0.125"


@pytest.fixture
def scores():
    """Scores over the threshold, in no order."""
    return pd.DataFrame(
        {"threshold": [0.9, 0.1, 0.5], "precision": [1, 0.5, 0.8], "recall": [0.4, 1, 0.8], "f1": [0.57, 0.67, 0.8]}
    )


def test_threshold_curve_draws_three_curves_from_left_to_right(scores):
    plots.use_house_style()
    ax = plots.threshold_curve(scores, chosen=0.5)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == ["precision", "recall", "F1", "chosen: 0.5"]
    assert list(lines["recall"].get_xdata()) == [0.1, 0.5, 0.9]
    assert list(lines["recall"].get_ydata()) == [1, 0.8, 0.4]
    assert list(lines["chosen: 0.5"].get_xdata()) == [0.5, 0.5]
    assert len({line.get_marker() for line in ax.lines[:3]}) == 3
    assert ax.get_title(loc="left") and "probability" in ax.get_xlabel() and ax.get_ylabel()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(lines)


def test_threshold_curve_names_the_missing_columns(scores):
    with pytest.raises(ValueError, match=r"not there: recall, f1\. .*score_thresholds"):
        plots.threshold_curve(scores.drop(columns=["recall", "f1"]))


def test_a_table_from_the_database_chapter_fits(scores):
    database = pytest.importorskip("cimlab.database")
    pairs = pd.DataFrame({"record_id_a": ["M1"], "record_id_b": ["W1"], "probability": [0.9]})
    reviewed = pd.DataFrame({"record_id": ["M1", "W1"], "person_no": [1, 1]})
    plots.threshold_curve(database.score_thresholds(pairs, reviewed, [0.1, 0.5]))


def test_the_font_can_be_made_again(tmp_path):
    source = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    if not source.exists():
        pytest.skip("the source of the font is not installed (Debian: fonts-noto-cjk)")
    code = "import sys, pathlib; sys.path.insert(0, 'tools'); import make_font; "
    code += "make_font.make(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", code, str(source), str(tmp_path / "font.otf")], cwd=ROOT, check=True)
    made, there = TTFont(tmp_path / "font.otf"), TTFont(plots.FONT_FILE)
    assert set(made.getBestCmap()) == set(there.getBestCmap())
    assert [str(name) for name in made["name"].names] == [str(name) for name in there["name"].names]


def test_the_ink_of_each_colour_can_be_read_on_white():
    assert min(1.05 / (luminance(ink(color)) + 0.05) for color in plots.PALETTE) >= 4.5
