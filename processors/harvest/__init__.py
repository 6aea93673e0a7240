"""Downloads pictures of public sources for harvests that run elsewhere."""
