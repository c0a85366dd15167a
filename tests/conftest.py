"""What holds for all tests."""

from hypothesis import settings

# A time limit for each example fails on busy machines, and on the first example, which loads what is loaded once.
settings.register_profile("pixelake", deadline=None)
settings.load_profile("pixelake")
