"""Reasoning over sensed tokens: the Tiny Recursive Model, its losses, halting and modulation.

- `trm`: the model: one network, recursions, answer head, halt head
- `losses`: stablemax cross-entropy, halting loss
- `halting`: slots that halt and are refilled; answering within a budget
- `ema`: the running average that is evaluated
- `modulation`: a neuromodulator's factor on the budget
"""
