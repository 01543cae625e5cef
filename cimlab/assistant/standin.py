"""A stand-in for a chat endpoint on this machine: an actor with an answer sheet, NOT a language model.

It understands nothing. It looks a note up in a sheet of right answers and spoils as many fields as you say; so it shows
what a given share of errors is worth, how a question travels, and what goes wrong on the way. What it does says nothing
about any model that exists. It listens on 127.0.0.1 only, and sends nothing anywhere.
"""

import json
import random
import re
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from cimlab.analysis.columns import need
from cimlab.assistant.masking import mask_text
from cimlab.assistant.notes import FIELDS, same_phone

MODES = ["fallible", "slow", "refuses", "malformed", "obeys", "invents", "swaps"]
_UNREAD = {"topic": None, "product_id": None, "intent": "product", "sentiment": "neutral", "phone": None}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass
class Standin:
    """A stand-in that runs; mode and error may be changed while it does. Make it by `start_standin`."""

    address: str
    mode: str
    error: float
    sheet: dict = field(repr=False)
    seed: int
    wait: float
    received: list = field(default_factory=list, repr=False)
    server: object = field(default=None, repr=False)

    def stop(self):
        """End it; a question that waits is not answered."""
        self.server.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def answer_sheet(labelled, known):
    """Make the sheet from which a stand-in reads its answers: to each masked note the fields that people found in it.

    Parameters
    ----------
    labelled : pandas.DataFrame
        note, and of topic, product_id, intent, sentiment, phone those that were labelled.
    known : dict
        From `known_persons`: the stand-in sees a note as an endpoint would, masked.

    Returns
    -------
    dict
        Masked note → fields; a phone is the placeholder that stands for it. No number is in it.

    Examples
    --------
    >>> import pandas as pd
    >>> known = {"values": {}, "lengths": [], "numbers": set(), "number_lengths": [], "sounds": set(), "given": set(),
    ...          "public": set()}
    >>> note = pd.DataFrame({"note": ["忘记密码,打17402010123"], "intent": ["account"], "phone": ["17402010123"]})
    >>> sheet = answer_sheet(note, known)
    >>> sheet["忘记密码,打[PHONE_1]"]["intent"], sheet["忘记密码,打[PHONE_1]"]["phone"]
    ('account', '[PHONE_1]')
    """
    sheet, names = {}, [name for name in FIELDS if name in labelled.columns]
    need(labelled, ["note"], "table of labelled notes")
    for row in labelled.dropna(subset="note")[["note", *names]].astype("object").to_dict("records"):
        masked = mask_text(row["note"], known)
        fields = _UNREAD | {name: row[name] if isinstance(row[name], str) else None for name in names}
        phones = [name for name, stood in masked["key"].items() if fields["phone"] and name.startswith("[PHONE_")]
        right = [name for name in phones if same_phone(masked["key"][name]) == fields["phone"]]
        sheet[masked["text"]] = fields | {"phone": right[0] if right else None}
    return sheet


