"""A disposable Kubernetes control plane with the real Flux controllers, as plain processes.

No container runtime, no network but loopback, no contact with the user's cluster: what a
rehearsal deletes, it deletes here. `binaries` finds the programs, `control` runs the control
plane, `pods` is scheduler and kubelet in one, `world` serves the Git and OCI addresses that
the user's files name, `objects` makes what is missing around them.
"""
