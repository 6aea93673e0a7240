"""Rows of features on disk: a cache by content, and the memory-mapped table of one training run."""
