"""The explorer of segments: what is told and drawn is what the methods find."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from sklearn.metrics import silhouette_score

from cimlab import mining, plots, profiles, widgets

FRAME = {"habit": ["frequency"], "basket": ["basket"], "channel": ["share_web"]}


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(2)
    kind = np.repeat([0, 1, 2], [40, 30, 20])
    return pd.DataFrame(
        {
            "customer_id": [f"K{number:02d}" for number in range(90)],
            "frequency": np.array([4, 20, 5])[kind] + random.integers(0, 3, 90),
            "basket": np.array([40.0, 100, 220])[kind] * random.uniform(0.8, 1.2, 90),
            "share_web": np.array([0.1, 0.5, 0.9])[kind] + random.uniform(-0.1, 0.1, 90),
            "monetary": np.array([100.0, 3000, 900])[kind],
        }
    )


@pytest.fixture
def explorer(table):
    return widgets.cluster_explorer(table, FRAME, k=3)


def test_the_sentence_has_sizes_silhouette_and_revenue(table, explorer):
    scaled = profiles.scale_frame(table, FRAME)
    clear = silhouette_score(scaled, mining.segment_customers(scaled, 3))
    assert explorer.sentence == (
        "k-means, 3 segments: C1 40 customers (44 %), C2 30 customers (33 %), C3 20 customers (22 %). "
        f"Silhouette {clear:.2f}: clear groups. C2 brings most, 80 % of the revenue with 33 % of the customers."
    )


def test_a_moved_control_is_told_as_it_is_counted(table, explorer):
    scaled = profiles.scale_frame(table, FRAME)
    for method in mining.SEGMENT_METHODS:
        explorer.controls["method"].value = method
        for k in (2, 5):
            explorer.controls["k"].value = k
            found = mining.segment_customers(scaled, k, method)
            assert explorer.sentence.startswith(
                f"{method}, {found.nunique()} segments: C1 {(found == 'C1').sum()} cust"
            )
            page = explorer.children[-1].value
            assert page.count(explorer.sentence) == 2
            assert base64.b64decode(re.search(r'base64,([^"]+)"', page).group(1)) == explorer.picture


def test_the_same_choice_is_worked_out_once(table, monkeypatch):
    calls, real = [], mining.segment_customers
    monkeypatch.setattr(mining, "segment_customers", lambda *args: calls.append(args[1:3]) or real(*args))
    explorer = widgets.cluster_explorer(table, FRAME, k=3)
    before = explorer.picture
    explorer.controls["x"].value = "share_web"
    assert calls == [(3, "k-means")] and explorer.picture != before, "another axis needs no new segments"
    explorer.controls["k"].value = 4
    explorer.controls["k"].value = 3
    assert calls == [(3, "k-means"), (4, "k-means")]


def test_segments_differ_in_marker_too(table, monkeypatch):
    from matplotlib.axes import Axes

    looks, real = [], Axes.scatter

    def keep(self, x, y, **look):
        looks.append((look["color"], look["marker"], look.get("label")))
        return real(self, x, y, **look)

    monkeypatch.setattr(Axes, "scatter", keep)
    widgets.cluster_explorer(table, FRAME, k=8)
    named = [look for look in looks if look[2]]
    assert len({color for color, *_ in named}) == len({marker for _, marker, _ in named}) == 8
    assert [label[:3] for *_, label in named] == [f"C{number}:" for number in range(1, 9)]


def test_skewed_variables_have_a_logarithmic_axis(table, monkeypatch):
    from matplotlib.axes import Axes

    scales, real = [], Axes.legend
    monkeypatch.setattr(
        Axes,
        "legend",
        lambda ax, **look: scales.append((ax.get_xscale(), ax.get_yscale(), ax.get_ylabel())) or real(ax),
    )
    explorer = widgets.cluster_explorer(table, FRAME, k=3, labels={"basket": "basket (CNY)"})
    explorer.controls["y"].value = "share_web"
    assert scales == [("log", "log", "basket (CNY)"), ("log", "linear", "share web")]


def test_every_control_has_a_label_and_waits(explorer):
    assert [control.description for control in explorer.controls.values()] == ["Segments", "Method", "Across", "Up"]
    assert not explorer.controls["k"].continuous_update
    assert (explorer.controls["k"].min, explorer.controls["k"].max) == (2, 8)
    assert list(explorer.controls["x"].options) == ["frequency", "basket", "share_web"]
    assert image.imread(io.BytesIO(explorer.picture), format="png").shape[:2] == (675, 1200)
    assert len(plots.PALETTE) == 8


def test_bad_input(table):
    with pytest.raises(ValueError, match="cluster_explorer needs the column basket"):
        widgets.cluster_explorer(table.drop(columns="basket"), FRAME)
    with pytest.raises(ValueError, match="cluster_explorer needs the column spent"):
        widgets.cluster_explorer(table, FRAME, value="spent")
    with pytest.raises(ValueError, match="the frame must have two variables or more"):
        widgets.cluster_explorer(table, {"habit": ["frequency"]})
    with pytest.raises(ValueError, match="k is from 2 to 8 for 90 customers, k=9 is not"):
        widgets.cluster_explorer(table, FRAME, k=9)
    with pytest.raises(ValueError, match="k is from 2 to 4 for 9 customers"):
        widgets.cluster_explorer(table.iloc[::10], FRAME, k=5)
    with pytest.raises(ValueError, match="basket: 90 customers have a blank there"):
        widgets.cluster_explorer(table.assign(basket=np.nan), FRAME)


def test_where_nobody_brought_anything(table):
    assert widgets.cluster_explorer(table.assign(monetary=0.0), FRAME, k=3).sentence.endswith("They brought nothing.")
