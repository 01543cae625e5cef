"""Small faults put into a model answer: what a student may get wrong, one change at a time.

Python is read by `ast`, and each fault is a piece of text in the place of another, so that a reader sees what was
changed. A statement in SQL (a text that holds SELECT or CREATE) is changed by its keywords.
"""

import ast
import re
from typing import NamedTuple

COMPARED = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
COMPARED |= {"in": ("not in",), "not in": ("in",), "is": ("is not",), "is not": ("is",)}
OPERATORS = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//", "**": "*", "&": "|", "|": "&", "@": "*"}
# Another function of the same use: the sum for the mean, the first for the last, nunique for count.
NAMES = {"sum": "mean", "mean": "median", "median": "mean", "count": "nunique", "nunique": "count", "size": "nunique"}
PAIRS = "min max, first last, any all, head tail, idxmax idxmin, argmax argmin, nlargest nsmallest, ffill bfill, "
PAIRS += "isna notna, add sub, mul div, lt le, gt ge, eq ne, startswith endswith, lower upper, floor ceil, std var, "
PAIRS += "union intersection, lstrip rstrip, cumsum cummax, cummin cummax, rolling expanding, mask where"
for one, other in (pair.split() for pair in PAIRS.split(", ")):
    NAMES |= {one: other} | ({} if other in NAMES else {other: one})
NAMES |= {"cumsum": "cummax", "where": "mask", "floordiv": "div"}
BUILTINS = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len"}
# Methods that may be forgotten: what stands before them stays.
FORGOTTEN = {
    "dropna",
    "fillna",
    "ffill",
    "drop_duplicates",
    "unique",
    "sort_values",
    "sort_index",
    "query",
    "normalize",
}
FORGOTTEN |= {"round", "abs", "clip", "cumsum", "shift", "strip", "lower", "upper", "casefold", "replace"}
CALLS = {"abs", "sorted", "round", "set"}  # the same for functions: their first argument stays
WORDS = {"left": ("inner", "outer"), "inner": ("left", "outer"), "right": ("inner", "left"), "outer": ("inner", "left")}
SWAPPED = {"first": "last", "last": "first", "min": "max", "max": "min"}
KEYED = {"groupby", "merge", "drop_duplicates", "duplicated", "sort_values", "set_index", "pivot_table", "partition_by"}
KEYED |= {"on", "by", "subset", "keys", "index", "left_on", "right_on"}
MARKS = re.compile(r"(BEGIN|END) SOLUTION")
SQL = re.compile(r"\b(SELECT|CREATE)\b")
SQL_FAULTS = [
    (r"LEFT JOIN", "JOIN"),
    (r"(?<!LEFT )\bJOIN", "LEFT JOIN"),
    (r" UNIQUE\b", ""),
    (r" NOT NULL\b", ""),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bDISTINCT ", ""),
    (r"\bAND\b", "OR"),
    (r"\bOR\b", "AND"),
    (r">=", ">"),
    (r"<=", "<"),
    (r"(?<![<>!])=", "!="),
    (r"(?<![-=<])>(?!=)", ">="),
    (r"<(?![=>])", "<="),
    (r"\bsum\(", "avg("),
    (r"\bSUM\(", "AVG("),
    (r"\bavg\(", "sum("),
    (r"\bAVG\(", "SUM("),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
    (r"\b(?:count|COUNT)\(\*\)", "count(DISTINCT 1)"),
    (r"\bDESC\b", "ASC"),
    (r"\bORDER BY (\w+)(?! DESC)\b", r"ORDER BY \1 DESC"),
    (r"\bWHERE\b", "WHERE NOT"),
    (r"\bUNION ALL\b", "UNION"),
    (r"\bNOT IN\b", "IN"),
    (r"(?<!NOT )\bIN\b", "NOT IN"),
    (r" ON DELETE CASCADE\b", ""),
    (r" REFERENCES \w+ ?\(\w+\)", ""),
]


class Mutant(NamedTuple):
    """One fault: where (line of the cell, counted from 1), the line before and after, the text of the whole cell."""

    line: int
    old: str
    new: str
    source: str