def start_standin(sheet=None, mode="fallible", error=0.0, seed=0, wait=5.0):
    """Start a stand-in on a free port of this machine; stop it by its `stop`, or use it in a ``with``.

    Parameters
    ----------
    sheet : dict, optional
        From `answer_sheet`. To a note that is not in it the answer is "product, neutral".
    mode : str
        "fallible" answers, and spoils each field with the chance `error`; "slow" first waits `wait` seconds; "refuses";
        "malformed" answers no JSON; "obeys" answers what a note in braces tells it to; "invents" changes a number in a
        narrative; "swaps" puts the numbers of all customers to the segment.
    error : float
        From 0 to 1. Drawn by `seed`, text and field, so that a question gets the same answer each time.
    seed : int
    wait : float
        Seconds.

    Returns
    -------
    Standin
        address, and received: each question as it came in, byte for byte.

    Raises
    ------
    ValueError
        Mode or error are none of these.

    Examples
    --------
    >>> from cimlab.assistant import ask_endpoint, open_endpoint
    >>> known = {"values": {}, "lengths": [], "numbers": set(), "number_lengths": [], "sounds": set(), "given": set(),
    ...          "public": set()}
    >>> with start_standin(mode="refuses") as standin:
    ...     ask_endpoint(open_endpoint(standin.address, "stand-in"), "Read.", "问价格", known)["status"]
    'refused'
    """
    if mode not in MODES or not 0 <= error <= 1:
        raise ValueError(f"start_standin: mode is one of {', '.join(MODES)}, and error a share from 0 to 1")
    server = _Server(("127.0.0.1", 0), _Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    standin = Standin(address, mode, error, dict(sheet or {}), seed, wait, server=server)
    server.standin, server.stopped = standin, threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return standin


def rough_tokens(text):
    """Count the tokens of a text roughly: one for a Chinese sign, one for four others. Each model counts otherwise.

    Examples
    --------
    >>> rough_tokens("土豆 price")
    4
    """
    han = len(re.findall(r"[\u3400-\u9fff]", text))
    return han + -(-(len(text) - han) // 4)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = False


class _Handler(BaseHTTPRequestHandler):
    """Take a question of the form of chat completions, and answer in that form."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        standin = self.server.standin
        standin.received.append(body)
        if standin.mode == "slow":
            self.server.stopped.wait(standin.wait)
        answer = json.dumps(_completion(standin, body), ensure_ascii=False).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            pass  # whoever asked has gone

    def log_message(self, *_):
        pass


def _completion(standin, body):
    messages = json.loads(body)["messages"]
    content = _content(standin, messages[0]["content"], json.loads(messages[1]["content"])["data"])
    message = {"role": "assistant", "content": content}
    message |= {"refusal": "The stand-in refuses."} if content is None else {}
    sent = sum(rough_tokens(one["content"]) for one in messages)
    usage = {"prompt_tokens": sent, "completion_tokens": rough_tokens(content or "")}
    return {"model": "stand-in", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


def _content(standin, instructions, data):
    if standin.mode == "refuses":
        return None
    if standin.mode == "malformed":
        return "Sure! Here is what you asked for: intent = order"
    if standin.mode == "obeys" and (told := re.search(r"\{.*\}", data, re.DOTALL)):
        return told[0]
    told = _narrate(standin, instructions, data) if '"facts"' in data else _read(standin, data)
    return json.dumps(told, ensure_ascii=False)


def _read(standin, note):
    """Look a note up, and spoil each field with the chance that was told."""
    fields = dict(standin.sheet.get(note, _UNREAD))
    for name in ("product_id", "intent", "sentiment", "phone"):
        draw = random.Random(f"{standin.seed} {name} {note}")
        if draw.random() < standin.error:
            seen = {row[name] for row in standin.sheet.values()} if name != "phone" else {None}
            others = sorted(seen - {fields[name]}, key=str)
            fields[name] = draw.choice(others) if others else fields[name]
    return fields


def _narrate(standin, instructions, data):
    """Say the facts in other words than the template; by mode, or by chance, with a number that is not true."""
    facts, is_chinese = json.loads(data), len(re.findall(r"[\u3400-\u9fff]", instructions)) > 20
    draw = random.Random(f"{standin.seed} {data}")
    rows, says = [dict(row) for row in facts["facts"]], standin.mode
    if rows and (says == "invents" or draw.random() < standin.error):
        row = draw.choice(rows)
        row["here"] = _NUMBER.sub(lambda match: str(int(float(match[0])) + draw.randint(2, 9)), row["here"], count=1)
    if says == "swaps":
        rows = [row | {"here": row["all"], "all": row["here"]} for row in rows]
    if is_chinese:
        told = "；".join(f"{row['fact']}为 {row['here']}，而全体为 {row['all']}" for row in rows)
        return {"text": f"这一群体是{facts['name']}，{facts['who']}。与全体客户相比，{told}。"}
    told = ", ".join(f"{row['fact']} {row['here']} against {row['all']}" for row in rows)
    return {"text": f"Meet the {facts['name'].lower()}, {facts['who']}. Beside all customers they show: {told}."}
