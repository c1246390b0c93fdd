"""Do it: interpreters of a proved plan."""
