"""Who may speak to whom: both ends of a connection show a certificate of the same authority.

The files are those that a cluster's secrets bring; they may be replaced at any time. Used by the server and the client.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from sandbox.protocol import SandboxUnavailable


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the authority that both ends trust, and this end's own certificate with its key."""

    authority: Path
    certificate: Path
    key: Path

    def stamp(self) -> tuple[int, ...]:
        """Changes when one of the files does. Raises `SandboxUnavailable` when one is missing."""
        try:
            return tuple(file.stat().st_mtime_ns for file in (self.authority, self.certificate, self.key))
        except OSError as error:
            raise SandboxUnavailable(f"The TLS file {error.filename} cannot be read: {error.strerror}.") from None

    def context_for_client(self) -> ssl.SSLContext:
        """Demands a server of the authority that has the name it was called by."""
        return self._context(ssl.Purpose.SERVER_AUTH)

    def context_for_server(self) -> ssl.SSLContext:
        """Demands clients of the authority."""
        context = self._context(ssl.Purpose.CLIENT_AUTH)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def refresh(self, context: ssl.SSLContext) -> None:
        """Let what connects from now on see the files as they are now, if they can be used together.

        A server's context is left as it is if they cannot, as while they are being replaced: `SandboxUnavailable`.
        """
        self.context_for_server()  # what fails half-way through loading leaves a context that nobody can connect to
        self._load_into(context)

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        context = ssl.create_default_context(purpose, cadata=self._read_authority())
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._load_into(context)
        return context

    def _load_into(self, context: ssl.SSLContext) -> None:
        try:
            context.load_verify_locations(self.authority)
            context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # an ssl.SSLError is one
            why = getattr(error, "reason", None) or error.strerror
            raise SandboxUnavailable(
                f"The TLS files {self.authority}, {self.certificate} and {self.key} cannot be used: {why}."
            ) from None

    def _read_authority(self) -> str:
        try:
            return self.authority.read_text("ascii")
        except (OSError, UnicodeDecodeError):
            raise SandboxUnavailable(f"The TLS file {self.authority} cannot be read.") from None
