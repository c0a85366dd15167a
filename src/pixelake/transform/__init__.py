"""Batch -> events and rejects."""
