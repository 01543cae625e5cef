"""The attack on a release (重新识别攻击): a table without names is not yet a table without persons.

Columns that many people know of each other, such as age, gender and city, are quasi-identifiers (准标识符): none is a
name, together they often point at one person. Every attack here is for the lesson and for checking one's own
release before it goes out; in earnest it needs the permission of whoever owns the data.
"""

import hashlib
import time

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def class_sizes(table, quasi):
    """Count for each record how many records share its values: its equivalence class (等价类).

    Parameters
    ----------
    table : pandas.DataFrame
    quasi : list of str
        The quasi-identifiers. A missing value is a value of its own.

    Returns
    -------
    pandas.Series of int
        With the index of the table.

    Raises
    ------
    ValueError
        The table has no row, no column is named, or one is not there.

    Examples
    --------
    >>> class_sizes(pd.DataFrame({"age": [30, 30, 61], "city": ["宁波", "宁波", "宁波"]}), ["age", "city"]).tolist()
    [2, 2, 1]
    """
    wanted = _records(table, quasi, "table")
    size = wanted.groupby(list(wanted.columns), dropna=False, observed=True)[wanted.columns[0]].transform("size")
    return size.astype(int).rename("class_size")


def unique_share(release, columns):
    """Say what part of the records is alone with its values in these columns.

    Parameters
    ----------
    release : pandas.DataFrame
    columns : list of str

    Returns
    -------
    float
        0 to 1.

    References
    ----------
    Sweeney, L. (2000). Simple demographics often identify people uniquely. Carnegie Mellon University, Data Privacy
    Working Paper 3: birth date, gender and 5-digit ZIP code single out most people of the United States.

    Examples
    --------
    >>> release = pd.DataFrame({"age": [30, 30, 61, 62], "city": ["宁波", "宁波", "宁波", "上海"]})
    >>> unique_share(release, ["city"]), unique_share(release, ["city", "age"])
    (0.25, 0.5)
    """
    return float((class_sizes(release, columns) == 1).mean())


def prosecutor_risk(release, quasi):
    """Return each record's risk if the attacker knows that his person is in the release: 1 / size of its class.

    The mean of the column is what an attacker gets right on average who tries every record (the marketer's risk).

    Parameters
    ----------
    release : pandas.DataFrame
    quasi : list of str

    Returns
    -------
    pandas.Series of float
        Above 0 and up to 1, with the index of the release.

    References
    ----------
    El Emam, K. and Dankar, F. (2008). Protecting privacy using k-anonymity. Journal of the American Medical Informatics
    Association 15(5). The program ARX uses the same three names.

    Examples
    --------
    >>> risk = prosecutor_risk(pd.DataFrame({"age": [30, 30, 61]}), ["age"])
    >>> risk.tolist(), float(risk.max()), round(float(risk.mean()), 3)
    ([0.5, 0.5, 1.0], 1.0, 0.667)
    """
    return (1 / class_sizes(release, quasi)).rename("risk")


def journalist_risk(release, population, quasi):
    """Return each record's risk if the attacker does not know who is in the release: 1 / size of its class outside.

    Parameters
    ----------
    release : pandas.DataFrame
        A sample of the population.
    population : pandas.DataFrame
        All who could be meant, with the same columns written in the same way. Where it holds fewer of a kind than the
        release, the release counts: there are at least so many.
    quasi : list of str

    Returns
    -------
    pandas.Series of float
        Above 0 and up to 1, never above `prosecutor_risk`.

    References
    ----------
    El Emam, K. and Dankar, F. (2008), as for `prosecutor_risk`.

    Examples
    --------
    >>> journalist_risk(pd.DataFrame({"age": [30, 61]}), pd.DataFrame({"age": [30, 30, 30, 30, 61]}), ["age"]).tolist()
    [0.25, 1.0]
    """
    quasi = list(quasi)
    inside = class_sizes(release, quasi)
    outside = _records(population, quasi, "population").groupby(quasi, dropna=False, observed=True).size()
    outside = outside.rename("outside").reset_index()
    counted = release[quasi].merge(outside, on=quasi, how="left")["outside"].fillna(0).to_numpy()
    return (1 / np.maximum(inside, counted)).rename("risk")


