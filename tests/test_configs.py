"""The networks of configs/: every size they expect, and the numbers that are published of them.

Two classical slips have to be caught: ZF Net without its padding, and a U-Net whose crop is off
by one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from convt_cli import load_spec
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.questions.receptive import receptives
from convt_cli.spec.load import check_spec

CONFIGS = Path(__file__).parent.parent / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))

PARAMETERS = {
    # Stated on the model's page in torchvision's documentation, under num_params.
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    # osmr/imgclsmob, pytorch/README.md; what Keras's summary calls trainable.  The paper says
    # 4.2 million.
    "mobilenet": 4_231_976,
    # junyanz/pytorch-CycleGAN-and-pix2pix prints 54.414 M; derived by re-implementing it.
    "pix2pix_generator": 54_413_955,
    # The paper's Table 1 has 13.92 M; counted on jik876/hifi-gan's own code, weight norm removed.
    "hifigan_generator": 13_926_017,
    # The paper says 134 M; counted on wkentaro/pytorch-fcn, a port of the authors' definition.
    "fcn8s": 134_489_759,
    # No paper counts it; counted on mateuszbuda/brain-segmentation-pytorch's own code.
    "unet_same": 7_763_041,
    # The paper says "60 million"; derived by re-implementing BVLC/caffe's bvlc_alexnet.
    "alexnet": 60_965_224,
    # The paper's Table 6 has a model of 117 MB; derived by re-implementing the authors' definition.
    "segnet": 29_449_355,
    # The paper's 19,069,955 and batch norm's 4,672, which it leaves out: see below.
    "unet3d": 19_074_627,
    # Derived by re-implementing the reference: nothing authoritative gives a number.
    "autoencoder": 275_979,
    "dcgan_discriminator": 2_765_568,
    "dcgan_generator": 3_576_704,
    "decoder3d": 17_569_664,
    "espcn": 22_729,
    "unet": 31_030_658,
    "wavegan_generator": 19_065_345,
    "zfnet": 62_357_608,
    # Derived: the paper's 60,000 rest on a C3 that does not read all maps (Table I).
    "lenet5": 61_706,
}


def network(name: str) -> Network:
    return load_spec(str(CONFIGS / f"{name}.yaml"))


def parameters(of: Network, *, without: str = "") -> int:
    return sum(layer.geometry.parameters for layer in of.layers if layer.type != without)


def line_of(text: str, part: str) -> int:
    """The number of the one line of `text` that holds `part`."""
    (number,) = (number for number, line in enumerate(text.splitlines(), 1) if part in line)
    return number


def test_the_table_holds_every_config() -> None:
    assert sorted(PARAMETERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestEveryConfig:
    def test_has_nothing_wrong_with_it(self, name: str) -> None:
        assert check_spec(str(CONFIGS / f"{name}.yaml")) == ()

    def test_begins_with_a_comment_that_names_its_source(self, name: str) -> None:
        text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
        lines = text[: text.index("\nname: ")].split("\n")
        assert all(line.startswith("#") for line in lines)
        comment = " ".join(line.removeprefix("#").strip() for line in lines)
        assert re.search(r'"[A-Z0-9][^"]{20,}"', comment), "the title of a paper"
        assert re.search(r"\b(19|20)\d\d\b", comment), "its year"

    def test_expects_a_size(self, name: str) -> None:
        document = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
        assert any("expect" in layer for layer in document["layers"])

    def test_is_at_most_100_columns_wide(self, name: str) -> None:
        lines = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        assert max(map(len, lines)) <= 100

    def test_has_as_many_parameters_as_its_source(self, name: str) -> None:
        assert parameters(network(name)) == PARAMETERS[name]


def test_the_3d_unet_has_the_papers_count_where_batch_norm_has_none() -> None:
    # Çiçek et al., section 2: "The architecture has 19069955 parameters in total".
    assert parameters(network("unet3d"), without="batch_norm") == 19_069_955


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("mobilenet", "0.569"),  # the paper, and tensorflow/models, mobilenet_v1.md
        ("resnet50", "4.09"),  # the model's page in torchvision's documentation, under GFLOPS
    ],
)
def test_the_multiply_adds_are_the_published_ones(name: str, billions: str) -> None:
    count = sum(layer.geometry.multiply_adds for layer in network(name).layers)
    digits = len(billions) - len("0.")
    assert f"{count / 1e9:.{digits}f}" == billions


@pytest.mark.parametrize(
    ("name", "layer", "extent"),
    [
        # google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md
        ("alexnet", "pool5", 195),
        ("vgg16", "pool5", 212),
        ("mobilenet", "conv_pw_13", 315),
        # Long, Shelhamer and Darrell, Table 1: "rf size" of FCN-VGG16
        ("fcn8s", "score_fr", 404),
    ],
)
def test_the_receptive_field_is_the_published_one(name: str, layer: str, extent: int) -> None:
    assert receptives(network(name))[layer].field == (extent, extent)


def test_zfnet_without_its_padding_is_caught(tmp_path: Path) -> None:
    text = (CONFIGS / "zfnet.yaml").read_text(encoding="utf-8")
    conv1 = "    padding: 1\n    expect: [96, 110, 110]\n"
    assert text.count(conv1) == text.count("ceil_mode: true") == 1
    text = text.replace(conv1, conv1.replace("padding: 1", "padding: 0"))
    text = text.replace("ceil_mode: true", "ceil_mode: false")
    spec = tmp_path / "zfnet.yaml"
    spec.write_text(text, encoding="utf-8")

    found = check_spec(str(spec))

    assert {one.code for one in found} == {"E201"}
    assert (found[0].layer, found[0].line) == ("conv1", line_of(text, "[96, 110, 110]"))
    assert found[0].value == "expected [96, 110, 110], the arithmetic gives [96, 109, 109]"


@pytest.mark.parametrize(("level", "crop"), [(4, 4), (3, 16), (2, 40), (1, 88)])
@pytest.mark.parametrize("error", [-1, 1])
def test_a_unet_with_a_crop_off_by_one_is_caught(
    level: int, crop: int, error: int, tmp_path: Path
) -> None:
    text = (CONFIGS / "unet.yaml").read_text(encoding="utf-8")
    key = f"padding: {crop}}}"
    assert text.count(key) == 1
    pair = [crop, crop + error]
    text = text.replace(key, f"padding: {[pair, pair]}}}")
    spec = tmp_path / "unet.yaml"
    spec.write_text(text, encoding="utf-8")

    found = check_spec(str(spec))

    join = f"join{level}"
    assert [(one.code, one.layer, one.line) for one in found] == [
        ("E115", join, line_of(text, f"name: {join},"))
    ]
