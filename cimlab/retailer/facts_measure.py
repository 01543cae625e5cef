"""The facts of `facts.yaml`, measured on the tables of an edition and its truth.

The statistics are those of `facts.py` and `facts_baskets.py`; here the tables are brought into the form that they take.
"""

import numpy as np
import pandas as pd

from cimlab.retailer import facts, facts_baskets
from cimlab.retailer.draws import read_settings

__all__ = ["edition_tables", "file_reader", "listed_facts", "measure", "measure_all", "parquet_reader"]

CHANNELS = {"M": "till", "W": "web", "C": "call"}


def listed_facts():
    """Return the facts of `facts.yaml` by name: what is measured, how, the band and its source."""
    return read_settings("facts")["facts"]


def measure(fact, tables):
    """Measure one fact on a set of tables.

    Parameters
    ----------
    fact : dict
        An entry of `listed_facts`: `table` and the `columns` that it needs, `function` with its `arguments` and, where
        the function returns several figures, `figure`.
    tables : dict
        The tables by name, as `edition_tables` makes them, and `planted`, the pairs of articles known to go together.

    Returns
    -------
    float or None
        None where the table, or a column that the fact needs, is not there.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer": [1, 1, 2, 3, 4]})
    >>> measure(listed_facts()["one_time"], {"orders": orders})
    0.75
    """
    table = tables.get(fact["table"])
    if table is None or not set(fact["columns"]) <= set(table.columns):
        return None
    function = getattr(facts, fact["function"], None) or getattr(facts_baskets, fact["function"])
    arguments = dict(fact.get("arguments", {}))
    if arguments.get("pairs") == "planted":
        arguments["pairs"] = tables["planted"]
    result = function(table, **arguments)
    return float(result[fact["figure"]] if "figure" in fact else result)


def measure_all(tables):
    """Return all facts, measured: a dict of numbers by name, None where the tables do not have what it needs."""
    return {name: measure(fact, tables) for name, fact in listed_facts().items()}


def file_reader(load):
    """Return a ``read(name, columns)`` for `edition_tables` from a function such as `cimlab.load`."""
    return lambda name, columns: load(name)[columns]


def parquet_reader(folder, section="tables"):
    """Return a ``read(name, columns)`` for `edition_tables` that asks DuckDB for the columns of a large edition.

    Parameters
    ----------
    folder : path-like
        Folder of the edition (or of its truth), with a folder of parts for each table.
    section : {"tables", "truth"}
        Where the tables stand in the data dictionary.
    """
    import duckdb

    dictionary = read_settings("dictionary")[section]

    def read(name, columns):
        # pandas makes objects of dates, and a million of them take long
        texts = [
            f"CAST({column} AS TIMESTAMP) AS {column}" if dictionary[name]["columns"][column][0] == "date" else column
            for column in columns
        ]
        with duckdb.connect() as connection:
            query = f"SELECT {', '.join(texts)} FROM read_parquet($parts)"
            return connection.sql(query, params={"parts": f"{folder}/{name}/*.parquet"}).to_arrow_table().to_pandas()

    return read


def edition_tables(read, read_truth):
    """Bring the tables of an edition and its truth into the form that the facts are measured on.

    Parameters
    ----------
    read, read_truth : function
        ``read(name, columns)`` returns these columns of a table as a DataFrame with the types of `cimlab.load`.

    Returns
    -------
    dict of pandas.DataFrame
        `orders`, `till`, `lines`, `cells`, `records`, `persons`, `buyers`, `members`, `web_accounts`, `reviews`,
        `survey`; and `planted`, a list of pairs of articles. `customer` is the true person, so that purchases without
        a card count with those of their buyer.
    """
    records = person_records(read_truth)
    people = read_truth("persons", ["person_id", "gender", "birth_date", "email", "joined_on"]).set_index("person_id")
    lines = named_lines(read)
    orders = buyers_orders(read, read_truth, records, people, lines)
    tables = {"orders": orders, "till": orders[orders["channel"] == "till"], "lines": lines}
    tables["planted"] = [[first, second] for first, second, _ in read_settings("catalogue")["companions"]]
    tables["cells"] = weekly_cells(read, lines, orders)
    tables["records"] = records
    tables["persons"] = persons_channels(records)
    tables["buyers"] = orders.groupby("customer").agg(orders=("channel", "size"), channels=("channel", "nunique"))
    tables |= typed_tables(read, records, people)
    tables["reviews"] = felt_reviews(read, read_truth, records)
    tables["survey"] = asked_persons(read, read_truth, records)
    return tables


def person_records(read_truth):
    """Return cards, accounts and calls of persons: `record_id`, `person`, `channel`."""
    records = read_truth("entity_map", ["record_id", "person_id"]).rename(columns={"person_id": "person"})
    records["channel"] = records["record_id"].str[0].map(CHANNELS)
    return records.dropna()


def named_lines(read):
    """Return the lines of all orders with the name and category of the article."""
    lines = read("order_lines", ["order_id", "product_id", "quantity", "unit_price", "discount"])
    products = read("products", ["product_id", "name", "category"]).rename(columns={"name": "product"})
    for column in ("product", "category"):
        names = products[column].astype("category")
        place = pd.Index(products["product_id"]).get_indexer(lines["product_id"])
        lines[column] = pd.Categorical.from_codes(names.cat.codes.to_numpy()[place], dtype=names.dtype)
    return lines


