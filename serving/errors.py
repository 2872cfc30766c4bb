"""What can go wrong while answering.

PenchantError
├── InvalidRequest          INVALID_ARGUMENT     the client can mend it
├── ReleaseError            FAILED_PRECONDITION  a release can't be used
│   ├── ReleaseNotFound     NOT_FOUND
│   └── ForeignRelease      FAILED_PRECONDITION  built by another contract
└── Unavailable             UNAVAILABLE          a part behind the service does not answer
"""

import grpc


class PenchantError(Exception):
    """Its message says what was expected, what came, and the next step; `status` is what a client sees."""

    status: grpc.StatusCode = grpc.StatusCode.INTERNAL


class InvalidRequest(PenchantError, ValueError):
    status = grpc.StatusCode.INVALID_ARGUMENT


class ReleaseError(PenchantError):
    status = grpc.StatusCode.FAILED_PRECONDITION


class ReleaseNotFound(ReleaseError):
    status = grpc.StatusCode.NOT_FOUND


class ForeignRelease(ReleaseError):
    status = grpc.StatusCode.FAILED_PRECONDITION


class Unavailable(PenchantError):
    status = grpc.StatusCode.UNAVAILABLE
