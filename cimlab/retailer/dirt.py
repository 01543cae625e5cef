"""What was typed instead of the truth: clean columns go through `dirt.yaml`, and a ledger keeps each change.

Whole columns are drawn and rewritten at once. Cells that are only written in another form (most of those that change)
go form by form; the few with an error, a slip or an old value go through all steps, and are looked at again without
each step, so that the ledger names only what left a trace.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer import forms, slips
from cimlab.retailer.draws import pick16, read_settings
from cimlab.retailer.texts import as_text, differ, fact, is_empty, put

WORD = 1 << 16  # draws for rates have 16 bits
SOURCES = ("", "stale", "relative")  # where a value comes from
STALE, RELATIVE = 1, 2


def type_cells(draws, level, channel, keys, clean, told, facts):
    """Return what was typed into the columns of some records, and the ledger of all that differs from the truth.

    Parameters
    ----------
    draws : Draws
    level : str
        clean, light, normal or heavy (`levels` in `dirt.yaml`).
    channel : str
        till, web, call, firm, contact, exhibition or bought: whose rates in `dirt.yaml` hold.
    keys : array of int64, shape (records,)
        Global keys of the records: a record gets the same text in any company.
    clean : dict of str to pyarrow.StringArray
        The true values, column by column; null or blank where there is none. Every column must stand in `dirt.yaml`.
    told : dict of str to pyarrow.StringArray
        What would have been told when the row was last touched; only columns that can be old need be there.
    facts : dict of str to arrays of shape (records,), or to functions of an array of positions
        All are optional; what depends on a missing one does not happen or is read from the clean name.

        - all channels: `sitting` (int64 key of the capture session; without it each record is its own), and the
          groups that `more` names: `woman`, `old`, `young`, `gold`, `evening`, `busy` (bool);
        - till, web, call, bought: `relative` (text: the number of another member of the household, null if none),
          `sex` (1 for men), `birth_year`, `surname`, `surname_pinyin` (ouyang), `given_syllables` (guo fan), `city`
          (for addresses with the city, where no column `city` is typed);
        - contact: names as above, `title` (form of address: 经理; else one of `titles`); firm: the same of its contact
          person; exhibition: names as above.

    Returns
    -------
    typed : dict of str to pyarrow.StringArray
        What was typed; null where the cell was left blank.
    ledger : dict
        One entry a cell that differs: `record` (int64 position), `field`, `operation` (names joined by +, dictionary
        encoded), `clean_value` (null where there is none). `ledger_table` makes the table of it.

    Raises
    ------
    ValueError
        For a level, channel, column or operation that does not exist.

    Examples
    --------
    >>> from cimlab.retailer.draws import Draws
    >>> clean = {"name": pa.array(["曾国藩", "欧阳静"]), "city": pa.array(["上海市", "杭州市"])}
    >>> typed, ledger = type_cells(Draws(1), "clean", "till", np.arange(2), clean, {}, {})
    >>> typed["name"].to_pylist(), len(ledger["record"])
    (['曾国藩', '欧阳静'], 0)
    """
    keys = np.asarray(keys, dtype=np.int64)
    clean = {column: as_text(values) for column, values in clean.items()}
    told = {column: as_text(values) for column, values in told.items()}
    plans = {column: make_plan(level, channel, column) for column in clean}
    job = {"draws": draws, "level": level, "channel": channel, "keys": keys, "clean": clean, "told": told}
    job |= {"sittings": sitting_levels(draws, channel, keys, facts), "groups": group_codes(channel, len(keys), facts)}
    job["then"] = {column: values_then(job, column, plans[column], facts) for column in clean}
    job["facts"] = facts | {"city_then": job["then"]["city"][0] if "city" in clean else facts.get("city")}
    job["codes"] = {"": 0}
    typed, done = {}, {}
    for column in clean:
        typed[column], done[column] = type_column(job, column, plans[column])
    swap_columns(job, typed, done)
    return typed, make_ledger(job, done)


def ledger_table(ledger, ids):
    """Return a ledger as a table of the truth: record_id, field, operation, clean_value.

    Parameters
    ----------
    ledger : dict
        From `type_cells`.
    ids : pyarrow.StringArray
        The identifier of each record that was typed.

    Returns
    -------
    pyarrow.Table
    """
    return pa.table(
        {
            "record_id": ids.take(pa.array(ledger["record"])),
            "field": ledger["field"],
            "operation": ledger["operation"],
            "clean_value": ledger["clean_value"],
        }
    )


# --- rates ---------------------------------------------------------------------------------------------------------


def channel_rules(channel):
    """Return the rules of a channel."""
    rules = read_settings("dirt").get(channel)
    if not isinstance(rules, dict) or "fields" not in rules:
        raise ValueError(f"dirt.yaml knows no channel {channel!r}.")
    return rules


def level_factors(level):
    """Return what the rates are multiplied with at a level, in per cent."""
    levels = read_settings("dirt")["levels"]
    if level not in levels:
        raise ValueError(f"There is no level {level!r}; the levels are {', '.join(levels)}.")
    return levels[level]


def kept_rate(level, channel, column):
    """Return how many rows of 1000 that were confirmed after a change still show the former value of a column."""
    return channel_rules(channel)["fields"][column].get("kept", 0) * level_factors(level)["kept"] // 100


@cache
def make_plan(level, channel, column):
    """Return the tables from which one column of a channel is drawn at a level."""
    rules, factors = channel_rules(channel), level_factors(level)
    if column not in rules["fields"]:
        raise ValueError(f"dirt.yaml, channel {channel!r}: there is no column {column!r}.")
    rule = rules["fields"][column]
    errors, slip_rates = rule.get("errors", {}), rule.get("slips", {})
    weights = dict(rule["forms"])
    # `plain` comes first: number 0 of every stage is that nothing is done
    plain, others = weights.pop("plain", 0) * 100, [weight * factors["forms"] for weight in weights.values()]
    steps = [["", *errors], ["", *weights], ["", *slip_rates]]
    for name in [*errors, *weights, *slip_rates]:
        operation(name, column)
    return {
        "other": rule.get("other", 0) * factors["other"] // 100,
        "stale": factors["stale"],
        "blank": blank_limits(channel, rule, factors["blank"]),
        "forms": pick16([plain or int(not factors["forms"]), *others], 16).astype(np.uint8),
        "steps": steps,
        "errors": rate_limits(errors.values(), factors["errors"]),
        "slips": rate_limits(slip_rates.values(), factors["slips"]),
    }


def operation(name, column):
    """Return the function of an operation that `dirt.yaml` names for a column."""
    function = getattr(forms, name, None) or getattr(slips, name, None)
    if function is None:
        raise ValueError(f"dirt.yaml, column {column!r}: there is no operation {name!r} in forms.py or slips.py.")
    return function


def rate_limits(rates, factor):
    """Return (16-bit limits by level of the sitting, sums of the rates): a draw below the limit is a hit."""
    sums = np.cumsum([0, *rates])
    percents = np.array([percent for percent, _ in read_settings("dirt")["sittings"]])
    return np.minimum(sums[-1] * percents * factor * WORD // (1000 * 100 * 100), WORD).astype(np.int32), sums


def blank_limits(channel, rule, factor):
    """Return the 16-bit limit of a blank cell for each combination of groups."""
    groups, most = channel_groups(channel), read_settings("dirt")["most_blank"]
    limits = []
    for code in range(1 << len(groups)):
        rate = rule.get("blank", 0)
        for place, group in enumerate(groups):
            if code >> place & 1:
                rate = rate * rule.get("more", {}).get(group, 100) // 100
        limits.append(min(rate * factor // 100, most) * WORD // 1000)
    return np.array(limits, dtype=np.int32)


def channel_groups(channel):
    """Return the names of the groups on which blanks of a channel depend."""
    fields = channel_rules(channel)["fields"].values()
    return tuple(dict.fromkeys(group for rule in fields for group in rule.get("more", {})))


def group_codes(channel, count, facts):
    """Return the groups of each record as bits, in the order of `channel_groups`."""
    codes = np.zeros(count, dtype=np.uint8)
    for place, group in enumerate(channel_groups(channel)):
        if group in facts:
            codes |= np.asarray(facts[group], dtype=np.uint8) << np.uint8(place)
    return codes


def sitting_levels(draws, channel, keys, facts):
    """Return which of the error levels each record has: one for all records of a sitting."""
    weights = [weight for _, weight in read_settings("dirt")["sittings"]]
    words = draws.words(f"dirt {channel}", "level", facts.get("sitting", keys))
    return pick16(weights, 16).astype(np.uint8)[words[0]]


# --- columns -------------------------------------------------------------------------------------------------------


def values_then(job, column, plan, facts):
    """Return (what would have been told, where it comes from): the true value, a former one, a relative's number."""
    values, source = job["clean"][column], np.zeros(len(job["keys"]), dtype=np.uint8)
    table, pieces = f"dirt {job['channel']}", []
    if column in job["told"] and plan["stale"]:
        rows = np.flatnonzero(differ(values, job["told"][column]))
        if plan["stale"] < 100:
            rows = rows[job["draws"].below(100, table, "stale", job["keys"][rows]) < plan["stale"]]
        source[rows] = STALE
        pieces.append((rows, job["told"][column].take(pa.array(rows))))
    values = put(values, pieces)
    if plan["other"] and "relative" in facts:
        hit = job["draws"].words(f"{table} {column}", "other", job["keys"])[0] < plan["other"] * WORD // 1000
        rows = np.flatnonzero(hit)
        numbers = fact({"facts": facts, "rows": rows}, "relative")
        fits = ~is_empty(numbers) & differ(numbers, values.take(pa.array(rows)))
        source[rows[fits]] = RELATIVE
        values = put(values, [(rows[fits], numbers.filter(pa.array(fits)))])
    return values, source