def buyers_orders(read, read_truth, records, people, lines):
    """Return the orders with their true buyers, what came back, and what is known of them."""
    orders = read("orders", ["order_id", "channel", "customer_ref", "ordered_at", "amount"])
    anonymous = read_truth("anonymous_orders", ["order_id", "person_id"]).set_index("order_id")["person_id"]
    known = orders["customer_ref"].map(records.set_index("record_id")["person"])
    buyer = known.fillna(orders["order_id"].map(anonymous))
    returns = read("returns", ["order_id", "refund"]).groupby("order_id")["refund"].sum()
    joined = buyer.map(people["joined_on"])
    return pd.DataFrame(
        {
            "order_id": orders["order_id"],
            "channel": orders["channel"].astype("category"),
            "customer": pd.factorize(buyer)[0],
            "newcomer": joined >= orders["ordered_at"].min().normalize(),
            "ordered_at": orders["ordered_at"],
            "hour": orders["ordered_at"].dt.hour,
            "amount": orders["amount"],
            "fifth": fifths(orders["amount"]),
            "lines": orders["order_id"].map(lines["order_id"].value_counts()),
            "anonymous": orders["customer_ref"].isna(),
            "returned": orders["order_id"].isin(returns.index),
            "refund": orders["order_id"].map(returns).fillna(0.0),
        }
    )


def fifths(values):
    """Return the number of the fifth of each value, 1 (the smallest) to 5."""
    return np.ceil(values.rank(pct=True) * 5).astype("int64")


def weekly_cells(read, lines, orders):
    """Return quantity and price of each article in each week, also where nothing was sold."""
    sold = lines[["order_id", "product_id", "quantity", "unit_price"]]
    place = pd.Index(orders["order_id"]).get_indexer(sold["order_id"])
    week = monday(orders["ordered_at"]).to_numpy()[place]
    grouped = sold.groupby(["product_id", week])
    cells = pd.DataFrame({"quantity": grouped["quantity"].sum(), "price": grouped["unit_price"].mean()})
    every = pd.MultiIndex.from_product([cells.index.levels[0], cells.index.levels[1]], names=["product", "week"])
    cells = cells.reindex(every)
    prices = cells["price"].groupby(level="product")
    offers = read("promotions", ["product_id", "starts_on", "discount"])
    off = offers.groupby(["product_id", monday(offers["starts_on"])])["discount"].max().reindex(every).fillna(0)
    # the price of a week without a sale is the last one that was seen
    cells["price"] = prices.ffill().fillna(prices.bfill()) * (1 - off)
    return cells.fillna({"quantity": 0}).reset_index()


def monday(times):
    """Return the Monday of the week of each time."""
    days = times.dt.normalize()
    return (days - pd.to_timedelta(days.dt.day_of_week, unit="D")).astype("datetime64[s]")


def persons_channels(records):
    """Return one row a person with a record: the channels in which there is one, and their number."""
    held = records.drop_duplicates(["person", "channel"])
    flags = pd.crosstab(held["person"], held["channel"]).reindex(columns=list(CHANNELS.values()), fill_value=0)
    return flags.astype(bool).assign(channels=flags.sum(axis=1)).reset_index(drop=True)


def typed_tables(read, records, people):
    """Return cards and accounts: which cells are blank, beside the truth about the person."""
    tables = {}
    for name, key, columns in (
        ("members", "member_id", ["email", "id_number", "tier"]),
        ("web_accounts", "account_id", ["birth_date"]),
    ):
        table = read(name, [key, *columns])
        person = table[key].map(records.set_index("record_id")["person"])
        blank = {f"{column}_blank": table[column].isna() for column in columns if column != "tier"}
        true = people.reindex(person).reset_index(drop=True)
        frame = pd.DataFrame({**blank, "gender": true["gender"], "has_email": true["email"].notna()})
        frame["birth_year"] = true["birth_date"].dt.year
        tables[name] = frame.assign(tier=table["tier"]) if "tier" in table else frame
    return tables


def felt_reviews(read, read_truth, records):
    """Return the reviews with what the writers truly felt; `weight` is one divided by the chance that it was written.

    That chance is the person's `review_propensity` times what the experience adds (`writing` of voices.yaml).
    """
    reviews = read("reviews", ["review_id", "account_id", "stars"])
    felt = read_truth("review_facts", ["review_id", "experience"]).set_index("review_id")["experience"]
    traits = read_truth("traits", ["person_id", "review_propensity"]).set_index("person_id")["review_propensity"]
    experience = reviews["review_id"].map(felt)
    person = reviews["account_id"].map(records.set_index("record_id")["person"])
    points, factors = np.array(read_settings("voices")["reviews"]["writing"]).T
    chance = person.map(traits) * np.interp(experience * 1000, points, factors) / 1000
    return reviews.assign(experience=experience, weight=1 / chance.clip(upper=1))


def asked_persons(read, read_truth, records):
    """Return the invitations to the survey with the truth about those who were asked."""
    asked = read("survey_invitations", ["member_id", "answered"])
    traits = read_truth("traits", ["person_id", "satisfaction", "survey_propensity"]).set_index("person_id")
    true = traits.reindex(asked["member_id"].map(records.set_index("record_id")["person"]))
    return asked.assign(satisfaction=true["satisfaction"].to_numpy(), propensity=true["survey_propensity"].to_numpy())
