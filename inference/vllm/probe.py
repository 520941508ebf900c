"""Runs in vLLM's environment, not in ours: holds command lines against the vLLM that is installed there.

`check.py` hands this file's text to that interpreter. JSON on standard input says what to check; the answer is the
line on standard output that begins with MARK, because vLLM prints there, too. Nothing is loaded, only read.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

MARK = "bailey-probe:"


def _refuse(message: str, known: Iterable[str] = ()) -> NoReturn:
    if unknown := re.search(r"unrecognized arguments: (\S+)", message):
        close = difflib.get_close_matches(unknown[1], known, n=3)
        message = f"it does not know {unknown[1]}; the nearest that it knows: {', '.join(close) or 'none'}"
    raise ValueError(message)


def _sentence(error: Exception) -> str:
    """What is wrong, without the frame that validators put around it."""
    details = getattr(error, "errors", None)
    text = "; ".join(map(_detail, details())) if callable(details) else str(error.args[0])
    return " ".join(text.removeprefix("Value error, ").split())


def _detail(each: dict[str, Any]) -> str:
    field = each["loc"][-1] if each["loc"] else ""
    message = str(each["msg"]).removeprefix("Value error, ")
    return f"{field}: {message}" if isinstance(field, str) and field else message


def _parsed(words: list[str]) -> Any:
    try:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
        from vllm.entrypoints.launchers.launcher import validate_api_server_args
    except ImportError:  # where they were before 0.31
        from vllm.entrypoints.openai.api_server import validate_api_server_args
        from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args
    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser
    parser = make_arg_parser(FlexibleArgumentParser())
    parser.error = functools.partial(_refuse, known=[*parser._option_string_actions])
    parsed = parser.parse_args(words)
    validate_parsed_serve_args(parsed)
    validate_api_server_args(parsed)
    return parsed


def _problem(words: list[str], here: bool) -> str | None:
    """What vLLM says against a command line; None if nothing. `here`: whether the weights are on this machine."""
    from vllm.engine.arg_utils import AsyncEngineArgs

    try:
        arguments = AsyncEngineArgs.from_cli_args(_parsed(words))
        if here:
            arguments.create_engine_config()
    except (ValueError, TypeError, KeyError) as error:
        return _sentence(error)
    except (RuntimeError, OSError, NotImplementedError):
        return None  # says something about this machine, such as that it has no graphics processor
    return None


def main() -> None:
    """Answer what standard input asks."""
    asked = json.load(sys.stdin)
    try:
        import vllm
    except ImportError as error:
        answer: dict[str, Any] = {"missing": str(error)}
    else:
        found = {name: _problem(each["words"], each["here"]) for name, each in asked.items()}
        answer = {"version": vllm.__version__, "problems": found}
    print(MARK + json.dumps(answer), flush=True)  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main()
