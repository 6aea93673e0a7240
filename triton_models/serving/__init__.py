"""Code that runs inside Triton, in Triton's own Python: copied into the repository, it imports nothing of Uncia."""
