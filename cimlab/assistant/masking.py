"""Personal data become placeholders before a text leaves the machine (脱敏), and are put back only here.

Names are known from the tables that are passed; what has a form (numbers, e-mail, addresses, a surname with a title) is
found by `patterns`. After that `reasons_not_to_send` looks at what is left, in other ways than those that masked: if it
finds a known value, or anything that cannot be judged, the text stays here. No mask is perfect: a name that stands in
no table, without title and in no usual form, signs that are
scattered among other words, or a story that only one person can have lived, goes through.
"""

import re
from functools import lru_cache

import pandas as pd

from cimlab.assistant.patterns import (
    COMMON_WORDS,
    DOUBTS,
    MOST_SIGNS,
    SURNAME,
    clean_text,
    pattern_spans,
    shadow,
    squeeze,
    strange_letters,
)
from cimlab.database.names import COMPOUND_SURNAMES, pinyin_names, standardise_names

# Kind → columns that hold it. Any other column whose name ends in _id is an ID, but those of things.
PERSONAL_COLUMNS = {
    "NAME": ["name", "full_name", "caller_name", "contact_name", "customer_name", "legal_representative"],
    "PHONE": ["phone", "contact_phone", "mobile"],
    "EMAIL": ["email", "contact_email"],
    "IDENTITY": ["id_number", "credit_code", "passport"],
    "ADDRESS": ["address"],
    "ID": ["customer_ref", "card_no", "list_no"],
}
_THINGS = {"product_id", "store_id", "campaign_id", "promotion_id"}
_PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")


def known_persons(tables, public=()):
    """Gather all personal values of tables, in the form in which texts are searched for them.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame, or list of pandas.DataFrame
        The tables about persons: members, web_accounts, calls … Columns are known by their names (`PERSONAL_COLUMNS`).
    public : iterable of str
        What is no secret though it may look like a name: names of articles, stores, segments.

    Returns
    -------
    dict
        values (value without blanks → kind), sounds (names as they sound), given (signs of given names) and more. It
        holds personal data: keep it here, do not print it.

    Raises
    ------
    ValueError
        No table, or a table in which no column is known to be personal.

    Examples
    --------
    >>> known = known_persons({"members": pd.DataFrame({"member_id": ["MQ16TQ"], "name": ["刘美娟"]})})
    >>> known["values"]["刘美娟"], known["values"]["mq16tq"], known["values"]["liumeijuan"]
    ('NAME', 'ID', 'NAME')
    """
    tables = dict(enumerate(tables)) if not isinstance(tables, dict) else tables
    if not tables:
        raise ValueError("known_persons: no table was passed; without names in tables no name is recognised")
    values, names = {}, []
    for title, table in tables.items():
        table = table.reset_index() if table.index.name else table
        kinds = {column: _column_kind(column) for column in table.columns}
        if not any(kinds.values()):
            has = ", ".join(map(str, table.columns))
            raise ValueError(f"known_persons, table {title}: no column is known to be personal; it has: {has}")
        for column, kind in kinds.items():
            texts = table[column].dropna().astype("str") if kind else []
            names.extend(texts if kind == "NAME" else [])
            for text in dict.fromkeys(texts):
                values.update(dict.fromkeys(_forms(text, kind), kind))
    spelled, given = _name_forms(names)
    sounds = {_sound(name) for name in spelled if _is_chinese(name) and len(name) > 1}
    public = {squeeze(clean_text(str(text)))[0] for text in public}
    values |= dict.fromkeys(spelled, "NAME")
    numbers = {value for value in values if value.isdigit() and len(value) >= 7}
    return {
        "values": values,
        "lengths": sorted(set(map(len, values)), reverse=True),
        "numbers": numbers,
        "number_lengths": sorted(set(map(len, numbers))),
        "sounds": sounds,
        "given": given,
        "public": public,
    }


def mask_text(text, known):
    """Replace the personal data in a text by placeholders.

    Parameters
    ----------
    text : str
    known : dict
        From `known_persons`.

    Returns
    -------
    dict
        text (masked), key (placeholder → what stood there; stays here), found (DataFrame: placeholder, kind, how).
        The same value gets the same placeholder within a text, and not across texts: nobody can join two.

    Examples
    --------
    >>> known = known_persons([pd.DataFrame({"name": ["刘美娟", "高兴"]})])
    >>> masked = mask_text("刘美娟很高兴,请打174-0201-0123,或 mei@example.com", known)
    >>> masked["text"]
    '[NAME_1]很[NAME_2],请打[PHONE_1],或 [EMAIL_1]'
    >>> masked["key"]["[PHONE_1]"]
    '174-0201-0123'
    """
    text = clean_text(str(text))
    spans = _merge([*_known_spans(text, known), *_sound_spans(text, known), *_free_spans(text, known)])
    placeholders, counts, rows, parts, last = {}, {}, [], [], 0
    for start, end, kind, how in spans:
        same = (kind, squeeze(shadow(text[start:end]))[0])
        if same not in placeholders:
            counts[kind] = counts.get(kind, 0) + 1
            placeholders[same] = (f"[{kind}_{counts[kind]}]", text[start:end])
        parts += [text[last:start], placeholders[same][0]]
        rows.append((placeholders[same][0], kind, how))
        last = end
    found = pd.DataFrame(rows, columns=["placeholder", "kind", "how"])
    return {"text": "".join([*parts, text[last:]]), "key": dict(placeholders.values()), "found": found}