def link_attack(release, known, on, tolerance=None, truth=None):
    """Look up each person whom an attacker knows in a release without names.

    Parameters
    ----------
    release : pandas.DataFrame
        What was given away.
    known : pandas.DataFrame
        What the attacker has, one row a person: a bought list, what a neighbour knows.
    on : list of str
        Columns that both have, written in the same way. A missing value fits nothing.
    tolerance : dict of str to number or pandas.Timedelta, optional
        How far a value of a column of numbers or times may be off; the other columns must be equal.
    truth : tuple of (str, str), optional
        Columns of `release` and of `known` with the true person, for checking only: the attack does not look at them.

    Returns
    -------
    pandas.DataFrame
        One row for each row of `known`, with its index: matches (records that fit), unique (exactly one fits),
        release_row (index of that one, else missing), and with `truth` right (unique, and the right person).

    Raises
    ------
    ValueError
        A column is missing, an index repeats, a column is text in one table and a number in the other.

    Examples
    --------
    >>> release = pd.DataFrame({"age": [30, 31, 61], "city": ["宁波", "宁波", "上海"], "spend": [120.0, 80.0, 990.0]})
    >>> known = pd.DataFrame({"name": ["刘", "孙"], "age": [60, 30], "city": ["上海", "宁波"]})
    >>> link_attack(release, known, ["age", "city"])
       matches  unique release_row
    0        0   False         NaN
    1        1    True           0
    >>> link_attack(release, known, ["age", "city"], tolerance={"age": 1})["matches"].tolist()
    [1, 2]
    """
    tolerance = tolerance or {}
    pairs = _fitting_pairs(release, known, list(on), tolerance)
    matches = pairs["known_row"].value_counts().reindex(range(len(known)), fill_value=0)
    only = pairs[pairs["known_row"].map(matches) == 1].set_index("known_row")["release_row"]
    links = pd.DataFrame({"matches": matches.to_numpy(), "unique": matches.to_numpy() == 1}, index=known.index)
    rows = only.reindex(range(len(known)))
    there = rows.notna().to_numpy()
    links["release_row"] = pd.Series(np.nan, index=known.index, dtype=object)
    links.loc[there, "release_row"] = release.index[rows[there].astype(int)].to_numpy()
    if truth:
        whose = need(release, [truth[0]], "release")[truth[0]].to_numpy(dtype=object)
        mine = need(known, [truth[1]], "known table")[truth[1]].to_numpy(dtype=object)
        hits = np.flatnonzero(there)
        right = np.zeros(len(known), dtype=bool)
        right[hits] = [whose[int(rows[hit])] == mine[hit] for hit in hits]
        links["right"] = right
    return links


def link_report(links):
    """Sum an attack up in one row.

    Parameters
    ----------
    links : pandas.DataFrame
        As `link_attack` returns it.

    Returns
    -------
    pandas.DataFrame
        known (persons tried), matched (at least one record fits), unique (exactly one), and where the truth is given
        right and right_share (of the unique ones; missing if there are none).

    Examples
    --------
    >>> link_report(pd.DataFrame({"matches": [0, 1, 1, 3], "unique": [False, True, True, False],
    ...     "right": [False, True, False, False]}))
       known  matched  unique  right  right_share
    0      4        3       2      1          0.5
    """
    matched = int((need(links, ["matches", "unique"], "links table")["matches"] > 0).sum())
    report = {"known": len(links), "matched": matched, "unique": int(links["unique"].sum())}
    if "right" in links:
        report["right"] = int(links["right"].sum())
        report["right_share"] = report["right"] / report["unique"] if report["unique"] else np.nan
    return pd.DataFrame([report])


