"""What is compared: the network as it should be trained, and what each part of it is worth."""

from __future__ import annotations

from dataclasses import dataclass

from bridges.spiking.recurrent import TRAINABLE
from sims.train.speech.heard import Heard, Items

__all__ = ["ARMS", "Arm"]


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        title: What a picture says.
        trainable: What learns.
        timed: Whether spikes keep their timing; if not, in training (anew in every epoch) and in
            tests alike.
        true_labels: Whether training sees the right digits; tests always do.
    """

    name: str
    title: str
    trainable: tuple[str, ...] = TRAINABLE
    timed: bool = True
    true_labels: bool = True

    def train(self, heard: Heard, *, seed: int) -> Items:
        """What it is trained on."""
        items = self.tested(heard, heard.train, seed=seed)
        return items if self.true_labels else items.shuffled_labels(seed=seed)

    def tested(self, heard: Heard, items: Items, *, seed: int) -> Items:
        """Sounds as it hears them."""
        return items if self.timed else items.scrambled(heard.n_steps, seed=seed)


ARMS = {
    arm.name: arm
    for arm in (
        Arm("trained", "all weights trained"),
        Arm("frozen", "hidden layer as drawn, readout trained", ("answered.weight",)),
        Arm("untimed", "trained on spike counts", timed=False),
        Arm("shuffled", "trained on shuffled labels", true_labels=False),
    )
}
"""`trained` first; each of the others lacks one thing."""
