"""Lab 15: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import hashlib
import hmac
import re
import sqlite3
import unicodedata
from contextlib import closing

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, database, security

FIELDS = ["entry_no", "at", "actor", "role", "action", "record", "rows", "previous"]  # what is hashed, in this order
START = "0" * 64  # `previous` of the first entry
DIGITS = 4  # hexadecimal digits that the blind index keeps
INDEX_KEY = security.derive_key(bytes(range(32)), "lab: phone index")
_FIELD_KEYS = {"k1": security.derive_key(bytes(range(32)), "lab: phone field")}
VIEW_COLUMNS = ["member_id", "name", "phone", "tier", "joined_on"]
LEAKED_STORE = "ST04"

RULES = pd.DataFrame(
    [
        ("cashier", "none", "read"),
        ("cashier", "general", "read"),
        ("service", "none", "read"),
        ("service", "general", "read"),
        ("service", "medium", "read"),
        ("service", "high", "masked"),
        ("analyst", "none", "read"),
        ("analyst", "general", "read"),
        ("auditor", "none", "read"),
        ("auditor", "medium", "masked"),
        ("auditor", "high", "masked"),
    ],
    columns=["role", "grade", "right"],
)
EXCEPTIONS = pd.DataFrame(
    [
        ("cashier", "name", "masked"),
        ("cashier", "phone", "masked"),
        ("analyst", "birth_date", "masked"),
        ("analyst", "store_id", "none"),
        ("service", "birth_date", "none"),
        ("auditor", "address", "none"),
    ],
    columns=["role", "column", "right"],
)


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    dictionary : pandas.DataFrame
        The columns of `members` with their grade (personal_data).
    cards : pandas.DataFrame
        The members, the phone written in one way (+86 and 11 digits).
    trail : pandas.DataFrame
        Three days of an audit trail: at (UTC), actor, role, action, record, rows.
    sealed : pandas.DataFrame
        member_id, phone_sealed, phone_index.

    Examples
    --------
    >>> dictionary, cards, trail, sealed = prepare()
    >>> len(cards) == len(sealed), "rows" in trail
    (True, True)
    """
    cards = cimlab.load("members").copy()
    cards["phone"] = database.standardise_phones(cards["phone"])
    return cimlab.describe("members"), cards, make_trail(cards), seal(cards[["member_id", "phone"]])


def standard(typed):
    """Return a phone in the one way of writing, "+86" and 11 digits; None if it is none.

    Examples
    --------
    >>> standard("174 0201 0123"), standard("0086-17402010123"), standard("123")
    ('+8617402010123', '+8617402010123', None)
    """
    found = database.standardise_phones(pd.Series([typed], dtype=object))[0]
    return None if pd.isna(found) else str(found)


def seal(phones, index=None):
    """Return the table of question 5: each phone encrypted, and its index.

    Parameters
    ----------
    phones : pandas.DataFrame
        member_id, phone (written in one way).
    index : callable, optional
        Another way to make the index, to see which one a student took.

    Examples
    --------
    >>> seal(pd.DataFrame({"member_id": ["M1"], "phone": ["+8617402010123"]}))["phone_index"].str.len().tolist()
    [4]
    """
    index = index or blind
    there = phones["phone"].notna()
    tokens = security.seal_column(phones, "phone", _FIELD_KEYS, "member_id", "members")
    marks = phones["phone"].astype(object).where(there, None).map(index, na_action="ignore")
    return pd.DataFrame({"member_id": phones["member_id"], "phone_sealed": tokens, "phone_index": marks})


def blind(phone):
    """Return the index of a phone: the first digits of its HMAC-SHA256 under INDEX_KEY.

    Examples
    --------
    >>> blind("+8617402010123") == blind("17402010123")
    False
    """
    return hmac.new(INDEX_KEY, phone.encode(), hashlib.sha256).hexdigest()[:DIGITS]


def unseal(token, member_id):
    """Open one encrypted phone of this card.

    Examples
    --------
    >>> table = seal(pd.DataFrame({"member_id": ["M1"], "phone": ["+8617402010123"]}))
    >>> unseal(table["phone_sealed"][0], "M1")
    '+8617402010123'
    """
    return security.open_value(token, _FIELD_KEYS, f"members|phone|{member_id}")


def entry_text(entry):
    """Return the text of an entry that is hashed: all its fields but `hash`, with a bar between.

    Examples
    --------
    >>> entry_text(few_entries().iloc[0])[:37]
    '1|2026-06-30 09:00|E01|cashier|read|M'
    """
    return "|".join(str(entry[name]) for name in FIELDS)


def chain(entries):
    """Write entries (dicts without previous and hash) as a hash chain.

    Examples
    --------
    >>> bool(few_entries()["previous"][1] == few_entries()["hash"][0])
    True
    """
    rows, before = [], START
    for entry in entries:
        row = {name: entry[name] for name in FIELDS[:-1]} | {"previous": before}
        before = hashlib.sha256(entry_text(row).encode()).hexdigest()
        rows.append(row | {"hash": before})
    return pd.DataFrame(rows, columns=[*FIELDS, "hash"])


def few_entries(count=6):
    """Return a small sound chain.

    Examples
    --------
    >>> len(few_entries())
    6
    """
    roles = ["cashier", "service", "auditor"]
    return chain(
        {
            "entry_no": number,
            "at": f"2026-06-30 09:{7 * (number - 1):02}",
            "actor": f"E{number % 3 + 0:02}" if number % 3 else "E03",
            "role": roles[(number - 1) % 3],
            "action": "read",
            "record": f"M{number * 17 % 100:03}",
            "rows": number % 4 + 1,
        }
        for number in range(1, count + 1)
    )


def head_of(trail, count=None):
    """Return what was published of a chain when it had `count` entries.

    Examples
    --------
    >>> head_of(few_entries(), 4)["count"]
    4
    """
    count = len(trail) if count is None else count
    return {"count": count, "hash": trail["hash"].iloc[count - 1] if count else START}


