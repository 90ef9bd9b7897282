import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.integration
@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_prints_what_its_comment_says(code: str) -> None:
    said = re.search(r"\)  # (.*)\n$", code)
    assert said is not None
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == (said[1], "", 0)


def test_every_test_that_the_guarantees_name_exists() -> None:
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in re.findall(r"::(\w+)`", README.read_text()):
        assert re.search(rf"\b(def )?{name}\b", tests), name
