"""Verdicts to render: of proofs that pass, fail and are skipped, with texts that attack."""

from __future__ import annotations

from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity, Verdict

#: What an image may have put into its texts: markup, links, mentions, and what XML forbids.
NASTY = (
    "<script>alert(1)</script>",
    "a | b \\| c ` `` d",
    "]]> <!-- &amp; -->",
    "[click](https://evil.example/x) www.evil.example",
    "@everyone #1 **bold** _so_ ~~gone~~ :tada: ![i](x)",
    "zero\x00bell\x07escape\x1b[31m line\nend\r\u2028\x85",
    "half \ud800 byte \udcff none \ufffe over \u202e right",
    "</code></details></system-out></failure>",
    "{0} {{1}} %s $HOME",
    "\U0001f600 ünïcode",
)
KEYS = Proof("secrets.keys", "No key", Severity.CRITICAL, "It opens a door.", "Read.")
HEALTHY = Proof("runtime.healthy", "It turns healthy", Severity.HIGH, "It has to.", "Started.")
SHELL = Proof("filesystem.shell", "No shell", Severity.MEDIUM, "It is a tool.", "Read.")
LAYERS = Proof("budget.layers", "Few layers", Severity.LOW, "They cost.", "Counted.")
PROOFS = (HEALTHY, SHELL, KEYS, LAYERS)
PLATFORMS = ("linux/amd64", "linux/arm64")


def image(target: str, *platforms: str) -> list[Verdict]:
    """On each platform one passed, one skipped, and two failed, of which one differs by it."""
    return [verdict for platform in platforms for verdict in _platform(target, platform)]


def many(*platforms: str) -> list[Verdict]:
    return [verdict for number in range(6) for verdict in image(f"web-{number}", *platforms)]


def nasty(target: str = "web") -> list[Verdict]:
    return [
        *(KEYS.judge(target, "linux/amd64", [text], "none", text) for text in NASTY),
        *(HEALTHY.decide(target, text, True, text, text, text) for text in NASTY),
        *(SHELL.skip(text, "linux/amd64", text) for text in NASTY),
        KEYS.judge(target, "linux/arm64", NASTY, "none", "none"),
    ]


def _platform(target: str, platform: str) -> tuple[Verdict, ...]:
    count = 30 if platform == PLATFORMS[0] else 31
    problems = [f"/app/{number}.pem in layer 2: a private key" for number in range(12)]
    return (
        HEALTHY.decide(target, platform, True, "0.7 s", "60 s", f"healthy after 0.7 s, {platform}"),
        SHELL.skip(target, platform, "the policy allows it"),
        LAYERS.decide(
            target, platform, False, f"{count}", "20", f"{count} layers, of which 20 are allowed"
        ),
        KEYS.judge(target, platform, problems, "none in 4 layers", "none"),
    )
