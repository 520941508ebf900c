"""The house rules, held by a machine: who may import whom, where third parties live, how large things grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("gateway", "router", "inference", "retrieval", "sandbox", "ledger", "codegen")
MEASURED = (*PRODUCT, "training", "bench", "examples", "scripts", "tests")

MAY_IMPORT: dict[str, set[str]] = {
    "gateway": set(PRODUCT),
    "codegen": {"codegen", "inference", "retrieval", "sandbox", "ledger"},
    "router": {"router", "inference", "ledger"},
    "retrieval": {"retrieval", "inference"},
    "inference": {"inference"},
    "sandbox": {"sandbox"},
    "ledger": {"ledger"},
}

# The same between the groups within sandbox/; what lies beside them may import `files`, and what joins them all.
WITHIN_SANDBOX: dict[str, set[str]] = {
    "files": {"files"},
    "jails": {"jails", "files"},
    "linters": {"linters", "files"},
    "service": {"service", "files"},
}
JOINING = {"sandbox/nsjail.py": {"jails", "files"}, "sandbox/landlock.py": {"jails", "linters", "files"}}

# Third-party packages with one home; the value lists path prefixes.
HOMES: dict[str, tuple[str, ...]] = {
    "llama_cpp": ("inference/llamacpp",),
    "ray": (
        "inference/cluster/placer.py",
        "inference/cluster/directory.py",
        "inference/cluster/head.py",
        "inference/cluster/replica.py",
        "inference/cluster/span.py",
    ),
    "qdrant_client": ("retrieval/index.py",),
    "sqlalchemy": ("ledger/store",),
    "alembic": ("ledger/store",),
    "aiohttp": ("inference/http.py", "inference/wire/connections.py"),
    "httpx": ("inference/weights/", "gateway/client.py", "sandbox/service/client.py"),
    "huggingface_hub": ("inference/weights/hub.py",),
    "httpx2": ("inference/weights/hub.py",),
    "s3fs": ("inference/weights/object_storage.py",),
    "botocore": ("inference/weights/object_storage.py",),
    "nsjail": ("sandbox/",),
    "detect_secrets": ("ledger/detectors.py",),
    "tenacity": ("codegen/steps.py", "router/resilience/guard.py", "ledger/store/database.py"),
    "phonenumbers": ("router/privacy/phones.py",),
    "stdnum": ("router/privacy/numbers.py",),
    "jsonschema_rs": ("codegen/answers.py",),
    "typer": ("gateway/cli",),
    "rich": ("gateway/cli",),
    "uvicorn": ("inference/wire/server.py",),
    "prometheus_client": ("gateway/telemetry.py", "gateway/queue_metrics.py", "gateway/shadow_metrics.py"),
    "jinja2": ("inference/",),
    "yaml": ("gateway/config",),
}
HEAVY = {"llama_cpp", "qdrant_client", "huggingface_hub", "s3fs", "botocore", "alembic", "torch", "vllm", "ray"}

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS, MAX_BRANCHES = 300, 50, 5, 12

# path or path::function -> why the ceiling does not hold there. Each line is counted below.
EXCEPTIONS: dict[str, str] = {}
BROAD_EXCEPT_HOMES: dict[str, str] = {
    "codegen/tasks.py": "a workflow step",
    "gateway/batch.py": "a batch line",
    "gateway/envelope.py": "the HTTP middleware",
}


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=relative)
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {module.split(".")[0] for module in imported_modules(parse(path))} & {*MEASURED}
    assert ours <= MAY_IMPORT[package], f"{package} may import only {sorted(MAY_IMPORT[package])}"


@pytest.mark.parametrize("path", sources("sandbox"), ids=relative)
def test_imports_within_the_sandbox_point_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).parts[1]
    allowed = WITHIN_SANDBOX.get(own) or JOINING.get(relative(path), {"files"})
    modules = (module.split(".") for module in imported_modules(parse(path)))
    groups = {words[1] for words in modules if words[0] == "sandbox" and len(words) > 1} & {*WITHIN_SANDBOX}
    assert groups <= allowed, f"{relative(path)} may import only {sorted(allowed)} of them"


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=relative)
def test_third_parties_stay_in_their_homes(path: Path) -> None:
    for module in imported_modules(parse(path)):
        homes = HOMES.get(module.split(".")[0])
        assert homes is None or relative(path).startswith(homes), f"{module} belongs in {homes}"


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=relative)
def test_heavy_imports_happen_inside_the_function_that_needs_them(path: Path) -> None:
    if "migrations" in path.parts:
        return  # loaded by alembic itself, and only while a store is upgraded
    for node in parse(path).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            heavy = {module.split(".")[0] for module in imported_modules(node)} & HEAVY
            assert not heavy, f"{sorted(heavy)} imported at the top of {relative(path)}"


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=relative)
def test_only_settings_reads_the_environment(path: Path) -> None:
    if relative(path) in {"gateway/settings.py", "sandbox/profiles/warm.py"}:  # the latter sets a job's, in its jail
        return
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in {"environ", "getenv", "environb"}, f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert not {alias.name for alias in node.names} & {"environ", "getenv"}, f"line {node.lineno}"


def test_importing_every_module_does_nothing() -> None:
    """No output, no network, no threads, no environment reads by importing any module of the product."""
    modules = [
        relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in sources(*PRODUCT)
        if "migrations" not in path.parts and path.name != "__main__.py"
    ]
    script = (
        "import importlib, socket, sys, threading\n"
        "def refuse(*a, **k): raise SystemExit('a module opened a socket while it was imported')\n"
        "socket.socket.connect = refuse\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("path", sources(*MEASURED), ids=relative)
def test_files_stay_small(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_FILE_LINES or relative(path) in EXCEPTIONS, f"{lines} lines"


def branches(function: ast.AST) -> int:
    counted = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)
    total = sum(isinstance(node, counted) for node in ast.walk(function))
    total += sum(len(node.values) - 1 for node in ast.walk(function) if isinstance(node, ast.BoolOp))
    return total + sum(len(node.ifs) for node in ast.walk(function) if isinstance(node, ast.comprehension))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in {"self", "cls"}])


@pytest.mark.parametrize("path", sources(*MEASURED), ids=relative)
def test_functions_stay_small(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = f"{relative(path)}::{node.name}"
        if name in EXCEPTIONS:
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{name} has {length} lines"
        assert branches(node) <= MAX_BRANCHES, f"{name} has {branches(node)} branch points"
        # A fixture's and a command's parameters are its inputs by name, not a call somebody writes.
        if not path.is_relative_to(ROOT / "tests") and not is_command(node):
            assert parameters(node) <= MAX_PARAMETERS, f"{name} has {parameters(node)} parameters"


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in {"command", "callback"}
        for decorator in function.decorator_list
    )


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=relative)
def test_broad_excepts_only_at_the_three_named_boundaries(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ExceptHandler):
            names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {"bare"}
            if names & {"Exception", "BaseException", "bare"}:
                assert relative(path) in BROAD_EXCEPT_HOMES, f"line {node.lineno}"


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=relative)
def test_every_module_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(parse(path))
    assert docstring, "a module docstring of two to six lines: what it is, what it is not, who calls it"


def test_no_core_common_utils_helpers() -> None:
    forbidden = {"core", "common", "utils", "util", "helpers", "misc"}
    found = [relative(path) for path in sources(*PRODUCT) if forbidden & {*path.with_suffix("").parts}]
    assert not found


def test_exceptions_are_counted_and_still_needed() -> None:
    assert len(EXCEPTIONS) <= 5
    assert len(BROAD_EXCEPT_HOMES) <= 3
    for name in (*EXCEPTIONS, *BROAD_EXCEPT_HOMES):
        assert (ROOT / name.split("::")[0]).exists(), f"{name} is listed and gone"
