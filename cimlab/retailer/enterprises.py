"""Enterprise customers: firms, and the one to three records that the retailer has of each."""

from datetime import timedelta

from cimlab.retailer.draws import read_settings
from cimlab.retailer.people import PHONES, REFERENCE_DATE, make_given_name, phone_number, surname_weights

# GB 32100: the characters of a unified social credit code and their weights; GB 11714: those of the organisation code
# that it holds.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def make_firms(draws, count):
    """Return `count` firms as dicts with their clean values."""
    return [make_firm(draws, row) for row in range(count)]


def make_firm(draws, row):
    """Return one firm: its name tells its city, its invented brand and its business."""
    words, places = read_settings("firms"), read_settings("places")["cities"]
    city = draws.weighted([(city, facts["share"]) for city, facts in places.items()], "firm", "city", row)
    industry = draws.weighted(
        [(name, facts["share"]) for name, facts in words["industries"].items()], "firm", "industry", row
    )
    brand = draws.pick(words["brand_first"].split(), "firm", "brand", row) + draws.pick(
        words["brand_second"].split(), "firm", "brand two", row
    )
    business = draws.pick(words["industries"][industry]["words"].split(), "firm", "business", row)
    form = draws.weighted(words["forms"], "firm", "form", row)
    surname, _ = draws.weighted(surname_weights(), "firm", "contact", row)
    given = make_given_name(draws, f"firm {row}", draws.pick("FM", "firm", "contact sex", row), 1985)
    return {
        "row": row,
        "name": f"{city.removesuffix('市')}{brand}{business}{form}",
        "brand": brand,
        "business": business,
        "credit_code": make_credit_code(draws, row, places[city]["region"]),
        "industry": industry,
        "contact_name": surname + given,
        "contact_phone": phone_number(draws, PHONES - 1 - row),
        "city": city,
    }


def make_credit_code(draws, row, region):
    """Return a unified social credit code with right check characters; its region 99 does not exist."""
    code = "MA" + "".join(draws.pick(ALPHABET, "firm", "code", row, place) for place in range(6))
    # GB 11714 counts A as 10, B as 11 … Z as 35
    rest = sum(int(character, 36) * weight for character, weight in zip(code, ORGANISATION_WEIGHTS, strict=True)) % 11
    body = f"9199{region}{draws.between(1, 9, 'firm', 'region', row):02d}{code}{'0X987654321'[rest]}"
    total = sum(ALPHABET.index(character) * weight for character, weight in zip(body, WEIGHTS, strict=True))
    return body + ALPHABET[(31 - total) % 31]


def make_firm_records(draws, firms):
    """Return the records of the firms: one each, some in both sources or twice."""
    settings = read_settings("parameters")["enterprises"]
    records = []
    for firm in firms:
        row, copies = firm["row"], 1
        if draws.chance(settings["second_record_per_1000"], "firm", "second", row):
            copies += 1 + draws.chance(settings["third_record_per_1000"], "firm", "third", row)
        first = draws.pick(["sales", "exhibition"], "firm", "source", row)
        for copy in range(copies):
            key = row * 8 + copy
            source = first if copy == 0 else {"sales": "exhibition", "exhibition": "sales"}[first]
            day = REFERENCE_DATE - timedelta(days=draws.below(1600, "firm record", "updated", key))
            records.append({"channel": source, "key": key, "firm": firm, "updated_on": day})
    return records
