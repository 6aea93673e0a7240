"""Shared by all self-contained pages: the base template, thumbnails, and the check of a thumbnail's content."""
