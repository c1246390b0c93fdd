"""Scheduler and kubelet in one: pods are bound, reported and, where we have their program, run."""
