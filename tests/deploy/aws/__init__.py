"""The stacks on AWS, synthesised."""
