# %% [markdown]
# # Your first recommender
#
# This tutorial makes a tiny shop, trains a recommender on its purchases, and asks it for recommendations.
# It takes about a minute. Set up the environment first: `make demo` or `make test` in the repository, then
# `source .venv/bin/activate`.
#
# Run the file as a whole, `python tests/examples/first_recommender.py`, or cell by cell in an editor that
# knows the `# %%` format, such as VS Code, PyCharm or Jupyter with Jupytext.

# %%
import atexit
import csv
import os
import random
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serving.answers import Answer
from serving.client import Recommender

# %% [markdown]
# Penchant keeps everything that it makes in one folder, its home. All commands below use this home.

# %%
folder = Path(os.environ.get("TUTORIAL_FOLDER", "first-recommender")).absolute()
os.environ["PENCHANT_HOME"] = str(folder / "home")

# %% [markdown]
# ## 1. Make a shop
#
# The shop sells 12 kinds of tea and 12 kinds of bolts. Each of its 40 users buys from one category only.
# Most of the time they buy the item with the next number, so there is something to learn.
#
# The pipeline reads CSV, Parquet and JSON Lines files. An interaction needs the columns `user_id`, `item_id`
# and `timestamp`; here it also has an `event_type`. An item needs an `item_id`.

# %%
folder.mkdir(parents=True, exist_ok=True)
generator = random.Random(7)
first_day = datetime(2026, 1, 1, tzinfo=UTC)

with (folder / "items.csv").open("w", newline="") as file:
    items = csv.writer(file)
    items.writerow(["item_id", "title", "categories"])
    for category in ("tea", "bolts"):
        for number in range(12):
            items.writerow([f"{category}-{number}", f"{category.title()} no. {number}", category])

with (folder / "interactions.csv").open("w", newline="") as file:
    interactions = csv.writer(file)
    interactions.writerow(["user_id", "item_id", "event_type", "timestamp"])
    for user in range(40):
        category = ("tea", "bolts")[user % 2]
        number = generator.randrange(12)
        for day in range(20):
            number = (number + 1) % 12 if generator.random() < 0.8 else generator.randrange(12)
            bought_at = first_day + timedelta(days=day, hours=user)
            interactions.writerow([f"user-{user}", f"{category}-{number}", "purchase", bought_at.isoformat()])

# %% [markdown]
# ## 2. Train
#
# `penchant run` runs the whole pipeline: it validates the data, builds features, trains, evaluates, and
# publishes the release if it is better than the one before. The options after `--set` make the model small;
# leave them out for real data, and the pipeline chooses sizes that fit.

# %%
small_model = ["--set", "epochs=2", "--set", "embedding_size=16", "--set", "units=16"]
sources = ["--interactions", str(folder / "interactions.csv"), "--items", str(folder / "items.csv")]
subprocess.run(["penchant", "run", *sources, *small_model], check=True)

# %% [markdown]
# ## 3. Serve
#
# `penchant serve` starts the recommender and a model server. Port 0 means any free port; the first line that
# the command prints has the address. In daily work you leave the ports out and let it run in a terminal.

# %%
server = subprocess.Popen(
    ["penchant", "serve", "--port", "0", "--model-port", "0"], stdout=subprocess.PIPE, text=True
)
atexit.register(server.terminate)  # also when a later cell fails
assert server.stdout
first_line = server.stdout.readline()
print(first_line)
address = re.findall(r"recommender on (\S+?),", first_line)[0]
recommender = Recommender(address, timeout_s=60)

# %% [markdown]
# ## 4. Ask
#
# `user-0` has bought tea 20 times. The answer says what it is based on, and each item has a reason. Users of
# this shop buy the same items again, so the answer may contain items that the user has bought before.


# %%
def show(title: str, answer: Answer) -> None:
    print(f"{title} (based on: {answer.basis})")
    for item in answer.recommendations:
        print(f"  {item.item_id:9} {item.score:6.2f}  {item.reason}")


show("user-0", recommender.recommend("user-0", k=5))

# %% [markdown]
# The next user has no interactions, so the recommender returns trending items.

# %%
show("a new user", recommender.recommend("a new user", k=5))

# %% [markdown]
# ## 5. Record, and ask again
#
# The new user buys three kinds of bolts. No training is needed: the next answer already takes them into
# account.

# %%
for number in (3, 4, 5):
    recommender.record("a new user", f"bolts-{number}", event_type="purchase")

show("the new user after three purchases", recommender.recommend("a new user", k=5))

# %% [markdown]
# The next `penchant run` also learns from what was recorded. Before that, stop the servers.

# %%
recommender.close()
server.terminate()
print("penchant serve ended with exit code", server.wait())
