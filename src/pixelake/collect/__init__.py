"""Request -> Hit: the pixel, answered when the hit is durable."""
