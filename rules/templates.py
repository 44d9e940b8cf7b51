"""Templates: texts of a rule with `{{ … }}` in them, compiled and checked when loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import new_context

from rules.metadata import well_formed
from rules.names import PRESENCE, TEMPLATE_NAMES
from rules.sandbox import COUNTED, RuleEnvironment
from rules.template_budget import MAX_LENGTH, budgeted
from rules.template_checks import (
    check,
    check_path,
    check_words,
    is_only_tojson,
    of_kind,
    paths_of,
    tables_of,
)
from rules.template_reads import only_reads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Template as JinjaTemplate

MAX_SOURCE: Final = 64 * 1024
"""Characters a template may have."""

MAX_DEPTH: Final = 64
"""How deep a template may be nested: Jinja takes the cube of it to compile, seconds for 200."""

_ENVIRONMENT: Final = RuleEnvironment()
_DELIMITERS: Final = ("{{", "{%", "{#")
_FILTERS: Final = frozenset(_ENVIRONMENT.filters) - {COUNTED}
_TESTS: Final = frozenset(_ENVIRONMENT.tests)
_PLAIN: Final = frozenset(
    {nodes.Template, nodes.Output, nodes.TemplateData, nodes.Filter, nodes.Const}
    | {nodes.Name, nodes.Getattr, nodes.Getitem}
)
_FEW: Final = 100
"""Nodes of a template that no compiler finds nested too deep."""

Context = Mapping[str, Any]


class RenderingError(Exception):
    """A template that cannot be rendered for this event."""


class TooLongError(RenderingError):
    """A template that renders to more than anything takes."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text of a rule. `constant` is it where nothing needs rendering."""

    source: str
    constant: str | None
    names: frozenset[str] = frozenset()
    """Names of the event it reads, such as `participant`."""
    tables: frozenset[str] = frozenset()
    """Tables it names."""
    is_json: bool = False
    """Whether it is nothing but `{{ … | tojson }}`."""
    compiled: JinjaTemplate | None = None
    """Absent where nothing can go wrong in compiling it, which then waits until it is rendered."""

    @property
    def reads_presence(self) -> bool:
        """Whether it reads who is in the room."""
        return not self.names.isdisjoint(PRESENCE)

    def render(self, context: Context) -> str:
        """Render for one event.

        Raises:
            RenderingError: something it reads is absent, or it fails.
            TooLongError: it is longer than anything takes.
        """
        if self.constant is not None:
            return self.source
        try:
            with budgeted():
                text = "".join(_bounded(self._texts(context)))
        except RenderingError:
            raise
        except Exception as error:  # a template is somebody else's program
            raise RenderingError(_said(error)) from error
        return well_formed(text)

    def _texts(self, context: Context) -> Iterator[str]:
        compiled = self.compiled or _compiled(self.source)
        # As `compiled.new_context`, which goes through a ChainMap of globals twice: 3 µs of 7.
        names = {**_ENVIRONMENT.globals, **context}
        variables = new_context(_ENVIRONMENT, None, compiled.blocks, names, shared=True)
        yield from compiled.root_render_func(variables)

    def render_json(self, context: Context) -> Any:  # noqa: ANN401 - any JSON
        """Render to a JSON value: what `tojson` wrote, or else the text.

        Raises:
            RenderingError: as `render`.
        """
        text = self.render(context)
        if not self.is_json:
            return text
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RenderingError(f"tojson gave no JSON: {error}") from error


def has_template(text: str) -> bool:
    """Whether a text is more than itself."""
    return any(delimiter in text for delimiter in _DELIMITERS)


@lru_cache(maxsize=4096)
def compile_template(source: str) -> Template:
    """Compile a text.

    Raises:
        ValueError: it is not a template a rule can use; the message says why.
    """
    if not has_template(source):
        return Template(source, constant=source)
    if len(source) > MAX_SOURCE:
        raise ValueError(f"a template of {len(source):,} characters: {MAX_SOURCE:,} are allowed")
    try:
        return _only_reading(source) or _of_any_kind(source)
    except RecursionError as error:
        raise ValueError("not a valid template: it is nested too deeply") from error


def _only_reading(source: str) -> Template | None:
    paths = only_reads(source)
    known = TEMPLATE_NAMES.fields
    if paths is None or any(path[0] not in known for path in paths):
        return None
    for path in paths:
        check_path(path)
    return Template(source, None, frozenset(path[0] for path in paths), tables_of(paths))


def _of_any_kind(source: str) -> Template:
    tree = _parsed(source)
    _check_depth(tree)
    every = tuple(tree.find_all(nodes.Node))
    check_words("filter", of_kind(nodes.Filter, every), _FILTERS)
    check_words("test", of_kind(nodes.Test, every), _TESTS)
    is_plain = len(every) <= _FEW and all(type(node) in _PLAIN for node in every)
    read = {name.name for name in of_kind(nodes.Name, every) if name.ctx == "load"}
    undeclared = frozenset(read) if is_plain else _undeclared(tree)
    check(every, read, undeclared)
    names = undeclared & TEMPLATE_NAMES.fields.keys()
    told = Template(source, None, names, tables_of(paths_of(every)), is_only_tojson(tree))
    if is_plain:
        return told
    for loop in of_kind(nodes.For, every):
        _count_turns(loop)
    try:
        with budgeted():  # what is constant is calculated now
            return replace(told, compiled=_ENVIRONMENT.from_string(tree))
    except Exception as error:  # Jinja's and Python's compiler fail in many ways
        raise ValueError(f"not a valid template: {_said(error)}") from error


@lru_cache(maxsize=4096)
def _compiled(source: str) -> JinjaTemplate:
    return _ENVIRONMENT.from_string(_parsed(source))


def _bounded(texts: Iterator[str]) -> Iterator[str]:
    length = 0
    for text in texts:
        length += len(text)
        if length > MAX_LENGTH:
            raise TooLongError(f"it renders to more than {MAX_LENGTH:,} characters")
        yield text


def _parsed(source: str) -> nodes.Template:
    try:
        return _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        where = f" (line {error.lineno} of it)" if error.lineno > 1 else ""
        raise ValueError(f"not a valid template: {error.message}{where}") from error
    except Exception as error:  # Jinja's and Python's compiler fail in many ways
        raise ValueError(f"not a valid template: {_said(error)}") from error


def _check_depth(tree: nodes.Template) -> None:
    level: list[nodes.Node] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"a template nested deeper than {MAX_DEPTH} levels")
        level = [inner for node in level for inner in node.iter_child_nodes()]


def _undeclared(tree: nodes.Template) -> frozenset[str]:
    try:
        return frozenset(find_undeclared_variables(tree))
    except Exception as error:  # as above
        raise ValueError(f"not a valid template: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _count_turns(loop: nodes.For) -> None:
    lineno = loop.lineno
    loop.iter = nodes.Filter(loop.iter, COUNTED, [], [], None, None, lineno=lineno)
    loop.set_environment(_ENVIRONMENT)
