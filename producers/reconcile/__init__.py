"""Finds stored photographs whose notification was lost, and announces them."""
