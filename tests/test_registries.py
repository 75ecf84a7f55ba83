"""What must agree: where a table, a page or a test has to know all that another table knows.

Each failure names what is missing and the place that wants it, so that whoever adds a framework,
a layer type, a format, a kernel, a command or an operator is led from one place to the next.
`CONTRIBUTING.md` says in which order.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Collection
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from scipy.io import mmread
from scipy.sparse import load_npz

from convt_cli.analysis.backward.layers import STEPS
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import COMPARED
from convt_cli.commands.main import COMMANDS, group
from convt_cli.commands.options import GRAPH_FORMATS, SUFFIXES, TABLE_FORMATS
from convt_cli.errors import GeometryError, SpecError
from convt_cli.files.array_formats import ARRAY_FORMATS
from convt_cli.files.arrays import read_array, write_array
from convt_cli.files.matrix_formats import MATRIX_FORMATS
from convt_cli.files.weight_formats import WEIGHT_FORMATS
from convt_cli.models.onnx import operators
from convt_cli.models.onnx.operators import OPERATORS, preserving
from convt_cli.operators import kernels
from convt_cli.operators.kernels import KERNELS
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.render.formats import RENDERERS
from convt_cli.render.graphs import GRAPH_RENDERERS
from convt_cli.reports.code_lines import WRITERS, layer_line
from tests.analysis.backward import test_layers as steps
from tests.arithmetic.dialects.test_dialects import RECORDS
from tests.commands.test_warnings import COMMANDS as WARNED
from tests.conftest import GUIDE, PACKAGE, Run, WriteSpec
from tests.dialects import TRUTH
from tests.faults.outputs import FILES, commands_tested
from tests.layers import PRICED
from tests.models.onnx.test_convert import graph_of, layers_of, node, weight

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

WRITTEN = [param.values[0] for param in FILES]
"""The commands that the tests of faults write files with."""


def assert_lists(listed: Collection[str], known: Collection[str], place: str) -> None:
    """`place` lists everything that is known, and nothing else."""
    missing = [name for name in known if name not in listed]
    assert not missing, f"add {', '.join(missing)} to {place}"
    unknown = [name for name in listed if name not in known]
    assert not unknown, f"take {', '.join(unknown)} out of {place}: convt has none"


def options_called(name: str) -> dict[str, click.Option]:
    """The option of this name of every command that has it."""
    found = {}
    for command in COMMANDS:
        for parameter in command_of(command).params:
            if isinstance(parameter, click.Option) and parameter.name == name:
                found[command] = parameter
    return found


def command_of(name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


# ------------------------------------------------------------------------------- frameworks


class TestFrameworks:
    def test_each_has_a_column_in_the_readmes_table_of_dialects(self) -> None:
        (head,) = re.findall(r"^\| \| (pytorch \|.*) \|$", README, re.MULTILINE)
        assert_lists(head.split(" | "), FRAMEWORKS, "the columns under `### Dialects` in README.md")

    def test_each_is_named_where_the_readme_shows_a_spec(self) -> None:
        (names,) = re.findall(r"^framework: \w+ +# optional: (.*)$", README, re.MULTILINE)
        listed = re.split(", | or ", names)
        assert_lists(
            listed, FRAMEWORKS, "the comment on `framework:` under `## The spec` in README"
        )

    def test_each_has_a_writer_of_code_lines(self) -> None:
        assert_lists(WRITERS, FRAMEWORKS, "reports.code_lines.WRITERS, for `convt compare`")

    def test_each_has_a_tool_that_says_the_truth(self) -> None:
        assert_lists(TRUTH, FRAMEWORKS, "TRUTH in tests/dialects.py")

    def test_each_has_cases_with_recorded_answers(self) -> None:
        recorded = {record["framework"] for record in RECORDS}
        place = "tests/data/dialects.jsonl.gz, which `python -m tests.peers.make_cases` writes"
        assert_lists(recorded, FRAMEWORKS, place)

    def test_each_can_be_asked_for_on_the_command_line(self) -> None:
        choosing = options_called("framework")
        assert choosing, "no command has --framework any more"
        for command, option in choosing.items():
            assert isinstance(option.type, click.Choice)
            assert_lists(option.type.choices, FRAMEWORKS, f"--framework of convt {command}")
        compared = command_of("compare").params
        (others,) = [one.default for one in compared if one.name == "others"]
        assert_lists(str(others).split(","), FRAMEWORKS, "--with of convt compare")


# ------------------------------------------------------------------------------- layer types

NOT_IMPORTED = {
    "adaptive_max_pool": "ONNX has no such operator",
    "adaptive_avg_pool": "ONNX has no such operator",
    "silu": "ONNX writes it as a Sigmoid and a Mul; its Swish has an alpha",
}
"""The layer types that `convt import` never writes, and why."""

NOT_COMPARED = {
    "frameworks have other numbers where it has none, which the README's table of dialects tells": (
        *("leaky_relu", "elu", "gelu", "hard_sigmoid", "hard_swish", "softmax", "log_softmax"),
        "lrn",
    ),
    "sizes and numbers follow from the source alone": (
        *("global_max_pool", "global_avg_pool", "flatten", "add", "mul"),
        *(
            "function",
            "power",
            "relu",
            "clip",
            "silu",
            "mish",
            "softplus",
            "selu",
            "sigmoid",
            "tanh",
        ),
        *("function", "power", "dropout", "identity"),
    ),
    "the spec writes its sizes out": (
        *("linear", "reshape", "transpose", "slice", "pad", "crop", "concat", "scale"),
    ),
    "frameworks count its parameters differently, which `convt shapes` tells": (
        *("prelu", "batch_norm", "instance_norm", "layer_norm", "group_norm"),
    ),
}
"""The layer types that `convt compare` counts as not compared, by reason."""

WITHOUT_LINE = ("max_unpool",)
"""The layer types that are compared and need more than one line of code: beside its input a
max_unpool reads where its pool found the maxima.
"""


def readme_types() -> dict[str, dict[str, bool]]:
    """The README's table of layer types: each type's keys, and whether they may be left out."""
    table = README.partition("| type | keys ")[2].partition("\n\n")[0]
    found = {}
    for row in re.findall(r"^\| (`.*) \| (.*)\|$", table, re.MULTILINE):
        names, keys = (re.sub(r"\([^)]*\)", "", cell) for cell in row)
        for name in re.findall(r"`(\w+)`", names):
            found[name] = {
                key.strip(" ?"): "?" in key or " or " in part
                for part in keys.split(",")
                for key in part.split(" or ")
                if key.strip()
            }
    return found


def one_layer(spec: WriteSpec, layer_type: str) -> NetworkLayer:
    """A layer of this type in a network, from the keys that the tests of steps have for it."""
    try:
        return steps.network_of(spec, layer_type).layers[-1]
    except SpecError as error:
        message = f"give {layer_type} its keys in KEYS of tests/analysis/backward/test_layers.py"
        raise AssertionError(message) from error


@cache
def words_of(folder: Path) -> set[str]:
    """Every string that the modules of a folder write down."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {
        node.value for node in nodes if isinstance(node, ast.Constant) and type(node.value) is str
    }


