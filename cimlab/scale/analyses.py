"""RFM, cohorts and baskets, each written once with Ibis: DuckDB and Spark answer them, with the results of pandas."""

import pandas as pd

from cimlab.analysis.columns import after
from cimlab.scale.engines import without_old_names

PERIODS = ("M", "Q", "W")


def answer(query):
    """Let the engine work a question out, and bring the answer into pandas.

    Parameters
    ----------
    query : ibis.expr.types.Table
        Such as `rfm_query` returns.

    Returns
    -------
    pandas.DataFrame
        With the types of the course, whatever the engine: text is `str`, dates and times are `datetime64[us]`.

    Examples
    --------
    >>> from cimlab.scale import open_engine, take_table
    >>> orders = pd.DataFrame({"order_id": ["o1"], "day": [pd.Timestamp("2026-06-30")]})
    >>> answer(take_table(open_engine("duckdb", {"orders": orders}), "orders")).dtypes.tolist()
    [<StringDtype(na_value=nan)>, dtype('<M8[us]')]
    """
    with without_old_names():
        table = query.to_pandas()
    for column, kind in query.schema().items():
        if kind.is_string():
            table[column] = table[column].astype("str")
        elif kind.is_timestamp() or kind.is_date():
            table[column] = table[column].astype("datetime64[us]")
    return table.reset_index(drop=True)


