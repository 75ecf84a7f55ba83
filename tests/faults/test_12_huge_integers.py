"""Integers of thousands of digits, wherever an integer can be written.

Python turns no integer of more than 4,300 digits into text, and reads none: a message that quoted
one would fail itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from convt_cli.arithmetic.keys import (
    FactorPerAxis,
    Integer,
    IntegerPerAxis,
    Number,
    PaddingPerAxis,
    Sizes,
)
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.commands.main import COMMANDS, group
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.spec.layer_spec import fields_of
from tests.conftest import GUIDE, Found, Run, WriteSpec
from tests.faults.rows import trying
from tests.spec.texts import CONV, INPUT, assert_found, layer, net, required

HUGE = {
    "decimal": "9" * 5000,
    "plus": "+" + "9" * 5000,
    "minus": "-" + "9" * 5000,
    "hex": "0x" + "f" * 5000,
    "octal": "0o" + "7" * 5000,
    "zeros": "0" * 5000 + "1",
    "4,300 digits": "9" * 4300,
    "41 digits": "9" * 41,
}
"""As a spec may write them: none is read, whatever its value."""

RELU = "type: relu"


def integer_keys(layer_type: str) -> Iterator[tuple[str, str]]:
    """(key, value with a gap) for every place of a layer that takes integers."""
    written = {
        Integer: ["GAP"],
        Number: ["GAP"],
        IntegerPerAxis: ["GAP", "[1, GAP]"],
        PaddingPerAxis: ["GAP", "[0, GAP]", "[[0, GAP], [0, 0]]"],
        FactorPerAxis: ["GAP", "[1, GAP]"],
        Sizes: ["[1, GAP]"],
    }
    for key, field in fields_of(layer_type).items():
        for form in written.get(type(field.kind), []):
            yield key, form


@pytest.mark.parametrize("layer_type", [one for one in LAYER_TYPES if [*integer_keys(one)]])
def test_12_every_key_of_every_layer_refuses_them(found: Found, layer_type: str) -> None:
    for key, form in integer_keys(layer_type):
        for digits in ("decimal", "minus", "hex"):
            with trying(key, form, digits):
                keys = required(layer_type) | {key: form.replace("GAP", HUGE[digits])}
                text = net("type: max_pool, kernel_size: 1, name: pool", layer(layer_type, keys))
                assert_found(found, text, ("E107", 4, HUGE[digits]))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (net(RELU, top="input: [1, GAP]"), "E107"),
        (net(RELU, top="input: [GAP, 4]"), "E107"),
        (net(RELU, top="input: {a: [GAP, 4]}"), "E107"),
        (net(RELU, top="input: GAP"), "E103"),
        (net(RELU, top=f"framework: onnx\nopset: GAP\n{INPUT}"), "E107"),
        (net(RELU, top=f"{INPUT}\ndefaults: {{conv: {{groups: GAP}}}}"), "E107"),
        (net(RELU, top=f"{INPUT}\n? GAP\n: 1"), "E101"),
        (net(RELU, top=f"framework: GAP\n{INPUT}"), "E103"),
        (net(RELU, top=f"name: GAP\n{INPUT}"), "E103"),
        (net(f"{RELU}, expect: [GAP, 1]"), "E107"),
        (net(f"{RELU}, from: GAP"), "E103"),
        (net("type: GAP"), "E103"),
        (net(f"{CONV}, weight: {{fill: normal, seed: GAP}}"), "E107"),
        (net(f"{CONV}, weight: [GAP]"), "E103"),
        (net(f"{CONV}, bias: GAP"), "E103"),
        (net(f"{CONV}, padding_mode: GAP"), "E103"),
        (net("type: max_pool, kernel_size: 1, ceil_mode: GAP"), "E103"),
        (f"{INPUT}\nlayers: GAP\n", "E103"),
        ("GAP\n", "E008"),
    ],
)
def test_12_every_other_place_refuses_them_in_a_short_message(
    found: Found, text: str, code: str
) -> None:
    for digits, written in HUGE.items():
        with trying(digits):
            (problem,) = found(text.replace("GAP", written))
            assert problem.code == code
            assert len(problem.value) < 500
            assert len(diagnostic_text(problem)) < 1500


@pytest.mark.parametrize("digits", ["decimal", "hex", "octal"])
@pytest.mark.parametrize("command", ["check", "shapes", "table"])
def test_12_every_command_says_so(run: Run, spec: WriteSpec, command: str, digits: str) -> None:
    outcome = run(command, spec(net(RELU, top=f"input: [1, {HUGE[digits]}]")))
    assert outcome.status == (1 if command == "check" else 2)
    assert "error[E107]: input must be at most 2^53" in outcome.out + outcome.err
    assert len(outcome.out + outcome.err) < 1500


def numeric_options() -> Iterator[tuple[str, str]]:
    """(command, option) for every option that takes something other than words, names and files."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        for option in command.params:
            words = isinstance(option.type, (click.Choice, click.types.StringParamType))
            flag = isinstance(option, click.Option) and option.is_flag
            if isinstance(option, click.Option) and not words and not flag:
                yield name, option.opts[0]


FORMS = ["GAP", "1,GAP", "1..GAP", "GAP..GAP", "input=3,GAP", "-GAP", "0xGAP"]
NEEDED = {
    "import": ("m.onnx", "-o", "m.yaml"),
    "solve": (),
    "table": (),
    "apply": ("net.yaml", "x.csv", "-o", "y.csv"),
    "invert": ("net.yaml", "x.csv", "-o", "y.csv"),
    "reconstruct": ("net.yaml", "x.csv", "--layer", "conv1"),
}
"""What a command needs beside its options, where that is not a spec."""


def with_option(command: str, option: str, value: str) -> list[str]:
    """A command's arguments with one option."""
    return [command, *NEEDED.get(command, ("net.yaml",)), f"{option}={value}"]


@pytest.mark.parametrize(("command", "option"), list(numeric_options()))
def test_12_every_option_refuses_them(run: Run, spec: WriteSpec, command: str, option: str) -> None:
    spec(GUIDE)
    for form in FORMS:
        with trying(form):
            outcome = run(*with_option(command, option, form.replace("GAP", HUGE["decimal"])))
            assert (outcome.status, outcome.out) == (2, "")
            assert f"Error: Invalid value for '{option}'" in outcome.err


@pytest.mark.parametrize("command", sorted({command for command, _ in numeric_options()}))
def test_12_no_option_fails_on_the_most_digits_that_python_reads(
    run: Run, spec: WriteSpec, command: str
) -> None:
    spec(GUIDE)
    spec("1,2,3,4\n" * 4, "x.csv")
    for option in (option for one, option in numeric_options() if one == command):
        for form in ("GAP", "-GAP", "1,GAP"):
            with trying(option, form):
                outcome = run(*with_option(command, option, form.replace("GAP", "9" * 4300)))
                assert outcome.status in (0, 2)
                assert "Traceback" not in outcome.err


def test_12_every_option_that_takes_integers_is_tried() -> None:
    options = {option for _, option in numeric_options()}
    sizes = {"--input-size", "--kernel-size", "--stride", "--padding", "--output-padding"}
    others = {"--dilation", "--output-size", "--limit", "--up-to", "--channel", "--top", "--unit"}
    assert sizes | others | {"--input"} <= options
