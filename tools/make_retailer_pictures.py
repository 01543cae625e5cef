"""Draw the pictures of the retailer's data: docs/images/retailer_*.png.

Run it with the environment of the course, after the data have changed:

  .venv/bin/python tools/make_retailer_pictures.py

Real retailers stand beside ours where their data are installed (extra [dev]).
"""

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cimlab  # noqa: E402
from cimlab.plots import DASHES, MARKERS, PALETTE, use_house_style  # noqa: E402
from cimlab.retailer import read_truth  # noqa: E402
from cimlab.retailer.draws import read_settings  # noqa: E402
from cimlab.retailer.facts import cohort_retention  # noqa: E402
from cimlab.retailer.facts_baskets import centre, price_elasticity  # noqa: E402
from cimlab.retailer.facts_measure import edition_tables, file_reader, monday  # noqa: E402

FOLDER = ROOT / "docs" / "images"
# Degrees east and north, to a tenth: where the cities lie on a map.
PLACES = {
    "杭州市": (120.2, 30.3), "上海市": (121.5, 31.2), "南京市": (118.8, 32.1), "苏州市": (120.6, 31.3),
    "宁波市": (121.6, 29.9), "合肥市": (117.2, 31.8), "武汉市": (114.3, 30.6), "厦门市": (118.1, 24.5),
    "重庆市": (106.6, 29.6), "长沙市": (112.9, 28.2), "西安市": (108.9, 34.3), "广州市": (113.3, 23.1),
    "绍兴市": (120.6, 30.0), "北京市": (116.4, 39.9), "无锡市": (120.3, 31.5), "嘉兴市": (120.8, 30.7),
    "深圳市": (114.1, 22.5), "成都市": (104.1, 30.7), "温州市": (120.7, 28.0), "金华市": (119.6, 29.1),
    "常州市": (120.0, 31.8), "南通市": (120.9, 32.0), "台州市": (121.4, 28.7), "福州市": (119.3, 26.1),
    "天津市": (117.2, 39.1), "青岛市": (120.4, 36.1), "郑州市": (113.6, 34.7), "济南市": (117.0, 36.7),
    "南昌市": (115.9, 28.7), "佛山市": (113.1, 23.0), "沈阳市": (123.4, 41.8), "昆明市": (102.7, 25.0),
    "南宁市": (108.4, 22.8), "石家庄市": (114.5, 38.0), "大连市": (121.6, 38.9), "哈尔滨市": (126.5, 45.8),
}  # fmt: skip


def real_tables():
    """Return the tables of the real retailers whose data are installed, by title."""
    try:
        from tests.outside_shops import cdnow_tables, complete_journey_tables

        return {"CDNOW": cdnow_tables(), "Complete Journey": complete_journey_tables()}
    except (ImportError, FileNotFoundError):
        return {}


def look(number):
    """Return colour and dash of the line of that number."""
    return {"color": PALETTE[number], "linestyle": DASHES[number]}


def draw_sales(tables, real):
    """Sales a week by channel, with the holidays and sales days that move them."""
    orders = tables["orders"]
    week = monday(orders["ordered_at"])
    sales = pd.crosstab(week, orders["channel"], orders["amount"], aggfunc="sum").iloc[:-1] / 1000
    middle, top = sales.index + pd.Timedelta(days=3), sales.max().max()
    figure, ax = plt.subplots(figsize=(10, 4.5))
    for number, channel in enumerate(["till", "web", "call"]):
        ax.plot(middle, sales[channel].fillna(0), label=channel, linewidth=1.8, **look(number))
    label = {"rotation": 90, "va": "top", "ha": "right", "fontsize": 8, "color": "#555555"}
    for first, last, name, *_ in read_settings("calendar")["holidays"]:
        first, last = pd.Timestamp(first), pd.Timestamp(last)
        if last <= orders["ordered_at"].max() and (last - first).days >= 4:
            ax.axvspan(first, last, color="#E4E4E4", zorder=0)
            ax.text(first, top * 1.33, name.split(" and ")[0], **label)
    for day, name in sales_days(orders["ordered_at"].max()):
        ax.axvline(day, color="#555555", linewidth=0.8, linestyle=":")
        ax.text(day, top * 1.33, name, **label)
    ax.set(title="Sales a week, with feasts and sales days", xlabel="week", ylabel="sales (1,000 CNY)")
    ax.set_ylim(0, top * 1.35)
    figure.legend(*ax.get_legend_handles_labels(), ncols=3, loc="upper right")
    return figure


