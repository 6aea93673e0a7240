"""The partition of a camera: murmur2 of the camera id, as in Kafka's own clients."""

from kafka.partitioner.default import murmur2


def partition_of(camera: str, partitions: int) -> int:
    """Partition of a camera, 0 to `partitions` - 1: the same in Java, kafka-python and aiokafka."""
    return int(murmur2(camera.encode()) & 0x7FFFFFFF) % partitions
