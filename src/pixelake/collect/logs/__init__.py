"""What other servers wrote down of requests, made hits of."""
