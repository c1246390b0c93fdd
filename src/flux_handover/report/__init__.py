"""What the user reads: plans, proofs and findings as text, JSON, Markdown and SARIF."""
