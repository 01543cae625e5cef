"""What was typed instead of the truth."""

FIELDS = {
    "till": {"name": "name", "gender": "gender", "birth_date": "birth_date", "phone": "phone", "email": "email",
             "id_number": "id_number", "city": "city", "address": "address"},
    "web": {"full_name": "name", "gender": "gender", "birth_date": "birth_date", "phone": "phone", "email": "email",
            "city": "city", "address": "address"},
    "call": {"caller_name": "name", "phone": "phone", "city": "city"},
    "firm": {name: name for name in ("name", "credit_code", "industry", "contact_name", "contact_phone", "city")},
}


def clean_values(record):
    """Return the clean value of each column of a record that a person typed, as text."""
    if "firm" in record:
        return {column: record["firm"][value] for column, value in FIELDS["firm"].items()}
    person = record["person"]
    clean = {"name": person["surname"] + person["given"], "gender": person["sex"], "birth_date": person["birth"].isoformat()}
    clean |= {key: person[key] for key in ("phone", "email", "id_number", "city", "address")}
    return {column: clean[value] for column, value in FIELDS[record["channel"]].items()}


def type_records(draws, records, progress=lambda rows, _: rows):
    """Write what was typed into `typed` of each record; return the ledger: (record_id, field, operation, clean value)."""
    for record in progress(records, "dirt"):
        record["typed"] = clean_values(record)
    return []
