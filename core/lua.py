"""Lua scripts as functions: loaded from .lua files and held to their headers.

A script's header comment is its signature: one line for each ``KEYS[n]`` and ``ARGV[n]``, in
order, with a name. A call whose argument names differ is refused here, so the header cannot
rot, and two swapped arguments are a TypeError rather than a corrupt key. The last line of a
kind may be ``ARGV[n..]``: it takes a list.

A line ``-- @include name`` is replaced by ``lua/shared/name.lua``: local functions that many
scripts need (the epoch check, the sweep), written once. They take arguments and never name
KEYS or ARGV, so a header still tells everything.

What answers STALE takes the caller's epoch as its first argument.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, Protocol

from redis import exceptions as redis_errors

from core.errors import Stale, StoreUnavailable

Argument = str | int | bytes | Sequence[str | int | bytes]

# A replica that was just the master, or a full server: an outage, though it answers.
CANNOT_WRITE = (redis_errors.ReadOnlyError, redis_errors.OutOfMemoryError)

_HEADER_LINE = re.compile(r"^-- (KEYS|ARGV)\[(\d+)(\.\.)?\]\s+(\w+)", re.MULTILINE)
_INCLUDE_LINE = re.compile(r"^-- @include (\w+)$", re.MULTILINE)


class RunsScripts(Protocol):
    """A Redis client, or what stands in for one."""

    def register_script(self, source: str, /) -> Callable[..., Awaitable[Any]]:
        """The script as a function of `keys` and `args`."""
        ...


class LuaScript:
    """One file in a package's lua/ folder. Bind it to a client, then call it."""

    def __init__(self, package: str, name: str) -> None:
        folder = files(package).joinpath("lua")
        self.name = name
        self.header = folder.joinpath(f"{name}.lua").read_text("utf-8")
        self.source = _INCLUDE_LINE.sub(
            lambda m: folder.joinpath("shared", f"{m[1]}.lua").read_text("utf-8"),
            self.header,
        )
        self.keys, self.more_keys = self._names("KEYS")
        self.args, self.more_args = self._names("ARGV")

    def bind(self, redis: RunsScripts) -> BoundScript:
        return BoundScript(self, redis)

    def _names(self, kind: str) -> tuple[tuple[str, ...], bool]:
        """The names in order, and whether the last one takes a list."""
        rows = [
            (int(n), arg, more)
            for k, n, more, arg in _HEADER_LINE.findall(self.header)
            if k == kind
        ]
        if [n for n, _, _ in rows] != list(range(1, len(rows) + 1)):
            raise ValueError(f"{self.name}.lua: {kind} lines must run 1, 2, 3, ...")
        if any(more for _, _, more in rows[:-1]):
            raise ValueError(f"{self.name}.lua: only the last {kind} line may take a list")
        return tuple(arg for _, arg, _ in rows), bool(rows and rows[-1][2])


class BoundScript:
    def __init__(self, script: LuaScript, redis: RunsScripts) -> None:
        self._script = script
        self._evalsha = redis.register_script(script.source)

    async def __call__(self, **given: Argument) -> Any:
        """Run the script; arguments are named as in its header.

        Raises:
            TypeError: The names are not those of the header.
            Stale: The script answered STALE: its epoch or version differs from the caller's.
            StoreUnavailable: No answer in time. The script may have run.
        """
        script = self._script
        if given.keys() != {*script.keys, *script.args}:
            raise TypeError(f"{script.name}.lua wants {script.keys + script.args}")
        keys = _flat([given[name] for name in script.keys], more=script.more_keys)
        args = _flat([given[name] for name in script.args], more=script.more_args)
        try:
            return await self._evalsha(keys=keys, args=args)
        except redis_errors.ResponseError as exc:
            if str(exc).startswith("STALE"):
                behind = str(exc).startswith("STALE behind")
                raise Stale(f"{script.name}: {exc}", epoch=str(args[0]), behind=behind) from exc
            if isinstance(exc, CANNOT_WRITE):
                raise StoreUnavailable(f"{script.name}: {exc}") from exc
            raise
        except (redis_errors.ConnectionError, redis_errors.TimeoutError) as exc:
            raise StoreUnavailable(script.name) from exc


def _flat(values: list[Any], *, more: bool) -> list[Any]:
    return [*values[:-1], *values[-1]] if more else values
