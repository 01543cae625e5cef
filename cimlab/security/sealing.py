"""Encryption of single fields (字段加密): who reads the table sees no value, and a moved or changed value is refused.

The price: the base cannot search, sort or count what is sealed. A blind index (盲索引) gives the exact search back, and
gives away which rows are equal.

Keys live elsewhere: a key beside the data protects from nobody (see `keys` for lost keys, shares and rotation).
"""

import base64
import hashlib
import hmac
import os

import pandas as pd

from cimlab.analysis.columns import need

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12


def new_key():
    """Return a random key of 32 bytes. Made by chance, so that no two calls agree.

    Examples
    --------
    >>> len(new_key()), new_key() == new_key()
    (32, False)
    """
    return os.urandom(KEY_BYTES)


def derive_key(master, purpose):
    """Make a key for one purpose from a master key: who gets the key of the index cannot open the fields.

    Parameters
    ----------
    master : bytes
        32 bytes.
    purpose : str
        Such as "members.phone: index".

    Returns
    -------
    bytes
        32 bytes; always the same for the same master and purpose.

    Raises
    ------
    ValueError
        The master key has another length.

    References
    ----------
    Krawczyk, H. and Eronen, P. (2010). RFC 5869, HMAC-based key derivation (HKDF).

    Examples
    --------
    >>> derive_key(bytes(32), "phone: field") == derive_key(bytes(32), "phone: index")
    False
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.encode("utf-8")).derive(check_key(master, "the master"))


def seal_value(value, keys, place):
    """Encrypt one value so that it opens only with its key and only in its place.

    Parameters
    ----------
    value : str or None
    keys : dict of str to bytes
        The key ring: name → key of 32 bytes. The last one writes; the others still read.
    place : str
        Where the value stands: "members|phone|M1". It is not secret, and goes into the seal (associated data).

    Returns
    -------
    str or None
        "name of the key.base64"; each time another one, for the same value too. Nothing stays nothing: that a value is
        absent is not hidden, and neither is its length.

    Raises
    ------
    ValueError
        There is no key, or its name holds a point, or its length is wrong.

    References
    ----------
    McGrew, D. and Viega, J. (2004). The Galois/Counter Mode of operation; NIST SP 800-38D.

    Examples
    --------
    >>> keys = {"k1": bytes(32)}
    >>> token = seal_value("17402010123", keys, "members|phone|M1")
    >>> open_value(token, keys, "members|phone|M1")
    '17402010123'
    >>> open_value(token, keys, "members|phone|M2")
    Traceback (most recent call last):
    ValueError: refused at members|phone|M2: the value was changed, or it belongs to another place
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if pd.isna(value):
        return None
    if not keys:
        raise ValueError("there is no key to seal with")
    name = list(keys)[-1]
    if "." in name:
        raise ValueError(f"the name of a key holds no point: {name!r}")
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(check_key(keys[name], name)).encrypt(nonce, str(value).encode("utf-8"), _bound(name, place))
    return f"{name}.{base64.urlsafe_b64encode(nonce + sealed).decode('ascii')}"


