"""What must hold between the columns of an edition, beyond what its descriptor says: the books must add up.

Each rule is a dict: `table` and `column` where a fault shows, `rule` in a few words, `needs` (other tables), `of` (what
is looked at, SQL with the table as `a`) and `fault` (SQL, true for a row that breaks the rule). Amounts are compared in
whole fen, so that no rounding of binary fractions is taken for a fault. `{first}` and `{last}` are the first day of
orders and the reference date.
"""


def fen(column):
    """Return SQL for an amount in whole fen."""
    return f"cast(round({column} * 100) as bigint)"


# quantity × price in fen × (1 − discount) in thousandths, rounded half up
LINE = f"(quantity * {fen('unit_price')} * (1000 - cast(round(discount * 1000) as bigint)) + 500) // 1000"
TOTALS = f"(select order_id, sum({fen('amount')}) as total from order_lines group by order_id)"
CUSTOMERS = "(select member_id as id from members union all select account_id from web_accounts)"
RECORDS = (
    "(select member_id as id from members union all select account_id from web_accounts "
    "union all select call_id from calls)"
)
IN_LINE = "left join order_lines b on a.order_id = b.order_id and a.line_no = b.line_no"
IN_PERIOD = "{column} < date '{{first}}' or {column} >= date '{{last}}' + interval 1 day"


def rule(place, words, fault, of="", needs=""):
    """Return one rule; `place` is table.column, `of` what is joined to the table `a`."""
    table, column = place.split(".")
    return {
        "table": table,
        "column": column,
        "rule": words,
        "needs": needs.split(),
        "of": f'"{table}" a {of}',
        "fault": fault,
    }


