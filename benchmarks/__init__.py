"""Produces every figure in the documentation; `make bench` runs the main benchmark."""
