"""Expressions in PyTorch's spelling: what they become, and where a mistake in one is shown."""

from __future__ import annotations

import json

import pytest

from convt_cli.errors import SpecError
from convt_cli.spec.load import load_spec
from tests.conftest import Run, assert_refused

RESNET_STEM = "nn.Conv2d(3, 64, 7, stride=2, padding=3); nn.ReLU(); nn.MaxPool2d(3, 2, 1)"


def layers(text: str, *shape: int) -> list[tuple[str, tuple[int, ...], int]]:
    network = load_spec(text, input={"": shape})
    return [(one.name, one.output, one.geometry.parameters) for one in network.layers]


@pytest.mark.usefixtures("folder")
class TestNetworks:
    def test_a_chain(self) -> None:
        assert layers(RESNET_STEM, 3, 224, 224) == [
            ("conv1", (64, 112, 112), 9472),
            ("relu1", (64, 112, 112), 0),
            ("max_pool1", (64, 56, 56), 0),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "torch.nn.Conv2d(3, 8, 3); torch.nn.ReLU()",
            "Conv2d(3, 8, 3)\nReLU()",
            "[nn.Conv2d(3, 8, 3), nn.ReLU()]",
            "nn.Conv2d(3, 8, 3), nn.ReLU()",
            "nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.ReLU()))",
            "nn.Conv2d(in_channels=3, kernel_size=(3, 3), out_channels=8,);nn.ReLU(inplace=True);",
        ],
    )
    def test_each_way_to_write_it(self, text: str) -> None:
        assert layers(text, 3, 8, 8) == [("conv1", (8, 6, 6), 224), ("relu1", (8, 6, 6), 0)]

    def test_every_command_takes_one(self, run: Run) -> None:
        outcome = run("shapes", RESNET_STEM, "--input", "3,224,224", "--format", "json")
        (network,) = outcome.document["networks"]
        assert (network["spec"], network["output"]) == (RESNET_STEM, [64, 56, 56])
        assert run("check", RESNET_STEM, "--input", "3,224,224").status == 0
        matrix = run("matrix", "nn.Conv1d(1, 1, 3)", "--input", "1,5", "--dry-run", "--format=json")
        assert json.loads(matrix.out)["shape"] == [3, 5]
        sizes = run("solve", "--sizes", "nn.Conv1d(1, 1, 3, 2)", "--input", "1,5", "--up-to", "9")
        assert sizes.status == 0, sizes.err

    def test_a_file_of_that_name_comes_first(self, run: Run, folder: object) -> None:
        with open("f(x)", "w", encoding="utf-8") as file:
            file.write("input: [1, 4]\nlayers: [{type: relu}]\n")
        assert load_spec("f(x)").output == (1, 4)

    def test_a_mistyped_path_is_no_expression(self, run: Run) -> None:
        outcome = run("shapes", "net.ymal")
        assert_refused(outcome, "E401")

    def test_a_vector_is_an_input(self, run: Run) -> None:
        outcome = run("shapes", "nn.Linear(10, 5)", "--input", "10", "--format", "csv")
        assert outcome.status == 0
        assert "linear1,linear,,10,5,55" in outcome.out

    def test_what_a_layer_has_not_of_the_numbers_it_stands_for(self) -> None:
        text = "nn.CELU(0.2); nn.CELU(); nn.Softsign(); nn.Hardtanh(0, 6)"
        network = load_spec(text, input={"": (2, 5)})
        assert [one.stands_for for one in network.layers] == [
            "nn.CELU(0.2)",
            None,
            "nn.Softsign()",
            None,
        ]


