"""One suite for every worker's agent, which runs on an in-memory broker (tests/unit) and on Kafka (tests/stack)."""
