"""The embedded stack: every part of Uncia as a process of this machine, on loopback, without a container engine."""
