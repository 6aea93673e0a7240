"""Labelled pictures: read, drawn, checked, split, and turned into what a model sees."""
