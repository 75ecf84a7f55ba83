"""Whether BLAS copies small products follows from the set of routines that it says it uses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from threadpoolctl import threadpool_info

from convt_cli.operators.kernels import blas


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    blas.multiplies_small_products_in_place.cache_clear()
    yield
    blas.multiplies_small_products_in_place.cache_clear()


Pretend = Callable[..., None]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Replace NumPy's BLAS by a library with these functions, each of which returns a name."""

    def use(**functions: bytes | None) -> None:
        library = SimpleNamespace(
            **{name: (lambda found=found: found) for name, found in functions.items()}
        )
        monkeypatch.setattr(ctypes, "CDLL", lambda _path: library)

    return use


@pytest.mark.parametrize("name", blas._NAMES)
@pytest.mark.parametrize(
    ("kernels", "expected"),
    [
        (b"SkylakeX", True),
        (b"Cooperlake", True),
        (b"SapphireRapids", True),
        (b"Haswell", False),
        (b"Zen", False),
        (b"", False),
        (None, False),
    ],
)
def test_openblas_copies_nothing_with_its_routines_for_avx512(
    pretend: Pretend, name: str, kernels: bytes | None, expected: bool
) -> None:
    pretend(**{name: kernels})
    assert blas.multiplies_small_products_in_place() is expected


def test_another_blas_copies(pretend: Pretend) -> None:
    pretend(cblas_dgemm=b"")
    assert not blas.multiplies_small_products_in_place()


@pytest.mark.parametrize("error", [OSError, ImportError])
def test_a_library_that_cannot_be_asked_copies(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(_path: str) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert not blas.multiplies_small_products_in_place()


def test_numpys_own_says_which_routines_it_uses() -> None:
    """A name without spaces, or nothing; the one that threadpoolctl gives."""
    found = blas._kernels()
    assert found == "".join(found.split())
    names = {
        library.get("architecture", "")
        for library in threadpool_info()
        if library["internal_api"] == "openblas" and "numpy" in library["filepath"]
    }
    assert not names or found in names
