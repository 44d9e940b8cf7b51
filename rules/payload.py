"""Metadata, and what is like it: a text, or a mapping or list that becomes JSON leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jinja2.exceptions import SecurityError

from rules import document
from rules.limits import metadata_fault
from rules.template_filters import to_json
from rules.templates import Context, RenderingError, Template, TooLongError, has_template

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.document import Node

PATH: Final = "dispatch.metadata"

_Build = Callable[[Context], Any]


class LeafError(Exception):
    """A leaf of it that cannot be rendered. `at` is its path."""

    def __init__(self, at: str, error: RenderingError) -> None:
        super().__init__(str(error))
        self.at = at
        self.too_long = isinstance(error, TooLongError)


@dataclass(frozen=True, slots=True)
class Payload:
    """Metadata, ready to be rendered."""

    build: _Build
    is_text: bool
    constant: str | None = None
    path: str = PATH
    """Where it stands."""

    def render(self, context: Context) -> str:
        """The metadata for one event.

        Raises:
            LeafError: one of its templates fails.
        """
        if self.constant is not None:
            return self.constant
        built = self.build(context)
        if isinstance(built, str) and self.is_text:
            return built
        try:
            return to_json(built)
        except SecurityError as error:
            raise LeafError(self.path, TooLongError(str(error))) from error


NO_PAYLOAD = Payload(build=lambda context: "", is_text=True, constant="")  # noqa: ARG005


def compile_payload(
    node: Node,
    compiling: Compiling,
    path: str = PATH,
    too_large: Callable[[str], str | None] = metadata_fault,
) -> Payload:
    """Compile what stands at `path`; problems go to the report.

    `too_large` says in words whether what it becomes is that.
    """
    is_text = isinstance(node, document.Scalar)
    if isinstance(node, document.Scalar) and not isinstance(node.value, str):
        compiling.report.error(node.mark, f"'{path}' takes text, a mapping or a list: quote it")
        return NO_PAYLOAD
    templates: list[Template] = []
    build = _compile(node, path, compiling, templates)
    payload = Payload(build, is_text, path=path)
    if templates:
        return payload
    try:
        constant = payload.render({})
    except LeafError as error:
        compiling.report.error(node.mark, f"'{path}' is too large: {error}")
        return NO_PAYLOAD
    fault = too_large(constant)
    if fault:
        compiling.report.error(node.mark, fault)
    return Payload(build, is_text, constant, path)


def _compile(node: Node, path: str, compiling: Compiling, templates: list[Template]) -> _Build:
    if isinstance(node, document.Mapping):
        return _mapping(node, path, compiling, templates)
    if isinstance(node, document.Sequence):
        items = [
            _compile(item, f"{path}[{index}]", compiling, templates)
            for index, item in enumerate(node.items)
        ]
        return lambda context: [build(context) for build in items]
    if isinstance(node.value, str) and has_template(node.value):
        template = compiling.template(node)
        templates.append(template)
        is_whole = path == PATH
        return _leaf(template.render if is_whole else template.render_json, path)
    constant = node.value
    return lambda context: constant  # noqa: ARG005 - the shape of a build


def _mapping(
    node: document.Mapping, path: str, compiling: Compiling, templates: list[Template]
) -> _Build:
    fields: list[tuple[str, _Build]] = []
    for key, (mark, value) in node.entries.items():
        if has_template(key):
            compiling.report.error(mark, "templates stand in values, not in keys")
        fields.append((key, _compile(value, f"{path}.{key}", compiling, templates)))
    return lambda context: {key: build(context) for key, build in fields}


def _leaf(render: _Build, path: str) -> _Build:
    def build(context: Context) -> Any:  # noqa: ANN401 - any JSON
        try:
            return render(context)
        except RenderingError as error:
            raise LeafError(path, error) from error

    return build
