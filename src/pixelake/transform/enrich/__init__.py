"""What is added to an event, a file each."""
