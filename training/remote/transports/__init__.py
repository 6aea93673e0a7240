"""Ways to run a command on another machine: OpenSSH, a container engine, Kubernetes; all by their own clients."""
