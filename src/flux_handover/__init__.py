"""Move a GitOps repository from a hand-installed Flux to the Flux Operator, with proof."""

__version__ = "0.1.0"
