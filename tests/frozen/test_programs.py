"""Step programs as a person reads them: a change here must be meant (`EMBER_FREEZE=1` renews)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neuro.equations import Port, compile_edge, compile_step, compose
from neuro.equations.port_names import of_port
from neuro.model import SynapseModel
from neuro.models import ADEX, GIF, HODGKIN_HUXLEY, LIF, POISSON, QUADRATIC_IF
from neuro.synapses import (
    ALPHA_CURRENT,
    DELTA,
    DEPRESSING_CURRENT,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    GABA_B,
    GAP_JUNCTION,
    NMDA,
    STDP_REWARD,
)  # fmt: skip

FOLDER = Path(__file__).with_name("programs")
CASES = {
    "lif_current": (LIF, [EXPONENTIAL_CURRENT]),
    "lif_conductance": (LIF, [EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CONDUCTANCE]),
    "lif_delta": (LIF, [DELTA]),
    "lif_alpha": (LIF, [ALPHA_CURRENT]),
    "lif_receptors": (LIF, [NMDA, GABA_B]),
    "adex": (ADEX, []),
    "gif": (GIF, []),
    "hodgkin_huxley": (HODGKIN_HUXLEY, []),
    "quadratic_if": (QUADRATIC_IF, []),
    "poisson": (POISSON, []),
}


@pytest.mark.parametrize("name", CASES)
def test_the_program_reads_as_it_did(name: str) -> None:
    model, synapses = CASES[name]
    ports = [
        Port(of_port(k), synapse, dict(synapse.parameters), ())
        for k, synapse in enumerate(synapses, start=1)
    ]
    program = compile_step(compose(model, ports), [s.weight.dimension for s in synapses])
    path = FOLDER / f"{name}.txt"
    if os.environ.get("EMBER_FREEZE"):
        path.write_text(f"{program}\n", encoding="utf-8")
    assert f"{program}\n" == path.read_text("utf-8")
    assert type(program).from_json(program.to_json()) == program


@pytest.mark.parametrize("synapse", [DEPRESSING_CURRENT, STDP_REWARD, GAP_JUNCTION])
def test_the_program_of_a_synapse_reads_as_it_did(synapse: SynapseModel) -> None:
    port = Port(of_port(1), synapse, dict(synapse.parameters), ())
    target = compose(LIF, [port])
    program = compile_edge(port, target, target)
    text = f"{program}\n\nits target:\n{compile_step(target, [synapse.weight.dimension])}\n"
    path = FOLDER / f"edge_{synapse.name}.txt"
    if os.environ.get("EMBER_FREEZE"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text("utf-8")
    assert type(program).from_json(program.to_json()) == program
