"""Linear models over rows of features that need not fit into memory."""
