"""Where a table lives (数据的归宿): operational database, data lake, data warehouse, customer data platform.

The same purchase lies in four places in four forms: as the till needs it now, as it came, as analysts ask for it, and
as a part of what is known about one customer. Each has its reader, its freshness and its guard.
"""

import pandas as pd

from cimlab.plots.style import need_columns

GRADES = ["none", "general", "medium", "high"]

PLACES = {
    "operational database": ("业务数据库", "runs the shop now: one row at a time, read and written"),
    "data lake": ("数据湖", "all files as they came, cheap and never changed: the proof, and the way back"),
    "data warehouse": ("数据仓库", "cleaned, matched, modelled: many rows, few columns, read by analysts"),
    "customer data platform": ("客户数据平台", "one profile for each person, ready for channels to use"),
}

OPERATIONAL, LAKE, WAREHOUSE, PLATFORM = PLACES

# Where each table is made and kept first, where it is carried to, how old it may be there, who asks, and why so.
HOMES = {
    "stores": (OPERATIONAL, [WAREHOUSE], "a day", "tills, analysts", "small and shared: in every report"),
    "products": (OPERATIONAL, [WAREHOUSE], "a day", "tills, buyers", "price of now there, prices of each day here"),
    "promotions": (
        OPERATIONAL,
        [WAREHOUSE],
        "a day",
        "tills, buyers",
        "the till needs today's, analysts all",
    ),
    "campaigns": (OPERATIONAL, [WAREHOUSE], "a day", "marketing", "planned once, then measured for months"),
    "members": (OPERATIONAL, [LAKE, PLATFORM], "minutes", "tills, service", "changed at the till, matched to persons"),
    "web_accounts": (
        OPERATIONAL,
        [LAKE, PLATFORM],
        "minutes",
        "web shop, service",
        "typed by customers, matched later",
    ),
    "consents": (OPERATIONAL, [PLATFORM], "at once", "every channel", "a withdrawal must hold before the next message"),
    "orders": (OPERATIONAL, [LAKE, WAREHOUSE, PLATFORM], "a day", "analysts, service", "written once, summed for ever"),
    "order_lines": (OPERATIONAL, [LAKE, WAREHOUSE], "a day", "analysts, buyers", "the largest: partition it by month"),
    "returns": (OPERATIONAL, [WAREHOUSE], "a day", "service, buyers", "belongs to its order"),
    "tickets": (OPERATIONAL, [WAREHOUSE, PLATFORM], "minutes", "service", "open cases must be seen before an offer"),
    "calls": (LAKE, [WAREHOUSE, PLATFORM], "a day", "service, analysts", "free text: fields are taken out of it"),
    "web_events": (
        LAKE,
        [WAREHOUSE, PLATFORM],
        "seconds",
        "monitoring",
        "a stream: many, nested, few asked for",
    ),
    "reviews": (LAKE, [WAREHOUSE], "a day", "buyers, service", "free text: topic and mood go to the warehouse"),
    "campaign_contacts": (WAREHOUSE, [PLATFORM], "a day", "marketing", "who was written to: contact pressure, tests"),
    "survey_invitations": (WAREHOUSE, [], "a month", "research", "needed to weigh the answers"),
    "questionnaire": (LAKE, [WAREHOUSE], "a month", "research", "comes as an export; answers are coded later"),
    "enterprises": (OPERATIONAL, [WAREHOUSE], "a day", "sales", "kept by the sales department"),
    "enterprise_contacts": (OPERATIONAL, [], "a day", "sales", "persons at firms: no analyst needs their numbers"),
    "enterprise_orders": (OPERATIONAL, [WAREHOUSE], "a day", "sales, credit", "open invoices are asked for every day"),
    "enterprise_years": (LAKE, [WAREHOUSE], "a year", "credit", "statements as they came, figures for the models"),
    "exhibition": (LAKE, [], "as it comes", "sales", "a workbook of mixed quality: matched before use"),
    "bought_list": (LAKE, [], "as it comes", "nobody yet", "no consent is known: locked until it is checked"),
    "business_register": (LAKE, [WAREHOUSE], "a month", "credit", "from outside; its key is the credit code"),
    "reviewed": (WAREHOUSE, [], "once", "data stewards", "measuring stick of matching; not for campaigns"),
    "labelled_calls": (WAREHOUSE, [], "once", "data stewards", "measuring stick of extraction from texts"),
}


