"""The evaluation of a version that knows a user."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from components.evaluate_release.dossier.page import render
from components.evaluation_files import DETAILS, DOSSIER, PAGE
from components.hashed_ids import hash_ids
from tests.components.evaluate_release.dossier.stored import stored
from tests.components.evaluate_release.dossier.test_page import page


def write_evaluation(folder: Path, user_id: str) -> None:
    """Write the evaluation of a version, with the user as its examples, and its page."""
    folder.mkdir(parents=True)
    evaluation = stored()
    evaluation.answers.user_ids[0] = user_id
    replace(evaluation, users=np.unique(hash_ids(evaluation.answers.user_ids.tolist()))).write(folder)
    content = page()
    content["examples"]["drawn"][0]["user_id"] = content["examples"]["loses"][0]["user_id"] = user_id
    (folder / DOSSIER).write_text(json.dumps(content))
    (folder / DETAILS).write_text("")
    (folder / PAGE).write_text(render(content))
