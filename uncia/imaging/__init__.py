"""Photographs: JPEG structure, EXIF, maker notes, capture times, and the input frames of models."""
