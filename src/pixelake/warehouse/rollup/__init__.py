"""What was counted of days that are over: kept beside the lake, made of it, not believed where it may be wrong."""
