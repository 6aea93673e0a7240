"""Features of photographs: backbones, the inputs that they see, and rows of features on disk."""
