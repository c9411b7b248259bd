#!/usr/bin/env bash
# NVIDIA's documented command line of the 4K upscaler: the same program, one video at a time.
#
#     upscale.sh PYTHON NUM_GPUS SPEC FOLDER [ARGUMENT OF transfer.py …]
#
# SPEC has the hint "upscale" alone, and the source of the upscale as its input video.
set -euo pipefail

for argument in "$@"; do
    if [[ $argument == --batch_input_path* ]]; then
        echo "upscale.sh: an upscale is no part of a batch" >&2
        exit 2
    fi
done
exec bash "${BASH_SOURCE[0]%/*}/inference.sh" "$@"
