"""What a page itself says about the use of its content: the ``<meta>`` twins of headers that fetching looks at."""

from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

_MAX_METAS = 500
_MAX_CHARS = 200
_ROBOTS = "robots"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptOuts:
    """The signs of one page."""

    robots: tuple[tuple[str, str], ...] = ()
    """(agent, directive) pairs in lower case, as of an X-Robots-Tag header; an empty agent means everyone.
    Any ``<meta>`` whose name ends in ``bot``, or whose part before a dash does, speaks to that agent."""

    tdm_reservation: int | None = None
    """TDMRep: 1 = rights reserved, 0 = not, null = the page says nothing."""

    tdm_policy: str = ""
    """TDMRep: where the terms are, as written; empty if the page says nothing."""

    def reserving(self, directives: frozenset[str], *, agent: str) -> str | None:
        """Return the sign that reserves the content from such use, null if none does.

        What says ``noai``, ``noimageai`` or ``noml`` counts whichever agent it names, for it speaks of a use.

        Args:
            directives: Robots directives that reserve content, in lower case.
            agent: Our name in lower case; directives for other agents are not ours.
        """
        if self.tdm_reservation == 1:
            return "meta tdm-reservation: 1"
        for scope, directive in self.robots:
            if directive in directives and (scope in {"", agent} or directive in _USES):
                return f"meta {scope or _ROBOTS}: {directive}"
        return None


_USES = frozenset({"noai", "noimageai", "noml"})


def find_opt_outs(parser: LexborHTMLParser) -> PageOptOuts:
    """Return what the ``<meta>`` elements of a page say; names and directives in lower case, cut at 200 characters."""
    pairs: list[tuple[str, str]] = []
    reservation: int | None = None
    policy = ""
    for meta in parser.css("meta[name][content]")[:_MAX_METAS]:
        name = (meta.attributes.get("name") or "").strip().lower()
        content = (meta.attributes.get("content") or "").strip()[:_MAX_CHARS]
        if name == "tdm-reservation" and content in {"0", "1"}:
            reservation = max(int(content), reservation or 0)
        elif name == "tdm-policy":
            policy = policy or content
        elif name == _ROBOTS or name.partition("-")[0].endswith("bot"):
            agent = "" if name == _ROBOTS else name[:_MAX_CHARS]
            pairs.extend((agent, word) for part in content.lower().split(",") if (word := part.strip()))
    return PageOptOuts(robots=tuple(pairs), tdm_reservation=reservation, tdm_policy=policy)
