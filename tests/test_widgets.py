"""The explorers: a moved control moves the picture, and a page on which nothing moves still shows one."""

import base64
import io
import itertools
import re

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

from cimlab import analysis, database, load, plots, widgets

TODAY = "2026-06-30"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def reviewed():
    """Four persons with two records each."""
    return pd.DataFrame({"record_id": [f"r{number}" for number in range(8)], "person_no": [1, 1, 2, 2, 3, 3, 4, 4]})


@pytest.fixture(scope="module")
def linked():
    """Right pairs with a high probability, wrong ones with a low, and one right pair that nobody finds."""
    rows = [("r0", "r1", 0.999), ("r2", "r3", 0.85), ("r4", "r5", 0.3), ("r1", "r2", 0.6), ("r3", "r4", 0.15)]
    return pd.DataFrame([*rows, ("r5", "r7", 0.012)], columns=["record_id_a", "record_id_b", "probability"])


@pytest.fixture(scope="module")
def orders():
    return load("orders").rename(columns={"customer_ref": "customer_id"})


@pytest.fixture(scope="module")
def scored(orders):
    return analysis.rfm_segments(analysis.rfm_scores(analysis.rfm(orders, as_of=TODAY)))


@pytest.fixture(scope="module")
def daily(orders):
    return orders.groupby(orders["ordered_at"].dt.to_period("D")).size()


def shown(explorer):
    """Return the sentence and the picture that the reader sees, which must be those of the explorer."""
    page = explorer.children[-1].value
    assert page.count(explorer.sentence) == 2, "once above the picture, once for those who cannot see it"
    picture = base64.b64decode(re.search(r'base64,([^"]+)"', page).group(1))
    assert picture == explorer.picture
    return explorer.sentence, picture


def drawn(monkeypatch, chart):
    """Keep the arguments of every call of a chart."""
    calls, real = [], getattr(plots, chart)

    def keep(*args, **named):
        calls.append((args, named))
        return real(*args, **named)

    monkeypatch.setattr(plots, chart, keep)
    return calls


class TestThreshold:
    def test_each_threshold_is_told_as_it_is_counted(self, linked, reviewed):
        explorer = widgets.threshold_explorer(linked, reviewed)
        slider = explorer.controls["threshold"]
        assert slider.value == 0.1
        for choice in [value for _, value in slider.options]:
            slider.value = choice
            kept = linked[linked["probability"] >= choice]
            row = database.score_pairs(kept, reviewed).iloc[0]
            sentence, _ = shown(explorer)
            number = "1 pair is" if len(kept) == 1 else f"{len(kept)} pairs are"
            assert sentence.startswith(f"At the threshold {choice:g}, {number} kept.")
            assert f"Precision {row['precision']:.2f}" in sentence and f"Recall {row['recall']:.2f}" in sentence
            assert f"F1 {row['f1']:.2f}" in sentence

    def test_the_curve_has_a_mark_at_the_threshold(self, linked, reviewed, monkeypatch):
        calls = drawn(monkeypatch, "threshold_curve")
        explorer = widgets.threshold_explorer(linked, reviewed, start=0.5)
        before = explorer.picture
        explorer.controls["threshold"].value = 0.9
        assert [named["chosen"] for _, named in calls] == [0.5, 0.9]
        assert calls[-1][1]["title"] == "At 0.9: precision 1.00, recall 0.25" and shown(explorer)[1] != before

    def test_no_threshold_below_what_was_linked(self, linked, reviewed):
        choices = [value for _, value in widgets.threshold_explorer(linked, reviewed).controls["threshold"].options]
        assert choices[0] == 0.01 and choices[-1] == 0.999, "the lowest pair has 0.012"
        above = linked[linked["probability"] > 0.5]
        with pytest.raises(ValueError, match=r"begins at the probability 0\.6.*link_records\(clean, threshold=0\.1\)"):
            widgets.threshold_explorer(above, reviewed)
        assert widgets.threshold_explorer(above, reviewed, start=0.6).controls["threshold"].value == 0.6

    def test_where_no_pair_is_left(self, linked, reviewed):
        explorer = widgets.threshold_explorer(linked[linked["probability"] < 0.99], reviewed)
        explorer.controls["threshold"].value = 0.999
        assert explorer.sentence == "At the threshold 0.999, 0 pairs are kept. None of them can be judged."

    def test_bad_input(self, linked, reviewed):
        with pytest.raises(ValueError, match="threshold_explorer needs the column probability; the table has"):
            widgets.threshold_explorer(linked.drop(columns="probability"), reviewed)
        with pytest.raises(ValueError, match="threshold_explorer needs the column person_no"):
            widgets.threshold_explorer(linked, reviewed[["record_id"]])
        with pytest.raises(ValueError, match="a threshold lies between 0 and 1, start=10 does not"):
            widgets.threshold_explorer(linked, reviewed, start=10)
        with pytest.raises(ValueError, match="there is nothing to draw"):
            widgets.threshold_explorer(linked.head(0), reviewed)


