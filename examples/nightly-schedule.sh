#!/bin/sh
# Nights that need nobody: what was added during the day is made each working day at ten, a sweep again on Sundays.
#
#   examples/nightly-schedule.sh WORKSPACE VIDEOS
#
# WORKSPACE is a new folder. VIDEOS is a folder with a colour video and what controls you have, as for first-night.sh.
#
# It prints when each of the two schedules fires, the table of `cosmosq schedule list` and what fires next. Then it has
# one fire at once, to see that it works: three jobs with the label schedule=evening, a line for each that ends, and
# the same table, which now prints what was queued:
#
#     name     when           next  last  line
#     evening  0 22 * * 1-5   …           enqueue --all
#              Europe/Berlin  …           3 jobs: 1-3, by hand
#                             …
#     sundays  30 1 * * SUN   …  never    enqueue --sweep weekly.yaml --again
#              Europe/Berlin  …
#              catch-up skip  …
set -eu
here=$(cd "$(dirname "$0")" && pwd)
videos=$(cd "$2" && pwd)

cosmosq init "$1"
cd "$1"
cosmosq clip add shot "$videos"
cosmosq prompt add --from "$here/prompts.jsonl" --clip shot

# Without --again a firing queues only what was not queued before: the prompts of the day.
cosmosq schedule add evening '0 22 * * 1-5' --tz Europe/Berlin -- enqueue --all
# The same videos again each week, to see whether a new driver or checkpoint changes them. The file is read when the
# time has come. If the machine was off on Sunday, Monday is too late.
cat > weekly.yaml <<'YAML'
prompts: [morning]
parameters:
  guidance: [3, 5, 7]
YAML
cosmosq schedule add sundays '30 1 * * SUN' --tz Europe/Berlin --catch-up skip -- enqueue --sweep weekly.yaml --again
cosmosq schedule list
cosmosq schedule next -n 5

# Now, by hand. In earnest `cosmosq worker` runs day and night, and fires what is due.
cosmosq schedule run evening
cosmosq worker --until-empty
cosmosq schedule list
