"""The consent ledger: for each card and account and each purpose, who gave consent when, and who withdrew it.

Five things may happen to the consent of a record for one purpose: it is asked at joining, asked again when the second
and the third version of the privacy notice come, withdrawn out of a mood (more often while campaigns run), and
withdrawn because of a call. They are put in the order of time and played through, so that nobody withdraws what was
never given. Every rate is in contacts.yaml.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.contacts import TOPICS, pick_tables, satisfaction_bands, subject_number, subjects
from cimlab.retailer.draws import ONE, by_limit, read_settings
from cimlab.retailer.world import MINUTES, NO_DAY, REFERENCE_DAY, THINGS, day_of, enum_column, id_text, time_column

PURPOSES = ("marketing", "profiling", "sharing")
ACTIONS = ("given", "withdrawn")
METHODS = ("paper form", "web form", "app switch", "telephone", "sms reply")
CHANNELS = ("till", "web")
JOINED, SECOND, THIRD, TIRED, CALLED = range(5)  # the five things
EVENTS = 5
NEVER = 1 << 40  # a minute that does not come
END = (REFERENCE_DAY + 1) * MINUTES


def consent_settings():
    """Return the settings of the ledger."""
    return read_settings("contacts")["consent"]


@cache
def version_days():
    """Return the days from which the versions of the notice hold."""
    return np.array([day_of(day) for day in consent_settings()["versions"]])


def version_on(days):
    """Return the version of the notice on each day: 0 the first one."""
    return np.maximum(np.searchsorted(version_days(), days, side="right") - 1, 0)


def make_consents_table(block):
    """Return the consent ledger of the records of a block.

    Parameters
    ----------
    block : dict
        `world`, `people`, `records`, `calls`.

    Returns
    -------
    pyarrow.Table
        Table `consents` of the dictionary: by record, purpose and time. A record without an entry never gave consent.
    """
    draws, people, records = block["world"]["draws"], block["people"], block["records"]
    cells = list_cells(people, records)
    called, everything, by_phone = (column[cells["record"]] for column in called_times(draws, block))
    called = np.where((cells["purpose"] == 0) | everything, called, NEVER)
    cells |= {"by_phone": by_phone, "yes": given_chances(draws, people, cells)}
    rows = play(draws, cells, event_times(draws, people, cells, called))
    method = choose_methods(draws, cells, rows)
    columns = {
        "consent_id": id_text(draws.ids("L", rows["key"])),
        "customer_ref": id_text(records["id"][cells["record"][rows["cell"]]]),
        "purpose": enum_column(cells["purpose"][rows["cell"]], PURPOSES),
        "action": enum_column(rows["action"], ACTIONS),
        "recorded_at": time_column(rows["at"]),
        "method": enum_column(method, METHODS),
        "notice_version": enum_column(rows["version"], [f"v{number + 1}" for number in range(len(version_days()))]),
    }
    return pa.table(columns)


def list_cells(people, records):
    """Return the cells of the ledger, one for each record and purpose.

    The `key` of a cell is that of its person with room for the entries: (channel, copy, purpose, event) below 512.
    """
    record = np.repeat(np.arange(len(records["key"])), len(PURPOSES))
    purpose = np.tile(np.arange(len(PURPOSES)), len(records["key"]))
    within = records["key"] % THINGS  # channel × 16 + copy
    key = (records["key"] - within + within * 16)[record] + purpose * EVENTS
    return {
        "record": record,
        "purpose": purpose,
        "person": records["person"][record],
        "channel": records["channel"][record].astype(np.int64),
        "made_on": records["made_on"][record].astype(np.int64),
        "key": key,
        "record_key": records["key"][record],
    }


def given_chances(draws, people, cells):
    """Return the chance per 1000 that consent is given when it is asked for: by purpose, channel, age and openness."""
    settings, person = consent_settings(), cells["person"]
    base = np.array([[settings["given"][purpose][channel] for channel in CHANNELS] for purpose in PURPOSES])
    own = draws.quantile("normal", "consent", "openness", people["row"])
    openness = (own * settings["own_percent"] + people["satisfaction"] * settings["satisfaction_percent"]) // 100
    age = np.stack([by_limit(settings["age"][purpose], people["age"]) for purpose in PURPOSES])
    chance = base[cells["purpose"], cells["channel"]] + age[cells["purpose"], person]
    return chance + (openness * settings["openness"] // ONE)[person]


# --- events


def event_times(draws, people, cells, called):
    """Return the minute of each event of each cell, NEVER where it does not happen: shape (EVENTS, cells)."""
    settings, made, key = consent_settings(), cells["made_on"], cells["record_key"]
    asked_from = np.array([settings["asked"][name] for name in PURPOSES])[cells["purpose"]]
    version = 1 + version_on(made)
    share = np.array([settings["lost_per_1000"][channel] for channel in CHANNELS])[cells["channel"]]
    lost = draws.chance(share, "consent", "lost", key) & (version == 1)
    # A form is signed once: all purposes of a record are asked in the same minute, and so are those of a new notice.
    joined = made * MINUTES + form_minutes(draws, cells, JOINED)
    times = [np.where((version >= asked_from) & ~lost, joined, NEVER)]
    share = np.array([settings["asked_again"][channel] for channel in CHANNELS])[cells["channel"]]
    for event, start in zip((SECOND, THIRD), version_days()[1:], strict=True):
        wait = (
            draws.quantile("exponential", "consent", "asked again", key, event) * settings["asked_again"]["mean_days"]
        )
        at = (start + (wait >> 16)) * MINUTES + form_minutes(draws, cells, event)
        reached = draws.chance(share, "consent", "reached", key, event) & (made < start) & (event + 1 >= asked_from)
        times.append(np.where(reached, at, NEVER))
    times = np.stack([*times, tired_times(draws, people, cells), called])
    return np.where(times < END, times, NEVER)


def form_minutes(draws, cells, event):
    """Return a minute of the day at which a form of the record's channel is filled in."""
    hours = np.array([consent_settings()["hours"][channel] for channel in CHANNELS])[cells["channel"]] * 60
    return draws.between(hours[:, 0], hours[:, 1] - 1, "consent", "minute", cells["record_key"], event)


