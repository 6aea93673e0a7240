"""Runs the parts: the embedded stack, containers, the demo."""
