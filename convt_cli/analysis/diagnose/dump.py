"""Every layer of a network judged by itself, on arrays that another tool has kept of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from convt_cli.analysis.diagnose.diagnosis import Diagnosis, diagnose_layer
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.vocabulary import LAYOUTS
from convt_cli.errors import ConvtError, RequestError
from convt_cli.io.progress import Progress, no_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpDiagnosis:
    """The layers that were judged, and the others with the reason why they were not."""

    judged: tuple[Diagnosis, ...]
    not_judged: Mapping[str, str]

    @property
    def first(self) -> Diagnosis | None:
        """The first layer that rounding does not explain."""
        return next((one for one in self.judged if one.verdict == "different"), None)


def diagnose_dump(
    network: Network,
    arrays: Mapping[str, ArrayLike],
    *,
    accumulator: str | None = None,
    layout: str = LAYOUTS[0],
    progress: Progress = no_progress,
) -> DumpDiagnosis:
    """The diagnosis of every layer whose output and sources are among `arrays`.

    They are by the names of layers and inputs.  Raises RequestError (E503) where no layer can be
    judged.
    """
    judged: list[Diagnosis] = []
    left: dict[str, str] = {}
    with progress("diagnosing", len(network.layers)) as advance:
        for layer in network.layers:
            found = _judged(network, layer, arrays, accumulator, layout)
            if isinstance(found, str):
                left[layer.name] = found
            else:
                judged.append(found)
            advance(1)
    if not judged:
        raise _none_judged(network, arrays, left)
    return DumpDiagnosis(judged=tuple(judged), not_judged=left)


def _judged(
    network: Network,
    layer: NetworkLayer,
    arrays: Mapping[str, ArrayLike],
    accumulator: str | None,
    layout: str,
) -> Diagnosis | str:
    """The diagnosis of a layer, or why there is none."""
    missing = [name for name in (*layer.reads, layer.name) if name not in arrays]
    if missing:
        return f"{', '.join(missing)} is not in the dump"
    try:
        return diagnose_layer(
            network, layer, arrays, arrays[layer.name], accumulator=accumulator, layout=layout
        )
    except RequestError as error:
        if error.code != "E507":
            raise
        return error.value or error.message
    except ConvtError as error:
        return str(error)


def _none_judged(
    network: Network, arrays: Mapping[str, ArrayLike], left: Mapping[str, str]
) -> RequestError:
    """The error for a dump in which no layer can be judged."""
    name, reason = next(iter(left.items()), ("", "it has no layers"))
    held = ", ".join([*arrays][:6]) or "none of its names"
    return RequestError(
        "E503",
        "a dump holds the output of at least one layer together with what it reads",
        value=f"{network.name} has {name}: {reason}; the dump has {held}",
        help="name its arrays as `convt shapes` names layers and inputs",
    )
