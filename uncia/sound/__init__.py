"""Sound recordings: reading them as a stream, cutting windows, and drawing spectrograms. No Kafka, store or network."""
