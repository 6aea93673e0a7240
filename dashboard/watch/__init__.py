"""Burst verdicts live in a terminal."""
