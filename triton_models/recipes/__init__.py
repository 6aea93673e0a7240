"""Recipes: each makes one model of Triton's repository, whole, and the same each time."""

SHARED_MODULES = (
    "imaging/frame_spec.py",
    "imaging/frames.py",
    "serving/base_card.py",
    "serving/detector_card.py",
    "serving/labels.py",
    "serving/model_card.py",
    "serving/model_versions.py",
    "serving/self_tests.py",
    "triton_models/triton_config.py",
)
"""Files below `uncia/` that determine what a recipe builds, apart from the recipes: a change rebuilds the models."""
