"""What every command says when it cannot go on."""

import pytest
import typer

from local.console import complaints
from local.entry import STOPPED
from shared.errors import InvalidError


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (InvalidError("no such day"), 2, "finagent: no such day\n"),
        (KeyboardInterrupt(), STOPPED, "finagent: stopped before the end\n"),
    ],
)
def test_command_when_it_cannot_go_on_says_why_in_a_line(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, complaints():
        raise raised
    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", said)
