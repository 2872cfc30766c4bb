"""The errors of serving, with their gRPC statuses.

PenchantError
├── InvalidRequest          INVALID_ARGUMENT     a field of the request is not allowed
├── AlreadyExists           ALREADY_EXISTS       an id is that of another interaction
├── Unauthenticated         UNAUTHENTICATED      the call has no token, or an unknown one
├── Forbidden               PERMISSION_DENIED    the token lacks the scope
├── ErasedUser              FAILED_PRECONDITION  nothing is recorded of a user who was erased
├── TooManyRequests         RESOURCE_EXHAUSTED   the service is at one of its limits
├── ReleaseError            FAILED_PRECONDITION  a release can't be used
│   ├── ReleaseNotFound     NOT_FOUND
│   ├── DamagedRelease      DATA_LOSS            a file of a release is missing or damaged
│   └── ForeignRelease      FAILED_PRECONDITION  a release built under another contract
└── Unavailable             UNAVAILABLE          a dependency of the service does not answer
    └── CircuitOpen         UNAVAILABLE          a dependency is not called, because earlier calls timed out
"""

from typing import Self


class PenchantError(Exception):
    """Base class; the message says what was expected, what came, and the next step.

    Attributes:
        status: the name of a grpc.StatusCode; commands that print an error need not import grpc.
    """

    status = "INTERNAL"


class InvalidRequest(PenchantError, ValueError):
    status = "INVALID_ARGUMENT"

    @classmethod
    def of(cls, field: str, value: object, allowed: str) -> Self:
        """Return the error for a field whose value is not allowed; a long value is truncated."""
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return cls(f"{field}: expected {allowed}, got {shown}")


class AlreadyExists(PenchantError):
    status = "ALREADY_EXISTS"


class Unauthenticated(PenchantError):
    status = "UNAUTHENTICATED"


class Forbidden(PenchantError):
    status = "PERMISSION_DENIED"


class ErasedUser(PenchantError):
    status = "FAILED_PRECONDITION"

    def __init__(self) -> None:
        super().__init__(
            "the user was erased, so nothing is recorded or known of this id; "
            "if the person comes back, allow the id again: penchant forget USER --allow"
        )


class TooManyRequests(PenchantError):
    """`limit` names the limit in the metric of refused calls; a client gets it without a name."""

    status = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str | None, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class ReleaseError(PenchantError):
    status = "FAILED_PRECONDITION"


class ReleaseNotFound(ReleaseError):
    status = "NOT_FOUND"


class DamagedRelease(ReleaseError):
    status = "DATA_LOSS"

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"{fault}: publish the version again with `penchant review approve VERSION`, or make the version "
            "before it live with `penchant review rollback`"
        )


class ForeignRelease(ReleaseError):
    status = "FAILED_PRECONDITION"


class Unavailable(PenchantError):
    status = "UNAVAILABLE"


class CircuitOpen(Unavailable):
    status = "UNAVAILABLE"
