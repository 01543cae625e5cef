"""How is a firm doing? Ratios from its yearly figures (企业客户：经营状况、运营状况)."""

from cimlab.analysis.columns import need


def business_situation(years, firm="enterprise_id"):
    """Work out growth and margins of each firm and year (经营状况).

    Parameters
    ----------
    years : pandas.DataFrame
        The column `firm`, year, employees, revenue, profit, assets, equity (table ``enterprise_years``; amounts in one
        unit, 10,000 CNY there).
    firm : str
        Column that says whose figures they are.

    Returns
    -------
    pandas.DataFrame
        Per firm and year, in order: revenue_growth (on the year before; missing without one), net_margin (profit /
        revenue), return_on_assets (profit / assets), return_on_equity (profit / equity; missing where equity is not
        above 0), revenue_per_head.

    Raises
    ------
    ValueError
        A column is not there, or a firm has two rows for one year.

    References
    ----------
    Palepu, K., Healy, P. and Peek, E. (2019). Business Analysis and Valuation, 5th ed., chapter 5. Cengage.

    Examples
    --------
    >>> import pandas as pd
    >>> years = pd.DataFrame({"enterprise_id": ["E1", "E1"], "year": [2024, 2025], "employees": [10, 10],
    ...                       "revenue": [200.0, 220.0], "profit": [10.0, 11.0], "assets": [100.0, 110.0],
    ...                       "equity": [40.0, 44.0]})
    >>> business_situation(years).drop(columns=["enterprise_id", "revenue_per_head"])
       year  revenue_growth  net_margin  return_on_assets  return_on_equity
    0  2024             NaN        0.05               0.1              0.25
    1  2025             0.1        0.05               0.1              0.25
    """
    table = _in_order(years, firm, ["employees", "revenue", "profit", "assets", "equity"])
    before = table.groupby(firm)["revenue"].shift().where(table.groupby(firm)["year"].diff() == 1)
    ratios = {
        "revenue_growth": _part(table["revenue"], before) - 1,
        "net_margin": _part(table["profit"], table["revenue"]),
        "return_on_assets": _part(table["profit"], table["assets"]),
        "return_on_equity": _part(table["profit"], table["equity"]),
        "revenue_per_head": _part(table["revenue"], table["employees"]),
    }
    return table[[firm, "year"]].assign(**ratios)


def operating_situation(years, firm="enterprise_id"):
    """Work out turnover, liquidity and leverage of each firm and year (运营状况：周转、流动性、杠杆).

    Stocks are those at the end of the year.

    Parameters
    ----------
    years : pandas.DataFrame
        The column `firm`, year, revenue, assets, current_assets, inventory, receivables, liabilities,
        current_liabilities, equity (table ``enterprise_years``).
    firm : str

    Returns
    -------
    pandas.DataFrame
        Per firm and year, in order: asset_turnover (revenue / assets), inventory_turnover (revenue / inventory),
        receivable_days (365 × receivables / revenue), current_ratio (current assets / current liabilities), quick_ratio
        (the same without inventory), debt_ratio (liabilities / assets), debt_to_equity (missing where equity is not
        above 0), short_debt_share (part of the liabilities that is due within a year).

    Raises
    ------
    ValueError
        A column is not there, or a firm has two rows for one year.

    References
    ----------
    Palepu, Healy and Peek (2019), chapter 5.

    Examples
    --------
    >>> import pandas as pd
    >>> years = pd.DataFrame({"enterprise_id": ["E1"], "year": [2025], "revenue": [200.0], "assets": [100.0],
    ...                       "current_assets": [60.0], "inventory": [20.0], "receivables": [10.0],
    ...                       "liabilities": [60.0], "current_liabilities": [40.0], "equity": [40.0]})
    >>> operating_situation(years)[["asset_turnover", "current_ratio", "quick_ratio", "debt_ratio", "debt_to_equity"]]
       asset_turnover  current_ratio  quick_ratio  debt_ratio  debt_to_equity
    0             2.0            1.5          1.0         0.6             1.5
    """
    stocks = ["current_assets", "inventory", "receivables", "liabilities", "current_liabilities", "equity"]
    table = _in_order(years, firm, ["revenue", "assets", *stocks])
    ratios = {
        "asset_turnover": _part(table["revenue"], table["assets"]),
        "inventory_turnover": _part(table["revenue"], table["inventory"]),
        "receivable_days": 365 * _part(table["receivables"], table["revenue"]),
        "current_ratio": _part(table["current_assets"], table["current_liabilities"]),
        "quick_ratio": _part(table["current_assets"] - table["inventory"], table["current_liabilities"]),
        "debt_ratio": _part(table["liabilities"], table["assets"]),
        "debt_to_equity": _part(table["liabilities"], table["equity"]),
        "short_debt_share": _part(table["current_liabilities"], table["liabilities"]),
    }
    return table[[firm, "year"]].assign(**ratios)


def _in_order(years, firm, columns):
    table = need(years, [firm, "year", *columns], "table of years").sort_values([firm, "year"], ignore_index=True)
    twice = table[table.duplicated([firm, "year"])]
    if len(twice):
        raise ValueError(f"{twice[firm].iloc[0]} has two rows for {twice['year'].iloc[0]}: keep one")
    return table


def _part(above, below):
    """Divide; a ratio to nothing, or to less than nothing, means nothing and is left missing."""
    return above / below.where(below > 0)
