"""Each process has a folder of its own, which is kept while the process runs, and no longer."""

import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo.process_folders import make_folder_of_this_process, unused_entries
from tests.patience import HANG_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")

PROGRAM = """
import os, sys
from pathlib import Path
from feature_repo.process_folders import make_folder_of_this_process
folder = make_folder_of_this_process(Path(sys.argv[1]))
(folder / "copy").touch()
if os.fork() == 0:
    sys.exit()
os.wait()
assert folder.is_dir()
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_folder_of_a_process_is_in_use_until_it_ends(tmp_path: Path, is_killed: bool) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.parent == tmp_path
        assert unused_entries(tmp_path) == []
        if is_killed:
            process.kill()
        process.communicate(timeout=HANG_S)
    assert unused_entries(tmp_path) == ([folder] if is_killed else [])
    assert folder.exists() is is_killed


def test_other_files_and_a_reused_id_are_not_in_use(tmp_path: Path) -> None:
    own = make_folder_of_this_process(tmp_path)
    assert make_folder_of_this_process(tmp_path) == own
    former = tmp_path / f"{own.name}0"
    former.mkdir()
    (tmp_path / "tmpx").touch()
    assert unused_entries(tmp_path) == [former, tmp_path / "tmpx"]
