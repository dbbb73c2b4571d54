"""What every test shares: folders of its own, no model hub, the small checkpoints, real speech."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from nbasr.audio.recording import Recording

ROOT = Path(__file__).parent.parent

# Set before anything is imported: huggingface_hub and platformdirs read these only once.
_HOME = tempfile.TemporaryDirectory(prefix="nbasr-tests-", ignore_cleanup_errors=True)
for _name in ("NBASR_CACHE", "NBASR_HOME", "HF_HOME", "MODELSCOPE_CACHE", "XDG_CONFIG_HOME"):
    os.environ[_name] = str(Path(_HOME.name) / _name.lower())
os.environ["HF_HUB_OFFLINE"] = "1"

# Small models gain nothing from a second thread, and lose much where other programs are busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell lets its background jobs ignore Ctrl-C, and what they start inherits that; some tests
# press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Shared machines stall now and then; a slow example is no wrong one.
hypothesis.settings.register_profile(
    "nbasr", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("nbasr")


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_loaded() -> Iterator[None]:
    """Unload what a module's tests have loaded: other tests count what is held."""
    yield
    manager = sys.modules.get("nbasr.models.manager")
    if manager is not None and manager.resident():
        manager.unload_all()


@pytest.fixture(scope="module", autouse=True)
def no_texts_of_others() -> None:
    """Forget the texts and corrections of other modules: panels take up what they find."""
    shutil.rmtree(Path(os.environ["NBASR_HOME"]) / "transcripts", ignore_errors=True)


@pytest.fixture(scope="session")
def assets() -> Path:
    """Return the folder of the small trained checkpoints."""
    return ROOT / "tests" / "assets"


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real speech that NBASR_DATA names; skip where it is not set."""
    chosen = os.environ.get("NBASR_DATA")
    if not chosen:
        pytest.skip("needs the speech data set: set NBASR_DATA to its folder")
    if not (Path(chosen) / "speech" / "MANIFEST.json").is_file():
        pytest.fail(f"NBASR_DATA is {chosen}, but there is no speech/MANIFEST.json in it.")
    return Path(chosen)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test a folder of its own for what the library keeps; return it, not made yet."""
    monkeypatch.setenv("NBASR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def meeting() -> Recording:
    """Return the bundled meeting, for tests that only read it."""
    from nbasr import samples

    return samples.open("meeting")
