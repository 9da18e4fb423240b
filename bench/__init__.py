"""What docs/performance.md reports: ratios, both sides of each measured in one run."""