def guess_pseudonyms(hashes, candidates, make=None, limit=1_000_000):
    """Break pseudonyms by trying: hash every possible value and compare.

    Parameters
    ----------
    hashes : pandas.Series or list of str
        Pseudonyms as hexadecimal text of one length; a shortened hash is compared by its beginning.
    candidates : iterable
        All values that could stand behind them, such as ``range(17400000000, 17400060000)``. Each is tried as text.
    make : function of str to str, optional
        How the pseudonyms were made; SHA-256 without key or salt when left out.
    limit : int
        Number of tries after which the attack gives up.

    Returns
    -------
    dict
        found (pandas.DataFrame: pseudonym, value), share (of the different pseudonyms, 0 to 1), tries, seconds.

    Raises
    ------
    ValueError
        There are no hashes, or they are of different lengths.

    Examples
    --------
    >>> secret = hashlib.sha256(b"17400000042").hexdigest()
    >>> broken = guess_pseudonyms([secret], range(17400000000, 17400001000))
    >>> broken["found"]["value"].tolist(), broken["tries"], broken["share"]
    (['17400000042'], 43, 1.0)
    """
    wanted = set(pd.Series(hashes, dtype=object).dropna().str.lower())
    lengths = {len(text) for text in wanted}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"pseudonyms of one length are needed, not of {sorted(lengths)} characters")
    (length,) = lengths
    make = make or (lambda text: hashlib.sha256(text.encode()).hexdigest())
    left, found, tries, start = set(wanted), [], 0, time.perf_counter()
    for candidate in candidates:
        if not left or tries >= limit:
            break
        tries += 1
        digest = make(str(candidate))[:length].lower()
        if digest in left:
            left.remove(digest)
            found.append((digest, str(candidate)))
    table = pd.DataFrame(found, columns=["pseudonym", "value"])
    seconds = time.perf_counter() - start
    return {"found": table, "share": len(found) / len(wanted), "tries": tries, "seconds": seconds}


def trace_attack(events, person, point, known=(1, 2, 3, 4), people=300, seed=1):
    """Say how many persons are singled out by a few of their purchases.

    The attacker saw a person at the till a few times. A point is what he remembers, such as day and shop. He looks for
    all persons in the release who have these points.

    Parameters
    ----------
    events : pandas.DataFrame
        One row a purchase, with a pseudonym and the columns of `point`; rows with a missing value are left out.
    person : str
        Column with the pseudonym.
    point : list of str
        Columns that make a point. Coarser columns (month, city) make the attack weaker.
    known : iterable of int
        Numbers of points that the attacker knows.
    people : int
        Number of persons tried for each; drawn among those who have enough points.
    seed : int

    Returns
    -------
    pandas.DataFrame
        known, people (tried), unique_share (only one person fits; missing if nobody has so many points),
        mean_candidates (persons who fit, on average).

    Raises
    ------
    ValueError
        A column is not there, or a number of points is below 1.

    References
    ----------
    de Montjoye, Y.-A., Radaelli, L., Singh, V. and Pentland, A. (2015). Unique in the shopping mall: on the
    reidentifiability of credit card metadata. Science 347(6221): four points single out 90 % of 1.1 million people.

    Examples
    --------
    >>> events = pd.DataFrame({"who": list("aabb"), "day": [1, 2, 1, 3], "shop": "ST01"})
    >>> trace_attack(events, "who", ["day", "shop"], known=[2])
       known  people  unique_share  mean_candidates
    0      2       2           1.0              1.0
    """
    if any(number < 1 for number in known):
        raise ValueError(f"an attacker who knows something knows 1 point or more, not {list(known)}")
    seen = need(events, [person, *point], "events table").dropna().drop_duplicates()
    seen = seen.sort_values([person, *point], ignore_index=True)
    place = seen.groupby(list(point), observed=True).ngroup()
    traces = {who: part.to_numpy() for who, part in place.groupby(seen[person], observed=True)}
    visitors = {spot: set(part) for spot, part in seen[person].groupby(place)}
    draw, rows = np.random.default_rng(seed), []
    for number in known:
        able = sorted(who for who, spots in traces.items() if len(spots) >= number)
        drawn = draw.choice(len(able), min(people, len(able)), replace=False) if able else []
        tried, fits = [able[at] for at in sorted(drawn)], []
        for who in tried:
            spots = draw.choice(traces[who], number, replace=False)
            fits.append(len(set.intersection(*(visitors[spot] for spot in spots))))
        alone, mean = (np.mean(np.array(fits) == 1), np.mean(fits)) if fits else (np.nan, np.nan)
        rows.append({"known": number, "people": len(tried), "unique_share": alone, "mean_candidates": mean})
    return pd.DataFrame(rows)


