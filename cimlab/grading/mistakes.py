"""The filed mistakes of a lab: wrong answers that students really give, with the points that each must get.

They stand in ``solutions/<lab>/mistakes.yaml``, a list of entries like this one::

    - name: keeps the hyphen                       # short and unique
      why: only the example in sight was solved    # what the student thought
      cell: q1_clean                               # grade id of the answer cell
      source: |                                    # the whole wrong answer
        def clean(phone):
            return phone.replace(" ", "")
      points: {test_q1_hidden: 0}                  # tests that give other than full points
      says: think of other signs                   # part of the sentence that a failing check must show

Where a lab has several notebooks, the id of the cell says in which the answer stands. A test that gives partial credit
(its last line is a number of points) may be filed with a part of its points, or with a range, both ends allowed:
``points: {test_a3_matching: [4, 9]}``. What such a test prints is searched for `says` as well.
"""

from cimlab.grading.course import CourseError, all_cells, answer_of_tests, lab_points

KEYS = {"name": str, "why": str, "cell": str, "source": str, "points": dict, "says": str}
AT_LEAST = 2  # for each graded answer; fewer say nothing about whether its checks bite


def read_mistakes(path, source):
    """Read the filed mistakes of a lab and compare them with its notebook.

    Parameters
    ----------
    path : pathlib.Path
        The file mistakes.yaml.
    source : nbformat.NotebookNode or dict of str to nbformat.NotebookNode
        The lab's source notebook, or all of them (as `course.read_notebooks` returns them).

    Returns
    -------
    list of dict
        The entries.
    list of str
        What is missing: answers with too few mistakes, tests that no mistake fails.

    Raises
    ------
    CourseError
        If the file is not there, is no such list, or speaks of cells or points that the lab does not have.
    """
    import yaml

    if not path.is_file():
        raise CourseError(f"{path} is missing: file at least {AT_LEAST} wrong answers for each graded question there.")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is no YAML: {error}") from None
    if not isinstance(entries, list):
        raise CourseError(f"{path} has to be a list of mistakes, each beginning with `- name:`.")
    answers, (tests, _) = _answers(source), lab_points(source)
    problems = [
        problem for number, entry in enumerate(entries, 1) for problem in _problems(number, entry, answers, tests)
    ]
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    problems += [
        f"the name {name!r} stands there twice" for name in sorted({n for n in names if names.count(n) > 1}, key=str)
    ]
    if problems:
        raise CourseError("\n".join([f"{path}:", *(f"  {problem}" for problem in problems)]))
    marked = set(answer_of_tests(source).values())
    return entries, _gaps(entries, [answer for answer in answers if answer in marked], tests)


def bounds(points):
    """Return the least and the most of the points that are filed for a test.

    Examples
    --------
    >>> bounds(3), bounds([4, 9])
    ((3, 3), (4, 9))
    """
    return tuple(points) if isinstance(points, list) else (points, points)


def as_text(points):
    """Return points as they are filed as text: `3`, or `4-9` for a range."""
    low, high = bounds(points)
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def _answers(source):
    """Return the ids of the code answers in the order of the lab."""
    found = []
    for cell in all_cells(source):
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution") and not settings.get("grade") and cell.cell_type == "code":
            found.append(settings["grade_id"])
    return found


def _problems(number, entry, answers, tests):
    """Say what is wrong with one entry."""
    if not isinstance(entry, dict):
        return [f"entry {number} is no mapping of name, why, cell, source, points, says"]
    where = f"entry {number} ({entry.get('name', 'without a name')})"
    found = [f"{where}: `{key}` is missing" for key in KEYS if not entry.get(key)]
    found += [f"{where}: unknown key `{key}`" for key in entry if key not in KEYS]
    found += [
        f"{where}: `{key}` has to be {'a mapping' if kind is dict else 'a text'}"
        for key, kind in KEYS.items()
        if entry.get(key) and not isinstance(entry[key], kind)
    ]
    if found:
        return found
    if entry["cell"] not in answers:
        found.append(f"{where}: there is no answer cell {entry['cell']!r}; there are {', '.join(answers)}")
    for test, points in entry["points"].items():
        if test not in tests:
            found.append(f"{where}: there is no test {test!r}; there are {', '.join(tests)}")
        elif not _are_points(points, tests[test]):
            found.append(f"{where}: {test} gives 0 to {tests[test]:g} points, not {points!r}")
    if not found and all(bounds(points)[1] == tests[test] for test, points in entry["points"].items()):
        found.append(f"{where}: loses no points, so it is no mistake")
    return found


def _are_points(points, most):
    """Tell whether this is a number of points, or a range [low, high] of them."""
    if isinstance(points, list) and (len(points) != 2 or points[0] == points[1]):
        return False
    numbers = points if isinstance(points, list) else [points]
    if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in numbers):
        return False
    return all(0 <= number <= most for number in numbers) and numbers == sorted(numbers)


def _gaps(entries, answers, tests):
    gaps = []
    for answer in answers:
        number = sum(entry["cell"] == answer for entry in entries)
        if number < AT_LEAST:
            gaps.append(f"mistakes.yaml: {answer} has {number} filed mistakes; {AT_LEAST} are the least")
    for test, points in tests.items():
        if not any(bounds(entry["points"].get(test, points))[1] < points for entry in entries):
            gaps.append(f"mistakes.yaml: no filed mistake fails {test}: nobody knows whether it bites")
    return gaps
