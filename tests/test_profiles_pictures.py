"""Chapter on profiles: the tag cloud and the persona cards, as a reader sees them."""

import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fontTools.ttLib import TTFont

from cimlab import plots
from cimlab.plots.style import luminance
from cimlab.profiles import (
    CATEGORIES,
    RULES,
    VARIABLES,
    cards,
    cloud_words,
    customer_persona,
    missing_glyphs,
    persona_figure,
    persona_html,
    place_words,
    segment_persona,
    tag_cloud,
)
from cimlab.profiles.cloud import KIND_LOOK, SMALLEST
from cimlab.profiles.labels import LABEL_COLUMNS


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.use_house_style()
        yield
    plt.close("all")


@pytest.fixture
def words():
    table = RULES[["label", "label_zh"]].assign(kind="rule", strength=2.0 / np.arange(1, len(RULES) + 1))
    table.loc[table.index[:3], "kind"] = ["fact", "model", "fact"]
    return table


@pytest.fixture
def persona():
    table = pd.DataFrame({"customer_id": [f"K{number}" for number in range(30)], "gender": ["F", "M", None] * 10})
    table = table.assign(age_band="25-34", city=["杭州"] * 20 + ["上海"] * 10, tier="gold", tenure=1200.0, recency=9.0)
    table = table.assign(frequency=[20.0] * 15 + [1.0] * 15, basket=1234.5, on_offer=0.125, share_web=1.0)
    rows = [[f"K{number}", "buys online", "偏好网店", "rule", 0.8, None, None, "orders o1 <b>"] for number in range(12)]
    rows += [[f"K{number}", "gold card", "金卡会员", "fact", 1.0, None, None, "members M1"] for number in range(30)]
    return table, pd.DataFrame(rows, columns=LABEL_COLUMNS)


@pytest.fixture
def consent():
    since = pd.to_datetime(["2025-05-01", "2025-05-01"])
    return pd.DataFrame(
        {"customer_id": ["K1", "K2"], "state": ["given", "withdrawn"], "allowed": [True, False]}
    ).assign(since=since)


def boxes_on_paper(ax):
    """Return the box of each word in pixels."""
    ax.figure.canvas.draw()
    patches = [patch for patch in ax.patches if not patch.get_label().startswith("_")]
    return {patch.get_label(): patch.get_window_extent() for patch in patches}


# ---- strength --------------------------------------------------------------------------------------------------------


def test_strength_is_weight_times_lift(persona):
    table, labels = persona
    found = cloud_words(labels, table["customer_id"].head(15), table["customer_id"]).set_index("label")
    assert found.loc["buys online", ["share", "weight", "lift", "strength"]].tolist() == pytest.approx(
        [0.8, 0.64, 2, 1.28]
    )
    assert found.loc["gold card", ["share", "weight", "lift", "strength"]].tolist() == pytest.approx([1, 1, 1, 1])
    assert found.index[0] == "buys online", "what all have tells least"
    rare = cloud_words(labels.head(1), ["K0"], table["customer_id"])
    assert rare["lift"].item() == pytest.approx(30) and rare["strength"].item() == pytest.approx(0.8 * 5)
    with pytest.raises(ValueError, match="none of the 1 customers has a label"):
        cloud_words(labels, ["X"], table["customer_id"])


# ---- cloud -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh", "both"])
@pytest.mark.parametrize("count", [1, 2, 7, 25])
@pytest.mark.parametrize("size", [(8, 4.8), (4, 6)])
def test_no_word_lies_on_another_or_is_cut(words, language, count, size):
    ax = tag_cloud(words.head(count), "A title", language, ax=plt.subplots(figsize=size, layout="constrained")[1])
    boxes = boxes_on_paper(ax)
    assert len(boxes) == min(count, len(words))
    page, names = ax.figure.bbox, list(boxes)
    for place, name in enumerate(names):
        box = boxes[name]
        assert box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1, f"{name} is cut"
        for other in names[place + 1 :]:
            assert not box.overlaps(boxes[other]), f"{name} lies on {other}"
    told = ax.xaxis.label.get_window_extent()
    assert not any(box.overlaps(told) for box in boxes.values()), "a word lies on the explanation"
    assert page.x0 <= told.x0 and told.x1 <= page.x1 and page.y0 <= told.y0, "the explanation is cut"


