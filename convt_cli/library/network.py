"""A network whose layers have numbers, and which shows itself as the table of its shapes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from convt_cli.arithmetic import network as resolved
from convt_cli.arithmetic.network import layer_called, with_matrix
from convt_cli.library.layer import Layer, Numbers

if TYPE_CHECKING:
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
