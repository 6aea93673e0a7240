"""One module per way in which people keep labelled pictures."""
