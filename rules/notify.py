"""The last rung of a ladder, `notify`: what is told where no agent has come; compiled and rendered.

Where it is sent stands in no rule: rules are shown to people, an address may be a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rules import document
from rules.decision import Notice, Reason
from rules.dispatch import PRODUCTION, DispatchError
from rules.payload import NO_PAYLOAD, LeafError, Payload, compile_payload
from rules.templates import RenderingError, Template, TooLongError

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.document import Entries, Node
    from rules.templates import Context

NOTIFY: Final = "notify"
NOTIFY_KEYS: Final = ("message", "data")
MAX_MESSAGE_BYTES: Final = 2048
MAX_DATA_BYTES: Final = 16 * 1024
"""A receiver should take what it is sent: Standard Webhooks counts on less than 20 KB."""
_ADDRESSES: Final = frozenset({"url", "urls", "to", "secret", "headers"})
_EXAMPLE: Final = "such as {message: 'no agent for {{ room.name }}'}"


@dataclass(frozen=True, slots=True)
class Notify:
    """What is told, as the rule states it."""

    message: Template = PRODUCTION
    data: Payload = NO_PAYLOAD
    path: str = "fallback[0]"
    """Of its rung."""

    def render(self, context: Context) -> Notice:
        """Render it.

        Raises:
            DispatchError: something is absent, or it is too large.
        """
        try:
            notice = Notice(self.message.render(context), self.data.render(context))
        except LeafError as error:
            raise self._fault(error.at, str(error), too_long=error.too_long) from error
        except (RenderingError, ValueError, RecursionError) as error:
            part = f"{NOTIFY}.message" if isinstance(error, RenderingError) else f"{NOTIFY}.data"
            is_long = isinstance(error, TooLongError)
            raise self._fault(part, str(error), too_long=is_long) from error
        for key, fault in (
            ("message", message_fault(notice.message)),
            ("data", data_fault(notice.data)),
        ):
            if fault:
                raise self._fault(f"{NOTIFY}.{key}", fault, too_long=True)
        return notice

    def _fault(self, at: str, detail: str, *, too_long: bool) -> DispatchError:
        reason = Reason.METADATA_TOO_LARGE if too_long else Reason.TEMPLATE_ERROR
        return DispatchError(reason, f"{self.path}.{at}", detail)


def message_fault(message: str) -> str | None:
    """Whether a message is too long, in words."""
    return _too_large("message", message, MAX_MESSAGE_BYTES)


def data_fault(data: str) -> str | None:
    """Whether data, as JSON, are too large, in words."""
    return _too_large("data", data, MAX_DATA_BYTES)


def compile_notify(
    rung: Entries, compiling: Compiling, path: str, *, is_last: bool, is_endless: bool
) -> Notify | None:
    """Compile a rung that has `notify`; problems go to the report.

    Args:
        rung: its entries.
        compiling: of its rule.
        path: of the rung in its rule.
        is_last: whether nothing follows it.
        is_endless: whether an agent before it may take as long as it takes.
    """
    mark, node = rung[NOTIFY]
    if not is_last:
        told = f"'{NOTIFY}' is the last entry of 'fallback': nobody is asked for after it"
        compiling.report.error(mark, told)
    others = [entry for key, entry in rung.items() if key != NOTIFY]
    if others:
        told = f"'{NOTIFY}' stands alone in its entry: whom to ask for stands in one before it"
        compiling.report.error(others[0][0], told)
    if is_endless:
        told = (
            f"'{NOTIFY}' may never be sent: an agent before it has no 'join_within', and is waited"
            " for as long as the room lasts"
        )
        compiling.report.warning(mark, told)
    return _compiled(node, compiling, path)


def _compiled(node: Node, compiling: Compiling, path: str) -> Notify | None:
    if not isinstance(node, document.Mapping) or not node.entries:
        told = f"'{NOTIFY}' takes a mapping of 'message' and 'data', {_EXAMPLE}"
        compiling.report.error(node.mark, told)
        return None
    for key in _ADDRESSES & node.entries.keys():
        told = f"'{NOTIFY}.{key}' stands in no rule: DISPATCHER_NOTIFY_URL says where it is sent"
        compiling.report.error(node.entries[key][0], told)
    given = {key: entry for key, entry in node.entries.items() if key not in _ADDRESSES}
    entries = compiling.known_keys(document.Mapping(node.mark, given), NOTIFY_KEYS, NOTIFY)
    message, data = PRODUCTION, NO_PAYLOAD
    if "message" in entries:
        message = _message(entries["message"][1], compiling)
    if "data" in entries:
        data = _data(entries["data"][1], compiling)
    return Notify(message, data, path)


def _message(node: Node, compiling: Compiling) -> Template:
    text = compiling.text(node, f"{NOTIFY}.message")
    if text is None:
        return PRODUCTION
    template = compiling.template(text)
    fault = message_fault(template.constant) if template.constant is not None else None
    if fault:
        compiling.report.error(node.mark, fault)
    return template


def _data(node: Node, compiling: Compiling) -> Payload:
    if isinstance(node, document.Mapping):
        return compile_payload(node, compiling, f"{NOTIFY}.data", data_fault)
    told = f"'{NOTIFY}.data' takes a mapping, such as {{queue: support}}"
    compiling.report.error(node.mark, told)
    return NO_PAYLOAD


def _too_large(what: str, text: str, most: int) -> str | None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= most:
        return None
    return f"'{NOTIFY}.{what}' has {size:,} bytes, {most:,} are allowed"
