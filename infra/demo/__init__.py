"""Plays photographs into a stack of its own and accounts for every one of them."""