def test_the_smallest_word_can_be_read(words):
    ax = tag_cloud(words, "All labels")
    boxes_on_paper(ax)
    placed = place_words(words, "en", 16 / 9)
    pixels = ax.transData.transform([[0, 0], [0, placed["size"].min()]])
    assert (pixels[1, 1] - pixels[0, 1]) * 72 / ax.figure.dpi >= 8


def test_size_follows_strength_and_the_strongest_is_in_the_middle(words):
    placed = place_words(words.sample(frac=1, random_state=1), "en")
    assert placed["strength"].is_monotonic_decreasing and placed["size"].is_monotonic_decreasing
    assert placed["size"].iloc[0] == 1 and placed["size"].min() > SMALLEST
    middle = np.hypot(placed["x"] + placed["width"] / 2, placed["y"] + placed["height"] / 2)
    assert middle.iloc[0] == 0 and middle.gt(0).sum() == len(placed) - 1
    equal = place_words(words.assign(strength=1.0), "zh")
    assert equal["size"].eq(1).all()


def test_the_same_words_stand_in_the_same_places(words):
    pd.testing.assert_frame_equal(place_words(words), place_words(words.iloc[::-1]))
    assert place_words(words, most=5)["text"].tolist() == words["label"].head(5).tolist()


def test_a_grey_print_can_be_read_and_tells_the_kinds_apart(words):
    for color, _ in KIND_LOOK.values():
        assert 1.05 / (luminance(color) + 0.05) >= 4.5, f"{color} is too light for text on white"
    assert len({str(line) for _, line in KIND_LOOK.values()}) == 3, "each kind has a line of its own"
    ax = tag_cloud(words, "Kinds")
    assert len(ax.lines) == 3 and "underlined: a fact;  no line: by a rule;  dotted: by a model" in ax.get_xlabel()
    assert "虚线: 模型标签" in tag_cloud(words, "Kinds", "zh").get_xlabel()
    rules = words.assign(kind="rule")
    assert tag_cloud(rules, "Rules").get_xlabel().endswith(";  all labels come from rules")
    assert tag_cloud(rules, "Rules", "zh").get_xlabel().endswith(";  都是规则标签")


def test_every_label_can_be_drawn():
    texts = [*RULES["label"], *RULES["label_zh"], *CATEGORIES.values(), *VARIABLES["variable_zh"]]
    texts += [
        "金卡会员",
        "银卡会员",
        "曾投诉",
        "可能复购",
        "字号: 权重 × 提升度; 下划线: 事实标签; 无线: 规则标签; 虚线: 模型标签",
        "都是规则标签",
    ]
    texts += [str(value) for value in vars(cards).values() if isinstance(value, dict) and "__" not in str(value)]
    texts += ["均为群体的均值与占比，不描述任何个人。 同意画像 人，占 \u00a0%"]
    assert missing_glyphs(texts) == []
    with TTFont(plots.FONT_FILE) as font:
        assert missing_glyphs(["\U0001f984ab"]) == ["\U0001f984"] and 0x1F984 not in font.getBestCmap()


def test_words_that_cannot_be_drawn_are_refused(words):
    for table, language, says in (
        (words.assign(label="\U0001f984"), "en", "the font of the course cannot draw \U0001f984"),
        (words.head(0), "en", "one word or more"),
        (words.assign(strength=0.0), "en", "strength above 0"),
        (words.assign(kind="guess"), "en", "the kind 'guess' is unknown; choose one of: fact, rule, model"),
        (words, "fr", "the language 'fr' is unknown; choose one of: en, zh, both"),
        (words.drop(columns="label_zh"), "en", "no column label_zh"),
    ):
        with pytest.raises(ValueError, match=says):
            tag_cloud(table, "No", language)


# ---- cards -----------------------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """Collect the text of a page, and complain of what it fetches or leaves open."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "img", "iframe"), tag
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def read_page(page):
    reader = Words()
    reader.feed(page)
    assert not reader.open
    return " ".join(reader.text)


