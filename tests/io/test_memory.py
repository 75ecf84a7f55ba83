"""What would not fit into memory is refused before it is allocated.

The budget is the least of what the system, the control group and the address space leave; the
message says how many bytes are needed and how many are there.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convt_cli.errors import RequestError
from convt_cli.io import memory

UNITS: dict[str, int] = {"bytes": 1} | {
    unit: 2 ** (10 * power)
    for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), start=1)
}
MEMINFO = "MemTotal:  4000 kB\nMemFree:  10 kB\nMemAvailable:    2000 kB\n"


def fake_files(patch: pytest.MonkeyPatch, files: Mapping[str, str]) -> None:
    """Replace the system's files by these, without a limit on the address space."""
    patch.setattr(memory, "_read", lambda path: files.get(str(path), ""))
    infinity = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    patch.setattr(resource, "getrlimit", lambda _: infinity)


def value_of(text: str) -> float:
    """The bytes that a text like '1.5 KiB' stands for."""
    number, unit = text.split(" ")
    return float(number.replace(",", "")) * UNITS[unit]


class TestText:
    @pytest.mark.parametrize(
        ("size", "text"),
        [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (5 * 2**20, "5.0 MiB"),
            (3 * 2**30, "3.0 GiB"),
            (2**40, "1.0 TiB"),
            (2**50, "1.0 PiB"),
            (2**60, "1.0 EiB"),
            (2**70, "1,024.0 EiB"),
        ],
    )
    def test_a_size_is_said_in_its_unit(self, size: int, text: str) -> None:
        assert memory.text(size) == text

    @given(size=st.integers(0, 2**80))
    @example(size=10 * 1024)
    @example(size=10 * 1024 - 1)
    @example(size=2**20 - 1)
    def test_it_is_within_a_tenth_of_the_size(self, size: int) -> None:
        assert value_of(memory.text(size)) == pytest.approx(size, rel=0.1)


