"""From a trained network to a model package: calibration, evaluation, export, and the HTML card."""