def is_compared(layer_type: str) -> bool:
    return issubclass(LAYER_TYPES[layer_type], COMPARED)


class TestLayerTypes:
    def test_each_is_in_the_readmes_table(self) -> None:
        assert_lists(
            readme_types(), LAYER_TYPES, "the table of types under `## The spec` in README"
        )

    @pytest.mark.parametrize("layer_type", LAYER_TYPES)
    def test_each_has_its_keys_in_the_readmes_table(self, layer_type: str) -> None:
        fields: Any = dataclasses.fields(LAYER_TYPES[layer_type])  # type: ignore[arg-type]
        keys = {one.name: one.default is not dataclasses.MISSING for one in fields}
        listed = readme_types().get(layer_type, {})
        assert_lists(listed, keys, f"the keys of {layer_type} in README's table of types")
        assert listed == keys, f"mark the optional keys of {layer_type} by ? in README's table"

    @pytest.mark.parametrize("layer_type", LAYER_TYPES)
    def test_each_has_its_shape_tested(self, layer_type: str) -> None:
        tests = [path.read_text() for path in (ROOT / "tests/arithmetic/layers").glob("*.py")]
        name = LAYER_TYPES[layer_type].__name__
        assert any(name in text for text in tests), f"test {name} in tests/arithmetic/layers"

    def test_each_does_something_to_arrays_or_is_known_not_to(self) -> None:
        stepped = {name for name, definition in LAYER_TYPES.items() if definition in STEPS}
        listed = [*stepped, *steps.WITHOUT_STEP]
        place = "STEPS of analysis/backward/layers, or WITHOUT_STEP in its tests"
        assert_lists(listed, LAYER_TYPES, place)
        twice = stepped & set(steps.WITHOUT_STEP)
        assert not twice, f"take {twice} out of WITHOUT_STEP in tests/analysis/backward/test_layers"

    def test_each_is_imported_or_known_not_to_be(self) -> None:
        words = words_of(PACKAGE / "models" / "onnx" / "operators") | words_of(PACKAGE / "models")
        imported = [name for name in LAYER_TYPES if name in words]
        place = "an operator of models/onnx/operators, or NOT_IMPORTED here with the reason"
        assert_lists([*imported, *NOT_IMPORTED], LAYER_TYPES, place)
        twice = set(imported) & set(NOT_IMPORTED)
        assert not twice, f"take {twice} out of NOT_IMPORTED: an operator gives it"

    def test_each_is_compared_or_known_not_to_be(self) -> None:
        compared = [name for name in LAYER_TYPES if is_compared(name)]
        others = [name for names in NOT_COMPARED.values() for name in names]
        place = (
            "`convt compare`: its class to COMPARED of arithmetic/questions/comparison, "
            "or its name to NOT_COMPARED here with the reason"
        )
        assert_lists([*compared, *others], LAYER_TYPES, place)
        twice = set(compared) & set(others)
        assert not twice, f"take {twice} out of NOT_COMPARED: its class is compared"

    @pytest.mark.parametrize("layer_type", [name for name in LAYER_TYPES if not is_compared(name)])
    def test_one_that_is_not_compared_has_one_shape_in_all_frameworks(
        self, spec: WriteSpec, layer_type: str
    ) -> None:
        layer = one_layer(spec, layer_type)
        for framework in FRAMEWORKS.values():
            try:
                output = layer.definition.resolve(layer.inputs, framework).output
            except GeometryError:
                continue
            message = (
                f"{framework.name} gives {layer_type} another shape: add its class to COMPARED"
            )
            assert output == layer.output, message

    @pytest.mark.parametrize("layer_type", [name for name in LAYER_TYPES if is_compared(name)])
    def test_one_that_is_compared_can_be_written_by_some_framework(
        self, spec: WriteSpec, layer_type: str
    ) -> None:
        layer = one_layer(spec, layer_type)
        lines = [layer_line(layer, FRAMEWORKS["pytorch"], framework) for framework in WRITERS]
        has_line = any(line.text is not None for line in lines)
        message = f"teach the modules of reports/code_lines how frameworks write {layer_type}"
        assert has_line != (layer_type in WITHOUT_LINE), message