def homogeneity_attack(release, quasi, sensitive):
    """List the classes in which all share the sensitive value: whoever is known to be in there is known.

    k-anonymity does not prevent it: the attacker need not tell the k records apart if they all say the same.

    Parameters
    ----------
    release : pandas.DataFrame
    quasi : list of str
    sensitive : str
        What must not be learned of a person. A class of missing values tells nothing.

    Returns
    -------
    pandas.DataFrame
        One row a class: `quasi`, records, and the value that all share; the largest class first.

    Raises
    ------
    ValueError
        A column is not there, or `sensitive` is one of the quasi-identifiers.

    References
    ----------
    Machanavajjhala, A., Kifer, D., Gehrke, J. and Venkitasubramaniam, M. (2007). L-diversity: privacy beyond
    k-anonymity. ACM Transactions on Knowledge Discovery from Data 1(1).

    Examples
    --------
    >>> complaints = ["billing", "privacy", "health", "health"]
    >>> release = pd.DataFrame({"age": ["30-39"] * 2 + ["60+"] * 2, "complaint": complaints})
    >>> homogeneity_attack(release, ["age"], "complaint")
       age  records complaint
    0  60+        2    health
    """
    quasi = list(quasi)
    if sensitive in quasi:
        raise ValueError(f"{sensitive} cannot be both: known to the attacker, and what he must not learn")
    _records(release, [*quasi, sensitive], "release")
    groups = release.groupby(quasi, dropna=False, observed=True)[sensitive]
    counted = {"records": groups.size(), "values": groups.nunique(dropna=False), "shared": groups.first()}
    classes = pd.DataFrame(counted).reset_index()
    same = classes[(classes["values"] == 1) & classes["shared"].notna()].drop(columns="values")
    same = same.sort_values(["records", *quasi], ascending=[False] + [True] * len(quasi), kind="stable")
    return same.rename(columns={"shared": sensitive}).reset_index(drop=True)


def _records(table, columns, what):
    """Return these columns of a table that has at least one row and is asked for at least one column."""
    wanted = need(table, list(columns), what)
    if wanted.empty or wanted.shape[1] == 0:
        raise ValueError(f"the {what} needs at least one row and one column to be attacked; it has {wanted.shape}")
    return wanted


def _fitting_pairs(release, known, on, tolerance):
    """Return the positions (known_row, release_row) of all pairs that agree in `on`."""
    stray = sorted(set(tolerance) - set(on))
    if stray or not on:
        raise ValueError(f"name the columns to compare in `on`; a tolerance stands for {stray or 'none of them'}")
    left = need(known, on, "known table").reset_index(drop=True)
    right = need(release, on, "release").reset_index(drop=True)
    for column in on:
        if pd.api.types.is_numeric_dtype(left[column]) != pd.api.types.is_numeric_dtype(right[column]):
            raise ValueError(f"{column} is a number in one table and not in the other: write it the same way in both")
    left, right = (part.dropna() for part in (left.rename_axis("known_row"), right.rename_axis("release_row")))
    exact = [column for column in on if column not in tolerance]
    if not exact and len(left) * len(right) > 20_000_000:
        raise ValueError("that is more than 20 million pairs: name at least one column that must be equal")
    how = {"on": exact} if exact else {"how": "cross"}
    pairs = left.reset_index().merge(right.reset_index(), suffixes=("", "_there"), **how)
    for column, most in tolerance.items():
        pairs = pairs[(pairs[column] - pairs[f"{column}_there"]).abs() <= most]
    return pairs[["known_row", "release_row"]]
