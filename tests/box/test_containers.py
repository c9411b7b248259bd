"""Jobs in containers of a real Docker engine: the same outcomes, whoever is killed or taken away."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosmosq.errors import HostFailed, Unreachable
from cosmosq.session import container, remote
from cosmosq.session.launcher import launcher_of
from tests.box import sshd
from tests.box.docker_engine import IMAGE, DockerEngine, container_settings
from tests.night import KEY, Night, make_night, site_of, wait_for

STRANGER = 12345

MakeNight = Callable[..., Night]


@pytest.fixture
def make(engine: DockerEngine, tmp_path: Path) -> Iterator[MakeNight]:
    made: list[Night] = []

    def factory(*, command: list[str] | None = None, root: Path = tmp_path, host: str = "", **options: Any) -> Night:
        night = make_night(root, **options)
        settings = container_settings(shlex.join(command or engine.command))
        configure(night, host + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
        made.append(night)
        return night

    yield factory
    for night in made:
        night.close()


def configure(night: Night, lines: str) -> None:
    """Add to the table of the host."""
    path = night.workspace.config_path
    path.write_text(path.read_text().replace("idle_close", f"{lines}idle_close", 1))


def start_long(night: Night) -> Any:
    """A worker that is in the middle of a generation."""
    night.enqueue(num_steps=100)
    worker = night.worker("--until-empty")
    wait_for(lambda: (night.job(1)["step"] or 0) > 5, "some steps")
    return worker


def attempts(night: Night) -> list[tuple[str, str | None]]:
    return [(a["status"], a["error"]) for a in night.job(1)["attempts"]]


def ends(night: Night) -> list[str | None]:
    return [end for (end,) in night.sql('SELECT "end" FROM sessions ORDER BY started_at')]


def test_jobs_of_one_key_share_a_container_which_is_removed_once_its_end_is_recorded(
    make: MakeNight, engine: DockerEngine
) -> None:
    night = make()
    for seed in range(3):
        night.enqueue(seed=seed)
    night.work()
    assert night.statuses() == ["succeeded"] * 3
    assert (len(night.loads), len(night.generations)) == (1, 3)
    assert night.video(1).is_file()
    assert ends(night) == ["exited 0"]
    assert engine.containers() == []


def test_a_container_is_ours_by_name_and_labels_and_has_what_the_session_needs(
    make: MakeNight, engine: DockerEngine, tmp_path: Path
) -> None:
    night = make(simulator={"step_s": 0.05})
    odd = tmp_path / 'odd, "folder" it\'s'
    odd.mkdir()
    path = night.workspace.config_path
    path.write_text(path.read_text().replace("mounts = [", f"mounts = [{json.dumps(f'{odd}:/data:ro')}, "))
    start_long(night)
    found = engine.containers()[0]
    assert (str(odd), "/data", False) in [(m["Source"], m["Destination"], m["RW"]) for m in found["Mounts"]]
    session = night.sql("SELECT id FROM sessions")[0][0]
    assert found["Name"] == f"/cosmosq-{session}"
    labels = found["Config"]["Labels"]
    assert (labels["cosmosq.session"], labels["cosmosq.workspace"].endswith(str(night.workspace.root))) == (
        session,
        True,
    )
    assert found["HostConfig"]["Init"]
    assert (found["HostConfig"]["IpcMode"], found["HostConfig"]["NetworkMode"]) == ("host", "none")
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert not found["HostConfig"]["AutoRemove"]
    assert found["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"


def test_what_a_container_makes_belongs_to_the_login(make: MakeNight, tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="cosmosq-login-"))
    try:
        night = make(root=folder)
        night.enqueue()
        night.ledger.close()
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, STRANGER, STRANGER)
        # Only this worker may enter the folder where the tests' own Python lies; its containers may not.
        login = [f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
        enter = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        worker = [sys.executable, "-m", "cosmosq", "-w", str(night.workspace.root), "worker", "--until-empty"]
        subprocess.run(["setpriv", *login, *enter, *worker], check=True, timeout=120)
        assert night.statuses() == ["succeeded"]
        made = [path for path in folder.rglob("*") if path.name != "ledger.db-shm"]
        assert {path.stat().st_uid for path in made if "hosts" in path.parts} == {STRANGER}
        assert list(night.box.glob("sessions/*/attempts/*/output.mp4"))
    finally:
        shutil.rmtree(folder)


def test_a_second_start_finds_the_first(make: MakeNight, engine: DockerEngine) -> None:
    night = make()
    site = site_of(night)
    session = remote.start(site, KEY)
    first = engine.containers()
    order = json.loads(site.host.read(session.folder.start))
    for _ in range(2):
        launcher_of(site, session.folder, session.scripts_digest).start(session.folder, order)
    assert [(c["Id"], c["State"]["StartedAt"]) for c in engine.containers()] == [
        (c["Id"], c["State"]["StartedAt"]) for c in first
    ]
    wait_for(lambda: night.loads, "the model")
    remote.close(site, session)
    assert ends(night) == ["exited 0"]
    # Nor is one that has ended begun again.
    assert (len(night.loads), engine.containers()) == (1, [])


def test_how_a_session_ended_is_still_known_once_its_container_is_removed(
    make: MakeNight, engine: DockerEngine
) -> None:
    night = make()
    site = site_of(night)
    session = remote.start(site, KEY)
    wait_for(lambda: night.loads, "the model")
    remote.close(site, session)
    assert engine.containers() == []
    # Who follows it may ask later than who closed it, and must not take it for lost.
    assert remote.state_of(site, session) == "exited 0"


@pytest.mark.parametrize("command", ["create", "start"])
def test_a_lost_reply_to_a_start_leaves_one_container(
    make: MakeNight, engine: DockerEngine, tmp_path: Path, command: str
) -> None:
    night = make(command=[str(swallow(engine, tmp_path, command))])
    night.enqueue()
    night.work()
    assert (tmp_path / "swallowed").exists()
    assert attempts(night) == [("succeeded", None)]
    assert (len(night.loads), len(night.generations)) == (1, 1)


def swallow(engine: DockerEngine, folder: Path, command: str, *, times: int = 1) -> Path:
    """The engine's command line, which does as it is told but loses its reply to the first of such commands."""
    path = folder / "docker"
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = {command} ] && [ "$(cat {folder}/swallowed 2>/dev/null | wc -l)" -lt {times} ]; then\n'
        f"    echo lost >>{folder}/swallowed\n"
        f'    {shlex.join(engine.command)} "$@" >/dev/null 2>&1\n'
        "    echo 'error during connect: EOF' >&2\n"
        "    exit 1\n"
        "fi\n"
        f'exec {shlex.join(engine.command)} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_a_worker_killed_mid_generation_is_followed_by_one_that_repeats_nothing(
    make: MakeNight, engine: DockerEngine
) -> None:
    night = make(simulator={"step_s": 0.02})
    worker = start_long(night)
    worker.kill()
    worker.communicate()
    night.work()
    assert attempts(night) == [("succeeded", None)]
    assert (len(night.loads), len(night.generations)) == (1, 1)
    assert engine.containers() == []


