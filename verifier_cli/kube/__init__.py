"""Pure Kubernetes shapes."""
