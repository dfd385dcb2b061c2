"""What was taken down: addresses, hosts, domains and hashes that a run no longer keeps, and does not fetch again.

``removed.json`` in the run folder is the list; it only grows. A run's context carries the digest of the list alone, and
each process reads it once.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self
from urllib.parse import urlsplit

from curate.contract.errors import CurateError
from curate.ingest.formats.held_images import HELD
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, read_json, write_json

FILE_NAME = "removed.json"
_SHA256_DIGITS = 64
_WITHOUT_HOST = (HELD, "file:", "data:")
"""How addresses begin of pictures that a file brought: what stands behind # tells them apart."""
MAX_NAMED = 20
"""Faults of a list that are spelt out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Removals:
    """What is to be gone."""

    urls: frozenset[str] = frozenset()
    """Of pages and images, without fragments."""
    hosts: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    """With all hosts below them."""
    sha256: frozenset[str] = frozenset()
    """In hex, of an image's bytes as stored or as fetched."""

    @classmethod
    def of(cls, value: Mapping[str, Iterable[str]]) -> Self:
        """Return the list that a mapping of lists says.

        Raises:
            CurateError: A hash, host or address that is none; all of them are named.
        """
        found = {
            field.name: frozenset(_tidy(field.name, one) for one in value.get(field.name, ())) for field in fields(cls)
        }
        faults = [
            f"{name}: {one!r}" for name, entries in found.items() for one in sorted(entries) if not _is_valid(name, one)
        ]
        if faults:
            raise CurateError(
                "nothing was removed; these are not what they should be:\n" + "\n".join(faults[:MAX_NAMED])
            )
        return cls(**found)

    def __bool__(self) -> bool:
        """Say whether there is anything on the list."""
        return any(getattr(self, field.name) for field in fields(self))

    def __or__(self, other: Self) -> Self:
        """Return both lists as one."""
        return type(self)(
            **{field.name: getattr(self, field.name) | getattr(other, field.name) for field in fields(self)}
        )

    def has_url(self, url: str | None) -> bool:
        """Say whether an address is on the list, itself or by its host."""
        if not url:
            return False
        plain = _plain_url(url)
        if plain in self.urls:
            return True
        if not self.hosts and not self.domains:
            return False
        host = _host_of(plain)
        parts = host.split(".")
        return host in self.hosts or any(".".join(parts[start:]) in self.domains for start in range(len(parts)))

    def to_json(self) -> dict[str, list[str]]:
        """Return plain lists, sorted."""
        return {field.name: sorted(getattr(self, field.name)) for field in fields(self)}

    @property
    def digest(self) -> str:
        """A hash of the list; empty where there is nothing on it."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest() if self else ""


def load_removals(folder: RunFolder) -> Removals:
    """Return the list of a run; an empty one where nothing was taken down."""
    return Removals.of(read_json(folder.file(FILE_NAME)) or {})


def store_removals(folder: RunFolder, removals: Removals) -> None:
    """Write the list of a run."""
    write_json(folder.file(FILE_NAME), removals.to_json())
    removals_of.cache_clear()


@functools.lru_cache(maxsize=4)
def removals_of(folder: RunFolder, digest: str) -> Removals:
    """Return the list of a run by its digest, read once in a process.

    Raises:
        CurateError: It has changed since.
    """
    if not digest:
        return Removals()
    found = load_removals(folder)
    if found.digest != digest:
        raise CurateError(f"{folder.file(FILE_NAME)}: it has changed while a run was working; run again")
    return found


def removals_for(context: RunContext) -> Removals:
    """Return the list that a run works under."""
    return removals_of(RunFolder(context.folder.root), context.removed)


def _tidy(name: str, text: str) -> str:
    plain = text.strip()
    if name == "urls":
        return _plain_url(plain)
    return plain.lower().rstrip(".").removeprefix("*.")


def _is_valid(name: str, text: str) -> bool:
    if name == "urls":
        return text.startswith(_WITHOUT_HOST) or bool(_host_of(text))
    if name == "sha256":
        return len(text) == _SHA256_DIGITS and set(text) <= set("0123456789abcdef")
    return bool(text) and not set(text) & set("/:?#@ ")


def _plain_url(url: str) -> str:
    """Return an address without its fragment, scheme and host in small letters; of pictures in files all of it."""
    if url.startswith(_WITHOUT_HOST):
        return url.strip()
    head, _, _ = url.strip().partition("#")
    scheme, separator, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}"


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
