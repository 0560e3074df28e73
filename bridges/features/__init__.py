"""Spikes into tensors.

- `counts`: spikes per time bin and channel, what survives when timing is thrown away
- `phase`: the same spikes split by where they fall in a reference oscillation
- `intervals`: all-order interspike intervals, in which the pitch piles up
- `pitch`: the rhythm a population keeps to, and how steady it is from cycle to cycle
- `tokens`: all of these as the tokens a reasoner reads
- `surrogate`: spikes with the same counts and no timing, the control of all the above
"""
