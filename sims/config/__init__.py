"""Experiment files: read, checked against a typed schema, with one-line errors."""
