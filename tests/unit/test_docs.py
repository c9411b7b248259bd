"""The documents say what the code does, name what exists, and leave nothing out."""

import ast
import configparser
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import cosmosq
from cosmosq import __version__
from cosmosq.checks import ACCESS, CHECKS
from cosmosq.cli import COMMANDS
from cosmosq.config import parse_config
from cosmosq.config_keys import TOP_KEYS
from cosmosq.engines.parameters import BY_NAME, KIND_DEFAULTS, PARAMETERS
from cosmosq.errors import CosmosqError
from cosmosq.recovery.table import CASES
from cosmosq.retries import FAULTS, REPEATS, Repeat

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "REFERENCE.md", *sorted((ROOT / "docs").glob("*.md"))]
SIMULATED = ROOT / "remote_scripts" / "simulator" / "simulated"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def check_reference(root: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "docs" / "reference.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What reference.py reads and writes, in another place."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "REFERENCE.md", tmp_path)
    shutil.copytree(ROOT / "remote_scripts", tmp_path / "remote_scripts")
    return tmp_path


def test_the_reference_and_the_drawing_are_what_the_code_says() -> None:
    checked = check_reference(ROOT)
    assert checked.returncode == 0, checked.stderr


def test_a_stale_reference_is_refused_and_the_difference_named(copied: Path) -> None:
    page = copied / "REFERENCE.md"
    page.write_text(page.read_text(encoding="utf-8").replace("`guidance`", "`guidnce`"), encoding="utf-8")
    checked = check_reference(copied)
    assert checked.returncode == 1
    assert "make docs" in checked.stderr
    assert "REFERENCE.md" in checked.stderr
    assert "-| `guidnce` |" in checked.stderr


@pytest.mark.parametrize("line", ["running --> blocked", "a `running` job that no living worker holds"])
def test_a_stale_drawing_of_the_moves_or_table_of_recovery_is_refused(copied: Path, line: str) -> None:
    page = copied / "docs" / "architecture.md"
    page.write_text(page.read_text(encoding="utf-8").replace(line, ""), encoding="utf-8")
    checked = check_reference(copied)
    assert checked.returncode == 1
    assert "docs/architecture.md" in checked.stderr


def test_an_event_of_the_session_that_nobody_described_is_refused(copied: Path) -> None:
    script = copied / "remote_scripts" / "serving.py"
    script.write_text(script.read_text(encoding="utf-8").replace('"loading"', '"musing"'), encoding="utf-8")
    checked = check_reference(copied)
    assert checked.returncode == 1
    assert "musing" in checked.stderr


def test_the_reference_has_every_command_and_every_parameter() -> None:
    reference = text_of("REFERENCE.md")
    missing = [name for name in COMMANDS if f"\n#### cosmosq {name}\n" not in reference]
    missing += [parameter.name for parameter in PARAMETERS if f"\n| `{parameter.name}` |" not in reference]
    assert missing == []


def test_the_reference_holds_no_path_of_the_machine_that_wrote_it() -> None:
    reference = text_of("REFERENCE.md")
    assert sys.prefix not in reference
    assert str(ROOT) not in reference
    assert reference.endswith("\n")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert missing == []


