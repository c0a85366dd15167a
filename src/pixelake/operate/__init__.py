"""What crosses the stages."""
