"""Time of ``%load_ext nbasr`` (with ``import nbasr``) against ``import numpy``, in fresh processes.

Run it with ``python bench/imports.py``. The two are measured in turn: a busy machine slows both.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

LIMIT = 2.0
"""Most that loading the extension may take, in times of ``import numpy``."""

NUMPY = """
import time
before = time.perf_counter()
import numpy
print(time.perf_counter() - before)
"""

EXTENSION = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = time.perf_counter()
shell.run_line_magic("load_ext", "nbasr")
print(time.perf_counter() - before)
"""


def seconds(code: str) -> float:
    """Run code that prints its time in a fresh process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure(runs: int) -> tuple[float, float]:
    """Return the medians for ``import numpy`` and ``%load_ext nbasr``, in seconds."""
    seconds(NUMPY), seconds(EXTENSION)  # the first run reads the disk
    pairs = [(seconds(NUMPY), seconds(EXTENSION)) for _ in range(runs)]
    numpy, extension = zip(*pairs, strict=True)
    return statistics.median(numpy), statistics.median(extension)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="fresh processes each (default: 9)")
    numpy, extension = measure(parser.parse_args().runs)
    ratio = extension / numpy
    print("| what | median | ratio |")
    print("|---|---|---|")
    print(f"| `import numpy` | {numpy * 1000:.0f} ms | 1 |")
    print(f"| `import nbasr` and `%load_ext nbasr` | {extension * 1000:.0f} ms | {ratio:.2f} |")
    print(f"\n{'reached' if ratio <= LIMIT else 'MISSED'}: at most {LIMIT:g} × `import numpy`")


if __name__ == "__main__":
    main()
