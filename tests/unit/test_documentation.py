import re
from pathlib import Path

from shared.settings import Settings
from tools.write_event_catalogue import FILE, catalogue

ROOT = Path(__file__).parents[2]


def test_readme_when_compared_with_the_settings_lists_each_with_its_default_and_meaning() -> None:
    rows = re.findall(r"^\| `([A-Za-z0-9_]+)` \| (?:`(.*?)`)? ?\| (.*?) \|$", (ROOT / "README.md").read_text(), re.M)
    listed = {name: (default, meaning) for name, default, meaning in rows}
    assert listed.pop("FINAGENT_TICK")[0] == "* * * * * *"
    assert listed == {
        str(field.alias): (_shown(field.default), field.description) for field in Settings.model_fields.values()
    }


def test_guide_when_compared_with_the_code_names_files_that_exist() -> None:
    guide = (ROOT / "docs/add-an-agent.md").read_text()
    named = set(re.findall(r"`((?:shared|functions|infra)/[\w/]+\.\w+|function_app\.py)`", guide))
    example = {path for path in named if "trend_follower" in path}
    assert len(example) == 2
    assert [path for path in sorted(named - example) if not (ROOT / path).exists()] == []


def test_event_catalogue_when_compared_with_the_code_is_what_the_tool_writes() -> None:
    assert FILE.read_text() == catalogue()


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    if default is None:
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)
