"""Spherical bushy cells: the first cells of the brain that hear."""

from __future__ import annotations

import numpy as np

from circuits._checks import counts, not_negative
from circuits.circuit import Circuit, Port, Sourced, circuit
from neuro.errors import NetworkError
from neuro.model import variant
from neuro.models import LIF
from neuro.network import Normal
from neuro.synapses import EXPONENTIAL_CONDUCTANCE
from neuro.units import Conductance, Time, ms, mV, nS, pF
from neuro.wiring import NearestCF

ENDBULBS = Sourced(3, range=(1, 4), source="Ryugo & Sento 1991, J Comp Neurol 305:35 (cat)")

BUSHY = variant(
    LIF,
    name="bushy",
    parameters={
        # Rothman & Manis 2003, J Neurophysiol 89:3097: 12 pF, rest -63.6 mV (type II). Its
        # low-threshold potassium current shows up here as a large leak: tau = C/g_L = 0.5 ms,
        # the primary-like point model of biology's auditory brainstem.
        "C": pF(12), "g_L": nS(24), "E_L": mV(-63.6), "V_th": mV(-50), "V_r": mV(-63.6),
        "t_ref": ms(1),  # engineering choice; auditory-nerve fibres have 0.75 ms
    },
    source="Lapicque 1907; parameters after Rothman & Manis 2003, J Neurophysiol 89:3097",
)  # fmt: skip

ENDBULB = variant(
    EXPONENTIAL_CONDUCTANCE,
    name="endbulb",
    # AMPA receptors of fast subunits: decay 0.2-0.4 ms near body temperature.
    parameters={"tau": ms(0.25), "E_rev": mV(0)},
    source="Gardner, Trussell & Oertel 1999, J Neurosci 19:8721",
)


@circuit
def spherical_bushy(
    nerve: Port,
    *,
    n_cells: int = 200,
    endbulbs: int = ENDBULBS,
    endbulb_weight: Conductance = nS(14),
    delay: Time = ms(0.5),
) -> Circuit:
    """Spherical bushy cells of the anteroventral cochlear nucleus.

    Few, large, fast inputs on a cell that forgets within a millisecond: it fires when two of
    them agree, so its spikes keep the nerve's timing and improve on it (Joris et al. 1994).

        nerve --endbulb (AMPA)--> bushy

    Args:
        nerve: Auditory-nerve fibres with the coordinate `cf_hz`.
        n_cells: Cells, spread evenly over the nerve's octaves.
        endbulbs: Fibres that reach one cell.
        endbulb_weight: Mean peak conductance. Engineering choice: one endbulb alone lifts the
            cell about 60 % of the way to threshold, two within about 0.3 ms fire it.
        delay: Conduction and release; 0.5 ms is short but fast synapses on thick axons are.

    Noradrenaline acts here through `g_L` of `bushy`: alpha-1 receptors close leak potassium
    channels, so the same endbulb moves the cell further, and an alpha-1 antagonist lowers the
    sustained response in the anteroventral cochlear nucleus (Kössl & Vater 1989, J Neurosci
    9:4169). How far `g_L` falls is not known: an engineering choice of the experiment.
    """
    if "cf_hz" not in nerve.coordinates:
        raise NetworkError(
            f"spherical_bushy needs fibres with the coordinate `cf_hz`, `{nerve.name}` has "
            f"{sorted(nerve.coordinates) or 'none'}; wire it to an auditory nerve"
        )
    counts("spherical_bushy", n_cells=n_cells, endbulbs=endbulbs)
    not_negative("spherical_bushy", endbulb_weight=endbulb_weight)
    cf_hz = nerve.coordinates["cf_hz"]
    net = Circuit("spherical_bushy")
    bushy = net.add(
        "bushy",
        BUSHY,
        n_cells,
        coordinates={"cf_hz": np.geomspace(cf_hz.min(), cf_hz.max(), n_cells)},
    )
    net.connect(
        nerve,
        bushy,
        rule=NearestCF(fan_in=endbulbs),
        synapse=ENDBULB,
        weight=Normal(endbulb_weight, nS(0.15 * endbulb_weight), low=0.0),
        delay=delay,
    )
    return net.with_outputs(bushy=bushy)
