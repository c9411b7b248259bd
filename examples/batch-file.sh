#!/bin/sh
# A batch file, and what NVIDIA's command line makes of it: many prompts from one file, several videos to a process.
#
#   examples/batch-file.sh WORKSPACE VIDEOS
#
# WORKSPACE is a new folder. VIDEOS is a folder with a colour video and what controls you have, as for first-night.sh.
# The batch file is prompts.jsonl: an object a line, with the parameters of its own that a prompt has.
#
# It prints the three prompts' ids, six queued jobs, and how they will share processes; then a line for each job that
# ends, the table of `cosmosq status`, and the native batch that the first process was given. Of this it prints:
#
#     load  jobs  at once  which  why apart
#     1     2     2        1-2
#     2     1     1        3      negative_prompt Summer, green leaves, …, guidance 7.0, not 5.0
#     3     2     2        4-5    seed 2, not 1
#     4     1     1        6      seed 2, not 1
#     {"visual_input": "…", "prompt": "A wide terrace …", "control_overrides": {"edge": …, "depth": …}}
#     {"visual_input": "…", "prompt": "The same place at night …", "control_overrides": {"edge": …, "depth": …}}
#
# A line tells the difference to the first load that it might have shared; 4 differs from 3 as 2 does from 1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
videos=$(cd "$2" && pwd)

cosmosq init "$1"
cd "$1"

# A host that starts `transfer.py` for its jobs, two videos at once, in place of a session that keeps the model loaded.
# docs/command.md says when that is worth while. On a real box: its address, engine = "cosmos_transfer1", checkout.
cat > cosmosq.toml <<'TOML'
default_host = "sim"

[hosts.sim]
transport = "local"
engine = "simulated"
mode = "command"
batch_size = 2
idle_close = 0

[hosts.sim.simulator]
load_s = 1.0
step_s = 0.01
TOML

cosmosq clip add shot "$videos"
cosmosq prompt add --from "$here/prompts.jsonl" --clip shot
cosmosq enqueue --all
cosmosq enqueue --all -s seed=2

# Items of a process share all but the prompt, the videos and the weights; two at once share the weights too.
cosmosq batch preview
cosmosq worker --until-empty
cosmosq status

cat .cosmosq/hosts/sim/sessions/*/invocations/1/items.jsonl