# ------------------------------------------------------------------------------- file formats

ARRAY_READERS: dict[str, Callable[[str], Any]] = {
    ".npy": np.load,
    ".npz": lambda path: np.load(path)["arr_0"],
    ".csv": partial(np.loadtxt, delimiter=","),
    ".txt": np.loadtxt,
}
"""Who else reads an array file, by its suffix."""

MATRIX_READERS: dict[str, Callable[[str], Any]] = {".npz": load_npz, ".mtx": mmread}
"""Who else reads a matrix file, by its suffix."""

HELPS = [name for name in COMMANDS if "OUT are ." in (command_of(name).help or "")]
"""The commands whose help lists the formats of arrays."""


class TestTableFormats:
    def test_every_renderer_can_be_asked_for(self) -> None:
        place = "TABLE_FORMATS of commands/options, or else to RENDERERS of render/formats"
        assert_lists(TABLE_FORMATS, ["text", *RENDERERS], place)

    def test_the_readme_lists_them(self) -> None:
        (listed,) = re.findall(r"`--format ([a-z|]+)` chooses", README)
        assert_lists(
            listed.split("|"), TABLE_FORMATS, "`--format` under `## Commands` in README.md"
        )

    def test_every_graph_renderer_can_be_asked_for(self) -> None:
        place = "GRAPH_FORMATS of commands/options, or else to GRAPH_RENDERERS of render/graphs"
        assert_lists(GRAPH_FORMATS, GRAPH_RENDERERS, place)

    def test_the_readme_names_the_formats_of_graphs(self) -> None:
        about = README.partition("### convt shapes\n")[2].partition("### ")[0]
        missing = [name for name in GRAPH_FORMATS if f"`--format {name}`" not in about]
        assert not missing, f"tell of --format {missing} under `### convt shapes` in README.md"

    def test_every_format_but_text_has_a_suffix(self) -> None:
        formats = [name for name in (*TABLE_FORMATS, *GRAPH_FORMATS) if name != "text"]
        assert_lists(SUFFIXES.values(), formats, "SUFFIXES of commands/options")

    def test_the_tests_of_faults_write_each(self) -> None:
        given = "".join(f"{one.command} --format text " for one in WRITTEN).split("--format ")
        written = {part.split()[0] for part in given[1:]}
        formats = (*TABLE_FORMATS, *GRAPH_FORMATS)
        assert_lists(written, formats, "_FILES in tests/faults/outputs.py")


