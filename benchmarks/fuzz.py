"""Throw many more inputs at every route and parser than the tests do: `python benchmarks/fuzz.py [EXAMPLES]`.

Each fuzz test makes that many examples (20,000 where not said), other ones each time, with the same expectations: no
5xx, no hang, nothing but our own errors. What fails is printed small, as hypothesis finds it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/test_fuzz.py", "tests/test_fuzz_files.py", "tests/test_grading.py")


def main() -> int:
    """Run the fuzz tests with more examples."""
    examples = sys.argv[1] if len(sys.argv) > 1 else "20000"
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-x", *TESTS]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, "MDR_FUZZ": examples}, check=False)
    outcome = "something broke" if ran.returncode else "nothing broke"
    print(f"{examples} examples a test in {time.monotonic() - began:.0f} s: {outcome}")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