def unmask_text(text, key):
    """Put back what `mask_text` took out; only here, never in what is sent.

    Parameters
    ----------
    text : str
    key : dict of str to str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        The text has a placeholder that was never given out.

    Examples
    --------
    >>> unmask_text("Call [PHONE_1].", {"[PHONE_1]": "17402010123"})
    'Call 17402010123.'
    """
    strange = sorted(set(_PLACEHOLDER.findall(text)) - set(key))
    if strange:
        raise ValueError(f"the text has the placeholder {strange[0]}, which was never given out")
    return _PLACEHOLDER.sub(lambda match: key[match[0]], text)


def reasons_not_to_send(masked, known):
    """Say why a masked text must not be sent: something may be left in it.

    Parameters
    ----------
    masked : str
        From `mask_text`.
    known : dict

    Returns
    -------
    list of str
        Plain sentences; empty when nothing was found.

    Examples
    --------
    >>> known = known_persons([pd.DataFrame({"phone": ["17402010123"], "name": ["刘美娟"]})])
    >>> reasons_not_to_send("asks for [NAME_1]", known)
    []
    >>> reasons_not_to_send("first 174, I repeat, after that comes 0201 and, wait, at the end 0123", known)
    ['a number may stand in it in pieces', 'the digits in it, read together, hold a number of the tables']
    """
    bare = shadow(_PLACEHOLDER.sub("\n" * 13, masked))
    small = shadow(masked)
    why = [says for says, pattern in DOUBTS.items() if pattern.search(small if "announced" in says else bare)]
    if strange_letters(bare):
        why.append("it has letters of a script that cannot be checked")
    if len(masked) > MOST_SIGNS:
        why.append(f"it is longer than {MOST_SIGNS} signs")
    digits, signs = re.sub(r"\D", "", bare), re.sub(r"[^\u3400-\u9fff]", "", masked)
    runs = {
        line[at : at + n]
        for line in (digits, digits[::-1])
        for n in known["number_lengths"]
        for at in range(len(line) - n + 1)
    }
    if runs & known["numbers"]:
        why.append("the digits in it, read together, hold a number of the tables")
    runs = {line[at : at + n] for line in (signs, signs[::-1]) for n in (3, 4) for at in range(len(line) - n + 1)}
    if any(known["values"].get(run) == "NAME" for run in runs):
        why.append("the Chinese signs in it, read together or backwards, hold a name of the tables")
    if _known_spans(bare, known):
        why.append("a value of the tables is still in it")
    return why


def masking_report(texts, known):
    """Say what was found in texts and how, and how many of them would not be sent.

    Parameters
    ----------
    texts : pandas.Series
    known : dict

    Returns
    -------
    pandas.DataFrame
        kind, how, found (places), texts (how many have one), share (of the texts). Rows of the kind "not sent" say why
        texts stay here; no value is shown.

    Examples
    --------
    >>> known = known_persons([pd.DataFrame({"name": ["刘美娟"]})])
    >>> masking_report(pd.Series(["刘美娟来电", "问价格", "写到 mei @ 公司"]), known)
           kind                                           how  found  texts  share
    0      NAME                                in the tables      1      1   0.33
    1  not sent  an @ is left that is in no address of e-mail      1      1   0.33
    """
    rows = []
    for place, text in enumerate(texts.dropna()):
        masked = mask_text(text, known)
        rows += [(place, kind, how) for kind, how in masked["found"][["kind", "how"]].itertuples(index=False)]
        rows += [(place, "not sent", why) for why in reasons_not_to_send(masked["text"], known)]
    table = pd.DataFrame(rows, columns=["text", "kind", "how"])
    told = table.groupby(["kind", "how"])["text"].agg(found="size", texts="nunique").reset_index()
    return told.assign(share=(told["texts"] / max(texts.notna().sum(), 1)).round(2))


def _column_kind(column):
    column = str(column).lower()
    kinds = [kind for kind, columns in PERSONAL_COLUMNS.items() if column in columns]
    return kinds[0] if kinds else "ID" if column.endswith("_id") and column not in _THINGS else None


def _forms(text, kind):
    """Return the forms in which a value is searched for, without blanks: long enough not to be met by chance."""
    squeezed = squeeze(clean_text(text))[0]
    forms = [] if kind == "NAME" and not squeezed.isdigit() else [squeezed]
    if kind == "PHONE":
        forms = [re.sub(r"\D", "", squeezed)[-11:]]
    if kind == "EMAIL":
        forms.append(squeeze(text.split("@")[0])[0])
    if kind == "ADDRESS":
        pieces = re.findall(r"[\u3400-\u9fff]{2,}?(?:路|街|大道|巷|弄)\d+号?|(?<=号)[\u3400-\u9fff]{4,}", squeezed)
        forms += [re.sub(r"^.*[市区县]", "", piece) for piece in pieces]
    return [form for form in forms if len(form) >= (4 if kind == "ADDRESS" else 5)]


