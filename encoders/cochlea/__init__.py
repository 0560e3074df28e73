"""The ear: gammatone filters, hair cells, adapting synapses, auditory nerve."""

from encoders.cochlea.nerve import auditory_nerve, auditory_nerve_spikes

__all__ = ["auditory_nerve", "auditory_nerve_spikes"]
