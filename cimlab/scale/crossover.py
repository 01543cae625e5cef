"""From how many customers on is an engine worth its start? The same question, timed at growing sizes (规模临界点)."""

import time

import pandas as pd

from cimlab.plots.style import need_columns
from cimlab.scale.engines import close_engine, open_engine

TIMES = ["size", "engine", "round", "start", "question"]


def time_question(engine, tables, question, **options):
    """Open an engine, ask one question, and close it.

    The clock is that of the wall. Within one process only the first start of Spark is a full one.

    Parameters
    ----------
    engine : str
        "pandas", or an engine of `open_engine`.
    tables : dict of str to pandas.DataFrame or path
        As for `open_engine`. "pandas" opens nothing: its question gets this dict, and reads the files itself.
    question : callable
        Gets the connection (or the dict), and returns the answer as a DataFrame.
    **options
        Passed on to `open_engine`, such as memory="500MB".

    Returns
    -------
    dict
        start and question (s), answer (DataFrame).

    Examples
    --------
    >>> from cimlab.scale import answer, take_table
    >>> tables = {"orders": pd.DataFrame({"amount": [10.0, 25.0]})}
    >>> found = time_question("duckdb", tables, lambda engine: answer(take_table(engine, "orders")))
    >>> len(found["answer"]), found["start"] > 0
    (2, True)
    """
    clock = time.perf_counter
    before = clock()
    opened = tables if engine == "pandas" else open_engine(engine, tables, **options)
    ready = clock()
    try:
        result = question(opened)
        done = clock()
    finally:
        if engine != "pandas":
            close_engine(opened)
    return {"start": ready - before, "question": done - ready, "answer": result}


def time_engines(sizes, questions, rounds=3, ask=time_question):
    """Time the same question on each engine at each size; all must give the same answer.

    In each round every engine has its turn, so that other work on the machine meets all of them alike.

    Parameters
    ----------
    sizes : dict of int to dict
        Number of customers → tables, as for `time_question`.
    questions : dict of str to callable
        Engine → its question.
    rounds : int
        Rounds at each size.
    ask : callable
        Takes engine, tables and question, and returns what `time_question` does; the benchmark gives one that starts
        a process for each.

    Returns
    -------
    pandas.DataFrame
        size, engine, round, start and question (s): one row per size, round and engine.

    Raises
    ------
    ValueError
        Two engines give different answers, or there is nothing to time.

    Examples
    --------
    >>> from cimlab.scale import answer, take_table
    >>> tables = {"orders": pd.DataFrame({"amount": [10.0, 25.0]})}
    >>> questions = {"pandas": lambda tables: tables["orders"],
    ...              "duckdb": lambda engine: answer(take_table(engine, "orders"))}
    >>> times = time_engines({2: tables}, questions, rounds=2)
    >>> times[["size", "engine", "round"]].to_numpy().tolist()
    [[2, 'pandas', 0], [2, 'duckdb', 0], [2, 'pandas', 1], [2, 'duckdb', 1]]
    """
    if not sizes or not questions or rounds < 1:
        raise ValueError("there is nothing to time: give a size, a question, and at least one round")
    rows = []
    for size, tables in sizes.items():
        right = None
        for number in range(rounds):
            for engine, question in questions.items():
                found = ask(engine, tables, question)
                right = right or (engine, found["answer"])
                same_answer(right, (engine, found["answer"]), size)
                rows.append([size, engine, number, found["start"], found["question"]])
    return pd.DataFrame(rows, columns=TIMES)


def same_answer(one, other, size):
    """Say where two engines, each a pair of name and answer, differ.

    Numbers may do so in their tenth digit: who adds up millions in another order gets another last digit.

    Examples
    --------
    >>> same_answer(("pandas", pd.DataFrame({"n": [1]})), ("spark", pd.DataFrame({"n": [2]})), size=3000)
    Traceback (most recent call last):
    ...
    ValueError: pandas and spark differ at size 3,000: DataFrame.iloc[:, 0] (column name="n") are different
    """
    try:
        pd.testing.assert_frame_equal(one[1], other[1], rtol=1e-9, check_dtype=False, check_index_type=False)
    except AssertionError as error:
        raise ValueError(
            f"{one[0]} and {other[0]} differ at size {size:,}: {str(error).strip().splitlines()[0]}"
        ) from None


