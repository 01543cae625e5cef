"""One question to a chat endpoint (``/v1/chat/completions``): masked, within a budget, and every word of it logged.

There is no default address: nothing is sent unless somebody opens an endpoint and passes it on. The key stays in its
environment variable; it is read when a question is sent, and stands neither in the endpoint nor in the log.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cimlab.assistant.logbook import LOG_COLUMNS
from cimlab.assistant.masking import mask_text, reasons_not_to_send
from cimlab.assistant.patterns import PIECES

_LOCAL = {"localhost", "127.0.0.1", "::1"}
_MOST_BYTES = 1_000_000  # a longer answer is cut off: no answer that was asked for here is so long
_LONGEST_PAUSE = 30


@dataclass
class Endpoint:
    """Where to ask and under which limits, and the log of what was asked; make it by `open_endpoint`."""

    address: str
    model: str
    key_name: str | None
    timeout: float
    retries: int
    pause: float
    prices: tuple | None
    budget: float | None
    most_tokens: int
    log: list = field(default_factory=list, repr=False)
    checked: set = field(default_factory=set, repr=False)  # instructions in which no value of the tables was found


def open_endpoint(
    address, model, key_name=None, *, timeout=30, retries=2, pause=1.0, prices=None, budget=None, most_tokens=400
):
    """Name an OpenAI-compatible endpoint and the limits under which it may be asked. Nothing is sent yet.

    Parameters
    ----------
    address : str
        Base address, such as ``https://host/v1``. Plain http only for a server on this machine: on the way others could
        read the text and the key.
    model : str
    key_name : str, optional
        Name of the environment variable that holds the key. Never the key itself.
    timeout : float
        Seconds that an answer may take.
    retries : int
        How often a question is sent again after HTTP 429 or 5xx or without a connection; 0 to 5.
    pause : float
        Seconds before the first retry, doubled each time; a longer Retry-After of the server counts, up to 30 seconds.
    prices : tuple of (float, float), optional
        For a million tokens sent and a million received, in your currency.
    budget : float, optional
        No question is sent that could make the costs exceed it; needs prices.
    most_tokens : int
        The longest answer that is asked for.

    Returns
    -------
    Endpoint

    Raises
    ------
    ValueError
        The address is unsafe or no address, or a limit makes no sense.

    Examples
    --------
    >>> open_endpoint("http://127.0.0.1:8000/v1", "small-model").address
    'http://127.0.0.1:8000/v1/chat/completions'
    >>> open_endpoint("http://models.example.com/v1", "small-model")
    Traceback (most recent call last):
    ...
    ValueError: open_endpoint: http sends text and key readable for everybody on the way; use https://models.example.com
    """
    if budget is not None and prices is None:
        raise ValueError("open_endpoint: a budget needs prices: what a million tokens sent and received cost")
    if prices is not None and (len(prices) != 2 or min(prices) < 0):
        raise ValueError(f"open_endpoint: prices are two numbers, for a million tokens sent and received, not {prices}")
    if timeout <= 0 or most_tokens < 1 or not 0 <= retries <= 5 or pause < 0 or (budget is not None and budget < 0):
        raise ValueError(
            "open_endpoint: timeout and most_tokens are above 0, retries 0 to 5, pause and budget not below 0"
        )
    if not str(model).strip():
        raise ValueError("open_endpoint: which model? The operator of the endpoint says what its models are called")
    prices = tuple(map(float, prices)) if prices is not None else None
    place = _full_address(address)
    return Endpoint(place, model, key_name, timeout, retries, pause, prices, budget, most_tokens)


def configured_endpoint(environment=None, **limits):
    """Open the endpoint that environment variables name; None where they name none: that is the default.

    Parameters
    ----------
    environment : dict of str to str, optional
        By default the variables of this process: CIMLAB_ENDPOINT (base address), CIMLAB_MODEL, and, where needed,
        CIMLAB_KEY, CIMLAB_PRICES ("2, 8": for a million tokens sent and received) and CIMLAB_BUDGET.
    **limits
        As for `open_endpoint`.

    Returns
    -------
    Endpoint or None

    Raises
    ------
    ValueError
        An address without a model, or prices and budget that are no numbers.

    Examples
    --------
    >>> configured_endpoint({}) is None
    True
    >>> own = {"CIMLAB_ENDPOINT": "http://127.0.0.1:8000/v1", "CIMLAB_MODEL": "small-model", "CIMLAB_PRICES": "2, 8"}
    >>> configured_endpoint(own).prices
    (2.0, 8.0)
    """
    source, names = os.environ if environment is None else environment, ("ENDPOINT", "MODEL", "KEY", "PRICES", "BUDGET")
    told = {name: source.get(f"CIMLAB_{name}", "").strip(" \"'") for name in names}
    if not told["ENDPOINT"]:
        return None
    if not told["MODEL"]:
        raise ValueError("CIMLAB_ENDPOINT names an address, but CIMLAB_MODEL is empty: say which model to ask")
    try:
        prices = tuple(map(float, told["PRICES"].split(","))) if told["PRICES"] else None
        budget = float(told["BUDGET"]) if told["BUDGET"] else None
    except ValueError as error:
        raise ValueError('write CIMLAB_PRICES as two numbers, such as "2, 8", and CIMLAB_BUDGET as one') from error
    settings = {"prices": prices, "budget": budget, "key_name": "CIMLAB_KEY" if told["KEY"] else None}
    return open_endpoint(told["ENDPOINT"], told["MODEL"], **settings | limits)


def ask_endpoint(endpoint, instructions, text, known, read=None, purpose="", written=None):
    """Mask a text, ask about it, and check the answer; a malformed one is asked for once more.

    Parameters
    ----------
    endpoint : Endpoint
    instructions : str
        What to do with the text. The same for all texts, and without personal data.
    text : str
        As it is here; it is masked before anything is sent, and not sent at all if anything unsure is left.
    known : dict
        From `known_persons`.
    read : function, optional
        Takes the answer and the masking of the text, returns the value; raises ValueError for a malformed answer.
    purpose : str
        For the log.
    written : list of str, optional
        Only for a text that is full of figures, such as the facts of a profile: its parts that somebody wrote. Then
        numbers in pieces are looked for in each of these and not among the figures.

    Returns
    -------
    dict
        value (None without a usable answer), status ("answered", "not sent", "refused", "malformed", "timed out" or
        "failed") and reason, a sentence.

    Raises
    ------
    ValueError
        The instructions hold a value of the tables, or the environment variable of the key is empty.
    """
    if known is None:
        raise ValueError("known= is missing: pass known_persons(tables), or no name could be recognised and masked")
    if (instructions, id(known)) not in endpoint.checked:  # they are long, and the same for all texts
        if mask_text(instructions, known)["found"]["how"].eq("in the tables").any():
            raise ValueError("the instructions hold a value of the tables; write them without personal data")
        endpoint.checked.add((instructions, id(known)))
    masked = mask_text(text, known)
    doubts = reasons_not_to_send(masked["text"], known)
    if written is not None:
        parts = [reasons_not_to_send(mask_text(part, known)["text"], known) for part in written]
        doubts = sorted({why for why in doubts if why != PIECES}.union(*parts))
    if doubts:
        return _not_sent(endpoint, purpose, "not sent: " + "; ".join(doubts))
    body = _body(endpoint, instructions, masked["text"])
    for _ in range(2):
        answer = _send_with_retries(endpoint, body, purpose)
        if answer["status"] not in ("answered", "malformed"):
            break
        try:
            if answer["status"] == "answered":
                value = answer["value"] if read is None else read(answer["value"], masked)
                return answer | {"value": value}
        except ValueError as error:
            answer = {"value": None, "status": "malformed", "reason": f"the answer is not usable: {error}"}
            endpoint.log[-1] |= {"status": "malformed", "reason": answer["reason"]}
    return answer | {"value": None}


def _full_address(address):
    parts = urllib.parse.urlsplit(str(address).strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"open_endpoint: {address!r} is no address such as https://host/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("open_endpoint: the address holds more than host and path; the key belongs in a variable")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        says = f"use https://{parts.hostname}"
        raise ValueError(f"open_endpoint: http sends text and key readable for everybody on the way; {says}")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}/chat/completions"


def _body(endpoint, instructions, text):
    """Write the question: the text stands inside JSON, as data, away from the instructions."""
    messages = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": json.dumps({"data": text}, ensure_ascii=False)},
    ]
    asked = {"model": endpoint.model, "messages": messages, "temperature": 0, "max_tokens": endpoint.most_tokens}
    return json.dumps(asked, ensure_ascii=False)


def _send_with_retries(endpoint, body, purpose):
    for attempt in range(1, endpoint.retries + 2):
        worst = _cost(endpoint, len(body.encode()) + 100, endpoint.most_tokens)
        spent = sum(row["cost"] or 0 for row in endpoint.log)
        if endpoint.budget is not None and spent + worst > endpoint.budget:
            says = f"not sent: {spent:.4f} of {endpoint.budget:.4f} are spent, and this question could cost {worst:.4f}"
            return _not_sent(endpoint, purpose, says)
        row, again, wait = _send_once(endpoint, body, worst)
        endpoint.log.append(row | {"purpose": purpose, "attempt": attempt})
        if not again or attempt > endpoint.retries:
            break
        time.sleep(min(max(endpoint.pause * 2 ** (attempt - 1), wait), _LONGEST_PAUSE))
    return {"value": row["text"], "status": row["status"], "reason": row["reason"]}


def _send_once(endpoint, body, worst):
    """Send a question once; return the row of the log, whether to try again, and how long to wait."""
    row = dict.fromkeys(LOG_COLUMNS) | {"at": _now(), "address": endpoint.address, "model": endpoint.model}
    row |= {"sent": body, "received": "", "cost": worst, "cost_is": "assumed", "text": None}
    key, start, again, wait = _key(endpoint), time.perf_counter(), False, 0.0
    try:
        code, received, wait = _post(endpoint, body, key)
        received = received.replace(key, "***") if key else received
        row |= {"http": code, "received": received, **_judge(code, received)}
        again = code == 429 or code >= 500
        free = {"cost": worst and 0.0, "cost_is": "none"}
        row |= _reported(endpoint, received, worst) if code == 200 else free
    except TimeoutError:
        row |= {"status": "timed out", "reason": f"no answer within {endpoint.timeout:g} seconds"}
    except (OSError, http.client.HTTPException) as error:
        again = True
        unsent = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
        row |= {"status": "failed", "reason": f"no connection: {type(getattr(error, 'reason', error)).__name__}"}
        row |= {"cost": worst and 0.0, "cost_is": "none"} if unsent else {}
    return row | {"seconds": round(time.perf_counter() - start, 3)}, again, wait


def _post(endpoint, body, key):
    """Post the question; return the HTTP code, the text, and the seconds that the server asks to wait."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(endpoint.address, data=body.encode(), headers=headers, method="POST")
    local = urllib.parse.urlsplit(endpoint.address).hostname in _LOCAL
    opener = urllib.request.build_opener(_NoRedirect, *([urllib.request.ProxyHandler({})] if local else []))
    deadline = time.monotonic() + endpoint.timeout
    try:
        with opener.open(request, timeout=endpoint.timeout) as response:
            return response.status, _read(response, deadline), 0.0
    except urllib.error.HTTPError as error:
        with error:
            wait = error.headers.get("Retry-After", "")
            return error.code, _read(error.fp, deadline), float(wait) if wait.isdigit() else 0.0
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from error
        raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow nobody elsewhere: text and key were meant for this address."""

    def redirect_request(self, *_):
        return None


def _read(response, deadline):
    """Read an answer in pieces, so that one that trickles in is not waited for without end."""
    parts, size = [], 0
    while size < _MOST_BYTES and (part := response.read1(65_536)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)[:_MOST_BYTES].decode("utf-8", errors="replace")


def _judge(code, received):
    """Say what an answer is: answered (with its text), refused, malformed, or failed."""
    if code != 200:
        says = {401: "the key is not accepted", 403: "the key is not accepted", 429: "too many questions"}
        what = says.get(code, "it sends elsewhere, which is not followed" if 300 <= code < 400 else "the server failed")
        return {"status": "failed", "reason": f"HTTP {code}: {what}"}
    try:
        choice = json.loads(received)["choices"][0]
        text, refusal, end = (
            choice["message"].get("content"),
            choice["message"].get("refusal"),
            choice.get("finish_reason"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return {"status": "malformed", "reason": "the server did not answer in the form of chat completions"}
    if refusal or end == "content_filter":
        return {"status": "refused", "reason": "the model refused"}
    if end == "length" or not isinstance(text, str) or not text.strip():
        return {"status": "malformed", "reason": "the answer is empty or cut off"}
    return {"status": "answered", "reason": "", "text": text}


def _reported(endpoint, received, worst):
    """Return tokens and cost as the server reports them; what is no count is not believed."""
    try:
        usage = json.loads(received)["usage"]
        tokens = (usage["prompt_tokens"], usage["completion_tokens"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    if not all(type(number) is int and number >= 0 for number in tokens):
        return {}
    counted = {"tokens_in": tokens[0], "tokens_out": tokens[1], "cost": _cost(endpoint, *tokens)}
    return counted | {"cost_is": "none" if worst is None else "reported"}


def _cost(endpoint, sent, received):
    """Return what tokens cost. A token is at least a byte: the bytes of a text are a sure upper limit of its tokens."""
    if endpoint.prices is None:
        return None
    return (sent * endpoint.prices[0] + received * endpoint.prices[1]) / 1e6


def _not_sent(endpoint, purpose, reason):
    row = dict.fromkeys(LOG_COLUMNS) | {"at": _now(), "purpose": purpose, "address": endpoint.address}
    row |= {"model": endpoint.model, "attempt": 0, "status": "not sent", "reason": reason, "sent": "", "received": ""}
    endpoint.log.append(row | {"seconds": 0.0, "cost": None if endpoint.prices is None else 0.0, "cost_is": "none"})
    return {"value": None, "status": "not sent", "reason": reason}


def _key(endpoint):
    if endpoint.key_name is None:
        return None
    key = os.environ.get(endpoint.key_name, "").strip()
    if not key:
        raise ValueError(f"the environment variable {endpoint.key_name} is empty: put the key of the endpoint there")
    return key


def _now():
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
