"""The explorer of a choice: what it says is what the sums give, at each place of the controls."""

import numpy as np
import pandas as pd
import pytest

from cimlab import plots, strategy, widgets

SCORES, WEIGHTS = strategy.SCORES, strategy.WEIGHTS


def test_what_it_says_is_what_the_sums_give():
    explorer = widgets.choice_explorer(SCORES, WEIGHTS * 7, "cost")
    assert list(explorer.controls) == ["criterion", "weight"] and explorer.controls["weight"].value == 0.15
    for criterion, weight in [("cost", 0.15), ("cost", 0.6), ("security", 0.0), ("security", 1.0), ("functions", 0.37)]:
        explorer.controls["criterion"].value = criterion
        explorer.controls["weight"].value = weight
        others = WEIGHTS.drop(criterion)
        moved = pd.concat([others * (1 - weight) / others.sum(), pd.Series({criterion: weight})])
        sums = {name: sum(SCORES.loc[name, c] * moved[c] for c in moved.index) for name in SCORES.index}
        best = max(sums.values())
        said = explorer.sentence
        assert said.startswith(f"With a weight of {weight:.2f} for {criterion} (given: {WEIGHTS[criterion]:.2f}), ")
        first = [name for name, total in sums.items() if total == pytest.approx(best)]
        assert all(name in said.split(" points")[0] for name in first) and f"with {best:.2f} points" in said
        if len(first) == 1:
            second = max(total for name, total in sums.items() if name != first[0])
            assert f"{best - second:.2f} more than" in said
        parts = strategy.break_point(SCORES, WEIGHTS, criterion)
        assert said.endswith(f"{', then '.join(parts['winner'])}.")
        assert all(f"{change:.2f}" in said for change in parts["from_weight"].iloc[1:])
        assert explorer.children[-1].value.count(said.replace("'", "&#x27;")) == 2


def test_a_new_criterion_starts_at_its_given_weight():
    explorer = widgets.choice_explorer(SCORES, WEIGHTS)
    assert explorer.controls["criterion"].value == "requirements"
    explorer.controls["weight"].value = 0.9
    explorer.controls["criterion"].value = "security"
    assert explorer.controls["weight"].value == 0.2 and "0.20 for security (given: 0.20)" in explorer.sentence


def test_the_picture_follows_and_shows_the_straight_lines(monkeypatch):
    drawn, real = [], plots.lines

    def keep(table, title, unit, ax=None):
        drawn.append((table, title))
        return real(table, title, unit, ax=ax)

    monkeypatch.setattr(plots, "lines", keep)
    explorer = widgets.choice_explorer(SCORES, WEIGHTS, "cost")
    before = explorer.picture
    explorer.controls["weight"].value = 0.5
    assert explorer.picture != before and len(drawn) == 2
    table, title = drawn[-1]
    assert title == "With a weight of 0.50 for cost: open source"
    assert table.loc[1.0].to_dict() == pytest.approx(SCORES["cost"].to_dict())
    assert np.allclose(table.diff().dropna(), table.diff().iloc[1])


def test_one_winner_and_shared_places():
    sure = pd.DataFrame({"a": [5, 1], "b": [5, 1]}, index=["x", "y"])
    said = widgets.choice_explorer(sure, {"a": 1, "b": 1}, "a").sentence
    assert said.endswith("x wins with 5.00 points, 4.00 more than y. No weight of a changes the winner.")
    twins = widgets.choice_explorer(pd.DataFrame({"a": [4, 1], "b": [1, 4]}, index=["x", "y"]), {"a": 1, "b": 1}, "a")
    assert "x and y share the first place with 2.50 points." in twins.sentence


def test_a_criterion_that_has_all_the_weight_is_not_offered():
    explorer = widgets.choice_explorer(SCORES, WEIGHTS.where(WEIGHTS.index == "cost", 0), "security")
    assert "cost" not in explorer.controls["criterion"].options


def test_bad_input():
    with pytest.raises(ValueError, match="no criterion 'beauty'"):
        widgets.choice_explorer(SCORES, WEIGHTS, "beauty")
    with pytest.raises(ValueError, match="name different criteria"):
        widgets.choice_explorer(SCORES, WEIGHTS.drop("cost"))
    many = pd.concat([SCORES, SCORES.rename(index=lambda name: f"{name} 2")])
    with pytest.raises(ValueError, match="options"):
        widgets.choice_explorer(many, WEIGHTS)
