"""Harvests, from searches to the dataset, against a local server."""
