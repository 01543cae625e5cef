"""Keep the base (维护): update with history, look back, verify."""

import pandas as pd
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DatabaseError

from cimlab.database.schema import CUSTOMER_FILE, CUSTOMER_HISTORY
from cimlab.database.tables import open_history, read_table, to_rows

# What a customer must have bought in the last twelve months (CNY) for each tier; the highest that fits counts.
TIER_SPEND = {"gold": 2000.0, "silver": 600.0, "basic": 0.0}
FINDING_COLUMNS = ["customer_id", "check", "value", "expected", "remedy"]


def update_customers(engine, changes, on):
    """Change customers and keep what was said before (a slowly changing dimension of type 2).

    The period that was valid until now is closed on the day of the change, and a new one is opened. All changes are
    made in one transaction: all or none. A second change on the same day replaces the first.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `create_database`.
    changes : pandas.DataFrame
        customer_id and the columns to change, standardised. A missing value changes nothing; the empty text "" empties
        the field.
    on : datetime.date or str
        The day from which the changes hold.

    Returns
    -------
    pandas.DataFrame
        customer_id, column, old, new: what really changed.

    Raises
    ------
    ValueError
        An unknown customer or column, a day before the last change, or a value that breaks a constraint.

    References
    ----------
    Kimball, R. and Ross, M. (2013). The Data Warehouse Toolkit, 3rd ed., chapter 5. Wiley.

    Examples
    --------
    >>> from cimlab.database import create_database, fill_database
    >>> engine = create_database(":memory:")
    >>> new = {"customer_id": ["K000001"], "name": ["曾国藩"], "city": ["长沙"], "updated_on": ["2025-01-01"]}
    >>> rows = fill_database(engine, customer_file=pd.DataFrame(new))
    >>> update_customers(engine, pd.DataFrame({"customer_id": ["K000001"], "city": ["武汉"]}), on="2026-03-01")
      customer_id column old new
    0     K000001   city  长沙  武汉
    >>> customer_as_of(engine, "K000001", "2025-12-31")["city"].tolist()
    ['长沙']
    >>> engine.dispose()
    """
    on = pd.Timestamp(on).date()
    done = []
    try:
        with engine.begin() as connection:
            for wanted in to_rows(changes, CUSTOMER_FILE):
                done += _update_one(connection, wanted, on)
    except DatabaseError as error:
        raise ValueError(f"The database refused a change, nothing was changed: {error.orig}") from error
    return pd.DataFrame(done, columns=["customer_id", "column", "old", "new"])


def customer_as_of(engine, customer_id, on):
    """Return what the base said of a customer on a given day.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `create_database`.
    customer_id : str or None
        None returns all customers of that day.
    on : datetime.date or str
        The day.

    Returns
    -------
    pandas.DataFrame
        Rows of customer_history that were valid on that day: from valid_from on, before valid_to.

    References
    ----------
    Kimball and Ross (2013), chapter 5.

    Examples
    --------
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> len(customer_as_of(engine, None, "2026-06-30"))
    0
    >>> engine.dispose()
    """
    on = pd.Timestamp(on)
    history = read_table(engine, "customer_history")
    valid = (history["valid_from"] <= on) & (history["valid_to"].isna() | (history["valid_to"] > on))
    if customer_id is not None:
        valid &= history["customer_id"] == customer_id
    return history[valid].reset_index(drop=True)


def assign_tiers(customers, transactions, on, tier_spend=None):
    """Assign each customer the tier (客户等级) that the purchases of the last twelve months earned.

    Parameters
    ----------
    customers : pandas.DataFrame
        With customer_id.
    transactions : pandas.DataFrame
        customer_id, ordered_at, amount (CNY).
    on : datetime.date or str
        The last day that counts: 2026-06-30 counts from 2025-07-01 on.
    tier_spend : dict of str to float, optional
        The least spend for each tier (CNY). Default: `TIER_SPEND`.

    Returns
    -------
    pandas.Series
        Tier by customer_id.

    Examples
    --------
    >>> bought = pd.DataFrame({"customer_id": ["K1", "K1"], "amount": [500.0, 5000.0],
    ...                        "ordered_at": pd.to_datetime(["2025-07-01 00:00", "2025-06-30 23:59"])})
    >>> customers = pd.DataFrame({"customer_id": ["K1", "K2"]})
    >>> assign_tiers(customers, bought, "2026-06-30", {"basic": 0, "silver": 500}).tolist()
    ['silver', 'basic']
    """
    after = pd.Timestamp(on) + pd.DateOffset(days=1)
    in_year = transactions["ordered_at"].between(after - pd.DateOffset(years=1), after, inclusive="left")
    bought = transactions[in_year].groupby("customer_id")["amount"].sum()
    spend = customers["customer_id"].map(bought).fillna(0).round(2)  # to the cent, or 599.9999999 would miss silver
    steps = sorted((tier_spend or TIER_SPEND).items(), key=lambda step: step[1])
    tier = pd.Series(steps[0][0], index=customers.index, dtype="str")
    for name, least in steps[1:]:
        tier = tier.mask(spend >= least, name)
    return tier.set_axis(customers["customer_id"])


