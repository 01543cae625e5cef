"""The explorer of the profit curve: what it says is what the functions count, at each place of the controls."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from cimlab import mining, plots, widgets


@pytest.fixture(scope="module")
def scored():
    draw = np.random.default_rng(5)
    score = draw.random(300).round(3)
    return pd.DataFrame({"score": score, "actual": draw.random(300) < score})


def test_what_it_says_is_what_is_counted(scored):
    explorer = widgets.profit_explorer(scored, value=100, cost=5, success=0.1)
    assert list(explorer.controls) == ["cost", "value", "contacted"] and explorer.controls["contacted"].value == 60
    for cost, value, contacted in [(5, 100, 60), (7.5, 150, 120), (0, 40, 300), (2.5, 300, 7)]:
        for name, place in {"cost": cost, "value": value, "contacted": contacted}.items():
            explorer.controls[name].value = place
        curve = mining.profit_curve(scored["actual"], scored["score"], value, cost, 0.1)
        row, best = curve.loc[contacted], mining.best_contacts(curve)
        said = explorer.sentence
        assert said.startswith(
            f"Contact {contacted} of 300 customers, those with a score of {row['score']:.2f} or more"
        )
        assert f"Precision {row['precision']:.2f}" in said and f"Recall {row['recall']:.2f}" in said
        assert f"Profit {row['profit']:,.0f} CNY" in said
        assert f"The best is {best['contacted']:,.0f} contacts: {best['profit']:,.0f} CNY" in said
        assert f"from a probability of {cost / (value * 0.1):.2f} on" in said or cost > value * 0.1
        page = explorer.children[-1].value
        assert page.count(said) == 2, "once above the picture, once for those who cannot see it"
        assert base64.b64decode(re.search(r'base64,([^"]+)"', page).group(1)) == explorer.picture


def test_the_picture_follows(scored, monkeypatch):
    calls, real = [], plots.profit

    def keep(*args, **named):
        calls.append((args, named))
        return real(*args, **named)

    monkeypatch.setattr(plots, "profit", keep)
    explorer = widgets.profit_explorer(scored, contacted=10)
    before = explorer.picture
    explorer.controls["contacted"].value = 200
    assert [named["chosen"] for _, named in calls] == [10, 200] and explorer.picture != before
    assert calls[-1][0][1].startswith("200 contacts earn ")


def test_nobody_and_nothing_that_pays(scored):
    explorer = widgets.profit_explorer(scored, value=10, cost=5, contacted=0)
    assert explorer.sentence == (
        "Contact nobody of 300 customers. Profit 0 CNY. The best is 0 contacts: 0 CNY. No contact can pay."
    )


def test_bad_input(scored):
    with pytest.raises(ValueError, match="profit_explorer needs the column actual"):
        widgets.profit_explorer(scored[["score"]])
    with pytest.raises(ValueError, match="301 of 300 customers cannot be contacted"):
        widgets.profit_explorer(scored, contacted=301)
    with pytest.raises(ValueError, match="value must be above 0"):
        widgets.profit_explorer(scored, value=0)
    with pytest.raises(ValueError, match="all 300 customers did the same"):
        widgets.profit_explorer(scored.assign(actual=True))
