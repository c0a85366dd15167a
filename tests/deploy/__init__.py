"""Tests of what is beside the program: containers, and recipes for what stands in front of it."""
