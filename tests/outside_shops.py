"""Real purchases in the form in which `cimlab.retailer.facts` measures them, from the data in installed packages."""

import pandas as pd

from tests.outside import complete_journey, package_folder

# What the pairs of articles planted in ours have as counterparts among the product types of the Complete Journey.
PAIRS = [["CAT FOOD", "CAT LITTER"], ["LAUNDRY ADDITIVES", "LAUNDRY DETERGENTS"], ["DRY NOODLES/PASTA", "PASTA SAUCE"]]


def cdnow_tables():
    """Return the purchases of all 23,570 customers of CDNOW; its records stand for articles."""
    path = package_folder("lifetimes") / "datasets" / "CDNOW_master.txt"
    columns = ["customer", "day", "lines", "amount"]
    orders = pd.read_csv(path, sep=r"\s+", header=0, names=columns, encoding="utf-8")
    return {"orders": orders.assign(ordered_at=pd.to_datetime(orders["day"].astype("str"), format="%Y%m%d"))}


def complete_journey_tables():
    """Return the purchases, lines and weekly prices of the Complete Journey.

    Elasticity is measured on the articles sold in at least 50 of its 53 weeks, since the price of a week without a sale
    is not known; petrol, of which thousands of litres count as packs, is left out.
    """
    sales = complete_journey("transactions").rename(columns={"basket_id": "order_id", "household_id": "customer"})
    grouped = sales.groupby("order_id")
    orders = pd.DataFrame(
        {
            "customer": grouped["customer"].first(),
            "ordered_at": grouped["transaction_timestamp"].min(),
            "amount": grouped["sales_value"].sum(),
            "lines": grouped["product_id"].nunique(),
        }
    )
    products = complete_journey("products").set_index("product_id")
    lines = pd.DataFrame(
        {
            "order_id": sales["order_id"],
            # the groups that are often bought stand for articles, the departments for groups
            "product": sales["product_id"].map(products["product_category"]),
            "category": sales["product_id"].map(products["department"]),
        }
    ).dropna()
    return {
        "orders": orders.reset_index(),
        "lines": lines[lines["product"].isin(lines["product"].value_counts().index[:148])],
        "planted": PAIRS,
        "cells": weekly_cells(sales),
    }


def weekly_cells(sales):
    """Return quantity and mean price of each often sold article in each week in which it was sold."""
    sales = sales[(sales["quantity"] > 0) & (sales["sales_value"] > 0)]
    cells = sales.groupby(["product_id", "week"])[["quantity", "sales_value"]].sum().reset_index()
    weeks = cells.groupby("product_id")["week"].transform("size")
    total = cells.groupby("product_id")["quantity"].transform("sum")
    cells = cells[(weeks >= 50) & (total < 50_000)]
    return pd.DataFrame(
        {
            "product": cells["product_id"],
            "week": cells["week"],
            "quantity": cells["quantity"],
            "price": cells["sales_value"] / cells["quantity"],
        }
    )
