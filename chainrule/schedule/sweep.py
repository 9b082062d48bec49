"""Values that nobody uses are left out.

    %1 = add %i 1
    %2 = mul %i 2        →    %2 = mul %i 2
    store @y[%2] 0.0          store @y[%2] 0.0

A loop or branch that nothing is left of goes, too.
"""

from __future__ import annotations

from chainrule.schedule.loops import Check, Declare, For, If, Let, Set, Statement, Store, Value


def swept(block: list[Statement], used: set[Value]) -> list[Statement]:
    """The block without values that nobody uses; `used` are those needed after it."""
    kept: list[Statement] = []
    for s in reversed(block):
        match s:
            case Let(value):
                if value not in used:
                    continue
                used.update(value.args)
            case Store(_, index, value, mask):
                used.update((index, value) if mask is None else (index, value, mask))
            case Declare(_, value) | Set(_, value):
                used.add(value)
            case Check(condition, _, details):
                used.update((condition, *details))
            case For(_, start, stop, _, body):
                body = swept(body, used)
                if not body:
                    continue
                s = s._replace(body=body)
                used.update((start, stop))
            case If(condition, then, otherwise):
                otherwise, then = swept(otherwise, used), swept(then, used)
                if not then and not otherwise:
                    continue
                s = If(condition, then, otherwise)
                used.add(condition)
        kept.append(s)
    kept.reverse()
    return kept
