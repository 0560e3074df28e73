"""Measures of spike trains, each in the form its field publishes. Only numpy is loaded here."""

from __future__ import annotations

from neuro.measures.circular import CircularLinear, circular_linear, circular_mean
from neuro.measures.grid import autocorrelogram, gridness
from neuro.measures.information import entropy, mutual_information, shuffled_information
from neuro.measures.intervals import interval_cv, intervals
from neuro.measures.phase import phases, rayleigh_p, vector_strength
from neuro.measures.rates import Psth, first_spikes, psth
from neuro.measures.siegert import BalancedNetwork, siegert_rate
from neuro.measures.space import RateMap, positions_at, rate_map, skaggs_information
from neuro.measures.synchrony import count_synchrony

__all__ = [
    "BalancedNetwork", "CircularLinear", "Psth", "RateMap", "autocorrelogram", "circular_linear",
    "circular_mean", "count_synchrony", "entropy", "first_spikes", "gridness", "interval_cv",
    "intervals", "mutual_information", "phases", "positions_at", "psth", "rate_map", "rayleigh_p",
    "shuffled_information", "siegert_rate", "skaggs_information", "vector_strength",
]  # fmt: skip
