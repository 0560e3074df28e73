"""A spiking network that learns by surrogate gradients, and is a network of Ember again.

- `recurrent`: the network: input, adapting cells that excite and inhibit each other, a readout
- `frames`: spikes on a time grid, and the same spikes with their timing destroyed
- `classifier`: any network of such parts as a module: frames in, one number a class out
- `fitting`: its training, which can be saved between two epochs and go on bit for bit
- `written_back`: the network with the values it has learned, for any back end
"""
