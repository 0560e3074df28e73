"""Spikes into tensors.

    counts      spikes per time bin and channel: what survives when timing is thrown away
    phase       the same spikes split by where they fall in a reference oscillation
    intervals   all-order interspike intervals: the pitch period and how steadily it repeats
    surrogate   spikes with the same counts and no timing, the control of all the above
"""
