"""Sensing that a model asks for, served by the circuits: the ear is run again for each request.

- `zoom`: what the ear is set to for a request: places, fibres, window and lead-in
- `listening`: the ear so set hears the end of a sound; its spikes become tokens
- `ear`: hears sounds by name, and keeps what it lately heard
- `live`: `LiveSensor`, the sensor of `bridges.language.sensing.look`
- `of_dataset`: the sensor over the sounds of a spike data set
- `recent`: recent answers, within a size
"""
