"""Households and persons: who the customers truly are."""

from datetime import date, timedelta
from functools import lru_cache

from cimlab.retailer.draws import by_limit, read_settings, split_entries

REFERENCE_DATE = date(2026, 6, 30)
# 1740[0-5] is a range of satellite numbers: valid for every checker, and nobody's in the street.
FIRST_PHONE = 17400000000
PHONES = 6_000_000
CHANGES_FROM, CHANGES_TO = date(2021, 7, 1), date(2026, 5, 31)
# How many persons a kind of household has.
SIZES = {
    "single": 1,
    "couple": 2,
    "couple_child": 3,
    "couple_two_children": 4,
    "three_generations": 4,
    "siblings": 2,
    "flatmates": 2,
}


def make_persons(draws, count, progress=lambda rows, _: rows):
    """Return `count` persons as dicts, household by household."""
    households, persons = 0, []
    for _ in progress(range(count), "persons"):
        if len(persons) < count:
            persons += make_household(draws, households)
            households += 1
    persons = persons[:count]
    for number, person in enumerate(persons):
        person["number"] = number
    homes = {}
    for person in persons:
        person["home"] = homes.setdefault(person["household"], [])
        person["home"].append(person)
    give_phones(draws, persons)
    give_emails(draws, persons)
    return persons


