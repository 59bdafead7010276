"""Which files of tests take long: they start first, and the end of each run lists the longest."""

import collections
from collections.abc import Mapping

import pytest

LONGEST_FIRST = (
    "tests/rehearsal/test_kennel_command.py",
    "tests/infra/test_settings_reach.py",
    "tests/contract/test_readme_installs.py",
    "tests/infra/test_deploy_command.py",
    "tests/distributed/test_network_and_disk.py",
    "tests/infra/test_app.py",
    "tests/security/test_ping_bound.py",
    "tests/security/test_decoding_memory.py",
    "tests/infra/test_updates.py",
    "tests/contract/test_server_life.py",
    "tests/distributed/test_ended_any_time.py",
    "tests/distributed/test_data_digest.py",
    "tests/infra/test_settings_random.py",
    "tests/cloud/test_seams.py",
    "tests/operate/test_sweep_list.py",
    "tests/cloud/test_echo_app.py",
    "tests/security/test_slow_callers.py",
    "tests/page/test_page.py",
    "tests/contract/test_server.py",
    "tests/contract/test_server_faults.py",
    "tests/faults/test_server_log.py",
    "tests/distributed/test_launch.py",
    "tests/infra/test_workbench.py",
    "tests/security/test_hostile_photos.py",
)
"""Files that take more than 20 s on two busy cores. What the end of a run lists belongs here, or is shortened."""
LISTED = 10
"""Number of files that the end of a run lists."""

_seconds: collections.defaultdict[str, float] = collections.defaultdict(float)


def file_of(test: str) -> str:
    """The path in the id of a test, such as tests/unit/test_names.py."""
    return test.partition("::")[0]


def place(test: str) -> int:
    """The place of a test's file: equal for all files that are not listed."""
    path = file_of(test)
    return LONGEST_FIRST.index(path) if path in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.hookimpl(trylast=True)  # after pytest-randomly, which shuffles the files
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the processes of pytest-xdist start with the long files: a long file at the end leaves a core idle. All other
    files stay in random order, and so do those of a run in one process."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[file_of(report.nodeid)] += report.duration


def longest(seconds: Mapping[str, float]) -> list[str]:
    """A line for each of the longest files, from the seconds of each file."""
    found = sorted(seconds.items(), key=lambda item: -item[1])[:LISTED]
    return [f"{taken:6.1f} s  {path}" for path, taken in found]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if len(_seconds) > LISTED:
        terminalreporter.write_line(f"The longest of {len(_seconds)} files of tests, by the clock:")
        for line in longest(_seconds):
            terminalreporter.write_line(line)
