"""The dorsal horn: where fast and slow pain meet and leave for the brain."""

from __future__ import annotations

from circuits._checks import counts, not_negative
from circuits.circuit import Circuit, Port, Sourced, circuit
from neuro.model import variant
from neuro.models import LIF
from neuro.network import Uniform
from neuro.synapses import EXPONENTIAL_CONDUCTANCE
from neuro.units import Conductance, ms, mV, nS, pF
from neuro.wiring import Pairwise

PROJECTION = Sourced(
    10, range=(10, 10), source="Medlock et al. 2022, J Neurosci 42:3133 (NK1 projection cells)"
)
INHIBITORY = Sourced(
    25, range=(10, 40), source="Medlock et al. 2022: PV 15, DYN 60, islet 15, scaled down"
)
REACH = 0.2  # connection probability between the fibres and cells of one patch, Medlock 2022

NEURON = variant(
    LIF,
    name="dorsal_horn_cell",
    # A spinal neuron of lamina I: 0.5-1 GOhm, tau 20-40 ms (Prescott & De Koninck 2002,
    # J Physiol 539:817); threshold 20 mV above rest.
    parameters={
        "C": pF(50), "g_L": nS(2), "E_L": mV(-65), "V_th": mV(-45), "V_r": mV(-65),
        "t_ref": ms(3),
    },
    source="Lapicque 1907; parameters after Prescott & De Koninck 2002, J Physiol 539:817",
)  # fmt: skip
AMPA = variant(
    EXPONENTIAL_CONDUCTANCE, name="ampa", parameters={"tau": ms(5), "E_rev": mV(0)},
    source="engineering choice",
)  # fmt: skip
# Substance P on NK1 receptors: a depolarisation of one to three seconds.
NK1 = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="nk1",
    parameters={"tau": ms(1000), "E_rev": mV(0)},
    source="time constants of Medlock et al. 2022, J Neurosci 42:3133: 1000-3000 ms",
)
GABA = variant(
    EXPONENTIAL_CONDUCTANCE, name="gaba", parameters={"tau": ms(20), "E_rev": mV(-70)},
    source="engineering choice",
)  # fmt: skip


@circuit
def dorsal_horn(
    a_delta: Port,
    c: Port,
    *,
    n_projection: int = PROJECTION,
    n_inhibitory: int = INHIBITORY,
    a_delta_weight: Conductance = nS(3),
    c_weight: Conductance = nS(1),
    nk1_weight: Conductance = nS(0.015),
) -> Circuit:
    """First and second pain in the superficial dorsal horn.

    Aδ fibres, fast and brief, give the first response; C fibres arrive later, and the peptide
    they release with their glutamate holds the second one for seconds.

        a_delta --AMPA--> projection <--AMPA + NK1-- c
        a_delta, c --AMPA--> inhibitory --GABA--> projection

    Args:
        a_delta, c: Nociceptive fibres; their conduction delays are in their spikes.
        n_projection: NK1-expressing cells of lamina I, which ascend to the parabrachial nucleus
            and so to the central amygdala.
        n_inhibitory: Local GABA cells.
        a_delta_weight, c_weight: Peak AMPA conductance of a fibre's spike.
        nk1_weight: The slow conductance that each C spike adds.

    Weights are engineering choices: what a noxious pulse makes of all fibres drives the
    projection cells at 10-30 Hz, one fibre alone never does. NMDA currents, wind-up and the
    dynorphin gate are left out.
    """
    counts("dorsal_horn", n_projection=n_projection, n_inhibitory=n_inhibitory)
    not_negative(
        "dorsal_horn", a_delta_weight=a_delta_weight, c_weight=c_weight, nk1_weight=nk1_weight
    )
    net = Circuit("dorsal_horn")
    spread = Uniform(mV(-47), mV(-43))  # engineering choice: no two cells alike
    projection = net.add(
        "dorsal_horn_projection", NEURON, n_projection, parameters={"V_th": spread}
    )
    inhibitory = net.add(
        "dorsal_horn_inhibitory", NEURON, n_inhibitory, parameters={"V_th": spread}
    )
    reach = Pairwise(REACH)
    # Central delays of 5 ms (Aδ) and 10 ms (C): Medlock et al. 2022.
    for cells in (projection, inhibitory):
        net.connect(a_delta, cells, rule=reach, synapse=AMPA, weight=a_delta_weight, delay=ms(5))
        net.connect(c, cells, rule=reach, synapse=AMPA, weight=c_weight, delay=ms(10))
    net.connect(
        c, projection, rule=reach, synapse=NK1, weight=nk1_weight, delay=ms(10),
        name=f"{c.name}_nk1_to_{projection.name}",
    )  # fmt: skip
    net.connect(inhibitory, projection, rule=reach, synapse=GABA, weight=nS(0.5), delay=ms(1))
    return net.with_outputs(projection=projection, inhibitory=inhibitory)
