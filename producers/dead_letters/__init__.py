"""`uncia dead-letters`: look at what could not be processed, send it back, or put it away."""
