"""Archives that are no plain .npz: bombs, encrypted members, names twice, names that lead out.

An archive is refused as a whole where its names are not to be trusted; what it unpacks to is held
against the memory there is before anything is unpacked; and nothing of it is ever written.
"""

from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import ArrayError, RequestError
from convt_cli.files.arrays import read_array
from convt_cli.io import memory
from tests.conftest import GUIDE, Run, WriteSpec, assert_refused
from tests.files.samples import ONE, header_of, npy_bytes, npz_bytes, outcome_of, with_header

DIRECTORY = b"PK\x01\x02"
"""What an entry of an archive's directory begins with."""

LITTLE = 2**21


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path) -> Iterator[None]:
    """Whatever a test does, the archive unpacks to no file."""
    yield
    assert {path.name for path in folder.iterdir()} <= {"x.npz", "net.yaml", "w.npy"}


def refused(content: bytes, name: str = "x.npz") -> ArrayError:
    """The error of an archive that is refused before much memory is taken."""
    Path("x.npz").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ArrayError) as caught:
            read_array(name)
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()
    assert caught.value.code == "E303"
    return caught.value


def patched(content: bytes, local: int, central: int, value: bytes) -> bytes:
    """An archive of one member with other bytes in its header and in its directory's entry."""
    changed = bytearray(content)
    entry = content.rindex(DIRECTORY)
    changed[local : local + len(value)] = value
    changed[entry + central : entry + central + len(value)] = value
    return bytes(changed)


def claiming(content: bytes, size: int) -> bytes:
    """An archive of one member that unpacks to `size` bytes, as its headers say."""
    return patched(content, 22, 24, struct.pack("<I", size))


def bomb(method: int, size: int) -> bytes:
    """An archive of zeros behind the header of a small array, and what it claims to unpack to."""
    return npz_bytes({"a.npy": ONE[:128] + bytes(size)}, method)


