"""Step 4, make the tables: what the columns are, and the constraints that keep them right.

A constraint is a sentence that the database keeps true, whoever writes to it: a bad row never enters. The rule in
plain words and the example that a person sees who fills in a form stand with each column too, and nowhere else.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

GENDERS = ("F", "M")
TIERS = ("basic", "silver", "gold")
CHANNELS = ("till", "web", "call")

BASE = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "ck": "ck_%(table_name)s_%(constraint_name)s"}
)

# Columns that the firm or the program fills in, not the person at the form.
ASSIGNED = {"kind": "assigned"}


def _ask(kind, rule, example, choices=()):
    """What a form says about a column (see importing.py)."""
    return {"kind": kind, "rule": rule, "example": example, "choices": choices}


def _one_of(column, values):
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def _customer_values():
    """The columns that describe a customer: in the file as of today, in the history as of each period."""
    ask = {
        "name": _ask("name", "full name, Chinese or pinyin, without 先生 or Ms", "曾国藩"),
        "gender": _ask("choice", "F or M", "M", GENDERS),
        "birth_date": _ask("date", "a date such as 1990-01-05", "1990-01-05"),
        "phone": _ask("phone", "a phone number that exists; +86 may be left out", "17400000001"),
        "email": _ask("email", "an e-mail address with @ and a dot", "zeng@example.com"),
        "id_number": _ask("id_number", "18 characters with a right check digit", "990101199001011230"),
        "city": _ask("city", "name of the city", "杭州"),
        "address": _ask("address", "district, street, number", "西湖区青溪路12号"),
        "tier": _ask("choice", "basic, silver or gold; set by the firm", "basic", TIERS),
    }
    return [
        Column("name", String(100), nullable=False, info=ask["name"]),
        Column("name_pinyin", String(100), info=ASSIGNED),
        Column("gender", String(1), info=ask["gender"]),
        Column("birth_date", Date, info=ask["birth_date"]),
        Column("phone", String(16), info=ask["phone"]),
        Column("email", String(254), info=ask["email"]),
        Column("id_number", String(18), info=ask["id_number"]),
        Column("city", String(60), info=ask["city"]),
        Column("address", String(200), info=ask["address"]),
        Column("tier", String(10), nullable=False, server_default="basic", info=ask["tier"]),
    ]


def _customer_checks():
    return [
        CheckConstraint("length(trim(name)) > 0", name="name"),
        _one_of("gender", GENDERS),
        CheckConstraint("birth_date >= '1900-01-01'", name="birth_date"),
        CheckConstraint("phone LIKE '+%' AND length(phone) BETWEEN 8 AND 16", name="phone"),
        CheckConstraint("email LIKE '%_@_%._%'", name="email"),
        CheckConstraint("length(id_number) = 18", name="id_number"),
        _one_of("tier", TIERS),
    ]


# 电子客户档案: everything that is known of a customer, one row each, as of today
CUSTOMER_FILE = Table(
    "customer_file",
    BASE,
    Column("customer_id", String(10), primary_key=True, info=ASSIGNED),
    *_customer_values(),
    Column("updated_on", Date, nullable=False, info=ASSIGNED),
    *_customer_checks(),
    Index("ix_customer_file_phone", "phone"),
    Index("ux_customer_file_id_number", "id_number", unique=True),
)

# what the customer file said in each period (a slowly changing dimension of type 2)
CUSTOMER_HISTORY = Table(
    "customer_history",
    BASE,
    Column("customer_id", ForeignKey("customer_file.customer_id"), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("valid_to", Date),  # empty: still valid
    *_customer_values(),
    *_customer_checks(),
    CheckConstraint("valid_to > valid_from", name="period"),
)

# which record of which channel a customer was made of
CUSTOMER_SOURCE = Table(
    "customer_source",
    BASE,
    Column("record_id", String(20), primary_key=True),
    Column("source", String(10), nullable=False),
    Column("customer_id", ForeignKey("customer_file.customer_id"), nullable=False, index=True),
    _one_of("source", CHANNELS),
)

_ASK_TRANSACTION = {
    "order_id": _ask("text", "number of the order", "O900001"),
    "customer_id": _ask("reference", "a customer_id of the customer file; empty if unknown", "K000001"),
    "channel": _ask("choice", "till, web or call", "till", CHANNELS),
    "store_id": _ask("text", "number of the shop, for the till only", "ST01"),
    "ordered_at": _ask("datetime", "day and time such as 2026-06-30 18:05", "2026-06-30 18:05"),
    "amount": _ask("number", "CNY, 0 or more", "59.9"),
}

# 客户交易记录表: one row per purchase; customer_id is empty for a purchase without a card
TRANSACTIONS = Table(
    "transactions",
    BASE,
    Column("order_id", String(20), primary_key=True, info=_ASK_TRANSACTION["order_id"]),
    Column("customer_id", ForeignKey("customer_file.customer_id"), index=True, info=_ASK_TRANSACTION["customer_id"]),
    Column("channel", String(10), nullable=False, info=_ASK_TRANSACTION["channel"]),
    Column("store_id", String(10), info=_ASK_TRANSACTION["store_id"]),
    Column("ordered_at", DateTime, nullable=False, index=True, info=_ASK_TRANSACTION["ordered_at"]),
    Column("amount", Float, nullable=False, info=_ASK_TRANSACTION["amount"]),
    _one_of("channel", CHANNELS),
    CheckConstraint("amount >= 0", name="amount"),
)

TRANSACTION_LINES = Table(
    "transaction_lines",
    BASE,
    Column("order_id", ForeignKey("transactions.order_id"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("product_id", String(10), nullable=False, index=True),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", Float, nullable=False),
    Column("discount", Float, nullable=False),
    Column("amount", Float, nullable=False),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("discount >= 0 AND discount < 1", name="discount"),
)

_ASK_ENTERPRISE = {
    "name": _ask("text", "registered name of the firm", "旭东食品有限公司"),
    "credit_code": _ask("credit_code", "18 characters with a right check character", "91990100MA0000001G"),
    "industry": _ask("text", "line of business", "餐饮"),
    "contact_name": _ask("name", "whom to ask for", "单雄信"),
    "contact_phone": _ask("phone", "a phone number that exists; +86 may be left out", "17400000002"),
    "city": _ask("city", "name of the city", "上海"),
}

# 电子客户档案 of enterprise customers (企业客户)
ENTERPRISE_FILE = Table(
    "enterprise_file",
    BASE,
    Column("enterprise_id", String(10), primary_key=True, info=ASSIGNED),
    Column("name", String(200), nullable=False, info=_ASK_ENTERPRISE["name"]),
    Column("credit_code", String(18), unique=True, info=_ASK_ENTERPRISE["credit_code"]),
    Column("industry", String(60), info=_ASK_ENTERPRISE["industry"]),
    Column("contact_name", String(100), info=_ASK_ENTERPRISE["contact_name"]),
    Column("contact_phone", String(16), info=_ASK_ENTERPRISE["contact_phone"]),
    Column("city", String(60), info=_ASK_ENTERPRISE["city"]),
    Column("updated_on", Date, nullable=False, info=ASSIGNED),
    CheckConstraint("length(trim(name)) > 0", name="name"),
    CheckConstraint("length(credit_code) = 18", name="credit_code"),
    CheckConstraint("contact_phone LIKE '+%' AND length(contact_phone) BETWEEN 8 AND 16", name="contact_phone"),
)

# 客户交易记录表 of enterprise customers: one row per order, with the terms and what was paid
ENTERPRISE_TRANSACTIONS = Table(
    "enterprise_transactions",
    BASE,
    Column("order_id", String(20), primary_key=True),
    Column("enterprise_id", ForeignKey("enterprise_file.enterprise_id"), nullable=False, index=True),
    Column("ordered_on", Date, nullable=False),
    Column("category", String(60)),
    Column("amount", Float, nullable=False),
    Column("terms_days", Integer, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("paid_on", Date),  # empty: not paid yet
    Column("paid", Float, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("terms_days >= 0", name="terms_days"),
    CheckConstraint("paid >= 0 AND paid <= amount + 0.005", name="paid"),
    CheckConstraint("due_on >= ordered_on", name="due_on"),
)

# 电子客户名册: one line per customer, to find somebody by eye; a view, so that it can never disagree with the file
ROSTERS = {
    "customer_roster": "SELECT customer_id, name, gender, phone, city, tier FROM customer_file",
    "enterprise_roster": "SELECT enterprise_id, name, contact_name, contact_phone, city FROM enterprise_file",
}
