import fcntl
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from house import environment, installer
from house.environment import STAMP, ensure, stamp, stands
from house.installer import SetupFailed, explain, find_uv, is_new_enough, locked_uv, pip_mirror

LOCK = """
[[package]]
name = "uv"
version = "0.9.1"
sdist = { path = "uv.tar.gz", hash = "sha256:aa" }
wheels = [{ path = "uv.whl", hash = "sha256:bb" }]
"""


def make_root(root: Path) -> Path:
    (root / "packages" / "sy-x").mkdir(parents=True)
    (root / "packages" / "sy-x" / "pyproject.toml").write_text('[project]\nname = "sy-x"\n')
    (root / "pyproject.toml").write_text('[project]\nname = "w"\n')
    (root / "uv.lock").write_text(LOCK)
    return root


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up checkout whose environments are built by `fake_build`."""
    root = make_root(tmp_path / "checkout")
    monkeypatch.setattr(environment, "PRIVATE", root / ".tools")
    monkeypatch.setattr(environment, "stamp", lambda: stamp(root))
    return root


def finish(venv: Path, root: Path) -> None:
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    (venv / "bin" / "python").unlink(missing_ok=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    home = Path(sys.executable).resolve().parent
    (venv / "pyvenv.cfg").write_text(f"home = {home}\nversion_info = 3.11\n")
    (venv / STAMP).write_text(stamp(root))


def test_a_finished_environment_stands_and_is_not_built_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = checkout / ".venv"
    built: list[Path] = []
    monkeypatch.setattr(environment, "_build", lambda v: (built.append(v), finish(v, checkout)))
    assert ensure(venv) == venv
    assert ensure(venv) == venv
    assert built == [venv]
    ensure(venv, force=True)
    assert built == [venv, venv]


@pytest.mark.parametrize("changed", ["uv.lock", "pyproject.toml", "packages/sy-x/pyproject.toml"])
def test_a_change_of_what_it_is_made_from_makes_it_anew(checkout: Path, changed: str) -> None:
    venv = checkout / ".venv"
    finish(venv, checkout)
    assert stands(venv)
    with (checkout / changed).open("a") as file:
        file.write('description = "changed"\n')
    assert not stands(venv)


def test_a_change_of_how_ruff_is_set_does_not(checkout: Path) -> None:
    finish(checkout / ".venv", checkout)
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("[tool.ruff]\nline-length = 80\n")
    assert stands(checkout / ".venv")


def test_an_interrupted_setup_starts_over(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is there but the stamp, which is written last."""
    venv = checkout / ".venv"

    def interrupted(venv: Path) -> None:
        finish(venv, checkout)
        (venv / STAMP).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ensure(venv)
    assert not stands(venv)


@pytest.mark.parametrize("there", [False, True])
def test_an_environment_whose_python_is_gone_or_another_does_not_stand(
    checkout: Path, tmp_path: Path, *, there: bool
) -> None:
    """Another is one in another folder, wherever this machine keeps its own."""
    venv, other = checkout / ".venv", tmp_path / "elsewhere" / "python3"
    finish(venv, checkout)
    if there:
        other.parent.mkdir()
        shutil.copy("/bin/sh", other)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(other)
    assert not stands(venv)


def test_a_moved_checkout_is_set_up_again(checkout: Path, tmp_path: Path) -> None:
    """Its editable installs point to where it was."""
    before = stamp(checkout)
    checkout.rename(tmp_path / "moved")
    assert stamp(tmp_path / "moved") != before


def test_one_builds_while_the_others_wait_and_find_it_standing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv, built, began, go = checkout / ".venv", [], threading.Event(), threading.Event()

    def slow(venv: Path) -> None:
        built.append(venv)
        began.set()
        assert go.wait(10)
        finish(venv, checkout)

    said: list[str] = []
    waits = threading.Event()
    monkeypatch.setattr(environment, "_build", slow)
    monkeypatch.setattr(environment, "say", lambda text: (said.append(text), waits.set()))
    first, second = (threading.Thread(target=ensure, args=[venv]) for _ in range(2))
    first.start()
    assert began.wait(10)
    second.start()
    assert waits.wait(10)
    go.set()
    first.join(10)
    second.join(10)
    assert built == [venv]
    assert said == ["waiting for another setup of this checkout"]


