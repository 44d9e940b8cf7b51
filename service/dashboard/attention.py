"""What needs somebody's attention, most urgent first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from service.dashboard.deployments import deployment_word
from service.dashboard.shown import ago, count, isolated
from service.dashboard.words import dispatch_said, reason_word
from service.dry_runs import dry_run_told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from service.dashboard.sources import Sources
    from workers.deployed import Deployed
    from workers.presence import AtWork

_SHOWN: Final = 5
"""Of each sort of concern so many are shown one by one."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that needs attention. `tone` is `bad` or `warn`."""

    tone: str
    head: str
    words: str
    page: str
    """Endpoint of the page that tells more; `""` if none does."""
    query: Mapping[str, str] = field(default_factory=dict)
    link: str = ""
    at: str | None = None


def concerns(
    sources: Sources,
    failures: Sequence[Mapping[str, Any]],
    late: Sequence[Mapping[str, Any]],
    deployed: Deployed,
    at_work: Collection[AtWork],
) -> list[Concern]:
    """All of it.

    Args:
        sources: what pages read.
        failures: dispatches of the last hour that have failed, newest first.
        late: dispatches whose agent does not come.
        deployed: what is known of agents.
        at_work: the workers that are.

    Raises:
        RedisError: Redis could not be reached.
    """
    return [
        *_dry_run(sources, at_work),
        *_failed(failures),
        *_late(late),
        *_agents(deployed),
        *_paused(sources),
        *_rules(sources),
        *_webhooks(sources),
        *([] if at_work else [_NO_WORKER]),
        *_dead_letters(sources),
    ]


_NO_WORKER: Final = Concern(
    "bad",
    "No worker is at work",
    "Webhooks are kept and nothing is dispatched: start `dispatcher worker`, and see its log.",
    "",
)


def _dry_run(sources: Sources, at_work: Collection[AtWork]) -> Iterator[Concern]:
    if told := dry_run_told(at_work, here=sources.settings.dry_run):
        yield Concern(
            "warn",
            "This is a dry run",
            f"{told}.",
            "dashboard.calls",
            {"state": "dry_run"},
            "See what would be sent",
        )


def _failed(failures: Sequence[Mapping[str, Any]]) -> Iterator[Concern]:
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for each in failures:
        groups[each["agent"], each["deployment"], reason_word(each["reason"])].append(each)
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (agent, deployment, _), found in largest[:_SHOWN]:
        said = dispatch_said(found[0]["reason"])
        where = f" ({isolated(deployment_word(deployment))})" if deployment else ""
        calls = "1 call" if len(found) == 1 else f"{len(found)} calls"
        yield Concern(
            "bad",
            f"{isolated(agent)}{where}: {calls} got no agent",
            _sentence(said.words),
            "dashboard.calls",
            {"agent": agent, "deployment": deployment_word(deployment), "state": "failed",
             "since": "1h"},
            "See these calls",
            found[0]["ended_at"],
        )  # fmt: skip
    if len(largest) > _SHOWN:
        more = sum(len(found) for _, found in largest[_SHOWN:])
        yield Concern("bad", f"{more} more failures, of other agents or for other reasons", "",
                      "dashboard.calls", {"state": "failed", "since": "1h"}, "See all")  # fmt: skip


def _late(late: Sequence[Mapping[str, Any]]) -> Iterator[Concern]:
    if late:
        calls = "1 call waits" if len(late) == 1 else f"{len(late)} calls wait"
        words, agent = dispatch_said(late[-1]["reason"]).words, isolated(late[-1]["agent"])
        yield Concern(
            "warn",
            f"{calls} longer than 15 s for an agent",
            _sentence(words) or f"LiveKit has accepted it, {agent} has not joined.",
            "dashboard.calls", {"state": "pending"}, "See who waits", late[-1]["accepted_at"],
        )  # fmt: skip


def _agents(deployed: Deployed) -> Iterator[Concern]:
    warned = [(each, warning) for each in deployed.agents for warning in each["warnings"]]
    for each, warning in warned[:_SHOWN]:
        name = isolated(each["agent"] or "Agents without a name")
        word = isolated(deployment_word(each["deployment"] or ""))
        where = f" ({word})" if each["deployment"] else ""
        yield Concern("warn", f"{name}{where}", _sentence(warning),
                      "dashboard.agents", {}, "See what is known of it")  # fmt: skip
    if (more := len(warned) - _SHOWN) > 0:
        yield Concern("warn", f"{count(more)} more such warnings of agents", "",
                      "dashboard.agents", {}, "See all")  # fmt: skip
    for each in deployed.unanswered[:_SHOWN]:
        yield Concern("warn", f"No worker has answered at {each['url']} yet", f"{each['error']}.",
                      "dashboard.agents", {}, "See who is asked")  # fmt: skip
    if (more := len(deployed.unanswered) - _SHOWN) > 0:
        yield Concern("warn", f"Nor at {count(more)} more addresses", "",
                      "dashboard.agents", {}, "See who is asked")  # fmt: skip


def _paused(sources: Sources) -> Iterator[Concern]:
    paused = sources.pauses.now()
    if paused.every:
        yield Concern("bad", "All rules are paused", "They match, and send no new agent.",
                      "dashboard.rules", {}, "See the rules")  # fmt: skip
    elif len(paused.rules) == 1:
        [name] = paused.rules
        yield Concern("warn", f"{name} is paused", "It matches and sends no new agent.",
                      "dashboard.rules", {"rule": name}, "See this rule")  # fmt: skip
    elif paused.rules:
        names = ", ".join(paused.rules[:_SHOWN]) + (" …" if len(paused.rules) > _SHOWN else "")
        yield Concern("warn", f"{names} are paused", "They match and send no new agent.",
                      "dashboard.rules", {}, "See the rules")  # fmt: skip


def _rules(sources: Sources) -> Iterator[Concern]:
    now = sources.rules()
    if now.errors:
        yield Concern(
            "bad",
            "The rule files do not load" if len(now.errors) == 1
            else f"The rule files do not load: {len(now.errors)} errors",
            f"{now.errors[0]}. "
            + ("The last good rules stay in force." if now.ruleset is not None else ""),
            "dashboard.rules", {}, "See the errors",
        )  # fmt: skip


def _webhooks(sources: Sources) -> Iterator[Concern]:
    told = sources.deliveries.told()
    if told.get("detail"):
        yield Concern(
            "bad",
            "Webhooks are refused",
            f"{told['detail']}. LiveKit does not send them again.",
            "",
        )


def _dead_letters(sources: Sources) -> Iterator[Concern]:
    letters = sources.dead_letters.list(limit=100)
    if letters:
        last = letters[0].redacted(sources.settings.redaction)
        number = "100 or more" if len(letters) == 100 else str(len(letters))  # noqa: PLR2004 - the limit
        is_one = len(letters) == 1
        yield Concern(
            "warn",
            f"{number} event{'' if is_one else 's'} could not be decided",
            f"The last came {ago(last.at)} in {isolated(last.room)}: {last.error}."
            " `dispatcher replay --dead-letters` offers them again.",
            "", at=last.at,
        )  # fmt: skip


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}." if words else ""
