#!/usr/bin/env bash
# A continued Optuna study whose sampler has a seed tries the same hyperparameters again, in the same order.
#
# The storage keeps the trials of a study and not the state of its sampler: a new process starts the random numbers at the seed again.
# A search that stopped after five trials and is continued for five so measures five trials twice, without a warning, and learns
# nothing new. TPESampler starts so too while a study has fewer than n_startup_trials trials; after that it suggests other values, because
# they depend on the earlier trials as well. A seed that depends on len(study.trials), or no seed, avoids it.
#
# Seen with optuna 5.0.0, two sessions of five trials each in one study:
#   TPESampler(seed=7)                       5 of 5 trials of the second session equal those of the first
#   TPESampler(seed=7 + len(study.trials))   0 of 5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet optuna==5.0.0
cat >"$folder/session.py" <<'PYTHON'
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(storage=f"sqlite:///{sys.argv[1]}", study_name="search", load_if_exists=True)
study.sampler = optuna.samplers.TPESampler(seed=7 + int(sys.argv[2]) * len(study.trials))
study.optimize(lambda trial: trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True), n_trials=5)
rates = [trial.params["learning_rate"] for trial in study.trials]
print(len(set(rates[:5]) & set(rates[5:])))
PYTHON
seen() { # prints how many trials of a second session equal one of the first
  for _ in first second; do "$folder/venv/bin/python" "$folder/session.py" "$folder/$1.db" "$1"; done | tail -1
}
constant=$(seen 0)
by_trials=$(seen 1)
"$folder/venv/bin/python" -c 'import optuna; print("optuna", optuna.__version__)'
echo "the same seed: $constant of 5 repeated; a seed by the number of trials: $by_trials of 5"
[[ $constant == 5 && $by_trials == 0 ]]
