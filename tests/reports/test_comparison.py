"""The report of `compare`: words in its tables, and its document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.questions.comparison import compared_layers, readings
from convt_cli.reports.comparison import Compared, comparison_report
from convt_cli.reports.table import Report, Table
from convt_cli.spec.load import load_spec

STRIDED_SAME = """
framework: keras
input: [3, 224, 224]
layers:
  - {type: conv, out_channels: 64, kernel_size: 7, stride: 2, padding: same}
"""
TRANSPOSED_SAME = """
framework: tensorflow
input: [1, 3]
layers:
  - {type: conv_transpose, out_channels: 1, kernel_size: 3, stride: 2, padding: same, bias: false}
"""
STRETCHED = """
input: [1, 5, 5]
layers:
  - {type: conv_transpose, out_channels: 1, kernel_size: [4, 3], padding: [[1, 2], [1, 1]]}
"""


def report_of(folder: Path, text: str) -> Report:
    """The report on a spec, with all frameworks."""
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    network = load_spec(str(path))
    others = [one for one in FRAMEWORKS.values() if one.name != network.framework]
    layers = [
        Compared(network=network, layer=layer, readings=readings(layer, network.rules, others))
        for layer in compared_layers(network)
    ]
    return comparison_report(layers, [])


def words(table: Table) -> dict[str, object]:
    """The last column by framework."""
    return {str(row[1]): row[-1] for row in table.rows}


def entries(report: Report) -> dict[str, Any]:
    """The document's entries of the only layer, by framework."""
    (layer,) = report.document["layers"]  # type: ignore[misc]
    return {one["framework"]: one for one in layer["frameworks"]}  # type: ignore[has-type]


class TestTable:
    def test_says_who_agrees_and_who_refuses(self, tmp_path: Path) -> None:
        (table,) = report_of(tmp_path, STRIDED_SAME).tables
        assert words(table) == {
            "keras": "as written",
            "pytorch": "refused",
            "tensorflow": "equal",
            "onnx": "equal",
            "jax": "equal",
            "caffe": "refused",
        }
        assert table.rows[0][2:4] == ((64, 112, 112), "(2,3) (2,3)")

    def test_says_what_the_usual_padding_would_do(self, tmp_path: Path) -> None:
        (table,) = report_of(tmp_path, STRIDED_SAME).tables
        assert table.notes[0] == (
            "The usual padding=3 of pytorch and caffe gives the same size, "
            "but values shifted by -1."
        )

    def test_output_padding_is_part_of_what_is_usual(self, tmp_path: Path) -> None:
        (table,) = report_of(tmp_path, TRANSPOSED_SAME).tables
        assert table.notes[0] == (
            "The usual padding=1, output_padding=1 of pytorch gives the same size, "
            "but values shifted by -1."
        )

    def test_a_shift_is_told_per_axis_and_explained(self, tmp_path: Path) -> None:
        (table,) = report_of(tmp_path, STRETCHED).tables
        assert words(table)["jax"] == "shifted by (-1, 0), flipped"
        assert table.notes[0].startswith("Shifted by +1: its output begins one element further on")

    def test_a_kernel_that_must_be_flipped_is_noted(self, tmp_path: Path) -> None:
        (table,) = report_of(tmp_path, TRANSPOSED_SAME).tables
        assert words(table)["jax"] == "equal, flipped"
        assert any("transpose_kernel=True" in note for note in table.notes)

    def test_every_rule_that_refuses_is_told(self, tmp_path: Path) -> None:
        (table,) = report_of(tmp_path, STRIDED_SAME).tables
        refusals = [note for note in table.notes if " refuses it: " in note]
        assert [note.partition(" ")[0] for note in refusals] == ["pytorch", "caffe"]
        assert "needs stride 1" in refusals[0]

    def test_another_size_and_another_divisor_are_no_shift(self, tmp_path: Path) -> None:
        text = """
framework: tensorflow
input: [1, 6, 6]
layers:
  - {type: conv_transpose, out_channels: 1, kernel_size: 1, stride: 2}
  - {type: avg_pool, kernel_size: 3, stride: 2, padding: same}
"""
        transposed, pool = report_of(tmp_path, text).tables
        assert words(transposed)["pytorch"] == "other size"
        assert words(pool)["jax"] == "other divisor"