def open_value(token, keys, place):
    """Decrypt what `seal_value` made.

    Parameters
    ----------
    token : str or None
    keys : dict of str to bytes
    place : str
        The same as when it was sealed.

    Returns
    -------
    str or None

    Raises
    ------
    KeyError, ValueError
        The key is not on the ring: the value is lost. Or the value was changed or moved, and is refused.

    Examples
    --------
    >>> open_value(seal_value("a", {"k1": bytes(32)}, "here"), {}, "here")
    Traceback (most recent call last):
    KeyError: "the key 'k1' is not there: the value cannot be read"
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if pd.isna(token):
        return None
    name, _, text = str(token).partition(".")
    if name not in keys:
        raise KeyError(f"the key {name!r} is not there: the value cannot be read")
    try:
        content = base64.urlsafe_b64decode(text)
        opened = AESGCM(check_key(keys[name], name)).decrypt(
            content[:NONCE_BYTES], content[NONCE_BYTES:], _bound(name, place)
        )
    except (InvalidTag, ValueError) as error:
        raise ValueError(f"refused at {place}: the value was changed, or it belongs to another place") from error
    return opened.decode("utf-8")


def seal_column(table, column, keys, row, name, key_of=None):
    """Encrypt a column, each value bound to its table, column and row.

    Parameters
    ----------
    table : pandas.DataFrame
    column : str
    keys : dict of str to bytes
        As in `seal_value`.
    row : str
        Column with the key of the row, such as "member_id"; each once.
    name : str
        Name of the table, such as "members".
    key_of : str, optional
        Column with the name of the key of each row: with a key for each person, one person can be erased by erasing a
        key (see `keys.shred_key`).

    Returns
    -------
    pandas.Series
        With the index of the table.

    Raises
    ------
    ValueError
        A column is missing, a row repeats, or a key is not there.

    Examples
    --------
    >>> table = pd.DataFrame({"member_id": ["M1", "M2"], "city": ["宁波", "宁波"]})
    >>> sealed = table.assign(city=seal_column(table, "city", {"k1": bytes(32)}, "member_id", "members"))
    >>> sealed["city"].nunique(), open_column(sealed, "city", {"k1": bytes(32)}, "member_id", "members").tolist()
    (2, ['宁波', '宁波'])
    """
    places = value_places(table, column, row, name)
    names = [None] * len(table) if key_of is None else need(table, [key_of], "table")[key_of]
    absent = sorted({str(own) for own in names if own is not None and own not in keys})
    if absent:
        raise ValueError(f"seal_column: there is no key for {absent[0]!r}")
    rings = [keys if own is None else {own: keys[own]} for own in names]
    sealed = [seal_value(*one) for one in zip(table[column], rings, places, strict=True)]
    return pd.Series(sealed, index=table.index, name=column, dtype=object)


def open_column(table, column, keys, row, name):
    """Decrypt a column that `seal_column` made; the first value that cannot be read stops it.

    Parameters
    ----------
    table, column, keys, row, name
        As in `seal_column`.

    Returns
    -------
    pandas.Series

    Raises
    ------
    KeyError, ValueError
        As in `open_value`. `keys.readable` counts instead of stopping.
    """
    places = value_places(table, column, row, name)
    opened = [open_value(token, keys, place) for token, place in zip(table[column], places, strict=True)]
    return pd.Series(opened, index=table.index, name=column, dtype=object)


def blind_index(values, key, length=32):
    """Make an index to find sealed values by: equal values, equal index; without the key nobody can guess (盲索引).

    Parameters
    ----------
    values : pandas.Series
        Standardised before (one way to write a phone), else the same number gets several indexes.
    key : bytes
        32 bytes, another key than that of the field.
    length : int
        Hexadecimal digits kept, 4 to 64. A short index lets different values share one: it tells less, and each hit
        has to be opened and looked at.

    Returns
    -------
    pandas.Series
        Missing stays missing.

    Raises
    ------
    ValueError
        The key or the length is wrong.

    References
    ----------
    RFC 2104, HMAC. It still tells which rows are equal: see `frequency_attack`. Not for columns of few values.

    Examples
    --------
    >>> index = blind_index(pd.Series(["+8617402010123", None, "+8617402010123"]), bytes(32), length=8)
    >>> index.duplicated().tolist(), len(index[0])
    ([False, False, True], 8)
    """
    if not 4 <= length <= 64:
        raise ValueError(f"a blind index keeps 4 to 64 digits, not {length}")
    check_key(key, "the index")

    def digest(value):
        return hmac.new(key, str(value).encode("utf-8"), hashlib.sha256).hexdigest()[:length]

    return values.astype(object).map(digest, na_action="ignore").rename("blind_index")


def frequency_attack(tokens, known):
    """Guess what is behind encrypted values from how often each comes: the most frequent is the most frequent.

    Parameters
    ----------
    tokens : pandas.Series
        What is stored: ciphertexts or index values.
    known : pandas.Series
        How frequent each plain value is in the world (index: value), such as the customers of each city.

    Returns
    -------
    pandas.DataFrame
        token, records, guess: the frequent ones first. Where each token comes once there is nothing to rank, and the
        table is empty.

    References
    ----------
    Naveed, M., Kamara, S. and Wright, C. (2015). Inference attacks on property-preserving encrypted databases. CCS.

    Examples
    --------
    >>> frequency_attack(pd.Series(["x", "y", "x"]), pd.Series({"宁波": 300, "上海": 900}))
      token  records guess
    0     x        2    上海
    1     y        1    宁波
    """
    counts = tokens.dropna().value_counts()
    if counts.empty or counts.max() == 1:
        return pd.DataFrame({"token": [], "records": [], "guess": []})
    counts = counts.rename_axis("token").reset_index(name="records")
    counts = counts.sort_values(["records", "token"], ascending=[False, True], ignore_index=True)
    ranked = known.rename_axis("value").rename("share").reset_index()
    ranked = ranked.sort_values(["share", "value"], ascending=[False, True], ignore_index=True)
    return counts.assign(guess=ranked["value"]).dropna(subset="guess")


def check_key(key, name):
    """Return a key, or say that it is none.

    Examples
    --------
    >>> check_key(b"short", "k1")
    Traceback (most recent call last):
    ValueError: the key 'k1' has to be 32 bytes, not 5 (bytes)
    """
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        size = len(key) if isinstance(key, bytes | str) else "no"
        raise ValueError(f"the key {name!r} has to be {KEY_BYTES} bytes, not {size} ({type(key).__name__})")
    return key


def value_places(table, column, row, name):
    """Return where each value of a column stands: "members|phone|M1".

    Examples
    --------
    >>> value_places(pd.DataFrame({"member_id": ["M1"], "phone": ["x"]}), "phone", "member_id", "members")
    ['members|phone|M1']
    """
    rows = need(table, [row, column], f"table {name}")[row]
    if rows.isna().any() or rows.duplicated().any():
        raise ValueError(f"{name}: each value of {row} has to be there once, so that a value is bound to its row")
    return [f"{name}|{column}|{own}" for own in rows]


def _bound(name, place):
    return f"{name}|{place}".encode()
