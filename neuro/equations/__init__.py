"""Text -> checked equations -> StepProgram; Brian2 parses, checks and integrates.

`syntax` closed language · `compose` neuron + synapses · `dimensions` which term is wrong ·
`schemes` steps in the model's own words · `compiler` StepProgram by way of both and of Brian2 ·
`edges` EdgeProgram, for synapses with a state · `hoist` what need not be computed every step
"""

from neuro.equations.compiler import compile_step
from neuro.equations.compose import Composed, Port, compose, has_edges, ports_of
from neuro.equations.dimensions import check_model, check_synapse
from neuro.equations.edge_program import EdgeProgram
from neuro.equations.edges import compile_edge
from neuro.equations.program import StepProgram
from neuro.equations.reads import check_synapse_reads, names_read, read_at_ends, unread

__all__ = [
    "Composed", "EdgeProgram", "Port", "StepProgram", "check_model",
    "check_synapse", "check_synapse_reads", "compile_edge", "compile_step", "compose", "has_edges",
    "names_read", "ports_of", "read_at_ends", "unread",
]  # fmt: skip