def test_a_container_removed_behind_our_back_is_noticed_and_the_job_repeated(
    make: MakeNight, engine: DockerEngine
) -> None:
    night = make(simulator={"step_s": 0.02})
    worker = start_long(night)
    engine.remove_all()
    worker.communicate(timeout=60)
    assert attempts(night) == [("failed", "lost"), ("succeeded", None)]
    assert ends(night) == ["lost: absent", "exited 0"]
    assert len(night.generations) == 1


def test_a_killed_container_is_noticed_and_the_job_repeated(make: MakeNight, engine: DockerEngine) -> None:
    night = make(simulator={"step_s": 0.02})
    worker = start_long(night)
    engine.docker("kill", engine.containers()[0]["Id"])
    worker.communicate(timeout=60)
    assert attempts(night) == [("failed", "lost"), ("succeeded", None)]
    assert ends(night) == ["lost: killed", "exited 0"]
    assert engine.containers() == []


def test_a_silent_session_is_stopped_by_force(make: MakeNight, engine: DockerEngine) -> None:
    night = make(faults=[{"do": "hang", "match": "stuck", "times": 1}], stall_s=1)
    night.enqueue("stuck")
    night.work()
    assert attempts(night) == [("failed", "stalled"), ("succeeded", None)]
    assert engine.containers() == []


def test_an_engine_that_restarts_mid_generation_changes_nothing(make: MakeNight, engine: DockerEngine) -> None:
    night = make(simulator={"step_s": 0.05})
    worker = start_long(night)
    engine.stop()
    step = night.job(1)["step"]
    wait_for(lambda: night.job(1)["step"] > step + 10, "further steps, read without the engine")
    engine.start()
    worker.communicate(timeout=60)
    assert attempts(night) == [("succeeded", None)]
    assert (len(night.loads), len(night.generations)) == (1, 1)
    assert ends(night) == ["exited 0"]


