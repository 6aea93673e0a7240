"""Trains an audio classifier on folders of sound recordings.

- `folders`: recordings by class, and who recorded them.
- `splitting`: recordings for training, for thresholds and for the test; no recording is on two sides.
- `examples`: the windows of recordings, as power in mel bands.
- `augmentation`: shifts in time and pitch, mixtures and noise. Pure.
- `network`: a small convolutional network, and its training.
- `evaluation`: thresholds, and figures on recordings that were held back. Pure.
- `recipe`: from a folder to a package.
- `synthesis`: recordings of species that do not exist, for demonstrations and tests. Pure.
"""