class TestBombs:
    def test_15_one_that_says_its_size_is_held_against_the_memory_there_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size = 10**8
        monkeypatch.setattr(memory, "available", lambda: size)
        header = with_header(header_of(f"({size // 8 + 1},)"))
        content = npz_bytes({"a.npy": header + bytes(size + 8)}, zipfile.ZIP_DEFLATED)
        assert len(content) < size // 100
        Path("x.npz").write_bytes(content)
        with pytest.raises(RequestError, match="does not fit into memory") as caught:
            read_array("x.npz")
        assert caught.value.code == "E501"

    @pytest.mark.parametrize(
        "method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
    )
    @pytest.mark.parametrize("claimed", [176, 177, 2**31, 2**32 - 2])
    def test_15_one_that_lies_about_its_size_is_not_unpacked(
        self, method: int, claimed: int
    ) -> None:
        """Of bzip2 and lzma zipfile would unpack a whole block, whatever was asked for."""
        content = bomb(method, 2 * 10**7)
        assert len(content) < 10**5
        refused(claiming(content, claimed))

    def test_15_members_that_share_their_bytes_are_not_unpacked(self) -> None:
        """One block of zeros under many names, each of which alone is an array."""
        inner = npz_bytes({f"{n}.npy": ONE for n in range(50)})
        directory = inner.index(DIRECTORY)
        shared = bytearray(inner)
        for _ in range(50):
            shared[directory + 42 : directory + 46] = bytes(4)
            directory = inner.find(DIRECTORY, directory + 1)
        refused(bytes(shared), "x.npz#7")

    @pytest.mark.parametrize("count", [5, 10**6, 10**15])
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_15_a_header_that_promises_more_than_its_member_holds_is_refused(
        self, count: int, method: int
    ) -> None:
        content = with_header(header_of(f"({count},)"), bytes(8))
        error = refused(npz_bytes({"a.npy": content}, method))
        assert "bytes, there are" in error.value

    @pytest.mark.parametrize("size", [0, 1, 127, 175, 177, 2**31])
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_15_a_directory_that_lies_about_a_size_is_refused(self, size: int, method: int) -> None:
        refused(claiming(npz_bytes({"a.npy": ONE}, method), size))

    def test_15_an_archive_in_an_archive_is_no_array(self) -> None:
        refused(npz_bytes({"a.npy": npz_bytes({"a.npy": ONE})}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
class TestNames:
    @pytest.mark.parametrize(
        "names",
        [
            ("a.npy", "a.npy"),
            ("a.npy", "a"),
            ("a", "a"),
            ("a.npy", "/a.npy"),
            ("b.npy", "a.npy", "b.npy"),
        ],
    )
    @pytest.mark.parametrize("key", ["", "#a", "#b"])
    def test_15_a_name_that_stands_twice_is_refused(self, names: tuple[str, ...], key: str) -> None:
        """Which of the two is read would depend on who reads."""
        with zipfile.ZipFile("x.npz", "w") as archive:
            for number, name in enumerate(names):
                archive.writestr(name, npy_bytes(np.full(3, number)))
        error = refused(Path("x.npz").read_bytes(), f"x.npz{key}")
        assert "the same name" in error.value

    @pytest.mark.parametrize(
        "name",
        [
            *("../a.npy", "//a.npy", "b/../../a.npy", "..\\a.npy", "b//a.npy", "a.npy/", "..", ""),
            *("\\a.npy", "b\\..\\a.npy", "/../etc/passwd", "../" * 40 + "tmp/a.npy"),
        ],
    )
    @pytest.mark.parametrize("key", ["", "#a", "#b"])
    def test_15_a_member_whose_name_leads_out_is_refused(self, name: str, key: str) -> None:
        """Even where another member is asked for."""
        error = refused(npz_bytes({name: ONE, "b.npy": ONE}), f"x.npz{key}")
        assert "leads out" in error.value

    @pytest.mark.parametrize(
        "name", ["a\nb", "a\x1b[2J", "\u202ea", "ä", "a b", "..a", "a..b", "/a"]
    )
    def test_15_an_odd_name_is_only_a_name(self, name: str) -> None:
        assert outcome_of(npz_bytes({f"{name}.npy": ONE}), "x.npz") == "array"
        assert outcome_of(npz_bytes({f"{name}.npy": ONE, "b.npy": ONE}), "x.npz#c") == "E401"

    def test_15_a_slash_in_front_which_numpy_leaves_there_is_no_part_of_a_name(self) -> None:
        content = npz_bytes({"/etc/passwd": ONE, "b.npy": ONE})
        for key in ("etc/passwd", "/etc/passwd"):
            assert outcome_of(content, f"x.npz#{key}") == "array"

    def test_15_a_member_with_another_name_in_its_own_header_is_refused(self) -> None:
        content = bytearray(npz_bytes({"a.npy": ONE}))
        content[30] = ord("b")
        refused(bytes(content))


class TestMembers:
    @pytest.mark.parametrize("flag", [0x01, 0x41], ids=["encrypted", "strongly"])
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_15_an_encrypted_member_is_refused(self, flag: int, method: int) -> None:
        content = npz_bytes({"a.npy": ONE}, method)
        refused(patched(content, 6, 8, struct.pack("<H", flag)))

    @pytest.mark.parametrize("method", [1, 6, 9, 12, 14, 93, 95, 98, 99])
    def test_15_a_method_other_than_numpy_s_is_refused(self, method: int) -> None:
        content = npz_bytes({"a.npy": ONE})
        error = refused(patched(content, 8, 10, struct.pack("<H", method)))
        assert "compressed in another way" in error.value

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_15_a_wrong_checksum_is_noticed(self, method: int) -> None:
        content = npz_bytes({"a.npy": ONE}, method)
        refused(patched(content, 14, 16, b"\1\2\3\4"))

    def test_15_a_number_that_was_changed_is_noticed(self) -> None:
        content = npz_bytes({"a.npy": ONE})
        wrong = content.replace(np.float64(5.0).tobytes(), np.float64(6.0).tobytes())
        assert wrong != content
        refused(wrong)

    def test_15_the_same_holds_for_a_weight(self, run: Run, spec: WriteSpec) -> None:
        Path("x.npz").write_bytes(npz_bytes({"../w.npy": npy_bytes(np.ones((1, 1, 3, 3)))}))
        path = spec(GUIDE.replace("{fill: index}", "x.npz"))
        assert_refused(run("matrix", path, "-o", "C.npz"), "E303")

    def test_15_a_key_never_becomes_a_file_s_name(self, run: Run, spec: WriteSpec) -> None:
        np.savez("x.npz", a=np.ones((1, 2, 2)))
        outside = "../escaped"
        outcome = run("apply", spec(GUIDE), f"x.npz#{outside}", "-o", "out.npy")
        assert_refused(outcome, "E401")
        assert not os.path.exists(f"{outside}.npy")

    @pytest.mark.parametrize("key", ["../x", "/x", "a/../x", "..\\x", "x/", "..", "k" * 1001])
    def test_15_no_archive_is_written_that_would_be_refused(
        self, run: Run, spec: WriteSpec, key: str
    ) -> None:
        np.save("w.npy", np.ones((1, 2, 2)))
        assert_refused(run("apply", spec(GUIDE), "w.npy", "-o", f"out.npz#{key}"), "E402")
