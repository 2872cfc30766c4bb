"""The files of a version's evaluation in the artifacts of its MLflow run."""

from typing import Final

FOLDER: Final = "evaluation"
FACTS, ANSWERS, ITEMS, USERS = "facts.json", "answers.parquet", "items.parquet", "users.parquet"
DOSSIER: Final = "dossier.json"
DETAILS: Final = "details.html"
PAGE: Final = "report.html"
MODEL_CARD, USER_PAGE = "model_card.md", "user_page.md"

# Raised when the content of these files changes, so that those of an older version are not misread.
FORMAT: Final = 1
