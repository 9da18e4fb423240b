"""Names of images: ``[host/]path[:tag][@digest]`` taken apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """An image's name. ``host`` is empty for the engine's default registry."""

    text: str
    host: str
    path: str
    tag: str
    digest: str

    @property
    def repository(self) -> str:
        """Where the loopback registry keeps it: the very path that a mirror is asked for."""
        return self.path if self.host or "/" in self.path else f"library/{self.path}"

    @property
    def served_by_mirror(self) -> bool:
        """Whether the engine asks its mirror for this name: only for the default registry's."""
        return not self.host

    @property
    def context_name(self) -> str:
        """What BuildKit looks a named context up by: the name without ``:latest``."""
        return self.text.removesuffix(":latest")

    @property
    def context_names(self) -> tuple[str, ...]:
        """Every name that BuildKit may look it up by: without the host, if it is the default one.

        Which host that is, is BuildKit's to know; a context that nobody looks up does no harm.
        """
        tag = f":{self.tag}" if self.tag not in ("", "latest") else ""
        short = f"{self.path.removeprefix('library/')}{tag}"
        return tuple(dict.fromkeys((self.context_name, short)))


def same(one: str, other: str) -> bool:
    """Whether two names mean one image: the default registry's may come with its host or without.

    Which host that is, is BuildKit's to know: a name without a host fits any.
    """
    a, b = parse(one), parse(other)
    paths = {each.path.removeprefix("library/") for each in (a, b)}
    hosts = {each.host for each in (a, b)} - {""}
    return len(paths) == 1 and len(hosts) < 2 and (a.tag, a.digest) == (b.tag, b.digest)


def parse(text: str) -> Reference:
    """Take a name apart. Without tag and digest the tag is ``latest``."""
    name, _, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if has_host else ("", name)
    head, _, last = path.rpartition("/")
    last, _, tag = last.partition(":")
    path = f"{head}/{last}" if head else last
    path = path if host else path.removeprefix("library/")
    return Reference(text, host, path, tag or ("" if digest else "latest"), digest)
