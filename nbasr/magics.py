"""The magics `%transcribe`, `%%transcribe` and `%asr`: each is a parser and one call.

``%load_ext nbasr`` registers them, their completion, and ``%config NbAsr``. Nothing heavy is
imported before a magic runs.
"""

from __future__ import annotations

import linecache
import sys
from collections import ChainMap
from typing import TYPE_CHECKING, Any, cast

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from nbasr import settings
from nbasr._commands import asr, completion, transcribing
from nbasr._commands.notices import short_warnings

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class NbAsrMagics(Magics):
    """The magics of one shell."""

    shell: InteractiveShell

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def transcribe(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Any:
        """Turn recordings into text."""
        with short_warnings():
            outcome = transcribing.run(line, cell, self._names(local_ns))
        if outcome.out:
            self.shell.user_ns[outcome.out] = outcome.value
        for text in outcome.said:
            print(text)
        if outcome.problem is not None:
            self.shell.displayhook(outcome.value)  # raising would lose it
            raise outcome.problem
        return None if outcome.hidden and _is_bare_call(self.shell) else outcome.value

    @no_var_expand
    @needs_local_scope
    @line_magic
    def asr(self, line: str, local_ns: dict[str, Any] | None = None) -> Any:
        """Look at this machine and at models."""
        with short_warnings():
            value = asr.run(line, self._names(local_ns))
        if isinstance(value, str):
            print(value)
            return None
        return None if line.rstrip().endswith(";") and _is_bare_call(self.shell) else value

    def _names(self, local_ns: dict[str, Any] | None) -> ChainMap[str, Any]:
        return ChainMap(local_ns or {}, self.shell.user_ns)


# What ``%transcribe?`` shows.
NbAsrMagics.transcribe.__doc__ = transcribing.command().manual()
NbAsrMagics.asr.__doc__ = asr.manual()


def register(shell: InteractiveShell) -> None:
    """Register the magics, their completion and their settings, once.

    Raises
    ------
    OptionError
        If a configuration file or an environment variable is wrong; nothing is registered then.
    """
    configured = settings.current()
    unregister(shell)
    shell.register_magics(NbAsrMagics(shell))
    shell.configurables.append(configured)
    shell.input_transformers_cleanup.append(_EmptyBody())
    shell.Completer.custom_matchers.append(_matcher(shell))


def unregister(shell: InteractiveShell) -> None:
    """Take away what `register` gave."""
    manager = shell.magics_manager
    manager.registry.pop(NbAsrMagics.__name__, None)
    for kind, name in (("line", "transcribe"), ("cell", "transcribe"), ("line", "asr")):
        owner = getattr(manager.magics[kind].get(name), "__self__", None)
        if _is_ours(owner):
            del manager.magics[kind][name]
    shell.configurables[:] = [one for one in shell.configurables if not _is_ours(one)]
    for hooks in (shell.input_transformers_cleanup, shell.Completer.custom_matchers):
        hooks[:] = [hook for hook in hooks if hook.__module__ != __name__]


def _is_ours(thing: object) -> bool:
    # By module, not by class: the package may have been reloaded since.
    return type(thing).__module__ in (__name__, settings.__name__)


class _EmptyBody:
    """Lets ``%%transcribe a.wav`` run without lines below it, which IPython refuses."""

    # Not when a terminal asks whether the cell is finished: there the person may still type lines.
    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        bare = len(lines) == 1 and lines[0].split(maxsplit=1)[:1] == ["%%transcribe"]
        return [lines[0].rstrip("\n") + "\n", "\n"] if bare else lines


def _is_bare_call(shell: InteractiveShell) -> bool:
    """Tell ``%transcribe a.wav;``, which hides its value, from ``x = %transcribe a.wav;``.

    The line of the running cell tells: IPython has turned the magic into a call.
    """
    frame = sys._getframe(1)
    while frame.f_globals is not shell.user_ns:
        if frame.f_back is None:
            return True
        frame = frame.f_back
    source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return source.lstrip().startswith("get_ipython()") or not source


def _matcher(shell: InteractiveShell) -> Any:
    """Make the completer's matcher for our magics."""

    @context_matcher()  # type: ignore[untyped-decorator]
    def nbasr_matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = completion.complete(
            context.full_text,
            context.cursor_line,
            context.cursor_position,
            {"transcribe": transcribing.command(), **asr.commands()},
            shell.user_ns,
        )
        offers = found.offers if found else ()
        result = {
            "completions": [SimpleCompletion(offer.text, type=offer.kind) for offer in offers],
            "matched_fragment": found.fragment if found else context.token,
            "suppress": bool(offers),
            "ordered": True,
        }
        return cast("SimpleMatcherResult", result)

    return nbasr_matcher
