"""What commands make beside a server, or without one, is for its owner alone, as what `serve` makes is."""

import subprocess
import sys
from pathlib import Path

LINE = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 43 "-" "Mozilla/5.0"\n'


def test_nobody_else_may_read_what_a_command_made(tmp_path: Path) -> None:
    """Hits, salts and secrets, in a folder that others may enter, under the usual umask."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    (tmp_path / "log").write_text(LINE)
    what = [tmp_path / "log", "--format", "combined", "--site", "a.example", "--all", "--data", data]
    command = [sys.executable, "-m", "pixelake", "import", *map(str, what)]
    subprocess.run(command, check=True, umask=0o022, capture_output=True)
    assert (data / "registry" / "registry.sqlite").exists()
    assert list(data.rglob("*.parquet"))
    assert not [path for path in data.rglob("*") if path.stat().st_mode & 0o077]
