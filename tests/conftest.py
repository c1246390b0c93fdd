"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How fast an example is made says something of the machine, not of the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
