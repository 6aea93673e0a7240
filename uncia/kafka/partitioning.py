"""The partitioner of camera topics: murmur2 of the camera id, as in Kafka's Java client."""

from kafka.partitioner.default import murmur2


def partition_of(camera: str, partitions: int) -> int:
    """Return the partition of a camera, 0 to `partitions` - 1; equal in the Java client, kafka-python and aiokafka."""
    return int(murmur2(camera.encode()) & 0x7FFFFFFF) % partitions
