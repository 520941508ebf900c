"""The trust boundary by path, and plans that are checked before anything acts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from codegen.plan import make_plan
from codegen.policy import matches, path_verdict, verdict
from codegen.protocol import Evidence, TaskRequest, Verification
from codegen.spec import CodegenSpec, PathRule
from retrieval.protocol import Passage

SPEC = CodegenSpec(
    default_decision="apply",
    rules=(
        PathRule(paths=("docs/**",), decision="apply", reason="words"),
        PathRule(paths=("**/auth/**", "billing/*.py"), decision="ask", reason="money and doors"),
        PathRule(paths=("**/conftest.py",), decision="refuse", reason="it decides how code is checked"),
    ),
)
GREEN = Verification((Evidence("parse", "pass", "", 0.0), Evidence("tests", "pass", "", 0.1)))


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("a.py", "*.py", True),
        ("x/a.py", "*.py", False),
        ("x/a.py", "**/*.py", True),
        ("a.py", "**/*.py", True),
        ("x/y/auth/z/a.py", "**/auth/**", True),
        ("auth.py", "**/auth/**", False),
        ("/srv/repos/one", "/srv/**", True),
        ("/srv", "/srv/**", False),
        ("a+b.py", "a+b.py", True),
        ("ab.py", "a?.py", True),
        ("a/.py", "a?.py", False),
    ],
)
def test_globs(path: str, glob: str, expected: bool) -> None:
    assert matches(path, glob) is expected


def test_the_strictest_word_wins_over_all_paths_and_rules() -> None:
    assert path_verdict(SPEC, ["docs/a.md"]).decision == "apply"
    assert path_verdict(SPEC, ["docs/a.md", "src/auth/login.py"]).decision == "ask"
    assert path_verdict(SPEC, ["docs/a.md", "src/auth/conftest.py"]).decision == "refuse"
    assert path_verdict(SPEC, ["elsewhere.py"]).decision == "apply"


def test_what_is_not_proven_is_refused_whatever_the_paths_say() -> None:
    doubt = Verification((*GREEN.evidence, Evidence("extra", "inconclusive", "no test", 0.0)))
    assert verdict(SPEC, ["docs/a.md"], GREEN).decision == "apply"
    assert verdict(SPEC, ["docs/a.md"], doubt).decision == "refuse"
    assert verdict(SPEC, ["docs/a.md"], Verification(())).decision == "refuse"


def passage(path: str) -> Passage:
    return Passage(path, 1, 2, "text", (), 1.0)


def request(instruction: str = "Do it", files: tuple[str, ...] = (), **more: object) -> TaskRequest:
    return TaskRequest("/repo", instruction, files=files, **more)  # type: ignore[arg-type]  # a test's short-hand


def test_files_come_from_the_request_the_instruction_or_the_best_passage() -> None:
    paths = dict.fromkeys(["a/one.py", "a/two.py", "tests/test_one.py"], b"")
    found = [passage("tests/test_one.py"), passage("a/two.py")]
    assert make_plan(SPEC, request(files=("a/new.py",)), paths, found).files == ("a/new.py",)
    assert make_plan(SPEC, request("Change a/one.py."), paths, found).files == ("a/one.py",)
    assert make_plan(SPEC, request("Change it"), paths, found).files == ("a/two.py",)


@pytest.mark.parametrize("test", ["tests/test_one.py", "one_test.py", "pkg/test_one.py", "conftest.py"])
def test_only_the_request_can_let_a_model_change_tests(test: str) -> None:
    paths = {"a/one.py": b"", test: b""}
    mentions = f"Make {test} pass by changing a/one.py."
    assert make_plan(SPEC, request(mentions), paths, []).files == ("a/one.py",)
    assert make_plan(SPEC, request(f"Make {test} pass."), paths, [passage("a/one.py")]).files == ("a/one.py",)
    assert make_plan(SPEC, request(mentions, files=(test,)), paths, []).files == (test,)


def test_a_file_that_is_not_text_is_not_changed() -> None:
    latin = {"a/one.py": "# caf\u00e9\n".encode("latin-1")}
    assert "a/one.py is not UTF-8 text" in str(make_plan(SPEC, request(files=("a/one.py",)), latin, []).refusal)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (request(), "No file to change"),
        (request(files=("../x.py",)), "not a path inside"),
        (request(files=("a.py",), tests={"a.py": ""}), "both to be changed and an acceptance test"),
        (request(files=("conftest.py",)), "Policy refuses"),
    ],
)
def test_plans_that_may_not_be_carried_out_say_why(asked: TaskRequest, reason: str) -> None:
    assert reason in str(make_plan(SPEC, asked, {}, []).refusal)


def test_the_smaller_budget_holds() -> None:
    spec = CodegenSpec(max_cost_usd=Decimal(2))
    assert make_plan(spec, request(files=("a.py",)), {}, []).budget_usd == 2
    assert make_plan(spec, request(files=("a.py",), budget_usd=Decimal("0.5")), {}, []).budget_usd == Decimal("0.5")
    assert make_plan(spec, request(files=("a.py",), budget_usd=Decimal(9)), {}, []).budget_usd == 2
