"""Selections as text: what `parse` reads, for those that the language has words for."""

from __future__ import annotations

from dagwright_shared.model.selection import (
    All,
    And,
    Attribute,
    Computed,
    Ends,
    Keys,
    Match,
    Minus,
    Or,
    Reach,
    Selection,
)


def to_text(selection: Selection) -> str | None:
    """The selection in the language; None: it has no words for a part of it.

    Example:
        >>> to_text(Or(Attribute("group", "raw"), Match("report_*")))
        'group:"raw" or key:"report_*"'
    """
    match selection:
        case All():
            return "*"
        case Keys(keys):
            return " or ".join(f'key:"{key.to_user_string()}"' for key in keys) or None
        case Match(pattern):
            return f'key:"{pattern}"'
        case Attribute(name, value, key):
            return _attribute(name, value, key)
        case Computed(child):
            return to_text(child)
        case Ends(child, roots):
            text = to_text(child)
            return None if text is None else f"{'roots' if roots else 'sinks'}({text})"
        case Reach():
            return _reach(selection)
        case And(left, right):
            return _joined(" and ", _operand(left, And), _operand(right, And))
        case Or(left, right):
            return _joined(" or ", _operand(left, Or), _operand(right, Or))
        case Minus(All(), right):
            text = _operand(right)
            return None if text is None else f"not {text}"
        case Minus(left, right):
            return _joined(" and not ", _operand(left, And), _operand(right))
        case _:
            return None


def _attribute(name: str, value: str | None, key: str) -> str:
    if name == "tag":
        return f'tag:"{key}"="{value}"' if value else f'tag:"{key}"'
    return f"{name}:<null>" if value is None else f'{name}:"{value}"'


def _reach(selection: Reach) -> str | None:
    child = _operand(selection.child)
    if child is None:
        return None
    steps = "" if selection.depth is None else str(selection.depth)
    reached = f"{steps}+{child}" if selection.upstream else f"{child}+{steps}"
    text = child if selection.depth == 0 else reached
    return text if selection.include_self else f"{text} and not {child}"


def _operand(selection: Selection, of: type | None = None) -> str | None:
    """In parentheses where it would be read otherwise without; chains of one operator need none."""
    text = to_text(selection)
    inner = selection
    while isinstance(inner, Computed):
        inner = inner.child
    several = isinstance(inner, Keys) and len(inner.keys) > 1
    joined = isinstance(inner, And | Or | Minus) or several or (isinstance(inner, Reach) and not inner.include_self)
    same = of is not None and (isinstance(inner, of) or (of is Or and several))
    return f"({text})" if text is not None and joined and not same else text


def _joined(word: str, left: str | None, right: str | None) -> str | None:
    return None if left is None or right is None else f"{left}{word}{right}"
