"""What becomes of the data when a key is lost, shared, changed or erased (密钥管理).

Encryption turns the question "who has the data?" into "who has the key?". A lost key is a lost column: hence shares in
several hands. An erased key is an erased person, in all backups too: that is crypto-shredding (加密擦除).
"""

import hashlib
import secrets

import pandas as pd

from cimlab.security.sealing import KEY_BYTES, check_key, new_key, open_value, seal_value, value_places

_PRIME = 2**521 - 1  # a Mersenne prime above every key of 32 bytes


def readable(table, columns, keys, row, name):
    """Count what can be read with the keys that are there.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns that `sealing.seal_column` made.
    columns : list of str
    keys : dict of str to bytes
    row, name : str
        As in `seal_column`.

    Returns
    -------
    pandas.DataFrame
        A row a column and key (by its name): values, read, lost (the key is not there), refused (changed, moved, or
        another key of this name).

    Raises
    ------
    ValueError
        A column is missing, or a row repeats.

    Examples
    --------
    >>> table = pd.DataFrame({"member_id": ["M1"], "phone": [seal_value("1", {"k1": bytes(32)}, "members|phone|M1")]})
    >>> readable(table, ["phone"], {}, "member_id", "members")
      column key  values  read  lost  refused
    0  phone  k1       1     0     1        0
    """
    rows = []
    for column in columns:
        for token, place in zip(table[column], value_places(table, column, row, name), strict=True):
            if pd.notna(token):
                rows.append((column, str(token).partition(".")[0], _try(token, keys, place)))
    found = pd.DataFrame(rows, columns=["column", "key", "fate"])
    counts = {fate: found["fate"] == fate for fate in ("read", "lost", "refused")}
    counted = found.assign(values=1, **counts).groupby(["column", "key"], sort=False)
    return counted[["values", "read", "lost", "refused"]].sum().reset_index()


def rotate_column(table, column, keys, row, name, limit=None):
    """Seal values anew with the last key of the ring, some at a time: the base is read all the while.

    Parameters
    ----------
    table, column, keys, row, name
        As in `sealing.seal_column`. The ring holds old and new key until nothing is left under the old one.
    limit : int, optional
        How many values at most in this step; all if left out.

    Returns
    -------
    table : pandas.DataFrame
        A new table.
    left : int
        Values still under an older key. Only at 0 may that key go – and never while a backup needs it.

    Raises
    ------
    KeyError, ValueError
        As in `sealing.open_value`: a value whose key is lost cannot be rotated.

    Examples
    --------
    >>> keys = {"k1": bytes(32), "k2": bytes(31) + b"2"}
    >>> old = seal_value("a", {"k1": keys["k1"]}, "t|x|1")
    >>> table, left = rotate_column(pd.DataFrame({"id": [1], "x": [old]}), "x", keys, "id", "t")
    >>> table["x"][0][:3], left
    ('k2.', 0)
    """
    newest = list(keys)[-1]
    places = pd.Series(value_places(table, column, row, name), index=range(len(table)))
    values = table[column].tolist()
    old = [at for at, token in enumerate(values) if pd.notna(token) and not str(token).startswith(f"{newest}.")]
    for at in old[:limit]:
        values[at] = seal_value(open_value(values[at], keys, places[at]), keys, places[at])
    sealed = pd.Series(values, index=table.index, dtype=object)
    return table.assign(**{column: sealed}), len(old) - len(old[:limit])


def person_keys(persons):
    """Make a key for each person. Made by chance; kept apart from the base and from its backups.

    Parameters
    ----------
    persons : iterable of str

    Returns
    -------
    dict of str to bytes

    Examples
    --------
    >>> sorted(person_keys(["M2", "M1", "M2"]))
    ['M1', 'M2']
    """
    return {str(person): new_key() for person in dict.fromkeys(persons)}


