"""What the commands in tools/ are made of; run by path, never installed."""