class TestRfm:
    def test_a_segment_is_what_the_analysis_says(self, scored):
        explorer = widgets.rfm_explorer(scored)
        for segment in analysis.RFM_SEGMENTS:
            explorer.controls["segment"].value = segment
            own = scored[scored["segment"] == segment]
            share = own["monetary"].sum() / scored["monetary"].sum()
            sentence, _ = shown(explorer)
            assert sentence.startswith(f"{segment}: {len(own):,} customer")
            if len(own):
                assert f"{100 * share:.0f} % of the revenue" in sentence
                assert f"{100 * len(own) / len(scored):.0f} % of all" in sentence
            else:
                assert "Nobody has these scores." in sentence

    def test_scores_and_segment_follow_each_other(self, scored):
        explorer = widgets.rfm_explorer(scored)
        menu, recency, frequency = explorer.controls.values()
        assert (menu.value, recency.value, frequency.value) == ("champions", (5, 5), (4, 5))
        menu.value = "at risk"
        assert (recency.value, frequency.value) == ((1, 2), (3, 4))
        recency.value = (1, 3)
        assert menu.value == "own choice" and explorer.sentence.startswith("own choice: ")
        recency.value = (1, 2)
        assert menu.value == "at risk"
        menu.value = "own choice"
        assert (recency.value, frequency.value) == ((1, 2), (3, 4)), "nothing jumps"
        menu.value = "all customers"
        assert "100 % of all" in explorer.sentence and "100 % of the revenue" in explorer.sentence

    def test_one_move_draws_one_picture_with_the_chosen_cells_framed(self, scored, monkeypatch):
        calls = drawn(monkeypatch, "heatmap")
        explorer = widgets.rfm_explorer(scored)
        explorer.controls["segment"].value = "cannot lose"
        assert len(calls) == 2
        (cells, title, unit), named = calls[-1]
        assert list(cells.index) == [5, 4, 3, 2, 1] and list(cells.columns) == [1, 2, 3, 4, 5] and unit == "customers"
        assert cells.sum().sum() == len(scored) and title.startswith("cannot lose: ")
        frame = named["ax"].patches[-1]
        assert (frame.get_x(), frame.get_width()) == (3.5, 1), "frequency 5 is the last column"
        assert (frame.get_y(), frame.get_height()) == (2.5, 2), "recency 1 and 2 are the last two rows"

    def test_bad_input(self, scored):
        with pytest.raises(ValueError, match="rfm_explorer needs the column r_score and f_score; the table has"):
            widgets.rfm_explorer(scored[["customer_id", "monetary"]])
        with pytest.raises(ValueError, match=r"must be from 1 to 5: call analysis\.rfm_scores\(table, bins=5\)"):
            widgets.rfm_explorer(scored.assign(r_score=9))