def test_a_reboot_of_the_box_is_told_as_such_and_the_job_repeated(
    make: MakeNight, engine: DockerEngine, tmp_path: Path
) -> None:
    night = make(simulator={"step_s": 0.02})
    worker = start_long(night)
    worker.kill()
    worker.communicate()
    engine.power_off()
    engine.start()
    other_boot = tmp_path / "boot_id"
    other_boot.write_text("11111111-2222-3333-4444-555555555555\n")
    rebooted = f'mount --bind {shlex.quote(str(other_boot))} /proc/sys/kernel/random/boot_id && exec "$@"'
    again = [sys.executable, "-m", "cosmosq", "-w", str(night.workspace.root), "worker", "--until-empty"]
    subprocess.run(["unshare", "--mount", "sh", "-c", rebooted, "sh", *again], check=True, timeout=120)
    assert attempts(night) == [("failed", "lost"), ("succeeded", None)]
    assert ends(night) == ["lost: rebooted", "exited 0"]
    assert engine.containers() == []


def test_the_sweep_removes_what_is_ours_and_over_and_nothing_else(
    make: MakeNight, engine: DockerEngine, tmp_path: Path
) -> None:
    night = make(simulator={"step_s": 0.02}, command=[str(refuse_removal(engine, tmp_path))])
    night.enqueue()
    night.work()
    assert night.statuses() == ["succeeded"], "a container that stays is no failure of the job"
    ours = engine.containers()[0]
    site = site_of(night)
    session = remote.start(site, KEY)
    strangers = {
        "theirs": [],
        "cosmosq-other": ["--label=cosmosq.session=s-of-another-workspace", "--label=cosmosq.workspace=other:/night"],
        "copy": [f"--label=cosmosq.session={ours['Name'].removeprefix('/cosmosq-')}"],
    }
    for name, labels in strangers.items():
        engine.docker("create", f"--name={name}", "--network=none", *labels, IMAGE, "true")
    (tmp_path / "refused").unlink()
    assert [left.container for left in container.leftovers(site)] == [ours["Name"].removeprefix("/")]
    assert [left.status for left in container.sweep(site)] == ["exited"]
    assert container.sweep(site) == []
    assert {c["Name"] for c in engine.containers()} == {"/theirs", "/cosmosq-other", "/copy", f"/cosmosq-{session.id}"}
    assert remote.state_of(site, session) == "running"
    remote.kill(site, session)


def refuse_removal(engine: DockerEngine, folder: Path) -> Path:
    """The engine's command line, which removes nothing as long as the file `refused` is there."""
    (folder / "refused").touch()
    path = folder / "docker"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = rm ] && [ -e {folder}/refused ]; then echo busy >&2; exit 1; fi\n'
        f'exec {shlex.join(engine.command)} "$@"\n'
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('image = "not-there"', "not-there"),
        ('mounts = ["/no/such/folder"]', "/no/such/folder"),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing(
    make: MakeNight, engine: DockerEngine, wrong: str, told: str
) -> None:
    night = make()
    key = wrong.partition(" ")[0]
    lines = [line for line in night.workspace.config_path.read_text().splitlines() if not line.startswith(f"{key} =")]
    night.workspace.config_path.write_text("\n".join(lines))
    configure(night, f"{wrong}\n")
    with pytest.raises(HostFailed, match=told):
        remote.start(site_of(night), KEY)
    assert engine.containers() == []


def test_a_python_that_the_image_lacks_is_named_in_the_log(make: MakeNight, engine: DockerEngine) -> None:
    night = make(retries=0, host='python = "no-such-python"\n')
    night.enqueue()
    night.work()
    assert attempts(night) == [("failed", "crashed")]
    log = next(a["path"] for a in night.job(1)["artifacts"] if a["kind"] == "log")
    assert "no-such-python" in (night.workspace.root / log).read_text()
    assert (ends(night), engine.containers()) == (["exited 127"], [])


def test_a_worker_killed_between_create_and_start_leaves_no_container(
    make: MakeNight, engine: DockerEngine, tmp_path: Path
) -> None:
    night = make(command=[str(delay_start(engine, tmp_path))])
    night.enqueue()
    worker = night.worker("--until-empty")
    wait_for((tmp_path / "reached").exists, "the start")
    worker.kill()
    assert [c["State"]["Status"] for c in engine.containers()] == ["created"]
    night.work()
    assert attempts(night) == [("succeeded", None)]
    assert ends(night) == ["lost: absent", "exited 0"]
    assert (len(night.loads), engine.containers()) == (1, [])


