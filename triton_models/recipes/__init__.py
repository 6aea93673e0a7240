"""Recipes: each makes one model of Triton's repository, whole, and the same each time."""