def highest_grade(dictionary):
    """Return the highest grade of personal data among the columns of a table.

    Parameters
    ----------
    dictionary : pandas.DataFrame
        ``cimlab.describe(table)``: personal_data of each column, one of none, general, medium, high.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        The column is missing or holds another word.

    Examples
    --------
    >>> highest_grade(pd.DataFrame({"personal_data": ["none", "medium", "general"]}))
    'medium'
    """
    need_columns(dictionary, ["personal_data"], "highest_grade")
    strange = set(dictionary["personal_data"]) - set(GRADES)
    if strange:
        raise ValueError(f"highest_grade: {sorted(map(str, strange))[0]!r} is no grade; they are {', '.join(GRADES)}")
    return max(dictionary["personal_data"], key=GRADES.index)


def place_tables(dictionaries):
    """Say of each table of the retailer where it lives, and why there.

    Parameters
    ----------
    dictionaries : dict of str to pandas.DataFrame
        Table → ``cimlab.describe(table)``.

    Returns
    -------
    pandas.DataFrame
        A row a table, in the order of the places: `table`, `home` (where it is kept first), `carried_to` (list of
        places), `fresh` (how old it may be), `asked_by`, `grade` (highest grade of personal data in it), `why`.

    Raises
    ------
    ValueError
        A table is not one of the retailer's.

    References
    ----------
    Inmon, W. H. (2005), *Building the Data Warehouse*; Kimball, R. and Ross, M. (2013), *The Data Warehouse Toolkit*.

    Examples
    --------
    >>> place_tables({"orders": pd.DataFrame({"personal_data": ["general"]})})[["table", "home", "grade"]]
        table                  home    grade
    0  orders  operational database  general
    """
    unknown = [name for name in dictionaries if name not in HOMES]
    if unknown or not dictionaries:
        names = ", ".join(map(str, unknown)) or "(none given)"
        raise ValueError(f"place_tables knows no table {names}; it knows: {', '.join(HOMES)}")
    rows = []
    for name, dictionary in dictionaries.items():
        home, carried, fresh, asked, why = HOMES[name]
        rows.append([name, home, carried, fresh, asked, highest_grade(dictionary), why])
    placed = pd.DataFrame(rows, columns=["table", "home", "carried_to", "fresh", "asked_by", "grade", "why"])
    order = placed["home"].map(list(PLACES).index)
    return placed.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def place_counts(placed):
    """Count the tables of each place, by the highest grade of personal data in them.

    Parameters
    ----------
    placed : pandas.DataFrame
        From `place_tables`.

    Returns
    -------
    pandas.DataFrame
        A row a place: `chinese`, `purpose`, and how many tables of each grade lie there, at home or carried there.

    Examples
    --------
    >>> placed = place_tables({"orders": pd.DataFrame({"personal_data": ["general"]})})
    >>> place_counts(placed)["general"].tolist()
    [1, 1, 1, 1]
    """
    need_columns(placed, ["home", "carried_to", "grade"], "place_counts")
    lies = placed.assign(place=[[home, *more] for home, more in zip(placed["home"], placed["carried_to"], strict=True)])
    lies = lies.explode("place")
    counts = pd.crosstab(lies["place"], lies["grade"]).reindex(index=list(PLACES), columns=GRADES, fill_value=0)
    counts.insert(0, "purpose", [purpose for _, purpose in PLACES.values()])
    counts.insert(0, "chinese", [chinese for chinese, _ in PLACES.values()])
    return counts.rename_axis("place").rename_axis(None, axis=1)


