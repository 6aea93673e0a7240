"""Learns and evaluates the fusion that decides whether an animal is in a burst (`uncia.camtrap.presence`)."""
