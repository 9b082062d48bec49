"""TensorFlow's errors, with the numbers that it gives them."""

from __future__ import annotations

from typing import Any

from chainrule.errors import ChainruleError


class OpError(ChainruleError):
    """What TensorFlow's operations raise: a message and a code."""

    code = 2

    def __init__(
        self, node_def: Any = None, op: Any = None, message: str = "", error_code: int | None = None
    ) -> None:
        if isinstance(node_def, str) and not message:  # raised here, with the message alone
            message, node_def = node_def, None
        super().__init__(message)
        self.node_def, self.op, self.message = node_def, op, message
        self.error_code = self.code if error_code is None else error_code


class CancelledError(OpError):
    code = 1


class UnknownError(OpError):
    code = 2


class InvalidArgumentError(OpError, ValueError):
    code = 3


class DeadlineExceededError(OpError):
    code = 4


class NotFoundError(OpError, FileNotFoundError):
    code = 5


class AlreadyExistsError(OpError):
    code = 6


class PermissionDeniedError(OpError):
    code = 7


class ResourceExhaustedError(OpError):
    code = 8


class FailedPreconditionError(OpError):
    code = 9


class AbortedError(OpError):
    code = 10


class OutOfRangeError(OpError):
    """The end of a data set, for programs that call `get_next()`."""

    code = 11


class UnimplementedError(OpError, NotImplementedError):
    code = 12


class InternalError(OpError):
    code = 13


class UnavailableError(OpError):
    code = 14


class DataLossError(OpError):
    code = 15


class UnauthenticatedError(OpError):
    code = 16
