"""What it costs, on paper (云成本): pay for what is used, or own a server that is always on.

All prices are **assumptions of the lesson**, round numbers of the right order; they are no provider's. Put your own
offers into the table that `lesson_prices` returns and reckon again: the arithmetic stays, the answer may turn.
"""

import pandas as pd

from cimlab.plots.style import need_columns

_PRICES = [
    ["storage", 0.15, "GB and month", "cloud", "files lie there whether or not anybody asks"],
    ["scan", 35.0, "TB scanned", "cloud", "a query service is paid by what it reads"],
    ["machine", 3.0, "hour", "cloud", "8 cores, 32 GB; paid while it is switched on"],
    ["egress", 0.8, "GB out", "cloud", "what leaves the cloud: downloads, a move elsewhere"],
    ["server", 60000.0, "piece", "own", "16 cores, 128 GB, 8 TB in two copies"],
    ["server_months", 48.0, "months", "own", "after which it is written off"],
    ["power", 450.0, "month", "own", "electricity, cooling, place, line"],
    ["care", 200.0, "hour of work", "own", "updates, backups, broken disks"],
    ["care_hours", 8.0, "hours a month", "own", "an owned server is looked after by somebody"],
]
USES = {"storage_gb": "storage", "scanned_tb": "scan", "machine_hours": "machine", "egress_gb": "egress"}


def lesson_prices():
    """Return the prices of the lesson: stated assumptions, no provider's prices.

    Returns
    -------
    pandas.DataFrame
        Index `item`: `price` (CNY; server_months and care_hours are numbers of months and hours), `unit`, `side`
        ("cloud" or "own"), `note`. Change a price by ``prices.loc["scan", "price"] = 40``.

    Examples
    --------
    >>> lesson_prices().loc["scan", "unit"]
    'TB scanned'
    """
    return pd.DataFrame(_PRICES, columns=["item", "price", "unit", "side", "note"]).set_index("item")


def cloud_cost(workload, prices):
    """Reckon what a workload costs in the cloud each month.

    Parameters
    ----------
    workload : dict of str to float
        Per month: storage_gb, scanned_tb, machine_hours, egress_gb; what is left out is 0. 1 TB = 1,000 GB.
    prices : pandas.DataFrame
        From `lesson_prices`.

    Returns
    -------
    pandas.DataFrame
        Index `item`: `quantity`, `unit`, `price`, `cost` in CNY a month; the last row "total".

    Raises
    ------
    ValueError
        A quantity is unknown or below 0, or a price is missing.

    Examples
    --------
    >>> cloud_cost({"storage_gb": 100, "scanned_tb": 2}, lesson_prices())["cost"].to_dict()
    {'storage': 15.0, 'scan': 70.0, 'machine': 0.0, 'egress': 0.0, 'total': 85.0}
    """
    unknown = [name for name in workload if name not in USES]
    if unknown:
        raise ValueError(f"cloud_cost knows no {', '.join(map(str, unknown))}; a workload has: {', '.join(USES)}")
    below = [name for name in workload if not workload[name] >= 0]
    if below:
        raise ValueError(f"cloud_cost: {below[0]} is {workload[below[0]]}; a quantity is 0 or more")
    table = _priced(prices, list(USES.values()), "cloud_cost")
    table.insert(0, "quantity", [float(workload.get(name, 0)) for name in USES])
    table["cost"] = table["quantity"] * table["price"]
    table.loc["total", ["unit", "cost"]] = ["", table["cost"].sum()]
    return table


def own_cost(prices, servers=1):
    """Reckon what owned servers cost each month, used or not.

    Parameters
    ----------
    prices : pandas.DataFrame
        From `lesson_prices`.
    servers : int
        How many: two where one must go on if the other fails.

    Returns
    -------
    pandas.Series
        CNY a month: "server" (its price by its months), "power", "care", "total".

    Raises
    ------
    ValueError
        A price is missing, or there is no server.

    Examples
    --------
    >>> own_cost(lesson_prices()).to_dict()
    {'server': 1250.0, 'power': 450.0, 'care': 1600.0, 'total': 3300.0}
    """
    if servers < 1:
        raise ValueError(f"own_cost: servers is {servers}; at least one")
    price = _priced(prices, ["server", "server_months", "power", "care", "care_hours"], "own_cost")["price"]
    parts = {
        "server": price["server"] / price["server_months"],
        "power": price["power"],
        "care": price["care"] * price["care_hours"],
    }
    parts = pd.Series(parts, name="cost") * servers
    parts["total"] = parts.sum()
    return parts


