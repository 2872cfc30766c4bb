"""What a user sets about the answers."""

from pipelines.privacy.stored_user import stored_id
from pipelines.settings import Settings
from serving.errors import ErasedUser
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.preference_store import PreferenceStore


def set_personalized(settings: Settings, user_id: str, personalized: bool) -> None:
    """Set whether a user's answers are personalized; running recommenders follow within a second.

    Raises:
        ErasedUser: nothing is kept of this user.
        ValueError, StepError, Unavailable: as of stored_id.
    """
    stored = stored_id(settings, user_id)
    store = PreferenceStore(settings.interaction_log)
    try:
        store.set_personalized(stored, personalized)
    finally:
        store.close()


def is_personalized(settings: Settings, user_id: str) -> bool:
    """Return whether a user's answers are personalized.

    Raises:
        ErasedUser: the user was erased, and is answered like a stranger.
        ValueError, StepError, Unavailable: as of stored_id.
    """
    stored = stored_id(settings, user_id)
    erasures = ErasureStore(settings.interaction_log)
    try:
        if stored in erasures.erased():
            raise ErasedUser
    finally:
        erasures.close()
    store = PreferenceStore(settings.interaction_log)
    try:
        preference = store.of_user(stored)
    finally:
        store.close()
    return preference is None or preference.personalized
