"""Simulated camera stations: bursts of photographs whose truth is known.

Planning, camera metadata, upload files and `truth.json` are here; pixels come from a `RenderFrame` function that the
caller injects, since producers do not import the renderer of `uncia.training.scenes`.
"""
