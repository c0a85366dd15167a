"""Hit -> durable -> Batch."""