def anchors_of(document: Path) -> set[str]:
    """What its headings are called in links, as GitHub has it."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = (heading.lower() for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^):#]*)#([^)]+)\)", document.read_text(encoding="utf-8"))
    missing = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in anchors_of(document.parent / target if target else document)
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(document: Path) -> None:
    code = " ".join(re.findall(r"``.+?``|`[^`]+`", code_of(document)))
    named = set(re.findall(r"(?<![\w./-])cosmosq ([a-z]+)\b", code))
    assert named <= set(COMMANDS) | {"add"}, named - set(COMMANDS)


def code_of(document: Path) -> str:
    """Inline code, and the lines of shell blocks as inline code."""
    text = document.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL) + "".join(f"`{line}`" for line in lines)


def test_the_readme_gives_a_reason_for_every_dependency_and_no_other() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    required = {re.split(r"[ <>=]", line)[0] for line in wanted.split("\n") if line}
    _, _, tables = text_of("README.md").partition("## Dependencies")
    reasons = dict(re.findall(r"^\| ([a-z0-9.-]+) \| (.+) \|$", tables, re.MULTILINE))
    reasons.pop("package")
    reasons.pop("---")
    assert set(reasons) == required
    assert all(len(reason) > 3 for reason in reasons.values())


def test_the_architecture_stays_short_and_places_every_module() -> None:
    architecture = text_of("docs/architecture.md")
    assert len(architecture.splitlines()) < 150
    modules = {p.stem for p in (ROOT / "cosmosq").glob("*.py") if not p.stem.startswith("_")}
    packages = {f"{p.parent.name}/" for p in (ROOT / "cosmosq").glob("*/__init__.py")}
    assert [name for name in sorted(modules | packages) if f"`{name}`" not in architecture] == []


def test_the_architecture_names_only_files_that_exist() -> None:
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text_of("docs/architecture.md"))
    places = ("cosmosq", "remote_scripts", ".")
    assert [name for name in named if not any((ROOT / place / name).exists() for place in places)] == []


def test_the_simulator_page_has_every_setting_and_every_fault() -> None:
    page = text_of("docs/simulator.md")
    settings = re.findall(r"^    (\w+): ", (SIMULATED / "settings.py").read_text(encoding="utf-8"), re.MULTILINE)
    source = (SIMULATED / "faults.py").read_text(encoding="utf-8")
    faults = set(re.findall(r'take\("(\w+)"', source)) | {"oom", "crash", "kill", "hang", "raise"} | {"block"}
    assert len(settings) > 4
    assert [name for name in settings if f"`{name}`" not in page and f"\n{name} = " not in page] == []
    assert [name for name in sorted(faults) if f"| `{name}` |" not in page] == []


def test_every_fault_on_the_simulator_page_is_one_that_it_knows() -> None:
    source = (SIMULATED / "faults.py").read_text(encoding="utf-8")
    _, _, table = text_of("docs/simulator.md").partition("| `do` |")
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert [name for name in named if f'"{name}"' not in source] == []


def test_the_settings_in_the_documents_and_examples_are_allowed() -> None:
    sources = [document.read_text(encoding="utf-8") for document in DOCUMENTS if document.name != "REFERENCE.md"]
    sources.append(f"```toml\n{text_of('examples/rehearsal.toml')}```")
    blocks = [block for source in sources for block in re.findall(r"```toml\n(.*?)```", source, re.DOTALL)]
    assert len(blocks) > 4
    for block in blocks:
        document = tomllib.loads(block)
        document.setdefault("hosts", {"sim": {}})
        document.setdefault("default_host", next(iter(document["hosts"])))
        assert parse_config(document, source="document").hosts


def test_the_changelog_tells_of_this_version() -> None:
    changelog = text_of("CHANGELOG.md")
    assert "## [Unreleased]" in changelog
    assert __version__ in changelog


# When things go wrong


def rows_of(section: str) -> dict[str, list[str]]:
    """By the name in the first cell: the cells of a table in docs/trouble.md."""
    _, found, rest = text_of("docs/trouble.md").partition(f"\n## {section}\n")
    assert found, section
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", rest.partition("\n## ")[0], re.MULTILINE)
    assert len({name for name, _ in lines}) == len(lines), "a name comes twice"
    return {name: cells.split(" | ") for name, cells in lines}


def error_classes(kind: type[CosmosqError] = CosmosqError) -> Iterator[type[CosmosqError]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("cosmosq."):
            yield below
            yield from error_classes(below)


def test_every_error_of_a_command_has_its_row_with_its_exit_code() -> None:
    for module in pkgutil.walk_packages(cosmosq.__path__, "cosmosq."):
        # Only what is ours to run: the scripts of the host have its own modules, and __main__ runs.
        if not module.name.startswith(("cosmosq.remote_scripts", "cosmosq.migrations", "cosmosq.__main__")):
            import_module(module.name)
    codes = {kind.__name__: str(kind.exit_code) for kind in error_classes()}
    assert len(codes) > 20
    assert {name: cells[0] for name, cells in rows_of("Commands").items()} == codes


def test_every_error_of_a_job_has_its_row() -> None:
    """That FAULTS has all of them is for docs/reference.py to see."""
    assert set(rows_of("Jobs")) == set(FAULTS)


def test_every_line_of_a_host_check_has_its_row() -> None:
    assert set(rows_of("Checks of a host")) == {*ACCESS, *(check.name for check in CHECKS)}


def test_every_finding_of_the_doctor_has_its_row() -> None:
    assert set(rows_of("Findings of the doctor")) == {case.name for case in CASES}


@pytest.mark.parametrize("section", ["Commands", "Jobs", "Checks of a host", "Findings of the doctor"])
def test_no_row_of_what_goes_wrong_has_an_empty_cell(section: str) -> None:
    assert [name for name, cells in rows_of(section).items() if len(cells) != 3 or not all(map(str.strip, cells))] == []


# Questions


def cells_under(heading: str) -> list[list[str]]:
    """The cells of the table of docs/questions.md whose first heading this is, line by line."""
    _, found, rest = text_of("docs/questions.md").partition(f"\n| {heading} |")
    assert found, heading
    return [line.strip("| ").split(" | ") for line in rest.partition("\n\n")[0].splitlines()[2:]]


def test_what_is_repeated_is_answered_as_it_is() -> None:
    *told, (rest, *_) = cells_under("error")
    assert rest.startswith("everything else")
    words = {
        Repeat.UNCOUNTED: ("as often",),
        Repeat.COUNTED: ("once", "`retries` times (2)"),
        Repeat.BACKOFF: ("`retr",),
    }
    for names, often, when in told:
        for name in re.findall(r"`(\w+)`", names):
            assert often.startswith(words[REPEATS[name]]), name
            assert ("backoff_s" in when) == (REPEATS[name] == Repeat.BACKOFF), name
    assert {name for names, *_ in told for name in re.findall(r"`(\w+)`", names)} == set(REPEATS)
    defaults = {key.name: key.default for key in TOP_KEYS}
    assert (defaults["retries"], defaults["backoff_s"]) == (2, 30)


def test_the_ranges_have_the_defaults_that_the_parameters_have() -> None:
    told = {names: default for names, default, *_ in cells_under("parameter")}
    assert told.pop("`edge.weight`, `depth.weight`, …") == "0: off"
    assert told.pop("`edge.weight` with `use_distilled`") == "0"
    assert told.pop("`num_steps`") == f"{BY_NAME['num_steps'].default}; upscale {KIND_DEFAULTS['upscale']['num_steps']}"
    for name, default in told.items():
        assert default.strip("`") == f"{BY_NAME[name.strip('`')].default:}".removesuffix(".0"), name


# Security


def names_in(path: Path) -> set[str]:
    """Functions that a module of tests defines, or takes from another one to run them once more."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    imported = (alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names)
    return {node.name for node in body if isinstance(node, ast.FunctionDef)} | set(imported)


