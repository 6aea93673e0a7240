"""Reads the result topics and shows them to people: live in a terminal, and as pages."""
