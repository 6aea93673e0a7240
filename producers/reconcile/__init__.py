"""Finds stored photographs that nobody announced, and announces them."""
