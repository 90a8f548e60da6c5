"""Servers and other helpers that tests are built on."""
