"""CRM's stages (客户关系管理的发展阶段), and what each of them changed in the data.

The years are "about": no stage begins on a day, and the old ones go on. What a stage leaves behind is its data:
`STAGE_TABLES` names for each stage the tables of the retailer that show it.
"""

import pandas as pd

from cimlab.analysis.columns import need

STAGES = pd.DataFrame(
    [
        (
            "records",
            "客户记录",
            1985,
            "who the customer is, in one list a department",
            "a row a customer; changed by hand",
        ),
        (
            "automation",
            "营销、销售与服务自动化",
            1993,
            "what was sold, asked and complained of, and what was sent",
            "a row an act, with its time; grows with every act",
        ),
        (
            "social and analytic",
            "社交与分析型",
            2005,
            "what customers say in their own words, to each other and to us",
            "free text and opinions; who speaks is not everybody",
        ),
        (
            "mobile, AI, cloud, CDP",
            "移动、人工智能、云与客户数据平台",
            2013,
            "each step of a visit on any device, and the consent for using it",
            "a row an event, nested and many; scores made by programs; purposes must be kept apart",
        ),
    ],
    columns=["stage", "stage_zh", "from_year", "added", "changed"],
)

STAGE_TABLES = pd.DataFrame(
    [
        ("records", "members", "joined_on"),
        ("automation", "orders", "ordered_at"),
        ("automation", "calls", "called_at"),
        ("automation", "tickets", "opened_at"),
        ("social and analytic", "reviews", "reviewed_at"),
        ("social and analytic", "questionnaire", "submitted_at"),
        ("mobile, AI, cloud, CDP", "web_events", "happened_at"),
        ("mobile, AI, cloud, CDP", "consents", "recorded_at"),
    ],
    columns=["stage", "table", "time"],
)


def stage_data(tables, stages=STAGE_TABLES):
    """Count what each stage has left in the base: rows, days, and rows a day.

    A table that holds only its last 30 days has few rows and many a day: `rows` alone would rank it wrongly.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Name → table.
    stages : pandas.DataFrame
        As `STAGE_TABLES`: stage, table, time (its column of the moment).

    Returns
    -------
    pandas.DataFrame
        stage, table, rows, first_day, last_day, undated (rows without a time), rows_per_day (dated rows / days from the
        first to the last, both counted); in the order of `stages`.

    Raises
    ------
    ValueError
        A table or its column of time is not there, or the column holds no dates.

    Examples
    --------
    >>> orders = pd.DataFrame({"ordered_at": pd.to_datetime(["2026-06-01 09:00", "2026-06-04 10:00"])})
    >>> stages = pd.DataFrame({"stage": ["automation"], "table": ["orders"], "time": ["ordered_at"]})
    >>> stage_data({"orders": orders}, stages).drop(columns="stage")
        table  rows  first_day   last_day  undated  rows_per_day
    0  orders     2 2026-06-01 2026-06-04        0           0.5
    """
    rows = []
    for stage, name, time in need(stages, ["stage", "table", "time"], "table of stages").itertuples(index=False):
        if name not in tables:
            raise ValueError(f"stage_data: there is no table {name}; given: {', '.join(map(str, tables))}")
        moments = need(tables[name], [time], f"{name} table")[time]
        if not pd.api.types.is_datetime64_any_dtype(moments):
            raise ValueError(f"stage_data: {name}.{time} holds no dates; turn it into them: pd.to_datetime(…)")
        days = moments.dropna().dt.normalize()
        first, last = days.min(), days.max()
        span = (last - first).days + 1 if len(days) else 0
        rate = len(days) / span if span else 0.0
        rows.append((stage, name, len(moments), first, last, int(moments.isna().sum()), rate))
    columns = ["stage", "table", "rows", "first_day", "last_day", "undated", "rows_per_day"]
    return pd.DataFrame(rows, columns=columns)


def draw_timeline(stages=STAGES, until=2026, title="Each stage of CRM goes on when the next begins", ax=None):
    """Draw the stages as bars over the years, each with what it added to the data.

    Parameters
    ----------
    stages : pandas.DataFrame
        As `STAGES`: stage, from_year, added.
    until : int
        Year at which the bars end.
    title : str
        What the picture says.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing, or a stage begins after `until`.

    Examples
    --------
    >>> ax = draw_timeline()
    >>> [text.get_text() for text in ax.get_yticklabels()][0]
    'records'
    """
    import textwrap

    from cimlab.plots.style import HATCHES, PALETTE, axes_for, need_columns, set_title

    need_columns(stages, ["stage", "from_year", "added"], "draw_timeline")
    late = stages[stages["from_year"] >= until]
    if len(late):
        raise ValueError(
            f"draw_timeline: {late['stage'].iloc[0]} begins in {late['from_year'].iloc[0]}, not before {until}"
        )
    ax = axes_for(ax, figsize=(9, 0.95 * len(stages) + 1.4))
    names = [textwrap.fill(name, 16) for name in stages["stage"]]
    for row, (start, added) in enumerate(zip(stages["from_year"], stages["added"], strict=True)):
        bar = {"color": PALETTE[row % 8], "hatch": HATCHES[row % 8], "edgecolor": "white", "height": 0.28}
        ax.barh(row, until - start, left=start, **bar)
        ax.text(
            until, row - 0.2, textwrap.fill(f"from about {start}: {added}", 100), ha="right", va="bottom", fontsize=9
        )
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="year", xlim=(stages["from_year"].min() - 1, until), ylim=(len(names) - 0.5, -0.85))
    ax.grid(visible=False, axis="y")
    set_title(ax, title)
    return ax
