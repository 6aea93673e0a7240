"""Crops: from settled bursts to JPEGs of the animals in them, `camera.crop.published.v1`.

- `selection`: which boxes of a burst get a crop; pure;
- `cutting`: a photograph and a box to the JPEG; pure;
- `manifest`: which crops of a burst are in the store, kept there with them;
- `publication`: the difference between the two, carried out;
- `worker`: the loop.
"""
