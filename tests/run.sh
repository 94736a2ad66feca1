#!/usr/bin/env bash
# Every test there is: `tests/run.sh`, or some of it: `tests/run.sh SECTION…`. On a Debian machine that lacks
# what the tests need, it installs that first (as root or through sudo). Ends with `N passed, M failed`.
#
#   style      formatting, lints
#   rust       unit, integration and documentation tests of the workspace
#   loom       the lanes under every interleaving
#   release    the release build, which the sections below test
#   clients    websockets for Python, wscat, ws, and pages in Chromium: the documents' own code, and README.md's
#   rest       every REST operation with generated requests, against the description at /openapi.json
#   examples   each example tests itself
#   load       short runs of the load tool: nothing lost, doubled, out of order or misrouted
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

all=(style rust loom release clients rest examples load)
target="${CARGO_TARGET_DIR:-target}"
mkdir -p "$target/test-run"
target="$(cd "$target" && pwd)"
log="$target/test-run/step.log"
clients="$target/clients"
passed=0
failed=0

# -- what must be there --------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The Debian packages whose tools are missing for these sections.
missing_packages() {
    command -v cc >/dev/null || echo build-essential
    command -v cargo >/dev/null || echo rustup
    case " $* " in *" clients "* | *" rest "*) ;; *) return ;; esac
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3 python3-venv
    case " $* " in *" clients "*) ;; *) return ;; esac
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    browser >/dev/null || echo chromium
}

browser() {
    command -v "${CHROMIUM:-chromium}" || command -v chromium-browser
}

install_missing() {
    local packages
    mapfile -t packages < <(missing_packages "$@" | tr ' ' '\n')
    [ "${#packages[@]}" -eq 0 ] && return
    echo "installing: ${packages[*]}"
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; } &&
        as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" \
            >"$log" 2>&1; then
        return
    fi
    [ -s "$log" ] && tail -5 "$log" >&2
    echo "tests/run.sh: please install: ${packages[*]}" >&2
    exit 2
}

# install_venv SOURCE VENV: the packages of Python that the source's requirements.txt names.
install_venv() {
    cmp -s "$1/requirements.txt" "$2/requirements.txt" && return
    mkdir -p "$(dirname "$2")" &&
        python3 -m venv --clear "$2" &&
        "$2/bin/pip" install --quiet --disable-pip-version-check -r "$1/requirements.txt" &&
        cp "$1/requirements.txt" "$2/"
}

# Packages of Python and Node, of fixed versions, in the target folder and nowhere else.
install_clients() {
    install_venv tests/clients "$clients/venv" || return
    if ! cmp -s tests/clients/package-lock.json "$clients/node_modules/package-lock.json"; then
        cp tests/clients/package.json tests/clients/package-lock.json "$clients/" &&
            npm ci --prefix "$clients" --silent --no-audit --no-fund &&
            cp tests/clients/package-lock.json "$clients/node_modules/"
    fi
}

# -- counting ------------------------------------------------------------------------------------

# `cargo test` and our own scripts say how many tests they ran; all else is one.
counted() {
    awk '/^test result: / { p += $4; f += $6 }
         /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }
         END { print p + 0, f + 0 }' "$1"
}

# step NAME COMMAND…: runs it, shows what it says, and counts.
step() {
    local name="$1" status ran bad
    shift
    echo "-- $name"
    "$@" </dev/null 2>&1 | tee "$log"
    status="${PIPESTATUS[0]}"
    read -r ran bad < <(counted "$log")
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$status" -eq 0 ] && [ "$ran" -eq 0 ]; then ran=1; fi
    passed=$((passed + ran))
    failed=$((failed + bad))
    [ "$bad" -eq 0 ] || echo "-- $name FAILED (exit code $status)"
}

# -- the sections --------------------------------------------------------------------------------

style() {
    step "formatting" cargo fmt --check
    step "lints" cargo clippy --quiet --all-targets --workspace -- -D warnings
}

rust() {
    step "the workspace" cargo test --quiet --workspace --no-fail-fast
}

loom() {
    step "the lanes under loom" cargo test --quiet --manifest-path tests/loom/Cargo.toml --target-dir "$target/loom"
}

release() {
    step "the release build" cargo build --quiet --release --workspace
}

# The binaries that the sections after `release` use; built if that was not asked for.
binaries() {
    [ -x "$target/release/lanecast" ] && [ -x "$target/release/lanecast-loadtest" ] || release
}

