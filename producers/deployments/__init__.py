"""Reads deployments, the places and times of cameras, from a Camtrap DP `deployments.csv` and publishes them."""
