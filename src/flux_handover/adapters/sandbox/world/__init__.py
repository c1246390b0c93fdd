"""What lies outside a cluster, on loopback: Git hosts, registries, and the proxy that leads to them."""