clients() {
    binaries
    step "packages for the clients" install_clients
    CHROMIUM="$(browser)" CLIENTS="$clients" LANECAST_BIN="$target/release/lanecast"
    export CHROMIUM CLIENTS LANECAST_BIN
    step "one conversation of three clients" timeout 300 node tests/clients/conversation.mjs
    step "the reconnecting client of the Tusk document" timeout 300 node tests/clients/reconnecting.mjs
    local dialect
    for dialect in sge nexus gator aegisx; do
        step "the code of the document: $dialect" timeout 300 node "tests/clients/$dialect.mjs"
    done
    step "five dialects in one room" timeout 300 node tests/clients/hall.mjs
    step "the snippets of README.md" timeout 300 node tests/clients/readme.mjs
}

examples() {
    local file name
    for file in examples/*; do
        [ -e "$file" ] || continue
        name="$(basename "$file" .rs)"
        case "$file" in
            *.rs) step "$file" timeout 300 cargo run --quiet --example "$name" -- --self-test ;;
            *.toml) binaries && step "$file" "$target/release/lanecast" check-config --config "$file" ;;
            *) step "$file" echo "nothing to run" ;;
        esac
    done
}

# serve FOLDER FLAG…: a server on a port of its own, there. Sets `server` and `address`.
serve() {
    local folder="$target/test-run/$1" said line
    shift
    address=""
    rm -rf "$folder" && mkdir -p "$folder" && mkfifo "$folder/said"
    (cd "$folder" && exec "$target/release/lanecast" --listen 127.0.0.1:0 --shards 2 \
        --log-level error "$@" 2>said) &
    server=$!
    exec {said}<"$folder/said"
    while [ -z "$address" ] && IFS= read -r -t 20 line <&"$said"; do
        case "$line" in
            "lanecast ready on "*) address="${line##* }" ;;
            *) echo "$line" ;;
        esac
    done
    address="${address:-127.0.0.1:1}"
}

end_server() {
    local code
    kill -TERM "$server"
    wait "$server"
    code=$?
    step "the server ends with 0" test "$code" -eq 0
}

rest() {
    local checks="not_a_server_error,status_code_conformance,content_type_conformance"
    checks+=",response_headers_conformance,response_schema_conformance,negative_data_rejection"
    checks+=",positive_data_acceptance,unsupported_method"
    # In a folder of its own: it writes down what it has learned where it runs.
    local tool=(timeout 300 env -C "$target/rest-venv" bin/schemathesis run)
    local generated=(--checks "$checks" --seed 7 --max-examples 60 --request-timeout 10 --workers 1 --no-color
        --generation-database none)
    binaries
    step "packages for REST" install_venv tests/rest "$target/rest-venv"
    serve rest --data-dir data
    step "REST in the mode open" "${tool[@]}" "http://$address/openapi.json" "${generated[@]}"
    end_server
    SECRET_KEY="only for this test, and long enough" serve rest --data-dir data --auth required
    local token
    token="$(SECRET_KEY="only for this test, and long enough" "$target/release/lanecast" token --user root --tenant acme --role admin)"
    step "REST by an administrator" "${tool[@]}" "http://$address/openapi.json" "${generated[@]}" \
        --header "Authorization: Bearer $token"
    end_server
}

load() {
    binaries
    serve load --data-dir none --config "$PWD/docs/loadtest.toml"
    under_load "$address"
    end_server
}

under_load() {
    local line right=(--assert lost==0 --assert doubled==0 --assert disordered==0 --assert errors==0)
    for line in "fanout --subscribers 200 --window 16" "fanout --publishers 20 --subscribers 20 --window 4" \
        "rooms --rooms 100 --members 5 --rate 2000" "echo --connections 50 --window 4"; do
        # shellcheck disable=SC2086 # words are arguments
        step "lanecast-loadtest $line" "$target/release/lanecast-loadtest" $line \
            --secs 2 --warmup 0.2 --target "$1" "${right[@]}"
    done
    for line in "idle --connections 500" "storm --connections 500"; do
        # shellcheck disable=SC2086 # words are arguments
        step "lanecast-loadtest $line" "$target/release/lanecast-loadtest" $line --secs 1 --target "$1" \
            --assert errors==0
    done
}

# -- all of it -----------------------------------------------------------------------------------

sections=("$@")
[ $# -gt 0 ] || sections=("${all[@]}")
for section in "${sections[@]}"; do
    case " ${all[*]} " in
        *" $section "*) ;;
        *) echo "tests/run.sh: no section $section; there are: ${all[*]}" >&2; exit 2 ;;
    esac
done
install_missing "${sections[@]}"
for section in "${sections[@]}"; do
    echo "== $section"
    begun=$SECONDS
    "$section"
    echo "== $section: $((SECONDS - begun)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
