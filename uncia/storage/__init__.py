"""Storage: S3 objects and their keys, and files that survive a power cut."""
