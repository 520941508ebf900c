"""A small repository to search in: a lending library's service, as a dozen files would have it."""

from __future__ import annotations

from textwrap import dedent

FILES: dict[str, bytes] = {
    path: dedent(text).lstrip("\n").encode()
    for path, text in {
        "library/__init__.py": "",
        "library/loans.py": '''
            """Lending of books to members."""

            from library.catalogue import Catalogue

            LOAN_DAYS = 28


            class LoanDesk:
                """Hands books out and takes them back."""

                def __init__(self, catalogue: Catalogue) -> None:
                    self.catalogue = catalogue
                    self.open_loans = {}

                def check_out(self, member, isbn, today):
                    """Lend a copy; refuse members who owe money."""
                    if member.balance < 0:
                        raise PermissionError(member.name)
                    self.open_loans[isbn] = (member, today + LOAN_DAYS)

                def give_back(self, isbn, today):
                    """Take a copy back and charge what is overdue."""
                    member, due = self.open_loans.pop(isbn)
                    member.charge(overdue_fine(due, today))
            ''',
        "library/fines.py": '''
            """What being late costs."""

            CENTS_PER_DAY = 20
            HIGHEST_FINE = 1000


            def overdue_fine(due, today):
                """Cents owed for every day after the due date, up to a ceiling."""
                return min(HIGHEST_FINE, max(0, today - due) * CENTS_PER_DAY)


            def waive(member, reason):
                """Forgive a debt; the reason goes to the audit trail."""
                member.balance = 0
            ''',
        "library/catalogue.py": '''
            """Titles and copies."""


            class Catalogue:
                """All titles by ISBN."""

                def add_title(self, isbn, title, author):
                    self.titles[isbn] = (title, author)

                def find_by_author(self, author):
                    return [isbn for isbn, (_, name) in self.titles.items() if name == author]


            def isbn_checksum(digits):
                """The last digit of an ISBN-13 makes the weighted sum divisible by ten."""
                return sum(d * (1, 3)[i % 2] for i, d in enumerate(digits)) % 10 == 0
            ''',
        "library/members.py": '''
            """People with a card."""

            from dataclasses import dataclass


            @dataclass
            class Member:
                name: str
                balance: int = 0

                def charge(self, cents):
                    self.balance -= cents


            def purge_inactive(members, before):
                """Erase accounts that nobody used since a date."""
                return [member for member in members if member.last_seen >= before]
            ''',
        "library/reservations.py": '''
            """Waiting lists."""


            class ReservationQueue:
                def enqueue(self, member, isbn):
                    self.waiting.setdefault(isbn, []).append(member)

                def notifyNextMember(self, isbn):
                    """Tell whoever waits longest that their copy has arrived."""
                    return self.waiting[isbn].pop(0)
            ''',
        "library/storage/sqlite_store.py": '''
            """Keeps everything in one SQLite file."""

            import sqlite3


            def connect(path):
                connection = sqlite3.connect(path)
                connection.execute("PRAGMA journal_mode = WAL")
                return connection


            def vacuum(connection):
                """Shrink the file after many rows were dropped."""
                connection.execute("VACUUM")
            ''',
        "library/storage/migrations.py": '''
            """Schema changes, oldest first."""

            MIGRATIONS = ["CREATE TABLE members (name TEXT)", "CREATE TABLE loans (isbn TEXT)"]


            def migrate(connection, version):
                for statement in MIGRATIONS[version:]:
                    connection.execute(statement)
            ''',
        "library/http/routes.py": '''
            """The HTTP surface."""


            def post_loan(request):
                """Body: member and isbn. Answers 403 for members in debt."""
                return request.desk.check_out(request.member, request.json["isbn"], request.today)


            def get_health(request):
                return {"status": "ok"}
            ''',
        "library/http/rate_limit.py": '''
            """Too many requests from one address."""


            class TokenBucket:
                """Refills at a steady rate; an empty bucket answers 429 with Retry-After."""

                def take(self, now):
                    self.tokens = min(self.burst, self.tokens + (now - self.last) * self.rate)
            ''',
        "web/src/loanTable.ts": """
            export function renderLoanTable(loans: Loan[]): string {
              return loans.map((loan) => `<tr><td>${loan.isbn}</td></tr>`).join("");
            }

            export class DueDateBadge {
              colour(daysLeft: number) {
                return daysLeft < 0 ? "red" : "green";
              }
            }
            """,
        "docs/operations.md": """
            # Operations

            ## Backup

            Copy the database file while nothing writes, or use the online backup of SQLite.

            ## Restore

            Stop the service, put the copied file in place, start the service.
            """,
        "docs/opening-hours.md": "# Opening hours\n\nThe branch in the harbour is closed on Mondays.\n",
        "pyproject.toml": '[project]\nname = "library"\ndependencies = ["starlette"]\n',
        "Makefile": "test:\n\tpytest -q\n\nlint:\n\truff check .\n",
    }.items()
}
