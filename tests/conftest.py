"""What every test shares: an empty cache of its own, no model hub, the small checkpoints, real speech."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache, hub cache and configuration."""
    os.environ["NBASR_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["HF_HOME"] = str(tmp_path_factory.mktemp("hub"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """Return the folder of the small trained checkpoints."""
    return ROOT / "tests" / "assets"


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real speech; skip where it is not, unless NBASR_DATA says it must be."""
    chosen = os.environ.get("NBASR_DATA")
    folder = Path(chosen) if chosen else ROOT.parent / "shared" / "data"
    if (folder / "speech" / "MANIFEST.json").is_file():
        return folder
    if chosen:
        pytest.fail(f"NBASR_DATA is {chosen}, but there is no speech/MANIFEST.json in it.")
    pytest.skip("needs the speech data set: set NBASR_DATA to its folder")