def type_column(job, column, plan):
    """Return (what was typed into a column, the code of what was done to each cell; 0 where it is clean)."""
    words = job["draws"].words(f"dirt {job['channel']}", column, job["keys"])
    then, source = job["then"][column]
    empty = is_empty(then)
    blank = ~empty & (words[0] < plan["blank"][job["groups"]])
    slow = (
        (words[2] < plan["errors"][0][job["sittings"]]) | (words[3] < plan["slips"][0][job["sittings"]]) | (source > 0)
    )
    slow &= ~(empty | blank)
    form = plan["forms"][words[1]]
    simple = np.where(empty | blank | slow, 0, form)
    done, pieces = np.zeros(len(simple), dtype=np.int32), []
    done[blank] = code(job, "blank")
    for number, name in enumerate(plan["steps"][1]):
        rows = np.flatnonzero(simple == number) if name else ()
        if len(rows):
            values = then.take(pa.array(rows))
            texts = run(job, column, name, values, rows)
            done[rows[differ(texts, values)]] = code(job, name)
            pieces.append((rows, texts))
    rows = np.flatnonzero(slow)
    if len(rows):
        pieces.append((rows, type_slowly(job, column, plan, rows, words[:, rows], form[rows], done)))
    if column in job["told"]:
        # A blank is no change where the person has nothing now; old is what was blank when the person had nothing then.
        none = is_empty(job["clean"][column])
        done[blank & none] = 0
        done[empty & ~none] = code(job, "stale")
    return put(then, pieces, empty | blank), done