def delay_start(engine: DockerEngine, folder: Path) -> Path:
    """The engine's command line, which is not done with the first start before its caller is."""
    path = folder / "docker"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = start ] && mkdir {folder}/reached 2>/dev/null; then exec sleep 10; fi\n'
        f'exec {shlex.join(engine.command)} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_an_engine_that_does_not_answer_fails_no_job(
    make: MakeNight, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "START_PATIENCE_S", 0.1)
    night = make()
    engine.stop()
    night.enqueue()
    with pytest.raises(Unreachable, match="does not answer"):
        night.work()
    assert night.statuses() == ["running"]
    engine.start()
    night.work()
    assert attempts(night) == [("succeeded", None)]


def test_a_session_keeps_its_container_when_the_configuration_changes(make: MakeNight, engine: DockerEngine) -> None:
    night = make(simulator={"step_s": 0.02})
    worker = start_long(night)
    worker.kill()
    worker.communicate()
    path = night.workspace.config_path
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("container")))
    configure(night, f"python = {json.dumps(sys.executable)}\n")
    night.work()
    assert attempts(night) == [("succeeded", None)]
    assert (len(night.generations), engine.containers()) == (1, [])


def test_a_job_runs_in_a_container_over_ssh(make: MakeNight, engine: DockerEngine, tmp_path: Path) -> None:
    if (reason := sshd.skip_reason()) is not None:
        pytest.skip(reason)
    server = sshd.make_server(tmp_path / "sshd")
    try:
        address = server.address()
        host = {"address": address.host, "port": address.port, "user": address.user, "identity": address.identity}
        night = make(host="".join(f"{key} = {json.dumps(value)}\n" for key, value in host.items()))
        configure(night, f"root = {json.dumps(str(night.box))}\n")
        path = night.workspace.config_path
        path.write_text(path.read_text().replace('transport = "local"', 'transport = "ssh"'))
        shutil.copyfile(server.known_hosts, night.workspace.known_hosts_path)
        night.enqueue()
        night.work()
        assert attempts(night) == [("succeeded", None)]
        assert (ends(night), engine.containers()) == (["exited 0"], [])
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("engine_name", "gpus", "expected"),
    [
        ("docker", "all", ["--gpus=all"]),
        ("docker", "0,1", ['--gpus="device=0,1"']),
        ("docker", "", []),
        ("podman", "all", ["--device=nvidia.com/gpu=all"]),
        ("podman", "0,1", ["--device=nvidia.com/gpu=0", "--device=nvidia.com/gpu=1"]),
    ],
)
def test_each_engine_is_asked_for_gpus_and_mounts_in_its_own_words(
    tmp_path: Path, engine_name: str, gpus: str, expected: list[str]
) -> None:
    night = make_night(tmp_path)
    program, cache = tmp_path / engine_name, tmp_path / "cache"
    program.write_text(f'#!/bin/sh\nif [ "$1" = create ]; then printf "%s\\n" "$@" >"{tmp_path}/told"; fi\n')
    program.chmod(0o755)
    settings = {"container": str(program), "image": "some/image", "gpus": gpus, "hf_home": str(cache)}
    far = {"checkout": "/opt/engine", "checkpoint_dir": "/data/checkpoints", "mounts": ["/a", "/b:/c:ro"]}
    configure(night, "".join(f"{key} = {json.dumps(value)}\n" for key, value in {**settings, **far}.items()))
    with pytest.raises(HostFailed, match="no container was created"):
        remote.start(site_of(night), KEY)
    told = (tmp_path / "told").read_text().splitlines()
    assert [word for word in told if "gpu" in word] == expected
    assert [word.removeprefix("--mount=type=bind,") for word in told if word.startswith("--mount")] == [
        f"source={night.box},target={night.box}",
        "source=/opt/engine,target=/opt/engine",
        "source=/data/checkpoints,target=/data/checkpoints",
        f"source={cache},target={cache}",
        "source=/a,target=/a",
        "source=/b,target=/c,readonly",
    ]
    assert f"--env=HF_HOME={cache}" in told
    assert "--pull=never" in told, "what runs is what is there"
    assert told[told.index("some/image") + 1] == "python3"
    night.close()


def test_without_a_container_the_activate_line_runs_before_the_session_and_leaves_no_shell(tmp_path: Path) -> None:
    night = make_night(tmp_path)
    try:
        configure(night, f"""activate = 'echo "$$" > "{tmp_path}/it is active"'\n""")
        night.enqueue("it's $HOME")
        night.work()
        assert night.statuses() == ["succeeded"]
        told = json.loads(next(night.box.glob("sessions/*/session.json")).read_text())
        assert int((tmp_path / "it is active").read_text()) == told["pid"]
    finally:
        night.close()
