"""Dead letters: messages that could not be processed; read them, retry them, or drop them."""
