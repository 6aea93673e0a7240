"""Thresholds and calibration of a package's classes, learnt on bursts that its model was not trained on."""
