"""The explorers of the database and the analysis: a match threshold, the RFM cells, a forecast."""

from functools import partial

import ipywidgets
from matplotlib.patches import Rectangle

from cimlab import plots
from cimlab._explorer import LOOK, Explorer
from cimlab.plots.style import need_columns

_THRESHOLDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, *[tenth / 10 for tenth in range(1, 10)]]
_THRESHOLDS += [0.95, 0.98, 0.99, 0.995, 0.998, 0.999]
_SEASONS = {"D": 7, "W": 52, "M": 12, "Q": 4}
_PERIODS = {"D": "days", "W": "weeks", "M": "months", "Q": "quarters"}
_OWN, _ALL = "own choice", "all customers"


def threshold_explorer(linked, reviewed, start=0.1):
    """Move the match threshold, and see what it does to precision, recall and F1.

    Parameters
    ----------
    linked : pandas.DataFrame
        As returned by ``database.link_records`` with a low threshold: record_id_a, record_id_b, probability.
    reviewed : pandas.DataFrame
        Table ``reviewed``: record_id, person_no.
    start : float, optional
        The threshold at the beginning; `linked` must reach down to it.

    Returns
    -------
    Explorer
        With one control, ``threshold``.

    Raises
    ------
    ValueError
        A column is missing, or `linked` begins above `start`.

    Examples
    --------
    >>> import pandas as pd
    >>> reviewed = pd.DataFrame({"record_id": ["r1", "r2"], "person_no": [1, 1]})
    >>> found = pd.DataFrame({"record_id_a": ["r1", "r1"], "record_id_b": ["r2", "r9"], "probability": [0.9, 0.1]})
    >>> explorer = threshold_explorer(found, reviewed)
    >>> explorer.controls["threshold"].value = 0.5
    >>> explorer.sentence
    'At the threshold 0.5, 1 pair is kept. Precision 1.00: of 100 pairs found, 100 are right. Recall 1.00: of 100 right
    pairs, 100 are found. F1 1.00.'
    """
    from cimlab import database

    need_columns(linked, ["record_id_a", "record_id_b", "probability"], "threshold_explorer")
    need_columns(reviewed, ["record_id", "person_no"], "threshold_explorer")
    lowest = linked["probability"].min()
    if not 0 < start < 1:
        raise ValueError(f"threshold_explorer: a threshold lies between 0 and 1, start={start} does not")
    floor = max([threshold for threshold in _THRESHOLDS if threshold <= lowest], default=lowest)
    if start < floor:
        raise ValueError(
            f"threshold_explorer: linked begins at the probability {lowest:.3g}, and what lies below is not known. "
            f"Call database.link_records(clean, threshold={start:g}) first, or begin higher: start={floor:g}"
        )
    choices = sorted({start, *[threshold for threshold in _THRESHOLDS if threshold >= floor]})
    table = database.score_thresholds(linked, reviewed, choices)
    kept = {choice: int(linked["probability"].ge(choice).sum()) for choice in choices}

    def draw(ax, threshold):
        row = table.set_index("threshold").loc[threshold]
        title = f"At {threshold:g}: precision {row['precision']:.2f}, recall {row['recall']:.2f}"
        if not row["found_pairs"]:
            title = f"At {threshold:g} no pair is left that can be judged"
        plots.threshold_curve(table, chosen=threshold, title=title, ax=ax)
        return _say_threshold(threshold, kept[threshold], row)

    slider = ipywidgets.SelectionSlider(
        options=[(f"{choice:g}", choice) for choice in choices],
        value=start,
        description="Match threshold",
        continuous_update=False,
        **LOOK,
    )
    return Explorer({"threshold": slider}, draw)


