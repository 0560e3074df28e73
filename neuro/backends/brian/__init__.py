"""Reference back end: the same text as Brian2 NeuronGroups and Synapses."""
