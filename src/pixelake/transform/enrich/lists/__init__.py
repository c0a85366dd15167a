"""Lists that enrichers know things from. A file of the same name in the user's folder stands in for one of them."""

from importlib import resources
from pathlib import Path

from pixelake.errors import SettingsError


def load(name: str, folder: Path | None = None) -> str:
    """The text of a list: the user's own if the folder has it, else the one that comes with pixelake.

    Args:
        name: of the file, for instance ``referrers.txt``.
        folder: the user's lists; it need not exist.

    Raises:
        SettingsError: the user's file is there and cannot be read.
    """
    if folder is not None:
        path = folder / name
        try:
            if path.exists() and not path.is_file():
                raise SettingsError(f"{path} is no file", "put a text file there, or nothing")
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            pass
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(f"cannot read {path}: {why}", "mend the file, or take it out of the folder") from error
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
