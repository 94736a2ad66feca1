#!/bin/sh
# Every fuzz target for SECONDS (default 20) each, from its seeds; then the canary, which must fail.
#
#     fuzz/run.sh [SECONDS] [TARGET…]
#
# Needs a nightly toolchain and cargo-fuzz; CARGO_FUZZ names the program if it is not on the path. What is found stays in
# fuzz/artifacts and is repeated with `cargo +nightly fuzz run TARGET FILE`. New inputs go to a folder that is thrown away.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-20}
[ $# -gt 0 ] && shift
fuzz=${CARGO_FUZZ:-$(command -v cargo-fuzz || true)}
[ -n "$fuzz" ] || { echo "fuzz/run.sh: no cargo-fuzz; try: cargo install cargo-fuzz" >&2; exit 2; }
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT

run() {
    target=$1; shift
    mkdir -p "$corpus/$target"
    # The first folder takes new inputs, the second is only read; the canary has none.
    seeds="fuzz/seeds/$target"
    [ -d "$seeds" ] || seeds=
    RUSTUP_TOOLCHAIN=nightly "$fuzz" run "$target" "$corpus/$target" $seeds -- "$@"
}

targets="aegisx_decode config_file frame_reader gator_decode handshake_extensions inflate nexus_decode sge_decode tusk_decode"
for target in ${*:-$targets}; do
    echo "== $target, $seconds s"
    run "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1
done

echo "== canary, must fail"
if run canary -max_total_time=60 -artifact_prefix="$corpus/" >"$corpus/canary.log" 2>&1; then
    echo "fuzz/run.sh: the canary was not found in 60 s: the fuzzer finds nothing" >&2
    exit 1
fi
# It must have failed for its own reason, and not because it did not build.
grep -q 'the canary was found' "$corpus/canary.log" || { cat "$corpus/canary.log" >&2; exit 1; }
echo "all targets held, the canary was found"
