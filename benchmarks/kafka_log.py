"""How much stands on a topic."""

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec

from uncia.settings import Settings
from uncia.topics import Topic


def messages(settings: Settings, topic: Topic) -> dict[int, int]:
    """By partition, how many messages were ever written; compacted and expired ones count."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka.split(","))
    try:
        parts = [TopicPartition(topic.full_name(settings), each) for each in range(settings.partitions)]
        found = admin.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.LATEST))
        return {part.partition: each.offset for part, each in found.items()}
    finally:
        admin.close()
