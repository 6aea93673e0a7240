"""Photographs: JPEG structure, EXIF, maker notes, capture times, and the frames that models see."""
