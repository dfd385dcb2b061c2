"""Content-Usage: preferences about the use of content by AI, in a header and in robots.txt.

IETF drafts draft-ietf-aipref-attach-04 (where preferences stand) and draft-ietf-aipref-vocab (what they say). The
format is a structured field dictionary (RFC 9651) such as ``train-ai=n, search=y``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curate.fetch.config import AGENT_NAME
from curate.fetch.optouts.paths import matches_path

_ANCESTRY = ("train-ai", "bots", "all")
"""What training counts under, the most specific first; the wider categories are those of earlier drafts."""

_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)\s*=\s*([a-z]+)\s*(?:;[^,]*)?", re.ASCII)


def reserves_training(preference: str) -> bool:
    """Return whether a statement of preference asks not to train on the content; what says nothing reserves nothing."""
    stated: dict[str, str] = {}
    for member in preference.split(","):
        match = _MEMBER.fullmatch(member)
        if match:
            stated[match[1]] = match[2]  # the last of equal keys counts (RFC 9651, section 4.2.2)
    said = next((stated[name] for name in _ANCESTRY if stated.get(name) in {"y", "n"}), "y")
    return said == "n"


@dataclass(frozen=True, slots=True)
class UsageRule:
    """One Content-Usage line of robots.txt."""

    path: str
    """Pattern as in Allow and Disallow; empty means every path."""
    preference: str


def parse_usage_rules(robots_txt: str) -> tuple[UsageRule, ...]:
    """Return the Content-Usage rules of the groups that name our agent, or of those for everyone (RFC 9309, 2.2.1)."""
    own, everyone = list[UsageRule](), list[UsageRule]()
    is_named = False
    for agents, rule in _rules(robots_txt):
        if AGENT_NAME in agents:
            is_named = True
            own.extend(rule)
        elif "*" in agents or not agents:
            everyone.extend(rule)
    return tuple(own if is_named else everyone)


def _rules(robots_txt: str) -> Iterator[tuple[frozenset[str], tuple[UsageRule, ...]]]:
    """Yield each line's agents, and its Content-Usage rule if it is one."""
    agents, in_header = frozenset[str](), False
    for line in robots_txt.splitlines():
        label, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if not colon:
            continue
        if label.lower() == "user-agent":
            agents = (agents if in_header else frozenset()) | {value.lower()}
            in_header = True
            yield agents, ()
            continue
        in_header = in_header and label.lower() == "sitemap"  # sitemaps belong to no group
        if label.lower() == "content-usage" and value:
            path, _, rest = value.partition(" ") if value.startswith("/") else ("", "", value)
            yield agents, (UsageRule(path, rest.strip()),)


def usage_for(rules: tuple[UsageRule, ...], path: str) -> str:
    """Return the preferences for a path: those of the longest pattern that matches, all of them if there are several.

    Of contradicting ones the stricter counts, so they are ordered for `reserves_training` to see it last.
    """
    matching = [rule for rule in rules if matches_path(rule.path, path)]
    if not matching:
        return ""
    longest = max(len(rule.path) for rule in matching)
    found = [rule.preference for rule in matching if len(rule.path) == longest]
    return ", ".join(sorted(found, key=reserves_training))
