"""Brian2 as equation compiler, behind three functions; nothing else in this folder imports it.

Model text may hold unit names (`2*ms`). Brian2 would turn them into SI numbers, so they are
renamed to symbols before it sees them and become coherent numbers in what comes back.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from neuro.brian2_import import brian2
from neuro.equations.fold import folded
from neuro.equations.names import is_noise, renamed
from neuro.equations.schemes import derive
from neuro.equations.syntax import CONSTANTS, Line, names_in, parse_expression
from neuro.errors import EquationError, nearest
from neuro.units import Dimension, coherent_factor, dimension_from_si

__all__ = [
    "METHODS",
    "brian_dimension",
    "brian_unit",
    "dimension_of",
    "step_code",
    "unit_dimension",
    "unit_number",
]

METHODS = ("exact", "exponential_euler", "euler", "rk2", "rk4", "heun", "milstein")
_AUTO = ("exact", "exponential_euler", "rk4")
_AUTO_NOISY = ("euler", "heun")
_UNIT = "unit__"
_PLACED = re.compile(r"q(\d+)q")  # how Brian2 and SymPy see a variable


def brian_unit(dimension: Dimension) -> str:
    """Text of a Brian2 base unit of this dimension, such as `amp**1*volt**-1`."""
    if dimension.temperature or dimension.level:
        raise EquationError(f"equations cannot hold a {dimension}: give the model another quantity")
    names = ("second", "volt", "amp", "molar", "metre")
    # Molar is 1000 mol/m³ in Brian2, which is only a scale: the text stands for a dimension.
    parts = [
        f"{name}**{power if power.denominator == 1 else float(power)}"
        for name, power in zip(names, dimension[:5], strict=True)
        if power
    ]
    return "*".join(parts).replace("molar", "mmolar") or "1"


def unit_dimension(text: str, where: str) -> Dimension:
    """The dimension of the unit after the colon of an equation."""
    _check_unit(parse_expression(text, where), text, where)
    for name in names_in(text):
        if unit_number(name) is None:
            raise EquationError(
                f"{where}: unknown unit `{name}`"
                + nearest(name, ["volt", "amp", "siemens", "farad", "second", "Hz", "mV", "pA"])
            )
    try:
        return dimension_of(text, {})
    except EquationError as error:
        raise EquationError(f"{where}: cannot read the unit `{text}`: {error}") from None


def _check_unit(tree: ast.expr, text: str, where: str) -> None:
    match tree:
        case ast.Name() | ast.Constant(value=1):
            return
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right):
            _check_unit(left, text, where)
            return _check_unit(right, text, where)
        case ast.BinOp(left=left, op=ast.Pow(), right=power) if not names_in(power):
            return _check_unit(left, text, where)
    raise EquationError(
        f"{where}: a unit must be a product of units and their powers, such as `siemens/metre**2`, "
        f"found `{text}`"
    )


def unit_number(name: str) -> tuple[float, Dimension] | None:
    """Coherent value and dimension of a unit name of the equation language, or None."""
    package = brian2()
    found = package.core.namespace.DEFAULT_UNITS.get(name)
    if found is None:
        return None
    dimension = _from_brian(package.get_dimensions(found))
    return float(found) * coherent_factor(dimension), dimension


def dimension_of(expression: str, dimensions: Mapping[str, Dimension]) -> Dimension:
    """The dimension of an expression, given those of its names.

    Raises:
        EquationError: if a name is unknown or the dimensions disagree.
    """
    package = brian2()
    from brian2.core.functions import DEFAULT_FUNCTIONS
    from brian2.core.variables import Variable
    from brian2.parsing.expressions import parse_expression_dimensions

    known: dict[str, Any] = dict(DEFAULT_FUNCTIONS)
    for name in names_in(expression):
        if name in dimensions:
            dimension = dimensions[name]
        elif (unit := unit_number(name)) is not None:
            dimension = unit[1]
        elif name in CONSTANTS:
            dimension = Dimension()
        else:
            raise EquationError(f"unknown name `{name}`{nearest(name, dimensions)}")
        known[name] = Variable(name, dimensions=brian_dimension(dimension), scalar=True)
    try:
        return _from_brian(parse_expression_dimensions(expression, known))
    except package.DimensionMismatchError as error:
        raise EquationError(str(error).splitlines()[0]) from None
    except (SyntaxError, TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise EquationError(str(error).splitlines()[0]) from None


def _from_brian(dim: Any) -> Dimension:
    kinds = ("length", "mass", "time", "current", "temperature", "substance")
    return dimension_from_si(**{kind: dim.get_dimension(kind) for kind in kinds})


def brian_dimension(dimension: Dimension) -> Any:
    """Brian2's own object for a dimension."""
    from brian2.units.fundamentalunits import get_or_create_dimension

    volts, molars = dimension.voltage, dimension.concentration
    return get_or_create_dimension(
        kg=float(volts),
        m=float(dimension.length + 2 * volts - 3 * molars),
        s=float(dimension.time - 3 * volts),
        A=float(dimension.current - volts),
        K=float(dimension.temperature),
        mol=float(molars),
    )


