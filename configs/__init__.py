"""Experiments that come with Ember, run by name: `ember run startle`."""
