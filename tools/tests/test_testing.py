import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from house.layers import Record, full_lines, layer_of, overrun_lines
from house.places import ROOT
from house.selection import Unknown
from house.testing import _parse, choose, default_processes, pytest_words, variables


@pytest.fixture
def root(workspace: Any) -> Path:
    for name in ("sy-dag", "sy-ipc"):
        workspace.package(name)
        workspace.write(f"packages/{name}/tests/test_cli.py", "def test_it():\n    pass\n")
    workspace.write("tools/tests/test_tools.py", "")
    root: Path = workspace.root
    return root


def seen(paths: list[str], root: Path) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in paths]


def test_without_words_everything_is_tested(root: Path) -> None:
    chosen = choose([], root)
    assert seen(chosen.paths, root) == [
        "packages/sy-dag/src/sy_dag",
        "packages/sy-dag/tests",
        "packages/sy-ipc/src/sy_ipc",
        "packages/sy-ipc/tests",
        "tools/tests",
    ]
    assert default_processes(chosen) == len(os.sched_getaffinity(0))


def test_a_package_is_its_examples_and_its_tests(root: Path) -> None:
    chosen = choose(["dag"], root)
    assert seen(chosen.paths, root) == ["packages/sy-dag/src/sy_dag", "packages/sy-dag/tests"]
    assert default_processes(chosen) == 0


def test_layers_and_packages_come_in_any_order(root: Path) -> None:
    for words in (["unit", "proof", "ipc"], ["ipc", "proof", "unit"]):
        chosen = choose(words, root)
        assert sorted(chosen.layers) == ["proof", "unit"]
        assert seen(chosen.paths, root)[1] == "packages/sy-ipc/tests"


def test_a_test_file_is_run_alone(root: Path) -> None:
    file = str(root / "packages" / "sy-ipc" / "tests" / "test_cli.py")
    assert choose([f"{file}::test_it"], root).paths == [f"{file}::test_it"]


def test_an_unknown_word_is_told_with_what_was_meant(root: Path) -> None:
    with pytest.raises(Unknown, match=r"no layer or package 'integation'\n.*mean integration\?"):
        choose(["integation"], root)


@pytest.mark.parametrize(
    ("words", "marks"),
    [
        (["unit"], "(not integration and not proof)"),
        (["proof"], "(proof)"),
        (["unit", "integration"], "(not integration and not proof) or (integration)"),
    ],
)
def test_layers_become_marks(root: Path, words: list[str], marks: str) -> None:
    said = pytest_words(_parse([]), choose(words, root))
    assert said[said.index("-m") + 1] == marks


def test_options_reach_pytest_and_so_does_all_after_two_dashes(root: Path) -> None:
    options = _parse(["-k", "crash", "-x", "-n", "3", "--durations", "5", "--", "--lf", "-s"])
    said = pytest_words(options, choose([], root))
    text = " ".join(said)
    for part in ("-k crash", " -x ", "-n 3", "--durations=5", "--lf -s"):
        assert part in text


def test_the_users_own_settings_do_not_reach_the_tests() -> None:
    own = {"SYMPHONY_HOME": "/h", "SYMPHONY_REQUIRE": "bwrap", "HOME": "/h"}
    kept = variables(own, full=False)
    assert kept == {"SYMPHONY_REQUIRE": "bwrap", "HOME": "/h", "PYTHONPATH": str(ROOT / "tools")}
    assert variables({}, full=True)["SYMPHONY_FULL"] == "1"


def test_the_layer_is_the_mark_and_proof_goes_before_integration() -> None:
    assert layer_of({"integration": 1}) == "integration"
    assert layer_of({"integration": 1, "proof": 1}) == "proof"
    assert layer_of({"test_integration_of_x": 1}) == "unit"


def test_those_that_overran_are_listed_slowest_first() -> None:
    records = [
        Record("a", "unit", duration_s=0.09),
        Record("b", "unit", duration_s=0.2),
        Record("c", "integration", duration_s=0.2),
        Record("d", "integration", duration_s=6),
        Record("e", "proof", duration_s=599),
    ]
    lines = overrun_lines(records)
    assert lines[0].startswith("2 overran their layer")
    assert [line.split()[-1] for line in lines[1:]] == ["d", "b"]
    assert overrun_lines(records[:1]) == []


