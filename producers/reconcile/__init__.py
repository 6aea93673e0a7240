"""Finds stored photographs and status reports whose notification was lost, and announces them."""
