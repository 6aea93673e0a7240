"""The system in containers: Uncia's images, the files mounted into the other images, and the health checks."""
