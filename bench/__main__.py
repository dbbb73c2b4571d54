"""All benchmarks, one after another, printed and written to ``bench/RESULTS.md``.

Run it with ``python -m bench``. Each compares with its peers in the same run; the ratios carry over
to other machines, the seconds do not.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

PARTS = {
    "decode": "Decoding an hour",
    "planning": "Levels, pauses and plans of an hour",
    "imports": "Importing",
    "panels": "Panels in JupyterLab",
    "reading": "Reading a long transcript in JupyterLab",
    "jobs": "Jobs",
    "models": "Models on a CPU",
}


def main() -> int:
    """Run every part; return the exit status."""
    told = [
        "# Results",
        "",
        f"`make bench` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}. "
        "Medians; each table's peers ran in turn in the same run.",
    ]
    for part, title in PARTS.items():
        print(f"\n## {title}\n", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{part}"], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        if done.returncode:
            return done.returncode
        told += ["", f"## {title}", "", done.stdout.strip()]
    Path(__file__).with_name("RESULTS.md").write_text("\n".join(told) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