def rfm_query(orders, as_of, customer="customer_id", bins=5):
    """Measure and score recency, frequency and monetary value (RFM), as `cimlab.analysis.rfm` and `rfm_scores` do.

    Who has the same value gets the same score, that of the lowest place which they share, so no id has to break a tie.

    Parameters
    ----------
    orders : ibis.expr.types.Table
        order_id, ordered_at, amount (CNY) and the column `customer`. A table of lines does too: an order counts once.
    as_of : datetime.date or str
        The day from which one looks back. Later orders are left out.
    customer : str
        Column that says whose order it is; orders without a customer are left out.
    bins : int
        Number of scores.

    Returns
    -------
    ibis.expr.types.Table
        The column `customer`, recency (days), frequency (orders), monetary (CNY), r_score, f_score, m_score, cell; in
        the order of the customers. The sum of the amounts is rounded to the fen: engines add in different orders, and a
        last digit would part customers who spent the same.

    Raises
    ------
    ValueError
        A column is not there.

    Examples
    --------
    >>> from cimlab.scale import open_engine, take_table
    >>> orders = pd.DataFrame({"order_id": ["o1", "o2", "o3"], "customer_id": ["a", "b", "a"],
    ...                        "ordered_at": pd.to_datetime(["2026-06-01", "2026-06-28", "2026-06-20"]),
    ...                        "amount": [10.0, 25.0, 30.0]})
    >>> orders = take_table(open_engine("duckdb", {"orders": orders}), "orders")
    >>> answer(rfm_query(orders, as_of="2026-06-30"))[["customer_id", "recency", "frequency", "monetary", "cell"]]
      customer_id  recency  frequency  monetary cell
    0           a       10          2      40.0  355
    1           b        2          1      25.0  533
    """
    import ibis

    known = known_orders(orders, as_of, ["order_id", "amount"], customer)
    table = known.group_by(customer).agg(
        last=known.ordered_at.max().date(),
        frequency=known.order_id.nunique(),
        monetary=known.amount.sum().fill_null(0.0).round(2),
    )
    today = ibis.date(pd.Timestamp(as_of).date())
    table = table.select(
        customer,
        recency=today.delta(table["last"], unit="day").cast("int64"),
        frequency=table.frequency.cast("int64"),
        monetary=table.monetary.cast("float64"),
    )
    best_last = {"r": ibis.desc("recency"), "f": ibis.asc("frequency"), "m": ibis.asc("monetary")}
    people = table.count().over()
    scores = {
        f"{name}_score": (((ibis.rank().over(order_by=order) + 1) * bins + people - 1) // people).cast("int64")
        for name, order in best_last.items()
    }
    scored = table.mutate(**scores)
    parts = [scored[f"{name}_score"].cast("string") for name in "rfm"]
    return scored.mutate(cell=parts[0] + parts[1] + parts[2]).order_by(customer)


def cohort_query(orders, as_of, customer="customer_id", period="M"):
    """Count, for each cohort and age, who bought and for how much, as `cimlab.analysis.cohort_counts` does.

    Parameters
    ----------
    orders : ibis.expr.types.Table
        ordered_at, amount (CNY) and the column `customer`.
    as_of : datetime.date or str
        The last day that counts.
    customer : str
        Column that says whose order it is; orders without a customer are left out.
    period : str
        "M" month, "Q" quarter, "W" week (from Monday).

    Returns
    -------
    ibis.expr.types.Table
        cohort (first day of the period), age, size, customers, revenue (CNY), retention, revenue_per_customer; there is
        a row for each age that a cohort can have reached, also if nobody bought.

    Raises
    ------
    ValueError
        A column is not there, or the period is unknown.

    Examples
    --------
    >>> from cimlab.scale import open_engine, take_table
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "amount": [10.0, 25.0, 30.0],
    ...                        "ordered_at": pd.to_datetime(["2026-04-01", "2026-04-28", "2026-06-20"])})
    >>> orders = take_table(open_engine("duckdb", {"orders": orders}), "orders")
    >>> answer(cohort_query(orders, as_of="2026-06-30"))[["cohort", "age", "size", "customers", "retention"]]
          cohort  age  size  customers  retention
    0 2026-04-01    0     2          2        1.0
    1 2026-04-01    1     2          0        0.0
    2 2026-04-01    2     2          1        0.5
    """
    import ibis

    if period not in PERIODS:
        raise ValueError(f"there is no period {period!r}; choose {', '.join(map(repr, PERIODS))}")
    known = known_orders(orders, as_of, ["amount"], customer)
    known = known.mutate(when=count_periods(known.ordered_at, period), start=known.ordered_at.truncate(period).date())
    firsts = known.group_by(customer).agg(first=known.when.min(), cohort=known.start.min())
    bought = known.join(firsts, customer).mutate(age=lambda row: row.when - row["first"])
    seen = bought.group_by(["cohort", "age"]).agg(
        customers=bought[customer].nunique(), revenue=bought.amount.sum().fill_null(0.0).round(2)
    )
    sizes = firsts.group_by(["cohort", "first"]).agg(size=firsts.count())
    reached = count_periods(ibis.timestamp(pd.Timestamp(as_of)), period) - sizes["first"] + 1
    grid = sizes.select("cohort", "size", age=ibis.range(0, reached).unnest().cast("int64"))
    table = grid.left_join(seen, ["cohort", "age"]).select(
        "cohort",
        "age",
        size=grid["size"].cast("int64"),
        customers=seen.customers.fill_null(0).cast("int64"),
        revenue=seen.revenue.fill_null(0.0).cast("float64"),
    )
    shares = {"retention": table.customers / table["size"], "revenue_per_customer": table.revenue / table["size"]}
    return table.mutate(**shares).order_by(["cohort", "age"])


def pairs_query(lines, item="product_id", order="order_id", support=0.001):
    """Find which two articles are bought together, as `cimlab.mining.mine_rules` does with two articles.

    Parameters
    ----------
    lines : ibis.expr.types.Table
        One row per article of an order, with the columns `order` and `item`; an article that stands twice in an order
        counts once. Lines without an order or an item are left out.
    item : str
        The column of the things that are counted.
    order : str
        The column that says which lines are one basket.
    support : float
        The least share of the baskets that hold both, above 0 up to 1.

    Returns
    -------
    ibis.expr.types.Table
        One row per rule "who buys this also buys that": antecedent, consequent, support (share of the baskets with
        both), confidence (share of the baskets with the antecedent that hold the consequent), lift, leverage, n
        (baskets with both); the greatest lift first.

    Raises
    ------
    ValueError
        A column is not there, or the support is no share.

    References
    ----------
    Agrawal, R., Imieliński, T., Swami, A. (1993). Mining association rules between sets of items in large databases.
    SIGMOD.

    Examples
    --------
    >>> from cimlab.scale import open_engine, take_table
    >>> lines = pd.DataFrame({"order_id": ["o1", "o1", "o2"], "product_id": ["Lager", "Peanuts", "Lager"]})
    >>> lines = take_table(open_engine("duckdb", {"lines": lines}), "lines")
    >>> answer(pairs_query(lines, support=0.5)).drop(columns="leverage").round(2)
      antecedent consequent  support  confidence  lift  n
    0      Lager    Peanuts      0.5         0.5   1.0  1
    1    Peanuts      Lager      0.5         1.0   1.0  1
    """
    import ibis

    if not 0 < support <= 1:
        raise ValueError(f"support {support} must be a share: above 0, up to 1 (0.01 is 1 %)")
    need_columns(lines, [order, item], "table of lines")
    held = lines.drop_null([order, item])
    held = held.select(basket=held[order], item=held[item]).distinct()
    total = held.agg(baskets=held.basket.nunique())
    alone = held.group_by("item").agg(count=held.count())
    other = held.rename(consequent="item").view()
    both = held.rename(antecedent="item").join(other, "basket").filter(lambda row: row.antecedent != row.consequent)
    both = both.group_by(["antecedent", "consequent"]).agg(n=both.count())
    firsts = alone.rename(antecedent="item", first="count")
    seconds = alone.rename(consequent="item", second="count")
    rules = both.join(firsts, "antecedent").join(seconds, "consequent").cross_join(total)
    rules = rules.filter(rules.n >= (support * rules.baskets - 1e-9).ceil())
    n, first, second, baskets = rules.n, rules["first"], rules.second, rules.baskets
    rules = rules.select(
        "antecedent",
        "consequent",
        support=n / baskets,
        confidence=n / first,
        lift=n * baskets / (first * second),
        leverage=n / baskets - first * second / (baskets * baskets),
        n=n.cast("int64"),
    )
    return rules.order_by([ibis.desc("lift"), ibis.desc("n"), "antecedent", "consequent"])


def known_orders(orders, as_of, columns, customer):
    """Return the orders of known customers up to the end of a day, as `cimlab.analysis` takes them."""
    if customer not in orders.columns:
        has = ", ".join(orders.columns)
        raise ValueError(f"no column {customer!r} says whose order it is: name yours, customer=…; there is: {has}")
    need_columns(orders, ["ordered_at", *columns], "orders table")
    known = orders.drop_null(customer).filter(orders.ordered_at < after(as_of).to_pydatetime())
    return known.select(*dict.fromkeys([customer, "ordered_at", *columns]))


def need_columns(table, columns, what):
    """Say which column an Ibis table lacks.

    Examples
    --------
    >>> need_columns(pd.DataFrame({"amount": [1.0]}), ["order_id"], "orders table")
    Traceback (most recent call last):
    ...
    ValueError: the orders table has no column order_id; it has: amount
    """
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise ValueError(f"the {what} has no column {', '.join(absent)}; it has: {', '.join(table.columns)}")


def count_periods(when, period):
    """Return the number of the period in which a time lies: it counts up by 1 from one to the next."""
    import datetime

    import ibis

    if period == "W":
        monday = ibis.date(datetime.date(1970, 1, 5))
        return (when.date().delta(monday, unit="day") // 7).cast("int64")
    if period == "Q":
        return (when.year() * 4 + when.quarter()).cast("int64")
    return (when.year() * 12 + when.month()).cast("int64")
