"""Finds or installs a Chromium for the browser tests: the system's, else Debian's package, else Playwright's own.

Run by `make test` before pytest. Where none can be had the browser tests skip and say how to get one; with
PITCHPIPE_REQUIRE_BROWSER set (as in CI) this program fails instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ADVICE = "Install one: apt-get install chromium, or python -m playwright install chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of a Chromium that is on this machine, or None."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
    return next((str(path) for path in sorted(cache.glob("chromium-*/chrome-linux*/chrome"))), None)


def install_chromium() -> None:
    """Tries Debian's package (as root), then Playwright's own download; both may fail quietly."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=sys.stderr)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu"]
        subprocess.run(command, check=False, stdout=sys.stderr)
    if find_chromium() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, stdout=sys.stderr)


def main() -> int:
    """0 when the tests may go on, 1 when a browser is required and none can be had."""
    if find_chromium() is None:
        install_chromium()
    found = find_chromium()
    print(f"Chromium for browser tests: {found or 'none. ' + ADVICE}", file=sys.stderr)  # noqa: T201
    return 1 if found is None and os.environ.get("PITCHPIPE_REQUIRE_BROWSER") else 0


if __name__ == "__main__":
    sys.exit(main())