def make_household(draws, house):
    """Return the persons of one household: names, sexes, birth dates, address, identity numbers."""
    settings = read_settings("parameters")["people"]
    kind = draws.weighted(settings["households"], "household", "kind", house)
    age = draws.between(*settings["age_first_adult"][kind], "household", "age", house)
    first_sex = "F" if draws.chance(settings["woman_first_per_1000"], "household", "sex", house) else "M"
    rows = [house * 8 + place for place in range(SIZES[kind])]
    roles = [("head", first_sex, age)]
    if kind in ("couple", "couple_child", "couple_two_children", "three_generations"):
        other = max(age + draws.between(-5, 5, "household", "age", house, 1), 20)
        roles.append(("partner", "M" if first_sex == "F" else "F", other))
    for child in range({"couple_child": 1, "couple_two_children": 2, "three_generations": 1}.get(kind, 0)):
        years = min(age, roles[1][2]) - draws.between(23, 32, "household", "child", house) - 4 * child
        # younger ones are no customers yet
        years = max(years, draws.between(16, 22, "household", "youngest", house, child))
        roles.append(("child", draws.pick("FM", "household", "child sex", house, child), years))
    if kind == "three_generations":
        years = max(age, roles[1][2]) + draws.between(22, 28, "household", "parent", house)
        roles.append(
            ("parent", draws.weighted([("F", 60), ("M", 40)], "household", "parent sex", house), min(years, 86))
        )
    if kind in ("siblings", "flatmates"):
        gap = (
            draws.between(2, 6, "household", "age", house, 1)
            if kind == "siblings"
            else draws.between(-3, 3, "household", "age", house, 1)
        )
        roles.append((kind, draws.pick("FM", "household", "sex", house, 1), max(age + gap, 18)))
    surnames = family_surnames(draws, house, kind, roles, settings)
    shared = draws.chance(settings["sibling_character_per_1000"], "household", "shared character", house)
    home = make_home(draws, house, settings)
    persons = []
    for row, (role, sex, years), (surname, reading) in zip(rows, roles, surnames, strict=True):
        birth = REFERENCE_DATE - timedelta(days=years * 36525 // 100 + draws.below(365, "person", "birth", row))
        given = make_given_name(draws, row, sex, birth.year)
        brother = next((p for p in persons if p["role"] == role == "child" or role == "siblings"), None)
        if brother and shared and len(given) == len(brother["given"]) == 2:
            given = share_character(brother["given"], given, brother["sex"] == sex)
        if surname + given in {p["surname"] + p["given"] for p in persons}:
            given = make_given_name(draws, row, sex, birth.year, draw=9)
        person = {
            "row": row,
            "household": house,
            "role": role,
            "sex": sex,
            "birth": birth,
            "surname": surname,
            "given": given,
        }
        person["readings"] = (reading, tuple(readings()[character] for character in given))
        person["id_number"] = make_id_number(draws, row, birth, sex, home["region"])
        persons.append(person | home)
    return persons


def family_surnames(draws, house, kind, roles, settings):
    """Return a (surname, reading) for each role: children carry one of their parents', partners their own."""

    def fresh(draw):
        return draws.weighted(surname_weights(), "household", "surname", house, draw)

    names = [fresh(0)]
    if len(roles) > 1 and roles[1][0] == "partner":
        names.append(fresh(1))
        husband = 0 if roles[0][1] == "M" else 1
        mothers = draws.chance(settings["mothers_surname_per_1000"], "household", "child surname", house)
        for role, sex, _ in roles[2:]:
            if role == "child":
                names.append(names[1 - husband if mothers else husband])
            else:  # the grandfather is the husband's father; the grandmother has her own name
                names.append(names[husband] if sex == "M" else fresh(2))
    elif kind == "siblings":
        names.append(names[0])
    elif kind == "flatmates":
        names.append(fresh(1))
    return names


@lru_cache(maxsize=1)
def surname_weights():
    """Return ((surname, reading), weight) pairs."""
    entries = split_entries(read_settings("names")["surnames"])
    return [((surname, reading), int(weight)) for surname, reading, weight in entries]


@lru_cache(maxsize=1)
def readings():
    """Return the pinyin of every character of a given name."""
    entries = split_entries(read_settings("names")["pinyin"])
    return {character: reading for reading, characters in entries for character in characters}


def make_given_name(draws, row, sex, year, draw=0):
    """Return a given name as people of that sex born in that year have it."""
    names = read_settings("names")
    era = next(era for era in names["given"][sex] if year <= era["until"])
    if draws.chance(era["single_share"] * 10, "person", "single", row, draw):
        return draws.pick(era["single"].split(), "person", "given", row, draw)
    first = draws.pick(era["first"].split(), "person", "given first", row, draw)
    second = draws.pick(era["second"].split(), "person", "given second", row, draw)
    if sex == "F" and year >= 1980 and draws.chance(names["doubled_share"] * 10, "person", "doubled", row, draw):
        return second * 2
    return first + second if first != second else first


def share_character(elder, younger, same_sex):
    """Return the younger one's name with one character of the elder's: the first as a generation name."""
    return elder[0] + younger[1] if same_sex or elder[0] != younger[1] else younger


def make_home(draws, house, settings):
    """Return city, address and invented identity region of a household, and the former home of those who moved."""
    cities = read_settings("places")["cities"]
    shares = [(city, facts["share"]) for city, facts in cities.items()]
    city = draws.weighted(shares, "household", "city", house)
    region = f"99{cities[city]['region']}{draws.between(1, 9, 'household', 'region', house):02d}"
    home = {"city": city, "address": make_address(draws, house, city, 0), "region": region}
    home |= {"former_city": "", "former_address": "", "moved_on": None}
    if draws.chance(settings["household_moved_per_1000"], "household", "moved", house):
        stayed = draws.chance(800, "household", "moved within", house)
        home["former_city"] = city if stayed else draws.weighted(shares, "household", "former city", house)
        home["former_address"] = make_address(draws, house, home["former_city"], 1)
        home["moved_on"] = change_day(draws, "household", "moved on", house)
    return home


def make_address(draws, house, city, draw):
    """Return district, street, number, housing estate, block and flat; the streets are invented."""
    places = read_settings("places")

    def word(part, values):
        return draws.pick(values.split(), "household", part, house, draw)

    street = word("street", places["street_first"]) + word("street two", places["street_second"])
    street += draws.weighted(places["street_kind"], "household", "street kind", house, draw)
    estate = word("estate", places["estate_first"]) + word("estate two", places["estate_second"])
    estate += draws.weighted(places["estate_kind"], "household", "estate kind", house, draw)
    district = draws.pick(places["cities"][city]["districts"], "household", "district", house, draw)
    number = draws.between(1, 398, "household", "number", house, draw)
    block = draws.between(1, 28, "household", "block", house, draw)
    floor = draws.between(1, 24, "household", "floor", house, draw)
    flat = draws.between(1, 4, "household", "flat", house, draw)
    return f"{district}{street}{number}号{estate}{block}栋{floor}{flat:02d}室"


def change_day(draws, table, column, row):
    """Return a day between the first and the last day on which changes are made."""
    return CHANGES_FROM + timedelta(days=draws.below((CHANGES_TO - CHANGES_FROM).days + 1, table, column, row))


def make_id_number(draws, row, birth, sex, region):
    """Return an identity number of 18 characters with a right check digit (GB 11643); its region does not exist."""
    order = draws.below(500, "person", "id order", row) * 2 + (sex == "M")
    digits = f"{region}{birth:%Y%m%d}{order:03d}"
    weights = [pow(2, 17 - place, 11) for place in range(17)]
    rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    return digits + "10X98765432"[rest]


def phone_number(draws, index):
    """Return the mobile number with that index; different indexes give different numbers (a small Feistel shuffle)."""
    left, right = divmod(index % PHONES, 2500)
    for turn in range(3):
        left = (left + draws.below(2400, "phone", "left", right, turn)) % 2400
        right = (right + draws.below(2500, "phone", "right", left, turn)) % 2500
    return str(FIRST_PHONE + left * 2500 + right)


def give_phones(draws, persons):
    """Give every person a number, some a former one, some a stranger's former one, some old people their child's."""
    settings = read_settings("parameters")["people"]
    given_up = []
    for person in persons:
        row = person["row"]
        person |= {"phone": phone_number(draws, 2 * person["number"]), "former_phone": "", "phone_changed_on": None}
        if draws.chance(settings["phone_changed_per_1000"], "person", "phone changed", row):
            person["former_phone"] = phone_number(draws, 2 * person["number"] + 1)
            person["phone_changed_on"] = change_day(draws, "person", "phone changed on", row)
            recycled = draws.chance(settings["phone_recycled_per_1000"], "person", "phone recycled", row)
            if given_up and recycled:
                person["phone"] = given_up.pop(draws.below(len(given_up), "person", "phone of", row))
            given_up.append(person["former_phone"])
    for person in persons:
        young = [p for p in person["home"] if (person["birth"] - p["birth"]).days < -18 * 365]
        old = person["birth"].year <= REFERENCE_DATE.year - 65
        if old and young and draws.chance(settings["phone_shared_per_1000"], "person", "phone shared", person["row"]):
            person |= {key: young[0][key] for key in ("phone", "former_phone", "phone_changed_on")}


def give_emails(draws, persons):
    """Give an e-mail address to those who have one, made of name and year; each address once."""
    settings = read_settings("parameters")["people"]
    taken = set()
    for person in persons:
        row, (surname, given) = person["row"], person["readings"]
        age = REFERENCE_DATE.year - person["birth"].year
        person["email"] = ""
        if not draws.chance(by_limit(settings["email_by_age"], age), "person", "email", row):
            continue
        name, initials, year = "".join(given), "".join(part[0] for part in given), f"{person['birth']:%Y}"
        forms = [
            surname + name,
            f"{name}.{surname}",
            surname + name + year[2:],
            surname + initials + year,
            f"{surname}_{name}",
            initials + surname + f"{person['birth']:%m%d}",
            name + year,
        ]
        local = draws.pick(forms, "person", "email form", row)
        domain = draws.weighted(
            [("example.com", 60), ("example.net", 25), ("example.org", 15)], "person", "email domain", row
        )
        extra = 0
        while f"{local}{extra or ''}@{domain}" in taken:
            extra += draws.between(1, 40, "person", "email extra", row, extra)
        person["email"] = f"{local}{extra or ''}@{domain}"
        taken.add(person["email"])
