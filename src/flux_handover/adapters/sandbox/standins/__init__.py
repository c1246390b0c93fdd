"""What stands in for what a sandbox cannot have: CRDs, secrets, charts and remote sources.

Everything here is listed for the report: a rehearsal that stood something in says so.
"""
