"""One edition of the retailer: from a seed to the rows of every table, of the data and of the truth."""

from cimlab.retailer.channels import make_records
from cimlab.retailer.contacts import make_calls
from cimlab.retailer.dirt import type_records
from cimlab.retailer.draws import Draws, read_settings
from cimlab.retailer.enterprises import make_firm_records, make_firms
from cimlab.retailer.people import make_persons
from cimlab.retailer.purchases import Shelf, give_tiers, make_orders

DEFAULT_SEED = 20260630
DEFAULT_CUSTOMERS = 1500
MOST_CUSTOMERS = 50_000  # an edition is made in memory, about 40 KB a person


def make_edition(customers=DEFAULT_CUSTOMERS, seed=DEFAULT_SEED, progress=lambda rows, _: rows):
    """Make one edition in memory.

    Parameters
    ----------
    customers : int
        Number of persons.
    seed : int
        The seed: the same seed gives the same rows on every machine.
    progress : callable
        Wraps a list that is worked through: ``progress(rows, label)``.

    Returns
    -------
    tuple of dict
        The tables of the data and those of the truth: name → list of rows; a row is a dict of column → text.
    """
    draws = Draws(seed)
    persons = make_persons(draws, customers, progress)
    records = make_records(draws, persons, progress)
    shelf = Shelf(draws)
    orders = make_orders(draws, shelf, persons, progress)
    give_tiers(orders, records)
    records += make_calls(draws, persons, orders, shelf, progress)
    firms = make_firms(
        draws, max(customers * read_settings("parameters")["enterprises"]["per_1000_customers"] // 1000, 1)
    )
    firm_records = make_firm_records(draws, firms)
    number_records(draws, persons, records, firms, firm_records)
    ledger = type_records(draws, records + firm_records, progress)
    data = {
        "stores": list_stores(),
        "products": list_products(shelf),
        **list_records(records),
        **list_orders(orders),
        "enterprises": [list_firm_record(record) for record in firm_records],
        "reviewed": list_reviewed(draws, persons, records),
    }
    return data, list_truth(persons, records, orders, firm_records, ledger)


def number_records(draws, persons, records, firms, firm_records):
    """Give ids: to records in the order in which the channel made them, so that no id tells who belongs together."""
    for number, person in enumerate(persons, 1):
        person["id"] = f"N{number:05d}"
        person["household_id"] = f"H{person['household'] + 1:05d}"
    for number, firm in enumerate(firms, 1):
        firm["id"] = f"F{number:04d}"

    def made(record):
        when = record["at"] if "at" in record else record["made_on"]
        return when, draws.number("record", "id", record["key"])

    for letter, channel in (("M", "till"), ("W", "web"), ("C", "call")):
        mine = sorted((record for record in records if record["channel"] == channel), key=made)
        for number, record in enumerate(mine, 1):
            record["id"] = f"{letter}{number:05d}"
    firm_records.sort(key=lambda record: draws.number("firm record", "id", record["key"]))
    for number, record in enumerate(firm_records, 1):
        record["id"] = f"E{number:04d}"
    records.sort(key=lambda record: ("MWC".index(record["id"][0]), int(record["id"][1:])))


def list_stores():
    """Return the rows of `stores`."""
    stores = read_settings("catalogue")["stores"]
    return [
        {"store_id": store_id(number), "name": name, "city": city, "opened_on": opened_on.isoformat()}
        for number, (name, city, opened_on) in enumerate(stores)
    ]


def store_id(number):
    """Return the id of a shop; blank where there is none."""
    return "" if number is None else f"ST{number + 1:02d}"


def money(fen):
    """Return an amount in fen as text in CNY."""
    return f"{fen // 100}.{fen % 100:02d}"


def list_products(shelf):
    """Return the rows of `products`."""
    return [
        {
            "product_id": f"P{row:04d}",
            "name": product["name"],
            "name_zh": product["name_zh"],
            "category": product["category"],
            "unit_price": money(product["price"]),
            "pack_size": product["size"],
        }
        for row, product in enumerate(shelf.products, 1)
    ]


def list_records(records):
    """Return the rows of `members`, `web_accounts` and `calls`."""
    rows = {"members": [], "web_accounts": [], "calls": []}
    for record in records:
        typed = record["typed"]
        if record["channel"] == "till":
            own = {
                "store_id": store_id(record["store"]),
                "tier": record["tier"],
                "joined_on": record["made_on"].isoformat(),
            }
            rows["members"].append(
                {"member_id": record["id"]} | typed | own | {"updated_on": record["updated_on"].isoformat()}
            )
        elif record["channel"] == "web":
            own = {"registered_on": record["made_on"].isoformat(), "updated_on": record["updated_on"].isoformat()}
            rows["web_accounts"].append({"account_id": record["id"]} | typed | own)
        else:
            own = {"called_at": f"{record['at']:%Y-%m-%d %H:%M}", "topic": record["topic"], "note": record["note"]}
            rows["calls"].append({"call_id": record["id"]} | typed | own)
    return rows


def list_orders(orders):
    """Return the rows of `orders` and `order_lines`."""
    rows = {"orders": [], "order_lines": []}
    for number, order in enumerate(orders, 1):
        order["id"] = f"O{number:06d}"
        rows["orders"].append(
            {
                "order_id": order["id"],
                "channel": order["channel"],
                "customer_ref": order["record"]["id"] if order["record"] else "",
                "store_id": store_id(order["store"]),
                "ordered_at": f"{order['at']:%Y-%m-%d %H:%M}",
                "amount": money(order["amount"]),
            }
        )
        for line_no, line in enumerate(order["lines"], 1):
            rows["order_lines"].append(
                {
                    "order_id": order["id"],
                    "line_no": str(line_no),
                    "product_id": f"P{line['product'] + 1:04d}",
                    "quantity": str(line["quantity"]),
                    "unit_price": money(line["price"]),
                    "discount": f"0.{line['tenths']}",
                    "amount": money(line["amount"]),
                }
            )
    return rows


def list_firm_record(record):
    """Return one row of `enterprises`."""
    return (
        {"enterprise_id": record["id"]}
        | record["typed"]
        | {"source": record["channel"], "updated_on": record["updated_on"].isoformat()}
    )


def list_reviewed(draws, persons, records):
    """Return the rows of `reviewed`: all records of some persons, under numbers that tell nothing else."""
    share = read_settings("parameters")["reviewed_per_1000"]
    order = sorted(persons, key=lambda person: draws.number("reviewed", "person", person["row"]))
    numbers = {person["id"]: number for number, person in enumerate(order[: len(order) * share // 1000], 1)}
    return [
        {"record_id": record["id"], "person_no": str(numbers[record["person"]["id"]])}
        for record in records
        if record["person"]["id"] in numbers
    ]


def list_truth(persons, records, orders, firm_records, ledger):
    """Return the tables of the truth."""
    columns = ("name", "credit_code", "industry", "contact_name", "contact_phone", "city")
    return {
        "entity_map": [
            {"record_id": r["id"], "person_id": r["person"]["id"], "household_id": r["person"]["household_id"]}
            for r in records
        ],
        "persons": [list_person(person) for person in persons],
        "enterprises": [
            {"enterprise_id": r["id"], "firm_id": r["firm"]["id"]} | {column: r["firm"][column] for column in columns}
            for r in firm_records
        ],
        "ledger": [dict(zip(("record_id", "field", "operation", "clean_value"), row, strict=True)) for row in ledger],
        "anonymous_orders": [
            {"order_id": order["id"], "person_id": order["person"]["id"]} for order in orders if order["record"] is None
        ],
    }


def list_person(person):
    """Return one row of the truth's `persons`."""
    surname, given = person["readings"]
    row = {
        "person_id": person["id"],
        "household_id": person["household_id"],
        "name": person["surname"] + person["given"],
    }
    row |= {
        "name_pinyin": f"{surname} {''.join(given)}",
        "gender": person["sex"],
        "birth_date": person["birth"].isoformat(),
    }
    row |= {key: person[key] for key in ("phone", "email", "id_number", "city", "address", "former_phone")}
    row["phone_changed_on"] = str(person["phone_changed_on"] or "")
    row |= {key: person[key] for key in ("former_city", "former_address")}
    row["moved_on"] = str(person["moved_on"] or "")
    rate = person["orders_per_year"]
    return row | {"orders_per_year": f"{rate // 1000}.{rate % 1000:03d}", "lost_on": str(person["lost_on"] or "")}