def _name_forms(names):
    """Return the names as typed, standard and in pinyin (both orders), and the signs of given names."""
    column = pd.Series(sorted(set(names)), dtype="str")
    column = column.map(clean_text).astype("str")
    standard, pinyin = standardise_names(column).dropna(), pinyin_names(column).dropna()
    standard = standard[standard.map(lambda name: _is_chinese(name) or " " in name or len(name) > 5)]
    pinyin = pinyin[pinyin.str.contains(" ")]  # a lone syllable such as "long" is a word of English
    turned = pinyin.str.split(" ").map(lambda words: "".join(reversed(words)))
    forms = {squeeze(name)[0] for name in (*standard, *pinyin, *turned)}
    forms = {name for name in forms if len(name) > 1 and not name.isdigit() and (_is_chinese(name) or len(name) > 3)}
    chinese = [name for name in forms if _is_chinese(name) and len(name) <= 4]
    given = {sign for name in chinese for sign in name[2 if name[:2] in COMPOUND_SURNAMES else 1 :]}
    whole = {name[1:] for name in chinese if len(name) == 3 and name[:2] not in COMPOUND_SURNAMES}
    return forms | {name for name in whole if name not in COMMON_WORDS | {"店长", "卫生"}}, given


def _is_chinese(text):
    return bool(re.fullmatch(r"[\u3400-\u9fff]+", text))


@lru_cache(maxsize=20_000)
def _sign_sound(sign):
    from pypinyin import lazy_pinyin

    return lazy_pinyin(sign)[0]


def _sound(name):
    return tuple(map(_sign_sound, name))


def _known_spans(text, known):
    """Find the values of the tables, whatever stands between; a short one in letters only as a word."""
    low = shadow(text)
    found = []
    for line in (text.lower(), low) if low != text.lower() else (low,):
        squeezed, places = squeeze(line)
        for length in known["lengths"]:
            for at in range(len(squeezed) - length + 1):
                piece = squeezed[at : at + length]
                if piece in known["values"]:
                    start, end = places[at], places[at + length - 1] + 1
                    if _is_whole(line, start, end, piece):
                        found.append((start, end, known["values"][piece], "in the tables"))
    return found


def _is_whole(line, start, end, piece):
    """A value in Latin letters must not be a part of a longer word, unless it is long itself."""
    if not piece.isascii() or len(piece) > 8:
        return True
    before, after = line[start - 1 : start], line[end : end + 1]
    return not (before.isascii() and before.isalnum()) and not (after.isascii() and after.isalnum())


def _sound_spans(text, known):
    """Find what sounds like a name of the tables: another sign with the same sound, or the traditional sign."""
    squeezed, places = squeeze(text)
    found = []
    for length in (2, 3, 4):
        for at in range(len(squeezed) - length + 1):
            piece = squeezed[at : at + length]
            rare = any(not _is_everyday(sign) for sign in piece)
            if _is_chinese(piece) and (length > 2 or rare) and _sound(piece) in known["sounds"]:
                start, end = places[at], places[at + length - 1] + 1
                if not re.search(r"[^\u3400-\u9fff\s·.*_-]", text[start:end]):
                    found.append((start, end, "NAME", "sounds like one in the tables"))
    return found


def _is_everyday(sign):
    try:
        return bool(sign.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def _free_spans(text, known):
    """Find what has a form, and surnames with signs that given names of the tables are made of."""
    found = [span for span in pattern_spans(text) if not _is_public(text[span[0] : span[1]], span[3], known)]
    if known["given"]:
        for match in re.finditer(f"{SURNAME}[ ·]?[{''.join(sorted(known['given']))}]{{1,2}}", text):
            word = re.sub("[ ·]", "", match[0])
            if word not in COMMON_WORDS and word[:2] not in COMMON_WORDS and not _in_public(text, match, known):
                found.append((*match.span(), "NAME", "looks like a name"))
    return found


def _is_public(piece, how, known):
    return how == "words with capitals" and any(squeeze(piece)[0] in name for name in known["public"])


def _in_public(text, match, known):
    around = squeeze(text[max(match.start() - 12, 0) : match.end() + 12])[0]
    return any(match[0] in name and name in around for name in known["public"])


def _merge(spans):
    """Join spans that overlap; the kind is that of the longest, of two as long that of the tables."""
    merged = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and span[0] < merged[-1][1]:
            old = merged[-1]
            best = max(old, span, key=lambda one: (one[1] - one[0], one[3] == "in the tables"))
            merged[-1] = (old[0], max(old[1], span[1]), best[2], best[3])
        else:
            merged.append(span)
    return merged
