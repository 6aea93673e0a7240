"""The differences between a replay and the live system as one self-contained page."""
