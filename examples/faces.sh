#!/bin/sh
# What the channels of a trained face detector see in a photograph: eyes, a mouth, a cheek.
# Run it from the project's folder, with convt and its extra `plot`.  It writes to the folder build.
set -eu
mkdir -p build
convt reconstruct examples/blazeface.yaml examples/face.npy --layer relu11 --top 8 \
    --rule guided -o build/face.npy --sheet build/face.png --force