class TestBudget:
    def test_is_what_the_system_has_available(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_files(monkeypatch, {"/proc/meminfo": MEMINFO})
        assert memory.available() == 2000 * 1024

    @pytest.mark.parametrize(
        "files",
        [
            {
                "/proc/self/cgroup": "0::/user/job\n",
                "/sys/fs/cgroup/user/job/memory.max": "5000\n",
                "/sys/fs/cgroup/user/job/memory.current": "3800\n",
            },
            {"/sys/fs/cgroup/memory.max": "5000\n", "/sys/fs/cgroup/memory.current": "3800\n"},
            {
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "5000\n",
                "/sys/fs/cgroup/memory/memory.usage_in_bytes": "3800\n",
            },
        ],
        ids=["own group", "version 2", "version 1"],
    )
    def test_is_what_the_control_group_leaves(
        self, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
    ) -> None:
        fake_files(monkeypatch, {"/proc/meminfo": MEMINFO, **files})
        assert memory.available() == 1200

    def test_a_group_above_counts_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {
            "/proc/self/cgroup": "0::/user/job\n",
            "/sys/fs/cgroup/user/job/memory.max": "max\n",
            "/sys/fs/cgroup/user/job/memory.current": "10\n",
            "/sys/fs/cgroup/user/memory.max": "5000\n",
            "/sys/fs/cgroup/user/memory.current": "3800\n",
        }
        fake_files(monkeypatch, {"/proc/meminfo": MEMINFO, **files})
        assert memory.available() == 1200

    def test_a_group_without_a_limit_sets_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {"/sys/fs/cgroup/memory.max": "max\n", "/sys/fs/cgroup/memory.current": "1\n"}
        fake_files(monkeypatch, {"/proc/meminfo": MEMINFO, **files})
        assert memory.available() == 2000 * 1024

    def test_a_group_past_its_limit_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {"/sys/fs/cgroup/memory.max": "10\n", "/sys/fs/cgroup/memory.current": "20\n"}
        fake_files(monkeypatch, {"/proc/meminfo": MEMINFO, **files})
        assert memory.available() == 0

    @pytest.mark.parametrize("field", ["VmSize", "VmData"])
    def test_is_what_a_limit_of_the_process_leaves(
        self, monkeypatch: pytest.MonkeyPatch, field: str
    ) -> None:
        status = {"/proc/self/status": f"{field}: 100 kB\n"}
        fake_files(monkeypatch, {"/proc/meminfo": MEMINFO} | status)
        monkeypatch.setattr(resource, "getrlimit", lambda _: (101 * 1024, 200 * 1024))
        monkeypatch.setattr(memory, "_set_aside", lambda: 0)
        assert memory.available() == 1024

    @pytest.mark.parametrize(
        ("loaded", "limit", "expected"),
        [
            ((), 2**30, 2**30),
            (("numpy",), 2**30, 2**30 - memory._BUFFER),
            (("numpy", "scipy.linalg"), 2**30, 2**30 - 2 * memory._BUFFER),
            (("numpy", "scipy.linalg"), memory._BUFFER, 0),
            ((), memory._ROOMY, memory._ROOMY - 4 * memory._OF_A_THREAD),
        ],
    )
    def test_within_a_limit_what_blas_and_threads_take_is_left_free(
        self, monkeypatch: pytest.MonkeyPatch, loaded: tuple[str, ...], limit: int, expected: int
    ) -> None:
        fake_files(monkeypatch, {"/proc/self/status": "VmSize: 0 kB\n"})
        monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
        monkeypatch.setattr(memory, "sys", SimpleNamespace(modules=loaded))
        assert memory.available() == expected

    def test_where_the_system_says_nothing_there_is_none(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake_files(monkeypatch, {})
        assert memory.available() is None
        memory.require(10**30, "a matrix", help="")

    @pytest.mark.parametrize(
        "content",
        ["", "\ufffd\n", "MemTotal: 5 kB\n", "MemAvailableX: 5 kB\n"],
        ids=ascii,
    )
    def test_a_file_of_another_form_says_nothing(
        self, monkeypatch: pytest.MonkeyPatch, content: str
    ) -> None:
        fake_files(monkeypatch, {"/proc/meminfo": content})
        assert memory.available() is None

    def test_on_this_machine_it_is_known_and_positive(self) -> None:
        there = memory.available()
        assert there is None or there > 0


class TestRequire:
    def test_what_fits_exactly_is_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "available", lambda: 1000)
        memory.require(1000, "a matrix", help="")

    def test_one_byte_more_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "available", lambda: 1000)
        with pytest.raises(RequestError) as caught:
            memory.require(1001, "a matrix", help="use a smaller one")
        error = caught.value
        assert (error.code, error.value) == ("E501", "1001 bytes needed, 1000 bytes there")
        assert (error.message, error.help) == (
            "a matrix does not fit into memory",
            "use a smaller one",
        )


class TestNegligible:
    """What any process takes by itself is granted, and the system is not asked."""

    NEGLIGIBLE = memory.NEGLIGIBLE  # before any fixture: what convt itself runs with

    @pytest.fixture(autouse=True)
    def _nothing_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "available", lambda: 0)

    def test_is_at_most_a_few_megabytes(self) -> None:
        assert 2**20 <= self.NEGLIGIBLE <= 2**26

    @pytest.mark.parametrize("share", [0, 1 / 2, 1])
    def test_up_to_there_all_is_granted(
        self, monkeypatch: pytest.MonkeyPatch, share: float
    ) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", self.NEGLIGIBLE)
        memory.require(int(share * self.NEGLIGIBLE), "a matrix", help="")

    def test_one_byte_more_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", self.NEGLIGIBLE)
        with pytest.raises(RequestError, match="a matrix does not fit into memory"):
            memory.require(self.NEGLIGIBLE + 1, "a matrix", help="")

    def test_the_system_is_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []
        monkeypatch.setattr(memory, "available", lambda: asked.append(1))
        monkeypatch.setattr(memory, "NEGLIGIBLE", 1000)
        memory.require(1000, "a matrix", help="")
        assert not asked
        memory.require(1001, "a matrix", help="")
        assert asked

    def test_within_a_limit_all_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", self.NEGLIGIBLE)
        monkeypatch.setattr(memory, "least_limit", lambda: 2**40)
        with pytest.raises(RequestError, match="a matrix does not fit into memory"):
            memory.require(1, "a matrix", help="")


"""A matrix of 10^12 entries, from a weight of 10^6."""

"""A transposed convolution whose result has 3 * 10^12 elements."""
