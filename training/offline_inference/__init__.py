"""Offline inference: score image files with a model package, by the code and from the frames of the stream."""
