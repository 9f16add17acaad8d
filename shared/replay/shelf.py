"""Where replays' results are kept: a folder each, apart from the live log, which appears when it is whole."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from shared.errors import InvalidError, MissingError
from shared.events.envelope import Event, derive_id
from shared.events.replay import Replay, ReplayCompleted
from shared.replay.engine import Outcome
from shared.replay.page import equity_chart, page
from shared.replay.report import Report

_RUN = re.compile(r"[A-Za-z0-9-]{1,64}")


class Draft:
    """A result that is being written.

    Parameters
    ----------
    run : str
        The mark that its events get; inside the replay they have none.
    """

    def __init__(self, run: str, folder: Path, log: BinaryIO) -> None:
        self._run = run
        self._folder = folder
        self._log = log

    def record(self, event: Event) -> None:
        """Put down an event of the run's log."""
        self._log.write(event.model_copy(update={"run": self._run}).json_bytes + b"\n")

    def finish(self, outcome: Outcome, report: Report) -> None:
        """Put down that the replay is over, and its report."""
        data = Replay(hash=outcome.hash, data_hash=outcome.data_hash, played=outcome.played, emitted=outcome.emitted)
        event_id = derive_id(self._run, ReplayCompleted.name(), outcome.hash)
        self.record(
            ReplayCompleted.first(
                id=event_id, source="replay", stream=f"replay-{self._run}", time=outcome.reached, data=data
            )
        )
        (self._folder / "report.json").write_text(report.model_dump_json(), "utf-8")
        (self._folder / "report.html").write_text(page(report), "utf-8")
        (self._folder / "equity.svg").write_text(equity_chart(report) + "\n", "utf-8")


class Shelf:
    """The results of a desk's replays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def drafting(self, run: str) -> Iterator[Draft]:
        """Give a draft, which takes the place of an earlier result of that run when all went well.

        Raises
        ------
        InvalidError
            It cannot be written; nothing is left of it.
        """
        draft = self.folder / f".{_checked(run)}.{os.getpid()}"
        try:
            self._clear(run)
            draft.mkdir(parents=True, exist_ok=True)
            with (draft / "events.jsonl").open("wb") as log:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield Draft(run, draft, log)
            shutil.rmtree(self.folder / run, ignore_errors=True)
            draft.rename(self.folder / run)
        except OSError as error:
            raise InvalidError(f"replay: the result cannot be written to {self.folder}: {error.strerror}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _clear(self, run: str) -> None:
        """Remove what a process left that was killed while it wrote; who still writes holds a lock."""
        for draft in self.folder.glob(f".{run}.*"):
            with suppress(FileNotFoundError, BlockingIOError), (draft / "events.jsonl").open("rb") as log:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(draft, ignore_errors=True)

    def path(self, run: str) -> Path:
        """Give the folder of a result.

        Raises
        ------
        MissingError
            There is none.
        """
        folder = self.folder / _checked(run)
        if not folder.is_dir():
            raise MissingError(f"there is no replay {run}")
        return folder

    def report(self, run: str) -> dict[str, object]:
        """Give a result's report as JSON has it.

        Raises
        ------
        MissingError
            There is none.
        """
        found: dict[str, object] = json.loads((self.path(run) / "report.json").read_text("utf-8"))
        return found


def _checked(run: str) -> str:
    if not _RUN.fullmatch(run):
        raise MissingError("there is no such replay")
    return run