class TestArrayFormats:
    @pytest.mark.parametrize("suffix", ARRAY_FORMATS)
    def test_others_read_what_is_written(self, folder: Path, suffix: str) -> None:
        assert suffix in ARRAY_READERS, f"name in ARRAY_READERS here who else reads {suffix}"
        array = np.arange(6.0).reshape(2, 3)
        write_array(f"a{suffix}", array, force=False)
        np.testing.assert_array_equal(ARRAY_READERS[suffix](f"a{suffix}"), array)
        np.testing.assert_array_equal(read_array(f"a{suffix}"), array)

    @pytest.mark.parametrize("suffix", ARRAY_FORMATS)
    @pytest.mark.parametrize("command", HELPS)
    def test_the_help_names_it(self, command: str, suffix: str) -> None:
        told = command_of(command).help or ""
        assert suffix in told, f"add {suffix} to the help in commands/{command}.py"

    def test_there_are_helps_that_name_them(self) -> None:
        assert set(HELPS) >= {"apply", "reconstruct"}

    @pytest.mark.parametrize("suffix", ARRAY_FORMATS)
    def test_the_readme_names_it(self, suffix: str) -> None:
        (listed,) = re.findall(r"^- Arrays are (.*?)\. ", README, re.MULTILINE | re.DOTALL)
        assert f"`{suffix}" in listed, f"add {suffix} to `- Arrays are` under `### convt apply`"

    @pytest.mark.parametrize("suffix", ARRAY_FORMATS)
    def test_the_tests_of_faults_write_it(self, suffix: str) -> None:
        written = [one.name for one in WRITTEN if one.command.startswith("apply ")]
        message = f"write a {suffix} by `apply` in _FILES of tests/faults/outputs.py"
        assert any(name.endswith(suffix) for name in written), message


class TestWeightFormats:
    @pytest.mark.parametrize("suffix", WEIGHT_FORMATS)
    def test_its_module_opens_files(self, suffix: str) -> None:
        module = WEIGHT_FORMATS[suffix].module
        assert hasattr(import_module(module), "open_weights"), f"{module} needs open_weights"

    @pytest.mark.parametrize("suffix", WEIGHT_FORMATS)
    def test_the_readme_names_it(self, suffix: str) -> None:
        about = README.partition("- `weight` is a file")[2].partition("\n- ")[0]
        assert f"{suffix}#" in about, f"add {suffix}#key to what `weight` is under `## The spec`"


class TestMatrixFormats:
    @pytest.mark.parametrize("suffix", MATRIX_FORMATS)
    @pytest.mark.parametrize("banded", [True, False])
    def test_others_read_what_is_written(
        self, run: Run, spec: WriteSpec, banded: bool, suffix: str
    ) -> None:
        """Cᵀ of padding that repeats the input is made as a whole, all else band by band."""
        assert suffix in MATRIX_READERS, f"name in MATRIX_READERS here who else reads {suffix}"
        whole = "kernel_size: 3, padding_mode: reflect"
        net = spec(GUIDE if banded else GUIDE.replace("kernel_size: 3", whole))
        options = () if banded else ("--transpose",)
        assert run("matrix", net, *options, "-o", f"C{suffix}").status == 0
        writer = "write_bands" if banded else "write"
        message = f"let `{writer}` of the class in files/matrix_formats write {suffix}"
        try:
            matrix = MATRIX_READERS[suffix](f"C{suffix}")
        except Exception as error:
            raise AssertionError(message) from error
        expected = [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0]
        dense = np.asarray(matrix.todense())
        np.testing.assert_array_equal((dense if banded else dense.T)[0], expected, message)

    @pytest.mark.parametrize("suffix", MATRIX_FORMATS)
    def test_the_help_names_it(self, suffix: str) -> None:
        told = options_called("output")["matrix"].help or ""
        assert suffix in told, f"add {suffix} to the help of -o in commands/matrix.py"

    @pytest.mark.parametrize("suffix", MATRIX_FORMATS)
    def test_the_readme_names_it(self, suffix: str) -> None:
        about = README.partition("### convt matrix\n")[2].partition("```")[0]
        assert f"`{suffix}`" in about, f"add {suffix} to what stands under `### convt matrix`"

    @pytest.mark.parametrize("suffix", MATRIX_FORMATS)
    def test_the_tests_of_faults_write_it(self, suffix: str) -> None:
        written = [one.name for one in WRITTEN if one.command.startswith("matrix ")]
        message = f"write a {suffix} by `matrix` in _FILES of tests/faults/outputs.py"
        assert any(name.endswith(suffix) for name in written), message


