"""The shared charts, each drawn from what the analyses return on the retailer's own data."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from cimlab import analysis, load, plots
from cimlab.plots.style import luminance

TODAY = "2026-06-30"


@pytest.fixture(autouse=True)
def clean(clean_matplotlib):
    """Every test of this file begins with Matplotlib as it is at the start."""


@pytest.fixture(scope="module")
def orders():
    return load("orders").rename(columns={"customer_ref": "customer_id"})


@pytest.fixture(scope="module")
def monthly(orders):
    """Sales per month and channel."""
    month = orders["ordered_at"].dt.to_period("M").rename("month")
    return orders.pivot_table(index=month, columns="channel", values="amount", aggfunc="sum")


@pytest.fixture(scope="module")
def customers(orders):
    return analysis.rfm(orders, as_of=TODAY)


@pytest.fixture(scope="module")
def shops(orders):
    """Indicators of each shop, on one scale."""
    till = orders[orders["channel"] == "till"].groupby("store_id")
    table = till.agg(sales=("amount", "sum"), tickets=("amount", "size"), mean=("amount", "mean"))
    return analysis.scale_indicators(table)


def title(ax):
    return ax.get_title(loc="left") or ax.get_title()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def dashes(lines):
    return [str(line._unscaled_dash_pattern) for line in lines]


def read(ax):
    """Draw the picture, and return the boxes of all words in it, by word; none may be cut off."""
    figure = ax.figure
    figure.canvas.draw()
    texts = [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
    texts += [tick.label1 for axis in (ax.xaxis, ax.yaxis) for tick in axis._update_ticks()]
    texts += ax.get_legend().get_texts() if ax.get_legend() else []
    # Text's own extent: that of an annotation also holds its arrow.
    boxes = {text.get_text(): Text.get_window_extent(text) for text in texts if text.get_text() and text.get_visible()}
    page = figure.bbox.padded(1)
    cut = [word for word, box in boxes.items() if not (page.containsx(box.x0) and page.containsx(box.x1))]
    cut += [word for word, box in boxes.items() if not (page.containsy(box.y0) and page.containsy(box.y1))]
    assert not cut, f"cut off: {cut}"
    return boxes


def overlapping(boxes):
    pairs = itertools.combinations(boxes.items(), 2)
    return [(one, two) for (one, box), (two, other) in pairs if box.overlaps(other)]


@pytest.fixture
def style():
    plots.use_house_style()


@pytest.mark.usefixtures("style")
class TestLines:
    def test_draws_each_column_and_names_it_at_its_end(self, monthly):
        ax = plots.lines(monthly, title="Sales by channel 渠道", unit="sales (CNY)")
        boxes = read(ax)
        assert title(ax) == "Sales by channel 渠道"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("month", "sales (CNY)")
        drawn = {line.get_label(): line for line in ax.lines}
        assert list(drawn) == list(monthly.columns)
        np.testing.assert_array_equal(drawn["web"].get_ydata(), monthly["web"].to_numpy())
        assert len(set(dashes(ax.lines))) == len({line.get_marker() for line in ax.lines}) == monthly.shape[1]
        for name in monthly.columns:
            end = ax.transData.transform(drawn[name].get_xydata()[-1])
            assert boxes[name].x0 > end[0] and abs(boxes[name].y0 + boxes[name].height / 2 - end[1]) < 25

    def test_a_missing_value_is_a_gap(self, monthly):
        ax = plots.lines(monthly, title="t", unit="u")
        assert np.isnan(ax.lines[0].get_ydata()).sum() == monthly.iloc[:, 0].isna().sum()

    @pytest.mark.parametrize(("freq", "written"), [("M", "2025-01"), ("Q", "2025Q1"), ("Y", "2025")])
    def test_dates_are_written_as_in_the_table(self, orders, freq, written):
        sales = orders.groupby(orders["ordered_at"].dt.to_period(freq))["amount"].sum()
        ax = plots.lines(sales, title="t", unit="u")
        ticks = {word: box for word, box in read(ax).items() if word.startswith("20")}
        assert written in ticks and not overlapping(ticks)

    @pytest.mark.parametrize("width", [4, 8, 14])
    @pytest.mark.parametrize("days", [20, 90, 200, 730])
    def test_dates_do_not_stand_upon_each_other(self, orders, days, width):
        daily = orders.groupby(orders["ordered_at"].dt.to_period("D")).size().tail(days)
        ax = plots.lines(daily, title="t", unit="orders", ax=plt.subplots(figsize=(width, 3))[1])
        ticks = {word: box for word, box in read(ax).items() if word.startswith("20")}
        assert len(ticks) >= 2 and not overlapping(ticks)

    def test_eight_names_at_one_height_stay_apart(self):
        table = pd.DataFrame({f"shop {number}": [number, 5 + number / 100] for number in range(8)})
        boxes = read(plots.lines(table, title="t", unit="u"))
        names = {word: box for word, box in boxes.items() if word.startswith("shop")}
        assert len(names) == 8 and not overlapping(names)

    def test_an_index_of_names_or_numbers(self):
        ax = plots.lines(pd.DataFrame({"a": [1, 2], "b": [2, 1]}, index=["Jan", "Feb"]), title="t", unit="u")
        assert [label.get_text() for label in ax.get_xticklabels()] == ["Jan", "Feb"]
        ax = plots.lines(pd.DataFrame({"a": [1, 2], "b": [2, 1]}, index=[10, 20]), title="t", unit="u")
        assert list(ax.lines[0].get_xdata()) == [10, 20]

    def test_bad_tables(self, customers):
        with pytest.raises(ValueError, match=r"column customer_id holds no numbers.*set_index\('customer_id'\)"):
            plots.lines(customers, title="t", unit="u")
        with pytest.raises(ValueError, match="9 lines are too many to tell apart; choose up to 8"):
            plots.lines(pd.DataFrame({number: [1.0] for number in range(9)}), title="t", unit="u")
        with pytest.raises(ValueError, match="nothing to draw"):
            plots.lines(pd.DataFrame({"a": [np.nan]}), title="t", unit="u")
        with pytest.raises(ValueError, match=r"draws a table .* not a list"):
            plots.lines([1, 2], title="t", unit="u")


@pytest.mark.usefixtures("style")
class TestForecast:
    def test_history_is_solid_and_forecasts_are_not(self, monthly):
        till = monthly["till"]
        ahead = {"seasonal naive": analysis.seasonal_naive(till, 6), "trend": analysis.linear_trend(till, 6)}
        ax = plots.forecast(till, ahead, "Two futures", "sales (CNY)")
        read(ax)
        assert legend(ax) == ["history", "seasonal naive", "trend"] and ax.get_ylabel() == "sales (CNY)"
        assert title(ax) == "Two futures"
        assert ax.lines[0].get_linestyle() == "-" and {line.get_linestyle() for line in ax.lines[1:]}.isdisjoint({"-"})
        assert len(set(dashes(ax.lines))) == 3 and ax.lines[0].get_marker() == "None"
        assert len({line.get_marker() for line in ax.lines}) == 3
        np.testing.assert_array_equal(ax.lines[2].get_ydata(), ahead["trend"].to_numpy())
        assert ax.lines[1].get_xdata()[0] > ax.lines[0].get_xdata()[-1]

    def test_the_band_lies_between_its_ends(self, monthly):
        ahead = analysis.linear_trend(monthly["till"], 3)
        ax = plots.forecast(monthly["till"], ahead, "t", "u", lower=ahead - 500, upper=ahead + 700, band="8 of 10")
        assert legend(ax) == ["history", "8 of 10", "forecast"]
        heights = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(ahead.min() - 500) and heights.max() == pytest.approx(ahead.max() + 700)

    def test_days_and_a_table_of_forecasts(self, orders):
        daily = orders.groupby(orders["ordered_at"].dt.to_period("D")).size()
        table = pd.DataFrame({"trend": analysis.linear_trend(daily, 14), "mean": analysis.moving_average(daily, 14)})
        ax = plots.forecast(daily.tail(60), table, "t", "orders")
        read(ax)
        assert legend(ax) == ["history", "trend", "mean"]

    def test_bad_series(self, monthly):
        till = monthly["till"]
        ahead = analysis.linear_trend(till, 3)
        with pytest.raises(ValueError, match="a band has two ends"):
            plots.forecast(till, ahead, "t", "u", lower=ahead)
        with pytest.raises(ValueError, match=r"mine must be a Series .* not a list"):
            plots.forecast(till, {"mine": [1, 2]}, "t", "u")
        with pytest.raises(ValueError, match=r"mine is indexed by int64, the history by period\[M\]; .* same periods"):
            plots.forecast(till, {"mine": pd.Series([1.0])}, "t", "u")
        with pytest.raises(ValueError, match="same periods"):
            plots.forecast(till, ahead.set_axis(ahead.index.asfreq("Q")), "t", "u")
        with pytest.raises(ValueError, match="mine holds no numbers"):
            plots.forecast(till, {"mine": pd.Series([np.nan], index=ahead.index[:1])}, "t", "u")
        with pytest.raises(ValueError, match="9 lines are too many"):
            plots.forecast(till, {str(number): ahead for number in range(8)}, "t", "u")


@pytest.mark.usefixtures("style")
class TestRadar:
    def test_draws_closed_profiles_on_named_spokes(self, shops):
        points = analysis.radar_points(shops.head(3))
        ax = plots.radar(points, title="Three profiles 雷达图")
        boxes = read(ax)
        assert not overlapping({word: boxes[word] for word in ("sales", "tickets", "mean")})
        assert [label.get_text() for label in ax.get_xticklabels()] == ["sales", "tickets", "mean"]
        assert legend(ax) == list(shops.index[:3]) and title(ax).startswith("Three")
        assert len(set(dashes(ax.lines))) == len({line.get_marker() for line in ax.lines}) == 3
        for line, name in zip(ax.lines, shops.index, strict=False):
            np.testing.assert_allclose(line.get_ydata()[:-1], shops.loc[name])
            assert line.get_ydata()[0] == line.get_ydata()[-1]
        assert ax.get_ylim() == (0, 1)

    def test_standard_scores_below_zero_lie_inside(self, shops):
        points = analysis.radar_points(analysis.scale_indicators(shops, method="z"))
        ax = plots.radar(points[points["name"].isin(shops.index[:2])], title="t")
        assert ax.get_ylim()[0] < points["value"].min() or ax.get_ylim()[0] < min(ax.lines[0].get_ydata())

    def test_bad_points(self, shops):
        points = analysis.radar_points(shops.head(2))
        with pytest.raises(ValueError, match="radar needs the column angle; the table has: name, indicator, value"):
            plots.radar(points.drop(columns="angle"), title="t")
        with pytest.raises(ValueError, match="ST01 has no value of sales; fill it"):
            plots.radar(points.assign(value=np.nan), title="t")
        with pytest.raises(ValueError, match="12 profiles are too many"):
            plots.radar(analysis.radar_points(shops), title="t")
        with pytest.raises(ValueError, match=r'ax must be polar axes.*"projection": "polar"'):
            plots.radar(points, title="t", ax=plt.subplots()[1])


@pytest.mark.usefixtures("style")
class TestPareto:
    def test_marks_what_the_best_bring(self, customers):
        curve = analysis.pareto_curve(customers, "monetary")
        brings = analysis.pareto_shares(customers, "monetary", parts=[0.2])["value_share"][0]
        ax = plots.pareto(curve, title="The best fifth", value="revenue")
        read(ax)
        assert ax.texts[0].get_text() == f"20 % of the customers\nbring {100 * brings:.0f} % of the revenue"
        assert (ax.get_xlabel()[-3:], ax.get_ylabel()) == ("(%)", "share of the revenue (%)")
        curve_line, equal = ax.lines[:2]
        assert curve_line.get_xydata()[0].tolist() == [0, 0] and curve_line.get_ydata()[-1] == pytest.approx(100)
        assert len(curve_line.get_ydata()) == len(customers) + 1
        assert equal.get_xydata().tolist() == [[0, 0], [100, 100]]
        assert len(set(dashes(ax.lines[:2]))) == 2 and "if all brought the same" in legend(ax)

    def test_without_a_mark(self, customers):
        ax = plots.pareto(analysis.pareto_curve(customers, "monetary"), title="t", mark=None)
        assert len(ax.lines) == 2 and not ax.texts

    def test_bad_input(self, customers):
        with pytest.raises(ValueError, match="pareto needs the column customers_share and value_share; the table has"):
            plots.pareto(customers, title="t")
        curve = analysis.pareto_curve(customers, "monetary")
        with pytest.raises(ValueError, match=r"20 % is 0\.2\), not 20"):
            plots.pareto(curve, title="t", mark=20)


def cells(ax):
    """Return {(row, column): text} and the contrast of each text with its cell."""
    written, contrasts = {}, []
    tones = ax.images[0].get_array()
    for text in ax.texts:
        column, row = map(int, text.get_position())
        written[row, column] = text.get_text()
        behind = "white" if np.ma.is_masked(tones[row, column]) else ax.images[0].to_rgba(tones)[row, column][:3]
        light = sorted(luminance(color) + 0.05 for color in (behind, text.get_color()))
        contrasts.append(light[1] / light[0])
    return written, contrasts


@pytest.mark.usefixtures("style")
class TestHeatmaps:
    @pytest.mark.parametrize(("period", "age"), [("M", "months"), ("Q", "quarters"), ("W", "weeks")])
    def test_cohorts_are_percent_and_blank_where_the_future_is(self, orders, period, age):
        recent = orders[orders["ordered_at"] >= ("2026-04-01" if period == "W" else "2024-07-01")]
        table = analysis.cohort_table(analysis.cohort_counts(recent, as_of=TODAY, period=period))
        ax = plots.cohort_heatmap(table, title="Few come back 同期群")
        read(ax)
        written, contrasts = cells(ax)
        numbers = table.to_numpy()
        assert set(written) == {(int(row), int(column)) for row, column in np.argwhere(~np.isnan(numbers))}
        assert all(written[cell] == f"{100 * numbers[cell]:.0f}" for cell in written)
        assert min(contrasts) >= 4.5
        assert ax.get_xlabel() == f"age ({age} since the first purchase)" and ax.get_ylabel() == "first purchase"
        assert ax.figure.axes[1].get_ylabel() == "% of the cohort" and ax.images[0].get_cmap().name == "cividis"

    def test_what_is_one_hundred_everywhere_takes_no_colour(self, orders):
        table = analysis.cohort_table(analysis.cohort_counts(orders, as_of=TODAY, period="Q"))
        picture = plots.cohort_heatmap(table, title="t").images[0]
        later = 100 * table.iloc[:, 1:]
        assert picture.get_array().mask[:, 0].all()
        assert picture.get_clim() == pytest.approx((later.min(axis=None), later.max(axis=None)))

    def test_money_is_no_percent(self, orders):
        counts = analysis.cohort_counts(orders, as_of=TODAY, period="Q")
        ax = plots.cohort_heatmap(analysis.cohort_table(counts, "revenue"), title="t", unit="revenue (CNY)")
        first = counts["revenue"][0]
        assert ax.texts[0].get_text() == f"{first / 1000:,.1f}k" and ax.figure.axes[1].get_ylabel() == "revenue (CNY)"
        assert not np.ma.getmaskarray(ax.images[0].get_array())[:, 0].any()

    def test_heatmap_names_rows_and_columns(self, customers):
        scored = analysis.rfm_scores(customers)
        table = pd.crosstab(scored["r_score"], scored["f_score"])
        ax = plots.heatmap(table, "Scores", "customers", xlabel="frequency score", ylabel="recency score")
        assert [label.get_text() for label in ax.get_yticklabels()] == [str(name) for name in table.index]
        assert [label.get_text() for label in ax.get_xticklabels()] == [str(name) for name in table.columns]
        assert (ax.get_xlabel(), ax.get_ylabel(), title(ax)) == ("frequency score", "recency score", "Scores")
        assert ax.texts[0].get_text() == f"{table.iloc[0, 0]:,}"
        assert ax.figure.axes[1].get_ylabel() == "customers" and min(cells(ax)[1]) >= 4.5

    def test_cividis_runs_from_dark_to_light(self):
        light = [luminance(color) for color in matplotlib.colormaps["cividis"](np.linspace(0, 1, 9))[:, :3]]
        assert all(two > one for one, two in itertools.pairwise(light))

    def test_bad_tables(self, orders):
        counts = analysis.cohort_counts(orders, as_of=TODAY, period="Q")
        with pytest.raises(ValueError, match="the column cohort holds no numbers"):
            plots.cohort_heatmap(counts, title="t")
        with pytest.raises(ValueError, match="heatmap: the table holds no numbers, there is nothing to draw"):
            plots.heatmap(pd.DataFrame({"a": [np.nan]}), "t", "u")


@pytest.mark.usefixtures("style")
class TestScatter:
    def test_draws_every_complete_row_and_the_line(self, customers):
        ax = plots.scatter(customers, "frequency", "monetary", "Who comes often", "orders", "spend (CNY)", trend=True)
        read(ax)
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), customers[["frequency", "monetary"]])
        x, y = ax.lines[0].get_xydata().T
        slope, start = np.polyfit(customers["frequency"], customers["monetary"], 1)
        np.testing.assert_allclose(y, start + slope * x)
        assert (ax.get_xlabel(), ax.get_ylabel(), title(ax)) == ("orders", "spend (CNY)", "Who comes often")
        assert ax.lines[0].get_linestyle() == "--" and legend(ax) == ["line that\nfits best"]

    def test_no_line_unless_asked_and_missing_rows_left_out(self):
        table = pd.DataFrame({"x": [1.0, 2.0, np.nan], "y": [1.0, np.nan, 3.0]})
        ax = plots.scatter(table, "x", "y", "t", "x", "y")
        assert not ax.lines and ax.collections[0].get_offsets().tolist() == [[1, 1]]

    def test_many_points_are_pale(self, customers):
        alpha = [
            plots.scatter(customers.head(size), "frequency", "monetary", "t", "x", "y").collections[0].get_alpha()
            for size in (10, 2000)
        ]
        assert alpha[0] > 0.6 > 0.3 > alpha[1]

    def test_bad_tables(self, customers):
        with pytest.raises(ValueError, match="scatter needs the column visits; the table has: customer_id"):
            plots.scatter(customers, "visits", "monetary", "t", "x", "y")
        with pytest.raises(ValueError, match="the column customer_id holds no numbers"):
            plots.scatter(customers, "customer_id", "monetary", "t", "x", "y")
        with pytest.raises(ValueError, match="no row has both x and y"):
            plots.scatter(pd.DataFrame({"x": [1.0, np.nan], "y": [np.nan, 1.0]}), "x", "y", "t", "x", "y")
        with pytest.raises(ValueError, match="x is the same in all rows"):
            plots.scatter(pd.DataFrame({"x": [1.0, 1.0], "y": [2.0, 1.0]}), "x", "y", "t", "x", "y", trend=True)


@pytest.mark.usefixtures("style")
class TestStackedBar:
    @pytest.fixture
    def owed(self):
        table = analysis.ageing_table(load("enterprise_orders"), as_of=TODAY, by="enterprise_id")
        return table.set_index("enterprise_id")

    def test_parts_stand_beside_each_other_and_differ_in_grey(self, owed):
        parts = owed.drop(columns="total").head(10)
        ax = plots.stacked_bar(parts, "Who owes most 账龄", "open invoices (CNY)", category="enterprise")
        read(ax)
        assert legend(ax) == list(parts.columns)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("open invoices (CNY)", "enterprise")
        assert len({container[0].get_hatch() for container in ax.containers}) == parts.shape[1]
        start = np.zeros(10)
        for container, column in zip(ax.containers, parts, strict=True):
            np.testing.assert_allclose([bar.get_x() for bar in container], start)
            np.testing.assert_allclose([bar.get_width() for bar in container], parts[column])
            start = start + parts[column].to_numpy()
        assert [text.get_text() for text in ax.texts] == [f"{total:,.0f}" for total in owed["total"].head(10)]
        assert [label.get_text() for label in ax.get_yticklabels()] == list(parts.index) and ax.yaxis_inverted()
        assert ax.get_xlim()[0] == 0 and ax.get_legend().get_window_extent().x0 > ax.bbox.x1

    def test_bad_tables(self, owed):
        with pytest.raises(ValueError, match="the column total is the sum of the others; leave it out"):
            plots.stacked_bar(owed, "t", "u")
        with pytest.raises(ValueError, match=r"column enterprise_id holds no numbers.*set_index\('enterprise_id'\)"):
            plots.stacked_bar(owed.reset_index(), "t", "u")
        with pytest.raises(ValueError, match="a part is below 0"):
            plots.stacked_bar(pd.DataFrame({"a": [1.0], "b": [-1.0]}), "t", "u")


@pytest.mark.usefixtures("style")
class TestIntervals:
    @pytest.fixture
    def pairs(self, customers):
        found = analysis.correlate_all(customers, ["recency", "frequency", "monetary"])
        return found.set_index(found["x"] + " and " + found["y"])

    def test_draws_points_and_intervals_in_order(self, pairs):
        ax = plots.intervals(pairs, "r", "low", "high", "What goes with what", "r, with 95 % interval")
        read(ax)
        assert [label.get_text() for label in ax.get_yticklabels()] == list(pairs.index)
        assert ax.get_ylim()[0] > ax.get_ylim()[1]
        np.testing.assert_allclose(ax.lines[0].get_xdata(), pairs["r"])
        spans = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
        np.testing.assert_allclose(spans, pairs[["low", "high"]])
        assert [text.get_text() for text in ax.texts] == [f"{r:.3g}" for r in pairs["r"]]
        assert (ax.get_xlabel(), title(ax)) == ("r, with 95 % interval", "What goes with what")

    def test_zero_is_marked_if_it_lies_between(self, pairs):
        marked = plots.intervals(pairs, "r", "low", "high", "t", "u").lines[1:]
        assert [list(line.get_xdata()) for line in marked] == [[0, 0]]
        above = pairs[pairs["low"] > 0]
        assert len(plots.intervals(above, "r", "low", "high", "t", "u").lines) == 1

    def test_a_missing_end_leaves_the_point_alone(self):
        table = pd.DataFrame({"r": [0.5, 0.2], "low": [np.nan, 0.1], "high": [np.nan, 0.3]}, index=["a", "b"])
        ax = plots.intervals(table, "r", "low", "high", "t", "u")
        ax.figure.canvas.draw()
        assert list(ax.lines[0].get_xdata()) == [0.5, 0.2]

    def test_bad_tables(self, pairs):
        with pytest.raises(ValueError, match="intervals needs the column lower; the table has: "):
            plots.intervals(pairs, "r", "lower", "high", "t", "u")
        with pytest.raises(ValueError, match="r of frequency and monetary does not lie between high and low"):
            plots.intervals(pairs, "r", "high", "low", "t", "u")


@pytest.mark.usefixtures("style")
def test_titles_find_room_in_several_lines():
    long = "The best customers bring most of the sales, and most of those who came once never came again until today"
    chinese = "老客户带来大部分销售额，而大多数只来过一次的客户直到今天都没有再次光顾我们的任何一家门店或网上商店"
    for text in (long, chinese * 2):
        ax = plots.bar(pd.Series({"a": 1.0}), text, "u")
        assert "\n" in title(ax) and title(ax).replace("\n", " ").replace(" ", "") == text.replace(" ", "")
        read(ax)


def test_large_numbers_on_the_axes_have_their_commas(monthly):
    ax = plots.lines(monthly, title="t", unit="u")
    ax.figure.canvas.draw()
    assert "10,000" in [label.get_text() for label in ax.get_yticklabels()]


def test_every_chart_draws_where_it_is_told(monthly, customers):
    curve = analysis.pareto_curve(customers, "monetary")
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 4.0]})
    charts = [
        lambda ax: plots.lines(monthly, "t", "u", ax=ax),
        lambda ax: plots.forecast(monthly["till"], analysis.linear_trend(monthly["till"], 3), "t", "u", ax=ax),
        lambda ax: plots.pareto(curve, "t", ax=ax),
        lambda ax: plots.heatmap(table, "t", "u", ax=ax),
        lambda ax: plots.cohort_heatmap(table, "t", ax=ax),
        lambda ax: plots.scatter(table, "a", "b", "t", "x", "y", ax=ax),
        lambda ax: plots.stacked_bar(table, "t", "u", ax=ax),
        lambda ax: plots.intervals(table.assign(c=5.0), "b", "a", "c", "t", "u", ax=ax),
    ]
    for chart in charts:
        ax = plt.subplots()[1]
        assert chart(ax) is ax
        assert len(plt.get_fignums()) == 1
        plt.close("all")
