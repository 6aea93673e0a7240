"""From an upload to `camera.image.predicted.v1`: one read, one decode, one question to Triton."""
