"""The command line: each verb fetches, calls the core, and writes what it says."""
