"""Replaces the user ids of a request by their pseudonyms, before anything else reads the request."""

from collections.abc import Iterable
from typing import Any, Final

from feature_repo.bounds import MAX_TEXT, is_text
from feature_repo.pseudonyms import Pseudonyms
from serving.api.validation import RequestLimits, check_counts, check_record_count
from serving.errors import InvalidRequest
from serving.protos import recommender_pb2 as pb

_EXPECTED: Final = f"1 to {MAX_TEXT} characters without control characters"


class UserIds:
    """The boundary that no user id passes if there is a key; without one, ids pass as they are."""

    def __init__(self, pseudonyms: Pseudonyms | None, limits: RequestLimits) -> None:
        """`limits`: a request with more elements is refused before they are read."""
        self._pseudonyms, self._limits = pseudonyms, limits

    def replace(self, request: Any) -> Any:
        """Replace the ids in place, and return the request; an empty id, of an anonymous visitor, stays.

        Raises:
            InvalidRequest: an id can't be one, or a list is too long; the message has no id.
        """
        if self._pseudonyms is None:
            return request
        known: dict[str, str] = {}  # most requests have one user
        if isinstance(request, pb.RecordInteractionsRequest):
            check_record_count(request, self._limits)
            self._replace("interactions", request.interactions, known)
            return request
        if request.user_id:
            request.user_id = self._pseudonym("user_id", request.user_id, known)
        if isinstance(request, pb.RecommendRequest):
            check_counts(request, self._limits)
            self._replace("history", request.history, known)
            if followed := request.followed_user_ids:
                followed[:] = [self._pseudonym("followed_user_ids", user_id, known) for user_id in followed]
        return request

    def _replace(self, field: str, messages: Iterable[pb.Interaction], known: dict[str, str]) -> None:
        for position, message in enumerate(messages):
            if message.user_id:
                message.user_id = self._pseudonym(f"{field}[{position}].user_id", message.user_id, known)

    def _pseudonym(self, field: str, user_id: str, known: dict[str, str]) -> str:
        assert self._pseudonyms
        if (pseudonym := known.get(user_id)) is None:
            if not is_text(user_id):
                raise InvalidRequest(f"{field}: expected {_EXPECTED}")
            pseudonym = known[user_id] = self._pseudonyms.of(user_id)
        return pseudonym
