"""Answers that stand in the wrong cell: merged with a test, typed beside the answer cell, moved below their tests."""

import ast

import nbformat

from cimlab.grading.repair_files import LONG


def split_merged(notebook, lab, notes):
    """Part cells in which an answer and a fixed cell were merged, before the fixed text is written over the answer.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The hand-in; changed in place.
    lab : list of dict
        As `repair.lab_cells` returns it.
    notes : dict of str to list of str
        What was done → names of cells; added to.
    """
    whole = {cell.source.strip() for cell in notebook.cells}
    fixed = {
        source["name"]: source["visible"].strip()
        for source in lab
        if source["locked"] and len(source["visible"].strip()) >= LONG
    }
    # Where the fixed cell itself is still there, its text in another cell is no merged cell but a copy.
    lost = {name: text for name, text in fixed.items() if text not in whole}
    if not lost:
        return
    cells = []
    for cell in notebook.cells:
        parts = _parts(cell.source, lost)
        cells += _split(cell, parts, notebook, lab, notes) if len(parts) > 1 else [cell]
    notebook.cells = cells


def _parts(text, lost):
    """Return [(name of a fixed cell or None, text)] of a cell, blank parts left out."""
    parts = [(None, text)]
    for name, own in lost.items():
        for place, (taken, part) in enumerate(parts):
            at = -1 if taken else f"\n{part}\n".find(f"\n{own}\n")
            if at >= 0:
                parts[place : place + 1] = [(None, part[:at]), (name, own), (None, part[at + len(own) :])]
                break
    return [(name, part.strip("\n")) for name, part in parts if part.strip()]


def _split(cell, parts, notebook, lab, notes):
    names = [source["name"] for source in lab]
    free_names = {source["name"] for source in lab if source["solution"]}
    here = {label_of(other, names) for other in notebook.cells}
    own = label_of(cell, names)
    made = []
    for number, (name, text) in enumerate(parts):
        piece = nbformat.from_dict({**cell, "source": text, "metadata": {}, "id": f"{cell.id[:50]}-part-{number}"})
        if name:
            piece.id = name
            notes["was merged with another cell; parted again"].append(name)
        elif own in free_names:
            piece.id, piece.metadata, own = cell.id, cell.metadata, None
        else:  # the answer to the test behind it, if that answer is in no other cell
            behind = next((later for later, _ in parts[number:] if later), None)
            before = names[: names.index(behind)] if behind else []
            answer = next((one for one in reversed(before) if one in free_names), None)
            if answer and answer not in here:
                piece.id = answer
                here.add(answer)
        made.append(piece)
    return made


def label_of(cell, names):
    """Return the name of the lab's cell that a cell says it is: by its metadata, else by its id; None if neither."""
    settings = cell.metadata.get("nbgrader")
    name = settings.get("grade_id") if isinstance(settings, dict) else None
    return name if name in names else cell.id if cell.id in names else None


def take_in_answers(notebook, lab, released, notes):
    """Bring answers that were typed into cells of their own to where they are marked.

    A written answer: the text of cells beside an untouched answer cell goes into it; untouched, it would get 0 without
    being read. Code: where the scaffold is untouched and a cell above it makes what it asks for, the code replaces the
    scaffold, which would otherwise undo it.

    Parameters
    ----------
    notebook, lab, notes
        As in `split_merged`; the cells have their metadata.
    released : list of nbformat.NotebookNode
        The cells of the student version: all others are the student's own.
    """
    if not released:
        return
    sources = {source["name"]: source for source in lab if source["solution"]}
    for cell in list(notebook.cells):
        name = _name(cell)
        if name not in sources or cell.source.strip() != sources[name]["source"].strip():
            continue
        place = notebook.cells.index(cell)
        if cell.cell_type == "markdown":
            above = _own_beside(notebook.cells[:place][::-1], released)[::-1]
            own = above + _own_beside(notebook.cells[place + 1 :], released)
            if own:
                cell.source = "\n\n".join(other.source.strip() for other in own)
                notebook.cells = [other for other in notebook.cells if not any(other is one for one in own)]
                notes["the answer stood in a cell beside it; it was taken in"].append(name)
        else:
            wanted = names_made(cell.source)
            above = [other for other in notebook.cells[:place] if _makes(other, wanted, released)]
            if above and not any(_makes(other, wanted, released) for other in notebook.cells[place:]):
                cell.source = above[-1].source
                notes["the answer stood in a cell above the scaffold; it was taken in"].append(name)


def _own_beside(cells, released):
    """Return the student's own text cells at the beginning of a list of cells."""
    own = []
    for cell in cells:
        if not _is_own(cell, released):
            break
        if cell.cell_type != "code" and cell.source.strip():
            own.append(cell)
    return own


def put_tests_below(notebook, lab, released, notes):
    """Put tests that stand above the answer they mark below it; they would find nothing.

    The answer is the answer cell, or, where its scaffold is untouched, a cell of the student's own that makes what the
    scaffold asks for.

    Parameters
    ----------
    notebook, lab, released, notes
        As in `take_in_answers`.
    """
    answer, tests = None, {}
    for source in lab:
        if source["solution"] and source["cell_type"] == "code":
            answer = source
            tests[source["name"]] = []
        elif answer and source["grade"] and not source["solution"]:
            tests[answer["name"]].append(source["name"])
    sources = {source["name"]: source for source in lab}
    for name, marked_by in tests.items():
        cells = notebook.cells
        at = next((place for place, cell in enumerate(cells) if _name(cell) == name), None)
        if at is None:
            continue
        if released and cells[at].source.strip() == sources[name]["source"].strip():
            wanted = names_made(cells[at].source)
            at = max([at, *(place for place, cell in enumerate(cells) if _makes(cell, wanted, released))])
        early = [cell for cell in cells[:at] if _name(cell) in marked_by]
        if early:
            last = cells[at]
            rest = [cell for cell in cells if not any(cell is test for test in early)]
            place = next(place for place, cell in enumerate(rest) if cell is last) + 1
            notebook.cells = rest[:place] + early + rest[place:]
            notes["stood above the answer that it marks; it was put below"] += [_name(cell) for cell in early]


def names_made(source):
    """Return the names that a cell makes at its top level: functions, classes, variables.

    Examples
    --------
    >>> sorted(names_made("def clean(phone):\\n    return phone\\n\\n\\nshare = 0.5\\nclean('1')"))
    ['clean', 'share']
    >>> names_made("def (")
    set()
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    made = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                made |= {part.id} if isinstance(part, ast.Name) else set()
    return made


def _makes(cell, wanted, released):
    return cell.cell_type == "code" and _is_own(cell, released) and bool(wanted & names_made(cell.source))


def _is_own(cell, released):
    """Return whether a cell is the student's own: neither marked, nor of the student version by id or by text."""
    if "nbgrader" in cell.metadata:
        return False
    return not any(cell.id == other.id or cell.source.strip() == other.source.strip() for other in released)


def _name(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")
