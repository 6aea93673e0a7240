"""From an upload to `camera.image.predicted.v1`: one read, one decode, one inference request to Triton.

- `image_loading` and `capture`: the photograph, its metadata and its pixels;
- `live_model`, `prediction`: the active model version, and what its scores mean;
- `inference`: photographs to Triton and its results to events;
- `ordered_pipeline`, `recent_ids`: many at once, published in order, repetitions skipped;
- `worker`, `backfill`, `shadow`: the workers of each lane.
"""
