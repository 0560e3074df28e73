"""Spikes into tensors.

Each feature has two forms. `counts(spikes, …)` takes stored `Spikes`, by their times themselves;
`counts_of(raster, …)` takes what a network in torch gives out, time first, and lets gradients
through. For spikes on the raster's grid both are the same numbers.

- `counts`: spikes per time bin and channel, what survives when timing is thrown away
- `phase`: the same spikes split by where they fall in a reference oscillation
- `latency`: when a channel first fires in each bin
- `intervals`: from spike to spike, next or any later, in which the pitch piles up
- `traces`: exponentially fading memory of past spikes
- `synchrony`: which channels fire together, however much they fire
- `windows`: looks into the past whose place and width are learned
- `pitch`: the rhythm a population keeps to, and how steady it is from cycle to cycle
- `tokens`: several of these as the tokens a reasoner reads
- `batch`: the spikes of several items, flat
- `surrogate`: spikes with the same counts and no timing, the control of all the above
"""
