"""Kafka for programs that are not Faust workers: create topics, read and send messages, compute partitions."""