def make_mutants(source, columns=None):
    """Put each small fault, alone, into the code between the solution markers of a cell.

    Parameters
    ----------
    source : str
        The answer cell of the source notebook.
    columns : dict of str to str, optional
        The kind (number, text, …) of each column that the tables of the lab have: a column is swapped with another of
        the same kind that the cell names too.

    Returns
    -------
    list of Mutant
        In the order of the text; no two have the same text, and none compiles to the same code as the answer.

    Examples
    --------
    >>> cell = "### BEGIN SOLUTION\\nlast = orders[orders.day >= 3].sum()\\n### END SOLUTION"
    >>> for mutant in make_mutants(cell):
    ...     print(mutant.new)
    last = orders.sum()
    last = (orders[orders.day >= 3].sum())[1:]
    last = orders[orders.day > 3].sum()
    last = orders[orders.day < 3].sum()
    last = orders[orders.day >= 4].sum()
    last = orders[orders.day >= 2].sum()
    last = orders[orders.day >= 3].mean()
    """
    text = _Text(source)
    edits = [edit for node in _nodes(ast.parse(source)) for edit in _faults(node, text, columns or {})]
    found, seen, right = [], {source}, compile(source, "", "exec")
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        changed = source[:start] + new + source[end:]
        if not text.is_answer(start, end) or changed in seen:
            continue
        seen.add(changed)
        try:
            if compile(changed, "", "exec") == right:
                continue
        except (SyntaxError, ValueError):
            continue
        found.append(Mutant(text.line(start), *_changed_lines(source, start, end, new), changed))
    return found


class _Text:
    """The text of a cell: places as `ast` counts them (line, UTF-8 byte) and as Python's strings do."""

    def __init__(self, source):
        self.source, self.lines = source, source.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        marks = [(match.start(), match.group(1)) for match in MARKS.finditer(source)]
        begins, ends = ([place for place, mark in marks if mark == name] for name in ("BEGIN", "END"))
        self.parts = list(zip(begins, ends, strict=True)) or [(0, len(source))]

    def place(self, line, column):
        return self.starts[line - 1] + len(self.lines[line - 1].encode("utf-8")[:column].decode("utf-8"))

    def span(self, node):
        return self.place(node.lineno, node.col_offset), self.place(node.end_lineno, node.end_col_offset)

    def of(self, node):
        start, end = self.span(node)
        return self.source[start:end]

    def line(self, place):
        return self.source.count("\n", 0, place) + 1

    def is_answer(self, start, end):
        return any(begin <= start and end <= stop for begin, stop in self.parts)


def _changed_lines(source, start, end, new):
    """Return the line that a change touches, before and after; a long statement is cut to that line."""
    begin, stop = source.rfind("\n", 0, start) + 1, source.find("\n", end)
    stop = len(source) if stop < 0 else stop
    pair = source[begin:stop], source[begin:start] + new + source[end:stop]
    return tuple(" ".join(line.split()) for line in pair)


def _nodes(tree):
    """Walk a tree without what stands in f-strings, whose places Python 3.11 does not tell."""
    waiting = [(tree, ())]
    while waiting:
        node, above = waiting.pop()
        node.above = above
        yield node
        if not isinstance(node, ast.JoinedStr):
            waiting += [(child, (node, *above)) for child in ast.iter_child_nodes(node)]


def _faults(node, text, columns):
    """Return the faults of one node as (start, end, new text)."""
    kinds = {
        ast.Compare: _of_comparison,
        ast.BinOp: _of_operator,
        ast.BoolOp: _of_and_or,
        ast.UnaryOp: _of_sign,
        ast.Call: _of_call,
        ast.Subscript: _of_filter,
        ast.Return: _of_result,
        ast.Assign: _of_result,
        ast.If: _of_condition,
        ast.IfExp: _of_condition,
        ast.comprehension: _of_loop,
        ast.List: _of_keys,
        ast.Constant: _of_constant,
    }
    make = kinds.get(type(node))
    return list(make(node, text, columns)) if make else []


def _between(left, right, text, operator, news):
    """Put other operators between two nodes."""
    start, end = text.span(left)[1], text.span(right)[0]
    match = re.search(rf"(?<![\w*/<>=!]){re.escape(operator)}(?![\w*/<>=])", text.source[start:end])
    if match:
        for new in news:
            yield start + match.start(), start + match.end(), new


SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in"}
SIGNS |= {ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
SIGNS |= {ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|"}
SIGNS |= {ast.MatMult: "@"}


def _of_comparison(node, text, _):
    for left, sign, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
        operator = SIGNS[type(sign)]
        yield from _between(left, right, text, operator, COMPARED[operator])


def _of_operator(node, text, _):
    operator = SIGNS.get(type(node.op))
    if operator:
        yield from _between(node.left, node.right, text, operator, [OPERATORS[operator]])
    if operator in ("&", "|"):  # a condition is forgotten
        for part in (node.left, node.right):
            yield *text.span(node), text.of(part)


def _of_and_or(node, text, _):
    operator = "and" if isinstance(node.op, ast.And) else "or"
    for left, right in zip(node.values, node.values[1:], strict=False):
        yield from _between(left, right, text, operator, ["or" if operator == "and" else "and"])


def _of_sign(node, text, _):
    if isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        yield *text.span(node), f"({text.of(node.operand)})"


def _of_call(node, text, _):
    function, span = node.func, text.span(node)
    if isinstance(function, ast.Attribute):
        end = text.span(function)[1]
        if function.attr in NAMES:
            yield end - len(function.attr), end, NAMES[function.attr]
        if function.attr in FORGOTTEN:
            yield *span, text.of(function.value)
    elif isinstance(function, ast.Name):
        if function.id in BUILTINS:
            yield *text.span(function), BUILTINS[function.id]
        if function.id in CALLS and node.args:
            yield *span, f"({text.of(node.args[0])})"
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "how" and value in WORDS:
            for new in WORDS[value]:
                yield *text.span(keyword.value), f'"{new}"'
    joins = isinstance(function, ast.Attribute) and function.attr in ("merge", "join") and node.args
    if joins and not any(keyword.arg == "how" for keyword in node.keywords):
        yield span[1] - 1, span[1] - 1, f', how="{"left" if function.attr == "merge" else "inner"}"'


def _of_filter(node, text, _):
    """A filter of rows is forgotten."""
    asks = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Call)
    where, label = node.slice, isinstance(node.value, ast.Attribute) and node.value.attr == "loc"
    if label and isinstance(where, ast.Tuple) and isinstance(where.elts[0], asks):
        yield *text.span(where.elts[0]), ":"
    elif isinstance(where, ast.Compare) or (isinstance(where, asks) and _is_mask(where)):
        yield *text.span(node), text.of(node.value.value if label else node.value)


def _is_mask(node):
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.BitAnd, ast.BitOr))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Invert)
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("isin", "notna", "isna", "between", "eq")


def _of_result(node, text, _):
    """The first row (or entry) of the result is missing: of what is returned, or of what the cell's last line makes."""
    last = isinstance(node, ast.Return) or (len(node.above) == 1 and node is node.above[0].body[-1])
    if last and node.value is not None and not isinstance(node.value, (ast.Constant, ast.Dict, ast.Compare)):
        yield *text.span(node.value), f"({text.of(node.value)})[1:]"


def _of_condition(node, text, _):
    """A case is not thought of."""
    yield *text.span(node.test), "False"
    if node.orelse:
        yield *text.span(node.test), "True"


def _of_loop(node, text, _):
    for test in node.ifs:
        yield *text.span(test), "True"


def _of_keys(node, text, columns):
    """One of several keys of a grouping, a join or an order is forgotten."""
    above = node.above[0]
    name = above.arg if isinstance(above, ast.keyword) else getattr(getattr(above, "func", None), "attr", "")
    named = all(isinstance(item, ast.Constant) for item in node.elts)
    if len(node.elts) > 1 and name in KEYED and named:
        for gone in range(len(node.elts)):
            yield *text.span(node), "[" + ", ".join(text.of(e) for n, e in enumerate(node.elts) if n != gone) + "]"


def _of_constant(node, text, columns):
    value, span, above = node.value, text.span(node), node.above[0]
    if isinstance(above, ast.Expr):
        return  # a docstring
    if isinstance(value, bool):
        yield *span, str(not value)
    elif isinstance(value, int):
        for new in (value + 1, value - 1) if abs(value) <= 400 else (round(value * 1.1),):
            yield *span, str(new)
    elif isinstance(value, float):
        new = value * 1.1 if value != int(value) else value + 1
        yield *span, repr(round(new, 12))
    elif isinstance(value, str) and SQL.search(value):
        yield from _of_sql(node, text)
    elif isinstance(value, str):
        yield from _of_word(node, text, columns)


def _of_word(node, text, columns):
    value, span = node.value, text.span(node)
    keyword = node.above[0].arg if isinstance(node.above[0], ast.keyword) else ""
    called = [getattr(a.func, "attr", "") for a in node.above[:3] if isinstance(a, ast.Call)]
    if keyword == "keep" and value in SWAPPED:
        yield *span, f'"{SWAPPED[value]}"'
        yield *span, "False"
    elif keyword == "side":
        yield *span, f'"{"left" if value == "right" else "right"}"'
    elif keyword not in ("how", "dtype") and value in NAMES and {"agg", "transform", "pivot_table"} & set(called):
        yield *span, f'"{NAMES[value]}"'
    elif value in columns and not isinstance(node.above[0], ast.Dict):
        named = [other for other in _words(node.above[-1]) if columns.get(other) == columns[value] and other != value]
        if named:
            after = [other for other in named if other > value]  # the next one by the alphabet, then round again
            yield *span, f'"{(after or named)[0]}"'


def _words(tree):
    return sorted({node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is str})


def _of_sql(node, text):
    start, end = text.span(node)
    written = re.sub(r"--[^\n]*", lambda match: " " * len(match.group()), text.source[start:end])
    for pattern, new in SQL_FAULTS:
        for match in re.finditer(pattern, written):
            yield start + match.start(), start + match.end(), match.expand(new)
    for match in re.finditer(r"(?<![\w'.:-])\d+(?![\w'.-])", written):
        for step in (1, -1):
            yield start + match.start(), start + match.end(), str(int(match.group()) + step)
