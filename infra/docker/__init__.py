"""The system in containers: our image, what the other images are given, how each is asked for its health."""
