"""Kafka for clients that are not Faust workers: topics, partitions, reading and sending."""
