"""Firms: who the enterprise customers truly are, and the other firms that stand in the register.

A firm follows from its row alone, so that any firm can be computed by itself. Words and numbers are in `firms.yaml`.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.draws import ONE, by_limit, pick16, read_settings, split_entries
from cimlab.retailer.naming import draw_given_names, given_texts, surname_table
from cimlab.retailer.people import PHONES, phone_numbers
from cimlab.retailer.slips import ALPHABET
from cimlab.retailer.world import CITIES, REFERENCE_DAY, THINGS, day_of, ranges

INDUSTRIES = tuple(read_settings("firms")["industries"])
SIZES = ("micro", "small", "medium", "large")
PAYMENTS = ("prompt", "slow", "late", "defaults")
PARTS = ("decides", "buys", "uses", "advises")  # of contact persons in the decision to buy
# Rows of firms that are no customers, and of persons in firms: far from those of customers, so that no draw is shared.
STRANGERS, REPRESENTATIVES, CONTACTS = 1 << 40, 1 << 41, 1 << 42
PERSONS = 8  # room for the contact persons of one firm
# GB 32100: the weights of the characters of a unified social credit code; GB 11714: those of the organisation code
# that it holds, which counts A as 10, B as 11 … Z as 35.
WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def make_firms(draws, rows):
    """Return firms that are customers, with their contact persons.

    Parameters
    ----------
    draws : Draws
    rows : array of int64
        Row numbers of firms, in any order; a firm does not depend on the others.

    Returns
    -------
    dict
        One entry per firm, as arrays: `row`, `city` (index into world.CITIES), `industry` (INDUSTRIES), `size` (SIZES),
        `employees`, `standing` (0 to 100), `payment` (PAYMENTS), `terms` (days), `rate` (orders a year in thousandths),
        `founded` (day), `capital` (10,000 CNY), `principal` (the first contact person is the legal representative);
        as Arrow text: `name`, `city_short`, `brand`, `business`, `form` (the name is these four), `credit_code`,
        `legal_representative`. `first_contact` (one longer than the firms): where the contact persons of a firm begin
        in `contacts`, a dict of `firm` (place of the firm), `place` (0 is the main one), `key`, `sex` (0 F, 1 M),
        `part` (PARTS), `phone` (int64), `surname` and `given` (see naming.py) and, as Arrow text, `name`, `position`,
        `title` (null: none), `email` (null: none).

    Examples
    --------
    >>> from cimlab.retailer.draws import Draws
    >>> firms = make_firms(Draws(1), np.arange(3))
    >>> firms["name"].to_pylist()
    ['...', '...', '...']
    >>> len(firms["contacts"]["phone"]) == int(firms["first_contact"][-1])
    True
    """
    rows = np.asarray(rows, dtype=np.int64)
    firms = make_basics(draws, rows)
    pick, _ = contact_counts()
    size, (count_bits, lead_bits, _, _) = firms["size"], draws.words("firm", "contacts", rows)
    counts = pick[size, count_bits]
    share = np.array([read_settings("firms")["sizes"][name]["principal"] for name in SIZES])
    firms["principal"] = (lead_bits.astype(np.int64) * 1000 >> 16) < share[size]
    firms["first_contact"] = np.concatenate([[0], np.cumsum(counts)])
    firms["contacts"] = make_contacts(draws, firms, counts)
    return firms


def make_basics(draws, rows):
    """Return what `make_firms` returns, without the contact persons; the rows may be those of strangers."""
    firms = {"row": rows} | draw_kinds(draws, rows)
    firms |= draw_standing(draws, rows, firms["size"])
    firms |= draw_history(draws, rows, firms["size"])
    firms["credit_code"] = make_credit_codes(draws, firms)
    firms |= draw_representatives(draws, rows)
    return firms


def spread(bits, counts):
    """Return numbers below `counts` (a number, or one for each row) from 16-bit numbers."""
    return (bits.astype(np.int64) * counts) >> 16


def size_facts(key):
    """Return one setting of the size classes as an array."""
    return np.array([read_settings("firms")["sizes"][size][key] for size in SIZES], dtype=np.int64)


# --- names -----------------------------------------------------------------------------------------------------------


@cache
def name_tables():
    """Return a dict of the pieces of names: Arrow columns, and arrays that say where a part of a column begins."""
    words, places = read_settings("firms"), read_settings("places")["cities"]
    first, second, third = (words[f"brand_{part}"].split() for part in ("first", "second", "third"))
    sound = {
        character: reading for reading, characters in split_entries(words["brand_pinyin"]) for character in characters
    }
    brands = [a + b for a in first for b in second] + [a + b + c for a in first for b in second for c in third]
    business = [words["industries"][industry]["words"].split() for industry in INDUSTRIES]
    counts = np.array([len(part) for part in business])
    return {
        "city": pa.array([city.removesuffix("市") for city in CITIES]),
        "brand": pa.array(brands),
        "brand_pinyin": pa.array(["." + "".join(sound[character] for character in brand) for brand in brands]),
        "brands": (len(first) * len(second), len(third)),
        "business": pa.array([word for part in business for word in part]),
        "business_counts": counts,
        "business_starts": np.cumsum(counts) - counts,
        "form": pa.array([form for form, _ in words["forms"]]),
        "pick_form": pick16([weight for _, weight in words["forms"]], 16),
        "pick_city": pick16([places[city]["share"] for city in CITIES], 16),
        "pick_industry": pick16([words["industries"][industry]["share"] for industry in INDUSTRIES], 16),
        "pick_size": pick16([words["sizes"][size]["share"] for size in SIZES], 16),
    }


def draw_kinds(draws, rows):
    """Return city, industry, size and employees of firms, and their names: these tell the city and the business."""
    tables = name_tables()
    kinds, parts = draws.words("firm", "kinds", rows), draws.words("firm", "name", rows)
    city, industry, size = (
        tables[f"pick_{key}"][bits] for key, bits in zip(("city", "industry", "size"), kinds[:3], strict=True)
    )
    pairs, thirds = tables["brands"]
    three = spread(kinds[3], 1000) < read_settings("firms")["brand_of_three_per_1000"]
    pair = spread(parts[0], pairs)
    brand = np.where(three, pairs + pair * thirds + spread(parts[1], thirds), pair)
    business = tables["business_starts"][industry] + spread(parts[2], tables["business_counts"][industry])
    pieces = {"city": city, "brand": brand, "business": business, "form": tables["pick_form"][parts[3]]}
    texts = {key: tables[key].take(pa.array(numbers)) for key, numbers in pieces.items()}
    firms = {
        "city": city,
        "industry": industry,
        "size": size,
        "brand_number": brand,
        "city_short": texts.pop("city"),
    } | texts
    firms["name"] = pc.binary_join_element_wise(
        *(firms[key] for key in ("city_short", "brand", "business", "form")), ""
    )
    return firms | {"employees": between_low(size_facts("employees"), size, draws.words("firm", "employees", rows))}


def between_low(limits, size, bits):
    """Return a number within the limits of the size, low ones likelier: the lower of two even draws."""
    low, high = limits[size, 0], limits[size, 1]
    return low + spread(np.minimum(bits[0], bits[1]), high - low + 1)


# --- what drives a firm ----------------------------------------------------------------------------------------------


def draw_standing(draws, rows, size):
    """Return the credit standing of firms and what follows from it: how they pay, their terms, their rate of orders."""
    settings = read_settings("firms")
    rule = settings["standing"]
    mean = (rule["mean"] + size_facts("standing")[size]) * ONE
    standing = (mean + rule["spread"] * draws.quantile("normal", "firm", "standing", rows)) >> 16
    standing = np.clip(standing, rule["least"], rule["most"])
    luck = settings["payment"]["noise"] * draws.quantile("normal", "firm", "payment", rows)
    mood = (standing * ONE + luck) >> 16
    steps = [settings["payment"]["classes"][name]["from"] for name in PAYMENTS[:-1]]
    payment = sum((mood < step).astype(np.int64) for step in steps)
    luck = settings["terms"]["noise"] * draws.quantile("normal", "firm", "terms", rows)
    known = rule["mean"] * 100 + (standing - rule["mean"]) * settings["terms"]["standing_percent"]
    terms = by_limit(settings["terms"]["up_to"], ((known // 100 + size_facts("terms")[size]) * ONE + luck) >> 16)
    rate = (size_facts("orders")[size] * 1000 * draws.quantile("lognormal_90", "firm", "rate", rows)) >> 16
    rate = np.minimum(rate, settings["orders_per_year_at_most"] * 1000)
    return {"standing": standing, "payment": payment, "terms": terms, "rate": rate}


@cache
def capital_tables():
    """Return for each size and number of 16 bits a registered capital in 10,000 CNY."""
    choices = [read_settings("firms")["sizes"][size]["capital"] for size in SIZES]
    return np.array([np.array([value for value, _ in pairs])[pick16([w for _, w in pairs], 16)] for pairs in choices])


def draw_history(draws, rows, size):
    """Return the day of the founding and the registered capital of firms."""
    bits = draws.words("firm", "history", rows)
    limits = size_facts("years") * 36525 // 100
    days = between_low(limits, size, bits)
    return {"founded": (REFERENCE_DAY - days).astype(np.int32), "capital": capital_tables()[size, bits[2]]}


# --- credit codes ----------------------------------------------------------------------------------------------------


def make_credit_codes(draws, firms):
    """Return unified social credit codes with right check characters (GB 32100, GB 11714); no two firms share one.

    The region begins with 99, which no real code does.
    """
    rows, values = firms["row"], np.array([int(character, 36) for character in ALPHABET])
    number = np.where(rows < STRANGERS, 2 * rows, 2 * (rows - STRANGERS) + 1)
    cities = read_settings("places")["cities"]
    region = np.array([int(cities[city]["region"]) for city in CITIES])[firms["city"]]
    district = draws.between(1, 9, "firm", "region", rows)
    old = firms["founded"] < day_of(read_settings("firms")["register"]["one_code_since"])
    digits = number_places(draws.permute(number, 10**8, "organisation code"), 10, 8)
    letters = number_places(draws.permute(number, 31**6, "credit code"), 31, 6)
    letters = [ALPHABET.index("M"), ALPHABET.index("A"), *letters]
    code = [np.where(old, a, b) for a, b in zip(digits, letters, strict=True)]
    rest = sum(values[part] * weight for part, weight in zip(code, ORGANISATION_WEIGHTS, strict=True)) % 11
    check = np.array([ALPHABET.index(character) for character in "0X987654321"])[rest]
    body = [9, 1, 9, 9, region // 10, region % 10, 0, district, *code, check]
    total = sum(part * weight for part, weight in zip(body, WEIGHTS, strict=True))
    return fixed_texts([*body, (31 - total) % 31], ALPHABET, len(rows))


def number_places(numbers, base, count):
    """Return the digits of numbers, the highest first, as a list of arrays."""
    places = []
    for _ in range(count):
        numbers, rest = np.divmod(numbers, base)
        places.append(rest)
    return places[::-1]


def fixed_texts(columns, alphabet, count):
    """Return an Arrow text column whose characters are given by number, one array (or number) for each place."""
    data = np.empty((count, len(columns)), dtype=np.uint8)
    for place, numbers in enumerate(columns):
        data[:, place] = numbers
    data = np.frombuffer(alphabet.encode(), dtype=np.uint8)[data]
    offsets = np.arange(count + 1, dtype=np.int32) * len(columns)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


# --- persons in firms ------------------------------------------------------------------------------------------------


def draw_representatives(draws, rows):
    """Return the legal representatives of firms: sex, surname and given name as numbers, and the text of the name."""
    settings = read_settings("firms")["representatives"]
    sex, surname, given = draw_names(draws, REPRESENTATIVES + rows, settings)
    name = join_names(surname, given)
    return {"lead_sex": sex, "lead_surname": surname, "lead_given": given, "legal_representative": name}


def draw_names(draws, keys, settings):
    """Return (sex, surname, given name) as numbers of persons in firms, by the share of women and the limits of age."""
    bits = draws.words("firm person", "facts", keys)
    sex = (spread(bits[0], 1000) >= settings["woman_per_1000"]).astype(np.int64)
    low, high = settings["age"]
    birth = REFERENCE_DAY - (low * 36525 // 100) - spread(bits[1], (high - low) * 36525 // 100)
    return sex, surname_table()[2][bits[2]], draw_given_names(draws, keys, sex, birth)


def join_names(surname, given):
    """Return names as text from the numbers of surnames and given names."""
    return pc.binary_join_element_wise(
        surname_table()[0].take(pa.array(surname)), given_texts()[0].take(pa.array(given)), ""
    )


@cache
def contact_counts():
    """Return (for each size and number of 16 bits how many contact persons, the roles of first and other ones)."""
    settings = read_settings("firms")
    pairs = [settings["sizes"][size]["contacts"] for size in SIZES]
    pick = np.array([np.array([value for value, _ in entry])[pick16([w for _, w in entry], 16)] for entry in pairs])
    rules = [settings["contact_persons"][key] for key in ("other_role", "first_role")]
    return pick, np.array([pick16([rule[part] for part in PARTS], 16) for rule in rules])


@cache
def position_tables():
    """Return (positions, titles, where each group begins, how many it has): the PARTS, then principals, then kitchens.

    A position stands as often as its weight says.
    """
    settings = read_settings("firms")["contact_persons"]
    groups = [settings["positions"][key] for key in (*PARTS, "principal", "kitchen")]
    groups = [[zh for zh, _, weight in group for _ in range(weight)] for group in groups]
    counts, positions = np.array([len(group) for group in groups]), [position for group in groups for position in group]
    titles = [next((t for end, t in settings["titles"] if position.endswith(end)), None) for position in positions]
    return pa.array(positions), pa.array(titles, pa.string()), np.cumsum(counts) - counts, counts


def make_contacts(draws, firms, counts):
    """Return the contact persons of firms as a dict, firm by firm (see `make_firms`)."""
    firm, place = np.repeat(np.arange(len(counts)), counts), ranges(counts)
    key = firms["row"][firm] * PERSONS + place
    settings, lead = read_settings("firms")["contact_persons"], (place == 0) & firms["principal"][firm]
    drawn = draw_names(draws, CONTACTS + key, settings)
    leads = (firms[f"lead_{part}"][firm] for part in ("sex", "surname", "given"))
    sex, surname, given = (np.where(lead, a, b) for a, b in zip(leads, drawn, strict=True))
    bits = draws.words("firm person", "position", CONTACTS + key)
    part = np.where(lead, 0, contact_counts()[1][(place == 0).astype(np.int64), bits[0]])
    kitchens = np.array([industry in settings["kitchens"] for industry in INDUSTRIES])[firms["industry"][firm]]
    group = np.where(lead, len(PARTS), np.where(kitchens & (part == PARTS.index("uses")), len(PARTS) + 1, part))
    positions, titles, starts, lengths = position_tables()
    position = pa.array(starts[group] + spread(bits[1], lengths[group]))
    return {
        "firm": firm,
        "place": place,
        "key": key,
        "sex": sex,
        "part": part,
        # private persons take the numbers from the beginning
        "phone": phone_numbers(draws, (PHONES - 1 - key) % PHONES),
        "surname": surname,
        "given": given,
        "name": join_names(surname, given),
        "position": positions.take(position),
        "title": titles.take(position),
        "email": make_emails(draws, firms, firm, place, surname, given, bits),
    }


@cache
def email_tables():
    """Return (readings of surnames, given names, initials in one column; where each begins; points; domains; pick)."""
    readings, joined, initials = surname_table()[1], *given_texts()[2:]
    tokens = pa.concat_arrays([readings, joined, initials])
    domains = read_settings("firms")["contact_persons"]["domains"]
    pick = pick16([weight for _, weight in domains], 16)
    starts = (0, len(readings), len(readings) + len(joined))
    return tokens, starts, pa.array(["", "."]), pa.array([f"@{domain}" for domain, _ in domains]), pick


def make_emails(draws, firms, firm, place, surname, given, bits):
    """Return e-mail addresses such as zhang.wei.yunhe381@example.com, null for those who have none; each one once.

    The number is the firm's own, and the persons of one firm write their names in different orders.
    """
    tokens, (_, names, initials), points, domains, pick = email_tables()
    form = (spread(draws.words("firm", "e-mail", firms["row"])[0], 4)[firm] + place) & 3
    # 0 zhangwei, 1 wei.zhang, 2 zhang.wei, 3 wzhang
    head = np.select([form == 1, form == 3], [names + given, initials + given], surname)
    tail = np.where((form == 0) | (form == 2), names + given, surname)
    absent = spread(bits[2], 1000) >= read_settings("firms")["contact_persons"]["email_per_1000"]
    numbers = pa.array(mail_numbers(draws, firms["row"])).cast(pa.string())
    brands = name_tables()["brand_pinyin"].take(pa.array(firms["brand_number"]))
    company = pc.binary_join_element_wise(brands, numbers, "")
    parts = [tokens.take(pa.array(head)), points.take(pa.array(((form == 1) | (form == 2)).astype(np.int64)))]
    parts += [
        tokens.take(pa.array(tail)),
        company.take(pa.array(firm)),
        domains.take(pa.array(pick[bits[3]], mask=absent)),
    ]
    return pc.binary_join_element_wise(*parts, "")


def mail_numbers(draws, rows):
    """Return a number for each firm, each one once: small for the first firms, and in no order."""
    out, low, high = np.zeros(len(rows), dtype=np.int64), 0, 100
    while (rows >= low).any():
        inside = (rows >= low) & (rows < high)
        out[inside] = low + draws.permute(rows[inside] - low, high - low, f"firm mail {high}")
        low, high = high, high * 10
    return out


def firm_ids(draws, rows):
    """Return the identifiers of firms in the truth, 8 bytes each (see `world.id_text`)."""
    return draws.ids("F", rows * THINGS)
