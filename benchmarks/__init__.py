"""Every figure in the docs comes out of here: `make bench`."""
