"""Delivery of alerts to people and to other systems: an outbox, and one sender per channel."""