def type_slowly(job, column, plan, rows, words, form, done):
    """Return what was typed into cells with an error, a slip or an old value; write `done` for them."""
    then, source = job["then"][column]
    values, sittings = then.take(pa.array(rows)), job["sittings"][rows]
    # one row a stage (error, form, slip): the number of the operation of each cell, 0 for none
    steps = np.stack([which(words[2], plan["errors"], sittings), form, which(words[3], plan["slips"], sittings)])
    before = apply_steps(job, column, plan, values, rows, steps)
    steps, typed = drop_untraced(job, column, plan, rows, steps, before), before[-1]
    changed = differ(typed, job["clean"][column].take(pa.array(rows)))
    done[rows] = np.where(changed, describe(job, plan, source[rows], steps), 0)
    return typed


def which(words, table, sittings):
    """Return the number of the operation that each cell is hit by, from 1; 0 for none."""
    limits, sums = table
    limit = limits[sittings]
    at = words.astype(np.int64) * sums[-1] // np.maximum(limit, 1)
    return np.where(words < limit, np.searchsorted(sums, at, side="right"), 0)


def apply_steps(job, column, plan, values, rows, steps):
    """Return values before the first stage, after it, … and after the last; each operation draws for itself."""
    before = [values]
    for names, numbers in zip(plan["steps"], steps, strict=True):
        pieces = []
        for number in np.unique(numbers[numbers > 0]):
            at = np.flatnonzero(numbers == number)
            pieces.append((at, run(job, column, names[number], values.take(pa.array(at)), rows[at])))
        values = put(values, pieces)
        before.append(values)
    return before


