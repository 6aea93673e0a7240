"""Ensembles: several models and views in one ONNX graph, and stacking over the frames of a burst."""
