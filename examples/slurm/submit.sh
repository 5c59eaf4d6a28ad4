#!/bin/bash
# Scores data with many jobs, and merges what they found: submit.sh RUN_FOLDER NUMBER_OF_JOBS
#
#   PRETRAINED=openbmb/UltraRM-13b TASKS=ultrafeedback_pairs ./submit.sh "$SCRATCH/ultrarm" 16
#
# A job that was killed or preempted is submitted again as it was: what it had scored is in its
# store, and a part whose results are there already is not run again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
run=$1 number=$2
mkdir -p "$run/logs" "$run/stores" "$run/results"
run=$(cd "$run" && pwd)
export RUN=$run NUMBER=$number
job=$(sbatch --parsable --array="1-$number" --output="$run/logs/%a.log" "$here/score.sbatch")
sbatch --dependency="afterok:$job" --output="$run/logs/merge.log" "$here/merge.sbatch"
