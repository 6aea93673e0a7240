"""Looks a data set over: files that cannot be read, copies, classes that are hardly there, labels that look wrong."""
