"""`/rules`: the rule files as they are, how often each rule matched, and pausing it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flask import Blueprint, abort, redirect, render_template, request, url_for
from markupsafe import Markup, escape

from service.rule_source import lines_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from rules.files import RuleFile
    from rules.rule import Rule
    from rules.ruleset import Ruleset
    from service.dashboard.sources import Sources
    from workers.ledger import Hits
    from workers.pauses import Paused

_MOST: Final = 100
"""Rules on one page: a filter finds the others."""
_LINE: Final = re.compile(r"^(\s*(?:- )?)([\w.*$-]+|\"[^\"]*\"|'[^']*')(:)(?=\s|$)(.*)$")
_COMMENT: Final = re.compile(r"(^|\s)#(?:[^\"'{}]*)$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a rule file."""

    number: int
    text: Markup


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file: a rule, or what stands before and behind the rules."""

    lines: tuple[Line, ...]
    rule: Rule | None = None
    hits: Hits | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A rule file in parts."""

    path: str
    parts: tuple[Part, ...]


def add_rules(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/rules")
    def rules() -> str:
        now = sources.rules()
        paused = sources.pauses.now()
        wanted = request.args.get("rule", "").strip()
        ruleset = now.ruleset
        chosen = _chosen(ruleset, wanted) if ruleset is not None else []
        hits = sources.ledger.hits()
        files = _files(ruleset, chosen[:_MOST], hits, paused) if ruleset is not None else []
        return render_template(
            "rules.html",
            files=files,
            errors=now.errors,
            warnings=ruleset.warnings if ruleset is not None else (),
            hash=ruleset.hash if ruleset is not None else "",
            paused=paused,
            wanted=wanted,
            shown=min(len(chosen), _MOST),
            count=len(chosen),
            ids=[rule.id for rule in ruleset.rules][: _MOST * 5] if ruleset is not None else [],
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
        return redirect(url_for("dashboard.rules", rule=request.form.get("view") or None), 303)


def _check(sources: Sources, rule: str) -> None:
    """Refuse what is no rule; one that was paused and is there no more may be resumed."""
    ruleset = sources.rules().ruleset
    is_known = ruleset is not None and ruleset.rule(rule) is not None
    if rule and not is_known and rule not in sources.pauses.now().rules:
        abort(404, "There is no such rule.")


def _chosen(ruleset: Ruleset, wanted: str) -> list[Rule]:
    exact = ruleset.rule(wanted)
    if exact is not None:
        return [exact]
    words = wanted.lower()
    return [r for r in ruleset.rules if words in r.id or words in r.description.lower()]


def _files(
    ruleset: Ruleset, chosen: list[Rule], hits: dict[str, Hits], paused: Paused
) -> list[File]:
    wanted = {rule.id for rule in chosen}
    is_all = len(wanted) == len(ruleset.rules)
    files = []
    for file in ruleset.files:
        there = sorted((r for r in ruleset.rules if r.mark.path == file.path),
                       key=lambda rule: rule.mark.line)  # fmt: skip
        parts = _parts(file, there, hits, paused)
        kept = tuple(p for p in parts if is_all or (p.rule is not None and p.rule.id in wanted))
        if kept:
            files.append(File(file.path, kept))
    return files


def _parts(file: RuleFile, rules: list[Rule], hits: dict[str, Hits], paused: Paused) -> list[Part]:
    raw = file.text.splitlines()
    lines = tuple(Line(number, _coloured(text)) for number, text in enumerate(raw, 1))
    starts = [_with_comment(raw, lines_of(rule, raw).start) for rule in rules]
    ends = [*starts[1:], len(lines)]
    before = lines[: starts[0]] if starts else lines
    parts = [Part(before)] if any(line.text.strip() for line in before) else []
    for rule, start, end in zip(rules, starts, ends, strict=True):
        text = lines[start:end]
        while text and not text[-1].text.strip():
            text = text[:-1]
        is_paused = paused.every or rule.id in paused.rules
        parts.append(Part(text, rule, hits.get(rule.id), is_paused))
    return parts


def _with_comment(raw: list[str], start: int) -> int:
    """Where a rule begins, with the comment that stands over it."""
    while start > 0 and raw[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _coloured(text: str) -> Markup:
    """A line of YAML with its key and its comment marked, everything escaped."""
    comment = _COMMENT.search(text)
    code, rest = (text[: comment.start()], text[comment.start() :]) if comment else (text, "")
    found = _LINE.match(code)
    if found:
        indent, key, colon, value = found.groups()
        shown = escape(indent) + Markup("<b>{}</b>").format(key) + escape(colon + value)
    else:
        shown = escape(code)
    return shown + (Markup("<i>{}</i>").format(rest) if rest else Markup(""))
