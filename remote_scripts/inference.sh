#!/usr/bin/env bash
# NVIDIA's documented command line of Cosmos-Transfer1: one video, or a native batch.
#
#     inference.sh PYTHON NUM_GPUS SPEC FOLDER [ARGUMENT OF transfer.py …]
#
# PYTHONPATH is the root of the cosmos-transfer1 checkout, as in NVIDIA's examples; SPEC and FOLDER are absolute paths.
set -euo pipefail

python=$1 num_gpus=$2 spec=$3 folder=$4
shift 4
cd -- "${PYTHONPATH%%:*}"

if [[ -f simulated/torchrun.py ]]; then
    launch=("$python" -m simulated.torchrun)
elif [[ -x "${python%/*}/torchrun" ]]; then
    launch=("${python%/*}/torchrun")
else
    launch=(torchrun)
fi

# The prompt upsampler's vLLM starts a process of its own, which a fork of one with CUDA cannot be.
export VLLM_WORKER_MULTIPROC_METHOD=spawn

exec "${launch[@]}" "--nproc_per_node=$num_gpus" --nnodes=1 --node_rank=0 \
    cosmos_transfer1/diffusion/inference/transfer.py \
    --controlnet_specs "$spec" --video_save_folder "$folder" --num_gpus "$num_gpus" "$@"
