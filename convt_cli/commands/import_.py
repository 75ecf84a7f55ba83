"""convt import: a model of another program as a spec."""

from __future__ import annotations

import os

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.commands.emit import put
from convt_cli.commands.main import remark
from convt_cli.commands.options import force_option, input_option
from convt_cli.io.reading import model_reference
from convt_cli.io.writing import require_writable


@click.command(
    "import",
    short_help="Write a model file as a spec.",
    epilog="""\b
Examples:
  convt import model.onnx -o model.yaml
  convt import detector.onnx -o detector.yaml --input 3,640,640 --partial""",
)
@click.argument("model")
@click.option("-o", "--output", required=True, metavar="SPEC.yaml", help="- is standard output.")
@input_option
@click.option("--partial", is_flag=True, help="Leave out what a spec cannot say.")
@click.option("--expect", is_flag=True, help="Write every layer's output as its expect.")
@click.option(
    "--allow-outside", is_flag=True, help="Let the model's data lie outside the model's folder."
)
@force_option
def command(
    model: str,
    output: str,
    inputs: tuple[tuple[str, Shape], ...],
    partial: bool,
    expect: bool,
    allow_outside: bool,
    force: bool,
) -> int:
    """Write a model file as a spec, its weights by reference into it.

    MODEL is an .onnx, which needs the extra onnx, or a .pt2, .tflite, .keras, .h5 or .hdf5, which
    need nothing.  The batch axis is dropped.  What the spec
    says differently from the model, and with --partial what it lacks, is told on standard error.
    """
    from convt_cli.models.load import load_model
    from convt_cli.models.text import spec_text

    require_writable(output, force=force)
    reference, inside = model_reference(output, model)
    imported = load_model(
        model, reference, override=dict(inputs), partial=partial, allow_outside=allow_outside
    )
    title, _ = os.path.splitext(os.path.basename(model))
    text = spec_text(imported, title=title, model=os.path.basename(model), expect=expect)
    put(text, output, force=force)
    for message in imported.messages:
        remark(message)
    if not inside:
        remark(f"warning: {reference} is outside the spec's folder: --allow-outside reads it")
    return 0
