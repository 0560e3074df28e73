"""Learning what spikes mean.

- `task`: what a training on spikes does in a session; `arms`: what each of its models is denied
- `tensors`: data sets as scaled tokens; `source`, `sampler`: their items, in which order
- `asked`: what a reasoner answers; `model`: it in a file; `results`: what is written of a training
"""
