"""The operations of the dirt: how a clean value is written down in another form, and the slips of hand and ear.

Each takes (value, draw, record): `draw(limit, label)` returns a whole number below the limit. It returns the new text; a slip
that does not fit the value returns it as it is. All dirt stays harmless: numbers stay in the invented range of mobile numbers,
identity numbers in regions that do not exist, e-mail addresses in the example domains or unreadable.
"""

from functools import lru_cache

from cimlab.retailer.draws import read_settings
from cimlab.retailer.enterprises import ALPHABET

FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
# The keys beside each letter of a QWERTY keyboard.
KEYS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wa qes wrd etf ryg tuh yij uok ipl ol qsz adw sfe dgr fht gjy hku jli ko sax zcd xvf cbg vnh bmj nk".split(), strict=True))
TAIL = 6  # the last digits of a number, where slips are made: those before name the invented range


# --- forms -----------------------------------------------------------------------------------------------------------------

def spaced(value, draw, record):
    """174 0123 4567; 曾 国藩: the surname apart."""
    if value.isdigit():
        return f"{value[:3]} {value[3:7]} {value[7:]}"
    surname = surname_of(record)
    return f"{surname} {value[len(surname):]}" if value.startswith(surname) else f"{value[0]} {value[1:]}"


def honorific(value, draw, record):
    """曾国藩先生."""
    return value + title(draw, record)


def surname_honorific(value, draw, record):
    """曾先生: only the surname is noted."""
    return surname_of(record) + title(draw, record)


def surname_english(value, draw, record):
    """Ms Zeng."""
    return ("Mr " if record["person"]["sex"] == "M" else "Ms ") + record["person"]["readings"][0].capitalize()


def firm_honorific(value, draw, record):
    """曾经理: the contact person by title."""
    return value[0] + ("经理", "总", "主任")[draw(3, "title")]


def title(draw, record):
    """Return the form of address of a person."""
    if record["person"]["sex"] == "M":
        return "先生"
    return "小姐" if record["person"]["birth"].year >= 1990 and draw(2, "title") else "女士"


def surname_of(record):
    """Return the surname of the person of a record; the first character of a contact person's name."""
    return record["person"]["surname"] if "person" in record else record["firm"]["contact_name"][0]


def romanised(draw, record):
    """Return (surname, given syllables); ü is typed in one of three ways."""
    surname, given = record["person"]["readings"]
    if surname == "lv":
        surname = ("lv", "lv", "lv", "lyu", "lu")[draw(5, "umlaut")]
    return surname, given


def pinyin(value, draw, record):
    """Zeng Guofan."""
    surname, given = romanised(draw, record)
    return f"{surname.capitalize()} {''.join(given).capitalize()}"


def pinyin_given_first(value, draw, record):
    """Guofan Zeng."""
    surname, given = romanised(draw, record)
    return f"{''.join(given).capitalize()} {surname.capitalize()}"


def pinyin_joined(value, draw, record):
    """zengguofan."""
    surname, given = romanised(draw, record)
    return surname + "".join(given)


def pinyin_capitals(value, draw, record):
    """ZENG Guofan."""
    surname, given = romanised(draw, record)
    return f"{surname.upper()} {''.join(given).capitalize()}"


def pinyin_spaced(value, draw, record):
    """Zeng Guo Fan."""
    surname, given = romanised(draw, record)
    return " ".join(part.capitalize() for part in (surname, *given))


def pinyin_hyphen(value, draw, record):
    """Guo-fan Zeng."""
    surname, given = romanised(draw, record)
    return f"{'-'.join(given).capitalize()} {surname.capitalize()}"


def pinyin_comma(value, draw, record):
    """Zeng, Guofan."""
    surname, given = romanised(draw, record)
    return f"{surname.capitalize()}, {''.join(given).capitalize()}"


def nickname(value, draw, record):
    """Lily Zeng: an English first name."""
    names = read_settings("names")["nicknames"][record["person"]["sex"]].split()
    return f"{names[draw(len(names), 'nickname')]} {romanised(draw, record)[0].capitalize()}"


def traditional(value, draw, record):
    """張偉 for 张伟."""
    pairs = (entry.split() for entry in read_settings("names")["traditional"].replace("\n", " ").split(",") if entry.strip())
    return value.translate({ord(new): old for new, old in pairs})


def chinese(value, draw, record):
    """女, 男."""
    return {"F": "女", "M": "男"}[value]


def english(value, draw, record):
    """female, male."""
    return {"F": "female", "M": "male"}[value]


def capital(value, draw, record):
    """Female; Zengguofan@Example.com; Catering."""
    if "@" in value:
        return "@".join(part.capitalize() for part in value.split("@"))
    return {"F": "Female", "M": "Male"}.get(value, value.capitalize())


def capitals(value, draw, record):
    """ZENG@EXAMPLE.COM."""
    return value.upper()


def lower(value, draw, record):
    """f; 99…x."""
    return value.lower()


def withheld(value, draw, record):
    """保密: the customer chose not to say."""
    return "保密"


