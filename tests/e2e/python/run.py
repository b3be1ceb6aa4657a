"""Runs all tests in two processes at once: those that mostly wait for a disk, and beside them all others.

Arguments go to pytest. More at once would not do: the others look at seconds and need both cores.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WAITING = ("test_disk.py", "test_read_only.py", "test_unwritable.py")
# pytest's exit status if the arguments choose no test.
NOTHING = 5


def main(arguments: list[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", *arguments]
    ignored = [f"--ignore={name}" for name in WAITING]
    with tempfile.TemporaryFile() as said:
        waiting = subprocess.Popen([*pytest, *WAITING], cwd=HERE, stdout=said, stderr=subprocess.STDOUT)
        try:
            codes = {subprocess.run([*pytest, *ignored], cwd=HERE).returncode, waiting.wait()}
        finally:
            waiting.terminate()
            waiting.wait()
        said.seek(0)
        sys.stdout.write(said.read().decode(errors="replace"))
    failed = codes - {0, NOTHING}
    return max(failed, key=abs) if failed else min(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
