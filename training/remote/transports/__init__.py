"""Ways to run a command on another machine: OpenSSH, a container engine, Kubernetes. All of them by their own clients."""