def sales_days(end):
    """Return (day, name) of the sales days up to an end."""
    names = {(11, 11): "Double Eleven", (6, 18): "618"}
    days = pd.date_range("2024-07-01", end)
    return [(day, names[day.month, day.day]) for day in days if (day.month, day.day) in names]


def draw_pareto(tables, real):
    """How the revenue is spread over the customers, beside real retailers."""
    figure, ax = plt.subplots(figsize=(6.5, 5.5))
    for number, (title, source) in enumerate({"Xudong": tables, **real}.items()):
        spent = source["orders"].groupby("customer")["amount"].sum().sort_values(ascending=False)
        shares = np.concatenate([[0], spent.cumsum() / spent.sum()])
        at = np.linspace(0, 1, len(shares))
        ax.plot(at, shares, linewidth=2, label=f"{title}: {np.interp(0.2, at, shares):.0%}", **look(number))
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":", label="all equal: 20%")
    ax.axvline(0.2, color="#555555", linewidth=0.8)
    ax.set(xlabel="share of the customers, best first", ylabel="share of the revenue")
    ax.set_title("The best fifth brings two thirds of the revenue")
    ax.legend(title="revenue of the best 20 %", loc="lower right")
    return figure


def draw_retention(tables, real):
    """Retention of the new customers of each month, and the curves of real retailers."""
    orders = tables["orders"][tables["orders"]["newcomer"]]
    first = orders.groupby("customer")["ordered_at"].transform("min")
    quarter = first.dt.to_period("Q")
    month = (orders["ordered_at"] - first.dt.normalize()) // pd.Timedelta(days=30)
    seen = pd.DataFrame({"customer": orders["customer"], "quarter": quarter, "month": month}).drop_duplicates()
    size = seen[seen["month"] == 0].groupby("quarter")["customer"].nunique()
    grid = pd.crosstab(seen["quarter"], seen["month"]).div(size, axis=0).loc[:, 1:20]
    end = orders["ordered_at"].max()
    room = np.array([[(end - q.end_time).days // 30 >= m + 1 for m in grid.columns] for q in grid.index])
    grid = grid.where(room).dropna(how="all").dropna(axis=1, how="all")
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), width_ratios=[1.35, 1])
    image = left.imshow(grid.to_numpy(), aspect="auto", vmin=0, vmax=np.nanmax(grid.to_numpy()))
    figure.colorbar(image, ax=left, label="share of the cohort who bought")
    left.set_yticks(range(len(grid)), [f"{q} ({size[q]})" for q in grid.index])
    left.set_xticks(range(0, grid.shape[1], 3), grid.columns[::3])
    left.set(
        title="New customers who buy again, by quarter (their number)",
        xlabel="months of 30 days after the first purchase",
    )
    left.grid(visible=False)
    curves = {"Xudong": tables["orders"], **({"CDNOW": real["CDNOW"]["orders"]} if real else {})}
    for number, (title, source) in enumerate(curves.items()):
        curve = cohort_retention(source, months=12)
        right.plot(curve.index, curve, marker=MARKERS[number], label=title, **look(number))
    right.set(title="… and on the whole", xlabel="months of 30 days", ylabel="share who bought", ylim=(0, None))
    right.legend()
    return figure


def draw_channels(tables, real):
    """Which channels know a person, how many records are double, and where the customers live."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 5), width_ratios=[1, 0.8, 1.3])
    persons = tables["persons"]
    names = persons[["till", "web", "call"]].apply(lambda row: " + ".join(row.index[row]), axis=1)
    order = ["till", "web", "call", "till + web", "till + call", "web + call", "till + web + call"]
    counts = names.value_counts().reindex(order).dropna()
    drawn = left.barh(counts.index, counts, color=PALETTE[0])
    left.bar_label(drawn, labels=[f"{count / counts.sum():.0%}" for count in counts], padding=3)
    left.invert_yaxis()
    left.grid(visible=False, axis="y")
    left.margins(x=0.15)
    left.set(title="Channels that know a person", xlabel="persons")
    records = tables["records"][tables["records"]["channel"] != "call"]
    place = records.groupby(["person", "channel"]).cumcount().clip(upper=2)
    kinds = pd.crosstab(records["channel"], place).reindex(columns=[0, 1, 2], fill_value=0)
    kinds = kinds.div(kinds.sum(axis=1), axis=0)[[1, 2]]
    bottom = np.zeros(len(kinds))
    for number, label in ((1, "second record"), (2, "third or further")):
        middle.bar(kinds.index, kinds[number], bottom=bottom, color=PALETTE[number - 1], label=label, width=0.5)
        bottom += kinds[number].to_numpy()
    for place, value in enumerate(bottom):
        middle.text(place, value + 0.002, f"{value:.1%}", ha="center")
    middle.set(title="Double records of a person", ylabel="share of the records", ylim=(0, bottom.max() * 1.45))
    middle.legend(loc="upper center")
    draw_map(right)
    return figure


def draw_map(ax):
    """A dot for each city where it lies; its size is that of the number of persons; rings have a shop."""
    cities = read_truth("persons")["city"].value_counts()
    shops, scale = set(cimlab.load("stores")["city"]), 700 / cities.max()
    for city in cities.index:  # the largest first, so that the small ones lie on top
        east, north = PLACES[city]
        inside = {"facecolor": PALETTE[0] if city in shops else "white", "edgecolor": PALETTE[0]}
        ax.scatter(east, north, s=scale * cities[city] + 6, alpha=0.7, **inside)
    for city in ("重庆市", "北京市", "哈尔滨市", "西安市", "武汉市", "厦门市", "昆明市", "成都市", "沈阳市", "南京市"):
        ax.annotate(city[:-1], PLACES[city], xytext=(0, 10), textcoords="offset points", ha="center", fontsize=9)
    for city, north in (("上海市", 32.4), ("杭州市", 28.9), ("宁波市", 27.3)):
        ax.annotate(
            city[:-1],
            PLACES[city],
            xytext=(125.2, north),
            fontsize=9,
            va="center",
            arrowprops={"arrowstyle": "-", "lw": 0.6},
        )
    ax.set(title="Where they live (filled: a shop)", xlabel="degrees east", ylabel="degrees north")
    ax.set_aspect(1 / np.cos(np.radians(32)))


def draw_baskets(tables, real):
    """Lines of a basket, beside real retailers, and their values."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    for number, (title, source) in enumerate({"Xudong": tables, **real}.items()):
        lines = source["orders"]["lines"]
        shares = lines.value_counts(normalize=True).sort_index()
        tail = shares[::-1].cumsum()[::-1]
        left.plot(tail.index, tail, linewidth=2, label=f"{title}: mean {lines.mean():.1f}", **look(number))
        values = np.log10(source["orders"]["amount"][source["orders"]["amount"] > 0])
        height, edges = np.histogram(values - values.median(), bins=np.arange(-2.4, 2.41, 0.2), density=True)
        right.plot((edges[:-1] + edges[1:]) / 2, height, linewidth=2, label=f"{title}", **look(number))
    left.set(xscale="log", yscale="log", ylim=(1e-4, 1.2), xlim=(1, 100), xlabel="articles in the basket, at least")
    left.set(title="Baskets have a long tail", ylabel="share of the baskets")
    right.set(title="Values of a purchase", xlabel="value against the median (power of ten)", ylabel="density")
    left.legend()
    right.legend()
    return figure


def draw_missing(tables, real):
    """Purchases without a card by hour and by value, and blank cells by group."""
    till = tables["till"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.5), width_ratios=[1.3, 0.9, 1.2])
    by_hour = till.groupby("hour")["anonymous"].agg(["mean", "size"])
    by_hour = by_hour[by_hour["size"] >= 30]
    left.plot(by_hour.index, by_hour["mean"], label="Xudong, till", marker=MARKERS[0], **look(0))
    left.scatter([7, 17], [0.0, 0.40], label="UCI Online Retail", marker=MARKERS[1], color=PALETTE[1], zorder=3)
    left.set(title="Purchases without a card: in the evening", xlabel="hour of the day", ylabel="share")
    left.legend(loc="upper left")
    by_value = till.groupby("fifth")["anonymous"].mean()
    middle.plot(by_value.index, by_value, label="Xudong, till", marker=MARKERS[0], **look(0))
    uci = [0.14, 0.01, 0.01, 0.03, 0.16]
    middle.plot(range(1, 6), uci, label="UCI Online Retail", marker=MARKERS[1], **look(1))
    middle.set(title="… and for small purchases", xlabel="fifth of the value", ylim=(-0.02, None), xticks=range(1, 6))
    middle.legend(loc="upper right")
    members, accounts = tables["members"], tables["web_accounts"]
    age = pd.cut(2026 - members["birth_year"], [15, 29, 44, 59, 110], labels=["16–29", "30–44", "45–59", "60+"])
    blanks = members[members["has_email"]].groupby(age, observed=True)["email_blank"].mean()
    blanks.index = [f"e-mail, {group}" for group in blanks.index]
    gold = members["id_number_blank"].groupby(members["tier"] == "gold").mean()
    sex = accounts.groupby("gender")["birth_date_blank"].mean()
    blanks = {**blanks, "birth date, men (web)": sex["M"], "birth date, women (web)": sex["F"]}
    blanks |= {"id number, gold": gold[True], "id number, others": gold[False]}
    drawn = right.barh(list(blanks), list(blanks.values()), color=PALETTE[0])
    right.bar_label(drawn, fmt="{:.0%}", padding=3)
    right.invert_yaxis()
    right.margins(x=0.15)
    right.grid(visible=False, axis="y")
    right.set(title="Blank cells, of those who have a value", xlabel="share")
    return figure


