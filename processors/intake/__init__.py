"""From what the store says to `camera.image.uploaded.v1`."""
