"""Features of photographs: backbones, what a network sees of a photograph, and rows of features on disk."""
