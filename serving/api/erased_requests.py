"""What a request about an erased user gets: an answer that is not personalized, or an error."""

from typing import Any

from feature_repo.erased_users import ErasedUsers
from serving.errors import ErasedUser
from serving.protos import recommender_pb2 as pb


def leave_out_erased(request: Any, erased: ErasedUsers) -> None:
    """Take erased users out of a request, in place: a recommendation is then not personalized.

    Raises:
        ErasedUser: the request records something of an erased user, or asks what is known.
    """
    if not erased:
        return
    if isinstance(request, pb.RecordInteractionsRequest):
        if erased.among({interaction.user_id for interaction in request.interactions}):
            request.Clear()  # the log of requests must not have the id either
            raise ErasedUser
    elif request.user_id in erased:
        if not isinstance(request, pb.RecommendRequest):
            request.Clear()
            raise ErasedUser
        request.personalized = False
        request.ClearField("user_id")
    elif isinstance(request, pb.RecommendRequest):
        for user_id in erased.among(request.followed_user_ids):
            request.followed_user_ids.remove(user_id)
