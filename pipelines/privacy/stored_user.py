"""The id under which a home has a user."""

from components.ingest_interactions.warehouse.retraction import check_key
from feature_repo.bounds import MAX_TEXT, is_text
from feature_repo.pseudonyms import check_value
from pipelines.settings import Settings
from serving.user_data.interaction_log import InteractionLog


def stored_id(settings: Settings, user_id: str) -> str:
    """Return the user id, or its pseudonym in a home with a pseudonym key.

    Raises:
        ValueError: no user can have this id, or the key is not that of the interaction log.
        StepError: the key is not that of the warehouse.
        Unavailable: the interaction log can't be reached.
    """
    if not is_text(user_id):
        raise ValueError(f"USER: expected 1 to {MAX_TEXT} characters without control characters")
    pseudonyms = settings.pseudonyms
    check_key(settings.warehouse, pseudonyms)
    log = InteractionLog(settings.interaction_log, key_check=check_value(pseudonyms))
    try:
        log.open()
    finally:
        log.close()
    return pseudonyms.of(user_id) if pseudonyms else user_id