def median_times(times):
    """Take the median over the rounds, and add start and question up.

    Parameters
    ----------
    times : pandas.DataFrame
        As returned by `time_engines`.

    Returns
    -------
    pandas.DataFrame
        size, engine, start, question, total (s: the median of start + question of each round, which need not be the
        sum of the two medians); engines in the order in which they first stand.

    Examples
    --------
    >>> times = pd.DataFrame({"size": [10, 10, 10], "engine": "duckdb", "round": [0, 1, 2],
    ...                       "start": [0.1, 0.2, 9.0], "question": [1.0, 1.0, 4.0]})
    >>> median_times(times)
       size  engine  start  question  total
    0    10  duckdb    0.2       1.0    1.2
    """
    need_columns(times, TIMES, "median_times")
    parts = times.assign(total=times["start"] + times["question"])
    return parts.groupby(["size", "engine"], sort=False)[["start", "question", "total"]].median().reset_index()


def find_fastest(times, part="total"):
    """Name the fastest engine at each size, and how many times as long the next one takes.

    Parameters
    ----------
    times : pandas.DataFrame
        As returned by `median_times`.
    part : str
        "question", or "total" with the start of the engine.

    Returns
    -------
    pandas.DataFrame
        size, engine, seconds, next, times_as_long (next / fastest).

    Raises
    ------
    ValueError
        A column is not there, or there is only one engine.

    Examples
    --------
    >>> times = pd.DataFrame({"size": [10, 10, 99, 99], "engine": ["pandas", "duckdb"] * 2,
    ...                       "start": [0.0, 0.4, 0.0, 0.4], "question": [0.1, 0.1, 8.0, 0.6]})
    >>> find_fastest(times.assign(total=times["start"] + times["question"]))
       size  engine  seconds    next  times_as_long
    0    10  pandas      0.1  duckdb            5.0
    1    99  duckdb      1.0  pandas            8.0
    """
    need_columns(times, ["size", "engine", part], "find_fastest")
    rows = []
    for size, group in times.groupby("size"):
        if len(group) < 2:
            raise ValueError(f"at size {size:,} there is one engine only: nothing to compare it with")
        first, second = group.sort_values(part, kind="stable").head(2).to_dict("records")
        rows.append([size, first["engine"], first[part], second["engine"], second[part] / first[part]])
    return pd.DataFrame(rows, columns=["size", "engine", "seconds", "next", "times_as_long"])


def draw_crossover(times, ax=None):
    """Draw how long each engine takes at each size: full lines the question, dashed ones with the engine's start.

    Parameters
    ----------
    times : pandas.DataFrame
        As returned by `median_times`.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> times = pd.DataFrame({"size": [10, 99], "engine": "duckdb", "question": [0.1, 0.6], "total": [0.5, 1.0]})
    >>> draw_crossover(times).get_xlabel()
    'customers'
    """
    from cimlab.plots.style import MARKERS, PALETTE, axes_for, set_title

    need_columns(times, ["size", "engine", "question", "total"], "draw_crossover")
    ax = axes_for(ax)
    for number, (engine, group) in enumerate(times.groupby("engine", sort=False)):
        group = group.sort_values("size")
        style = {"color": PALETTE[number], "marker": MARKERS[number]}
        ax.plot(group["size"], group["question"], linestyle="-", label=engine, **style)
        ax.plot(group["size"], group["total"], linestyle="--", label=f"{engine}, with its start", **style)
    ax.set(xscale="log", yscale="log", xlabel="customers", ylabel="seconds")
    sizes = sorted(times["size"].unique())
    ax.set_xticks(sizes, labels=[f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    set_title(ax, "The same question on each engine")
    return ax
