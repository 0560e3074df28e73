"""A model in training: everything that changes from step to step, and how it changes.

- `trainer`: `advance` and `state`; `processes`: several trainers as one; `device`: CPU or GPU
- `source`: where items come from; `trees`: rows of batches and carries; `untrained`: the start
- `optimizer`, `atan2`: AdamW and AdamATan2; `schedule`: the learning rate
- `checkpoint`: all of a training's state in one file; `non_finite`: where numbers ended
"""
