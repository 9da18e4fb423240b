"""Slipway: invoke tasks that build, prove, measure and clean a monorepo's container images."""
