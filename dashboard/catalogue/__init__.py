"""The catalogue: a database that a worker keeps equal to the result topics, and its queries."""