class TestForecast:
    def test_the_method_and_the_horizon_are_those_drawn(self, daily, monkeypatch):
        calls = drawn(monkeypatch, "forecast")
        explorer = widgets.forecast_explorer(daily, unit="purchases a day")
        menu, slider = explorer.controls.values()
        assert (slider.value, slider.description) == (14, "Days ahead")
        menu.value = "trend"
        slider.value = 5
        (history, forecasts, title, unit), named = calls[-1]
        pd.testing.assert_series_equal(forecasts["trend"], analysis.linear_trend(daily, 5))
        pd.testing.assert_series_equal(history, daily.tail(len(history)))
        assert (
            unit == "purchases a day"
            and title.startswith("trend: ")
            and "5 days ahead: trend is off by" in explorer.sentence
        )
        assert (named["lower"] < forecasts["trend"]).all() and (named["upper"] > forecasts["trend"]).all()
        assert len(shown(explorer)) == 2 and len(calls) == 3

    def test_the_error_is_that_of_the_back_test(self, daily, monkeypatch):
        calls, real = [], analysis.backtest
        monkeypatch.setattr(
            analysis, "backtest", lambda *args, **named: calls.append(real(*args, **named)) or calls[-1]
        )
        explorer = widgets.forecast_explorer(daily)
        scores = analysis.score_forecasts(calls[0]).set_index("method")
        row = scores.loc["mean of the last 28"]
        assert f"off by {row['mae']:.3g} on average" in explorer.sentence
        assert f"the baseline (seasonal naive) by {scores.loc['seasonal naive', 'mae']:.3g}" in explorer.sentence
        assert ("better than" in explorer.sentence) == (row["relative_mae"] < 1)
        assert 7 <= calls[0]["origin"].nunique() <= 9 and calls[0]["origin"].min() >= daily.index[len(daily) // 2 - 1]
        widgets.forecast_explorer(daily.tail(714))  # a seventh of the rest would be 49 days
        assert len(set(pd.PeriodIndex(calls[1]["origin"].unique()).day_of_week)) > 1, "not all the same day of the week"

    def test_the_same_choice_is_tested_once(self, daily, monkeypatch):
        calls, real = [], analysis.backtest
        monkeypatch.setattr(analysis, "backtest", lambda *args, **named: calls.append(1) or real(*args, **named))
        explorer = widgets.forecast_explorer(daily)
        first = explorer.picture
        explorer.controls["method"].value = "trend"
        explorer.controls["method"].value = "mean of the last 28"
        assert len(calls) == 2 and explorer.picture == first

    def test_every_method_on_offer_works(self, daily):
        explorer = widgets.forecast_explorer(daily.tail(120))
        assert len(explorer.controls["method"].options) == 6
        for method in explorer.controls["method"].options:
            explorer.controls["method"].value = method
            assert f"ahead: {method} is off by" in explorer.sentence
        explorer.controls["method"].value = "seasonal naive"
        assert explorer.sentence.endswith("It is the baseline.")

    def test_months_have_a_season_of_twelve_and_fewer_methods(self, orders):
        monthly = orders.groupby(orders["ordered_at"].dt.to_period("M"))["amount"].sum()
        explorer = widgets.forecast_explorer(monthly, unit="sales (CNY)")
        menu, slider = explorer.controls.values()
        assert "Holt-Winters" not in menu.options and "trend" in menu.options, "two seasons are too few to learn one"
        assert slider.description == "Months ahead" and slider.max == 6
        slider.value = 1
        assert "each 1 month ahead" in explorer.sentence

    def test_bad_input(self, daily):
        with pytest.raises(ValueError, match="the index does not say what a season is; give it, season=7 for days"):
            widgets.forecast_explorer(pd.Series([1.0] * 50))
        with pytest.raises(ValueError, match="12 periods are too few, 14 are needed: two seasons or more"):
            widgets.forecast_explorer(daily.tail(12).astype("float64"))
        with pytest.raises(ValueError, match="each period must be there once"):
            widgets.forecast_explorer(daily.drop(daily.index[5]))
        with pytest.raises(ValueError, match="must be a Series"):
            widgets.forecast_explorer(list(daily), season=7)
        assert widgets.forecast_explorer(pd.Series(np.arange(60.0) % 5), season=5).controls["horizon"].value == 10


def test_drawing_leaves_no_figure_and_no_style_behind(linked, reviewed):
    plt.close("all")
    plt.rcdefaults()
    before = dict(matplotlib.rcParams)
    widgets.threshold_explorer(linked, reviewed).controls["threshold"].value = 0.5
    assert not plt.get_fignums() and dict(matplotlib.rcParams) == before


def test_the_same_choice_gives_the_same_bytes(linked, reviewed):
    one, two = (widgets.threshold_explorer(linked, reviewed) for _ in range(2))
    assert one.picture == two.picture and one.children[-1].value == two.children[-1].value
    assert image.imread(io.BytesIO(one.picture), format="png").shape[:2] == (675, 1200)


def test_the_old_picture_is_pale_until_the_new_one_is_there(linked, reviewed, monkeypatch):
    explorer = widgets.threshold_explorer(linked, reviewed)
    view, seen, real = explorer.children[-1], [], plots.threshold_curve

    def draw(*what, **named):
        seen.append(view._dom_classes)
        return real(*what, **named)

    monkeypatch.setattr(plots, "threshold_curve", draw)
    explorer.controls["threshold"].value = 0.5
    assert seen == [("cimlab-busy",)] and view._dom_classes == () and ".cimlab-busy {opacity" in view.value


def test_every_control_has_a_label_and_waits_until_the_hand_rests(linked, reviewed, scored, daily):
    explorers = [
        widgets.threshold_explorer(linked, reviewed),
        widgets.rfm_explorer(scored),
        widgets.forecast_explorer(daily),
    ]
    for control in itertools.chain.from_iterable(explorer.controls.values() for explorer in explorers):
        assert re.fullmatch(r"[A-Z][a-z]+( [a-z]+)?", control.description)
        assert not getattr(control, "continuous_update", False)


SETUP = """
import pandas as pd
from cimlab import plots, widgets
plots.use_house_style()
scored = pd.DataFrame({"r_score": [5, 5, 1], "f_score": [5, 1, 1], "monetary": [70.0, 10.0, 20.0]})
"""


@pytest.fixture(scope="module")
def executed():
    """A notebook with an explorer and, after it, an ordinary picture, run as the grader and the site run it."""
    ordinary = 'plots.bar(pd.Series({"a": 1.0}), "Ordinary", "u");'
    cells = [new_code_cell(source) for source in (SETUP, "widgets.rfm_explorer(scored)", ordinary)]
    environment = pytest.MonkeyPatch()
    environment.delenv("MPLBACKEND", raising=False)  # as in JupyterLab: the pictures of the notebook come by themselves
    try:
        return NotebookClient(new_notebook(cells=cells), timeout=120).execute()
    finally:
        environment.undo()


def test_a_notebook_run_by_a_program_holds_the_picture_of_the_first_choice(executed):
    controls, still = executed.cells[1].outputs
    assert WIDGET in controls.data and "VBox" not in str(controls.data) and "Explorer(" not in str(controls.data)
    assert "champions: 1 customer, 33 % of all." in still.data["text/plain"]
    assert "open this notebook in JupyterLab" in still.data["text/plain"]
    assert image.imread(io.BytesIO(base64.b64decode(still.data["image/png"])), format="png").shape[:2] == (675, 1200)
    kinds = {output.output_type for cell in executed.cells for output in cell.outputs}
    assert kinds == {"display_data"}, "nothing is written in red"


def test_pictures_after_an_explorer_come_as_ever(executed):
    assert [set(output.data) for output in executed.cells[2].outputs] == [{"image/png", "text/plain"}]


@pytest.mark.parametrize("state", [True, False], ids=["with the state of the widgets", "without"])
def test_a_page_made_from_it_shows_picture_and_words(executed, state):
    notebook = nbformat.from_dict(executed)
    if not state:
        notebook.metadata = {key: value for key, value in notebook.metadata.items() if key != "widgets"}
    page = HTMLExporter(template_name="lab").from_notebook_node(notebook)[0]
    body = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert body.count('<img alt="champions: 1 customer') == 1 and "To move the controls" in body
    assert "VBox" not in body and "Explorer(" not in body


@pytest.mark.browser
def test_a_page_without_a_kernel_shows_the_picture_and_one_with_the_explorer_hides_it(executed, tmp_path, browser):
    page_file = tmp_path / "page.html"
    page_file.write_text(HTMLExporter(template_name="lab").from_notebook_node(executed)[0], encoding="utf-8")
    page = browser.new_page()
    page.goto(page_file.as_uri(), wait_until="domcontentloaded")
    still = page.locator(".cimlab-still img")
    assert still.is_visible() and still.bounding_box()["width"] > 500
    # What JupyterLab puts there: the explorer itself in the output before the picture.
    page.evaluate("document.querySelector('.jupyter-widgets').classList.add('cimlab-live')")
    assert not still.is_visible()
    page.close()
