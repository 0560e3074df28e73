"""NIR, the Neuromorphic Intermediate Representation: networks to and from files of other tools.

`read` a file or graph to populations, projections and what feeds them · `write` a network to a
graph, or refuse by name what NIR cannot say · `reading` what comes out, to be fed · `file`
untrusted HDF5 in, whole files out · `units` what the numbers stand for · `graph`, `shapes`, `maps`,
`loops` from nodes to matrices · `timing` steps of other tools against Ember's · `models` NIR's
neurons in Ember's words · `own` what Ember notes for itself · `readers` what Norse and snnTorch
make of a graph
"""

from __future__ import annotations

from neuro.nir.errors import NirError, NirUnsupported
from neuro.nir.file import read_graph, write_graph
from neuro.nir.graph import Graph, Node
from neuro.nir.read import read
from neuro.nir.readers import READERS
from neuro.nir.reading import Reading
from neuro.nir.units import CHOICES, Units
from neuro.nir.write import WITHOUT, lags_of, to_nir

__all__ = [
    "CHOICES", "Graph", "NirError", "NirUnsupported", "Node", "READERS", "Reading", "Units",
    "WITHOUT", "lags_of", "read", "read_graph", "to_nir", "write_graph",
]  # fmt: skip