# (expression, its input, the code, what the caret is under, what the value says)
WRONG = [
    ("nn.Conv2d(3, 8)", (3, 8, 8), "E102", "nn.Conv2d", "got none"),
    ("nn.Conv2d(3, 8, 3, strid=2)", (3, 8, 8), "E101", "strid=2", "got 'strid'"),
    ("nn.Conv2d(3, 8, 3, out_channels=2)", (3, 8, 8), "E005", "out_channels=2", "given twice"),
    ("nn.Conv2d(3, 8, 3, stride=0)", (3, 8, 8), "E107", "0", "got 0"),
    ("nn.Conv2d(3, 8, 3, padding=-1)", (3, 8, 8), "E107", "-1", "got -1"),
    ("nn.Conv2d(3, 8, 3, padding='sane')", (3, 8, 8), "E104", "'sane'", "got 'sane'"),
    ("nn.Conv2d(3, 8, 3, bias=1)", (3, 8, 8), "E103", "1", "got 1"),
    ("nn.Conv2d(4, 8, 3)", (3, 8, 8), "E114", "4", "got 4, the source has 3"),
    ("nn.Conv2d(3, 8, 9)", (3, 8, 8), "E110", "9", ""),
    ("nn.Conv1d(3, 8, 3)", (3, 8, 8), "E119", "nn.Conv1d", "the source is [3, 8, 8]"),
    ("nn.Conv2d(3, 8, 3); nn.BatchNorm2d(4)", (3, 8, 8), "E114", "4", "got 4, the source has 8"),
    ("nn.BatchNorm2d(3, bias=1)", (3, 8, 8), "E103", "1", "got 1"),
    ("nn.MaxPool2d(2, return_indices=True)", (3, 8, 8), "E505", "True", "got True"),
    ("nn.LayerNorm(7)", (3, 8, 8), "E114", "7", "got [7], the source is [3, 8, 8]"),
    ("nn.Flatten(0)", (3, 8, 8), "E505", "0", "got 0, the batch"),
    ("nn.Unflatten(1, (2, 2))", (3, 8, 8), "E120", "(2, 2)", "got [2, 2] for 3"),
    ("nn.ZeroPad2d((1, 2))", (3, 8, 8), "E106", "(1, 2)", "got 2"),
    ("nn.Linear(3, 4)", (3, 8, 8), "E114", "3", "the source has 8"),
    ("nn.Hardtanh(2, 1)", (3, 8, 8), "E107", "2", "got 2 and 1"),
    ("nn.Softmax(-4)", (3, 8, 8), "E505", "-4", "the batch"),
    ("nn.PReLU(2)", (3, 8, 8), "E111", "2", "got 2, the source is"),
    ("nn.PReLU(5000, 0.5)", (5000, 2), "E505", "0.5", "got 5,000"),
    ("nn.GroupNorm(2, 3)", (3, 8, 8), "E111", "2", "got 2 with 3"),
    ("nn.ReflectionPad2d(8)", (3, 8, 8), "E116", "8", "got 8 on 8"),
    ("nn.LeakyReLU('a')", (3, 8, 8), "E103", "'a'", "got 'a'"),
    ("nn.Convd(3, 8, 3)", (3, 8, 8), "E104", "nn.Convd", "got 'Convd'"),
    ("os.system('ls')", (3, 8, 8), "E104", "os.system", "got 'os.system'"),
    ("nn.ReLU(open('x'))", (3, 8, 8), "E103", "open('x')", "got open('x')"),
    ("nn.Conv2d(3, 2 * 4, 3)", (3, 8, 8), "E103", "2 * 4", "got 2 * 4"),
    ("x = nn.ReLU()", (3, 8, 8), "E103", "x = nn.ReLU()", "got x = nn.ReLU()"),
    ("nn.ReLU(1, 2)", (3, 8, 8), "E103", "2", "got 2"),
    ("nn.Conv2d(*a)", (3, 8, 8), "E103", "*a", "got *a"),
    ("nn.Conv2d(**a)", (3, 8, 8), "E101", "**a", "got '**a'"),
    ("nn.ZeroPad2d(None)", (3, 8, 8), "E102", "None", "got none"),
    ("nn.Conv2d(3, out_channels=None, kernel_size=3)", (3, 8, 8), "E102", "None", "got none"),
    ("nn.Sequential()", (3, 8, 8), "E102", "n", "got none"),
    ("nn.Sequential([], ())", (3, 8, 8), "E102", "n", "got none"),
    ("()", (3, 8, 8), "E102", "(", "got none"),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("text", "shape", "code", "under", "value"), WRONG)
def test_a_mistake_is_shown_in_its_place(
    text: str, shape: tuple[int, ...], code: str, under: str, value: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(text, input={"": shape})
    (problem,) = caught.value.diagnostics
    assert problem.code == code
    begin = problem.column - 1
    assert text[begin : begin + problem.width] == under
    assert value in problem.value


@pytest.mark.usefixtures("folder")
class TestTexts:
    @pytest.mark.parametrize(
        "text",
        [
            *("nn.Conv2d(", "(", "nn.ReLU() nn.ReLU()", "(" * 5000, "f(\0)", "f(\x1b)"),
            *("(" + "-" * 60_000 + "1)", "f(" + "9" * 5000 + ")", "nn.ReLU(); ä(", "(" * 70_000),
        ],
        ids=lambda text: text[:12],
    )
    def test_what_is_no_expression_is_refused(self, run: Run, text: str) -> None:
        outcome = run("shapes", text, "--input", "3,8,8")
        assert outcome.status == 2
        assert len(outcome.codes) == 1
        assert "Traceback" not in outcome.err

    def test_the_caret_counts_characters(self) -> None:
        text = "nn.Upsample(2, mode='ä'); nn.Conv2d(3, 8, 'ö')"
        with pytest.raises(SpecError) as caught:
            load_spec(text, input={"": (3, 8, 8)})
        first = caught.value.diagnostics[0]
        assert text[first.column - 1 :][: first.width] == "'ä'"

    def test_without_an_input_it_asks_for_one(self, run: Run) -> None:
        outcome = run("shapes", "nn.ReLU()")
        assert_refused(outcome, "E102")
        assert "add --input" in outcome.err

    def test_every_mistake_that_can_be_known_is_told_at_once(self) -> None:
        with pytest.raises(SpecError) as caught:
            load_spec("nn.Conv2d(3, 8, 0); nn.Relu(); nn.ReLU(x)", input={"": (3, 8, 8)})
        assert [one.code for one in caught.value.diagnostics] == ["E107", "E104", "E103"]
