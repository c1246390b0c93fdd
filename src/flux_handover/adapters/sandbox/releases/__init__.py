"""What registries hold for Flux: its manifests, the operator's, and release charts of our own."""
