"""The schema of `.tflite` files, version 3: the numbers of operators, types and options.

The fields of tables that every model has are named where they are read.
"""

from __future__ import annotations

from typing import NamedTuple

IDENTIFIER = b"TFL3"
"""The letters at byte 4 of every file of this version."""


class Option(NamedTuple):
    """A field of an operator's options: its number, and the kind of number that it holds.

    `form` is the letter that `struct` has for the kind, and with `is_list` there are several.
    """

    field: int
    form: str = "i"
    default: int | float = 0
    is_list: bool = False


Options = dict[str, Option]

_ACTIVATED = {"activation": Option(0, "b")}
_REDUCTION = {"keep_dims": Option(0, "B")}
_STACK = {"axis": Option(1)}
_BLOCKS = {"block_size": Option(0)}
_CONV = {
    "padding": Option(0, "b"),
    "stride_w": Option(1),
    "stride_h": Option(2),
    "activation": Option(3, "b"),
    "dilation_w": Option(4, default=1),
    "dilation_h": Option(5, default=1),
}
_DEPTHWISE_CONV = {
    "padding": Option(0, "b"),
    "stride_w": Option(1),
    "stride_h": Option(2),
    "activation": Option(4, "b"),
    "dilation_w": Option(5, default=1),
    "dilation_h": Option(6, default=1),
}
_CONV_3D = {
    "padding": Option(0, "b"),
    "stride_d": Option(1),
    "stride_w": Option(2),
    "stride_h": Option(3),
    "activation": Option(4, "b"),
    "dilation_d": Option(5, default=1),
    "dilation_w": Option(6, default=1),
    "dilation_h": Option(7, default=1),
}
_POOL = {
    "padding": Option(0, "b"),
    "stride_w": Option(1),
    "stride_h": Option(2),
    "filter_w": Option(3),
    "filter_h": Option(4),
    "activation": Option(5, "b"),
}
_MATRIX = {
    "activation": Option(0, "b"),
    "weights_format": Option(1, "b"),
    "keep_num_dims": Option(2, "B"),
}
_STRIDED_SLICE = {
    "begin_mask": Option(0),
    "end_mask": Option(1),
    "ellipsis_mask": Option(2),
    "new_axis_mask": Option(3),
    "shrink_axis_mask": Option(4),
    "offset": Option(5, "B"),
}
_RESPONSE = {
    "radius": Option(0),
    "bias": Option(1, "f"),
    "alpha": Option(2, "f"),
    "beta": Option(3, "f"),
}

OPTIONS: dict[str, Options] = {
    "CONV_2D": _CONV,
    "DEPTHWISE_CONV_2D": _DEPTHWISE_CONV,
    **dict.fromkeys(("CONV_3D", "CONV_3D_TRANSPOSE"), _CONV_3D),
    "TRANSPOSE_CONV": {
        "padding": Option(0, "b"),
        "stride_w": Option(1),
        "stride_h": Option(2),
        "activation": Option(3, "b"),
    },
    "FULLY_CONNECTED": _MATRIX,
    "BATCH_MATMUL": {"adj_x": Option(0, "B"), "adj_y": Option(1, "B")},
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _POOL),
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV"), _ACTIVATED),
    "CONCATENATION": {"axis": Option(0), "activation": Option(1, "b")},
    "SOFTMAX": {"beta": Option(0, "f")},
    "LEAKY_RELU": {"alpha": Option(0, "f")},
    "GELU": {"approximate": Option(0, "B")},
    "LOCAL_RESPONSE_NORMALIZATION": _RESPONSE,
    "RESHAPE": {"new_shape": Option(0, is_list=True)},
    "SQUEEZE": {"squeeze_dims": Option(0, is_list=True)},
    "RESIZE_BILINEAR": {"align_corners": Option(2, "B"), "half_pixel_centers": Option(3, "B")},
    "RESIZE_NEAREST_NEIGHBOR": {
        "align_corners": Option(0, "B"),
        "half_pixel_centers": Option(1, "B"),
    },
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), _REDUCTION),
    "STRIDED_SLICE": _STRIDED_SLICE,
    "GATHER": {"axis": Option(0), "batch_dims": Option(1)},
    **dict.fromkeys(("PACK", "UNPACK"), _STACK),
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), _BLOCKS),
    "MIRROR_PAD": {"mode": Option(0, "b")},
    "IF": {"then_graph": Option(0), "else_graph": Option(1)},
    "WHILE": {"condition_graph": Option(0), "body_graph": Option(1)},
    "CALL_ONCE": {"graph": Option(0)},
}
"""The options that are read, by the operator's name; those that hold a graph end in `graph`."""

_TYPES = {
    0: "f",
    1: "e",
    2: "i",
    3: "B",
    4: "q",
    6: "?",
    7: "h",
    9: "b",
    10: "d",
    12: "Q",
    15: "I",
    16: "H",
}
"""By the number of a type, the letter that `struct` and NumPy have for it."""


def form_of(number: int) -> str:
    """The letter that `struct` and NumPy have for the type of this number; "" for none."""
    return _TYPES.get(number, "")


BFLOAT16, INT4 = 18, 17
"""The numbers of types that are widened before they can be used: bfloat16, and 4 bits each."""

_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM
CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR
RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY
STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL
STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL
STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER
STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE
STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL
STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE
DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT
STABLEHLO_CBRT STABLEHLO_CASE
"""

OPERATORS = tuple(_NAMES.split())
"""The names of operators, in the order of their numbers."""