def rfm_explorer(scored):
    """Choose customers by recency and frequency, and see how many they are and what they bring.

    Parameters
    ----------
    scored : pandas.DataFrame
        As returned by ``analysis.rfm_scores`` or ``analysis.rfm_segments``: one row per customer, with r_score and
        f_score (1 to 5) and monetary (CNY).

    Returns
    -------
    Explorer
        With the controls ``segment`` (a name of ``analysis.RFM_SEGMENTS``), ``recency`` and ``frequency`` (scores from
        and to). A segment sets the scores; scores that make no segment are your own choice.

    Raises
    ------
    ValueError
        A column is missing, or a score is not from 1 to 5.

    Examples
    --------
    >>> import pandas as pd
    >>> scored = pd.DataFrame({"r_score": [5, 5, 1, 1], "f_score": [5, 1, 1, 1], "monetary": [70.0, 10.0, 10.0, 10.0]})
    >>> explorer = rfm_explorer(scored)
    >>> explorer.controls["segment"].value = "new"
    >>> explorer.controls["recency"].value
    (5, 5)
    >>> explorer.sentence
    'new: 1 customer, 25 % of all. They bring 10 CNY, 10 % of the revenue: 10 CNY each.'
    """
    from cimlab import analysis

    need_columns(scored, ["r_score", "f_score", "monetary"], "rfm_explorer")
    if not scored[["r_score", "f_score"]].isin(range(1, 6)).all(axis=None):
        raise ValueError("rfm_explorer: the scores must be from 1 to 5: call analysis.rfm_scores(table, bins=5)")
    segments = {_ALL: ((1, 5), (1, 5))} | {name: (cell["r"], cell["f"]) for name, cell in analysis.RFM_SEGMENTS.items()}
    cells = scored.groupby(["r_score", "f_score"]).size().unstack()
    cells = cells.reindex(index=range(5, 0, -1), columns=range(1, 6)).astype("float64")

    def draw(ax, segment, recency, frequency):
        chosen = scored[scored["r_score"].between(*recency) & scored["f_score"].between(*frequency)]
        size = len(chosen) / len(scored)
        revenue = chosen["monetary"].sum() / scored["monetary"].sum() if scored["monetary"].sum() else 0.0
        title = f"{segment}: {100 * size:.0f} % of the customers, {100 * revenue:.0f} % of the revenue"
        plots.heatmap(cells, title, "customers", xlabel="frequency score", ylabel="recency score", ax=ax)
        corner = (frequency[0] - 1.5, 5.5 - recency[1] - 1)
        for color, width in (("white", 7), ("black", 3)):  # two outlines: one of them is seen on any cell
            wide, high = frequency[1] - frequency[0] + 1, recency[1] - recency[0] + 1
            ax.add_patch(Rectangle(corner, wide, high, fill=False, edgecolor=color, linewidth=width, clip_on=False))
        return _say_customers(segment, chosen["monetary"], size, revenue)

    first = "champions"
    menu = ipywidgets.Dropdown(options=[*segments, _OWN], value=first, description="Segment", **LOOK)
    names = {"recency": "Recency score", "frequency": "Frequency score"}
    look = {"min": 1, "max": 5, "continuous_update": False, **LOOK}
    sliders = {
        name: ipywidgets.IntRangeSlider(value=value, description=names[name], **look)
        for name, value in zip(names, segments[first], strict=True)
    }

    def follow(moved):
        if moved != "segment":
            scores = sliders["recency"].value, sliders["frequency"].value
            menu.value = next((name for name, ranges in segments.items() if ranges == scores), _OWN)
        elif menu.value != _OWN:
            sliders["recency"].value, sliders["frequency"].value = segments[menu.value]

    return Explorer({"segment": menu, **sliders}, draw, follow)


