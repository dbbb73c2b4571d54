"""Files that hold the same bytes: which of two is kept, whether there is sound in one at all."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Collection
from pathlib import Path

from nbasr.audio.recording import probe
from nbasr.errors import NbasrError


def older_copy(path: Path, leaving_out: Collection[Path | None]) -> Path | None:
    """Return another file of the same folder that has the same bytes and was there before.

    Two panels may ask this of each other's files at the same moment: never are both told of the
    other.
    """
    try:
        mine = _age(path)
        size = path.stat().st_size
        with os.scandir(path.parent) as entries:
            found = [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".")
                and entry.is_file(follow_symlinks=False)
                and entry.stat().st_size == size
            ]
        for other in sorted(found):
            if other in leaving_out or _age(other) >= mine:
                continue
            if filecmp.cmp(path, other, shallow=False):
                return other
    except OSError:  # a file that is gone meanwhile, or not for us to read: then both stay
        pass
    return None


def holds_sound(path: Path) -> bool:
    """Tell whether there is sound in a file: then it is kept, whatever else went wrong."""
    try:
        probe(path)
    except NbasrError:
        return False
    except Exception:  # nobody knows what is in it
        return True
    return True


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name
