"""All tests, in three processes: what mostly waits (for appliances, vLLM, a Ray cluster) beside everything else.

A shell starts what runs in its background deaf to interrupts, and so would be every program that a test starts and
interrupts; Python does not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
ASIDE = {"journeys": ("tests/journeys",), "cluster and vLLM": ("tests/cluster", "tests/vllm")}


def start(*arguments: str, said: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT if said else None)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder, name) for name in ASIDE}
        aside = {}
        for name, folders in ASIDE.items():
            with outputs[name].open("wb") as said:
                aside[name] = start(*folders, "--durations=5", said=said)
        here = start(*(f"--ignore={each}" for folders in ASIDE.values() for each in folders))
        running = [here, *aside.values()]
        try:
            codes = [here.wait()]
            for name, process in aside.items():
                codes.append(process.wait())
                print(f"The tests of {name}:", outputs[name].read_text(), sep="\n", flush=True)
        except KeyboardInterrupt:  # a terminal interrupts all of them
            for process in running:
                process.wait()
            return 130
        finally:
            for process in running:
                process.terminate()
        return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
