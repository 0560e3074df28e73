"""Fast CPU back end: one generated, cached kernel per network.

`cells` prints a population's code · `printer` the network's loop · `layout` its arrays ·
`kernel` and `random` are the fixed parts · `engine` compiles and runs
"""
