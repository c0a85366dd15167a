"""Rows -> JSON, chart."""
