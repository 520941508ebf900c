"""What a person who starts or configures the appliance can put right: errors whose message is the whole story."""

from __future__ import annotations


class SettingsProblem(Exception):
    """An environment variable has a value that cannot be used; the message names it."""


class StartProblem(Exception):
    """The appliance cannot start; the message says what is in the way."""


class BatchProblem(Exception):
    """A batch cannot be run at all: its input cannot be read or its output not be written."""
