"""``python -m pixelake`` is the command line."""

from pixelake.cli import main

if __name__ == "__main__":
    main()