def make_trail(cards, seed=15):
    """Make three days of an audit trail (27 to 30 June 2026; `at` in UTC), with what question 7 looks for.

    Parameters
    ----------
    cards : pandas.DataFrame
        member_id, store_id.
    seed : int

    Examples
    --------
    >>> cards = pd.DataFrame({"member_id": [f"M{number:02}" for number in range(40)], "store_id": "ST04"})
    >>> make_trail(cards)["at"].is_monotonic_increasing
    True
    """
    draw = np.random.default_rng(seed)
    names = sorted(cards["member_id"])
    leaked = int((cards["store_id"] == LEAKED_STORE).sum())
    first, second = watched_of(cards)
    rows = []
    for actor, role in {"E01": "cashier", "E02": "cashier", "E07": "service", "E09": "auditor"}.items():
        for day in (28, 29, 30):
            for minute in draw.integers(9 * 60, 20 * 60, 12).tolist():
                record = names[int(draw.integers(len(names)))]
                at = f"2026-06-{day} {minute // 60:02}:{minute % 60:02}"
                rows.append((at, actor, role, "read", record, int(draw.integers(1, 4))))
    seeker = ("E12", "service", "read", "search")  # looks often, finds little
    rows += [
        ("2026-06-28 10:30", "E11", "marketing", "export", "coupon list", 150),
        ("2026-06-29 10:30", "E11", "marketing", "export", "coupon list", 140),
        ("2026-06-29 07:10", "E06", "service", "read", "calls", 120),
        ("2026-06-29 10:00", "E06", "service", "read", "calls", 110),
        ("2026-06-29 23:00", "E05", "service", "read", "deliveries", 120),
        ("2026-06-30 01:00", "E05", "service", "read", "deliveries", 110),
        ("2026-06-29 14:00", "E08", "analyst", "count", "members", 200),
        ("2026-06-30 02:14", "E07", "service", "export", LEAKED_STORE, leaked),
        ("2026-06-29 11:05", "E03", "cashier", "read", first, 1),
        ("2026-06-29 11:06", "E03", "cashier", "read", second, 1),
        ("2026-06-30 18:40", "E03", "cashier", "read", first, 1),
        ("2026-06-30 10:10", "E09", "auditor", "read", first, 1),
        ("2026-06-29 23:30", "E09", "auditor", "read", "trail", 2),
        ("2026-06-28 06:00", "E02", "cashier", "read", names[3], 4),
        ("2026-06-29 05:59", "E02", "cashier", "read", names[4], 1),
        ("2026-06-29 22:00", "E04", "cashier", "read", names[5], 3),
        ("2026-06-28 21:59", "E04", "cashier", "read", names[6], 1),
        *((f"2026-06-{day} 02:00", "E10", "database administrator", "back up", "all", len(names)) for day in (28, 29)),
        *((f"2026-06-30 {9 + n // 30:02}:{n % 30 * 2:02}", *seeker, n % 4 // 3) for n in range(210)),
    ]
    trail = pd.DataFrame(rows, columns=["at", "actor", "role", "action", "record", "rows"])
    trail["at"] = pd.to_datetime(trail["at"]) - pd.Timedelta(hours=8)
    return trail.sort_values(["at", "actor", "record"], ignore_index=True)


def watched_of(cards):
    """Return the two cards that are watched: a singer's, and a colleague's.

    Examples
    --------
    >>> watched_of(pd.DataFrame({"member_id": [f"M{number:02}" for number in range(30)]}))
    ['M10', 'M20']
    """
    names = sorted(cards["member_id"])
    return [names[10], names[20]]


def board(cards, trail):
    """Return the figures of question 8: what E07 exported in the night, and which duties that brings.

    Parameters
    ----------
    cards, trail : pandas.DataFrame
        As `prepare` returns them.

    Returns
    -------
    counts : pandas.DataFrame
        Cards affected, and how many of them have a value in each column that `service` reads.
    duties : pandas.DataFrame
        Which law asks for what, and whether it applies.

    Examples
    --------
    >>> counts, duties = board(*prepare()[1:3])
    >>> bool(counts.loc["cards", "values"] > 0), len(duties)
    (True, 5)
    """
    export = trail[(trail["actor"] == "E07") & (trail["action"] == "export")].assign(entry_no=1)
    groups = {LEAKED_STORE: cards.loc[cards["store_id"] == LEAKED_STORE, "member_id"].tolist()}
    records = security.affected_persons(export, export, groups)["record"]
    hit = cards[cards["member_id"].isin(records)]
    grades = cimlab.describe("members").set_index("column")["personal_data"]
    shown = ["name", "phone", "address", "email", "birth_date", "id_number"]
    counts = pd.DataFrame({"grade": grades[shown], "values": hit[shown].notna().sum()})
    counts["right of service"] = ["masked" if grade == "high" else "read" for grade in counts["grade"]]
    counts.loc["cards"] = ["", len(hit), ""]
    duties = security.which_duties(len(hit))
    return counts.rename_axis("column"), duties[["law", "article", "whom", "hours", "applies", "why"]]


# ------------------------------------------------------------------------------------------------------------- helpers
def same(wrong, by):
    """Return a function that says whether a student's table is this wrong one."""

    def found(got):
        if len(got) != len(wrong) or not set(wrong.columns) <= set(got.columns):
            return False
        own = got.set_index(by)[[name for name in wrong.columns if name not in by]]
        other = wrong.set_index(by)[own.columns]
        own = own.reindex(other.index) if own.index.is_unique else own
        return own.astype(object).where(own.notna(), None).to_numpy().tolist() == (
            other.astype(object).where(other.notna(), None).to_numpy().tolist()
        )

    return found


def alike(one, other):
    """Say whether two results are the same, numbers with tolerance.

    Examples
    --------
    >>> alike(("a", 2), ("a", 2.0)), alike(None, 0)
    (True, False)
    """
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(alike, one, other))
    numbers = (int, float, np.integer, np.floating)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return bool(np.isclose(one, other, equal_nan=True))
    return type(one) is type(other) and bool(one == other)


def judge(function, name, examples, right, variants=(), reveal=True):
    """Run a student's function on examples; where all its results are those of a known mistake, say which.

    Parameters
    ----------
    function : callable
    name : str
    examples : list of (tuple, str)
        Arguments, and a hint.
    right : callable
        The right function.
    variants : list of (callable, str)
        Functions that make one mistake, and the sentence for it.
    reveal : bool
        As in `checks.cases`.
    """
    try:
        own = [checks.call(function, *arguments, name=name) for arguments, _ in examples]
    except checks.CheckFailed:
        own = None  # told below, with what may be shown
    wanted = [right(*arguments) for arguments, _ in examples]
    for variant, sentence in variants if own is not None else []:
        wrong = [variant(*arguments) for arguments, _ in examples]
        if not all(map(alike, wrong, wanted)) and all(map(alike, own, wrong)):
            raise checks.CheckFailed(sentence)
    told = [(arguments, result, hint) for (arguments, hint), result in zip(examples, wanted, strict=True)]
    checks.cases(function, told, name=name, reveal=reveal)


# ---------------------------------------------------------------------------------------------------------- question 1
def rights_one_by_one(dictionary, rules, exceptions, default="none", ungraded="none", excepting=True, over=True):
    """Look each right up: the slow way, to check the fast one; the other arguments make it wrong.

    `default` stands where no rule is written, `ungraded` where the column has no grade; without `excepting` no
    exception counts; without `over` an exception counts only where no rule is written.
    """
    written = {(role, grade): right for role, grade, right in rules.itertuples(index=False)}
    special = {(role, column): right for role, column, right in exceptions.itertuples(index=False)} if excepting else {}
    roles, rows = list(dict.fromkeys(rules["role"])), []
    for column, grade in zip(dictionary["column"], dictionary["personal_data"], strict=True):
        row = {"column": column}
        for role in roles:
            rule = written.get((role, grade))
            right = special.get((role, column), rule) if over or rule is None else rule
            right = default if right is None else right
            row[role] = right if pd.notna(grade) or ungraded is None else ungraded
        rows.append(row)
    return pd.DataFrame(rows)


def few_columns():
    """Return dictionary, rules and exceptions of the visible check of question 1."""
    dictionary = pd.DataFrame(
        {
            "column": ["id_number", "tier", "store_id", "remark", "phone", "email"],
            "meaning": "…",
            "personal_data": ["high", "general", "none", None, "medium", "medium"],
        }
    )
    rules = [
        ("till", "none", "read"),
        ("till", "general", "read"),
        ("desk", "none", "read"),
        ("desk", "medium", "read"),
    ]
    rules += [("desk", "high", "masked"), ("model", "general", "read")]
    exceptions = [("till", "phone", "masked"), ("desk", "email", "none"), ("till", "remark", "read")]
    return (
        dictionary,
        pd.DataFrame(rules, columns=["role", "grade", "right"]),
        pd.DataFrame(exceptions, columns=["role", "column", "right"]),
    )


def rights_mistakes(given):
    """Return the wrong tables that students get, each with its sentence."""
    key = ["column"]
    return [
        (lambda got: "column" not in got.columns and got.index.name == "column",
         "`column` is the index; a column is asked for: `reset_index()`."),
        (lambda got: {"role", "right"} & set(got.columns), "One row a column, with a column for each role: `pivot`."),
        (lambda got: len(got) < len(given[0]) and set(got.columns) == set(rights_one_by_one(*given).columns),
         "Columns are missing: what no rule is written for, or has no grade, belongs into the matrix too, as `none`."),
        (lambda got: got.drop(columns="column", errors="ignore").isna().any(axis=None),
         "There are blanks in your matrix. What is not granted is refused: where no rule is written, `none`."),
        (same(rights_one_by_one(*given, default="read"), key),
         "Where no rule is written, you grant `read`. What is not granted is refused: `none`."),
        (same(rights_one_by_one(*given, default="masked"), key),
         "Where no rule is written, you grant `masked`. What is not granted is refused: `none`."),
        (same(rights_one_by_one(*given, excepting=False), key), "You forget the `exceptions`, which go first."),
        (same(rights_one_by_one(*given, over=False), key),
         "An exception goes before the rule for the grade, also where it takes a right away."),
        (same(rights_one_by_one(*given, ungraded=None), key),
         "A column without a grade is shown by an exception. Grade it first: until then it is `none` for all."),
        (same(rights_one_by_one(given[0].fillna({"personal_data": "none"}), *given[1:]), key),
         "A column without a grade is taken for a harmless one. Nobody has looked at it yet: `none`."),
    ]  # fmt: skip


def check_rights(names):
    """Question 1."""
    rights = checks.answer(names, "rights", "function")
    given = few_columns()
    got = checks.call(rights, *given)
    what = "rights(dictionary, rules, exceptions)"
    right = rights_one_by_one(*given)
    checks.equal(got, right, what, by="column", row="one per column", mistakes=rights_mistakes(given))


# ---------------------------------------------------------------------------------------------------------- question 2
def hidden_phone(typed, clean=True, code=True, length=True, blank=None):
    """Mask a phone; the other arguments make it wrong."""
    if pd.isna(typed) or not str(typed).strip():
        return blank
    text = unicodedata.normalize("NFKC", str(typed)) if clean else str(typed)
    text = re.sub(r"[\s()-]", "", text) if clean else text
    if code:
        text = re.sub(r"^(\+86|0086|86)(?=\d{11}$)", "", text)
    fits = re.fullmatch(r"1\d{10}", text) if length else True
    return f"{text[:3]}****{text[-4:]}" if fits else "***"


def hidden_email(typed, at=True, lower=True, blank=None, dots=False):
    """Mask an e-mail address; the other arguments make it wrong."""
    if pd.isna(typed) or not str(typed).strip():
        return blank
    text = str(typed).strip()
    name, _, domain = text.partition("@")
    if at and not (text.count("@") == 1 and name and domain and " " not in text):
        return "***"
    stars = "*" * (len(name) - 1) if dots else "***"
    return f"{name[:1]}{stars}@{domain.lower() if lower else domain}"


PHONES = [
    (("17402010123",), ""),
    (("174 0201-0123",), "blanks and hyphens come first, then the cut"),
    (("+8617402010123",), "take the country code away before you cut"),
    (("0086-17402010123",), "the country code has three forms: +86, 0086, 86"),
    (("(+86)17402010123",), "brackets go too"),
    (("１７４０２０１０１２３",), "full-width digits: `unicodedata.normalize('NFKC', text)`"),
    (("1740201",), "of a short number, the first three and the last four are all of it"),
    (("李小明",), "people type a name into the box of the phone: what is no number becomes `***`"),
    ((None,), "nothing stays nothing"),
    ((float("nan"),), "pandas writes a blank as NaN: ask with `pd.isna`"),
    (("   ",), "only blanks is nothing too"),
]
EMAILS = [
    (("liming@example.com",), ""),
    (("Li.Ming@Example.COM",), "the domain in small letters"),
    (("a@example.com",), "a name of one letter is shown whole; the stars do not say so"),
    (("liming.example.com",), "without @ it is no address: `***`"),
    (("li@ming@example.com",), "two @: it is no address, and what stands between may be anything"),
    (("@example.com",), "nothing before the @"),
    (("liming@",), "nothing behind the @"),
    ((None,), "nothing stays nothing"),
    ((float("nan"),), "pandas writes a blank as NaN: ask with `pd.isna`"),
    (("",), "an empty text is nothing too"),
]
PHONE_VARIANTS = [
    (lambda typed: hidden_phone(typed, blank="***"), "A blank phone becomes `***`, as if there were one: return None."),
    (
        lambda typed: hidden_phone(typed, length=False),
        "You cut whatever comes. Of 1740201 the first three and the last four are the *whole* number; and a name in "
        "the wrong box is shown. If 11 digits are not left, return `***`.",
    ),
    (
        lambda typed: hidden_phone(typed, code=False),
        "A number with a country code becomes `***` or shows the code. Take +86, 0086 or 86 away first.",
    ),
    (
        lambda typed: hidden_phone(typed, clean=False),
        "Blanks, hyphens, brackets and full-width digits come in real data: mend them (NFKC first) before you cut.",
    ),
]
EMAIL_VARIANTS = [
    (lambda typed: hidden_email(typed, blank="***"), "A blank address becomes `***`: return None."),
    (
        lambda typed: hidden_email(typed, dots=True),
        "Your stars tell the length of the name: always three, whatever is hidden.",
    ),
    (
        lambda typed: hidden_email(typed, lower=False),
        "Write the domain in small letters: `Example.COM` is `example.com`.",
    ),
    (
        lambda typed: hidden_email(typed, at=False),
        "A text that is no address (no @, two, or nothing beside it) is shown in part: return `***`.",
    ),
]


def check_masks(names):
    """Question 2."""
    for name, examples, right, variants in (
        ("mask_phone", PHONES, hidden_phone, PHONE_VARIANTS),
        ("mask_email", EMAILS, hidden_email, EMAIL_VARIANTS),
    ):
        judge(checks.answer(names, name, "function"), name, examples, right, variants)


# ---------------------------------------------------------------------------------------------------------- question 3
def open_base(cards, store):
    """Return a base in memory with the tables members and session (one row: the store of who is logged in).

    Examples
    --------
    >>> with closing(open_base(few_cards(), "ST02")) as base:
    ...     base.execute("SELECT store_id FROM session").fetchall()
    [('ST02',)]
    """
    base = sqlite3.connect(":memory:")
    columns = ["member_id", "name", "phone", "email", "id_number", "tier", "store_id", "joined_on"]
    rows = cards[columns].astype({"joined_on": str}).astype(object)
    rows.where(rows.notna(), None).to_sql("members", base, index=False)
    base.execute("CREATE TABLE session (store_id TEXT)")
    base.execute("INSERT INTO session VALUES (?)", (store,))
    return base


def see(view, cards, store):
    """Return the first rows that a clerk of this store sees, or what SQLite says.

    Examples
    --------
    >>> see("CREATE VIEW clerk AS SELECT", few_cards(), "ST02")
    'incomplete input'
    """
    try:
        with closing(open_base(cards, store)) as base:
            base.execute(view)
            return pd.read_sql("SELECT * FROM clerk", base).head()
    except (sqlite3.Error, sqlite3.Warning, pd.errors.DatabaseError) as error:
        return str(error)


def few_cards():
    """Return the cards of the visible check of question 3."""
    rows = [
        ("M7", "李小明", "+8617402010123", "gold", "ST02"),
        ("M3", "王芳", "+8613490000456", "silver", "ST02"),
        ("M9", "张伟", None, "silver", "ST02"),
        ("M5", "赵敏", "12345", "gold", "ST02"),
        ("M1", "孙丽", "+8617402019999", "basic", "ST02"),
        ("M2", "周杰", "+8617402018888", "gold", "ST01"),
        ("M4", "吴迪", "+8617402017777", "silver", "ST01"),
        ("M6", "郑爽", "+8617402016666", "gold", None),
        ("M8", "钱多", "+8617402015555", None, "ST02"),
    ]
    cards = pd.DataFrame(rows, columns=["member_id", "name", "phone", "tier", "store_id"], dtype=object)
    return cards.assign(email="a@example.com", id_number="990000190001010000", joined_on="2020-01-01")


def clerk_sees(cards, store):
    """Return what a clerk of this store should see, in the order of member_id."""
    rows = cards[cards["store_id"].notna() & (cards["store_id"] == store) & cards["tier"].isin(["silver", "gold"])]
    phones = rows["phone"].astype(object).where(rows["phone"].notna(), None)
    masked = [
        None if phone is None else f"{phone[3:6]}****{phone[-4:]}" if len(phone) == 14 else "***" for phone in phones
    ]
    rows = rows.assign(phone=pd.Series(masked, index=rows.index, dtype=object), joined_on=rows["joined_on"].astype(str))
    return rows[VIEW_COLUMNS].sort_values("member_id", ignore_index=True)


def clerk_rows(view, cards, store):
    """Return what a student's view shows to a clerk of this store."""
    text = "SQLite cannot read `clerk_view`: is each `...` replaced, a comma between columns, a text in single quotes?"
    with closing(open_base(cards, store)) as base:
        checks.accepts(lambda: base.execute(view), text)
        known = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
        checks.require(
            known == ["clerk"], "`clerk_view` has to make a view called `clerk`: CREATE VIEW clerk AS SELECT …"
        )
        cursor = checks.accepts(lambda: base.execute("SELECT * FROM clerk"), text)
        return pd.DataFrame(cursor.fetchall(), columns=[part[0] for part in cursor.description], dtype=object)


def compare_view(view, cards, store, reveal=True):
    """Compare what a view shows with what it should show, and say what leaks."""
    got, right = clerk_rows(view, cards, store), clerk_sees(cards, store)
    more = sorted(set(got.columns) - set(VIEW_COLUMNS))
    checks.require(not more, f"The view shows {', '.join(more)}: only {', '.join(VIEW_COLUMNS)} are asked for.")
    less = [column for column in VIEW_COLUMNS if column not in got.columns]
    checks.require(
        not less, f"The view has no column {', '.join(less)}. A column that you work out needs its name: `… AS phone`."
    )
    compare_rows(cards[cards["member_id"].isin(got["member_id"])], store)
    checks.require(
        len(got) == len(right),
        f"The view shows {len(got)} rows where {len(right)} are right: silver *and* gold cards of the session's store."
        if reveal
        else "The view shows too few or too many rows for another store.",
    )
    whole = cards.set_index("member_id")["phone"]
    for member, phone in zip(got["member_id"], got["phone"], strict=True):
        compare_phone(whole[member], phone)
    listed = got["member_id"].tolist()
    by_phone = listed == [name for name in whole.sort_values(na_position="first").index if name in set(listed)]
    checks.require(
        listed == sorted(listed),
        "The rows come in the order of the whole phone: that gives the hidden digits away. ORDER BY member_id."
        if by_phone
        else "The rows are not in the order of `member_id`: ORDER BY member_id.",
    )
    checks.equal(got[VIEW_COLUMNS], right, "clerk", by="member_id", reveal=reveal)


def compare_rows(seen, store):
    """Look at the rows that a view shows: whose cards are they?"""
    other = seen[seen["store_id"].notna() & (seen["store_id"] != store)]
    checks.require(
        store is not None or seen.empty,
        "A clerk without a store (session.store_id is NULL) sees cards. NULL = NULL is not true in SQL, and that is "
        "what you need here: no IS, no COALESCE.",
    )
    one_tier = len(set(other["tier"])) == 1 and len(set(seen["tier"])) > 1
    checks.require(
        not one_tier,
        "The view shows cards of other stores, but of one tier only: AND binds before OR. Put the OR in brackets, or "
        "write `tier IN (…)`.",
    )
    checks.require(
        other.empty,
        "The view shows cards of other stores than that of the session. The rule for the rows is missing, or it names "
        "one fixed store: ask `(SELECT store_id FROM session)`.",
    )
    nobody = "The view shows cards without a store: they belong to no clerk (NULL is nobody's)."
    checks.require(bool(seen["store_id"].notna().all()), nobody)
    tiers = "The view shows cards that are neither silver nor gold: the counter serves those two only."
    checks.require(bool(seen["tier"].isin(["silver", "gold"]).all()), tiers)


def compare_phone(own, phone):
    """Look at one phone of a view: is it hidden as it should be?"""
    if pd.isna(own):
        checks.require(phone is None, "A card without a phone gets a mask: nothing stays nothing (NULL).")
        return
    checks.require(phone is not None, "A phone is lost in the view: it should be masked.")
    whole = len(own) == 14
    checks.require(
        own not in str(phone) and not (whole and own[3:] in str(phone)),
        "The phone is there in clear: `substr(phone, 4, 3) || '****' || substr(phone, -4)`."
        if whole
        else "A value that has not 14 characters comes through in clear. What you do not know becomes `***`: CASE.",
    )
    checks.require(
        whole or phone == "***",
        "A value that has not 14 characters is cut like a phone, and all of it can be read. It becomes `***`: CASE.",
    )
    code = str(phone).startswith("+86")
    checks.require(not code, "The mask keeps +86 as the first three: the digits begin at character 4.")


def check_view(names):
    """Question 3."""
    view = checks.answer(names, "clerk_view", str)
    for store in ("ST02", "ST01", None):
        compare_view(view, few_cards(), store)


# ---------------------------------------------------------------------------------------------------------- question 4
def broken_one_by_one(trail, head, own=True, link=True, ends=True, last=False, first=1):
    """Check a chain entry by entry; the other arguments make it wrong.

    Without `own` no entry's own hash is looked at, without `link` not the link, without `ends` not the head; with
    `last` the head is compared with the last entry, whatever its number; `first` is the number of the first entry.
    """
    entries, before = trail.to_dict("records"), START
    for place, entry in enumerate(entries):
        if link and entry["previous"] != before:
            return place + first
        if own and hashlib.sha256(entry_text(entry).encode()).hexdigest() != entry["hash"]:
            return place + first
        before = entry["hash"]
    if not ends or not head["count"]:
        return None
    if last:
        return len(entries) - 1 + first if not entries or entries[-1]["hash"] != head["hash"] else None
    if len(entries) < head["count"]:
        return len(entries) + first
    return head["count"] - 1 + first if entries[head["count"] - 1]["hash"] != head["hash"] else None


def tampered(whole=None, at=3):
    """Return trails with what was done to each: ((trail, head), hint).

    Examples
    --------
    >>> [broken_one_by_one(*given) for given, _ in tampered()]
    [None, None, 3, 4, 3, 5, 6, 1, 3, 1, None]
    """
    whole = few_entries() if whole is None else whole
    count = len(whole)
    changed = whole.copy()
    changed.loc[at - 1, "rows"] = 999
    rehashed = changed.copy()
    rehashed.loc[at - 1, "hash"] = hashlib.sha256(entry_text(changed.loc[at - 1]).encode()).hexdigest()
    remade = chain(changed.to_dict("records"))
    removed = whole.drop(index=at - 1).reset_index(drop=True)
    order = [*range(at - 1), at, at - 1, *range(at + 1, count)]
    swapped = whole.iloc[order].reset_index(drop=True)
    head, rest = head_of(whole), whole.tail(count - 1).reset_index(drop=True)
    return [
        ((whole, head), "nothing was done to this trail"),
        ((whole, head_of(whole, count - 2)), "a trail grows: entries after the published head are no fault"),
        ((changed, head), "an entry was changed and kept its hash"),
        ((rehashed, head), "an entry was changed and got a new hash: the link of the *next* one does not fit"),
        ((removed, head), "an entry was removed: at its place stands one that links to another"),
        ((whole.head(count - 2), head), "the end was cut off: the published head knows of more entries"),
        ((remade, head), "the whole chain was made again: only the published hash tells"),
        ((rest, head), "the first entry was removed: `previous` is not 64 zeros"),
        ((swapped, head), "two entries changed places"),
        ((whole.head(0), head), "everything was removed"),
        ((whole.head(0), head_of(whole, 0)), "an empty trail of which nothing was published"),
    ]


BROKEN_VARIANTS = [
    (
        lambda trail, head: broken_one_by_one(trail, head, link=False),
        "You look at the own hash of each entry only. Who changes an entry gives it a new hash: compare `previous` "
        "with the hash of the entry before.",
    ),
    (
        lambda trail, head: broken_one_by_one(trail, head, own=False),
        "You look at the links only. Work the hash of each entry out too: an entry that was changed kept its old one.",
    ),
    (
        lambda trail, head: broken_one_by_one(trail, head, ends=False),
        "You do not look at `head`. Who cuts the end off, or makes the whole chain again, leaves a chain that holds.",
    ),
    (
        lambda trail, head: broken_one_by_one(trail, head, last=True),
        "You compare `head` with the last entry. A trail grows after the head was published: compare entry number "
        "`head['count']`, and see whether there are so many.",
    ),
    (
        lambda trail, head: broken_one_by_one(trail, head, first=0),
        "You count from 0. The first entry has the number 1.",
    ),
    (
        lambda trail, head: broken_one_by_one(trail, head, link=False, ends=False),
        "You look at the own hash of each entry only: neither the link to the one before nor the published head.",
    ),
]  # fmt: skip


def check_first_broken(names):
    """Question 4."""
    function = checks.answer(names, "first_broken", "function")
    judge(function, "first_broken", tampered(), broken_one_by_one, BROKEN_VARIANTS)


# ---------------------------------------------------------------------------------------------------------- question 5
def twin_of(phone):
    """Return another phone with the same short index.

    Examples
    --------
    >>> blind(twin_of("+8617402010123")) == blind("+8617402010123")
    True
    """
    wanted = blind(phone)
    return next(other for other in (f"+86134{number:08}" for number in range(2_000_000)) if blind(other) == wanted)


def find_one_by_one(typed, phones):
    """Return the cards with this phone, from the plain table: what the search should find."""
    wanted = standard(typed)
    return sorted(phones.loc[phones["phone"].notna() & (phones["phone"] == wanted), "member_id"])


def compare_find(function, typed, phones, reveal=True):
    """Compare what a search finds, count what it opened; if it finds nothing, look which index it takes."""
    opened = []

    def counting(token, member_id):
        opened.append(member_id)
        return unseal(token, member_id)

    def run(index=None):
        opened.clear()
        return checks.call(function, typed, seal(phones, index), INDEX_KEY, counting, name="find_by_phone")

    right, name = find_one_by_one(typed, phones), f"find_by_phone({typed!r}, …)" if reveal else "find_by_phone(…)"
    got = run()
    many = len(opened)
    checks.require(
        isinstance(got, list), f"`{name}` must return a list of card numbers: `list(…)` or `sorted(…)` makes one."
    )
    if right and not got:
        for index, sentence in (
            (lambda phone: hashlib.sha256(phone.encode()).hexdigest()[:DIGITS],
             "You take SHA-256 without the key: who steals the table tries all numbers. `hmac.new(index_key, …)`."),
            (lambda _: hmac.new(INDEX_KEY, str(typed).encode(), hashlib.sha256).hexdigest()[:DIGITS],
             "You index the number as it was typed. The index was made of `lab.standard(…)`."),
            (lambda phone: hmac.new(INDEX_KEY, phone.encode(), hashlib.sha256).hexdigest(),
             f"You compare all 64 digits: the index keeps the first {DIGITS} (`lab.DIGITS`)."),
        ):  # fmt: skip
            checks.require(right != sorted(run(index)), sentence)
        raise checks.CheckFailed(
            f"`{name}` finds nobody, but there is a card. A value encrypted twice gives two different texts, so "
            "`phone_sealed` cannot be compared: work out the index of the standard form with HMAC-SHA256, and keep "
            f"its first {DIGITS} digits."
        )
    there = int(phones["phone"].notna().sum())
    checks.require(
        many < there,
        f"You opened all {there} phones to find one. Choose the rows by `phone_index` first, and open only those."
        if reveal
        else "`find_by_phone(…)` opens all phones to find one.",
    )
    extra = set(got) - set(right)
    checks.require(
        not extra,
        "You return a card with another phone. A short index is shared by several numbers: open each hit with "
        "`unseal`, and keep it if it is the number.",
    )
    checks.equal(got, right, name, reveal=reveal)


def few_phones():
    """Return the cards of the visible check of question 5: two share a number, another shares only its index."""
    phone = "+8617402010123"
    rows = [("M4", phone), ("M2", "+8613490000456"), ("M1", phone), ("M9", twin_of(phone)), ("M3", None)]
    rows += [("M6", "+8617402019999"), ("M8", "+8617402018888")]
    return pd.DataFrame(rows, columns=["member_id", "phone"], dtype=object)


def check_find(names):
    """Question 5."""
    function = checks.answer(names, "find_by_phone", "function")
    for typed in ("0086-174 0201 0123", "17402010123", "13490000456", "+8617402010000", "12345"):
        compare_find(function, typed, few_phones())


# ---------------------------------------------------------------------------------------------------------- question 6
def choose_one_by_one(backups, made, noticed, fault=True, finished=True, readable=True, strict=False, equal=False,
                      start="begun_at", end=None, newest="begun_at", unit=None):  # fmt: skip
    """Choose the backup by looking at each; the other arguments make it wrong."""
    best = None
    for row in backups.to_dict("records"):
        if fault and not (row["begun_at"] < made or (equal and row["begun_at"] == made)):
            continue
        if finished and row["finished_at"] > noticed:
            continue
        if strict and row["finished_at"] >= made:
            continue
        if readable and not row["readable"]:
            continue
        if best is None or row[newest] > best[newest]:
            best = row
    if best is None:
        return None, None
    span = (made if end == "made" else noticed) - best[start]
    hours = {None: span.total_seconds() / 3600, "seconds": span.seconds / 3600, "days": span.days * 24.0}[unit]
    return best["backup"], hours


def backup_table(*rows):
    """Return a table of backups: (name, begun, finished, readable), times as "day hour:minute" of June 2026.

    Examples
    --------
    >>> backup_table(("night", "29 02:00", "29 03:00", True))["begun_at"][0].hour
    2
    """
    table = pd.DataFrame(rows, columns=["backup", "begun_at", "finished_at", "readable"])
    times = {name: pd.to_datetime("2026-06-" + table[name]) for name in ("begun_at", "finished_at")}
    return table.assign(**times)


def backup_cases():
    """Return ((backups, made, noticed), hint) of the visible check of question 6."""
    plan = backup_table(
        ("noon", "30 12:00", "30 12:30", True),
        ("sunday", "28 02:00", "28 03:00", True),
        ("night", "30 02:00", "30 03:00", True),
        ("morning", "30 08:00", "30 11:00", True),
        ("evening", "30 18:00", "30 18:30", True),
        ("tape", "29 22:00", "30 05:00", True),
    )
    torn = plan.assign(readable=~plan["backup"].isin(["morning", "night", "noon"]))

    def at(hour):
        return pd.Timestamp(f"2026-06-30 {hour}")

    return [
        ((plan, at("20:00"), at("20:00")), "a disk dies: the newest finished backup"),
        ((plan, at("15:00"), at("19:00")), "the evening backup holds the fault of 15:00"),
        ((plan, at("09:00"), at("19:00")), "`morning` was begun before the fault: it holds the base of 8:00"),
        ((plan, at("08:00"), at("19:00")), "begun in the moment of the fault is not before it"),
        ((plan, at("10:00"), at("10:30")), "`morning` is not finished at 10:30"),
        ((torn, at("14:00"), at("14:00")), "what cannot be read is no backup; `tape` ended last, but was begun first"),
        ((plan[plan["backup"] == "sunday"], at("10:00"), at("12:00")), "more than two days: all hours count"),
        ((plan[plan["backup"] == "evening"], at("10:00"), at("20:00")), "no backup is left: `(None, None)`"),
    ]


BACKUP_VARIANTS = [
    ({"fault": False}, "You take the newest backup. It was made after the fault, and holds it: begun before `made`."),
    ({"finished": False}, "You take a backup that was not finished when the fault was noticed: half a file is none."),
    ({"readable": False}, "You take a backup that cannot be read: look at `readable`."),
    (
        {"strict": True},
        "You leave out a backup that was begun before the fault and finished after it. It holds the base as it was at "
        "`begun_at`: that is what counts.",
    ),
    ({"equal": True}, "A backup that was begun at the moment of the fault counts with you: `<`, not `<=`."),
    ({"end": "made"}, "You count the hours up to the fault. All work up to the moment when it was *noticed* is lost."),
    (
        {"start": "finished_at"},
        "You count the hours from the end of the backup. It holds the base as it was at `begun_at`.",
    ),
    ({"newest": "finished_at"}, "You take the one that was finished last. The newest *state* is the one begun last."),
    ({"unit": "seconds"}, "`.seconds` drops whole days: take `.total_seconds() / 3600`."),
    ({"unit": "days"}, "`.days` cuts to whole days: take `.total_seconds() / 3600`."),
]  # fmt: skip


def backup_variants():
    """Return the wrong functions of question 6, each with its sentence."""
    return [
        (lambda backups, made, noticed, wrong=wrong: choose_one_by_one(backups, made, noticed, **wrong), sentence)
        for wrong, sentence in BACKUP_VARIANTS
    ]


def check_backup(names):
    """Question 6."""
    function = checks.answer(names, "best_backup", "function")
    judge(function, "best_backup", backup_cases(), choose_one_by_one, backup_variants())


# ---------------------------------------------------------------------------------------------------------- question 7
def misuse_one_by_one(trail, watched, entries=False, zone=8, night=(22, 6), exempt=("watched",), everywhere=True,
                      limit=200, at_limit=False, per_day=True, over_only=True, names=True):  # fmt: skip
    """Go through the trail entry by entry; the other arguments make it wrong."""
    days, sums = {}, {}
    for entry in trail.to_dict("records"):
        if everywhere and entry["action"] == "back up":
            continue
        local = entry["at"] + pd.Timedelta(hours=zone)
        free = exempt if entry["role"] == "auditor" else ()
        size = 1 if entries else entry["rows"]
        if "many" not in free:
            day = (entry["actor"], local.date() if per_day else None)
            days[day] = days.get(day, 0) + size
        dark = local.hour >= night[0] or local.hour < night[1]
        if dark and "night" not in free:
            sums[entry["actor"], "night"] = sums.get((entry["actor"], "night"), 0) + entry["rows"]
        if names and entry["record"] in watched and "watched" not in free:
            sums[entry["actor"], "watched"] = sums.get((entry["actor"], "watched"), 0) + entry["rows"]
    over = {day for day, size in days.items() if size > limit or (at_limit and size == limit)}
    for actor in sorted({actor for actor, _ in over}):
        mine = [size for day, size in days.items() if day[0] == actor and (day in over or not over_only)]
        sums[actor, "many"] = sum(mine)
    rows = [(*key, size) for key, size in sorted(sums.items())]
    return pd.DataFrame(rows, columns=["actor", "rule", "rows"])


MISUSE_VARIANTS = [
    ({"zone": 0}, "You take the times as they are, but `at` is UTC: in China it is 8 hours later (another day, too)."),
    ({"zone": -8}, "You moved the times the wrong way: China is 8 hours *ahead* of UTC."),
    (
        {"entries": True},
        "You count entries. One entry can read hundreds of rows: add up the column `rows`.",
    ),
    ({"night": (22, 0)}, "Your night ends at midnight. It goes on until before 6:00: hour >= 22 *or* hour < 6."),
    ({"night": (22, 7)}, "Your night holds the hour from 6 to 7: it ends before 6:00."),
    ({"night": (23, 6)}, "Your night begins at 23:00: 22:00 belongs to it."),
    ({"night": (24, 6)}, "Your night begins at midnight: from 22:00 on it is night."),
    ({"night": (24, 0)}, "You find nobody at night. No hour is above 22 *and* below 6: write *or*."),
    ({"exempt": ()}, "The auditor who reads a watched record does what an auditor is for: leave the role out there."),
    (
        {"exempt": ("watched", "many", "night")},
        "You leave the auditor out everywhere. The role is exempt from `watched` only: who guards is watched too.",
    ),
    ({"everywhere": False}, "The nightly backup is in your result: entries with the action `back up` count nowhere."),
    ({"at_limit": True}, "*More* than 200 rows: exactly 200 is within the limit."),
    ({"per_day": False}, "You add up all days. The limit is for one calendar day."),
    ({"over_only": False}, "For `many`, add up the rows of the days over the limit only."),
    ({"names": False}, "The rule `watched` is missing: entries whose `record` is in `watched`."),
]  # fmt: skip


def misuse_mistakes(given):
    """Return the wrong tables that students get, each with its sentence."""
    key, right = ["actor", "rule"], misuse_one_by_one(*given)
    wrong = [(misuse_one_by_one(*given, **changes), sentence) for changes, sentence in MISUSE_VARIANTS]
    known = [(same(table, key), sentence) for table, sentence in wrong if not same(table, key)(right)]
    return [
        (
            lambda got: {"actor", "rule"} <= set(got.columns) and got.duplicated(key).any(),
            "An actor stands there twice for one rule: one row an actor and rule, with the sum of `rows`.",
        ),
        *known,
    ]


def few_looks():
    """Return trail and watched records of the visible check of question 7. Times in China, moved to UTC."""
    rows = [
        ("29 07:30", "E1", "service", "read", "calls", 120),
        ("29 10:00", "E1", "service", "read", "calls", 90),
        ("30 10:00", "E1", "service", "read", "calls", 50),
        ("29 23:00", "E2", "service", "read", "list", 110),
        ("30 00:30", "E2", "service", "read", "list", 100),
        ("29 14:00", "E3", "analyst", "count", "members", 200),
        ("29 11:00", "E4", "cashier", "read", "M7", 1),
        ("30 11:00", "E4", "cashier", "read", "M7", 1),
        ("30 12:00", "E5", "auditor", "read", "M7", 1),
        ("30 23:10", "E5", "auditor", "read", "trail", 3),
        ("29 22:00", "E6", "cashier", "read", "M4", 1),
        ("30 06:00", "E6", "cashier", "read", "M1", 2),
        ("30 21:59", "E6", "cashier", "read", "M2", 2),
        ("30 05:59", "E8", "cashier", "read", "M2", 4),
        ("30 02:00", "E7", "database administrator", "back up", "all", 9000),
        ("28 15:00", "E9", "marketing", "export", "list", 150),
        ("29 15:00", "E9", "marketing", "export", "list", 150),
        *((f"30 15:{number // 4:02}", "E10", "service", "read", "search", 0) for number in range(201)),
    ]
    trail = pd.DataFrame(rows, columns=["at", "actor", "role", "action", "record", "rows"])
    trail["at"] = pd.to_datetime("2026-06-" + trail["at"]) - pd.Timedelta(hours=8)
    return trail, ["M7", "M9"]


def check_misuse(names):
    """Question 7."""
    suspicious = checks.answer(names, "suspicious", "function")
    given = few_looks()
    got = checks.call(suspicious, *given)
    what, row = "suspicious(trail, watched)", "one per actor and rule"
    key = ["actor", "rule"]
    checks.equal(got, misuse_one_by_one(*given), what, by=key, row=row, mistakes=misuse_mistakes(given))
