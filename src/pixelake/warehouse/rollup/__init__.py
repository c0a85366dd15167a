"""What was counted of days that are over: kept beside the lake, made of it, and never believed where it may be wrong."""
