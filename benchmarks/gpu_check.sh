#!/usr/bin/env bash
# All that has to be seen on a card, in under eight minutes and without a download; one JSON.
# What each step looks at and how to read the JSON: benchmarks/README.md.
set -uo pipefail

usage() {
    cat <<'USAGE'
benchmarks/gpu_check.sh [--device cuda|cpu] [--shape 13b|tiny] [--limit SECONDS] [--steps NAME ...] [-o FILE]

  --device  cuda by default; cpu is the dry run
  --shape   13b on a card; tiny is the dry run, and on a CPU the only one
  --limit   seconds of all steps together (460); more gives each step more
  --steps   only these, in the order of the check
  -o        the JSON (gpu_check.json)

PYTHON names the interpreter (python3). The package need not be installed. Ends with 0 if every step
that can be run here passed, with 1 if one failed or found no time left, with 2 if it cannot begin.
USAGE
}

device=cuda shape='' limit=460 file=gpu_check.json steps=()
while [ $# -gt 0 ]; do
    case $1 in
        --device | --shape | --limit | -o | --output)
            [ $# -gt 1 ] || { echo "$1 needs a value." >&2; usage >&2; exit 2; }
            case $1 in
                --device) device=$2 ;;
                --shape) shape=$2 ;;
                --limit) limit=$2 ;;
                *) file=$2 ;;
            esac
            shift 2
            ;;
        --steps)
            shift
            while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do steps+=("$1"); shift; done
            ;;
        -h | --help) usage; exit 0 ;;
        *) echo "There is no option $1." >&2; usage >&2; exit 2 ;;
    esac
done
case $device in
    cpu) : "${shape:=tiny}" ;;
    cuda | cuda:*) : "${shape:=13b}" ;;
    *) echo "--device is cuda, cuda:N or cpu, not $device." >&2; exit 2 ;;
esac
if [ "$device" = cpu ] && [ "$shape" != tiny ]; then
    echo "A CPU takes hours for 13B's shape: --device cpu goes with --shape tiny." >&2
    exit 2
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
python=${PYTHON:-python3}
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
export PYTHONPATH="$root:$here${PYTHONPATH:+:$PYTHONPATH}"
# Nothing may be fetched, and nothing waits for an answer from the network.
# Kernels are compiled in the step's own process: a pool of others would outlive what it is for.
export TORCHINDUCTOR_COMPILE_THREADS=1 HF_HUB_DISABLE_PROGRESS_BARS=1 TQDM_DISABLE=1
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false

if ! command -v "$python" >/dev/null; then
    echo "There is no $python. PYTHON=... names an interpreter, 3.10 or later." >&2
    exit 2
fi
# A checkout that is not installed has no metadata, where the package looks its version up.
if ! "$python" -c 'import importlib.metadata as m; m.version("ultrarm-eval")' 2>/dev/null; then
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/pyproject.toml")
    mkdir -p "$scratch/metadata/ultrarm_eval-$version.dist-info"
    printf 'Metadata-Version: 2.1\nName: ultrarm-eval\nVersion: %s\n' "$version" \
        >"$scratch/metadata/ultrarm_eval-$version.dist-info/METADATA"
    export PYTHONPATH="$PYTHONPATH:$scratch/metadata"
fi

began=$(date +%s)
elapsed() { echo "$(($(date +%s) - began))"; }
part() { "$python" -m gpu_check "$@"; }

names=$(part begin "$file" --device "$device" --shape "$shape" --limit "$limit" ${steps[0]+--steps "${steps[@]}"}) || exit 2
for name in $names; do
    seconds=$(part limit "$file" "$name" --elapsed "$(elapsed)") || exit 2
    [ "$seconds" -gt 0 ] || continue
    echo "== $name (after $(elapsed) s, at most $seconds s)" >&2
    step_began=$(date +%s)
    timeout -k 5 "$seconds" "$python" -m gpu_check run "$file" "$name" --seconds "$seconds" >"$scratch/said" 2>&1
    status=$?
    # After these two the step has written down itself how it went.
    if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then
        part broken "$file" "$name" --status "$status" --said "$scratch/said" --seconds "$(($(date +%s) - step_began))" || exit 2
    fi
    tail -n 3 "$scratch/said" >&2
done
part end "$file" --elapsed "$(elapsed)"
