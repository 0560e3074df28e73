"""The engine: equations, networks, back ends, recordings. Imports no other room."""
