"""The protocols that trackers speak."""
