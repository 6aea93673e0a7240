"""How good a model is, and how sure one may be of that. Plain numpy: nothing here knows where an answer came from."""
