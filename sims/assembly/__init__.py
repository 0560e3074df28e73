"""From a checked config to a network that only has to be simulated.

`stimulus` encoders -> spikes and signals · `circuits` registered circuits, in order of their
inputs · `written` populations and projections written out in the config · `modulation`
transmitters, receptors, effects · `experiment` all of it together
"""

from sims.assembly.experiment import Experiment, build_experiment, check_experiment, place_of

__all__ = ["Experiment", "build_experiment", "check_experiment", "place_of"]
