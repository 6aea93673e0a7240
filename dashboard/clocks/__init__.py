"""What is thought of each camera's clock, as a table."""
