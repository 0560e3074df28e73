"""Do the dimensions of a model agree, and if not, which term is wrong?"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping

from neuro.equations import brian_compiler
from neuro.equations.compose import Composed, Port, compose, has_edges
from neuro.equations.kept import once
from neuro.equations.names import WEIGHT, is_noise
from neuro.equations.port_names import of_port, without_ports
from neuro.equations.reads import check_synapse_reads
from neuro.equations.shape import terms_of
from neuro.equations.syntax import CONSTANTS, is_condition, names_in, parse_expression
from neuro.errors import EquationError, nearest
from neuro.model import NeuronModel, SynapseModel
from neuro.units import CAPACITANCE, NUMBER, TIME, Dimension, Quantity, mV

__all__ = ["check_dimensions", "check_expression", "check_model", "check_no_unit", "check_synapse"]

_PER_FARAD = Dimension(*(-power for power in CAPACITANCE))
_CLOCK = {"t": TIME, "dt": TIME, "i": NUMBER, "N": NUMBER}


def check_model(model: NeuronModel) -> None:
    """Check a neuron model by itself: text, names and dimensions.

    Raises:
        EquationError: naming the equation and the term that is wrong.
    """
    once(model, lambda: check_dimensions(compose(model)))


def check_synapse(
    synapse: SynapseModel, target: NeuronModel | None = None, source: NeuronModel | None = None
) -> None:
    """Check a synapse model between two cells.

    Args:
        target, source: Models it joins; None for a cell with nothing but a membrane `v` in volt.

    Raises:
        EquationError: naming the equation and the term that is wrong.
    """
    with without_ports():
        once((synapse, target, source), lambda: _check_synapse(synapse, target, source))


def _check_synapse(
    synapse: SynapseModel, target: NeuronModel | None, source: NeuronModel | None
) -> None:
    from neuro.equations.edges import compile_edge

    membrane = NeuronModel(
        name="membrane", equations="dv/dt = I*probe : volt",
        parameters={"probe": Quantity(1, _PER_FARAD)}, initial={"v": mV(0)},
    )  # fmt: skip
    port = Port(of_port(1), synapse, dict(synapse.parameters), ())
    target = target or membrane
    composed = compose(target, [port])
    check_dimensions(composed, weights=[synapse.weight.dimension])
    if has_edges(target, synapse):
        compile_edge(port, composed, compose(source or membrane))
    check_synapse_reads(synapse)


def check_dimensions(
    composed: Composed, weights: list[Dimension] | None = None
) -> dict[str, Dimension]:
    """Check a composed model; the dimension of every name in it.

    Args:
        weights: Dimension of each port's weight `w`, to check its `on_pre` statements.

    Raises:
        EquationError: naming the equation and the term that is wrong.
    """
    where = f"model `{composed.name}`"
    for name in [*composed.parameters, *composed.inputs, *(line.name for line in composed.lines)]:
        check_no_unit(name.partition("__")[0], where)
    dimensions = dict(_CLOCK)
    dimensions.update({name: value.dimension for name, value in composed.parameters.items()})
    dimensions.update(composed.inputs)
    for line in composed.lines:
        dimensions[line.name] = brian_compiler.unit_dimension(
            line.unit, f"{where}: equation of `{line.name}`"
        )
    for line in composed.lines:
        if line.name in composed.summed:
            continue
        if not line.expression:
            raise EquationError(
                f"{where}: `{line.name}` has no equation; give it a value under parameters "
                f"instead, or let a synapse's edges sum into it"
            )
        wanted = dimensions[line.name]
        if line.kind == "differential":
            wanted = wanted._replace(time=wanted.time - 1)
        left = f"d{line.name}/dt" if line.kind == "differential" else line.name
        known = dict(dimensions)
        known.update(
            # White noise: its square integrates over time to a number.
            {name: _root_rate() for name in names_in(line.expression) if is_noise(name)}
        )
        check_expression(line.expression, wanted, known, f"{where}: {left}")
    if composed.threshold:
        parse_expression(composed.threshold, f"{where}: threshold")
        check_expression(composed.threshold, NUMBER, dimensions, f"{where}: threshold")
    for name, expression, _ in composed.reset:
        _check_statement(name, expression, dimensions, composed, f"{where}: reset")
    if composed.refractory:
        parse_expression(composed.refractory, f"{where}: refractory")
        wanted = NUMBER if is_condition(composed.refractory) else TIME
        check_expression(composed.refractory, wanted, dimensions, f"{where}: refractory")
    for number, statements in enumerate(composed.on_pre):
        known = dict(dimensions)
        if weights is not None:
            known[WEIGHT] = weights[number]
        for name, expression, _ in statements:
            if weights is not None:
                _check_statement(name, expression, known, composed, f"{where}: on_pre")
    states = {line.name for line in composed.lines if line.kind == "differential"}
    for name, value in composed.initial.items():
        if name not in states:
            raise EquationError(f"{where}: initial `{name}` is no state{nearest(name, states)}")
        found = dimensions.get(value) if isinstance(value, str) else value.dimension
        if found != dimensions[name]:
            raise EquationError(
                f"{where}: initial `{name}` must be a {dimensions[name]}, found `{value}`"
            )
    return dimensions


def check_no_unit(name: str, where: str) -> None:
    """Check that no variable has the name of a unit, which text could mean as well.

    Raises:
        EquationError: if it has.
    """
    if brian_compiler.unit_number(name) is not None:
        raise EquationError(
            f"{where}: the name `{name}` is reserved, since it is a unit; use another"
        )


def _root_rate() -> Dimension:
    return Dimension(time=TIME.time / -2)


def _check_statement(
    name: str, expression: str, known: Mapping[str, Dimension], composed: Composed, where: str
) -> None:
    states = {line.name for line in composed.lines if line.kind == "differential"}
    if name not in states:
        raise EquationError(f"{where}: `{name}` is no state variable{nearest(name, states)}")
    check_expression(expression, known[name], known, f"{where} of `{name}`")


def check_expression(
    expression: str, wanted: Dimension, known: Mapping[str, Dimension], where: str
) -> None:
    """Check that an expression is in `wanted`, given the dimension of each name it may read.

    Raises:
        EquationError: naming the unknown name, the odd term of a sum, or the unit found.
    """
    tree = parse_expression(expression, where)
    for name in sorted(names_in(tree)):
        if name not in known and name not in CONSTANTS and brian_compiler.unit_number(name) is None:
            hint = nearest(name, known)
            raise EquationError(
                f"{where}: unknown name `{name}`{hint or ';'} {'Give' if hint else 'give'} it a "
                f"value under parameters, or an equation"
            )
    _check_sums(tree, known, where)
    try:
        found = brian_compiler.dimension_of(ast.unparse(tree), known)
    except EquationError as error:
        raise EquationError(f"{where}: in `{expression}`: {error}") from None
    if found != wanted:
        raise EquationError(
            f"{where} = {expression}: the right-hand side must be in {wanted.unit}, "
            f"found {found.unit}"
        )


def _check_sums(tree: ast.expr, known: Mapping[str, Dimension], where: str) -> None:
    """Innermost sums first, so that the one wrong term is named and not what holds it."""
    # A whole sum is looked at once, and not once for each of its signs.
    parts = [term for term, _ in terms_of(tree)]
    inside = parts if len(parts) > 1 else ast.iter_child_nodes(tree)
    for child in inside:
        if isinstance(child, ast.expr):
            _check_sums(child, known, where)
    if len(parts) == 1:
        return
    terms = [ast.unparse(term) for term in parts]
    try:
        found = [brian_compiler.dimension_of(term, known) for term in terms]
    except EquationError:
        return  # a term is wrong inside; `check_expression` reports it with the reason
    usual = Counter(found).most_common(1)[0][0]
    for term, dimension in zip(terms, found, strict=True):
        if dimension != usual:
            others = next(t for t, d in zip(terms, found, strict=True) if d == usual)
            raise EquationError(
                f"{where}: term `{term}` is in {dimension.unit}, "
                f"but `{others}` beside it is in {usual.unit}"
            )
