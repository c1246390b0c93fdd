"""What is there: from a tree of files to a Snapshot. Pure."""
