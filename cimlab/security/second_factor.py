"""Passwords that were stolen, and the second factor (双因素认证) that makes them useless.

Times are given as seconds since 1970 (``pandas.Timestamp.timestamp()``), so that each result can be repeated.

The limit, said first: a code of six digits can be *asked for*. Who lures a person to a false page and passes the code
on within half a minute is in. Only keys that sign for the address of the page (FIDO2, passkeys) refuse that.
"""

import base64
import hashlib
import hmac
import os

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

STEP = 30  # seconds that a code lives (RFC 6238)
WINDOW = 1  # codes before and after that are taken too, for clocks that are off
MAX_FAILURES, LOCK_SECONDS = 5, 900
WORK = 2**14  # cost of scrypt: 16 MB and some 50 ms for each try

# What people choose when nobody stops them: the head of every published list, and what is near in this firm.
COMMON_PASSWORDS = [
    "123456", "password", "123456789", "12345678", "111111", "123123", "qwerty", "abc123", "password1", "000000",
    "iloveyou", "a123456", "5201314", "woaini", "666666", "888888", "admin", "xudong", "xudong2026", "welcome1",
]  # fmt: skip


def hash_password(password, salt, work=WORK):
    """Hash a password slowly, with a salt of its own: equal passwords differ, and each guess costs time and memory.

    Parameters
    ----------
    password : str
    salt : bytes
        16 random bytes an account; not secret.
    work : int
        Cost, a power of two. A lesson that guesses thousands takes less than a real base.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        The salt is too short.

    References
    ----------
    Percival, C. and Josefsson, S. (2016). RFC 7914, the scrypt password-based key derivation function.

    Examples
    --------
    >>> hash_password("123456", bytes(16), work=16) == hash_password("123456", bytes(15) + b"1", work=16)
    False
    """
    if len(salt) < 16:
        raise ValueError(f"a salt has 16 bytes or more, not {len(salt)}")
    return hashlib.scrypt(password.encode("utf-8"), salt=salt, n=work, r=8, p=1, dklen=32).hex()


def check_password(password, least=12, common=COMMON_PASSWORDS):
    """Say why a password is refused when it is chosen; "" if it is taken.

    Parameters
    ----------
    password : str
    least : int
        Characters. Length and absence from lists help; forced signs and monthly changes do not (NIST).
    common : collection of str

    Returns
    -------
    str

    References
    ----------
    NIST SP 800-63B-4 (2025), Digital Identity Guidelines: authentication.

    Examples
    --------
    >>> check_password("Xudong2026"), check_password("three old trams")
    ('it is on the list of common passwords', '')
    """
    if password.lower() in common:
        return "it is on the list of common passwords"
    return f"it is shorter than {least} characters" if len(password) < least else ""


def make_accounts(users, seed=1, weak=0.4, work=2**6):
    """Make the accounts of an exercise: a part of the users chose a common password, the others a random one.

    Parameters
    ----------
    users : list of str
    seed : int
        Also makes salts and secrets, which in earnest come from `os.urandom`.
    weak : float
        Share of users with a common password, 0 to 1.
    work : int
        Cost of the hash; small, so that a lesson can attack.

    Returns
    -------
    pandas.DataFrame
        user, salt, hash (what a thief of the base gets), and secret (of the second factor).

    Raises
    ------
    ValueError
        `weak` is no share, or a user repeats.

    Examples
    --------
    >>> make_accounts(["E01", "E02"], weak=1.0)["hash"].nunique()
    2
    """
    if not 0 <= weak <= 1 or len(set(users)) != len(users):
        raise ValueError("make_accounts: weak is a share from 0 to 1, and each user is there once")
    draw = np.random.default_rng(seed)
    rows = []
    common = set(draw.permutation(len(users))[: round(weak * len(users))].tolist())
    for place, user in enumerate(users):
        rank = int(draw.integers(len(COMMON_PASSWORDS)) * draw.random())  # the head of the list more often
        chosen = COMMON_PASSWORDS[rank]
        password = chosen if place in common else draw.bytes(8).hex()
        salt = draw.bytes(16)
        secret = base64.b32encode(draw.bytes(20)).decode("ascii")
        rows.append((user, salt, hash_password(password, salt, work), secret))
    return pd.DataFrame(rows, columns=["user", "salt", "hash", "secret"])


def guess_passwords(stolen, guesses=COMMON_PASSWORDS, work=2**6):
    """Attack a stolen table of salted hashes: try the common passwords on each account.

    Parameters
    ----------
    stolen : pandas.DataFrame
        user, salt, hash.
    guesses : list of str
    work : int
        Cost with which the hashes were made; it stands beside the hash in every base.

    Returns
    -------
    pandas.DataFrame
        user, password (None if not found), tries. A salt does not help who chose "123456"; it only makes the thief
        begin anew for each account.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> broken = guess_passwords(make_accounts(["E01", "E02"], weak=0.5))
    >>> float(broken["password"].notna().mean())
    0.5
    """
    rows = []
    for user, salt, wanted in need(stolen, ["user", "salt", "hash"], "stolen table").itertuples(index=False):
        tries, found = 0, None
        for guess in guesses:
            tries += 1
            if hmac.compare_digest(hash_password(guess, salt, work), wanted):
                found = guess
                break
        rows.append((user, found, tries))
    return pd.DataFrame(rows, columns=["user", "password", "tries"]).astype({"password": object})


