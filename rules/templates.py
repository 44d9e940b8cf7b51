"""Templates: texts of a rule with `{{ … }}` in them, compiled and checked when loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from rules.metadata import well_formed
from rules.names import TEMPLATE_NAMES, Kind, Name
from rules.problems import nearest
from rules.sandbox import BUDGET, COUNTED, STRING_METHODS, Budget, RuleEnvironment
from rules.template_filters import MAX_LENGTH
from rules.template_values import MAPPING_METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jinja2 import Template as JinjaTemplate

MAX_SOURCE: Final = 64 * 1024
"""Characters a template may have."""

_ENVIRONMENT: Final = RuleEnvironment()
_DELIMITERS: Final = ("{{", "{%", "{#")
_OF_JINJA: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})
"""Names that Jinja itself fills in, for blocks and macros."""
_STATEMENTS: Final = (nodes.Output, nodes.If, nodes.For, nodes.Assign)

_FILTERS: Final = frozenset(_ENVIRONMENT.filters) - {COUNTED}
_TESTS: Final = frozenset(_ENVIRONMENT.tests)
_PLAIN: Final = frozenset(
    {nodes.Template, nodes.Output, nodes.TemplateData, nodes.Filter, nodes.Const}
    | {nodes.Name, nodes.Getattr, nodes.Getitem}
)
_FEW: Final = 100
"""Nodes of a template that no compiler finds nested too deep."""

Context = Mapping[str, Any]
_Node = TypeVar("_Node", bound=nodes.Node)


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

    def render(self, context: Context) -> str:
        """Render for one event.

        Raises:
            RenderingError: something it reads is absent, or it fails.
            TooLongError: it is longer than anything takes.
        """
        if self.constant is not None:
            return self.source
        try:
            text = "".join(_bounded(self._texts(context)))
        except RenderingError:
            raise
        except Exception as error:  # a template is somebody else's program
            raise RenderingError(_said(error)) from error
        return well_formed(text)

    def _texts(self, context: Context) -> Iterator[str]:
        compiled = self.compiled or _compiled(self.source)
        variables = compiled.new_context({**context, BUDGET: Budget()})
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
    tree = _parsed(source)
    every = tuple(tree.find_all(nodes.Node))
    _check_words("filter", _of(nodes.Filter, every), _FILTERS)
    _check_words("test", _of(nodes.Test, every), _TESTS)
    is_plain = len(every) <= _FEW and all(type(node) in _PLAIN for node in every)
    read = {name.name for name in _of(nodes.Name, every) if name.ctx == "load"}
    undeclared = frozenset(read) if is_plain else _undeclared(tree)
    _check(every, read, undeclared)
    names = undeclared & TEMPLATE_NAMES.fields.keys()
    told = Template(source, None, names, _tables(every), _is_only_tojson(tree))
    if is_plain:
        return told
    for loop in _of(nodes.For, every):
        _count_turns(loop)
    try:
        return replace(told, compiled=_ENVIRONMENT.from_string(tree))
    except Exception as error:  # Jinja's and Python's compiler fail in many ways
        raise ValueError(f"not a valid template: {_said(error)}") from error


@lru_cache(maxsize=4096)
def _compiled(source: str) -> JinjaTemplate:
    return _ENVIRONMENT.from_string(_parsed(source))


def _of(kind: type[_Node], every: Iterable[nodes.Node]) -> Iterator[_Node]:
    return (node for node in every if isinstance(node, kind))


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


def _undeclared(tree: nodes.Template) -> frozenset[str]:
    try:
        return frozenset(find_undeclared_variables(tree))
    except Exception as error:  # as above
        raise ValueError(f"not a valid template: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check(every: Iterable[nodes.Node], read: set[str], undeclared: frozenset[str]) -> None:
    for statement in _of(nodes.Stmt, every):
        if not isinstance(statement, _STATEMENTS):
            word = type(statement).__name__.lower()
            raise ValueError(f"'{word}' is not part of rule templates")  # noqa: TRY004 - bad input
        if isinstance(statement, nodes.For) and statement.recursive:
            raise ValueError("a recursive loop is not part of rule templates")
    known = TEMPLATE_NAMES.fields
    for name in sorted((undeclared | (read & _OF_JINJA)) - known.keys()):
        raise ValueError(f"unknown name '{name}' in a template{nearest(name, known)}")
    if any(_is_not_finite(constant.value) for constant in _of(nodes.Const, every)):
        raise ValueError("not a valid template: a number too large")
    own = {name.name for name in _of(nodes.Name, every) if name.ctx == "store"}
    for path in _paths(every):
        if path and path[0] in known and path[0] not in own:
            _check_path(path)


def _check_words(
    kind: str, used: Iterable[nodes.Filter | nodes.Test], known: frozenset[str]
) -> None:
    for name in (node.name for node in used):
        if name not in known:
            raise ValueError(f"unknown {kind} '{name}' in a template{nearest(name, sorted(known))}")


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _paths(every: Iterable[nodes.Node]) -> Iterator[tuple[str, ...]]:
    return (
        _constant_path(node) for node in every if isinstance(node, nodes.Getattr | nodes.Getitem)
    )


def _constant_path(read: nodes.Expr) -> tuple[str, ...]:
    if isinstance(read, nodes.Name):
        return (read.name,)
    if isinstance(read, nodes.Getattr):
        above = _constant_path(read.node)
        return (*above, read.attr) if above else ()
    if isinstance(read, nodes.Getitem) and isinstance(read.arg, nodes.Const):
        above = _constant_path(read.node)
        return (*above, str(read.arg.value)) if above else ()
    return ()


def _tables(every: Iterable[nodes.Node]) -> frozenset[str]:
    return frozenset(path[1] for path in _paths(every) if path[:1] == ("tables",)) - MAPPING_METHODS


def _check_path(path: tuple[str, ...]) -> None:
    name: Name = TEMPLATE_NAMES
    for depth, key in enumerate(path):
        child = name.child(key)
        if child is None:
            if name.kind is Kind.GROUP and key in MAPPING_METHODS:
                return
            if name.kind is Kind.TEXT and key in (*STRING_METHODS, "replace"):
                return
            above = ".".join(path[:depth])
            hint = nearest(key, name.fields, above)
            raise ValueError(f"unknown field '{above}.{key}' in a template{hint}")
        if child.kind is Kind.JSON:
            return
        name = child


def _count_turns(loop: nodes.For) -> None:
    lineno = loop.lineno
    loop.iter = nodes.Filter(loop.iter, COUNTED, [], [], None, None, lineno=lineno)
    loop.set_environment(_ENVIRONMENT)


def _is_only_tojson(tree: nodes.Template) -> bool:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return False
    spoken = [
        node
        for node in tree.body[0].nodes
        if not (isinstance(node, nodes.TemplateData) and not node.data.strip())
    ]
    return len(spoken) == 1 and isinstance(spoken[0], nodes.Filter) and spoken[0].name == "tojson"
