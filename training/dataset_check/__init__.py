"""Check a dataset: files that cannot be read, duplicates, rare classes, and labels that look wrong."""
