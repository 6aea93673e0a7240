"""What Triton serves, and the recipes that make it."""
