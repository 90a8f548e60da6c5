"""Questions to the real service that nobody documents; docs/live-tests.md says how to ask them."""
