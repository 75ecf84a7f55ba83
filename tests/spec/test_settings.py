"""Values set on the command line: which are changed, on what, and where a message points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convt_cli import load_spec
from convt_cli.errors import RequestError
from tests.commands.test_main import ARGUMENTS
from tests.conftest import GUIDE, Run, WriteSpec, assert_refused

NET = """
    input: [1, 9, 9]
    defaults: {conv: {padding: 1}}
    layers:
      - {name: a.b, type: conv, out_channels: 2, kernel_size: 3}
      - {type: relu}
      - {type: conv, out_channels: 4, kernel_size: 3}
    """
EXPRESSION = "nn.Conv2d(1, 2, 3); nn.ReLU(); nn.Conv2d(2, 4, 3)"


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        (["a.b.stride=2"], ("{name: a.b,", "{name: a.b, stride: 2,")),
        (["conv2.out_channels=7"], ("out_channels: 4", "out_channels: 7")),
        (["input=[1, 12, 7]"], ("[1, 9, 9]", "[1, 12, 7]")),
        (["framework=keras"], ("input:", "framework: keras\n    input:")),
        (["defaults.conv.padding=[[0, 2], [1, 1]]"], ("padding: 1", "padding: [[0, 2], [1, 1]]")),
        (["defaults.conv={}"], ("{padding: 1}", "{}")),
        (["relu1.type=gelu"], ("type: relu", "type: gelu")),
        (["a.b.name=x", "a.b.name=y"], ("a.b", "y")),
    ],
)
def test_a_value_is_as_if_it_were_written(
    spec: WriteSpec, settings: list[str], written: tuple[str, str]
) -> None:
    expected = load_spec(spec(NET.replace(*written), "written.yaml"))
    found = load_spec(spec(NET), settings=settings)
    assert [(one.name, one.definition, one.output) for one in found.layers] == [
        (one.name, one.definition, one.output) for one in expected.layers
    ]
    assert found.framework == expected.framework


@pytest.mark.parametrize(
    ("setting", "output"),
    [
        ("conv1.stride=2", [4, 2, 2]),
        ("conv2.padding=1", [4, 7, 7]),
        ("defaults.relu={}", [4, 5, 5]),
        ("framework=keras", [4, 5, 5]),
    ],
)
def test_an_expression_takes_them(setting: str, output: list[int]) -> None:
    network = load_spec(EXPRESSION, input={"": (1, 9, 9)}, settings=[setting])
    assert list(network.output) == output


BAD = [
    # setting, code, the caret's text, what is said
    ("a.b.stride=0", "E107", "0", "got 0"),
    ("a.b.strid=2", "E101", "strid", "did you mean 'stride'"),
    ("a.c.stride=2", "E108", "a.c", "did you mean 'a.b'"),
    ("frameworc=keras", "E101", "frameworc", "did you mean 'framework'"),
    ("framework=kera", "E104", "kera", "did you mean 'keras'"),
    ("relu1.type=gel", "E104", "gel", "did you mean 'gelu'"),
    ("defaults.con.stride=2", "E104", "", "did you mean 'conv'"),
    ("a.b.padding=[1, x]", "E103", "x", "got 'x'"),
    ("a.b.padding={a: 1, a: 2}", "E005", "a", "stands"),
    ("a.b.padding=&x 1", "E003", "", "anchors"),
    ("a.b.kernel_size=20", "E110", "20", "a window of 20"),
    ("a.b.kernel_size=", "E103", "", "got nothing"),
    ("a.b.kernel_size=[1", "E002", "", "not well-formed"),
    ("a.b.kernel_size=a\x07", "E001", "", "printable"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[0])
def test_a_problem_points_into_the_option(
    run: Run, spec: WriteSpec, bad: tuple[str, str, str, str]
) -> None:
    setting, code, caret, said = bad
    outcome = run("shapes", spec(NET), "--set", setting, "--format", "json")
    assert code in outcome.codes, outcome.err
    lines = outcome.err.splitlines()
    first = next(number for number, line in enumerate(lines) if f"error[{code}]" in line)
    assert lines[first].startswith("net.yaml: error")
    assert lines[first + 2].startswith(" | --set ")
    at, width = lines[first + 3].index("^"), lines[first + 3].count("^")
    if caret:
        assert lines[first + 2][at : at + width] == caret
    assert said in outcome.err
    (problem, *_) = (one for one in outcome.document["problems"] if one["code"] == code)
    assert (problem["spec"], problem["line"], problem["column"]) == ("net.yaml", None, None)


@pytest.mark.parametrize("command", [name for name in ARGUMENTS if name != "explain"])
def test_every_command_that_takes_a_spec_takes_them(
    run: Run, spec: WriteSpec, command: str
) -> None:
    spec(GUIDE)
    for name in ("x.csv", "image.csv"):
        Path(name).write_text("1,2\n3,4\n", encoding="utf-8")
    outcome = run(command, *ARGUMENTS[command], "--set", "conv2.stride=1")
    assert "error[E108]: a setting names a layer" in outcome.err + outcome.out


@pytest.mark.parametrize(
    "arguments", [(), ("--type", "conv", "--input-size", "4", "--kernel-size", "3")]
)
def test_without_a_spec_there_is_nothing_to_set(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run("table", *arguments, "--set", "conv1.stride=2")
    assert (outcome.status, outcome.out) == (2, "")
    assert "--set" in outcome.err


@pytest.mark.parametrize("setting", ["stride", "", "=2", "conv1.=2"])
def test_what_is_no_setting_is_refused(run: Run, spec: WriteSpec, setting: str) -> None:
    assert_refused(run("shapes", spec(NET), "--set", setting), "E503")


class TestModels:
    @pytest.fixture
    def model(self, folder: Any) -> str:
        onnx = pytest.importorskip("onnx")
        make, floats = onnx.helper, onnx.TensorProto.FLOAT
        weight = make.make_tensor("w", floats, (2, 1, 3, 3), [1.0] * 18)
        graph = make.make_graph(
            [make.make_node("Conv", ["x", "w"], ["y"], "block.conv")],
            "net",
            [make.make_tensor_value_info("x", floats, (1, 1, 9, 9))],
            [make.make_tensor_value_info("y", floats, None)],
            [weight],
        )
        opsets = [make.make_opsetid("", 17)]
        model = make.make_model(graph, opset_imports=opsets, ir_version=8)
        (folder / "m.onnx").write_bytes(model.SerializeToString())
        return "m.onnx"

    def test_takes_keys_of_layers_and_a_framework(self, model: str) -> None:
        settings = ["block.conv.stride=2", "framework=pytorch"]
        network = load_spec(model, settings=settings)
        assert (network.output, network.framework) == ((2, 4, 4), "pytorch")
        assert network["block.conv"].weight().shape == (2, 1, 3, 3)

    @pytest.mark.parametrize(
        ("setting", "code"),
        [
            ("block.conv.strid=2", "E101"),
            ("block.conv.stride=0", "E107"),
            ("block.conv.kernel_size=20", "E110"),
            ("block.con.stride=2", "E108"),
            ("block.conv.from=x", "E101"),
            ("input=[1, 9, 9]", "E101"),
        ],
    )
    def test_says_what_is_wrong(self, run: Run, model: str, setting: str, code: str) -> None:
        outcome = run("shapes", model, "--set", setting)
        assert_refused(outcome, code)
        assert f" | --set {setting}\n" in outcome.err


def test_load_spec_refuses_what_is_no_setting(spec: WriteSpec) -> None:
    with pytest.raises(RequestError, match="a setting is LAYER"):
        load_spec(spec(NET), settings=["stride"])