def draw_places(placed, title="Where the tables of Xudong live", ax=None):
    """Draw the four places with the tables that have their home there or are carried there, and what flows between.

    Parameters
    ----------
    placed : pandas.DataFrame
        From `place_tables`.
    title : str
    ax : matplotlib.axes.Axes, optional
        At least 11 × 6.6 inches.

    Returns
    -------
    matplotlib.axes.Axes
        A star stands at the tables with medium or high personal data.

    Raises
    ------
    ValueError
        A column is missing.
    """
    from cimlab.plots.style import axes_for, set_title

    need_columns(placed, ["table", "home", "carried_to", "grade"], "draw_places")
    ax = axes_for(ax, figsize=(11, 6.6))
    ax.set(xlim=(0, 11), ylim=(0, 7), xticks=[], yticks=[])
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    corners = [(0.1, 3.85), (6.5, 3.85), (6.5, 0.15), (0.1, 0.15)]
    for place, (left, bottom) in zip(PLACES, corners, strict=True):
        _draw_box(ax, place, placed, left, bottom)
    for start, end, words, where, align in [
        ((4.55, 5.4), (6.45, 5.4), "copied as it is,\nevery night", (5.5, 5.5), ("center", "bottom")),
        ((8.7, 3.8), (8.7, 3.2), "cleaned, matched, modelled", (8.85, 3.5), ("left", "center")),
        ((6.45, 1.7), (4.55, 1.7), "a profile for\neach person", (5.5, 1.8), ("center", "bottom")),
        ((2.3, 3.2), (2.3, 3.8), "segments and offers,\nback to the channels", (2.45, 3.5), ("left", "center")),
        ((4.55, 4.3), (6.45, 2.8), "the firm's\nown books", (5.1, 3.2), ("center", "center")),
    ]:
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#333333", "linewidth": 1.5})
        ax.text(*where, words, fontsize=9, ha=align[0], va=align[1])
    stars = "* holds medium or high personal data.  A purchase lies in all four: as the till needs it, as it came, "
    ax.set_xlabel(stars + "as analysts ask, as part of a profile.", fontsize=9)
    set_title(ax, title)
    return ax


def _draw_box(ax, place, placed, left, bottom):
    """Draw one place: its name, its purpose, the tables at home there, and those that are carried there."""
    import textwrap

    from matplotlib.patches import FancyBboxPatch

    chinese, purpose = PLACES[place]
    box = FancyBboxPatch((left, bottom), 4.4, 3, boxstyle="round,pad=0,rounding_size=0.12")
    box.set(facecolor="#F4F4F4", edgecolor="#333333", linewidth=1.5)
    ax.add_patch(box)
    ax.text(left + 0.15, bottom + 2.87, f"{place} {chinese}", fontsize=13, va="top")
    ax.text(left + 0.15, bottom + 2.53, textwrap.fill(purpose, 58), fontsize=9, va="top")
    marked = [name + " *" * (grade in GRADES[2:]) for name, grade in zip(placed["table"], placed["grade"], strict=True)]
    names = pd.Series(marked, index=placed.index)
    home = names[placed["home"] == place].tolist() or ["profile of each person *", "segment, scores, next offer"]
    guests = names[[place in more for more in placed["carried_to"]]].tolist()
    half = max(4, -(-len(home) // 2))
    for column, part in enumerate([home[:half], home[half:]]):
        ax.text(left + 0.15 + 2.15 * column, bottom + 2.0, "\n".join(part), fontsize=9, va="top", linespacing=1.2)
    if guests:
        words = textwrap.fill("from elsewhere: " + ", ".join(name.replace(" *", "*") for name in guests), 68)
        ax.text(left + 0.15, bottom + 0.1, words, fontsize=8, va="bottom", color="#333333", linespacing=1.2)
