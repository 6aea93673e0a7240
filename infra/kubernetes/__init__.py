"""The Helm chart `chart/`, and the part of it that follows from the topology (docs/kubernetes.md)."""
