"""The closed language of model text: which Python expressions are allowed, and no others.

Everything a user writes passes `parse_expression` or `parse_statements` before any other tool
sees it, so text from an untrusted config can name variables and call the listed functions,
and do nothing else.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import NamedTuple

from neuro.equations.names import CONSTANTS, FUNCTIONS, check_name, check_read
from neuro.equations.shape import check_growth, check_shape, check_size, with_shallow_sums
from neuro.errors import EquationError, nearest

__all__ = [
    "CONSTANTS", "FUNCTIONS", "Line", "Statement", "check_text", "parse_expression",
    "parse_lines",
    "parse_statements", "is_condition", "names_in", "on_one_line",
]  # fmt: skip

_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load,
    ast.Constant, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Pow, ast.FloorDiv, ast.USub,
    ast.UAdd, ast.Not, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip


LONGEST_TEXT = 20_000  # characters of a model: an engineering choice; shipped ones have 2,000


class Line(NamedTuple):
    """One equation: `dx/dt = expression : unit (flags)`, `x = expression : unit`, `x : unit`."""

    kind: str  # "differential", "subexpression" or "parameter"
    name: str
    expression: str
    unit: str
    flags: tuple[str, ...]

    def __str__(self) -> str:
        flags = f" ({', '.join(self.flags)})" if self.flags else ""
        if self.kind == "parameter":
            return f"{self.name} : {self.unit}{flags}"
        left = f"d{self.name}/dt" if self.kind == "differential" else self.name
        return f"{left} = {self.expression} : {self.unit}{flags}"


class Statement(NamedTuple):
    """`name = expression`; an augmented assignment is spelled out, and remembered."""

    name: str
    expression: str
    increment: str = ""  # what is added, where it was written `name += …` or `name -= …`


_LINE = re.compile(
    r"^\s*(?:d(?P<d>[A-Za-z]\w*)/dt\s*=\s*(?P<de>[^:\s][^:]*)"
    r"|(?P<s>[A-Za-z]\w*)\s*=\s*(?P<se>[^:\s][^:]*)"
    r"|(?P<p>[A-Za-z]\w*)\s*)"
    r":\s*(?P<unit>(?:[\w*/.()-][\w*/.\s()-]*?)??[\w)])"
    r"\s*(?:\((?P<flags>(?:unless refractory|shared|constant|event-driven|clock-driven|summed|,|\s)"
    r"+)\)\s*)?$"
)
_CELL_FLAGS = {
    "differential": ("unless refractory",),
    "subexpression": ("shared",),
    "parameter": ("shared", "constant"),
}


def parse_lines(
    text: str, where: str, flags_allowed: tuple[str, ...] | None = None
) -> tuple[Line, ...]:
    """Split model text into its equations, one a line; a line goes on while a bracket is open.

    Args:
        flags_allowed: What may stand in brackets after the unit; None for what it may in a cell.

    Raises:
        EquationError: naming the line that is no equation, a flag that has no meaning here, or a
            name defined twice.
    """
    _check_length(text, where)
    lines: list[Line] = []
    for raw in _logical_lines(text):
        found = _LINE.match(raw)
        if found is None:
            raise EquationError(
                f"{where}: an equation must read `dx/dt = … : unit`, `x = … : unit` or "
                f"`x : unit`, found `{raw.strip()}`"
            )
        flags = tuple(flag.strip() for flag in (found["flags"] or "").split(",") if flag.strip())
        unit = found["unit"].strip()
        if found["d"]:
            line = Line("differential", found["d"], found["de"].strip(), unit, flags)
        elif found["s"]:
            line = Line("subexpression", found["s"], found["se"].strip(), unit, flags)
        else:
            line = Line("parameter", found["p"], "", unit, flags)
        allowed = _CELL_FLAGS[line.kind] if flags_allowed is None else flags_allowed
        for flag in flags:
            if flag not in allowed:
                raise EquationError(
                    f"{where}: `({flag})` means nothing here, in `{raw.strip()}`; allowed are "
                    f"{', '.join(f'({one})' for one in allowed) or 'none'}"
                )
        check_name(line.name.removesuffix("_post") if "summed" in flags else line.name, where)
        if line.expression:
            check_text(line.expression, f"{where}: equation of `{line.name}`")
            if line.kind == "subexpression" and "summed" not in flags:
                _check_same(line, where)
            line = line._replace(expression=with_shallow_sums(line.expression))
        if line.name in {other.name for other in lines}:
            raise EquationError(f"{where}: `{line.name}` must be defined once, found it twice")
        lines.append(line)
    _check_shared(lines, where)
    check_size((line.expression for line in lines), where)
    check_growth(
        {line.name: line.expression for line in lines if line.kind == "subexpression"}, where
    )
    return tuple(lines)


def _check_same(line: Line, where: str) -> None:
    if drawn := re.search(r"\brandn?(?=\()", line.expression):
        raise EquationError(
            f"{where}: `{line.name}` cannot hold {drawn[0]}(), since all that read it compute it "
            f"anew, each with a number of its own; write {drawn[0]}() where the number is used"
        )


def _check_shared(lines: list[Line], where: str) -> None:
    """Refuse a `(shared)` subexpression that has a value of its own in each cell."""
    reads = {line.name: names_in(line.expression) for line in lines if line.expression}
    states = {line.name for line in lines if line.kind == "differential"}
    for line in lines:
        if line.kind == "subexpression" and "shared" in line.flags:
            ahead, seen = [line.name], set[str]()
            while ahead:
                name = ahead.pop()
                if name in states:
                    raise EquationError(
                        f"{where}: `{line.name}` cannot be (shared), since it reads `{name}`, "
                        f"which each cell has for itself"
                    )
                if name not in seen:
                    seen.add(name)
                    ahead += sorted(reads.get(name, ()))


def on_one_line(text: str) -> str:
    """An expression that may take several lines, each with a comment."""
    return " ".join(" ".join(raw.split("#", 1)[0] for raw in text.splitlines()).split())


def _logical_lines(text: str) -> list[str]:
    """Equations without comments, each on one line with single spaces."""
    logical: list[str] = []
    pending: list[str] = []
    open_brackets = 0
    for raw in text.splitlines():
        line = " ".join(raw.split("#", 1)[0].split())
        if not line:
            continue
        continued = line.endswith("\\")
        pending.append(line.removesuffix("\\").rstrip())
        open_brackets += line.count("(") - line.count(")")
        if not continued and open_brackets <= 0:
            logical.append(" ".join(pending))
            pending, open_brackets = [], 0
    if pending:
        logical.append(" ".join(pending))
    return logical


def parse_expression(text: str, where: str) -> ast.expr:
    """The syntax tree of one expression of the closed language.

    Raises:
        EquationError: if it is not an expression, or uses anything outside the language.
    """
    if not text.isascii():  # Python would take a letter for another, such as a ligature
        odd = next(letter for letter in text if not letter.isascii())
        raise EquationError(f"{where}: `{text.strip()}` must be ASCII, found `{odd}`")
    if "#" in text:  # Python would leave out the rest
        raise EquationError(f"{where}: an expression cannot hold `#`, found `{text.strip()}`")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise EquationError(f"{where}: cannot read the expression `{text.strip()}`") from None
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise EquationError(
                f"{where}: `{text.strip()}` uses {type(node).__name__}, which model text may not; "
                f"use arithmetic, comparisons and the functions {', '.join(sorted(FUNCTIONS))}"
            )
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else "?"
            if called not in FUNCTIONS or node.keywords:
                raise EquationError(
                    f"{where}: unknown function `{called}` in `{text.strip()}`"
                    + nearest(called, FUNCTIONS)
                )
        if isinstance(node, ast.Constant) and not (
            isinstance(node.value, (int, float)) or node.value in (True, False)
        ):
            raise EquationError(f"{where}: `{text.strip()}` holds {node.value!r}, not a number")
        if isinstance(node, ast.Constant) and not _is_float(node.value):
            raise EquationError(f"{where}: `{text.strip()}` holds a number beyond 1e308")
        if isinstance(node, ast.Compare) and len(node.ops) != 1:
            raise EquationError(f"{where}: write `a < b and b < c` for `{text.strip()}`")
    return tree.body


def _check_length(text: str, where: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise EquationError(
            f"{where}: model text must have at most {LONGEST_TEXT:,} characters, "
            f"found {len(text):,}"
        )


def _is_float(value: object) -> bool:
    try:
        return abs(float(value)) < float("inf")  # type: ignore[arg-type]
    except OverflowError:
        return False


def check_text(text: str, where: str, *, condition: bool | None = False) -> None:
    """Check an expression as a user wrote it; see `parse_expression` and `check_read`.

    Args:
        condition: Whether it must be true or false, or a number; None if it may be either.

    Raises:
        EquationError: if it is none of the language, takes a number for a condition or a condition
            for a number, or reads a name that no user's text can.
    """
    _check_length(text, where)
    tree = parse_expression(text, where)
    check_shape(tree, where)
    check_truth(tree, where, condition=condition)
    for name in sorted(names_in(tree)):
        check_read(name, where)


def check_truth(tree: ast.expr, where: str, *, condition: bool | None = False) -> None:
    """Check that what is true or false stands only where that is asked for, and a number elsewhere.

    Back ends add up true and false in different ways: `int(v > V_th)` is 1 or 0 in all of them.

    Args:
        condition: What the whole must be; None if it may be either.

    Raises:
        EquationError: naming the part that must be the other.
    """
    wanted: list[tuple[ast.expr, bool]] = [] if condition is None else [(tree, condition)]
    for node in ast.walk(tree):
        match node:
            case ast.BoolOp(values=parts):
                wanted += [(part, True) for part in parts]
            case ast.UnaryOp(op=operator, operand=part):
                wanted.append((part, isinstance(operator, ast.Not)))
            case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
                wanted += [(left, False), (right, False)]
            case ast.Call(func=ast.Name(id=function), args=parts) if function != "int":
                wanted += [(part, False) for part in parts]
    for part, is_truth in wanted:
        if is_truth and not _is_truth(part):
            raise EquationError(
                f"{where}: a condition must be true or false, as `a > b` is, found "
                f"`{ast.unparse(part)}`, which is a number"
            )
        if not is_truth and _is_truth(part):
            raise EquationError(
                f"{where}: `{ast.unparse(part)}` is true or false and no number; write "
                f"`int({ast.unparse(part)})`, which is 1 or 0"
            )


def _is_truth(tree: ast.expr) -> bool:
    match tree:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Constant(value=bool()):
            return True
    return False


def is_condition(expression: str) -> bool:
    """Whether an expression is true or false by its form, as `v > V_th` or `not (a < b)` are."""
    return _is_truth(ast.parse(expression.strip(), mode="eval").body)


def parse_statements(text: str, where: str) -> tuple[Statement, ...]:
    """Assignments `x = …`, `x += …`, `x *= …`, parted by `;` or line ends, in order.

    What follows `#` on a line is a comment.

    Raises:
        EquationError: if one is no such assignment.
    """
    statements = []
    _check_length(text, where)
    parts = [part for raw in text.splitlines() for part in raw.split("#", 1)[0].split(";")]
    for part in parts:
        if not part.strip():
            continue
        found = re.match(r"([A-Za-z]\w*)\s*([-+*/]?)=(?!=)\s*(.+)$", part.strip())
        if found is None:
            raise EquationError(f"{where}: expected `x = …` or `x += …`, found `{part.strip()}`")
        name, operator, right = found.groups()
        check_text(right, where)
        right = with_shallow_sums(right)
        whole = f"{name} {operator} ({right})" if operator else right
        added = {"+": right, "-": f"-({right})"}.get(operator, "")
        statements.append(Statement(name, whole, added))
    check_size((statement.expression for statement in statements), where)
    return tuple(statements)


def names_in(expression: str | ast.AST) -> set[str]:
    """The variables an expression reads; functions are not among them."""
    if isinstance(expression, str):
        return set(_names_in_text(expression))
    called, names = set(), set()
    for node in ast.walk(expression):  # a call comes before what it calls
        if isinstance(node, ast.Call):
            called.add(id(node.func))
        elif isinstance(node, ast.Name) and id(node) not in called:
            names.add(node.id)
    return names


@lru_cache(maxsize=1 << 14)
def _names_in_text(expression: str) -> frozenset[str]:
    # The same few texts are asked for by every check of dimensions, order and names.
    return frozenset(names_in(ast.parse(expression, mode="eval")))
