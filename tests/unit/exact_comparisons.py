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
AS_NUMBERS = {"tolist", "tobytes", "numpy", "item", "float"}
DIGESTS = {"fingerprint"}
"""Functions of this repository that compute a digest of weights."""
RESULTS = {"predict"} | DIGESTS
"""Functions that return computed floats, or a digest of them."""
REDUCTIONS = {"max", "mean", "min", "norm", "prod", "std", "sum", "var"}
DISTANCES = {"abs", "absolute", "count_nonzero", "norm"}
"""Functions whose result is 0 only if nothing differs."""
MODEL_FILES = re.compile(r"artifact|checkpoint|model|onnx|safetensors|weights")
FLOAT = re.compile(
    r"(^|_)(accuracy|difference|features?|history|logits?|loss(es)?|metrics|prob(ability|abilities)?|rates?|recall|score[ds]?|temperature|"
    r"weights?)($|_)"
)
"""Names of computed floats in this repository."""
PLAIN = {"len", "shape", "size", "ndim", "dtype", "stride", "in_features", "out_features", "str", "type"}
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
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == "epoch":
        return  # the number of an epoch is the one whole number among the metrics
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


def floats_in(tree: ast.AST) -> set[str]:
    """Variables of a file to which results of `tolist`, `numpy`, `fingerprint` and similar calls are assigned or
    appended."""
    computed = AS_NUMBERS | DIGESTS
    assigned = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and methods(node.value) & computed
        for place in node.targets
        for target in (place.elts if isinstance(place, ast.Tuple) else [place])
        if isinstance(target, ast.Name)
    }
    appended = {
        node.func.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append"
        if isinstance(node.func.value, ast.Name) and any(methods(argument) & computed for argument in node.args)
    }
    return assigned | appended


def is_exact(node: ast.AST, known: set[str]) -> bool:
    """Whether this node compares floats without a tolerance, or passes on a function that does."""
    if isinstance(node, ast.Attribute):
        return node.attr in EQUALITY
    if isinstance(node, ast.Name):
        return node.id in EQUALITY
    if isinstance(node, ast.alias):
        return node.name in EQUALITY
    if isinstance(node, ast.Call) and called(node) in TOLERANT:
        first = 1 if called(node) == "approx" else 2  # the tolerances follow the value, or the two values
        given = [*node.args[first:], *(word.value for word in node.keywords if word.arg in TOLERANCES)]
        return any(isinstance(value, ast.Constant) and not value.value for value in given)
    if called(node) in ("all", "any"):
        if isinstance(getattr(node, "func", None), ast.Attribute):  # (one == other).all(), torch.all(one == other)
            return has_comparison(node)
        return compares_elements(node, known)
    if isinstance(node, ast.Compare) and is_nothing(node):
        return True
    if isinstance(node, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
        sides = [node.left, *node.comparators]
        if any(one_of_floats(side) for side in sides) and 1 in [value for side in sides for value in literals(side)]:
            return True
        if any(called(side) in RESULTS for side in sides) or sum(is_content(side) for side in sides) > 1:
            return True
        if sum(called(side) in REDUCTIONS and isinstance(side.func, ast.Attribute) for side in sides) > 1:  # type: ignore[attr-defined]
            return True
        return not any(methods(side) & TOLERANT for side in sides) and any(is_float(side, known) for side in sides)
    return False


def is_nothing(node: ast.Compare) -> bool:
    """`(one - other).abs().max() == 0`, `(one != other).sum() == 0`: whether a difference is compared with 0."""
    if not isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.LtE | ast.Gt):
        return False
    for side, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
        if isinstance(other, ast.Constant) and type(other.value) in (int, float) and other.value == 0:
            return bool(methods(side) & DISTANCES) or (called(side) in REDUCTIONS and has_comparison(side))
    return False


def compares_elements(node: ast.AST, known: set[str]) -> bool:
    """`all(x == y for x, y in zip(one.tolist(), other.tolist()))`."""
    loops = [
        argument for argument in getattr(node, "args", []) if isinstance(argument, ast.GeneratorExp | ast.ListComp)
    ]
    return any(
        has_comparison(loop.elt) and any(is_float(generator.iter, known) for generator in loop.generators)
        for loop in loops
    )


def is_content(node: ast.AST) -> bool:
    """`(folder / "model.onnx").read_bytes()`: the content of a file with computed weights."""
    words = [*names(node), *(part.value for part in ast.walk(node) if isinstance(part, ast.Constant))]
    return "read_bytes" in methods(node) and any(MODEL_FILES.search(str(word)) for word in words)


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
    tree = ast.parse(source)
    known = floats_in(tree)
    comments: dict[int, tuple[str, bool]] | None = None  # read when they are needed: few files compare floats exactly
    found: dict[int, bool] = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt):
            own = list(own_nodes(statement))
            if any(is_exact(node, known) for node in own):
                comments = comments_of(source) if comments is None else comments
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
