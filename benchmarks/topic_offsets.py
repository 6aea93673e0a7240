"""End offsets of a topic's partitions."""

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec

from uncia.settings import Settings
from uncia.topics import Topic


def end_offsets(settings: Settings, topic: Topic) -> dict[int, int]:
    """End offset by partition: how many messages were ever written, including compacted and expired ones."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka.split(","))
    try:
        partitions = [TopicPartition(topic.full_name(settings), number) for number in range(settings.partitions)]
        offsets = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        return {partition.partition: found.offset for partition, found in offsets.items()}
    finally:
        admin.close()
