"""The stages as functions of AWS Lambda."""
