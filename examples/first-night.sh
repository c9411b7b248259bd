#!/bin/sh
# A first night: one clip, the prompts of prompts.jsonl, a few variations of each, and a report in the morning.
#
#   examples/first-night.sh WORKSPACE VIDEOS
#
# WORKSPACE is a new folder. VIDEOS is a folder with a colour video and what controls you have, told by their names:
# color.mp4, depth.mp4, seg.mp4; or shot1_color.mp4, shot1_depth.mp4; or numbered frames such as color.0001.png.
#
# It prints the clip's videos, the three prompts' ids, seven queued jobs, a line for each that ends. Last it prints:
#
#     id  status     kind      prompt      host  priority  attempt  progress  since
#     1   succeeded  transfer  morning     sim   0         1        …
#     2   succeeded  transfer  night-rain  sim   0         1        …
#     3   succeeded  transfer  first-snow  sim   0         1        …
#     4   succeeded  transfer  morning     sim   0         1        …
#     5   succeeded  transfer  night-rain  sim   0         1        …
#     6   succeeded  transfer  first-snow  sim   0         1        …
#     7   succeeded  transfer  morning     sim   5         1        …
#     7 succeeded
#     wrote report/index.html: open it in a browser
#
# Job 7 was made first. Run a second time it stops at once: the workspace is there already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
videos=$(cd "$2" && pwd)

cosmosq init "$1"
cd "$1"

# What the jobs are about.
cosmosq clip add shot "$videos"
cosmosq prompt add --from "$here/prompts.jsonl" --clip shot

# Every prompt with its own parameters, then every prompt with another seed of the model. All of them have weights for
# edge and depth: jobs with the same hints share a session, and its model is loaded once.
cosmosq enqueue --all --label study=base
cosmosq enqueue --all --label study=seed -s seed=2
# One that goes first: stronger outlines, and the prompt pulls harder.
cosmosq enqueue morning --label study=strong -s edge.weight=1 -s guidance=7 --priority 5

# Leave this running. Ctrl-C finishes the current job; after a crash just start it again: nothing is lost or done twice.
cosmosq worker --until-empty

cosmosq status
cosmosq report --html report
