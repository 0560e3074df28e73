"""Labelled sounds as spike data sets, built once and kept.

- `labelled`: what a source offers: sounds with a label, a speaker and a split
- `voices`, `digits`: the sources: the embedded synthesiser; `espeak` and recordings
- `build`: from sounds to spikes, item by item, resumable
- `spike_dataset`: the file: ragged HDF5 in the layout of the Spiking Heidelberg Digits
- `items`: items of data sets and of runs, each read when it is asked for
- `loading`: batches of items for a training, read ahead
"""
