"""Servers and other helpers that tests are built on."""

#: Real seconds after which something hangs: long enough for a busy machine, and within the timeout of a test.
HANGS_AFTER = 120