def forecast_explorer(values, unit="value", season=None):
    """Choose a method and how far to look ahead, and see the forecast and what the back-test says of it.

    The band holds 8 of 10 errors of the back-test. The baseline is the seasonal naive forecast. To keep you from
    waiting, the back-test takes about eight stands in the second half of the series.

    Parameters
    ----------
    values : pandas.Series
        One value per period, in order, none left out, such as purchases per day.
    unit : str, optional
        What the values are, with the unit: ``"purchases a day"``.
    season : int, optional
        Periods after which the pattern comes again; if not given, 7 days, 52 weeks, 12 months, 4 quarters.

    Returns
    -------
    Explorer
        With the controls ``method`` and ``horizon``. Methods for which the series is too short are not offered.

    Raises
    ------
    ValueError
        The season cannot be told from the index, a period or a value is missing, or the series is too short.

    References
    ----------
    See ``analysis.backtest`` and ``analysis.score_forecasts``.

    Examples
    --------
    >>> import pandas as pd
    >>> months = pd.period_range("2023-01", periods=36, freq="M")
    >>> explorer = forecast_explorer(pd.Series([10.0, 20.0, 30.0] * 12, index=months), unit="sales (CNY)")
    >>> explorer.controls["method"].value, explorer.controls["horizon"].value
    ('mean of the last 12', 6)
    """
    from cimlab import analysis

    kind = str(getattr(getattr(values, "index", None), "freqstr", None) or "?")[0]
    season, periods = season or _SEASONS.get(kind), _PERIODS.get(kind, "periods")
    if season is None:
        raise ValueError("forecast_explorer: the index does not say what a season is; give it, season=7 for days")
    analysis.seasonal_naive(values, 1, season)  # what is wrong with the values, it says in its own words
    least = max(2 * season, 8)
    if len(values) < least:
        raise ValueError(
            f"forecast_explorer: {len(values)} periods are too few, {least} are needed: two seasons or more"
        )
    longest = min(_stretch(season), len(values) // 4)
    first = max(len(values) // 2, season)
    methods = _methods(values.iloc[:first], season)
    known = {}

    def draw(ax, method, horizon):
        if (method, horizon) not in known:
            known[method, horizon] = _judge(values, methods, method, horizon, first, season)
        ahead, low, high, told, title = known[method, horizon]
        shown = values.tail(max(3 * season, 3 * horizon))
        band = {"lower": low, "upper": high, "band": "8 of 10 past errors"}
        plots.forecast(shown, {method: ahead}, title, unit, **band, ax=ax)
        return told.replace("periods", periods if horizon > 1 else periods[:-1])

    usual = min(_stretch(season) // 2, longest)
    menu = ipywidgets.Dropdown(options=list(methods), value=list(methods)[1], description="Method", **LOOK)
    slider = ipywidgets.IntSlider(
        value=usual,
        min=1,
        max=longest,
        description=f"{periods.capitalize()} ahead",
        continuous_update=False,
        **LOOK,
    )
    return Explorer({"method": menu, "horizon": slider}, draw)


def _stretch(season):
    """Return how far one looks back and ahead: four short seasons, such as weeks, or one long season."""
    return 4 * season if season <= 7 else season


def _methods(past, season):
    """Return the methods that can forecast from so short a past, by name; the baseline is the first."""
    from cimlab import analysis

    window = _stretch(season)
    methods = {
        "seasonal naive": partial(analysis.seasonal_naive, season=season),
        f"mean of the last {window}": partial(analysis.moving_average, window=window),
        "smoothing": analysis.exponential_smoothing,
        "trend": analysis.linear_trend,
        "trend and season": partial(analysis.seasonal_trend, season=season),
        "Holt-Winters": partial(analysis.holt_winters, season=season),
    }

    def works(method):
        try:
            method(past, 1)
        except ValueError:
            return False
        return True

    return {name: method for name, method in methods.items() if works(method)}


def _judge(values, methods, name, horizon, first, season):
    """Forecast with one method, and test it in the past against the baseline.

    Returns the forecast, the two ends of its band, a sentence and a title.
    """
    from cimlab import analysis

    baseline = "seasonal naive"
    every = max(1, (len(values) - first - horizon) // 7)
    every += every > 1 and every % season == 0  # else all stands would be the same day of the week
    pair = {baseline: methods[baseline], name: methods[name]}
    tested = analysis.backtest(values, pair, horizon=horizon, first=first, every=every)
    scores = analysis.score_forecasts(tested, baseline).set_index("method")
    own = tested[tested["method"] == name]
    missed = own["actual"] - own["forecast"]
    ahead = methods[name](values, horizon)
    ratio, mae, base = scores.loc[name, "relative_mae"], scores.loc[name, "mae"], scores.loc[baseline, "mae"]
    stands = own["origin"].nunique()
    told = f"Tested {stands} times, each {horizon} periods ahead: {name} is off by {_round(mae)} on average"
    if name == baseline:
        title, told = f"{name}: the baseline that others must beat", f"{told}. It is the baseline."
    else:
        verdict = "better than" if ratio < 0.995 else "worse than" if ratio > 1.005 else "as good as"
        title = f"{name}: {ratio:.2f} times the error of the baseline"
        told = f"{told}, the baseline ({baseline}) by {_round(base)}: {verdict} the baseline."
    return ahead, ahead + missed.quantile(0.1), ahead + missed.quantile(0.9), told, title


def _round(number):
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _say_threshold(threshold, kept, row):
    """Say what a threshold keeps and finds."""
    start = f"At the threshold {threshold:g}, {kept:,} {'pair is' if kept == 1 else 'pairs are'} kept."
    if not row["found_pairs"]:
        return f"{start} None of them can be judged."
    return (
        f"{start} Precision {row['precision']:.2f}: of 100 pairs found, {100 * row['precision']:.0f} are right. "
        f"Recall {row['recall']:.2f}: of 100 right pairs, {100 * row['recall']:.0f} are found. F1 {row['f1']:.2f}."
    )


def _say_customers(segment, spent, size, revenue):
    """Say how many customers were chosen, and what they bring."""
    number = f"{len(spent):,} customer{'' if len(spent) == 1 else 's'}"
    if spent.empty:
        return f"{segment}: {number}. Nobody has these scores."
    brought = f"{spent.sum():,.0f} CNY, {100 * revenue:.0f} % of the revenue: {spent.mean():,.0f} CNY each"
    return f"{segment}: {number}, {100 * size:.0f} % of all. They bring {brought}."
