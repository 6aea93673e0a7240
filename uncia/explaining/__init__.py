"""Explains a class score of a photograph: which parts of the picture raise it, and boxes around these parts.

Pure: pixels and a scoring function in, weights and boxes out. The function that scores the perturbed pictures (by
Triton, an ONNX session, a test) is an argument. Needs NumPy, scikit-image and scikit-learn (the extras `processors` and
`models`).
"""
