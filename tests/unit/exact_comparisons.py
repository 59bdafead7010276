"""Find the exact comparisons of floats in a file of tests, and the comments that give their reasons.

The names of variables, attributes and functions show what is a float; no type checker runs.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

EQUALITY = {"equal", "array_equal", "array_equiv", "assert_equal", "assert_array_equal", "eq"}
"""Functions of torch and NumPy that compare bit by bit."""
TOLERANT = {"allclose", "isclose", "assert_close", "assert_allclose", "approx"}
TOLERANCES = {"rtol", "atol", "rel", "abs", "rel_tol", "abs_tol"}
AS_NUMBERS = {"tolist", "tobytes", "numpy", "item"}
FLOAT = re.compile(
    r"(^|_)(accuracy|difference|features?|logits?|loss(es)?|prob(ability|abilities)?|rates?|recall|score[ds]?|temperature|"
    r"weights?)($|_)"
)
"""Names of computed floats in this repository."""
PLAIN = {"len", "shape", "size", "ndim", "dtype", "stride", "in_features", "out_features", "str", "type", "sha256"}
"""A call or an attribute by one of these names is not a float, whatever it belongs to."""

MARKER = re.compile(r"# exact: \S+( \S+){2,}")
"""Three words at least."""


def called(node: ast.AST) -> str:
    """Name of the function or method that a call calls; empty for any other node."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def parts(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of an expression, without those that only give a shape or a length."""
    if called(node) in PLAIN or (isinstance(node, ast.Attribute) and node.attr in PLAIN):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from parts(child)


def names(node: ast.AST) -> set[str]:
    """Variables and attributes in an expression."""
    found = (getattr(part, "id", getattr(part, "attr", None)) for part in parts(node))
    return {name for name in found if name}


def methods(node: ast.AST) -> set[str]:
    """Functions and methods that an expression calls."""
    return {name for name in map(called, parts(node)) if name}


def literals(node: ast.AST) -> Iterator[object]:
    """Constants of an operand, or of the list, tuple or mapping that it is. Arguments of calls are excluded."""
    if isinstance(node, ast.Constant):
        yield node.value
    elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.BinOp | ast.UnaryOp | ast.IfExp):
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def is_float(node: ast.AST, known: set[str]) -> bool:
    """Whether an operand looks like floats. known: variables to which floats were assigned."""
    return (
        any(isinstance(value, float) for value in literals(node))
        or bool(methods(node) & AS_NUMBERS or names(node) & known)
        or any(FLOAT.search(name) for name in names(node))
    )


def floats_in(function: ast.AST) -> set[str]:
    """Variables of a function to which results of `tolist`, `numpy` and similar calls are assigned."""
    return {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and methods(node.value) & AS_NUMBERS
        for place in node.targets
        for target in (place.elts if isinstance(place, ast.Tuple) else [place])
        if isinstance(target, ast.Name)
    }


def is_exact(node: ast.AST, known: set[str]) -> bool:
    """Whether this node compares floats without a tolerance, or passes on a function that does."""
    if isinstance(node, ast.Attribute):
        return node.attr in EQUALITY
    if isinstance(node, ast.Name):
        return node.id in EQUALITY
    if isinstance(node, ast.alias):
        return node.name in EQUALITY
    if isinstance(node, ast.Call) and called(node) in TOLERANT:
        zero = {word.arg for word in node.keywords if isinstance(word.value, ast.Constant) and not word.value.value}
        return bool(zero & TOLERANCES)
    if called(node) in ("all", "any"):  # (one == other).all(), torch.all(one == other)
        return isinstance(getattr(node, "func", None), ast.Attribute) and has_comparison(node)
    if isinstance(node, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
        sides = [node.left, *node.comparators]
        if any(one_of_floats(side) for side in sides) and 1 in [value for side in sides for value in literals(side)]:
            return True
        return not any(methods(side) & TOLERANT for side in sides) and any(is_float(side, known) for side in sides)
    return False


def one_of_floats(node: ast.AST) -> bool:
    """`len(losses)`: if it is 1, all elements of a set were equal."""
    arguments = node.args if isinstance(node, ast.Call) and called(node) == "len" else []
    return any(FLOAT.search(name) for argument in arguments for name in names(argument))


def has_comparison(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in part.ops)
        for part in ast.walk(node)
    )


def exact(source: str) -> Iterator[tuple[int, bool]]:
    """Line of each statement with an exact comparison of floats, and whether it has a reason, in the line or above
    it."""
    tree, comments = ast.parse(source), comments_of(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found: dict[int, bool] = {}
    for scope in [tree, *functions]:
        known = floats_in(scope)
        for statement in ast.walk(scope):
            if isinstance(statement, ast.stmt):
                own = list(own_nodes(statement))
                if any(is_exact(node, known) for node in own):
                    last = max(getattr(node, "end_lineno", 0) for node in [*own, ast.Pass(end_lineno=statement.lineno)])
                    text = comments_near(comments, statement.lineno, last)
                    found[statement.lineno] = bool(MARKER.search(text))
    yield from sorted(found.items())


def comments_of(source: str) -> dict[int, tuple[str, bool]]:
    """The comment of each line that has one, and whether the line has nothing else."""
    return {
        token.start[0]: (token.string, token.line.strip().startswith("#"))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }


def comments_near(comments: dict[int, tuple[str, bool]], first: int, last: int) -> str:
    """The comments of a statement's lines, and those directly above it."""
    above = first
    while comments.get(above - 1, ("", False))[1]:
        above -= 1
    return "\n".join(comments[line][0] for line in range(above, last + 1) if line in comments)


def own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without those of the statements inside it."""
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
