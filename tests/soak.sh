#!/usr/bin/env bash
# Whether memory stays flat while messages are kept: `tests/soak.sh [SECONDS]`, 600 if nothing is said. Needs the
# release build. Prints the growth of resident memory per hour in its second half, and fails when messages were lost,
# doubled or out of order, or memory grew by more than SOAK_MAX_MIB_PER_HOUR (64).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds="${1:-600}"
most="${SOAK_MAX_MIB_PER_HOUR:-64}"
bin="${CARGO_TARGET_DIR:-target}/release"
folder="$(mktemp -d)"
server=""
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# A short history, so that what grows at first is full long before the half of the time.
"$bin/lanecast" --listen 127.0.0.1:0 --shards 2 --data-dir "$folder/data" --auth open --log-level warn \
    --config docs/loadtest.toml --history-count 2000 2>"$folder/log" &
server=$!
for _ in $(seq 100); do
    address="$(sed -n 's/^lanecast ready on //p' "$folder/log")"
    [ -n "$address" ] && break
    sleep 0.1
done
[ -n "$address" ] || { cat "$folder/log" >&2; exit 2; }

"$bin/lanecast-loadtest" rooms --target "$address" --rooms 64 --members 4 --rate 1000 --secs "$seconds" --json \
    >"$folder/result.json" 2>"$folder/load.log" &
load=$!
while kill -0 "$load" 2>/dev/null; do
    awk -v at="$SECONDS" '/^VmRSS/ { print at, $2 }' "/proc/$server/status" >>"$folder/memory"
    sleep 2
done
status=0
wait "$load" || status=$?
cat "$folder/load.log" >&2

# The slope of a straight line through the second half, in MiB an hour.
awk -v most="$most" -v status="$status" '
    { t[NR] = $1; m[NR] = $2 / 1024 }
    END {
        for (i = int(NR / 2) + 1; i <= NR; i++) { n++; st += t[i]; sm += m[i]; stt += t[i] * t[i]; stm += t[i] * m[i] }
        d = n * stt - st * st
        slope = d > 0 ? 3600 * (n * stm - st * sm) / d : 0
        printf "soak: %d s, resident memory %.1f MiB at the half, %.1f MiB at the end, %+.1f MiB an hour\n",
            t[NR] - t[1], m[int(NR / 2) + 1], m[NR], slope
        exit status != 0 || slope > most
    }' "$folder/memory"
