"""What to do: from a Snapshot and a Target to a Plan. Pure."""
