"""The dashboard: server-rendered pages of the catalogue, their JSON twins, and a live stream of changes."""
