"""A network whose layers have numbers, and which shows itself as the table of its shapes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from convt_cli.arithmetic import network as resolved
from convt_cli.arithmetic.network import layer_called, with_matrix
from convt_cli.library.layer import Layer, Numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, DTypeLike

    from convt_cli.reports.table import Report, Table


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Network(resolved.Network):
    """A network with every shape known; `network["conv1"]` is a layer, and `layers` are all.

    Its repr is the table of `convt shapes`, and a notebook shows it as one.
    """

    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, network: resolved.Network) -> Network:
        """The same network, its layers with their numbers."""
        own = {one.name: getattr(network, one.name) for one in fields(network)}
        numbers = Numbers(network)
        return cls(**own | {"layers": tuple(Layer.of(one, numbers) for one in network.layers)})

    def __getitem__(self, name: str) -> Layer:
        """The layer called `name`.  Raises a KeyError that names the closest one."""
        return layer_called(name, self.layers, self.name)

    @property
    def matrix_layers(self) -> tuple[Layer, ...]:
        """The conv and conv_transpose layers, in order."""
        return with_matrix(self.layers)

    def run(
        self,
        x: ArrayLike | Mapping[str, ArrayLike],
        *,
        layers: Sequence[str] | None = None,
        dtype: DTypeLike | None = None,
    ) -> Any:
        """The network's output for `x`; several outputs, or those of `layers`, by name.

        `x` is ([batch], *input shape), or with several inputs a mapping of their names to such
        arrays; the batch axis comes back.  Numbers are in `dtype`, or else in the
        np.result_type of `x`, the weights and float32.  Raises RequestError (E501, E502, E503, and
        E507 for a layer whose numbers are not known), ArrayError (E301, E302), and what reading
        the weights raises.
        """
        from convt_cli.analysis.forward import run_network

        found = run_network(self, x, layers=layers or (), dtype=dtype)
        is_single = layers is None and len(self.outputs) == 1
        return found[self.outputs[0]] if is_single else found

    def table(self) -> Table:
        """The table of `convt shapes --wide`: `columns`, each with a name, and `rows` of cells."""
        (table,) = self._report(wide=True).tables
        return table

    def __repr__(self) -> str:
        from convt_cli.render.text import as_text

        return as_text(self._report(wide=False)).rstrip("\n")

    def _repr_html_(self) -> str:
        from convt_cli.render.html import as_html

        (table,) = self._report(wide=False).tables
        return as_html(table)

    def _report(self, *, wide: bool) -> Report:
        from convt_cli.reports.shapes import shapes_report

        return shapes_report([self], (), wide=wide)