def enrol(user, secret=None, issuer="Xudong"):
    """Give an account a second factor: the secret that its telephone and the base share.

    Parameters
    ----------
    user : str
    secret : str, optional
        In base32; random if left out.
    issuer : str

    Returns
    -------
    dict
        user, secret, uri (what stands in the QR code), last_step (of a used code: None), failures (times).

    References
    ----------
    M'Raihi, D. et al. (2011). RFC 6238, TOTP: time-based one-time password algorithm.

    Examples
    --------
    >>> enrol("E07", secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")["uri"]
    'otpauth://totp/Xudong:E07?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Xudong'
    """
    import pyotp

    secret = secret or pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=issuer)
    return {"user": user, "secret": secret, "uri": uri, "last_step": None, "failures": ()}


def code_at(secret, at):
    """Return the code that a telephone with the right time shows.

    Parameters
    ----------
    secret : str
    at : float
        Seconds since 1970.

    Returns
    -------
    str
        Six digits.

    Examples
    --------
    >>> code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59)  # the first test of RFC 6238, last six digits
    '287082'
    """
    import pyotp

    return pyotp.TOTP(secret).at(int(at))


def verify_code(account, code, at, window=WINDOW):
    """Check a code: right, of this time, and not used before.

    Parameters
    ----------
    account : dict
        As `enrol` makes it.
    code : str
    at : float
        Seconds since 1970, of the server's clock.
    window : int
        Steps of 30 seconds before and after that are taken too.

    Returns
    -------
    account : dict
        A new one, which remembers the used code or the failure: store it.
    why : str
        "right"; "used before"; "locked" (5 failures within 15 minutes: no code is looked at); "clock off by n steps"
        (the code of another time: the telephone is wrong, or the code is old); "wrong".

    Examples
    --------
    >>> account, at = enrol("E07", secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), 1_000_000
    >>> account, why = verify_code(account, code_at(account["secret"], at), at)
    >>> why, verify_code(account, code_at(account["secret"], at), at + 5)[1]
    ('right', 'used before')
    """
    recent = tuple(time for time in account["failures"] if at - time < LOCK_SECONDS)
    if len(recent) >= MAX_FAILURES:
        return account | {"failures": recent}, "locked"
    now = int(at) // STEP
    steps = sorted(range(-min(20, now), 21), key=abs)
    hits = [gap for gap in steps if hmac.compare_digest(code_at(account["secret"], (now + gap) * STEP), str(code))]
    near = [gap for gap in hits if abs(gap) <= window]
    if near and (account["last_step"] is None or now + near[0] > account["last_step"]):
        return account | {"last_step": now + near[0], "failures": ()}, "right"
    why = "used before" if near else f"clock off by {hits[0]} steps" if hits else "wrong"
    return account | {"failures": (*recent, at)}, why


def log_in(row, account, password, code, at, work=2**6):
    """Log in with both factors; what is wrong is not told to the outside.

    Parameters
    ----------
    row : dict
        salt and hash of the account.
    account : dict or None
        As `enrol` makes it; None for an account without a second factor.
    password, code : str
        The code is None for who has none.
    at : float
        Seconds since 1970.
    work : int

    Returns
    -------
    account : dict or None
    inside : bool
    why : str
        For the audit trail, not for the screen: "password", or as in `verify_code`, "no code" or "password only".

    Examples
    --------
    >>> row = {"salt": bytes(16), "hash": hash_password("123456", bytes(16), 64)}
    >>> log_in(row, None, "123456", None, 0)[1:], log_in(row, enrol("E07"), "123456", None, 0)[1:]
    ((True, 'password only'), (False, 'no code'))
    """
    if not hmac.compare_digest(hash_password(password, row["salt"], work), row["hash"]):
        return account, False, "password"
    if account is None:
        return account, True, "password only"
    if not code:
        return account, False, "no code"
    account, why = verify_code(account, code, at)
    return account, why == "right", why


def guess_chance(tries, window=WINDOW, digits=6):
    """Return the chance that guessing finds a code, if nothing locks.

    Parameters
    ----------
    tries : int
    window : int
        Of `verify_code`: each further step is one more right code.
    digits : int

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> round(guess_chance(5), 6), round(guess_chance(500_000), 2)
    (1.5e-05, 0.78)
    """
    return 1 - (1 - (1 + 2 * window) / 10**digits) ** tries


def new_salt():
    """Return 16 random bytes.

    Examples
    --------
    >>> len(new_salt())
    16
    """
    return os.urandom(16)
