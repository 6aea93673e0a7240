"""Serving: the Triton client, model cards, label sets and installed versions."""