def test_the_card_of_a_segment_tells_of_no_person(persona):
    table, labels = persona
    card = segment_persona(table, labels, table["customer_id"].head(15), "Frequent", "常客", "Thank them.")
    text = read_page(persona_html(card, "both"))
    assert "常客 Frequent" in text and "15 of 30 customers (50\u00a0%)" in text and "city: 杭州 100\u00a0%" in text
    assert "Thank them." in text and "偏好网店 buys online" in text and "80\u00a0% of the segment, lift 2.0" in text
    assert not re.search(r"\bK\d+\b", text), "no customer stands in the card of a segment"
    facts = card["facts"].set_index("fact")
    assert facts.loc["purchases", ["here", "all"]].tolist() == ["20.0", "10.5"]
    assert facts.loc["a purchase", ["here", "here_zh"]].tolist() == ["1,234 CNY", "1,234 元"]
    with pytest.raises(ValueError, match="the segment has 9 customers; a card for fewer than 10"):
        segment_persona(table, labels, table["customer_id"].head(9), "Few", "少")
    with pytest.raises(ValueError, match=r"label pregnant .*: health, PIPL article 28"):
        segment_persona(table, labels.assign(label="pregnant"), table["customer_id"], "No", "否")


def test_the_card_of_a_customer_needs_consent_and_shows_the_lineage(persona, consent):
    table, labels = persona
    card = customer_persona(table, labels, "K1", consent)
    page = persona_html(card)
    text = read_page(page)
    assert "Customer K1" in text and "gender: M" in text and "Agreed to profiling on 2025-05-01." in text
    assert "orders o1 <b>" in text and "members M1" in text, "where each label comes from, as text"
    assert "http" not in page and "font/woff;base64" in page and 'lang="en"' in page
    chinese = read_page(persona_html(card, "zh"))
    assert "性别: 男" in chinese and "会员等级: 金卡" in chinese and "9 天前" in chinese and "事实" in chinese
    assert "customers" not in chinese and 'lang="zh-CN"' in persona_html(card, "zh")
    for customer in ("K2", "K3"):
        with pytest.raises(ValueError, match="no consent for profiling, PIPL articles 13, 14"):
            customer_persona(table, labels, customer, consent)
    with pytest.raises(ValueError, match="'X' stands 0 times in the table"):
        customer_persona(table, labels, "X", consent)
    with pytest.raises(ValueError, match=r"column phone .*: name or contact, PIPL article 6"):
        customer_persona(table, labels.assign(phone="x"), "K1", consent)


def test_the_size_of_a_word_on_the_page_is_its_strength(persona, consent):
    table, labels = persona
    page = persona_html(customer_persona(table, labels, "K1", consent))
    sizes = [float(size) for size in re.findall(r"font-size:([\d.]+)rem", page)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == 2.6 and sizes[-1] < 2.6
    assert page.count("text-decoration-line:underline") == 1, "the fact, so that grey tells the kinds apart"


@pytest.mark.parametrize("language", ["en", "zh", "both"])
def test_nothing_on_the_figure_lies_on_another(persona, language):
    table, labels = persona
    action = "Keep them: thank them before they ask, and never send them the coupon for a new customer."
    card = segment_persona(table, labels, table["customer_id"].head(15), "Frequent", "常客", action)
    figure = persona_figure(card, language)
    figure.canvas.draw()
    left = figure.axes[0]
    texts = [text for text in left.texts if text.get_text()]
    room = left.get_window_extent()
    for place, text in enumerate(texts):
        box = text.get_window_extent()
        assert box.x0 >= room.x0 and box.x1 <= room.x1 + 1 and box.y0 >= room.y0, f"{text.get_text()} is cut"
        for other in texts[place + 1 :]:
            assert not box.overlaps(other.get_window_extent()), f"{text.get_text()!r} lies on {other.get_text()!r}"
    with pytest.raises(ValueError, match="the language 'fr' is unknown"):
        persona_figure(card, "fr")
    with pytest.raises(ValueError, match="the language 'fr' is unknown"):
        persona_html(card, "fr")