RULES = [
    # purchases
    rule("order_lines.amount", "quantity × price − discount", f"{fen('amount')} <> {LINE}"),
    rule(
        "orders.amount",
        "sum of the lines",
        f"b.total is null or {fen('a.amount')} <> b.total",
        f"left join {TOTALS} b on a.order_id = b.order_id",
        "order_lines",
    ),
    rule("orders.ordered_at", "within the two years", IN_PERIOD.format(column="ordered_at")),
    rule("orders.store_id", "shop of till purchases only", "(channel = 'till') <> (store_id is not null)"),
    rule(
        "orders.customer_ref",
        "kind of record by channel",
        "coalesce(left(customer_ref, 1), case channel when 'till' then 'M' end, '') "
        "<> case channel when 'till' then 'M' when 'web' then 'W' else 'C' end",
    ),
    rule(
        "orders.customer_ref",
        "foreign key",
        "customer_ref is not null and b.id is null",
        f"left join {RECORDS} b on a.customer_ref = b.id",
        "members web_accounts calls",
    ),
    # returns
    rule("returns.line_no", "line of the order", "b.order_id is null", IN_LINE, "order_lines"),
    rule("returns.quantity", "at most what was bought", "a.quantity > b.quantity", IN_LINE, "order_lines"),
    rule("returns.refund", "at most what was paid", f"{fen('a.refund')} > {fen('b.amount')}", IN_LINE, "order_lines"),
    rule(
        "returns.returned_on",
        "not before the purchase",
        "a.returned_on < cast(b.ordered_at as date)",
        "join orders b on a.order_id = b.order_id",
        "orders",
    ),
    # offers, campaigns
    rule("promotions.ends_on", "a week from a Monday", "isodow(starts_on) <> 1 or ends_on - starts_on <> 6"),
    rule("campaign_contacts.opened", "never in the holdout", "arm = 'holdout' and opened"),
    rule("campaign_contacts.clicked", "only if opened", "clicked and not opened"),
    # contacts
    rule("tickets.closed_at", "not before it was opened", "closed_at < opened_at"),
    rule("tickets.closed_at", "blank while open", "(outcome = 'open') <> (closed_at is null)"),
    rule(
        "tickets.opened_at",
        "not before the call",
        "a.opened_at < b.called_at",
        "join calls b on a.call_id = b.call_id",
        "calls",
    ),
    rule(
        "consents.customer_ref",
        "foreign key",
        "b.id is null",
        f"left join {CUSTOMERS} b on a.customer_ref = b.id",
        "members web_accounts",
    ),
    rule(
        "reviewed.record_id",
        "foreign key",
        "b.id is null",
        f"left join {RECORDS} b on a.record_id = b.id",
        "members web_accounts calls",
    ),
    rule("members.updated_on", "not before the first day", "updated_on < joined_on"),
    rule("web_accounts.updated_on", "not before the first day", "updated_on < registered_on"),
    # voices
    rule(
        "reviews.product_id",
        "article of the order",
        "b.order_id is null",
        "left join (select distinct order_id, product_id from order_lines) b "
        "on a.order_id = b.order_id and a.product_id = b.product_id",
        "order_lines",
    ),
    rule(
        "reviews.reviewed_at",
        "not before the purchase",
        "a.reviewed_at < b.ordered_at",
        "join orders b on a.order_id = b.order_id",
        "orders",
    ),
    rule(
        "survey_invitations.answered",
        "as in the questionnaire",
        "a.answered <> (b.member_id is not null)",
        "left join (select distinct member_id from questionnaire) b on a.member_id = b.member_id",
        "questionnaire",
    ),
    rule(
        "questionnaire.member_id",
        "was invited",
        "b.member_id is null",
        "left join survey_invitations b on a.member_id = b.member_id",
        "survey_invitations",
    ),
    rule("web_events.event_id", "begins with its session", "not starts_with(event_id, session_id || '-')"),
    rule("web_events.order_id", "of purchases only", "(event = 'purchase') <> (order_id is not null)"),
    rule(
        "web_events.order_id",
        "foreign key",
        "a.order_id is not null and b.order_id is null",
        "left join orders b on a.order_id = b.order_id",
        "orders",
    ),
    rule(
        "web_events.account_id",
        "foreign key",
        "a.account_id is not null and b.account_id is null",
        "left join web_accounts b on a.account_id = b.account_id",
        "web_accounts",
    ),
    # enterprises
    rule("enterprise_orders.due_on", "day of the order and terms", "due_on - ordered_on <> terms_days"),
    rule("enterprise_orders.paid_on", "not before the order", "paid_on < ordered_on"),
    rule("enterprise_orders.paid_on", "blank while nothing was paid", "(paid = 0) <> (paid_on is null)"),
    rule("enterprise_orders.paid", "at most the amount", f"{fen('paid')} > {fen('amount')}"),
    rule(
        "enterprise_years.assets",
        "liabilities and equity",
        f"{fen('assets')} <> {fen('liabilities')} + {fen('equity')}",
    ),
    rule("enterprise_years.current_assets", "a part of the assets", "current_assets > assets"),
    rule("enterprise_years.current_liabilities", "a part of the liabilities", "current_liabilities > liabilities"),
]
TRUTH_RULES = [
    rule(
        "entity_map.person_id",
        "foreign key",
        "a.person_id is not null and b.person_id is null",
        "left join persons b on a.person_id = b.person_id",
        "persons",
    ),
    rule(
        "persons.person_id",
        "has traits",
        "b.person_id is null",
        "left join traits b on a.person_id = b.person_id",
        "traits",
    ),
    rule(
        "traits.person_id",
        "foreign key",
        "b.person_id is null",
        "left join persons b on a.person_id = b.person_id",
        "persons",
    ),
    rule(
        "anonymous_orders.person_id",
        "foreign key",
        "b.person_id is null",
        "left join persons b on a.person_id = b.person_id",
        "persons",
    ),
    rule(
        "enterprises.firm_id",
        "foreign key",
        "b.firm_id is null",
        "left join firms b on a.firm_id = b.firm_id",
        "firms",
    ),
]
