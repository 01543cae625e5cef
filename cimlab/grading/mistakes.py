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
"""

from cimlab.grading.course import CourseError

KEYS = {"name": str, "why": str, "cell": str, "source": str, "points": dict, "says": str}
AT_LEAST = 2  # for each graded answer; fewer say nothing about whether its checks bite


def read_mistakes(path, source):
    """Read the filed mistakes of a lab and compare them with its notebook.

    Parameters
    ----------
    path : pathlib.Path
        The file mistakes.yaml.
    source : nbformat.NotebookNode
        The lab's source notebook.

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
    answers, tests = _answers_and_tests(source)
    problems = [
        problem for number, entry in enumerate(entries, 1) for problem in _problems(number, entry, answers, tests)
    ]
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    problems += [
        f"the name {name!r} stands there twice" for name in sorted({n for n in names if names.count(n) > 1}, key=str)
    ]
    if problems:
        raise CourseError("\n".join([f"{path}:", *(f"  {problem}" for problem in problems)]))
    return entries, _gaps(entries, answers, tests)


def _answers_and_tests(source):
    """Return the ids of the code answers and {id of a test: its points}, in the order of the lab."""
    answers, tests = [], {}
    for cell in source.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution") and not settings.get("grade") and cell.cell_type == "code":
            answers.append(settings["grade_id"])
        elif settings.get("grade") and not settings.get("solution"):
            tests[settings["grade_id"]] = settings["points"]
    return answers, tests


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
        elif isinstance(points, bool) or not isinstance(points, (int, float)) or not 0 <= points <= tests[test]:
            found.append(f"{where}: {test} gives 0 to {tests[test]:g} points, not {points!r}")
    if not found and all(points == tests[test] for test, points in entry["points"].items()):
        found.append(f"{where}: loses no points, so it is no mistake")
    return found


def _gaps(entries, answers, tests):
    gaps = []
    for answer in answers:
        number = sum(entry["cell"] == answer for entry in entries)
        if number < AT_LEAST:
            gaps.append(f"mistakes.yaml: {answer} has {number} filed mistakes; {AT_LEAST} are the least")
    for test, points in tests.items():
        if not any(entry["points"].get(test, points) < points for entry in entries):
            gaps.append(f"mistakes.yaml: no filed mistake fails {test}: nobody knows whether it bites")
    return gaps