@cache
def hazard_clock():
    """Return how many hundredths of an ordinary day have passed before each day: the days of campaigns count more."""
    settings = consent_settings()
    weights = np.full(REFERENCE_DAY + 2, 100, dtype=np.int64)
    for campaign in read_settings("parameters")["campaigns"]["list"]:
        start = day_of(campaign[3])
        weights[start : min(start + settings["campaign_days"], REFERENCE_DAY + 1)] = settings["campaign_percent"]
    return np.concatenate([[0], np.cumsum(weights)])


def tired_times(draws, people, cells):
    """Return when each consent would be withdrawn without another reason: a hazard, higher in the days of campaigns."""
    settings, clock, key = consent_settings(), hazard_clock(), cells["key"]
    band = satisfaction_bands(people["satisfaction"])[cells["person"]]
    rate = np.array([settings["withdrawn_per_year"][purpose] for purpose in PURPOSES])[cells["purpose"]]
    percent = np.array(settings["withdrawn_percent"])[band]
    # One in 1000 a year is a mean wait of 1000 years; the clock counts hundredths of a day.
    wait = draws.quantile("exponential", "consent", "tired", key) * (365 * 1000 * 100) // (rate * percent) * 100 >> 16
    day = np.searchsorted(clock, clock[cells["made_on"]] + wait, side="right") - 1
    minute = draws.between(7 * 60, 23 * 60, "consent", "tired minute", key)
    return np.where(day <= REFERENCE_DAY, day * MINUTES + minute, NEVER)


