"""What the tests inherit from the shell that starts them."""

import os
import subprocess
import sys


def test_settings_of_the_shell_reach_no_test() -> None:
    assert [name for name in os.environ if name.startswith("PENCHANT_")] == []
    if "OF_ANOTHER_TEST" in os.environ:
        return
    of_no_worker = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    settings = {"PENCHANT_SCENARIOS": "/absent.toml", "OF_ANOTHER_TEST": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", __file__]
    result = subprocess.run(command, env=of_no_worker | settings, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
