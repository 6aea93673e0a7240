"""Configuration of other programs' clients: what `uncia connect` prints, and how it tries the connections."""
