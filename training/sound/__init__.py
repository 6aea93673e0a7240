"""Trains audio classifiers on folders of recordings, and synthesises calls for trying that out."""
