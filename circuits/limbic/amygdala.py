"""A small amygdala: a loud sudden sound, or pain, becomes one signal of alarm."""

from __future__ import annotations

from circuits._checks import counts, fan_in, not_negative
from circuits.circuit import Circuit, Port, Sourced, circuit
from neuro.model import variant
from neuro.models import LIF
from neuro.network import Uniform
from neuro.synapses import EXPONENTIAL_CONDUCTANCE
from neuro.units import Conductance, Time, ms, mV, nS
from neuro.wiring import FixedInDegree, Pairwise

# The membrane is that of Vlachos et al. 2011, PLoS Comput Biol 7:e1001104 (`LIF`'s default):
# 250 pF, 16.7 nS, rest and reset -70, threshold -50 mV, 2 ms refractory. The spread of
# thresholds is an engineering choice: no two cells alike.
THRESHOLD = Uniform(mV(-52), mV(-48))

SYNAPSES = "engineering choice, in place of the alpha conductance of Vlachos et al. 2011"
AMPA = variant(
    EXPONENTIAL_CONDUCTANCE, name="ampa", source=SYNAPSES,
    parameters={"tau": ms(3), "E_rev": mV(0)},
)  # fmt: skip
GABA = variant(
    EXPONENTIAL_CONDUCTANCE, name="gaba", source=SYNAPSES,
    parameters={"tau": ms(8), "E_rev": mV(-80)},
)  # fmt: skip

EXCITATORY = Sourced(160, range=(160, 3400), source="Vlachos et al. 2011: 3400, scaled down")
INHIBITORY = Sourced(30, range=(30, 600), source="Vlachos et al. 2011: 600, scaled down")

# Vlachos et al. give p and w for 3400 + 600 cells and an alpha conductance of 0.326 ms. With 20
# times fewer cells, weights are such that the charge per source cell's spike, summed over a
# target's synapses, stays: K * w * e * 0.326 ms there equals K * w * tau here.
P_EE, P_EI, P_IE, P_II = 0.05, 0.15, 0.15, 0.10  # E->E there: .01, which leaves 2 inputs of 160
W_EE, W_EI, W_IE, W_II = nS(1.6), nS(7.8), nS(5.5), nS(5.5)
SOUND_FAN_IN = 40  # engineering choice; all there are, of fewer
LOCAL = ms(2)  # delay, Vlachos et al. 2011: 2 +- 0.1 ms


@circuit
def amygdala(
    sound: Port,
    pain: Port,
    *,
    n_excitatory: int = EXCITATORY,
    n_inhibitory: int = INHIBITORY,
    n_central: int = 60,
    sound_fan_in: int = SOUND_FAN_IN,
    sound_weight: Conductance = nS(1.2),
    sound_to_inhibitory: Conductance = nS(6),
    pain_weight: Conductance = nS(10),
    sound_delay: Time = ms(8),
    pain_delay: Time = ms(20),
) -> Circuit:
    """Lateral and basal amygdala and the central nucleus they drive.

    What makes it answer to a sudden loud sound and not to a steady or a growing one is
    feed-forward inhibition: sound reaches the inhibitory cells as early as the excitatory ones
    and more strongly, and their inhibition closes a window some milliseconds after the onset.
    Only a volley of many afferents within that window lifts the excitatory cells to threshold
    (Lang & Paré 1997, J Neurophysiol 77:341: disynaptic inhibition of lateral amygdala cells).
    Pain reaches the central nucleus directly, by way of the parabrachial nucleus (Neugebauer, Li,
    Bird & Han 2004, Neuroscientist 10:221).

        sound --AMPA--> excitatory --AMPA--> central <--AMPA-- pain
        sound --AMPA--> inhibitory --GABA--> excitatory
        excitatory <-> inhibitory, each onto itself (Vlachos et al. 2011)

    Args:
        sound: Fast auditory cells. They stand for the thalamic short cut, two synapses further
            on: `sound_delay` is what is missing to the shortest latencies of the lateral
            amygdala, 12 ms (Quirk, Repa & LeDoux 1995, Neuron 15:1029).
        pain: Projection cells of the dorsal horn; `pain_delay` is their way up.
        n_excitatory, n_inhibitory: Cells of the lateral and basal nuclei.
        n_central: Output cells of the central nucleus. Engineering choice.
        sound_fan_in: Auditory cells that reach one amygdala cell. Engineering choice. The
            default is all of them if there are fewer.
        sound_weight, sound_to_inhibitory, pain_weight: Peak conductances. Engineering choices:
            set so that a volley, not a rate, opens the gate.
    """
    counts(
        "amygdala", n_excitatory=n_excitatory, n_inhibitory=n_inhibitory, n_central=n_central,
        sound_fan_in=sound_fan_in,
    )  # fmt: skip
    not_negative(
        "amygdala", sound_weight=sound_weight, sound_to_inhibitory=sound_to_inhibitory,
        pain_weight=pain_weight,
    )  # fmt: skip
    net = Circuit("amygdala")
    excitatory = net.add("amygdala_excitatory", LIF, n_excitatory, parameters={"V_th": THRESHOLD})
    inhibitory = net.add("amygdala_inhibitory", LIF, n_inhibitory, parameters={"V_th": THRESHOLD})
    central = net.add("central_amygdala", LIF, n_central, parameters={"V_th": THRESHOLD})

    heard = fan_in("amygdala", "sound_fan_in", sound_fan_in, SOUND_FAN_IN, sound.n, "sound's cells")
    hears = FixedInDegree(heard)
    for cells, weight in ((excitatory, sound_weight), (inhibitory, sound_to_inhibitory)):
        net.connect(sound, cells, rule=hears, synapse=AMPA, weight=weight, delay=sound_delay)
    for pre, post, p, weight, synapse in (
        (excitatory, excitatory, P_EE, W_EE, AMPA),
        (excitatory, inhibitory, P_EI, W_EI, AMPA),
        (inhibitory, excitatory, P_IE, W_IE, GABA),
        (inhibitory, inhibitory, P_II, W_II, GABA),
    ):
        net.connect(pre, post, rule=Pairwise(p), synapse=synapse, weight=weight, delay=LOCAL)
    # Engineering choice: a central cell needs some thirty spikes within a few milliseconds, one
    # from most of its 40 inputs.
    net.connect(excitatory, central, rule=Pairwise(0.25), synapse=AMPA, weight=nS(1.5), delay=LOCAL)
    net.connect(
        pain, central, rule=Pairwise(0.5), synapse=AMPA, weight=pain_weight, delay=pain_delay
    )
    return net.with_outputs(excitatory=excitatory, inhibitory=inhibitory, central=central)
