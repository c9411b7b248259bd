"""`cosmosq batch preview`: groups, sizes, and the reason of each split."""

from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell


def command_mode(workspace: Workspace, batch_size: int | str = 1) -> None:
    text = workspace.config_path.read_text()
    text = text.replace(
        "[hosts.sim]\n", f'[hosts.sim]\nmode = "command"\nbatch_size = {batch_size!r}\n'.replace("'", '"')
    )
    workspace.config_path.write_text(text)


def queue(shell: Shell) -> None:
    """Jobs 1 to 6: two that share a process, a guidance of its own, another weight, an upscale, a set of hints."""
    for settings in (["seed=1"], ["guidance=7"], ["seed=1", "edge.weight=0.5"]):
        shell.ok("enqueue", "kitchen", *(word for pair in settings for word in ("-s", pair)))
    shell.ok("prompt", "add", "a harbour at dawn", "--clip", "shot", "--name", "harbour", "-s", "edge.weight=1")
    shell.ok("enqueue", "harbour")
    shell.ok("enqueue", "harbour", "-s", "depth.weight=0.5")


def test_each_load_is_a_line_with_its_jobs_and_the_reason_of_the_split(shell: Shell, workspace: Workspace) -> None:
    command_mode(workspace)
    queue(shell)
    answer = shell.ok("batch", "preview")
    assert answer.err == ""
    assert [" ".join(line.split()) for line in answer.out.splitlines()] == [
        "load jobs at once which why apart",
        "---- ---- ------- ----- --------------------------",
        "1 3 1 1 3-4",
        "2 1 1 2 guidance 7.0, not 5.0",
        "3 1 1 5 hints edge depth, not edge",
    ]


def test_several_at_once_need_equal_weights(shell: Shell, workspace: Workspace) -> None:
    command_mode(workspace, 4)
    queue(shell)
    groups = shell.ok("batch", "preview", "1", "3-4", "--json").json
    assert [(group["jobs"], group["batch_size"]) for group in groups] == [([1, 4], 2), ([3], 1)]
    assert "weights" in groups[1]["reason"]


def test_only_what_is_queued_is_grouped_and_priority_comes_first(shell: Shell, workspace: Workspace) -> None:
    command_mode(workspace)
    queue(shell)
    shell.ok("hold", "2")
    shell.ok("enqueue", "harbour", "-s", "guidance=9", "--priority", "5")
    groups = shell.ok("batch", "preview", "--json").json
    assert [group["jobs"] for group in groups] == [[6], [1, 3, 4], [5]]
    assert shell.ok("batch", "preview", "--prompt", "kitchen", "--json").json[0]["jobs"] == [1, 3]


def test_a_warm_host_is_told_apart_and_auto_says_so(shell: Shell, workspace: Workspace) -> None:
    queue(shell)
    answer = shell.ok("batch", "preview", "1")
    assert answer.err == "sim is in mode warm: this is what mode command would make of its jobs\n"
    command_mode(workspace, "auto")
    assert "8 at most" in shell.ok("batch", "preview", "1").err


def test_jobs_that_do_not_exist_are_refused(shell: Shell) -> None:
    assert "77 is no job" in shell.refused(3, "batch", "preview", "77")
