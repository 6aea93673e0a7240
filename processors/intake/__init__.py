"""From what the store says to `camera.image.uploaded.v1`, or `camera.image.backfilled.v1`."""
