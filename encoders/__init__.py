"""Encoders: sounds, heat and movement become spikes and signals.

- `encoders.cochlea`: `auditory_nerve`, from sound to the spikes of auditory nerve fibres
- `encoders.heat`: `heat_fibres`, from skin temperature to Aδ and C fibres
- `encoders.navigation`: `arena_path`, where an animal is
- `encoders.sound`: recordings and their level
- `encoders.voice`: speakers, calm and distressed; `encoders.source_filter`: how they are voiced
- `encoders.encoding`: what an encoder returns, and their registry
"""

from encoders.cochlea.nerve import auditory_nerve
from encoders.encoding import ENCODERS, Encoding, SpikeOutput, encoder
from encoders.heat import heat_fibres
from encoders.navigation.path import arena_path

__all__ = [
    "ENCODERS", "Encoding", "SpikeOutput", "arena_path", "auditory_nerve", "encoder",
    "heat_fibres",
]  # fmt: skip
