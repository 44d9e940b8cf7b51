"""`/rules`: the rule files as they are, how often each rule matched, and pausing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, abort, redirect, render_template, request, url_for

from service.dashboard.lists import BadFilter, numbered
from service.dashboard.rule_parts import files, places

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from rules.ruleset import Ruleset
    from service.dashboard.rule_parts import Place
    from service.dashboard.sources import Sources

_MOST: Final = 100
"""Parts of files on one page: of so many lines are coloured, whatever there is."""
_OFFERED: Final = 500
"""Rules that complete what is typed."""
_TOLD: Final = 20
"""Errors and warnings that are told: `dispatcher rules check` tells all."""


def add_rules(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/rules")
    def rules() -> str:
        now, paused = sources.rules(), sources.pauses.now()
        wanted = request.args.get("rule", "").strip()
        ruleset = now.ruleset
        chosen = _chosen(ruleset, wanted) if ruleset is not None else []
        try:
            page = numbered(chosen, request.args.get("page", ""), _MOST)
        except BadFilter as problem:
            abort(400, str(problem))
        hits = sources.ledger.hits_of(
            place.rule.id for place in page.items if place.rule is not None
        )
        return render_template(
            "rules.html",
            files=files(page.items, hits, paused),
            errors=now.errors,
            warnings=ruleset.warnings if ruleset is not None else (),
            told=_TOLD,
            hash=ruleset.hash if ruleset is not None else "",
            paused=paused,
            wanted=wanted,
            page=page,
            found=sum(place.rule is not None for place in chosen),
            count=len(ruleset.rules) if ruleset is not None else 0,
            ids=[rule.id for rule in ruleset.rules[:_OFFERED]] if ruleset is not None else [],
            source=sources.settings.rules,
        )

    @pages.get("/rules/<word>")
    def ask_to_change(word: str) -> str:
        if word not in ("pause", "resume"):
            abort(404)
        rule = request.args.get("rule", "")
        _check(sources, rule)
        return render_template("rule_pause.html", word=word, rule=rule)

    @pages.post("/rules/<word>")
    def change(word: str) -> AnyResponse:
        rule = request.form.get("rule", "")
        _check(sources, rule)
        if word == "pause":
            sources.pauses.pause(*([rule] if rule else []))
        elif word == "resume" and rule:
            sources.pauses.resume(rule)
        elif word == "resume":
            sources.pauses.resume_all()
        else:
            abort(404)
        ruleset = sources.rules().ruleset
        is_there = ruleset is not None and ruleset.rule(rule) is not None
        return redirect(url_for("dashboard.rules", rule=rule if is_there else None), 303)


def _check(sources: Sources, rule: str) -> None:
    """Refuse what is no rule; one that was paused and is there no more may be resumed."""
    ruleset = sources.rules().ruleset
    is_known = ruleset is not None and ruleset.rule(rule) is not None
    if rule and not is_known and rule not in sources.pauses.now().rules:
        abort(404, "There is no such rule.")


def _chosen(ruleset: Ruleset, wanted: str) -> list[Place]:
    """Where the rules are that have this id, or else that have these words; without, everything."""
    found = places(ruleset)
    if not wanted:
        return found
    exact, words = ruleset.rule(wanted), wanted.lower()
    if exact is not None:
        return [place for place in found if place.rule is exact]
    return [
        place for place in found
        if (rule := place.rule) and (words in rule.id or words in rule.description.lower())
    ]  # fmt: skip
