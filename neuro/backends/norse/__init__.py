"""Networks in PyTorch, with gradients: StepPrograms as torch steps in Norse's functional style.

cells       one population's step: states, threshold, deliveries, reset
surrogate   the threshold's gradient, by Norse's names
adapter     a population as a cell among Norse's own, in SequentialState and Lift
fused       all steps of a layer in one call on the CPU, forward and back
lif         Norse's own LIF as an Ember model
random      the numba back end's random numbers, as tensors
"""
