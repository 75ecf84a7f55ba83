"""The reports of reconstruct and stimulus: tables and documents."""

from __future__ import annotations

import numpy as np

from convt_cli.analysis.backward.reconstruct import Kept, Reconstruction
from convt_cli.analysis.backward.stimulus import Stimulus
from convt_cli.render.text import as_text
from convt_cli.reports.reconstruction import reconstruction_report, stimulus_report

FOUND = Reconstruction(
    layer="conv3",
    rule="guided",
    pictures=np.zeros((3, 1, 2, 2)),
    kept=(
        Kept(image=0, channel=7, position=(3, 12), activation=83.7990060319607),
        Kept(image=1, channel=7, position=(), activation=-0.00012346),
        Kept(image=2, channel=None, position=None, activation=5.0),
    ),
    notes=("p: assumed",),
)


def test_what_pictures_were_made_of() -> None:
    report = reconstruction_report("net.yaml", FOUND)
    assert as_text(report).splitlines() == [
        "conv3 by guided",
        "",
        "picture  image  channel  position  activation",
        "─────────────────────────────────────────────",
        "      0      0        7  3,12            83.8",
        "      1      1        7            -0.0001235",
        "      2      2                              5",
    ]
    assert report.document == {
        "version": 1,
        "spec": "net.yaml",
        "layer": "conv3",
        "rule": "guided",
        "pictures": [
            {"image": 0, "channel": 7, "position": (3, 12), "activation": 83.7990060319607},
            {"image": 1, "channel": 7, "position": (), "activation": -0.00012346},
            {"image": 2, "channel": None, "position": None, "activation": 5.0},
        ],
        "notes": ("p: assumed",),
    }


def stimulus_of(*row: float) -> Stimulus:
    array = np.array([row])
    return Stimulus(layer="c", unit=(1, 0), norm="2", source="image", row=array, x=array, notes=())


def test_what_a_stimulus_reaches() -> None:
    report = stimulus_report("net.yaml", stimulus_of(3, 0, 4, 0))
    assert as_text(report).splitlines() == [
        "what excites c most at 1,0",
        "",
        "in place of  input  reads  norm  response  random share",
        "───────────────────────────────────────────────────────",
        "image        1×4        2  2            5           0.5",
    ]
    assert report.document == {
        "version": 1,
        "spec": "net.yaml",
        "layer": "c",
        "unit": (1, 0),
        "norm": "2",
        "in_place_of": "image",
        "input": (1, 4),
        "reads": 2,
        "response": 5.0,
        "random_share": 0.5,
        "notes": (),
    }


def test_a_unit_that_reads_nothing_has_no_share() -> None:
    report = stimulus_report("net.yaml", stimulus_of(0, 0))
    assert report.tables[0].rows == (("image", (1, 2), 0, "2", "0", None),)
    assert report.document["random_share"] is None
