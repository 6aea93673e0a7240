"""How good a model is, and how certain that figure is. NumPy arrays in, numbers out: independent of any model."""
