"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Seconds are no property of the code: beside the engine's tests, two processors are never idle.
settings.register_profile("slipway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slipway")