class TestDocument:
    def test_every_framework_has_these_keys(self, tmp_path: Path) -> None:
        for entry in entries(report_of(tmp_path, STRIDED_SAME)).values():
            assert list(entry) == [
                *("framework", "accepted", "error", "output", "padding", "output_padding"),
                *("shift", "equal", "code", "condition", "note", "dissent"),
            ]

    def test_of_one_that_refuses_has_the_rule_and_nothing_else(self, tmp_path: Path) -> None:
        entry = entries(report_of(tmp_path, STRIDED_SAME))["pytorch"]
        assert entry["error"] == "padding 'same' needs stride 1 in pytorch: got stride 2"
        assert not entry["accepted"]
        assert {entry[key] for key in ("output", "padding", "output_padding", "shift")} == {None}

    def test_of_a_transposed_layer_has_output_padding(self, tmp_path: Path) -> None:
        entry = entries(report_of(tmp_path, TRANSPOSED_SAME))["tensorflow"]
        assert (entry["padding"], entry["output_padding"]) == ([(0, 1)], [0])

    def test_equality_takes_the_same_kernel(self, tmp_path: Path) -> None:
        found = entries(report_of(tmp_path, TRANSPOSED_SAME))
        assert (found["keras"]["shift"], found["keras"]["equal"]) == ((0,), True)
        assert (found["jax"]["shift"], found["jax"]["equal"]) == ((0,), False)
        assert found["jax"]["note"] == "the kernel must be flipped: transpose_kernel=True"

    def test_the_symmetric_padding_stands_beside_its_shift(self, tmp_path: Path) -> None:
        (layer,) = report_of(tmp_path, STRIDED_SAME).document["layers"]  # type: ignore[misc]
        assert layer["symmetric"] == {  # type: ignore[has-type]
            "padding": (3, 3),
            "output_padding": None,
            "shift": (-1, -1),
        }


LINES = {
    STRIDED_SAME: {
        "keras": "keras.layers.Conv2D(64, 7, strides=2, padding='same')(x)",
        "pytorch": "nn.Conv2d(3, 64, 7, stride=2)(F.pad(x, (2, 3, 2, 3)))",
        "tensorflow": "tf.nn.conv2d(x, w, strides=[2, 2], padding='SAME') + b",
        "onnx": "helper.make_node('Conv', ['x', 'w', 'b'], ['y'], kernel_shape=[7, 7], "
        "strides=[2, 2], pads=[2, 2, 3, 3])",
        "jax": "lax.conv_general_dilated(x, w, (2, 2), [(2, 3), (2, 3)], "
        "dimension_numbers=('NHWC', 'HWIO', 'NHWC')) + b",
    },
    TRANSPOSED_SAME: {
        "keras": "keras.layers.Conv1DTranspose(1, 3, strides=2, padding='same', use_bias=False)(x)",
        "pytorch": "F.pad(nn.ConvTranspose1d(1, 1, 3, stride=2, bias=False)(x), (0, -1))",
        "tensorflow": "tf.nn.conv_transpose(x, w, [x.shape[0], x.shape[1] * 2, 1], "
        "strides=[2], padding='SAME')",
        "onnx": "helper.make_node('ConvTranspose', ['x', 'w'], ['y'], kernel_shape=[3], "
        "strides=[2], pads=[0, 1])",
        "jax": "lax.conv_transpose(x, w, (2,), [(2, 1)], transpose_kernel=True)",
        "caffe": 'layer { type: "Deconvolution" bottom: "x" top: "whole" convolution_param '
        "{ num_output: 1 kernel_size: 3 stride: 2 bias_term: false } } "
        'layer { type: "DummyData" top: "size" dummy_data_param { shape { dim: 1 dim: 1 dim: 6 } '
        '} } layer { type: "Crop" bottom: "whole" bottom: "size" top: "y" crop_param '
        "{ axis: 2 offset: 0 } }",
    },
}


@pytest.mark.parametrize(
    ("text", "framework"), [(text, name) for text, lines in LINES.items() for name in lines]
)
def test_lines_of_code(tmp_path: Path, text: str, framework: str) -> None:
    assert entries(report_of(tmp_path, text))[framework]["code"] == LINES[text][framework]


