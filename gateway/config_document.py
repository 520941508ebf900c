"""The text of models.yaml as plain values, with the nodes that know their lines. What they mean is config.py's."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.nodes import Node

from gateway.config_errors import Problem


class Unreadable(Exception):
    """The text is no YAML that can be used; `problem` says where and why."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, "", f"not valid YAML: {message}")


class _Loader(yaml.SafeLoader):
    """Refuses aliases, which let a few lines grow without bound, and says where a value cannot be read."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()  # type: ignore[no-untyped-call]  # types-pyyaml leaves it out
            message = f"the alias *{alias.anchor} is not allowed here; write out what it stands for"
            raise ComposerError(None, None, message, alias.start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a date with a thirteenth month, a number of thousands of digits
            raise ConstructorError(None, None, f"the value cannot be read ({error})", node.start_mark) from None


def read_document(text: str) -> tuple[Node | None, Any]:
    """The root node and the value of a YAML text; None and None for an empty one. Raises `Unreadable`."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(error.problem_mark.line + 1 if error.problem_mark else None, str(error.problem)) from None
    except yaml.YAMLError as error:
        raise Unreadable(None, str(error)) from None
    except RecursionError:
        raise Unreadable(None, "it is nested too deeply") from None