def run(job, column, name, values, rows):
    """Return some values of a column after an operation; `rows` are their positions."""
    numbers = job["draws"].bits(f"dirt {job['channel']} {column}", name, job["keys"][rows])
    cells = {"rows": rows, "facts": job["facts"], "texts": {"name": job["clean"][column]}}
    return operation(name, column)(values, numbers, cells)


def drop_untraced(job, column, plan, rows, steps, before):
    """Return the steps that left a trace in what was typed (not a wrong day, where only the year was written)."""
    typed, kept = before[-1], steps.copy()
    for stage in range(len(steps)):
        at = np.flatnonzero(steps[stage])
        if len(at):
            later = steps[:, at]
            later[: stage + 1] = 0
            without = apply_steps(job, column, plan, before[stage].take(pa.array(at)), rows[at], later)[-1]
            kept[stage, at[~differ(without, typed.take(pa.array(at)))]] = 0
    # two steps may each be idle without both being so: then all of them are named
    at = np.flatnonzero((kept != steps).any(axis=0))
    if len(at):
        again = apply_steps(job, column, plan, before[0].take(pa.array(at)), rows[at], kept[:, at])[-1]
        wrong = at[differ(again, typed.take(pa.array(at)))]
        kept[:, wrong] = steps[:, wrong]
    return kept


# --- the ledger ----------------------------------------------------------------------------------------------------


def code(job, text):
    """Return the code of a text of operations; codes count from 0 (nothing was done)."""
    return job["codes"].setdefault(text, len(job["codes"]))


def describe(job, plan, source, steps):
    """Return the code of what was done to each cell: its source, error, form and slip."""
    together = ((source * 64 + steps[0]) * 64 + steps[1]) * 64 + steps[2]
    kinds, place = np.unique(together, return_inverse=True)
    codes = []
    for kind in kinds.tolist():
        names = [
            SOURCES[kind >> 18],
            *(plan["steps"][stage][kind >> shift & 63] for stage, shift in enumerate((12, 6, 0))),
        ]
        codes.append(code(job, "+".join(filter(None, names))))
    return np.array(codes, dtype=np.int32)[place]


def swap_columns(job, typed, done):
    """Exchange two columns in some records, after all else; change `typed` and `done`."""
    pairs = channel_rules(job["channel"]).get("swaps", [])
    words = job["draws"].words(f"dirt {job['channel']}", "swaps", job["keys"]) if pairs else ()
    for word, (first, second, rate) in zip(words, pairs, strict=False):
        if first not in typed or second not in typed:
            continue
        limits, _ = rate_limits([rate], level_factors(job["level"])["swaps"])
        rows = np.flatnonzero(word < limits[job["sittings"]])
        rows = rows[~is_empty(typed[first].take(pa.array(rows)))]
        rows = rows[differ(*(typed[column].take(pa.array(rows)) for column in (first, second)))]
        if len(rows):
            moved = [(typed[column].take(pa.array(rows)), done[column][rows]) for column in (first, second)]
            for column, (texts, codes) in zip((second, first), moved, strict=True):
                typed[column] = put(typed[column], [(rows, texts)])
                done[column][rows] = swapped_codes(job, column, rows, texts, codes)


def swapped_codes(job, column, rows, texts, codes):
    """Return the codes of cells that now hold the text of another column."""
    names = list(job["codes"])
    kinds, place = np.unique(codes, return_inverse=True)
    new = [code(job, f"{names[kind]}+swapped" if kind else "swapped") for kind in kinds.tolist()]
    return np.where(differ(texts, job["clean"][column].take(pa.array(rows))), np.array(new, dtype=np.int32)[place], 0)


def make_ledger(job, done):
    """Return the ledger as a dict of columns, column by column of the records."""
    rows = [np.flatnonzero(codes) for codes in done.values()]
    fields = np.repeat(np.arange(len(rows), dtype=np.int32), [len(places) for places in rows])
    codes = np.concatenate([done[column][places] for column, places in zip(done, rows, strict=True)])
    values = [job["clean"][column].take(pa.array(places)) for column, places in zip(done, rows, strict=True)]
    return {
        "record": np.concatenate(rows),
        "field": pa.DictionaryArray.from_arrays(pa.array(fields), pa.array(list(done), pa.string())),
        "operation": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(job["codes"]), pa.string())),
        "clean_value": pa.concat_arrays(values),
    }