def break_even(fixed, price_per_unit, always=0.0):
    """Return from how many units a month on a fixed cost is the cheaper one.

    Parameters
    ----------
    fixed : float
        CNY a month, used or not: a server.
    price_per_unit : float
        CNY a unit: a TB scanned, an hour of a machine.
    always : float
        CNY a month that the side paid by use costs in any case, such as its storage.

    Returns
    -------
    float
        Units a month; 0 if the fixed one is always cheaper.

    Raises
    ------
    ValueError
        The price of a unit is not above 0.

    Examples
    --------
    >>> break_even(fixed=3300, price_per_unit=35, always=150)
    90.0
    """
    if not price_per_unit > 0:
        raise ValueError(f"break_even: the price of a unit is {price_per_unit}; it must be above 0")
    return float(max(0.0, (fixed - always) / price_per_unit))


def scan_costs(bytes_read, queries, prices):
    """Reckon what the same question costs a month, by how its table lies on the disk.

    Parameters
    ----------
    bytes_read : dict of str to float
        How it lies ("CSV", "Parquet", "Parquet by month") → bytes that one query reads.
    queries : float
        Queries a month.
    prices : pandas.DataFrame
        From `lesson_prices`.

    Returns
    -------
    pandas.DataFrame
        A row a form, in the order given: `bytes_read`, `scanned_tb` a month, `cost` (CNY a month), `saved` (share of
        the cost of the first form).

    Raises
    ------
    ValueError
        There is no form, or the number of queries is below 0.

    Examples
    --------
    >>> scan_costs({"CSV": 2e9, "Parquet": 1e8}, 10_000, lesson_prices())
               bytes_read  scanned_tb   cost  saved
    CSV      2.000000e+09        20.0  700.0   0.00
    Parquet  1.000000e+08         1.0   35.0   0.95
    """
    if not bytes_read or not queries >= 0:
        raise ValueError("scan_costs: give at least one form with its bytes, and 0 or more queries a month")
    table = pd.DataFrame({"bytes_read": pd.Series(bytes_read, dtype="float64")})
    table["scanned_tb"] = table["bytes_read"] * queries / 1e12
    table["cost"] = table["scanned_tb"] * _priced(prices, ["scan"], "scan_costs").loc["scan", "price"]
    first = table["cost"].iloc[0]
    table["saved"] = 1 - table["cost"] / first if first else 0.0
    return table


def cost_curve(tb_per_month, prices, storage_gb=0.0, servers=1):
    """Reckon the monthly cost of paying by the TB and of an own server, for several amounts of scanning.

    Parameters
    ----------
    tb_per_month : list of float
        TB scanned a month.
    prices : pandas.DataFrame
        From `lesson_prices`.
    storage_gb : float
        What lies in the cloud.
    servers : int

    Returns
    -------
    pandas.DataFrame
        Index `scanned_tb`: "pay per TB", "own server", in CNY a month; draw it with ``plots.lines``.

    Examples
    --------
    >>> cost_curve([0, 100], lesson_prices())
                pay per TB  own server
    scanned_tb
    0                  0.0      3300.0
    100             3500.0      3300.0
    """
    paid = [
        cloud_cost({"storage_gb": storage_gb, "scanned_tb": tb}, prices).loc["total", "cost"] for tb in tb_per_month
    ]
    index = pd.Index(list(tb_per_month), name="scanned_tb")
    return pd.DataFrame({"pay per TB": paid, "own server": own_cost(prices, servers)["total"]}, index=index)


def _priced(prices, items, function):
    """Return unit and price of these items, or say which is missing."""
    need_columns(prices, ["unit", "price"], function)
    missing = [item for item in items if item not in prices.index]
    if missing:
        raise ValueError(f"{function}: the table of prices has no {', '.join(missing)}; see lesson_prices()")
    return prices.loc[items, ["unit", "price"]].copy()
