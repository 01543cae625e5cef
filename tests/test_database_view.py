"""Chapter 4, the single customer view: one row per customer, and no order counted twice."""

import pandas as pd
import pytest

from cimlab import load
from cimlab.database import single_customer_view

CUSTOMERS = pd.DataFrame({"customer_id": ["K1", "K2", "K3"], "name": ["曾国藩", "李梅", "王芳"]}, index=[5, 5, 9])
OWNER = pd.DataFrame({"record_id": ["M1", "W1", "C1", "C2", "M2"], "customer_id": ["K1", "K1", "K1", "K1", "K2"]})
ORDERS = pd.DataFrame(
    {
        "customer_ref": ["M1", "M1", "W1", "M2", None, "C1"],
        "ordered_at": pd.to_datetime(["2026-01-01"] * 3 + ["2026-03-01"] * 3),
        "amount": [10.1, 20.2, 30.0, 40.0, 50.0, 1.0],
    }
)
CALLS = pd.DataFrame({"call_id": ["C1", "C2", "C9"]})
TICKETS = pd.DataFrame(
    {"call_id": ["C1", "C1", "C2"], "severity": [2, 3, 3], "closed_at": pd.to_datetime([None, None, "2026-02-01"])}
)
CONTACTS = pd.DataFrame(
    {"member_id": ["M1", "M1", "M2"], "arm": ["treated", "holdout", "treated"], "opened": [True, False, False]}
)
CONSENTS = pd.DataFrame(
    {
        "customer_ref": ["M1", "W1", "M2", "M2", "M2"],
        "purpose": ["marketing"] * 3 + ["profiling", "marketing"],
        "action": ["withdrawn", "given", "given", "given", "withdrawn"],
        "recorded_at": pd.to_datetime(["2025-01-01", "2025-06-01", "2026-01-01", "2026-06-01", "2026-05-01"]),
    }
)


def view(**changes):
    tables = {
        "orders": ORDERS,
        "calls": CALLS,
        "tickets": TICKETS,
        "contacts": CONTACTS,
        "consents": CONSENTS,
    } | changes
    return single_customer_view(CUSTOMERS, OWNER, *tables.values())


def test_each_customer_once_with_what_each_department_knows():
    seen = view()
    assert seen["customer_id"].tolist() == ["K1", "K2", "K3"] and seen.index.tolist() == [0, 1, 2]
    first = {
        "orders": 4, "spent": 61.3, "last_order": pd.Timestamp("2026-03-01"), "calls": 2, "open_tickets": 2,
        "severity": 3, "messages": 1, "opened": 1, "may_write": True,
    }  # fmt: skip
    assert seen.loc[0, list(first)].to_dict() == first
    # The newest answer for marketing holds; a later one for another purpose changes nothing.
    assert seen.loc[1, ["orders", "spent", "messages", "opened", "may_write"]].tolist() == [1, 40.0, 1, 0, False]
    assert seen.loc[2, ["orders", "spent", "calls", "open_tickets", "severity"]].tolist() == [0, 0.0, 0, 0, 0]
    assert pd.isna(seen.loc[2, "last_order"]) and not seen.loc[2, "may_write"]
    assert seen.dtypes[["orders", "messages", "opened"]].eq("int64").all() and seen["may_write"].dtype == bool


def test_the_order_of_rows_and_empty_tables_do_not_matter():
    shuffled = {"orders": ORDERS[::-1], "consents": CONSENTS[::-1], "tickets": TICKETS[::-1]}
    pd.testing.assert_frame_equal(view(**shuffled), view())
    nothing = view(orders=ORDERS.iloc[:0], calls=CALLS.iloc[:0], tickets=TICKETS.iloc[:0], contacts=CONTACTS.iloc[:0],
                   consents=CONSENTS.iloc[:0])  # fmt: skip
    assert nothing[["orders", "calls", "messages"]].sum().sum() == 0 and not nothing["may_write"].any()


def test_a_customer_twice_is_refused():
    with pytest.raises(ValueError, match="has a customer twice"):
        single_customer_view(pd.concat([CUSTOMERS, CUSTOMERS]), OWNER, ORDERS, CALLS, TICKETS, CONTACTS, CONSENTS)


def test_nothing_of_the_edition_is_lost_or_counted_twice():
    names = ["orders", "calls", "tickets", "campaign_contacts", "consents"]
    orders, calls, tickets, contacts, consents = (load(name) for name in names)
    refs = pd.concat([orders["customer_ref"], calls["call_id"], contacts["member_id"], consents["customer_ref"]])
    owner = pd.DataFrame({"record_id": refs.dropna().unique()})
    owner["customer_id"] = ["K" + str(number // 3) for number in owner.index]  # three records each, whoever they are
    everybody = owner[["customer_id"]].drop_duplicates()
    seen = single_customer_view(everybody, owner, orders, calls, tickets, contacts, consents)
    known = orders.dropna(subset="customer_ref")
    assert seen["spent"].sum() == pytest.approx(known["amount"].sum(), abs=0.01)
    assert seen["orders"].sum() == len(known) and seen["calls"].sum() == len(calls)
    assert seen["open_tickets"].sum() == tickets["closed_at"].isna().sum()
    assert seen["messages"].sum() == (contacts["arm"] == "treated").sum()
