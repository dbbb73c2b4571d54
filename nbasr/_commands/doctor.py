"""What `%asr doctor` and `nbasr doctor` show: whatever a transcription needs to be here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbasr._commands import checks
from nbasr._commands.checks import Check
from nbasr._commands.table import Table


@dataclass(frozen=True)
class Report:
    """The checks of this machine, as text and as a table."""

    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        """Whether every check is well."""
        return all(check.good for check in self.checks)

    @property
    def table(self) -> Table:
        """The report as it is shown."""
        rows = (
            (
                "!!" if not check.good else "--" if check.aside else "OK",
                check.name,
                check.says + (f"\n→ {check.mend}" if check.mend else ""),
            )
            for check in self.checks
        )
        bad = sum(not check.good for check in self.checks)
        note = f"{bad} of {len(self.checks)} need a look: → tells what to do."
        return Table(("", "", ""), tuple(rows), note if bad else "Everything is in place.")

    def __str__(self) -> str:
        return str(self.table)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.table._repr_mimebundle_()


def examine() -> Report:
    """Look at everything. A look that fails is itself reported; nothing is raised or downloaded."""
    looks: tuple[tuple[str, str, Callable[[], Check]], ...] = (
        ("nbasr", "nbasr", checks.look_at_nbasr),
        ("Python", "nbasr", checks.look_at_python),
        ("settings", "nbasr", checks.look_at_settings),
        ("memory", "psutil", checks.look_at_memory),
        ("torch", "torch", checks.look_at_torch),
        ("transformers", "transformers", checks.look_at_transformers),
        ("bitsandbytes", "bitsandbytes", checks.look_at_bitsandbytes),
        ("FunASR", "funasr", checks.look_at_funasr),
        ("FFmpeg", "av", checks.look_at_ffmpeg),
        ("PocketSphinx", "pocketsphinx", checks.look_at_sphinx),
        ("cache", "nbasr", checks.look_at_cache),
        ("data", "nbasr", checks.look_at_data),
        ("model hub", "huggingface-hub", checks.look_at_hub),
        ("JupyterLab", "jupyterlab", checks.look_at_lab),
    )
    found = []
    for name, package, look in looks:
        try:
            found.append(look())
        except Exception as error:  # a broken package may raise anything, and that is what to tell
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            found.append(Check(name, said, f"pip install --force-reinstall {package}"))
    return Report(tuple(found))
