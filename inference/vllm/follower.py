"""The part of a vLLM server that runs on another machine: `PYTHON follower.py ARGUMENTS`, in vLLM's own environment.

vLLM's server starts its other machines' processes only by its command `vllm serve --headless`, which some builds lack;
this does the same. Nothing of ours is imported: PYTHON has vLLM and not us.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serve as the rank that the arguments name until the first rank is gone."""
    from vllm.entrypoints.cli.serve import run_headless
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    arguments = make_arg_parser(FlexibleArgumentParser()).parse_args([*sys.argv[1:], "--headless"])
    arguments.api_server_count = 0  # as the command sets it
    run_headless(arguments)


if __name__ == "__main__":
    main()
