"""End offsets of a topic's partitions."""

from kafka import TopicPartition
from kafka.admin import OffsetSpec

from uncia.kafka.connection import connect_admin
from uncia.settings import Settings
from uncia.topics import Topic


def end_offsets(settings: Settings, topic: Topic) -> dict[int, int]:
    """End offset by partition: how many messages were ever written, including compacted and expired ones."""
    admin = connect_admin(settings)
    try:
        partitions = [TopicPartition(topic.full_name(settings), number) for number in range(settings.partitions)]
        offsets = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        return {partition.partition: found.offset for partition, found in offsets.items()}
    finally:
        admin.close()
