"""Detectors: boxes for photographs that have none, and a detector that is trained on boxes."""
