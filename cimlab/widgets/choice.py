"""The explorer of a choice: move the weight of one criterion, and see where the winner changes."""

import ipywidgets
import numpy as np
import pandas as pd

from cimlab import plots
from cimlab._explorer import Explorer

_LOOK = {"style": {"description_width": "190px"}, "layout": {"width": "500px"}, "continuous_update": False}


def choice_explorer(scores, weights, criterion=None):
    """Choose a criterion and move its weight; the others keep their proportions among themselves.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row an option (up to eight), a column a criterion; more is better. Leave out first what fails a must.
    weights : pandas.Series or dict
        Criterion → weight; divided by their sum.
    criterion : str, optional
        The criterion at the beginning; the first column when left out.

    Returns
    -------
    Explorer
        With the controls ``criterion`` and ``weight``.

    Raises
    ------
    ValueError
        As ``strategy.break_point``, or there are too many options.

    Examples
    --------
    >>> scores = pd.DataFrame({"security": [4, 1], "cost": [2, 5]}, index=["suite", "open"])
    >>> explorer = choice_explorer(scores, {"security": 0.6, "cost": 0.4}, "cost")
    >>> explorer.controls["weight"].value = 0.7
    >>> explorer.sentence
    'With a weight of 0.70 for cost (given: 0.40), open wins with 3.80 points, 1.20 more than suite. The winner changes
    at a weight of 0.50: suite, then open.'
    """
    from cimlab import strategy

    criterion = scores.columns[0] if criterion is None else criterion
    strategy.break_point(scores, weights, criterion)  # says in a sentence what does not fit
    plots.style.need_few(scores.index, "options", "choice_explorer")
    given = pd.Series(weights, dtype="float64")
    given = given / given.sum()
    movable = [name for name in scores.columns if given.drop(name).sum() > 0]

    def draw(ax, criterion, weight):
        parts = strategy.break_point(scores, given, criterion)
        grid = pd.Index(np.linspace(0, 1, 21), name=f"weight of {criterion}")
        sums = pd.DataFrame({share: _sums(scores, given, criterion, share) for share in grid}).T.set_axis(grid)
        now = _sums(scores, given, criterion, weight).round(12).sort_values(ascending=False, kind="stable")
        plots.lines(sums, _title(now, criterion, weight), "score (1 to 5)", ax=ax)
        ax.axvline(weight, color="black", linewidth=1.5)
        for change in parts["from_weight"].iloc[1:]:
            ax.axvline(change, color="#777777", linewidth=1, linestyle=":")
        return _say(now, parts, criterion, weight, given[criterion])

    controls = {
        "criterion": ipywidgets.Dropdown(
            options=movable,
            value=criterion,
            description="Criterion",
            style=_LOOK["style"],
            layout=_LOOK["layout"],
        ),
        "weight": ipywidgets.FloatSlider(
            value=round(given[criterion], 2), min=0, max=1, step=0.01, description="Its weight", **_LOOK
        ),
    }

    def follow(name):
        if name == "criterion":
            controls["weight"].value = round(given[controls["criterion"].value], 2)

    return Explorer(controls, draw, follow)


def _sums(scores, given, criterion, weight):
    """Return the score of each option if the criterion has this weight."""
    others = given.drop(criterion)
    return weight * scores[criterion] + (1 - weight) * (scores[others.index] @ (others / others.sum()))


def _first(now):
    """Name all options that share the first place."""
    return " and ".join(str(name) for name in now.index[now == now.iloc[0]])


def _title(now, criterion, weight):
    """Say in a title who wins."""
    return f"With a weight of {weight:.2f} for {criterion}: {_first(now)}"


def _say(now, parts, criterion, weight, given):
    """Say who wins, by how much, and where that changes."""
    said = f"With a weight of {weight:.2f} for {criterion} (given: {given:.2f}), "
    tied = (now == now.iloc[0]).sum() > 1
    said += f"{_first(now)} {'share the first place' if tied else 'wins'} with {now.iloc[0]:.2f} points"
    if not tied and len(now) > 1:
        said += f", {now.iloc[0] - now.iloc[1]:.2f} more than {now.index[1]}"
    if len(parts) == 1:
        return f"{said}. No weight of {criterion} changes the winner."
    places = " and ".join(f"{change:.2f}" for change in parts["from_weight"].iloc[1:])
    return f"{said}. The winner changes at a weight of {places}: {', then '.join(map(str, parts['winner']))}."
