"""How fast flux-handover is, in ratios to other tools on the same trees, and how it grows with a repository."""