def dashed(value, draw, record):
    """174-0123-4567."""
    return f"{value[:3]}-{value[3:7]}-{value[7:]}"


def plus86(value, draw, record):
    """+8617401234567."""
    return f"+86{value}"


def plus86_spaced(value, draw, record):
    """+86 174 0123 4567."""
    return f"+86 {value[:3]} {value[3:7]} {value[7:]}"


def zero86(value, draw, record):
    """0086-17401234567."""
    return f"0086-{value}"


def brackets(value, draw, record):
    """(+86)17401234567."""
    return f"(+86){value}"


def full_width(value, draw, record):
    """１７４…: digits of an input method left in Chinese mode."""
    return value.translate(FULL_WIDTH)


def date_parts(value):
    """Return (year, month, day) of an ISO date as texts."""
    return value.split("-")


def slashes(value, draw, record):
    """1987/5/12."""
    year, month, day = date_parts(value)
    return f"{year}/{int(month)}/{int(day)}"


def compact(value, draw, record):
    """19870512."""
    return value.replace("-", "")


def dots(value, draw, record):
    """1987.05.12."""
    return value.replace("-", ".")


def chinese_date(value, draw, record):
    """1987年5月12日."""
    year, month, day = date_parts(value)
    return f"{year}年{int(month)}月{int(day)}日"


def day_first(value, draw, record):
    """12/05/1987."""
    return "/".join(reversed(date_parts(value)))


def short_year(value, draw, record):
    """87-05-12."""
    return value[2:]


def english_date(value, draw, record):
    """12 May 1987."""
    year, month, day = date_parts(value)
    names = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f"{int(day)} {names[int(month) - 1]} {year}" if 1 <= int(month) <= 12 else value


def year_only(value, draw, record):
    """1987."""
    return value[:4]


def id_spaced(value, draw, record):
    """990101 19870512 1234."""
    return f"{value[:6]} {value[6:14]} {value[14:]}"


def code_spaced(value, draw, record):
    """91990101 MA6RA7882 B."""
    return f"{value[:8]} {value[8:17]} {value[17:]}".strip()


def short(value, draw, record):
    """上海 for 上海市."""
    return value.removesuffix("市")


def city_pinyin(value, draw, record):
    """Shanghai."""
    return read_settings("places")["cities"][value]["pinyin"]


def city_pinyin_lower(value, draw, record):
    """shanghai."""
    return city_pinyin(value, draw, record).lower()


def block_dash(value, draw, record):
    """…3-1202 for …3栋1202室."""
    return value.replace("栋", "-").removesuffix("室")


def building(value, draw, record):
    """…3号楼1202 for …3栋1202室."""
    return value.replace("栋", "号楼").removesuffix("室")


def with_city(value, draw, record):
    """The city, as of that time, before the address."""
    return record["city_then"] + value


def no_district(value, draw, record):
    """Without the district; all districts end in 区."""
    return value[value.index("区") + 1 :]


def no_city(value, draw, record):
    """云禾食品有限公司 for 杭州云禾食品有限公司."""
    return value.removeprefix(short(record["firm"]["city"], draw, record))


def short_firm(value, draw, record):
    """云禾食品: brand and business."""
    return record["firm"]["brand"] + record["firm"]["business"]


def no_form(value, draw, record):
    """杭州云禾食品公司."""
    return value.replace("有限责任公司", "公司").replace("股份有限公司", "公司").replace("有限公司", "公司")


def city_brackets(value, draw, record):
    """云禾食品(杭州)有限公司."""
    city, head = short(record["firm"]["city"], draw, record), record["firm"]["brand"] + record["firm"]["business"]
    return value.replace(city + head, f"{head}({city})")


def city_full_brackets(value, draw, record):
    """云禾食品（杭州）有限公司."""
    return city_brackets(value, draw, record).replace("(", "（").replace(")", "）")


def industry_zh(value, draw, record):
    """餐饮 for catering."""
    return read_settings("firms")["industries"][value]["zh"]


# --- errors and slips ------------------------------------------------------------------------------------------------------

@lru_cache(maxsize=1)
def homophone_rows():
    """Return for each character those that an input method offers in its place."""
    others = {}
    for row in read_settings("names")["homophones"].replace("\n", " ").split(","):
        for character in row.split():
            others.setdefault(character, []).extend(other for other in row.split() if other != character)
    return others


def homophone(value, draw, record):
    """王静 → 王敬: another character of the same reading; in surnames one time in four."""
    known = homophone_rows()
    places = [place for place, character in enumerate(value) if character in known]
    if not places:
        return value
    given = [place for place in places if place > 0]
    if given and (places[0] > 0 or draw(4, "surname")):
        places = given
    return replace_at(value, places[draw(len(places), "place")], known, draw)


def street_homophone(value, draw, record):
    """青溪路 → 清溪路: in the two characters of the street."""
    known, start = homophone_rows(), value.index("区") + 1
    places = [place for place in (start, start + 1) if value[place] in known]
    return replace_at(value, places[draw(len(places), "place")], known, draw) if places else value


def replace_at(value, place, known, draw):
    """Return the text with the character at a place replaced by one of those known for it."""
    others = known[value[place]]
    return value[:place] + others[draw(len(others), "other")] + value[place + 1 :]