def test_every_line_about_security_names_tests_that_exist_or_says_that_there_is_none() -> None:
    _, _, lines = text_of("docs/security.md").partition("\n## The host and its files\n")
    proofs = [proof for proof in re.findall(r"^\| .* \| (.*) \|$", lines, re.MULTILINE) if proof not in HEADINGS]
    assert len(proofs) > 40
    named = {proof: re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", proof) for proof in proofs}
    assert [proof for proof, tests in named.items() if not tests and not proof.startswith("no test: ")] == []
    missing = [test for tests in named.values() for file, test in tests if test not in names_in(ROOT / file)]
    assert missing == []


HEADINGS = ("proven by", "---")


def test_the_lint_refuses_shells_and_pickles() -> None:
    code = "import os, pickle, subprocess\npickle.loads(b'')\nos.system('ls')\nsubprocess.run('ls', shell=True)\n"
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=cosmosq/new.py", "-"]
    checked = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert set(re.findall(r"\bS\d+", checked.stdout)) >= {"S301", "S602", "S605"}
    sources = [*(ROOT / "cosmosq").rglob("*.py"), *(ROOT / "remote_scripts").rglob("*.py")]
    assert [path for path in sources if re.search(r"noqa: *(?:\w+, *)*S\d", path.read_text(encoding="utf-8"))] == []