def draw_reviews(tables, real):
    """Stars as written, and as they would be if all buyers wrote."""
    reviews = tables["reviews"]
    written = reviews["stars"].value_counts(normalize=True).reindex(range(1, 6), fill_value=0)
    felt = reviews.groupby("stars")["weight"].sum().reindex(range(1, 6), fill_value=0)
    figure, ax = plt.subplots(figsize=(8, 4.5))
    ax.bar(written.index - 0.2, written, width=0.4, color=PALETTE[0], label=f"written ({len(reviews):,} reviews)")
    hatched = {"color": PALETTE[1], "hatch": "//", "edgecolor": "white"}
    ax.bar(felt.index + 0.2, felt / felt.sum(), width=0.4, label="all buyers, by weighting", **hatched)
    ax.set(title="Who writes is a choice: a bell becomes a J", xlabel="stars", ylabel="share", xticks=range(1, 6))
    ax.legend(loc="upper left")
    return figure


def draw_prices(tables, real):
    """Sold quantity against price in article-weeks, both without the effects of article and week."""
    cells = tables["cells"]
    product, week = pd.factorize(cells["product"])[0], pd.factorize(cells["week"])[0]
    price, sold = np.zeros((2, product.max() + 1, week.max() + 1))
    price[product, week], sold[product, week] = np.log(cells["price"]), cells["quantity"]
    rest = centre(price, np.ones_like(price)).ravel()
    usual = (sold.sum(axis=1, keepdims=True) * sold.sum(axis=0) / sold.sum()).ravel()
    points = pd.DataFrame({"price": rest, "sold": sold.ravel(), "usual": usual})
    means = points.groupby(pd.cut(rest, np.arange(-0.4, 0.16, 0.05)), observed=True)
    means = pd.DataFrame({"price": means["price"].mean(), "ratio": means["sold"].sum() / means["usual"].sum()})
    figure, ax = plt.subplots(figsize=(8, 4.5))
    shown = points.sample(4000, random_state=1)
    dots = {"s": 4, "color": PALETTE[5], "alpha": 0.35, "label": "an article in a week"}
    ax.scatter(np.exp(shown["price"]), (shown["sold"] + 0.5) / (shown["usual"] + 0.5), **dots)
    ax.scatter(np.exp(means["price"]), means["ratio"], color=PALETTE[4], zorder=3, label="all such weeks together")
    slope, at = price_elasticity(cells), np.linspace(0.68, 1.12, 50)
    level = (means["ratio"] / np.exp(means["price"] * slope)).median()
    ax.plot(at, level * at**slope, color=PALETTE[7], label=f"elasticity {slope:.2f}".replace("-", "−"))
    ax.set(xscale="log", yscale="log", ylim=(0.15, 8), xlim=(0.66, 1.14), title="A lower price sells more")
    for axis, ticks in ((ax.xaxis, [0.7, 0.8, 0.9, 1, 1.1]), (ax.yaxis, [0.2, 0.5, 1, 2, 5])):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    ax.set(xlabel="price against the mean price of article and week", ylabel="quantity against the mean")
    ax.legend()
    return figure


PICTURES = {
    "sales": draw_sales,
    "pareto": draw_pareto,
    "retention": draw_retention,
    "channels": draw_channels,
    "baskets": draw_baskets,
    "missing": draw_missing,
    "reviews": draw_reviews,
    "prices": draw_prices,
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help=f"some of: {', '.join(PICTURES)}")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="folder (default: docs/images)")
    given = parser.parse_args(arguments)
    names = given.only.split(",") if given.only else list(PICTURES)
    if unknown := set(names) - set(PICTURES):
        parser.error(f"there is no picture {', '.join(sorted(unknown))}; there are: {', '.join(PICTURES)}")
    use_house_style()
    tables, real = edition_tables(file_reader(cimlab.load), file_reader(read_truth)), real_tables()
    for name in names:
        figure = PICTURES[name](tables, real)
        # no version and no date in the file, so that the same data give the same file
        figure.savefig(given.out / f"retailer_{name}.png", dpi=110, metadata={"Software": None})
        plt.close(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
