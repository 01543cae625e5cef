"""What was typed instead of the truth: clean values go through `dirt.yaml`, and a ledger keeps each change."""

from cimlab.retailer import forms, slips
from cimlab.retailer.draws import read_settings
from cimlab.retailer.people import REFERENCE_DATE

# Which value of the person (of the firm) each column of a record shows.
FIELDS = {
    "till": {key: key for key in ("name", "gender", "birth_date", "phone", "email", "id_number", "city", "address")},
    "web": {"full_name": "name"} | {key: key for key in ("gender", "birth_date", "phone", "email", "city", "address")},
    "call": {"caller_name": "name", "phone": "phone", "city": "city"},
    "firm": {key: key for key in ("name", "credit_code", "industry", "contact_name", "contact_phone", "city")},
}


def type_records(draws, records, progress=lambda rows, _: rows):
    """Write what was typed into `typed` of each record; return the ledger: (id, column, operations, clean value)."""
    ledger = []
    for record in progress(records, "dirt"):
        record["typed"], changes = type_record(draws, record)
        ledger += [(record["id"], *change) for change in changes]
    return ledger


def type_record(draws, record):
    """Return (what was typed, the changes) of one record; a change is (column, operations, clean value)."""
    channel = "firm" if "firm" in record else record["channel"]
    rules, clean = read_settings("dirt")[channel], clean_values(record, channel)
    then, groups = values_then(draws, record, clean, rules), groups_of(record)
    level = draws.weighted(read_settings("dirt")["levels"], "dirt", "level", sitting(draws, record, channel, rules))
    record["city_then"] = then.get("city", "")
    typed, changes = {}, []
    for column, value in clean.items():
        rule = rules["fields"][column]

        def draw(limit, label, column=column):
            return draws.below(limit, f"dirt {channel} {column}", label, record["key"])

        typed[column], operations = type_value(then[column], value, rule, column, level, groups, draw, record)
        if typed[column] != value:
            changes.append((column, "+".join(operations), value))
    return typed, changes


def clean_values(record, channel):
    """Return the clean value of each typed column of a record, as text."""
    if channel == "firm":
        return {column: record["firm"][value] for column, value in FIELDS[channel].items()}
    person = record["person"]
    values = {
        "name": person["surname"] + person["given"],
        "gender": person["sex"],
        "birth_date": person["birth"].isoformat(),
    }
    values |= {key: person[key] for key in ("phone", "email", "id_number", "city", "address")}
    return {column: values[value] for column, value in FIELDS[channel].items()}


def values_then(draws, record, clean, rules):
    """Return the values as the person would have told them when the row was last touched."""
    then = dict(clean)
    if "person" not in record:
        return then
    person = record["person"]
    for changed_on, columns in ((person["phone_changed_on"], ("phone",)), (person["moved_on"], ("city", "address"))):
        if changed_on is None or record["made_on"] >= changed_on:
            continue
        kept = rules["fields"][columns[0]].get("kept", 0)
        if record["updated_on"] < changed_on or draws.chance(
            kept, f"dirt {record['channel']}", f"kept {columns[0]}", record["key"]
        ):
            then |= {column: person[f"former_{column}"] for column in columns if column in then}
    return then


def groups_of(record):
    """Return the groups of a record on which blanks depend."""
    if "person" not in record:
        return set()
    person = record["person"]
    age = REFERENCE_DATE.year - person["birth"].year
    facts = {
        "woman": person["sex"] == "F",
        "old": age >= 60,
        "young": age < 30,
        "gold": record.get("tier") == "gold",
        "evening": "at" in record and record["at"].hour >= 16,
        "busy": record["made_on"].month in (11, 12, 1, 2),
    }
    return {group for group, applies in facts.items() if applies}


def sitting(draws, record, channel, rules):
    """Return the name of the sitting in which a record was typed; its records share an error level."""
    if channel == "till":
        day = record["updated_on"]
        cashier = draws.below(rules["cashiers_per_store"], "dirt", "cashier", record["key"])
        return f"till {record['store']} {cashier} {day.year} {(day.month - 1) // 3}"
    if channel == "call":
        return f"call {record['operator']} {record['at']:%Y-%m}"
    if channel == "firm":
        salesman = draws.below(5, "dirt", "salesman", record["key"]) if record["channel"] == "sales" else ""
        return f"{record['channel']} {salesman} {record['updated_on'].year}"
    return f"web {record['key']}"


def type_value(then, clean, rule, column, level, groups, draw, record):
    """Return (what was typed, the operations) for one cell; `then` is the value that the person would have told."""
    value, done = then, ["stale"] if then != clean else []
    relative = other_phone(record, draw) if draw(1000, "other") < rule.get("other", 0) else ""
    if relative and relative != value:
        value, done = relative, ["relative"]
    if not value:
        return value, done
    if draw(1000, "blank") < blank_rate(rule, groups):
        return "", ["blank"]
    form = weighted(rule["forms"], draw)
    steps = [name for name, rate in rule.get("errors", {}).items() if happens(name, rate, level, draw)]
    steps += [form] if form != "plain" else []
    steps += [name for name, rate in rule.get("slips", {}).items() if happens(name, rate, level, draw)]
    typed = apply_steps(value, steps, column, draw, record)
    # A step that leaves no trace in what was typed (a wrong day, where only the year was written) is not in the ledger.
    for name in list(steps):
        others = [other for other in steps if other != name]
        if apply_steps(value, others, column, draw, record) == typed:
            steps = others
    return typed, done + steps


def apply_steps(value, steps, column, draw, record):
    """Return a value after the operations of those names; each draws for itself, whatever the others do."""
    for name in steps:
        value = operation(name, column)(value, lambda limit, label, name=name: draw(limit, f"{name} {label}"), record)
    return value


def operation(name, column):
    """Return the function of an operation that `dirt.yaml` names for a column."""
    name = forms.NAMES_BY_COLUMN.get((column, name), name)
    function = getattr(forms, name, None) or getattr(slips, name, None)
    if function is None:
        raise ValueError(f"dirt.yaml, column {column!r}: there is no operation {name!r} in forms.py or slips.py.")
    return function


def happens(name, rate, level, draw):
    """Return whether a slip of that rate per 1000 happens at that error level."""
    return draw(1000, name) < rate * level // 100


def blank_rate(rule, groups):
    """Return how many cells of 1000 are left blank, for a record of these groups."""
    rate = rule.get("blank", 0)
    for group, percent in rule.get("more", {}).items():
        if group in groups:
            rate = rate * percent // 100
    return rate


def weighted(pairs, draw):
    """Return the value of one of the (value, weight) pairs."""
    rest = draw(sum(weight for _, weight in pairs), "form")
    for value, weight in pairs:
        if rest < weight:
            return value
        rest -= weight
    raise AssertionError("the weights add up to more than any draw")


def other_phone(record, draw):
    """Return the number of another member of the household; blank where there is none with another number."""
    person = record.get("person")
    others = [] if person is None else [other["phone"] for other in person["home"] if other["phone"] != person["phone"]]
    return others[draw(len(others), "relative")] if others else ""
