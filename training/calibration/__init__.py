"""Thresholds and calibration of a package's classes, fitted on bursts that its model was not trained on."""