def called_times(draws, block):
    """Return for each record (minute of a withdrawal because of a call, whether for all purposes, whether by phone)."""
    people, records, calls = block["people"], block["records"], block["calls"]
    at, everything, entered = withdrawing_calls(draws, calls)
    # Of several such calls of a person the first counts.
    order = np.lexsort((calls["key"], at, calls["person"]))
    person, first = np.unique(calls["person"][order], return_index=True)
    call = np.full(len(people["row"]), -1, dtype=np.int64)
    call[person] = order[first]
    call = call[records["person"]]
    if not len(calls["key"]):
        return np.full(len(call), NEVER), call >= 0, call >= 0
    when = np.where(call >= 0, at[call], NEVER)
    share = consent_settings()["told_by_phone"]["all_records_per_1000"]
    whole = draws.chance(share, "consent", "all records", people["row"][records["person"]])
    when = np.where(whole | newest_records(records, when // MINUTES), when, NEVER)
    return when, everything[call], entered[call]


def withdrawing_calls(draws, calls):
    """Return for each call (minute of the withdrawal that follows, whether for all purposes, whether by phone)."""
    settings, key = consent_settings(), calls["key"]
    told_settings, after_settings = settings["told_by_phone"], settings["after_complaint"]
    told = np.isin(calls["subject"], [subject_number("complaint", "privacy"), subject_number("account", "close")])
    entered = told & draws.chance(told_settings["entered_per_1000"], "consent", "entered", key)
    after = (calls["intent"] == TOPICS.index("complaint")) & ~told
    after &= draws.chance(after_settings["per_1000"], "consent", "after complaint", key)
    wait = draws.quantile("exponential", "consent", "complaint wait", key) * after_settings["mean_days"] * MINUTES >> 16
    at = np.where(entered, calls["at"] + 1, np.where(after, calls["at"] + 10 + wait, NEVER))
    shares = np.array([told_settings["all_purposes_per_1000"].get(entry["subject"], 0) for entry in subjects()])
    everything = entered & draws.chance(shares[calls["subject"]], "consent", "all purposes", key)
    return at, everything, entered


def newest_records(records, days):
    """Return True for the newest record of each person that was made by the day given for it."""
    made = np.where(records["made_on"] <= days, records["made_on"], NO_DAY).astype(np.int64)
    order = np.lexsort((records["key"], made, records["person"]))
    last = np.append(records["person"][order][1:] != records["person"][order][:-1], True)[: len(order)]
    newest = np.zeros(len(order), dtype=bool)
    newest[order[last]] = True
    return newest & (made >= 0)


# --- play


def play(draws, cells, times):
    """Play the events of all cells in the order of time and return the entries that they leave.

    Returns
    -------
    dict of arrays
        One entry each: `cell`, `event`, `action` (0 given, 1 withdrawn), `at`, `version`, `key`; by cell and time.
    """
    count, kept = times.shape[1], consent_settings()["kept"]
    order, cell = np.argsort(times, axis=0, kind="stable"), np.arange(count)
    luck = [draws.below(1000, "consent", "yes", cells["key"], event) for event in (JOINED, SECOND, THIRD)]
    luck = np.stack(luck + 2 * [np.zeros(count, dtype=np.int64)])
    state, last = np.zeros(count, dtype=bool), np.full(count, -1, dtype=np.int64)
    happened, actions = np.zeros((EVENTS, count), dtype=bool), np.zeros((EVENTS, count), dtype=np.int8)
    for step in range(EVENTS):
        event = order[step]
        at = times[event, cell]
        comes, asks = (at < NEVER) & (at > last), event <= THIRD
        yes = asks & (luck[event, cell] < cells["yes"] + kept * state)
        given, withdrawn = comes & yes, comes & ~yes & state
        happened[step], actions[step] = given | withdrawn, withdrawn
        state = (state | given) & ~withdrawn
        last = np.where(happened[step], at, last)
    chosen, step = np.nonzero(happened.T)
    event = order[step, chosen]
    at = times[event, chosen]
    rows = {"cell": chosen, "event": event, "action": actions[step, chosen].astype(np.int64), "at": at}
    return rows | {"version": version_on(at // MINUTES), "key": cells["key"][chosen] + event}


@cache
def method_tables():
    """Return picks of 12 bits: given by (channel, version), withdrawn by (channel, purpose)."""
    settings = consent_settings()["methods"]

    def weights(pairs):
        return [sum(weight for name, weight in pairs if name == method) for method in METHODS]

    versions = [f"v{number + 1}" for number in range(len(version_days()))]
    given = [weights(settings[f"given_{channel}"][version]) for channel in CHANNELS for version in versions]
    withdrawn = [weights(settings[f"withdrawn_{channel}"][purpose]) for channel in CHANNELS for purpose in PURPOSES]
    return pick_tables(given, 12), pick_tables(withdrawn, 12)


def choose_methods(draws, cells, rows):
    """Return how each entry came about."""
    given, withdrawn = method_tables()
    cell, record_key = rows["cell"], cells["record_key"][rows["cell"]]
    # All answers to one notice come by one form; each later withdrawal by its own way.
    form = draws.bits("consent", "form", record_key * 8 + rows["event"]) >> np.uint64(52)
    way = draws.bits("consent", "way", rows["key"]) >> np.uint64(52)
    channel = cells["channel"][cell]
    answers = given[channel * len(version_days()) + rows["version"], form.astype(np.int64)]
    later = withdrawn[channel * len(PURPOSES) + cells["purpose"][cell], way.astype(np.int64)]
    by_phone = (rows["event"] == CALLED) & cells["by_phone"][cell]
    return np.where(by_phone, METHODS.index("telephone"), np.where(rows["event"] <= THIRD, answers, later))
