"""Events -> table -> rows."""