def test_a_long_list_is_cut_and_says_so() -> None:
    lines = overrun_lines([Record(str(n), "unit", duration_s=1) for n in range(50)])
    assert (len(lines), lines[-1]) == (22, "  … and 30 more")


def test_a_full_run_is_summed_up_by_package() -> None:
    records = [
        Record("packages/sy-dag/tests/test_a.py::x", "proof", duration_s=30),
        Record("packages/sy-dag/tests/test_a.py::y", "unit", outcome="skipped", duration_s=1),
        Record("tools/tests/test_b.py::z", "unit", outcome="failed", duration_s=2),
    ]
    head, dag, tools = full_lines(records, "here")
    assert head == "full run: here"
    assert dag.split(maxsplit=1) == [
        "sy-dag",
        "1 passed, 1 skipped in 31 s; 1 proofs in 30 s",
    ]
    assert tools.split(maxsplit=1) == ["tools", "1 failed in 2 s; 0 proofs in 0 s"]


def run_pytest(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a made-up workspace as tools/test does, with our own settings of it."""
    settings = (ROOT / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(settings[settings.index("[tool.pytest.") :])
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "--rootdir", ".", "-q"]
    return subprocess.run(
        [*command, "-p", "house.layers", "--doctest-modules", "-p", "no:cacheprovider", *words],
        cwd=root,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT / "tools"), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
@pytest.mark.parametrize("processes", ["0", "2"])
def test_tests_of_one_name_in_two_packages_run_beside_each_other(
    workspace: Any, processes: str
) -> None:
    for name in ("sy-dag", "sy-ipc"):
        workspace.package(name)
        workspace.write(
            f"packages/{name}/tests/conftest.py",
            f"import pytest\n@pytest.fixture\ndef own():\n    return {name!r}\n",
        )
        workspace.write(
            f"packages/{name}/tests/test_cli.py", f"def test_it(own):\n    assert own == {name!r}\n"
        )
    done = run_pytest(workspace.root, "-n", processes, "packages")
    assert done.stdout.splitlines()[-1].startswith("2 passed in "), done.stdout


@pytest.mark.integration
def test_a_test_that_overran_is_listed_before_pytest_s_own_last_line(workspace: Any) -> None:
    workspace.write(
        "tools/tests/test_slow.py", "import time\ndef test_x():\n    time.sleep(0.11)\n"
    )
    *_, listed, last = run_pytest(workspace.root, "tools").stdout.splitlines()
    assert listed.endswith("unit < 0.1 s  tools/tests/test_slow.py::test_x")
    assert last.startswith("1 passed in ")


@pytest.mark.integration
def test_a_warning_an_unknown_mark_and_a_hang_each_fail(workspace: Any) -> None:
    workspace.write(
        "tools/tests/test_bad.py",
        """
        import threading, warnings, pytest
        def test_warns():
            warnings.warn("careful")
        @pytest.mark.timeout(0.5)
        def test_hangs():
            threading.Event().wait()
        """,
    )
    workspace.write("tools/tests/test_mark.py", "import pytest\n@pytest.mark.proov\ndef t(): ...\n")
    done = run_pytest(workspace.root, "tools/tests/test_bad.py")
    assert done.stdout.splitlines()[-1].startswith("2 failed"), done.stdout
    assert "'proov' not found in `markers`" in run_pytest(workspace.root, "tools").stdout


def test_the_time_limit_of_every_test_is_twenty_seconds(pytestconfig: pytest.Config) -> None:
    assert float(pytestconfig.getini("timeout")) == 20


@pytest.mark.integration
def test_an_unknown_package_exits_with_2() -> None:
    done = subprocess.run(
        [ROOT / "tools" / "test", "dga"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tools/test: no layer or package 'dga'\n  hint: did you mean")


@pytest.mark.integration
def test_ctrl_c_ends_the_run_and_pytest_says_so(tmp_path: Path) -> None:
    file = tmp_path / "test_waits.py"
    began = tmp_path / "began"
    os.mkfifo(began)
    file.write_text(
        f"import threading\ndef test_x():\n    open({str(began)!r}, 'w').close()\n"
        "    threading.Event().wait()\n"
    )
    process = subprocess.Popen(
        [ROOT / "tools" / "test", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    began.read_text()  # returns once the test runs
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=5)
    assert process.returncode == 2
    assert "KeyboardInterrupt" in said
