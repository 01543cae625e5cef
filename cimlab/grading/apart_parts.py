"""The parts of a test that name nothing of the hand-in's: what `apart_memo` computes once for the class."""

import ast
import collections
import functools
import hashlib

from cimlab.grading.apart_look import names_given

# A statement that names one of these is left alone: it may reach what it does not name, or say something.
BARRED = {"globals", "locals", "vars", "eval", "exec", "compile", "open", "print", "display", "input"}
BARRED |= {"get_ipython", "__import__", "setattr", "delattr"}
DEFINES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
NEVER = ast.Return | ast.Delete | ast.Global | ast.Raise | ast.Assert | ast.Break | ast.Continue | ast.Pass
SCOPES = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.FunctionDef | ast.ClassDef
MODULE = "__import__('cimlab.grading.apart_memo', fromlist=['_'])"


class Part:
    """A run of statements, or an expression, that names nothing of the hand-in's."""

    def __init__(self, nodes, wanted):
        self.nodes, self.value = nodes, isinstance(nodes, ast.expr)
        among = [nodes] if self.value else nodes
        inside = collections.Counter(name for node in among for name in mentioned(node))
        self.stores = names_given(among)
        self.kept = sorted(name for name in self.stores if wanted[name] > inside[name])
        self.loads = sorted(read(among))

    @functools.cached_property
    def code(self):
        whole = ast.Expression(self.nodes) if self.value else ast.Module(self.nodes, [])
        return compile(whole, "<part>", "eval" if self.value else "exec")


def mentioned(node):
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


def named(node):
    """Return the names that stand in a statement."""
    return set(mentioned(node))


def read(nodes, given=()):
    """Return the names that statements or an expression read before they have given them a value.

    Examples
    --------
    >>> sorted(read(ast.parse("a = b; c = [d for d in a]; e += 1").body))
    ['b', 'e']
    >>> sorted(read(ast.parse("for a in b:\\n    c = a\\n    d.append(c)").body))
    ['b', 'd']
    """
    found, given = set(), set(given)
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            found |= _loaded(node, given)
            given |= names_given([node])
        elif isinstance(node, ast.For):
            found |= _loaded(node.iter, given) | _loaded(node.target, given)
            found |= read(node.body, given | names_given([node.target])) | read(node.orelse, given)
        elif isinstance(node, ast.If | ast.While):
            found |= _loaded(node.test, given) | read(node.body, given) | read(node.orelse, given)
        else:
            found |= _loaded(node, given)
    return found


def _loaded(node, given):
    """Return the names that are read in a node; those of a comprehension or lambda are its own."""
    if isinstance(node, ast.Name):
        return {node.id} - given if isinstance(node.ctx, ast.Load) else set()
    if isinstance(node, ast.AugAssign | ast.NamedExpr):
        return ({*mentioned(node.target)} - given) | _loaded(node.value, given)
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        first = _loaded(node.generators[0].iter, given)
        own = given | names_given([one.target for one in node.generators])
        return first | {name for child in _after_first(node) for name in _loaded(child, own)}
    if isinstance(node, ast.Lambda):
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        own = given | {one.arg for one in every if one}
        return _loaded(node.args, given) | _loaded(node.body, own)
    return {name for child in ast.iter_child_nodes(node) for name in _loaded(child, given)}


