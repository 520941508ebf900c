"""What an answer that is to be verified must pass: code in the sandbox by rungs of the ladder, or JSON by its schema.

Code is taken whole from the answer's code block, so what is given is what ran. Used by `verifying.py`; the caller's
tests and schemas come from outside and are refused here before anything is asked of a model.
"""

from __future__ import annotations

import ast
import json
from typing import Protocol

import jsonschema_rs

from codegen.edit import code_blocks
from codegen.ladder import Ladder, Subject
from codegen.protocol import Evidence, Patch, Verification
from codegen.pytest_run import TestReport
from inference.errors import InvalidRequest
from inference.verification import Verify

SOLUTION, TESTS = "solution.py", "test_solution.py"
_NOT_YET_RUN = TestReport(frozenset(), frozenset(), "", None, 0.0)
_ALWAYS = ("parse", "lint")


class AnswerCheck(Protocol):
    """Looks at the text of an answer; `wanted` is what that should be, in a word."""

    wanted: str

    async def check(self, answer: str) -> Verification:
        """Evidence, ending with the first check that did not pass. Raises `SandboxError`."""
        ...


def check_for(verify: Verify, ladder: Ladder) -> AnswerCheck:
    """The check that is asked for. Raises `InvalidRequest`."""
    if verify.schema is None:
        return CodeCheck(verify, ladder)
    if verify.tests or verify.checks:
        raise InvalidRequest("An answer is verified by a schema or as code; leave one out.", param="verify.schema")
    return JsonCheck(verify.schema)


class CodeCheck:
    """Code that parses, has no fatal findings, passes the checks that were named, and the tests."""

    wanted = "code"

    def __init__(self, verify: Verify, ladder: Ladder) -> None:
        valid = [name for name in ladder.names if name != "tests"]
        if unknown := sorted(set(verify.checks) - {*valid}):
            raise InvalidRequest(f"There is no check {unknown[0]!r}; valid: {', '.join(valid)}.", param="verify.checks")
        self._before = {TESTS: _test_file(verify.tests)} if verify.tests else {}
        self._ladder = ladder.only({*_ALWAYS, *verify.checks, *(["tests"] if verify.tests else [])})

    async def check(self, answer: str) -> Verification:
        """Evidence of the rungs. Raises `SandboxError`."""
        code = _code(answer)
        if code is None:
            return Verification((Evidence("answer", "fail", "The answer must have exactly one code block.", 0.0),))
        return await self._ladder.climb(
            Subject(self._before, Patch({SOLUTION: code}), _NOT_YET_RUN, tuple(self._before))
        )


class JsonCheck:
    """JSON that a schema admits. Its patterns are matched in linear time; nothing it refers to is fetched."""

    wanted = "JSON"

    def __init__(self, schema: dict[str, object]) -> None:
        try:
            self._validator = jsonschema_rs.validator_for(
                schema, offline=True, pattern_options=jsonschema_rs.RegexOptions()
            )
        except ValueError as error:
            why = str(error).splitlines()[0]
            raise InvalidRequest(f"The schema cannot be used: {why}.", param="verify.schema") from None

    async def check(self, answer: str) -> Verification:
        """What is wrong first, with where it stands."""
        problem = self._problem(_code(answer) or answer)
        summary = problem or "the answer is JSON that fits the schema"
        return Verification((Evidence("schema", "fail" if problem else "pass", summary, 0.0),))

    def _problem(self, text: str) -> str:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            return f"The answer must be JSON alone: {error}"
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            where = "/".join(str(part) for part in error.instance_path)
            return f"{where or 'The answer'}: {error.message}"
        return ""


def _test_file(tests: str) -> bytes:
    """The file with the tests; bare statements become a test of their own. Raises `InvalidRequest`."""
    try:
        module = ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidRequest(f"The tests are not valid Python: {error}.", param="verify.tests") from None
    head = "" if SOLUTION.removesuffix(".py") in _imported(module) else "from solution import *\n"
    named = [node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if any(name.startswith(("test", "Test")) for name in named):
        return f"{head}{tests}\n".encode()
    if not any(isinstance(node, ast.Assert) for node in ast.walk(module)):
        raise InvalidRequest("The tests assert nothing; give assertions or pytest functions.", param="verify.tests")
    wrapper = ast.parse("def test_solution(): pass").body[0]
    assert isinstance(wrapper, ast.FunctionDef)
    wrapper.body = module.body
    return f"{head}{ast.unparse(ast.fix_missing_locations(wrapper))}\n".encode()


def _imported(module: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}


def _code(answer: str) -> str | None:
    """The code of an answer: its only block, or all of it if it has none."""
    blocks = code_blocks(answer)
    if len(blocks) > 1 or not answer.strip():
        return None
    return blocks[0] if blocks else answer.strip() + "\n"