def step_code(
    lines: Sequence[Line], parameters: Mapping[str, Dimension], method: str, where: str
) -> tuple[list[tuple[str, str]], str]:
    """Brian2's integration step as assignments, and the method it took.

    The results are named `<state>__new`; helpers end in `__k1` and the like. Unit names are
    numbers in coherent units. Schemes that `derive` knows are not left to Brian2.

    Raises:
        EquationError: if the method cannot integrate these equations.
    """
    noisy = any(is_noise(name) for line in lines for name in names_in(line.expression or "0"))
    methods = (_AUTO_NOISY if noisy else _AUTO) if method == "auto" else (method,)
    if unknown := set(methods) - set(METHODS):
        raise EquationError(
            f"{where}: method must be auto, {', '.join(METHODS)}; found `{unknown.pop()}`"
        )
    units: dict[str, Dimension] = {}
    variables = {*parameters, *(line.name for line in lines)}

    def number(name: str) -> float | None:
        known = name in variables or name in CONSTANTS or "__" in name
        unit = None if known else unit_number(name)
        return unit[0] if unit else None

    def symbolic(text: str) -> str:
        for name in names_in(text) if text else ():
            if name not in variables and name not in CONSTANTS and (unit := unit_number(name)):
                units[_UNIT + name] = unit[1]
                text = re.sub(rf"\b{name}\b", _UNIT + name, text)
        return text

    text = [
        line._replace(expression=symbolic(line.expression), flags=(), unit=_base(line.unit))
        for line in lines
    ]
    text += [
        Line("parameter", name, "", brian_unit(dimension), ("constant",))
        for name, dimension in {**parameters, **units}.items()
    ]
    reason = ""
    for choice in methods:
        if (own := derive(lines, choice)) is not None:
            return [(name, folded(code, number)) for name, code in own], choice
        names = _by_appearance(text)
        code, reason = _abstract_code(_placed(text, names), choice)
        if not reason:
            states = [line.name for line in lines if line.kind == "differential"]
            return _renamed(_named(code, names), states), choice
        reason = _named(reason, names)
    raise EquationError(
        f"{where}: method `{methods[-1]}` cannot integrate these equations ({reason}); "
        f"give another `method`"
    )


