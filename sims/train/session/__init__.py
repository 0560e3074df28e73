"""One training from beginning to end, whatever it learns.

- `run`: claim the folder, go on or begin, stop or conclude; `task`: what is learned, and in what
- `course`: one model's steps, its curve, its checkpoints
- `folder`: the files, and whose they are; `interrupt`: ctrl-C and SIGTERM between two steps
- `stage`: what is shown meanwhile; `tensorboard`: the curve elsewhere
"""