def shred_key(keys, person):
    """Erase a person by erasing the key: what was sealed with it is noise, in the base and in every backup of it.

    Parameters
    ----------
    keys : dict of str to bytes
    person : str

    Returns
    -------
    dict of str to bytes
        The ring without this key. A backup of the *keys* brings the person back: keep it short, or none.

    Raises
    ------
    KeyError
        There is no such key.

    References
    ----------
    Boneh, D. and Lipton, R. (1996). A revocable backup system. USENIX Security. NIST SP 800-88, cryptographic erase.

    Examples
    --------
    >>> list(shred_key({"M1": bytes(32), "M2": bytes(32)}, "M1"))
    ['M2']
    """
    if person not in keys:
        raise KeyError(f"there is no key of {person!r}: was it erased before?")
    return {name: key for name, key in keys.items() if name != person}


def share_key(key, need=2, parts=3):
    """Cut a key into parts, of which any `need` give it back and fewer tell nothing (Shamir; 密钥分存).

    Parameters
    ----------
    key : bytes
        32 bytes.
    need, parts : int
        2 of 2 is the double lock of a bank; 2 of 3 survives the loss of one part.

    Returns
    -------
    list of str
        "need-number-share-check": for `parts` different hands. The check tells whether the right key came out.

    Raises
    ------
    ValueError
        The key is none, or `need` is not between 2 and `parts`.

    References
    ----------
    Shamir, A. (1979). How to share a secret. Communications of the ACM 22(11), 612-613.

    Examples
    --------
    >>> first, second, third = share_key(bytes(range(32)), need=2, parts=3)
    >>> join_shares([third, first]) == bytes(range(32))
    True
    >>> join_shares([first])
    Traceback (most recent call last):
    ValueError: 2 different parts are needed, 1 is there
    """
    check_key(key, "to share")
    if not 2 <= need <= parts <= 99:
        raise ValueError(f"share_key: need is 2 to the number of parts (at most 99), not {need} of {parts}")
    line = [int.from_bytes(key, "big"), *(secrets.randbelow(_PRIME) for _ in range(need - 1))]
    points = [(at, sum(factor * at**power for power, factor in enumerate(line)) % _PRIME) for at in range(1, parts + 1)]
    return [f"{need}-{at}-{height:x}-{_check(key)}" for at, height in points]


def join_shares(shares):
    """Put a key together from its parts.

    Parameters
    ----------
    shares : list of str
        As `share_key` made them, in any order.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    ValueError
        Too few parts, parts of different keys, or a part that was copied wrongly.
    """
    points, needs, checks = {}, set(), set()
    for share in shares:
        try:
            need, at, height, check = str(share).split("-")
            points[int(at)] = int(height, 16)
        except ValueError as error:
            raise ValueError("a part has the form need-number-share-check; this one has not") from error
        needs.add(int(need))
        checks.add(check)
    if len(needs) != 1 or len(checks) != 1:
        raise ValueError("these are parts of different keys, or of none")
    (need,) = needs
    if len(points) < need:
        raise ValueError(
            f"{need} different parts are needed, {len(points)} {'is' if len(points) == 1 else 'are'} there"
        )
    secret = _height_at_zero(dict(list(points.items())[:need]))
    key = secret.to_bytes(66, "big")[-KEY_BYTES:]
    if secret >= 2 ** (8 * KEY_BYTES) or {_check(key)} != checks:
        raise ValueError("the parts give another key: one of them is not as it was handed out")
    return key


def _height_at_zero(points):
    """Lagrange: the height at 0 of the one curve that goes through the points."""
    total = 0
    for at, height in points.items():
        for other in points:
            if other != at:
                height = height * -other * pow(at - other, -1, _PRIME) % _PRIME
        total += height
    return total % _PRIME


def _check(key):
    return hashlib.sha256(b"check of a shared key" + key).hexdigest()[:8]


def _try(token, keys, place):
    try:
        open_value(token, keys, place)
    except KeyError:
        return "lost"
    except ValueError:
        return "refused"
    return "read"
