"""Side by side with the official SDK, in one run: `scripts/benchmark`. Nothing leaves this machine."""
