"""Is it safe: from a phase and two Snapshots to a Proof; from two revisions to Findings. Pure."""