# ------------------------------------------------------------------------------- kernels


def kernels_on_disk() -> set[str]:
    """The kernels that the modules of operators.kernels define, by their classes' names."""
    found = set()
    for info in pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}."):
        module = importlib.import_module(info.name)
        found |= {
            one for one in vars(module).values() if inspect.isclass(one) and issubclass(one, Kernel)
        }
    return {one.__name__ for one in found if not inspect.isabstract(one)}


class TestKernels:
    def test_each_is_registered(self) -> None:
        names = [kernel.__name__ for kernel in KERNELS]
        assert_lists(names, kernels_on_disk(), "KERNELS in operators/kernels/__init__.py")

    def test_each_has_a_name_of_its_own(self) -> None:
        assert len({kernel.name for kernel in KERNELS}) == len(KERNELS)

    def test_each_is_chosen_for_a_layer(self) -> None:
        chosen = {priced.kernel for priced in PRICED}
        assert_lists(chosen, [kernel.name for kernel in KERNELS], "PRICED in tests/layers.py")


class TestCommands:
    """Their headings in the README are asked for by test_docs, their help by commands/test_main."""

    def test_the_tests_of_faults_run_each(self) -> None:
        assert_lists(commands_tested(), COMMANDS, "_SAID or _FILES in tests/faults/outputs.py")

    def test_each_that_reads_a_spec_is_seen_to_show_warnings(self) -> None:
        readers = {name for name in COMMANDS if reads_a_spec(name)} - {"check"}
        assert_lists(WARNED, readers, "COMMANDS in tests/commands/test_warnings.py")

    def test_every_module_of_a_command_is_listed(self) -> None:
        assert_lists(COMMANDS, modules_of_commands(), "COMMANDS of commands/main")


def reads_a_spec(command: str) -> bool:
    return any(one.name == "set" for one in command_of(command).params)


def modules_of_commands() -> set[str]:
    """The modules that define a command."""
    paths = (PACKAGE / "commands").glob("*.py")
    found = [path for path in paths if "\n@click.command(" in path.read_text(encoding="utf-8")]
    return {path.stem.rstrip("_") for path in found}


# ------------------------------------------------------------------------------- ONNX operators

FAMILIES = [
    module for name in vars(operators) if hasattr(module := getattr(operators, name), "OPERATORS")
]


class TestOperators:
    def test_each_belongs_to_one_family(self) -> None:
        found = [operator for family in FAMILIES for operator in family.OPERATORS]
        twice = {operator for operator in found if found.count(operator) > 1}
        assert not twice, f"{twice} stand in OPERATORS of two modules of models/onnx/operators"
        assert_lists(found, OPERATORS, "FAMILIES here: there is a new family")

    @pytest.mark.parametrize(
        "operator", [name for name in OPERATORS if name not in preserving.OPERATORS]
    )
    def test_each_is_tested(self, operator: str) -> None:
        words = words_of(ROOT / "tests" / "models" / "onnx")
        assert operator in words, f"add a test of {operator} to tests/models/onnx/test_convert.py"

    @pytest.mark.parametrize("operator", preserving.OPERATORS)
    def test_one_that_keeps_the_shape_is_one_layer(self, operator: str) -> None:
        written = layers_of(graph_of(node(operator, "x w w w w", "y"), w=weight(4)))
        types = [line.partition(",")[0] for line in written]
        message = f"give {operator} one of LAYER_TYPES in models/onnx/operators/preserving"
        assert len(types) == 1, message
        assert types[0] in LAYER_TYPES, message


# ------------------------------------------------------------------------------- what is written


def test_contributing_names_files_that_there_are() -> None:
    """Paths are those of the repository, or of the package; a capital letter is a blank to fill."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_0-9.]+(?:/[a-z_0-9.]+)+)`", text))
    gone = [path for path in named if not any((top / path).exists() for top in (ROOT, PACKAGE))]
    assert not gone, f"CONTRIBUTING.md names {gone}: say where that is now"
    assert named
