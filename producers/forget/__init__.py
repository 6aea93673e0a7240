"""Removes photographs and what was derived from them, from the store and the topics."""