@pytest.mark.parametrize(
    ("layer", "parameters"),
    [
        (
            "{type: conv, out_channels: 2, kernel_size: [3, 5], stride: [1, 2], padding: half}",
            "convolution_param { num_output: 2 kernel_size: 3 kernel_size: 5 stride: 1 stride: 2 "
            + "pad: 1 pad: 2 }",
        ),
        (
            "{type: conv_transpose, out_channels: 2, kernel_size: 4, stride: 2, padding: 1}",
            "convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 }",
        ),
        (
            "{type: max_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true}",
            "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 }",
        ),
        (
            "{type: avg_pool, kernel_size: [2, 3], stride: 1}",
            "pooling_param { pool: AVE kernel_h: 2 kernel_w: 3 stride: 1 }",
        ),
        ("{type: max_pool, kernel_size: 2, stride: 2, dilation: 2}", None),
        (
            "{type: max_pool, kernel_size: 3, stride: 2}",
            "pooling_param { pool: MAX kernel_size: 3 stride: 2 round_mode: FLOOR }",
        ),
        ("{type: avg_pool, kernel_size: 3, padding: 1, count_include_pad: false}", None),
        ("{type: conv_transpose, out_channels: 2, kernel_size: 3, stride: 2, output_padding: 1}",
         None),
        ("{type: conv, out_channels: 2, kernel_size: 3, padding: 1, padding_mode: circular}", None),
    ],
)  # fmt: skip
def test_lines_of_caffe(tmp_path: Path, layer: str, parameters: str | None) -> None:
    text = f"input: [2, 8, 8]\nlayers:\n  - {layer}\n"
    line = entries(report_of(tmp_path, text))["caffe"]["code"]
    assert (line is None) == (parameters is None), line
    assert parameters is None or (parameters in line and "Crop" not in line)