def dropped_character(value, draw, record):
    """王小静 → 王静: never the surname."""
    surname = surname_of(record)
    place = len(surname) + draw(max(len(value) - len(surname), 1), "place")
    return value[:place] + value[place + 1 :] if len(value) > len(surname) + 1 else value


def other_gender(value, draw, record):
    """F → M."""
    return {"F": "M", "M": "F"}[value]


def digit(value, draw, record):
    """One digit wrong: among the last six of a number, in the year's last two, the month or the day of a date."""
    places = [place for place, character in enumerate(value) if character.isdigit()][-TAIL:]
    place = places[draw(len(places), "place")]
    return value[:place] + str((int(value[place]) + 1 + draw(9, "digit")) % 10) + value[place + 1 :]


def swapped_digits(value, draw, record):
    """…4567 → …4657: two neighbours among the last six."""
    places = [place for place in range(len(value) - TAIL, len(value) - 1) if value[place] != value[place + 1]]
    if not places:
        return value
    place = places[draw(len(places), "place")]
    return value[:place] + value[place + 1] + value[place] + value[place + 2 :]


def dropped_digit(value, draw, record):
    """One of the last six characters is missing."""
    place = len(value) - 1 - draw(TAIL, "place")
    return value[:place] + value[place + 1 :]


def day_month(value, draw, record):
    """1987-05-12 → 1987-12-05, where that is a date."""
    year, month, day = date_parts(value)
    return f"{year}-{day}-{month}" if int(day) <= 12 else value


def default_date(value, draw, record):
    """1990-01-01 or 1900-01-01: what the form offered."""
    return ("1990-01-01", "1990-01-01", "1900-01-01")[draw(3, "default")]


def id_digit(value, draw, record):
    """One digit of the birth date or the order code wrong, so that the check digit fails."""
    place = 8 + draw(9, "place")
    return value[:place] + str((int(value[place]) + 1 + draw(9, "digit")) % 10) + value[place + 1 :]


def id_region(value, draw, record):
    """The first digits slipped to the next key: 89 and 98 are no regions either."""
    return ("89", "98")[draw(2, "region")] + value[2:]


def check_character(value, draw, record):
    """The last character of a credit code is another one."""
    return value[:-1] + ALPHABET[(ALPHABET.index(value[-1]) + 1 + draw(30, "check")) % 31]


def letter_o(value, draw, record):
    """The letter O for the zero."""
    return value.replace("0", "O")


def address_digit(value, draw, record):
    """One digit of the house, block or flat wrong."""
    places = [place for place, character in enumerate(value) if character.isdigit()]
    place = places[draw(len(places), "place")]
    return value[:place] + str((int(value[place]) + 1 + draw(8, "digit")) % 10) + value[place + 1 :]


def truncated(value, draw, record):
    """The end of an address did not fit."""
    return value[: len(value) - 4 - draw(4, "length")]


def letter(value, draw, record):
    """One letter before the @ hit beside its key."""
    head, at, tail = value.partition("@")
    return keyboard(head, draw, record) + at + tail


def keyboard(value, draw, record):
    """A Latin letter hit beside its key, twice as often as one left out or two swapped."""
    places = [place for place, character in enumerate(value) if character.lower() in KEYS]
    if not places:
        return value
    place = places[draw(len(places), "place")]
    kind = draw(4, "kind")
    if kind == 0:
        return value[:place] + value[place + 1 :]
    if kind == 1 and place + 1 < len(value) and place + 1 in places:
        return value[:place] + value[place + 1] + value[place] + value[place + 2 :]
    near = KEYS[value[place].lower()]
    new = near[draw(len(near), "key")]
    return value[:place] + (new.upper() if value[place].isupper() else new) + value[place + 1 :]


def lost_at(value, draw, record):
    """The @ is missing."""
    return value.replace("@", "")


def comma(value, draw, record):
    """A comma for the dot of the domain: unreadable, never another domain."""
    head, _, tail = value.rpartition(".")
    return f"{head},{tail}"


def stray_space(value, draw, record):
    """A space before, after, or a full-width one after the text."""
    return (f" {value}", f"{value} ", f"{value}\u3000")[draw(3, "space")]


# A form of one name may mean another thing in another column.
FORMS_BY_COLUMN = {("city", "pinyin"): city_pinyin, ("city", "pinyin_lower"): city_pinyin_lower}
# Forms that are written from the reading of a name: what was misheard or mistyped in characters does not show in them.
FROM_READING = {"surname_english", "nickname", "pinyin", "pinyin_given_first", "pinyin_joined", "pinyin_capitals", "pinyin_spaced",
                "pinyin_hyphen", "pinyin_comma"}


def operation(name, column):
    """Return the function of an operation that `dirt.yaml` names for a column."""
    function = FORMS_BY_COLUMN.get((column, name)) or globals().get(name)
    if function is None or not callable(function):
        raise ValueError(f"dirt.yaml, column {column!r}: there is no operation {name!r} in cimlab/retailer/slips.py.")
    return function
