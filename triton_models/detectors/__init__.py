"""ONNX graphs of detectors: boxes, scores and categories of a frame, with preparation and suppression inside.

Every graph takes FRAME, uint8 (B, height, width, 3) RGB, and returns `BOXES_PER_FRAME` boxes per frame, best first:
BOXES float32 (B, N, 4) as x, y, width, height in shares of the frame, SCORES float32 (B, N), and CATEGORIES int32
(B, N), indices into `CATEGORIES`. Rows without a detection have score 0.
"""

BOXES_PER_FRAME = 32
"""N: boxes that a graph returns per frame."""

CATEGORIES = ("animal", "person", "vehicle")
"""The meaning of the indices in the output CATEGORIES."""