UP = "type: conv_transpose, out_channels: 2, kernel_size: 3"
CASES: list[tuple[str, str, dict[str, str | None]]] = [
    ("pytorch", f"{UP}, stride: 2, output_padding: 1", {
        "keras": "keras.layers.Conv1DTranspose(2, 3, strides=2, padding='valid', "
        + "output_padding=1)(x)",
        "pytorch": "nn.ConvTranspose1d(2, 2, 3, stride=2, output_padding=1)(x)",
    }),
    ("pytorch", f"{UP}, stride: 2, padding: 2", {
        "keras": "keras.layers.Cropping1D((2, 2))("
        + "keras.layers.Conv1DTranspose(2, 3, strides=2, padding='valid')(x))",
        "tensorflow": "tf.nn.conv_transpose(x, w, [x.shape[0], x.shape[1] * 2 + 1, 2], "
        + "strides=[2], padding='VALID')[:, 2:-2, :] + b",
    }),
    ("jax", f"{UP}, padding: [[4, 2]], bias: false", {
        "pytorch": "F.pad(nn.ConvTranspose1d(2, 2, 3, bias=False)(x), (2, 0))",
        "keras": "keras.layers.ZeroPadding1D((2, 0))("
        + "keras.layers.Conv1DTranspose(2, 3, padding='valid', use_bias=False)(x))",
        "tensorflow": "tf.pad(tf.nn.conv_transpose(x, w, [x.shape[0], x.shape[1] + 2, 2], "
        + "strides=[1], padding='VALID'), [[0, 0], [2, 0], [0, 0]])",
        "onnx": "[helper.make_node('ConvTranspose', ['x', 'w'], ['whole'], kernel_shape=[3]), "
        + "helper.make_node('Constant', [], ['pads'], value_ints=[0, 0, 2, 0, 0, 0]), "
        + "helper.make_node('Pad', ['whole', 'pads'], ['y'])]",
    }),
    ("jax", f"{UP}, padding: [[4, 2]]", {
        "pytorch": "F.pad(nn.ConvTranspose1d(2, 2, 3, bias=False)(x), (2, 0)) + b[:, None]",
        "keras": "keras.layers.ZeroPadding1D((2, 0))("
        + "keras.layers.Conv1DTranspose(2, 3, padding='valid', use_bias=False)(x)) + b",
    }),
    ("onnx", "type: conv_transpose, out_channels: 2, kernel_size: 2, stride: 2, "
        + "padding: same_lower, output_padding: 1", {
        "pytorch": "F.pad(nn.ConvTranspose1d(2, 2, 2, stride=2, output_padding=1)(x), (-1, 0))",
    }),
    ("jax", f"{UP}, padding: valid", {"jax": "lax.conv_transpose(x, w, (1,), [(2, 2)]) + b"}),
    ("keras", f"{UP}, stride: 2, padding: same, output_padding: 0", {
        "keras": "keras.layers.Conv1DTranspose(2, 3, strides=2, padding='same', "
        + "output_padding=0)(x)",
    }),
    ("keras", f"{UP}, stride: 3, padding: same, output_padding: 1", {
        "keras": "keras.layers.Conv1DTranspose(2, 3, strides=3, padding='same', "
        + "output_padding=1)(x)",
    }),
    ("keras", "type: conv, out_channels: 2, kernel_size: 5, stride: 2, padding: same", {
        "caffe": 'layer { type: "Convolution" bottom: "x" top: "whole" convolution_param '
        + "{ num_output: 2 kernel_size: 5 stride: 2 pad: 3 } } "
        + 'layer { type: "DummyData" top: "size" dummy_data_param { shape { dim: 1 dim: 1 dim: 4 '
        + '} } } layer { type: "Crop" bottom: "whole" bottom: "size" top: "y" crop_param '
        + "{ axis: 2 offset: 1 } }",
    }),
    ("pytorch", f"{UP}, groups: 2", {
        "keras": None,
        "jax": "jnp.concatenate([lax.conv_transpose(a, k, (1,), [(2, 2)], transpose_kernel=True) "
        + "for a, k in zip(jnp.split(x, 2, -1), jnp.split(w, 2, -1))], -1) + b",
    }),
    ("pytorch", "type: conv, out_channels: 2, kernel_size: 3, padding: causal", {
        "keras": "keras.layers.Conv1D(2, 3, padding='valid')("
        + "keras.layers.ZeroPadding1D((2, 0))(x))",
        "tensorflow": "tf.nn.convolution(tf.pad(x, [[0, 0], [2, 0], [0, 0]]), w, strides=[1], "
        + "padding='VALID') + b",
    }),
    ("pytorch", "type: conv, out_channels: 2, kernel_size: 3, stride: 2, dilation: 2", {
        "keras": "keras.layers.Conv1D(2, 3, padding='valid', dilation_rate=2)(x)[:, ::2, :]",
        "tensorflow": "tf.nn.convolution(x, w, strides=[1], padding='VALID', dilations=[2])"
        + "[:, ::2, :] + b",
    }),
    ("pytorch", f"{UP}, stride: 2, dilation: 2", {"keras": None}),
    ("pytorch", "type: conv, out_channels: 2, kernel_size: 3, padding: 1, padding_mode: reflect", {
        "keras": "keras.layers.Conv1D(2, 3, padding='valid')("
        + "keras.ops.pad(x, [[0, 0], [1, 1], [0, 0]], mode='reflect'))",
        "tensorflow": "tf.nn.convolution(tf.pad(x, [[0, 0], [1, 1], [0, 0]], mode='REFLECT'), w, "
        + "strides=[1], padding='VALID') + b",
        "jax": "lax.conv_general_dilated(jnp.pad(x, [(0, 0), (1, 1), (0, 0)], mode='reflect'), w, "
        + "(1,), [(0, 0)], dimension_numbers=('NWC', 'WIO', 'NWC')) + b",
        "caffe": None,
    }),
    ("jax", "type: max_pool, kernel_size: 3, stride: 2, padding: [[0, 1]]", {
        "keras": "keras.layers.MaxPooling1D(3, strides=2, padding='same')(x)",
        "tensorflow": "tf.nn.max_pool(x, [3], strides=[2], padding='SAME')",
        "pytorch": "nn.MaxPool1d(3, stride=2, ceil_mode=True)(x)",
    }),
    ("jax", "type: max_pool, kernel_size: 2, stride: 1, padding: [[2, 2]]", {
        "pytorch": "nn.MaxPool1d(2, stride=1)(F.pad(x, (2, 2), value=float('-inf')))",
        "keras": "keras.layers.MaxPooling1D(2, strides=1, padding='valid')(keras.ops.pad(x, "
        + "[[0, 0], [2, 2], [0, 0]], constant_values=float('-inf')))",
        "onnx": "[helper.make_node('Constant', [], ['pads'], value_ints=[0, 0, 2, 0, 0, 2]), "
        + "helper.make_node('Constant', [], ['value'], value_float=float('-inf')), "
        + "helper.make_node('Pad', ['x', 'pads', 'value'], ['padded']), "
        + "helper.make_node('MaxPool', ['padded'], ['y'], kernel_shape=[2])]",
    }),
    ("pytorch", "type: max_pool, kernel_size: 3, stride: 1, dilation: 2", {
        "keras": None,
        "tensorflow": "tf.nn.pool(x, [3], 'MAX', strides=[1], padding='VALID', dilations=[2])",
        "jax": "lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 1), (1, 1, 1), "
        + "[(0, 0), (0, 0), (0, 0)], window_dilation=(1, 2, 1))",
    }),
    ("pytorch", "type: max_pool, kernel_size: 2, dilation: 3", {
        "tensorflow": "tf.nn.pool(x, [2], 'MAX', strides=[1], padding='VALID', dilations=[3])"
        + "[:, ::2, :]",
    }),
    ("pytorch", "type: avg_pool, kernel_size: 3, stride: 2, padding: 1", {
        "pytorch": "nn.AvgPool1d(3, stride=2, padding=1)(x)",
        "keras": "keras.layers.AveragePooling1D(3, strides=2, padding='valid')("
        + "keras.layers.ZeroPadding1D((1, 1))(x))",
        "onnx": "helper.make_node('AveragePool', ['x'], ['y'], kernel_shape=[3], strides=[2], "
        + "pads=[1, 1], count_include_pad=1)",
        "jax": "lax.reduce_window(x, 0.0, lax.add, (1, 3, 1), (1, 2, 1), "
        + "[(0, 0), (1, 1), (0, 0)]) / 3",
    }),
    ("pytorch", "type: avg_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true", {
        "pytorch": "nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True)(x)",
        "tensorflow": "tf.nn.avg_pool(tf.pad(x, [[0, 0], [1, 2], [0, 0]]), [3], strides=[2], "
        + "padding='VALID') / tf.nn.avg_pool(tf.pad(tf.pad(tf.ones_like(x), "
        + "[[0, 0], [1, 1], [0, 0]], constant_values=1), [[0, 0], [0, 1], [0, 0]]), [3], "
        + "strides=[2], padding='VALID')",
        "onnx": "helper.make_node('AveragePool', ['x'], ['y'], kernel_shape=[3], strides=[2], "
        + "pads=[1, 1], ceil_mode=1, count_include_pad=1)",
    }),
    ("keras", "type: avg_pool, kernel_size: 3, stride: 2, padding: same", {
        "pytorch": "nn.AvgPool1d(3, stride=2, ceil_mode=True)(x)",
        "tensorflow": "tf.nn.avg_pool(x, [3], strides=[2], padding='SAME')",
    }),
    ("onnx", "type: avg_pool, kernel_size: 3, stride: 2, padding: [[2, 1]]", {
        "pytorch": "nn.AvgPool1d(3, stride=2)(F.pad(x, (2, 1))) / "
        + "nn.AvgPool1d(3, stride=2)(F.pad(torch.ones_like(x), (2, 1)))",
    }),
    ("onnx", "type: avg_pool, kernel_size: 3, dilation: 2", {
        "pytorch": "F.conv1d(x, x.new_ones(2, 1, 3), stride=3, dilation=2, groups=2) / 3",
        "keras": None,
    }),
]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "layer", "framework", "line"),
    [(own, layer, name, line) for own, layer, lines in CASES for name, line in lines.items()],
)
def test_lines_around_an_operator(
    tmp_path: Path, own: str, layer: str, framework: str, line: str | None
) -> None:
    text = f"framework: {own}\ninput: [2, 8]\nlayers:\n  - {{{layer}}}\n"
    assert entries(report_of(tmp_path, text))[framework]["code"] == line
