"""What people change while it runs."""
