"""Puts things on topics and photographs into the store."""
