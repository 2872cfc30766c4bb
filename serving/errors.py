"""What can go wrong while answering.

PenchantError
├── InvalidRequest          INVALID_ARGUMENT     the client can mend it
├── Unauthenticated         UNAUTHENTICATED      no token, or one that isn't known
├── Forbidden               PERMISSION_DENIED    the token has another scope
├── TooMany                 RESOURCE_EXHAUSTED   more requests than this service takes on
├── ReleaseError            FAILED_PRECONDITION  a release can't be used
│   ├── ReleaseNotFound     NOT_FOUND
│   └── ForeignRelease      FAILED_PRECONDITION  built by another contract
└── Unavailable             UNAVAILABLE          a part behind the service does not answer
    └── CircuitOpen         UNAVAILABLE          … nor is it asked: it let others wait in vain
"""

from typing import Self

import grpc


class PenchantError(Exception):
    """Its message says what was expected, what came, and the next step; `status` is what a client sees."""

    status: grpc.StatusCode = grpc.StatusCode.INTERNAL


class InvalidRequest(PenchantError, ValueError):
    status = grpc.StatusCode.INVALID_ARGUMENT

    @classmethod
    def of(cls, field: str, value: object, allowed: str) -> Self:
        """For a field whose value isn't allowed; a long value is shown by its beginning."""
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return cls(f"{field}: expected {allowed}, got {shown}")


class Unauthenticated(PenchantError):
    status = grpc.StatusCode.UNAUTHENTICATED


class Forbidden(PenchantError):
    status = grpc.StatusCode.PERMISSION_DENIED


class TooMany(PenchantError):
    status = grpc.StatusCode.RESOURCE_EXHAUSTED


class ReleaseError(PenchantError):
    status = grpc.StatusCode.FAILED_PRECONDITION


class ReleaseNotFound(ReleaseError):
    status = grpc.StatusCode.NOT_FOUND


class ForeignRelease(ReleaseError):
    status = grpc.StatusCode.FAILED_PRECONDITION


class Unavailable(PenchantError):
    status = grpc.StatusCode.UNAVAILABLE


class CircuitOpen(Unavailable):
    status = grpc.StatusCode.UNAVAILABLE
