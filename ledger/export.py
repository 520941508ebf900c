"""The ledger as JSON Lines, and the check of such a file without any store. Pure; standard library only.

The first line names the format, then come the entries in order, then (on request) the bodies, then the end with
counts and the head hash. `SqlLedger.export` yields the lines as objects; the command line writes and checks them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ledger.chain import ChainCheck, digest_of, entry_from_json, entry_to_json
from ledger.protocol import Entry, JsonValue, Verification
from ledger.retention import went_with

Line = dict[str, JsonValue]

BEGIN: Line = {"format": "bailey-ledger", "version": 1}


def entry_line(entry: Entry) -> Line:
    """An entry as a line of an export."""
    return {"entry": entry_to_json(entry)}


def body_line(digest: str, content: bytes) -> Line:
    """A body as a line of an export: as text where it is UTF-8."""
    try:
        return {"body": {"digest": digest, "text": content.decode()}}
    except UnicodeDecodeError:
        return {"body": {"digest": digest, "base64": base64.b64encode(content).decode()}}


def end_line(entries: int, bodies: int, head_hash: str) -> Line:
    """The last line of an export: what must have come before it."""
    return {"end": {"entries": entries, "bodies": bodies, "head_hash": head_hash}}


def verify_export(lines: Iterable[str]) -> Verification:
    """Check an exported file, line by line: chain, bodies, and that nothing is missing at its end.

    Whoever writes a file anew can make it hold; compare `head_hash` with one that was kept elsewhere.
    """
    check = _ExportCheck()
    problem = None
    for number, line in enumerate(lines, 1):
        if problem := check.add(number, line):
            break
    return Verification(
        entries=check.chain.entries,
        bodies=check.bodies,
        head_hash=check.chain.head_hash,
        problem=problem or check.end_problem(),
        let_go=check.let_go,
    )


@dataclass(slots=True)
class _ExportCheck:
    chain: ChainCheck = field(default_factory=ChainCheck)
    bodies: int = 0
    let_go: int = 0
    ended: bool = False
    _named_by: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, line: str) -> str | None:
        """What is wrong with a line, or None."""
        try:
            fields = json.loads(line)
            if number == 1:
                return None if fields == BEGIN else f"Line 1 must be {json.dumps(BEGIN)}; this is no export I can read."
            [(kind, content)] = fields.items()
            checks = {"entry": self._entry, "body": self._body, "end": self._end}
            if self.ended or kind not in checks:
                return f"Line {number} does not belong where it is."
            return checks[kind](content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return f"Line {number} cannot be read: {error}"

    def end_problem(self) -> str | None:
        """What is wrong when no more lines come."""
        if self.ended:
            return None
        return f"The file breaks off: what came after entry {self.chain.entries} is missing."

    def _entry(self, content: Mapping[str, JsonValue]) -> str | None:
        entry = entry_from_json(content)
        for digest in filter(None, (entry.input_digest, entry.output_digest)):
            self._named_by.setdefault(digest, entry.seq)
        self.let_go += len(went_with(entry))
        return self.chain.add(entry)

    def _body(self, content: Mapping[str, str]) -> str | None:
        self.bodies += 1
        digest = content["digest"]
        plain = content["text"].encode() if "text" in content else base64.b64decode(content["base64"])
        if digest_of(plain) == digest:
            return None
        seq = self._named_by.get(digest)
        named = f"Entry {seq} names a body that does not hold. " if seq else ""
        return f"{named}Body {digest} was altered: its bytes have another digest."

    def _end(self, content: Mapping[str, JsonValue]) -> str | None:
        self.ended = True
        if content == end_line(self.chain.entries, self.bodies, self.chain.head_hash)["end"]:
            return None
        return (
            f"The end promises {content['entries']} entries, {content['bodies']} bodies and head "
            f"{content['head_hash']}; there are {self.chain.entries}, {self.bodies} and {self.chain.head_hash}."
        )
