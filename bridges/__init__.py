"""From spikes to the reasoning stack: features and models in PyTorch. Imports only `neuro`."""
