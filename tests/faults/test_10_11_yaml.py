"""YAML that parsers trip over, and values that older YAML reads as something else."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from convt_cli.arithmetic.keys import Ratio
from convt_cli.errors import Diagnostic
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.spec.load import load_spec
from convt_cli.spec.nodes import resolve_plain
from tests.conftest import Found, Run, WriteSpec
from tests.faults.rows import trying
from tests.spec.texts import CONV, INPUT, assert_found, net

LEAKS: dict[str, type[Exception] | tuple[type[Exception], ...]] = {
    "!!bool x": KeyError,
    "!!bool ''": KeyError,
    "!!int ''": IndexError,
    "!!int '-'": IndexError,
    "!!int _": IndexError,
    "!<tag:yaml.org,2002:int> _": IndexError,
    "!!float ''": IndexError,
    "!!float '_'": IndexError,
    "!!timestamp x": AttributeError,
    "!!timestamp ''": AttributeError,
    "!!int x": ValueError,
    "!!int '0b'": ValueError,
    "!!int 0x": ValueError,
    "!!int '1:x'": ValueError,
    "!!float x": ValueError,
    "!!float '-:'": ValueError,
    "!!timestamp '2020-99-99'": ValueError,
    "2020-13-45": ValueError,
    "2020-02-30": ValueError,
    "0000-00-00": ValueError,
    "2020-02-30 25:61:61": ValueError,
    "2001-1-1 24:00:00": ValueError,
    "2001-01-01 00:00:00 +99:99": ValueError,
    "2001-12-14t21:59:43.10-99:00": ValueError,
    "0x_": ValueError,
    "0b_": ValueError,
    '"\\U00110000"': ValueError,
    '"\\UFFFFFFFF"': (OverflowError, ValueError),  # the latter from Python 3.13 on
    "9" * 5000: ValueError,
    "-" + "9" * 5000: ValueError,
}
"""Values, and what PyYAML raises for each of them where a YAMLError is promised."""

ODD = [
    *("!!set x", "!!omap [a]", "!!binary é", "!!merge x", "!!map [1]", "!", "=", "<<", "{<<: 3}"),
    *("!!python/object/apply:os.system [id]", "{? [a] : 1}", "&a [*a]", "*b", "%x", "''", "~"),
    *(".nan", "-.inf", "1e99999", '"\\0"', '"\\ud800"', '"\\x1b[31m"', "0x", "_", ".", "1:60"),
]
"""Further values that no key of a spec takes, or that are words at best."""

RELU = "type: relu"
POOL = "type: max_pool, kernel_size: 1"

PLACES = {
    "name": net(RELU, top=f"name: GAP\n{INPUT}"),
    "framework": net(RELU, top=f"framework: GAP\n{INPUT}"),
    "opset": net(RELU, top=f"framework: onnx\nopset: GAP\n{INPUT}"),
    "input": net(RELU, top="input: [2, GAP, 8]"),
    "defaults": net(RELU, top=f"{INPUT}\ndefaults: {{conv: {{stride: GAP}}}}"),
    "layers": f"{INPUT}\nlayers: [GAP]\n",
    "type": net("type: GAP"),
    "from": net(f"{RELU}, from: GAP"),
    "expect": net(f"{RELU}, expect: [GAP, 8, 8]"),
    "integer": net(f"{CONV}, groups: GAP"),
    "per axis": net(f"{CONV}, stride: [1, GAP]"),
    "padding": net(f"{CONV}, padding: GAP"),
    "ratio": net("type: upsample, scale_factor: GAP"),
    "flag": net(f"{POOL}, ceil_mode: GAP"),
    "word": net(f"{CONV}, padding_mode: GAP"),
    "weight": net(f"{CONV}, weight: [[[[GAP]]]]"),
    "fill": net(f"{CONV}, weight: {{fill: GAP}}"),
    "seed": net(f"{CONV}, weight: {{fill: ones, seed: GAP}}"),
    "key": net(RELU, top=f"? GAP\n: 1\n{INPUT}"),
    "root": "GAP\n",
}
"""A spec with a gap for every kind of value that there is."""

WORDS = {"name", "weight"}
"""Where words, or any numbers, are right."""


def assert_one(found: Found, text: str, words: str) -> Diagnostic:
    """One value is of the wrong kind, and the caret stands under it; that comes back."""
    (problem,) = found(text)
    line = text.splitlines()[problem.line - 1]
    assert problem.code == "E103"
    assert line[problem.column - 1 :][: problem.width] == words
    return problem


@pytest.mark.parametrize("value", LEAKS)
def test_10_the_parser_s_own_loader_raises_what_is_no_yaml_error(value: str) -> None:
    """Otherwise the values below would be no test."""
    with pytest.raises(LEAKS[value]):
        yaml.load(f"- {value}", Loader=yaml.SafeLoader)


@pytest.mark.parametrize("place", PLACES)
def test_10_odd_values_are_coded_errors(found: Found, place: str) -> None:
    for value in (*LEAKS, *ODD):
        with trying(value):
            problems = found(PLACES[place].replace("GAP", value))
            assert problems or place in WORDS
            assert all(len(diagnostic_text(one)) < 1500 for one in problems)


@pytest.mark.parametrize("value", ["!!bool x", "!!int ''", "!!timestamp x", "2020-13-45", ".nan"])
@pytest.mark.parametrize(("command", "status"), [("check", 1), ("shapes", 2), ("matrix", 2)])
def test_10_odd_values_fail_every_command(
    run: Run, spec: WriteSpec, command: str, status: int, value: str
) -> None:
    options = ("-o", "C.npz") if command == "matrix" else ()
    outcome = run(command, spec(PLACES["per axis"].replace("GAP", value)), *options)
    assert outcome.status == status
    assert re.findall(r"error\[E\d+\]", outcome.out + outcome.err)
    assert "Traceback" not in outcome.err


# --- numbers and words ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("08", 8),
        ("+8", 8),
        ("0x10", 16),
        ("0o10", 8),
        ("3:30", "3:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("y", "y"),
        ("1e3", 1000.0),
        ("1.0", 1.0),
        ("true", True),
        ("2020-12-31", "2020-12-31"),
    ],
)
def test_11_a_plain_value_is_that_of_yaml_1_2(text: str, value: object) -> None:
    found = resolve_plain(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "size"), [("010", 10), ("08", 8), ("0x10", 16), ("0o10", 8), ("+8", 8)]
)
def test_11_a_size_is_read_by_yaml_1_2(spec: WriteSpec, found: Found, text: str, size: int) -> None:
    written = net(f"{RELU}, expect: [1, {text}]", top=f"input: [1, {text}]")
    assert found(written) == ()
    assert load_spec(spec(written)).inputs == (("input", (1, size)),)


NO_INTEGERS = ["3:30", "1_000", "no", "1e3", "true", "3.0", "1.5", "'3'", "~", "0b11", "2020-12-31"]

INTEGERS = {
    "integer": (f"{CONV}, groups: GAP", "groups"),
    "per axis": (f"{CONV}, stride: GAP", "stride"),
    "of an axis": (f"{CONV}, dilation: [1, GAP]", "dilation"),
    "pair": (f"{CONV}, padding: [[0, GAP], [0, 0]]", "padding"),
    "sizes": ("type: reshape, shape: [-1, GAP]", "shape"),
    "expect": (f"{RELU}, expect: [1, GAP]", "expect"),
    "seed": (f"{CONV}, weight: {{fill: ones, seed: GAP}}", "seed"),
}
"""A layer with a gap for every kind of value made of integers, and the key it is of."""


@pytest.mark.parametrize("kind", INTEGERS)
def test_11_what_is_no_integer_of_yaml_1_2_is_refused_with_the_reason(
    found: Found, kind: str
) -> None:
    written, key = INTEGERS[kind]
    for text in NO_INTEGERS:
        with trying(text):
            problem = assert_one(found, net(written.replace("GAP", text)), text)
            assert problem.message == f"{key} takes an integer"
            assert problem.help


@pytest.mark.parametrize("text", [*NO_INTEGERS, "[3:30]"])
def test_11_an_input_takes_integers_alone(found: Found, text: str) -> None:
    assert_one(found, f"input: [1, {text}]\nlayers: [{{type: relu}}]\n", text)


@pytest.mark.parametrize("written", [f"{POOL}, ceil_mode: GAP", f"{CONV}, bias: GAP"])
def test_11_what_is_no_boolean_of_yaml_1_2_is_no_flag(found: Found, written: str) -> None:
    """A bias may be a file as well: of that, a word is the name, which nobody has opened."""
    for text in ("no", "yes", "on", "off", "y", "n", "0", "1", "'true'", "1.0"):
        with trying(text):
            if "bias" in written and text.strip("'").isalpha():
                assert found(net(written.replace("GAP", text))) == ()
            else:
                assert_one(found, net(written.replace("GAP", text)), text)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_11_a_flag_is_true_or_false(found: Found, text: str) -> None:
    assert found(net(f"type: max_pool, kernel_size: 1, ceil_mode: {text}")) == ()


@pytest.mark.parametrize(
    "written",
    [f"{RELU}, name: GAP", f"{RELU}, from: GAP", "type: GAP", f"{CONV}, padding_mode: GAP"],
)
def test_11_a_number_is_no_name_and_no_word(found: Found, written: str) -> None:
    for text in ("010", "3", "1e3", "true", "~", "1.0"):
        with trying(text):
            assert_one(found, net(written.replace("GAP", text)), text)


@pytest.mark.parametrize("text", ["no", "3:30", "1_000", "2020-12-31", "'010'"])
def test_11_what_older_yaml_makes_something_else_of_is_a_name(spec: WriteSpec, text: str) -> None:
    network = load_spec(spec(net(f"type: relu, name: {text}")))
    assert [layer.name for layer in network.layers] == [text.strip("'")]


@pytest.mark.parametrize(
    ("text", "ratio"), [("2", (2, 1)), ("1.5", (3, 2)), ("1e0", (1, 1)), ("6/4", (3, 2))]
)
def test_11_a_ratio_takes_floats(spec: WriteSpec, text: str, ratio: tuple[int, int]) -> None:
    definition: Any = (
        load_spec(spec(net(f"type: upsample, scale_factor: {text}"))).layers[0].definition
    )
    assert definition.scale_factor == Ratio(numerator=ratio[0], denominator=ratio[1])


@pytest.mark.parametrize("text", ["3:30", "1_000", "no", "true", "'2'", ".nan", "1/2/3"])
def test_11_what_is_no_number_of_yaml_1_2_is_no_ratio(found: Found, text: str) -> None:
    code = "E107" if text == ".nan" else "E103"
    assert_found(found, net(f"type: upsample, scale_factor: {text}"), (code, 3, text))