def verify_customers(engine, on, stale_after=730, tier_spend=None):
    """Look for what a base gets wrong with time, and say what to do.

    Checked: the tier that the firm assigned, against what the customer bought in the last twelve months; customers
    whom nobody can reach (neither phone nor e-mail); entries that nobody confirmed for long; birth dates that cannot
    be (younger than 14 or older than 110 years); two customers with the same name and phone.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `create_database`.
    on : datetime.date or str
        The day of the verification.
    stale_after : int
        Days after which an entry counts as stale.
    tier_spend : dict of str to float, optional
        The least spend in twelve months for each tier, highest first (CNY). Default: `TIER_SPEND`.

    Returns
    -------
    pandas.DataFrame
        customer_id, check, value, expected, remedy; one row per finding.

    Examples
    --------
    >>> from cimlab.database import create_database, fill_database
    >>> engine = create_database(":memory:")
    >>> new = {"customer_id": ["K000001"], "name": ["曾国藩"], "tier": ["gold"], "updated_on": ["2026-01-01"]}
    >>> rows = fill_database(engine, customer_file=pd.DataFrame(new))
    >>> verify_customers(engine, on="2026-06-30")[["customer_id", "check", "value", "expected"]]
      customer_id        check value          expected
    0     K000001         tier  gold             basic
    1     K000001  unreachable        phone or e-mail
    >>> engine.dispose()
    """
    on = pd.Timestamp(on)
    customers = read_table(engine, "customer_file")
    right_tiers = assign_tiers(customers, read_table(engine, "transactions"), on, tier_spend)
    tiers = customers["customer_id"].map(right_tiers)
    silent = customers["phone"].isna() & customers["email"].isna()
    days = (on - customers["updated_on"]).dt.days
    age = (on - customers["birth_date"]).dt.days / 365.25
    born = customers["birth_date"].dt.strftime("%Y-%m-%d")
    twins = customers["phone"].notna() & customers.duplicated(["name", "phone"], keep=False)
    # what is wrong, name of the check, value, what was expected, what to do
    checks = [
        (customers["tier"] != tiers, "tier", customers["tier"], tiers, "set the tier"),
        (silent, "unreachable", "", "phone or e-mail", "ask at the next contact"),
        (days > stale_after, "stale", days.astype("str") + " days", f"at most {stale_after} days", "confirm it"),
        ((age < 14) | (age > 110), "birth date", born, "age from 14 to 110", "ask, do not guess"),
        (twins, "same person?", customers["name"], "one customer", "compare, then merge"),
    ]
    findings = [
        customers.assign(check=check, value=value, expected=expected, remedy=remedy).loc[wrong, FINDING_COLUMNS]
        for wrong, check, value, expected, remedy in checks
    ]
    return pd.concat(findings).sort_values(["customer_id", "check"], ignore_index=True)


def _update_one(connection, wanted, on):
    """Change one customer in the file and in the history; return what changed."""
    customer_id = wanted.get("customer_id")
    here = CUSTOMER_FILE.c.customer_id == customer_id
    old = connection.execute(select(CUSTOMER_FILE).where(here)).mappings().first()
    if old is None:
        raise ValueError(f"there is no customer {customer_id!r} in the customer file; nothing was changed")
    fixed = {"customer_id", "updated_on"}
    new = {name: (None if value == "" else value) for name, value in wanted.items() if value is not None}
    new = {name: value for name, value in new.items() if name not in fixed and value != old[name]}
    if not new:
        return []
    connection.execute(update(CUSTOMER_FILE).where(here).values(**new, updated_on=on))
    _next_period(connection, customer_id, on)
    return [(customer_id, name, old[name], value) for name, value in new.items()]


def _next_period(connection, customer_id, on):
    history = CUSTOMER_HISTORY.c
    is_open = (history.customer_id == customer_id) & history.valid_to.is_(None)
    since = connection.execute(select(history.valid_from).where(is_open)).scalar()
    if since is not None and since > on:
        raise ValueError(f"{customer_id} was last changed on {since}, after {on}; nothing was changed")
    if since == on:
        connection.execute(CUSTOMER_HISTORY.delete().where(is_open))
    else:
        connection.execute(update(CUSTOMER_HISTORY).where(is_open).values(valid_to=on))
    now = connection.execute(select(CUSTOMER_FILE).where(CUSTOMER_FILE.c.customer_id == customer_id)).mappings().one()
    connection.execute(insert(CUSTOMER_HISTORY), to_rows(open_history(pd.DataFrame([now])), CUSTOMER_HISTORY))
