"""Rows of features on disk: a cache by content, and the mapped file of one training run."""
