"""Spoken digits told apart by a spiking network that learns by surrogate gradients.

- `task`: the voices, those that train, those that choose and those that test
- `heard`: their digits as frames of spikes of the auditory nerve
- `arms`: what is compared; `settings`: studies by name
- `trial`: one training, kept after every epoch; `transfer`: what came of it on another back end
- `run`: all trainings of a study; `summary`: their means and intervals
"""
