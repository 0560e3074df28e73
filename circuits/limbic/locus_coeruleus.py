"""Locus coeruleus: a slow clock that bursts, then pauses, when something matters."""

from __future__ import annotations

from circuits._checks import counts, fan_in, not_negative
from circuits.circuit import Circuit, Port, circuit
from neuro.model import variant
from neuro.models import ADEX
from neuro.network import Uniform
from neuro.synapses import EXPONENTIAL_CONDUCTANCE
from neuro.units import Conductance, ms, mV, nS, pA, pF
from neuro.wiring import FixedInDegree, Pairwise

NORADRENERGIC = variant(
    ADEX,
    name="noradrenergic",
    parameters={
        # Input resistance 100-300 MOhm, tau about 30 ms, threshold near -50 mV, and an
        # afterhyperpolarisation that grows with the spikes of a burst and lasts hundreds of ms
        # (Williams, North, Shefner, Nishi & Egan 1984, Neuroscience 13:137; Andrade & Aghajanian
        # 1984, J Neurosci 4:161). b and tau_w are fitted to those; D_T, V_r: engineering choices.
        "C": pF(150), "g_L": nS(5), "E_L": mV(-60), "V_T": mV(-48), "D_T": mV(2),
        "tau_w": ms(250), "a": nS(1), "b": pA(80), "V_r": mV(-58), "t_ref": ms(3),
        "V_cut": mV(0),
    },
    source="Brette & Gerstner 2005; parameters after Williams et al. 1984, Neuroscience 13:137",
)  # fmt: skip

EXCITATION = variant(
    EXPONENTIAL_CONDUCTANCE, name="lc_excitation", source="engineering choice",
    parameters={"tau": ms(20), "E_rev": mV(0)},
)  # fmt: skip
# Noradrenaline from neighbours opens a hyperpolarising conductance through alpha-2 receptors
# (Aghajanian & VanderMaelen 1982, abstract). That it is of potassium, slow to come and to go, is
# said by Egan, Henderson, North & Williams 1983, J Physiol 345:477 (source not read).
ALPHA2 = variant(
    EXPONENTIAL_CONDUCTANCE, name="alpha2", parameters={"tau": ms(250), "E_rev": mV(-95)},
    source="Aghajanian & VanderMaelen 1982, Science 215:1394 (alpha-2 receptors open a conductance "
    "that hyperpolarises); times and reversal: engineering choices",
)  # fmt: skip

ALARM_FAN_IN = 30  # engineering choice; all there are, of fewer


@circuit
def locus_coeruleus(
    alarm: Port,
    *,
    n_cells: int = 40,
    alarm_fan_in: int = ALARM_FAN_IN,
    alarm_weight: Conductance = nS(0.5),
    autoinhibition: Conductance = nS(0.05),
) -> Circuit:
    """Noradrenaline cells: tonic pacemaking, a phasic burst on alarm, then a pause.

    Each cell is a pacemaker of its own rate (0.5-5 Hz). A volley of alarm adds a few fast
    spikes; adaptation and, 50 ms later, the noradrenaline that the cells release on one another
    through alpha-2 receptors then hold them silent (Aston-Jones & Bloom 1981, J Neurosci 1:887).

        alarm --excitatory--> locus_coeruleus --alpha-2--| locus_coeruleus

    Args:
        alarm: Cells that excite the nucleus, here the central amygdala, whose fibres to it
            release corticotropin-releasing factor (Van Bockstaele, Colago & Valentino 1998).
        n_cells: A rat has about 1500 on a side; they act nearly as one.
        alarm_fan_in: Alarm cells that reach one cell. Engineering choice. The default is all of
            them if there are fewer.
        alarm_weight: Peak conductance. Engineering choice: a synchronous volley makes two or
            three spikes. It stands for peptide and glutamate together and is much faster than
            the peptide alone.
        autoinhibition: Peak alpha-2 conductance per neighbour. Engineering choice.
    """
    counts("locus_coeruleus", n_cells=n_cells, alarm_fan_in=alarm_fan_in)
    not_negative("locus_coeruleus", alarm_weight=alarm_weight, autoinhibition=autoinhibition)
    net = Circuit("locus_coeruleus")
    cells = net.add(
        "locus_coeruleus",
        NORADRENERGIC,
        n_cells,
        # Engineering choice: tonic drive from 0.5 to about 4 Hz, and no common start.
        parameters={"I_ext": Uniform(pA(65), pA(120))},
        initial={"v": Uniform(mV(-65), mV(-50)), "w": Uniform(pA(0), pA(60))},
    )
    heard = fan_in(
        "locus_coeruleus", "alarm_fan_in", alarm_fan_in, ALARM_FAN_IN, alarm.n, "alarm's cells"
    )
    net.connect(
        alarm, cells, rule=FixedInDegree(heard), synapse=EXCITATION,
        weight=alarm_weight, delay=ms(10),
    )  # fmt: skip
    net.connect(
        cells, cells, rule=Pairwise(0.2), synapse=ALPHA2, weight=autoinhibition, delay=ms(50)
    )
    return net.with_outputs(locus_coeruleus=cells)
