"""Model packages: load, write and validate a folder of graph, card and labels."""
