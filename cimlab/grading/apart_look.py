"""A look at the source of answers, for what only a person can judge: does an answer take the lab's own answer?

The module of a lab holds the code that the visible checks compare with, and students may read it. An answer that calls
it earns the marks of the visible checks without being one's own work. `look` names such answers; it is a hint for a
person who looks, never a verdict, and who wants to hide from it can.
"""

import ast
import re

from cimlab.grading.course import is_test, plain

PACKAGES = ("cimlab.labs", "cimlab.grading", "cimlab.retailer", "cimlab.capstone")
INDIRECT = ("getattr", "vars", "dir", "setattr", "eval", "exec", "__import__")


def look(notebook, source):
    """Return what a person should look at in the answers of a hand-in, as sentences.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The hand-in.
    source : nbformat.NotebookNode
        The lab's notebook, from solutions/ or labs/. What its cells and its text use of the lab's module may be used;
        what only its tests use may not.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> given = {"nbgrader": {"grade_id": "setup", "locked": True, "solution": False, "grade": False}}
    >>> answer = {"nbgrader": {"grade_id": "q1", "locked": False, "solution": True, "grade": False}}
    >>> setup = new_code_cell("from cimlab.labs import lab06_value as lab\\nlab.prepare()", metadata=given)
    >>> own = new_code_cell("lab.prepare()", metadata=answer)
    >>> taken = new_code_cell("table = lab.fifths(1)", metadata=answer)
    >>> look(new_notebook(cells=[setup, own]), new_notebook(cells=[setup, own]))
    []
    >>> look(new_notebook(cells=[setup, taken]), new_notebook(cells=[setup, own]))
    ['The answer q1 uses `lab.fifths`: code of the lab, which the task does not give.']
    """
    modules, given = _modules(source), set()
    for cell in source.cells:
        if not is_test(cell):
            given |= set(re.findall(r"\b(?:" + "|".join(map(re.escape, modules)) + r")\.(\w+)", cell.source))
    told = []
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and (settings.get("solution") or not settings.get("locked")):
            name = settings.get("grade_id") or cell.get("id") or "without a name"
            which = "The answer" if settings.get("solution") else "The cell"
            told += [f"{which} {name} {what}" for what in _taken(cell.source, modules, given)]
    return list(dict.fromkeys(told))


def _modules(source):
    """Return the names by which a lab's notebook knows the module of the lab."""
    found = set()
    for cell in source.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("locked"):
            for node in ast.walk(_tree(cell.source)):
                if isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
                    found |= {one.asname or one.name for one in node.names}
    return found or {"lab"}


def _taken(source, modules, given):
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            if node.attr not in given and not node.attr.startswith("check_"):
                yield f"uses `{node.value.id}.{node.attr}`: code of the lab, which the task does not give."
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names]
            paths = [f"{node.module or ''}.{name}" for name in names] if isinstance(node, ast.ImportFrom) else names
            for path in paths:
                if path.startswith(PACKAGES) or path == "cimlab.envelope":
                    yield f"imports `{path}`: code of the lab or of the grader."
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in INDIRECT:
            if any(isinstance(one, ast.Name) and one.id in modules for one in node.args):
                yield f"looks into the lab's module with `{node.func.id}`."
        elif isinstance(node, ast.Attribute) and node.attr == "envelope":
            yield "opens the sealed envelope (`cimlab.envelope`), which holds what is to be found."
        elif isinstance(node, ast.Attribute) and node.attr == "getsource":
            yield "reads the source of code with `getsource`."
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(PACKAGES):
            yield f"names `{node.value[:60]}`: code of the lab or of the grader."


def _tree(source):
    """Return the tree of a cell; an empty one if it is no Python."""
    try:
        return ast.parse(plain(source))
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def top_names(source):
    """Return the names that a cell defines or changes, outside functions and classes.

    Examples
    --------
    >>> sorted(top_names("a, b = 1, 2\\ndef f():\\n    c = 3\\nimport os.path as p\\nt['x'] = 1"))
    ['a', 'b', 'f', 'p', 't']
    """
    return names_given(_tree(source).body)


def names_given(nodes):
    """Return the names that statements define or change, outside functions and classes.

    Parameters
    ----------
    nodes : list of ast.AST

    Examples
    --------
    >>> sorted(names_given(ast.parse("for a, b in [c for c in d]:\\n    e = 1").body))
    ['a', 'b', 'e']
    """
    found, waiting = set(), list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            found |= {one.target.id for one in ast.walk(node) if isinstance(one, ast.NamedExpr)}
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).split(".")[0] for one in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node
            while isinstance(owner, ast.Subscript | ast.Attribute):
                owner = owner.value
            if isinstance(owner, ast.Name):
                found.add(owner.id)
        waiting += ast.iter_child_nodes(node)
    return found