def _after_first(node):
    yield from (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
    yield from node.generators[0].ifs
    for one in node.generators[1:]:
        yield from (one.iter, *one.ifs)


class Cell:
    """A test cell, cut into parts.

    Parameters
    ----------
    tree : ast.Module
    answers : set of str
        What answer cells define.
    wanted : collections.Counter
        How often the tests mention each name: what a part makes is kept if it is mentioned elsewhere.
    """

    def __init__(self, tree, answers, wanted):
        self.digest = digest_of(tree)
        self.parts, self.wanted = [], wanted
        # What a test itself gives a value before it reads it is its own, whatever the hand-in calls so.
        own = names_given(tree.body) - read(tree.body)
        self.foreign = (set(answers) - own) | BARRED
        while more := names_given(filter(self._is_foreign, self._leaves(tree.body))) - self.foreign:
            self.foreign |= more
        self.dry = self._dry(tree.body)

    def _leaves(self, body):
        """Yield the statements, those inside a loop or a condition one by one; and loops by their first lines."""
        for node in body:
            if self._may_enter(node):
                yield from self._leaves([*node.body, *node.orelse])
            else:
                yield node

    def _is_foreign(self, node):
        return bool(named(node) & self.foreign)

    def _may_enter(self, node):
        """Return whether a loop or condition runs the same for everybody."""
        if not isinstance(node, ast.For | ast.If):
            return False
        return not self._is_foreign(node.iter if isinstance(node, ast.For) else node.test)

    def _dry(self, body):
        """Return what a list of statements comes to without the hand-in: [statement or Part or loop]."""
        made, run = [], []

        def close():
            if run:
                self.parts.append(Part(list(run), self.wanted))
                made.append(self.parts[-1])
                run.clear()

        for node in body:
            if self._may_run(node):
                run.append(node)
                continue
            close()
            if self._may_enter(node):
                made.append((node, self._dry(node.body), self._dry(node.orelse)))
            elif not self._is_foreign(node) and not isinstance(node, NEVER):
                made.append(node)
            else:
                for call in self._calls(node):
                    self.parts.append(Part(call, self.wanted))
                    made.append(self.parts[-1])
        close()
        return made

    def _may_run(self, node):
        """Return whether a statement may be part of a run."""
        if self._is_foreign(node) or isinstance(node, DEFINES | NEVER):
            return False
        if any(isinstance(one, NEVER) and not isinstance(one, ast.Pass) for one in _in_this_scope(node)):
            loop = isinstance(node, ast.For | ast.While)
            return loop and not any(isinstance(one, ast.Return | ast.Delete | ast.Global) for one in ast.walk(node))
        return not any(isinstance(one, ast.Lambda) for one in _held(node))

    def _calls(self, node):
        """Yield the largest calls in a statement that name nothing of the hand-in's, nor what only a scope knows."""
        if isinstance(node, ast.Call) and not self._is_foreign(node):
            if not any(isinstance(one, ast.Lambda | ast.NamedExpr | ast.Await) for one in ast.walk(node)):
                yield node
            return
        if isinstance(node, SCOPES | ast.stmt) and not isinstance(node, ast.Expr | ast.Assign):
            return
        for child in ast.iter_child_nodes(node):
            yield from self._calls(child)

    def live(self, tree, known):
        """Return the cell in which each part whose number is among `known` is first asked for."""
        numbers = {id(part.nodes if part.value else part.nodes[0]): number for number, part in enumerate(self.parts)}
        return ast.fix_missing_locations(_Asks(self, numbers, known).visit(tree))


def digest_of(tree):
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _in_this_scope(node):
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, SCOPES):
            yield from _in_this_scope(child)


def _held(node):
    """Yield the nodes of a statement that may be part of the value it makes: not the arguments of a call."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(node, ast.Call) or child is node.func:
            yield from _held(child)


class _Asks(ast.NodeTransformer):
    def __init__(self, cell, numbers, known):
        self.cell, self.numbers, self.known = cell, numbers, known

    def _ask(self, what, number):
        return ast.parse(f"{MODULE}.{what}({self.cell.digest!r}, {number})", mode="eval").body

    def visit(self, node):
        for field in ("body", "orelse"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                setattr(node, field, self._body(body))
        number = self.numbers.pop(id(node), None)
        if number in self.known and isinstance(node, ast.expr):
            kept = ast.IfExp(self._ask("is_there", number), self._ask("take", number), node)
            return ast.copy_location(kept, node)
        return self.generic_visit(node)

    def _body(self, body):
        made, at = [], 0
        while at < len(body):
            number = self.numbers.pop(id(body[at]), None)
            if number in self.known:
                run = self.cell.parts[number].nodes
                test = ast.UnaryOp(ast.Not(), self._ask("give", number))
                made.append(ast.copy_location(ast.If(test, list(run), []), body[at]))
                at += len(run)
            else:
                made.append(body[at])
                at += 1
        return made
