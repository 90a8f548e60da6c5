"""Benchmarks of this package and the official SDK in one run, over loopback only: `scripts/benchmark`."""
