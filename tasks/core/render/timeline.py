"""The steps of a build on a time axis: text, Markdown, JSON."""

from __future__ import annotations

from tasks.core.journal.decoding import encode
from tasks.core.journal.records import CACHED, STEP, StepRecord
from tasks.core.journal.timeline import Timeline
from tasks.core.render import markdown, tables
from tasks.core.untrusted import shown

FORMATS = ("text", "json", "markdown")
#: The time axis, in letters.
WIDTH = 40
#: A shorter step that is not on the critical path only takes up a line.
SHORT_SECONDS = 0.005


def render(timeline: Timeline, format_: str) -> str:
    """The whole timeline in one of FORMATS."""
    if format_ == "json":
        return _json(timeline)
    kept = [step for step in timeline.steps if _counts(timeline, step)]
    rows = [
        [
            "*" if step.digest in timeline.critical else "",
            _name(step.name, 50, format_),
            shown(_state(step)),
            f"{step.started_seconds:.2f} s",
            f"{step.seconds:.2f} s",
            _bar(step, timeline.seconds, format_ == "markdown"),
        ]
        for step in kept
    ]
    headers = ["", "step", "", "from", "took", f"0 s to {timeline.seconds:.2f} s"]
    table = tables.table(headers, rows, markdown=format_ == "markdown")
    left = len(timeline.steps) - len(kept)
    more = [f"{left} steps that took less than {SHORT_SECONDS} s are left out."] if left else []
    return "\n\n".join(
        [_head(timeline), table, "\n".join([*more, *_conclusion(timeline, format_)])]
    )


def _head(timeline: Timeline) -> str:
    record = timeline.record
    return (
        f"Record {record.id} ({shown(record.task)}, {shown(record.status)}): "
        f"{timeline.seconds:.2f} s in BuildKit of {record.seconds:.2f} s in all."
    )


def _name(name: str, limit: int, format_: str) -> str:
    text = shown(name, limit)
    return markdown.code(text) if format_ == "markdown" else text


def _conclusion(timeline: Timeline, format_: str) -> list[str]:
    steps = {step.digest: step for step in timeline.steps}
    mark = "\\*" if format_ == "markdown" else "*"
    spent = sum(steps[digest].seconds for digest in timeline.critical)
    lines = [f"{mark} critical path: {len(timeline.critical)} steps that took {spent:.2f} s."]
    if timeline.longest is None:
        return [*lines, "None of them was an instruction that ran."]
    name = _name(timeline.longest.name, 80, format_)
    share = 100 * timeline.saved_seconds / timeline.seconds if timeline.seconds else 0.0
    return [
        *lines,
        f"Its longest: {name}, {timeline.longest.seconds:.2f} s. Were it cached, the build would "
        f"end {timeline.saved_seconds:.2f} s sooner ({share:.0f} %).",
    ]


def _counts(timeline: Timeline, step: StepRecord) -> bool:
    return step.seconds >= SHORT_SECONDS or step.digest in timeline.critical or bool(step.error)


def _state(step: StepRecord) -> str:
    return step.state if step.kind == STEP or step.state == CACHED else step.kind


def _bar(step: StepRecord, seconds: float, markdown: bool) -> str:
    """A bar on an axis of WIDTH letters; whatever took any time has at least one."""
    if seconds <= 0:
        return ""
    begin = min(int(step.started_seconds / seconds * WIDTH), WIDTH - 1)
    end = max(min(round(step.ended_seconds / seconds * WIDTH), WIDTH), begin + 1)
    bar = "·" * begin + "█" * (end - begin) + "·" * (WIDTH - end)
    return f"`{bar}`" if markdown else bar


def _json(timeline: Timeline) -> str:
    return tables.document(
        {
            "record": timeline.record.id,
            "task": timeline.record.task,
            "status": timeline.record.status,
            "seconds": timeline.seconds,
            "critical_path": list(timeline.critical),
            "longest": timeline.longest.digest if timeline.longest else None,
            "saved_if_longest_cached_seconds": round(timeline.saved_seconds, 6),
            "steps": [
                {**encode(step), "critical": step.digest in timeline.critical}
                for step in timeline.steps
            ],
        }
    )
