"""convt diagnose: whether an array is what a layer gives, to rounding, and if not, why."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.vocabulary import ACCUMULATORS, LAYOUTS
from convt_cli.commands.emit import emit
from convt_cli.commands.main import FOUND, remark
from convt_cli.commands.networks import load_network
from convt_cli.commands.options import (
    format_option,
    input_option,
    layout_option,
    output_options,
    outside_option,
    require_one_stdin,
    spec_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.errors import shown
from convt_cli.library.network import Network


@click.command(
    "diagnose",
    short_help="Find out whether two tools differ by rounding, or why.",
    epilog="""\b
Exit status: 0 equal or rounding, 1 different, 2 cannot be judged.
\b
Examples:
  convt diagnose net.yaml --layer conv1 --x x.npy --y y.npy
  convt diagnose net.yaml --layer conv1 --x x.npy --y y.npy --accumulator tf32
  convt diagnose model.onnx --dump activations.npz --format json""",
)
@spec_argument
@click.option("--layer", metavar="NAME", help="The layer that made Y of X.")
@click.option("--x", metavar="X", help="What the layer read; an .npz with names if several.")
@click.option("--y", metavar="Y", help="What a tool says that it gives.")
@click.option(
    "--dump", metavar="DUMP", help="Judge all layers, on the arrays of this .npz by their names."
)
@click.option(
    "--accumulator",
    type=click.Choice(ACCUMULATORS),
    help="The type in which the tool sums; Y's own if left out.",
)
@layout_option(*LAYOUTS, arrays="X, Y and those of DUMP")
@input_option
@outside_option
@format_option()
@output_options
def command(
    spec: str,
    layer: str | None,
    x: str | None,
    y: str | None,
    dump: str | None,
    accumulator: str | None,
    layout: str,
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Judge the numbers that another tool computed for a layer, or for each layer of a network.

    The verdict is equal, rounding where every difference lies within a proved bound for sums in
    any order, or different.  Then what explains all of it is searched for: other pads, a flipped
    kernel, a lost bias, and more.  X and Y are .npy, .npz#key, .csv or .txt, in any floating type.
    """
    compute_by_tiles()
    _require_one_request(layer, x, y, dump)
    require_one_stdin(spec, x, "X")
    require_one_stdin(spec, y, "Y")
    network = load_network(spec, inputs)
    if dump is not None:
        return _dumped(network, dump, accumulator, layout, (output_format, output, force))
    from convt_cli.analysis.diagnose.diagnosis import diagnose
    from convt_cli.files.arrays import read_with_bfloat16
    from convt_cli.reports.diagnosis import diagnosis_report

    names = dict.fromkeys(network[str(layer)].reads)
    source = (
        {name: read_with_bfloat16(f"{x}#{name.strip('/')}") for name in names}
        if len(names) > 1
        else read_with_bfloat16(str(x))
    )
    found = diagnose(
        network,
        source,
        read_with_bfloat16(str(y)),
        layer=str(layer),
        accumulator=accumulator,
        layout=layout,
    )
    emit(diagnosis_report(network, found), output_format, output, force=force)
    return FOUND if found.verdict == "different" else 0


def _dumped(
    network: Network,
    dump: str,
    accumulator: str | None,
    layout: str,
    written: tuple[str, str | None, bool],
) -> int:
    """The exit status after all layers were judged on the arrays of a dump."""
    from convt_cli.analysis.diagnose.dump import diagnose_dump
    from convt_cli.files.dumps import read_dump
    from convt_cli.models.load import value_names
    from convt_cli.render.progress import progress
    from convt_cli.reports.diagnosis import dump_report

    names = [*(name for name, _ in network.inputs), *(one.name for one in network.layers)]
    arrays, rest = read_dump(dump, names, value_names(network))
    if rest:
        remark(f"note: of {shown(dump)} no layer or input is called {', '.join(rest[:6])}")
    found = diagnose_dump(
        network, arrays, accumulator=accumulator, layout=layout, progress=progress
    )
    output_format, output, force = written
    report = dump_report(network, found.judged, found.not_judged)
    emit(report, output_format, output, force=force)
    return FOUND if found.first is not None else 0


def _require_one_request(layer: str | None, x: str | None, y: str | None, dump: str | None) -> None:
    """Raise a usage error unless there is either a dump, or a layer with X and Y."""
    single = [layer, x, y]
    if dump is not None and any(single):
        raise click.UsageError("--dump stands in the place of --layer, --x and --y")
    if dump is None and not all(single):
        raise click.UsageError("name a layer with --layer, --x and --y, or give a --dump")
    if x is not None and x == y:
        raise click.UsageError("--x and --y are two arrays")
