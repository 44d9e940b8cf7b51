"""The Jinja2 environment of rule templates: sandboxed, strict, and bounded in what it may cost.

A dot or a subscript on what an event carries reads that field and nothing else, so a participant
who names an attribute `items` or writes `{{ … }}` into metadata changes data, never code.

Jinja's own sandbox bounds `range` only. Here texts and lists cannot grow past
`template_budget.MAX_LENGTH`, all that is done shares one budget, and filters that build text of any
length by a number (`center`, `indent`, …) are left out.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import date, datetime, time, timedelta
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, operators, optimizeconst
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rules.template_budget import budget, compared, counted, kept_short, worked
from rules.template_filters import filters
from rules.template_values import (
    MAPPING_METHODS,
    Fields,
    Missing,
    fields_of,
    key_text,
    or_missing,
    spoken,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2.compiler import Frame
    from jinja2.runtime import Context, Undefined

COUNTED: Final = "counted"
"""The filter that is put around what a loop loops over; no template may use it."""

_MAX_BITS: Final = 4096
STRING_METHODS: Final = frozenset(
    """
    capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit islower
    isnumeric isspace istitle isupper lower lstrip partition removeprefix removesuffix rfind
    rpartition rsplit rstrip split splitlines startswith strip swapcase title upper
    """.split()  # noqa: SIM905 - forty words read better in three lines than in forty
)
_COMPARING: Final = frozenset("lstrip rfind rpartition rsplit rstrip strip".split())  # noqa: SIM905 - as above
"""Those whose time is the product of two lengths; searches from the beginning take their sum."""
_SIZED: Final = (str, list, tuple)
_OF_TIMES: Final = frozenset(
    """
    year month day hour minute second microsecond weekday isoweekday isocalendar isoformat strftime
    timestamp date time timetuple days seconds total_seconds
    """.split()  # noqa: SIM905 - as above
)
_ATTRIBUTES: Final[Mapping[type, frozenset[str]]] = {
    str: STRING_METHODS,
    **dict.fromkeys((int, float, bool), frozenset()),
    **dict.fromkeys((datetime, date, time, timedelta), _OF_TIMES),
}
"""What may be read of values that know more than a template should: a clock, the time zone here."""


class _Generator(CodeGenerator):
    @optimizeconst
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """Send `a ~ b` through the environment, which looks at its length."""
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    @optimizeconst
    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """Comparing may look at all there is on both sides."""
        self.write("(")
        self._worked(node.expr, frame)
        for operand in node.ops:
            self.write(f" {operators[operand.op]} ")
            self._worked(operand.expr, frame)
        self.write(")")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """A list may hold another several times over."""
        self.write("environment.worked(")
        super().visit_List(node, frame)
        self.write(")")

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """As a list, where it is no list of names to set."""
        if node.ctx != "load":
            super().visit_Tuple(node, frame)
            return
        self.write("environment.worked(")
        super().visit_Tuple(node, frame)
        self.write(")")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """As a list; what a key is made of is looked at besides."""
        self.write("environment.worked({")
        for item in node.items:
            self._worked(item.key, frame)
            self.write(": ")
            self.visit(item.value, frame)
            self.write(", ")
        self.write("})")

    @optimizeconst
    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """Jinja cuts pieces out of texts and lists without asking the environment."""
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self._worked(node.node, frame)
        self.write("[")
        self.visit(node.arg, frame)
        self.write("]")

    def _worked(self, node: nodes.Expr, frame: Frame) -> None:
        self.write("environment.worked(")
        self.visit(node, frame)
        self.write(")")


class RuleEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2 for rule templates."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"*", "+", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=Missing,
            keep_trailing_newline=True,
            autoescape=False,
            cache_size=0,
            finalize=spoken,
        )
        self.globals = {"range": self.globals["range"]}
        self.filters = {name: _at_cost(each) for name, each in filters(self.filters).items()}
        self.filters[COUNTED] = _counted
        tests: Mapping[str, Any] = self.tests
        self.tests = {name: _at_cost(each) for name, each in tests.items()}

    worked = staticmethod(worked)

    def joined(self, parts: Iterable[object]) -> str:
        """What `~` does."""
        texts = [str(spoken(part)) for part in parts]
        kept_short(sum(map(len, texts)))
        return "".join(texts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - Jinja's signature
        """Calculate, unless the result would be huge."""
        worked((left, right))
        match operator:
            case "*":
                if isinstance(left, list | tuple) or isinstance(right, list | tuple):
                    msg = "lists are not multiplied in rule templates"
                    raise SecurityError(msg)
                for text, times in ((left, right), (right, left)):
                    if isinstance(text, str) and isinstance(times, int):
                        kept_short(len(text) * times)
                _bounded(_bits(left) + _bits(right))
            case "+" if isinstance(left, _SIZED) and isinstance(right, _SIZED):
                kept_short(len(left) + len(right))
            case "%" if isinstance(left, str):
                msg = "'%' does not format text in rule templates: use '~' to join"
                raise SecurityError(msg)
            case "**":
                _bounded(_bits(left) * abs(right) if isinstance(right, int) else 0)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Jinja's signature
        """Call a method, which may look at all of its text and its arguments."""
        text = getattr(obj, "__self__", None)
        worked((text, *args, *kwargs.values()))
        if isinstance(text, str) and getattr(obj, "__name__", "") in _COMPARING:
            compared(text, *args, *kwargs.values())
        return super().call(context, obj, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - Jinja's signature
        """Read `obj.attribute`: a field of data, or one of a few harmless methods."""
        budget().take(1)
        if isinstance(obj, Missing):
            return obj.below(attribute)
        fields = fields_of(obj)
        if fields is not None:
            return self._field(fields, attribute)
        if isinstance(obj, str) and attribute == "replace":
            return _replacing(obj)
        kind = str if isinstance(obj, str) else type(obj)
        if attribute not in _ATTRIBUTES.get(kind, (attribute,)):
            return Missing(name=f"{attribute} of a {'text' if kind is str else kind.__name__}")
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - Jinja's signature
        """Read `obj[argument]`."""
        budget().take(1)
        if isinstance(obj, Missing):
            return obj.below(key_text(argument))
        fields = fields_of(obj)
        if fields is not None and (isinstance(argument, str) or not isinstance(obj, str)):
            return fields.read(argument)
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        return or_missing(super().getitem(obj, argument), f"item {key_text(argument)}")

    def _field(self, fields: Fields, attribute: str) -> Any:  # noqa: ANN401 - any JSON
        found = fields.read(attribute)
        if isinstance(found, Missing) and attribute in MAPPING_METHODS:
            return getattr(fields, attribute)
        return found


def _replacing(text: str) -> Any:  # noqa: ANN401 - a bound method
    def replace(old: str, new: str, count: int = -1) -> str:
        kept_short(len(text) + (text.count(old) if old else len(text) + 1) * len(new))
        return text.replace(old, new, count)

    return replace


def _bits(value: object) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _bounded(bits: int) -> None:
    if bits > _MAX_BITS:
        msg = "a number too large for a rule template"
        raise SecurityError(msg)


def _at_cost(of_jinja: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or a test that has the work of looking at what it is given taken off."""

    @wraps(of_jinja)
    def at_cost(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as it is wrapped
        given = [counted(arg) if isinstance(arg, Generator) else arg for arg in args]
        worked((*given, *kwargs.values()))
        return of_jinja(*given, **kwargs)

    return at_cost


def _counted(values: Iterable[Any] | Undefined) -> Iterable[Any]:
    """Wrapped around what a `for` loops over."""
    left = budget()
    listed = list(islice(values, left.turns + 1))
    left.take_turns(len(listed))
    return [or_missing(value, f"item {n}") for n, value in enumerate(listed)]
