"""Asking a model package about photographs whose truth is known, by the code and the frames of the stream."""
