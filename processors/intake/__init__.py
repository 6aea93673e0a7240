"""From notifications of the store to `camera.image.uploaded.v1`, or `camera.image.backfilled.v1`."""