def _by_appearance(lines: Sequence[Line]) -> list[str]:
    """The variables, each where the text first reads or defines it.

    SymPy sorts terms by name, so names that follow the place give the same sums, bit for bit,
    whatever the variables are called; and none is one that Brian2 has a use for.
    """
    found: dict[str, None] = {}
    defined = {line.name for line in lines}
    for line in lines:
        found[line.name] = None
        tree = ast.parse(line.expression or "0", mode="eval")
        found |= {node.id: None for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [name for name in found if name in defined]


def _placed(lines: Sequence[Line], names: Sequence[str]) -> str:
    places = {name: f"q{number:04}q" for number, name in enumerate(names)}

    def place(name: str) -> str:
        return places.get(name, name)

    return "\n".join(
        str(line._replace(name=place(line.name), expression=renamed(line.expression, place)))
        for line in lines
    )


def _named(text: str, names: Sequence[str]) -> str:
    return _PLACED.sub(lambda found: names[int(found[1])], text)


def _base(unit: str) -> str:
    """The base unit Brian2 insists on after the colon (`volt`, where people write `mV`)."""
    return brian_unit(unit_dimension(unit, f"unit `{unit}`"))


_CERTAIN = "dx/dt = -x/(10*ms) : 1"
"""Every method integrates this."""


def _abstract_code(text: str, method: str) -> tuple[str, str]:
    """The step of one method, or why these equations have none."""
    package = brian2()
    from brian2.stateupdaters.base import UnsupportedEquationsException
    from brian2.utils.logger import catch_logs

    with catch_logs():
        try:
            group = package.NeuronGroup(1, text, method=method, namespace={}, name="ember_step*")
            # When it is collected, Brian2 would warn that it was never simulated, which is meant.
            group._network = "derivation only"
            if method == "exponential_euler" and (odd := _not_linear(group.equations)):
                return "", f"the equation of `{odd}` is not linear in it"
            # Its `before_run` would also compile the step for Brian2's own use, for 2 to 5 s.
            group.state_updater.update_abstract_code(run_namespace={})
            return group.state_updater.abstract_code, ""
        except UnsupportedEquationsException as error:
            return "", str(error).splitlines()[0]
        except Exception as error:  # sympy and Brian2 raise many kinds on what they cannot solve
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    # Another kind may also mean that Brian2 does not work here at all. `auto` would then take a
    # cruder method without a word, so the method is tried on what it certainly integrates.
    if text == _CERTAIN:
        raise EquationError(
            f"Brian2 must be able to integrate `{_CERTAIN}` with `{method}`, found "
            f"that it fails here ({reason}); repair the installation of Brian2 and SymPy"
        )
    _abstract_code(_CERTAIN, method)
    return "", reason


def _not_linear(equations: Any) -> str:
    """The first variable x whose equation is more than the `a*x + b` that Brian2 takes it for.

    Brian2 2.9 drops the cube of `x - x**3`, since what it looks for is two parts and not which.
    """
    from brian2.parsing.sympytools import str_to_sympy
    from brian2.stateupdaters.exponential_euler import get_conditionally_linear_system
    from sympy import Symbol

    try:
        parts = get_conditionally_linear_system(equations)
    except ValueError:
        return ""  # Brian2 refuses it for itself
    for name, expression in equations.get_substituted_expressions():
        slope, rest = parts[name]
        whole = str_to_sympy(expression.code).expand()
        if (slope * Symbol(name, real=True) + rest - whole).expand() != 0:
            return str(name)
    return ""


def _renamed(code: str, states: Sequence[str]) -> list[tuple[str, str]]:
    def name(found: re.Match[str]) -> str:
        word = found[0]
        if word.startswith(_UNIT):
            number, _ = unit_number(word[len(_UNIT) :]) or (1.0, None)
            return repr(number)
        if word.startswith("_"):
            bare = word[1:]
            return f"{bare}__new" if bare in states else f"{word.strip('_')}__aux"
        return word

    assignments = []
    for line in code.splitlines():
        left, _, right = line.strip().partition(" = ")
        if not right or left in states:  # `v = _v` closes the step; back ends do that
            continue
        assignments.append(
            (re.sub(r"\b[A-Za-z_]\w*\b", name, left), re.sub(r"\b[A-Za-z_]\w*\b", name, right))
        )
    return assignments
