"""What a student must not see in the feedback: hidden tests, mark schemes, and the code of a test in a traceback."""

import html
import re

# The errors whose traceback is nothing but a sentence (see checks.CheckFailed, execute and nbgrader_config.py): they
# are the student's affair. By all but the first, nothing was checked.
UNFINISHED = {"KernelDied", "NotRun", "TimeUp"}
SENTENCES = {"CheckFailed", *UNFINISHED}
# Where the chapters are, as seen from a page that `nbgrader fetch_feedback` has put to labs/LAB/feedback/TIME/.
CHAPTERS = "../../../../chapters/"
HIDDEN, SCHEME = "BEGIN HIDDEN TESTS", "BEGIN MARK SCHEME"
# A student's function may print or raise what a hidden test has called it with; this part of a sentence is left out.
CALL = re.compile(r"^`(\w+)\(.*?\)` stops with (\w+)(?:: .*?)?(?P<line> \(in your line `[^`]*`\))?\.(?=$| )", re.DOTALL)
# A function that gives back what it gets would tell it too.
RESULT = re.compile(r"^(`\w+\([^`]*\)`(?:, one of its values)?) is .*?: it is not right(, it is [^.]*)?\.", re.DOTALL)
EXAMPLE = re.compile(r"^(`\w+\([^`]*\)`.* should not have [^,]*), for example .*\.$", re.DOTALL)
# Words of Python's own messages: they tell nothing of a test.
PYTHON = """
name is not defined object has no attribute unsupported operand type s for and str int float list dict tuple set
none nonetype bool callable subscriptable index out of range key error invalid syntax unexpected expected indent
indented block after unindent does match any outer level eof while scanning string literal takes positional arguments
argument but was were given missing required got an keyword module named cannot import from division by zero local
variable referenced before assignment function method perhaps you forgot a comma the to in dataframe series column
columns axis length values must be same can only compare identically labeled objects line
"""


def sentence_of(kind, text, hidden):
    """Return the sentence of a failed check for its student: nothing of the test, nothing through its error.

    Parameters
    ----------
    kind, text : str
        Name and text of the error.
    hidden : bool
        Whether the test has a part that students never see.

    Examples
    --------
    >>> sentence_of("CheckFailed", "`clean('174-99')` stops with KeyError: '174-99' (in your line `x[phone]`).", True)
    '`clean(…)` stops with KeyError (in your line `x[phone]`).'
    >>> sentence_of("KeyError", "'secret'", True)
    'The check itself stopped (KeyError). Your instructor can see why.'
    """
    if kind in SENTENCES:
        return CALL.sub(_without_call, EXAMPLE.sub(r"\1.", RESULT.sub(r"\1 is not right\2.", text))) if hidden else text
    if kind == "AssertionError" and text and not hidden:
        return text
    if kind == "AssertionError":
        return "This check failed."
    return f"The check itself stopped ({kind}). Your instructor can see why."


def _without_call(match):
    return f"`{match[1]}(…)` stops with {match[2]}{match['line'] or ''}."


def words_of(text):
    """Return the words and numbers of a text, in small letters."""
    return set(re.findall(r"[^\W_]+", text.lower().replace("_", " ")))


def is_fixed(cell):
    """Return whether a cell is one that students may not change."""
    return bool(cell.metadata.get("nbgrader", {}).get("locked"))


def split_hidden(source):
    """Return the text of a cell without hidden tests and mark scheme, and the text of these.

    Examples
    --------
    >>> split_hidden("a\\n### BEGIN HIDDEN TESTS\\nb\\n### END HIDDEN TESTS\\nc")
    ('a\\nc', 'b')
    """
    shown, hidden, inside = [], [], False
    for line in source.split("\n"):
        if HIDDEN in line or SCHEME in line:
            inside = True
        elif "END HIDDEN TESTS" in line or "END MARK SCHEME" in line:
            inside = False
        else:
            (hidden if inside else shown).append(line)
    return "\n".join(shown), "\n".join(hidden)


def leaky_lines(notebook, released):
    """Return the lines of hidden tests and mark schemes that the student has not seen anywhere else."""
    seen = "\n".join(cell.source for cell in released)
    seen += "\n".join(cell.source for cell in notebook.cells if HIDDEN not in cell.source and SCHEME not in cell.source)
    texts = [split_hidden(cell.source)[1] for cell in notebook.cells if is_fixed(cell) or SCHEME in cell.source]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [line for line in lines if len(line) >= 20 and line not in seen]


def leaks(page, lines):
    """Return the lines that stand in a page, whatever the page has made of their signs.

    Examples
    --------
    >>> leaks("<p>right = &quot;a &lt; b&quot; or nothing</p>", ['right = "a < b" or nothing', "another line"])
    ['right = "a < b" or nothing']
    """
    plain = re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]*>", "", page)))
    return [line for line in lines if re.sub(r"\s+", "", line) in plain]