def test_a_lock_left_by_a_killed_setup_holds_nobody_up(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel gives it back with the process; the file that stays means nothing."""
    private = checkout / ".tools"
    private.mkdir()
    code = "import fcntl,os,sys; f=open(sys.argv[1],'w'); fcntl.flock(f,2); os.kill(os.getpid(),9)"
    killed = subprocess.run([sys.executable, "-c", code, private / "setup.lock"], check=False)
    assert killed.returncode == -9
    monkeypatch.setattr(environment, "_build", lambda venv: finish(venv, checkout))
    ensure(checkout / ".venv")
    with (private / "setup.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_pyproject_that_does_not_parse_is_told_plainly(checkout: Path) -> None:
    finish(checkout / ".venv", checkout)
    (checkout / "pyproject.toml").write_text("[project")
    with pytest.raises(SetupFailed, match=r"a pyproject\.toml is no TOML"):
        stands(checkout / ".venv")


def test_a_checkout_that_cannot_be_written_is_told_plainly(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "file").write_text("")
    monkeypatch.setattr(environment, "PRIVATE", checkout / "file" / ".tools")
    with pytest.raises(SetupFailed, match="must be writable"):
        ensure(checkout / ".venv")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, beside a lock that pins uv 0.9.1 and no private uv."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (tmp_path / "uv.lock").write_text(LOCK)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(installer, "LOCK", tmp_path / "uv.lock")
    monkeypatch.setattr(installer, "PRIVATE", tmp_path / ".tools")
    return folder


def pretend_uv(path: Path, says: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def test_a_uv_on_path_that_is_new_enough_is_used(programs: Path) -> None:
    pretend_uv(programs / "uv", "uv 0.10.0")
    assert find_uv() == programs / "uv"


@pytest.mark.parametrize("says", ["uv 0.8.99", "uvicorn 3.1.4", "nothing"])
def test_an_old_or_foreign_uv_on_path_is_passed_over(
    programs: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    pretend_uv(programs / "uv", says)
    installed: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(installer, "_install_uv", lambda *pin: installed.append(pin))
    assert find_uv() == programs.parent / ".tools" / "uv" / "bin" / "uv"
    assert installed == [("0.9.1", ["sha256:bb", "sha256:aa"])]


def test_the_private_uv_goes_before_that_on_path(programs: Path) -> None:
    pretend_uv(programs / "uv", "uv 0.10.0")
    private = programs.parent / ".tools" / "uv" / "bin" / "uv"
    pretend_uv(private, "uv 0.9.1")
    assert find_uv() == private


def test_a_python_without_ensurepip_is_told_what_to_install(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = programs / "python3"
    python.write_text("#!/bin/sh\necho 'ensurepip is not available'; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(installer, "ROOT", programs.parent)
    monkeypatch.setattr(installer.sys, "executable", str(python))
    with pytest.raises(SetupFailed, match="python3-venv") as caught:
        find_uv()
    assert "ensurepip is not available" in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "error: Failed to fetch: `https://mirror.example/simple/attrs/`",
        "  Caused by: dns error: failed to lookup address information",
        "WARNING: Retrying (Retry(total=0)) after connection broken",
        "error: Network connectivity is disabled",
    ],
)
def test_a_machine_that_is_offline_is_told_so(said: str) -> None:
    assert "needs a package index once" in explain("uv pip", 2, said)


def test_another_failure_is_not_blamed_on_the_network() -> None:
    assert "index" not in explain("uv pip", 2, "error: hash mismatch for attrs")


def test_the_version_is_compared_as_numbers() -> None:
    assert is_new_enough((0, 10, 0), "0.9.1")
    assert not is_new_enough((0, 9, 0), "0.9.1")


def test_the_lock_s_uv_may_lack_an_sdist() -> None:
    wheels = [{"hash": "sha256:bb"}]
    entry = {"name": "uv", "version": "1.0.0", "wheels": wheels}
    assert locked_uv({"package": [entry]}) == ("1.0.0", ["sha256:bb"])


def test_a_mirror_of_pip_s_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    (tmp_path / "bad.conf").write_text("no section\n")
    assert pip_mirror((str(tmp_path / "pip.conf"),)) == "https://mirror.example/simple"
    assert pip_mirror((str(tmp_path / "bad.conf"),)) is None
    assert pip_mirror((str(tmp_path / "none.conf"),)) is None


@pytest.mark.integration
def test_a_repeated_setup_takes_under_a_second() -> None:
    tool = Path(environment.__file__).parents[1] / "setup"
    done = subprocess.run([tool], capture_output=True, text=True, check=True, timeout=5)
    assert done.stderr == ".venv is ready: .venv/bin/python, .venv/bin/sy\n"
