#!/usr/bin/env bash
# Puts PoM on its hosts and keeps it there: builds once, installs a new release beside the old one, switches, looks
# whether it is well, and goes back by itself where it is not.
#
#   ./deploy.sh                            to both instances of the runbook
#   ./deploy.sh [--all] HOST...            to these hosts (what ssh takes: root@192.0.2.7, or a Host of ~/.ssh/config)
#   ./deploy.sh rollback HOST              to the release that ran before
#   ./deploy.sh status [HOST...]           what runs where, and is it well
#   ./deploy.sh local [URL...]             a trial in this checkout: .venv and .pom
#
#   --all           go on with the next host where one has failed; else the rest is left as it is
#   --config FILE   pom.toml for hosts that have none. Where several are deployed to, a host's own [serve] and [peers]
#                   are added unless FILE has them. Default: a commented first config
#   --env FILE      /etc/pom/env for hosts that have none; a token for the API is added unless FILE has one
#
# Hosts need systemd, Python 3.11 or newer and ssh as root or as a user with sudo without a password; no package
# registry. An existing host's pom.toml, env and database are never touched; before a migration a backup is taken.
# Here: Python with venv and pip, ssh, tar. POM_SSH replaces `ssh` (POM_SSH="ssh -F FILE"). Exit code: 0 all well,
# 1 a host failed, 2 wrong use.
set -euo pipefail
umask 022

HOSTS=(root@100.120.174.96 max@100.106.221.39) # hetzner, astra
PORT=9100
OPT=/opt/pom
KEEP=4  # releases on a host
WAIT=60 # seconds that a release has to become well

say() { printf '%s\n' "$*"; }
warn() { printf 'deploy: %s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }
wrong() { warn "$* (./deploy.sh --help says more)"; exit 2; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

# ---- here: what is deployed -------------------------------------------------

# This half keeps to what a Mac has, too: bash 3.2, and no option that only GNU's tools know.

# Copies all that goes into a release, and nothing that an earlier build left in the checkout. Prints the release's name:
# its version and a digest of those files, so that the same files are the same release.
take_source() { # FOLDER
    python3 - "$1" <<'PYTHON'
import hashlib, pathlib, re, shutil, sys
digest = hashlib.sha256()
found = [pathlib.Path(name) for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.lock", "deploy.sh")]
found += [path for folder in ("pom_cli", "timers") for path in pathlib.Path(folder).rglob("*") if path.is_file()]
for path in sorted(path for path in found if path.suffix != ".pyc"):
    digest.update(f"{path} {path.stat().st_size}\n".encode() + path.read_bytes())
    target = pathlib.Path(sys.argv[1], path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
version = re.search('^__version__ = "(.*)"$', pathlib.Path("pom_cli/__init__.py").read_text(), re.MULTILINE)
print(f"{version[1]}-{digest.hexdigest()[:12]}")
PYTHON
}

tools() { # Python with pip, the one of this machine where it has it
    [ ${#PIP[@]} = 0 ] || return 0
    if python3 -m pip --version >/dev/null 2>&1; then
        PIP=(python3 -m pip)
    else
        python3 -m venv "$WORK/tools" || die "this machine's Python has neither pip nor venv"
        PIP=("$WORK/tools/bin/python" -m pip)
    fi
}

build_wheel() { # one for every host
    [ ! -d "$WORK/wheel" ] || return 0
    tools
    say "building the wheel of $RELEASE"
    "${PIP[@]}" wheel -qq --no-deps -w "$WORK/wheel.part" "$WORK/source" || die "the wheel cannot be built"
    mv "$WORK/wheel.part" "$WORK/wheel"
}

# The lock's wheels for one kind of host: Python "3.11", machine "aarch64", newest glibc minor that it has.
gather_wheels() {
    local python=$1 machine=$2 libc=$3 folder=$WORK/wheels-$1-$2-$3 minor options=()
    [ ! -d "$folder" ] || return 0
    tools
    say "gathering wheels for Python $python on $machine"
    for minor in $(seq "$libc" -1 17); do options+=(--platform "manylinux_2_${minor}_$machine"); done
    "${PIP[@]}" download -qq --only-binary=:all: --require-hashes --implementation cp --python-version "$python" \
        --abi "cp${python/./}" --abi abi3 --abi none "${options[@]}" --platform "manylinux2014_$machine" \
        -r "$WORK/source/requirements.lock" -d "$folder.part" || return 1
    mv "$folder.part" "$folder"
}

# ---- here: talking to a host ------------------------------------------------

remote() { # HOST COMMAND...
    local host=$1; shift
    "${SSH[@]}" "$host" "$@"
}

as_root() { # HOST COMMAND: one line for the remote shell
    local sudo='sudo -n '
    [ "$(fact "$1" uid)" != 0 ] || sudo=''
    remote "$1" "$sudo$2"
}

fact() { sed -n "s/^$2=//p" "$WORK/facts/$1"; } # HOST NAME: what the survey found out

facts() { # run on the host, before anything else
    cat <<'FACTS'
echo "uid=$(id -u)"
if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then echo root=yes; fi
echo "name=$(uname -n | cut -d. -f1)"
echo "machine=$(uname -m)"
set -- $SSH_CONNECTION
echo "address=$3" # where it was reached: its peers can reach it there, too
if [ -d /run/systemd/system ]; then echo systemd=yes; fi
/usr/bin/python3 -c 'import os, sys
print("python=%d.%d" % sys.version_info[:2])
print("libc=" + os.confstr("CS_GNU_LIBC_VERSION").split(".")[1])' 2>/dev/null
echo done=yes
FACTS
}

survey() { # HOST: gathers its facts, or says why it cannot be used
    local host=$1 python facts=$WORK/facts/$1
    facts | remote "$host" sh >"$facts" || true
    python=$(fact "$host" python)
    if [ "$(fact "$host" "done")" != yes ]; then warn "$host: cannot be reached"; return 1; fi
    if [ "$(fact "$host" root)" != yes ]; then warn "$host: sudo without a password is needed"; return 1; fi
    if [ "$(fact "$host" systemd)" != yes ]; then warn "$host: it is not run by systemd"; return 1; fi
    case $python in
        3.1[1-9] | 3.[2-9][0-9]) ;;
        *) warn "$host: /usr/bin/python3 is ${python:-not there}, and 3.11 or newer is needed"; return 1 ;;
    esac
    as_root "$host" sh >>"$facts" <<STATE
echo release=$RELEASE-py$python
test ! -e $OPT/releases/$RELEASE-py$python/complete || echo has-release=yes
test ! -e /etc/pom/pom.toml || echo has-config=yes
test ! -e /etc/pom/env || echo has-env=yes
STATE
}

has() { [ "$(fact "$1" "has-$2")" = yes ]; }

url_host() { case $1 in *:*) say "[$1]" ;; *) say "$1" ;; esac; }

# ---- here: a new host's first files -----------------------------------------

api_token() { # one for all hosts of this deployment: that of a host which has one already, else a random one
    local host
    for host in "$@"; do
        has "$host" env || continue
        TOKEN=$(as_root "$host" "sed -n 's/^POM_API_TOKEN=//p' /etc/pom/env" </dev/null | tail -1)
        [ -z "$TOKEN" ] || return 0
    done
    TOKEN=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')
}

first_env() {
    if [ -n "$ENV_FILE" ]; then
        cat "$ENV_FILE"
        say ''
        ! grep -q '^POM_API_TOKEN=' "$ENV_FILE" || return 0
    else
        say '# Secrets, KEY=value: read by systemd for the timers, and by pom itself where its user may read this file.'
        say '#POM_POSTMARK_TOKEN='
        say '#POM_SMTP_PASSWORD='
    fi
    say '# The API of this host and of its peers; while it is changed, the new and the old one, separated by a comma.'
    say "POM_API_TOKEN=$TOKEN"
}

first_config() { # HOST: the other hosts of this deployment are its peers
    local host=$1 name listen
    name=$(fact "$host" name)
    listen=$(url_host "$(fact "$host" address)"):$PORT
    if [ -n "$CONFIG_FILE" ]; then
        cat "$CONFIG_FILE"
        say ''
        [ ${#ALL[@]} -gt 1 ] || return 0
        grep -q '^ *\[serve\]' "$CONFIG_FILE" || printf '\n[serve]\nlisten = "%s"\n' "$listen"
        grep -q '^ *\[peers[].]' "$CONFIG_FILE" || peer_tables "$host"
        return 0
    fi
    cat <<CONFIG
# PoM on $name. Every key, its meaning and its default: pom config show, and the README. After editing:
# pom config check && systemctl restart pom

[instance]
name = "$name"

[serve]
listen = "$listen"

[alerts]
# to = ["ops@example.com"]            # who is told; by Postmark once POM_POSTMARK_TOKEN stands in env
# from = "pom@example.com"            # a sender that Postmark knows
# cooldown = "5m"

[targets.makenotwork]
url = "https://makenot.work"
ops = { ssh = "root@100.120.174.96", unit = "makenotwork", database = "makenotwork" }

[targets.makenotwork.health]
path = "/api/health"
# expect = { status = "operational" } # the JSON body must contain this

[targets.makenotwork.routes]
paths = ["/", "/login", "/docs"]

# [targets.makenotwork.dns]
# records = [{ name = "makenot.work", type = "A", expected = ["203.0.113.7"] }]

# [targets.makenotwork.tests]
# ssh = "max@100.106.221.39"
# command = "/home/max/staging/run-tests.sh"
CONFIG
    peer_tables "$host"
}

peer_tables() { # HOST
    local other name address taken=' '
    for other in "${ALL[@]}"; do
        address=$(fact "$other" address)
        if [ "$other" = "$1" ] || [ -z "$address" ]; then continue; fi
        name=$(fact "$other" name | tr -c 'A-Za-z0-9_\n' -)
        case $taken in *" $name "*) name=$name-$(printf %s "$address" | tr -c 'A-Za-z0-9' -) ;; esac
        taken="$taken$name "
        printf '\n[peers.%s]\nurl = "http://%s:%s"\nssh = "%s"\n' "$name" "$(url_host "$address")" "$PORT" "$other"
    done
}

# ---- here: one host after the other -----------------------------------------

upload() { # HOST: the bundle, into a folder of root's
    local host=$1 bundle=$WORK/bundle kind
    rm -rf "$bundle"
    mkdir -p "$bundle/etc"
    cp -R "$WORK/source/deploy.sh" "$WORK/source/requirements.lock" "$WORK/source/timers" "$bundle/"
    chmod 700 "$bundle/etc"
    has "$host" config || first_config "$host" >"$bundle/etc/pom.toml" || return 1
    has "$host" env || first_env >"$bundle/etc/env" || return 1
    if ! has "$host" release; then
        kind=$(fact "$host" python)-$(fact "$host" machine)-$(fact "$host" libc)
        build_wheel
        gather_wheels "$(fact "$host" python)" "$(fact "$host" machine)" "$(fact "$host" libc)" || return 1
        cp -R "$WORK/wheels-$kind" "$bundle/wheels"
        cp "$WORK"/wheel/*.whl "$bundle/wheels/"
        own_requirement "$WORK"/wheel/*.whl >>"$bundle/requirements.lock"
    fi
    COPYFILE_DISABLE=1 tar -C "$bundle" -cf - . |
        as_root "$host" "sh -c 'mkdir -p $OPT && mkdir -m 0700 $INCOMING && tar -xf - --no-same-owner -C $INCOMING'"
}

own_requirement() { # WHEEL: as one more line of the lock, with its hash
    python3 - "$1" <<'PYTHON'
import hashlib, pathlib, sys
wheel = pathlib.Path(sys.argv[1])
print(f"pom-cli=={wheel.name.split('-')[1]} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
PYTHON
}

deploy_to() { # HOST
    say "== $1 ($(fact "$1" name): $(fact "$1" machine), Python $(fact "$1" python), $(fact "$1" address))"
    upload "$1" && as_root "$1" "bash $INCOMING/deploy.sh on-host install $(fact "$1" release) $INCOMING" </dev/null
}

examine() { # HOST...: once all are there, whether they see each other, too
    local host
    for host in "$@"; do
        say "== $host: pom doctor"
        as_root "$host" "sh -c 'systemctl start pom-heartbeat.service; /usr/local/bin/pom doctor'" </dev/null || true
    done
}

deploy() {
    local host failed=() usable=() deployed=()
    RELEASE=$(take_source "$WORK/source")
    INCOMING=$OPT/incoming-$$-$RANDOM
    for host in "${ALL[@]}"; do
        if survey "$host"; then usable+=("$host"); else failed+=("$host"); fi
    done
    [ ${#failed[@]} = 0 ] || [ "$GO_ON" = yes ] || die "nothing was changed; --all goes on with the hosts that can be used"
    [ ${#usable[@]} = 0 ] || api_token "${usable[@]}"
    for host in ${usable[@]+"${usable[@]}"}; do
        if deploy_to "$host"; then
            deployed+=("$host")
        else
            failed+=("$host")
            warn "$host: failed"
            [ "$GO_ON" = yes ] || break
        fi
    done
    examine ${deployed[@]+"${deployed[@]}"}
    [ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}; deployed: ${deployed[*]:-none}; all others are as they were"
    say "deployed $RELEASE to ${deployed[*]}"
}

ask_hosts() { # VERB HOST...: run one of the host's own verbs on each
    local verb=$1 host code=0; shift
    for host in "$@"; do
        say "== $host"
        if facts | remote "$host" sh >"$WORK/facts/$host"; then
            as_root "$host" "bash -s on-host $verb" <deploy.sh || code=1
        else
            warn "$host: cannot be reached"
            code=1
        fi
    done
    return $code
}

# ---- here: a trial in the checkout ------------------------------------------

try_out() {
    local pom=.venv/bin/pom
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/python -m pip install -qq --require-hashes -r requirements.lock
    .venv/bin/python -m pip install -qq --no-deps -e .
    mkdir -p .pom
    if [ ! -e .pom/env ]; then
        (umask 077 && say "POM_API_TOKEN=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')" >.pom/env)
    fi
    if [ ! -e .pom/pom.toml ]; then
        STATE_DIRECTORY=$PWD/.pom/data "$pom" --config .pom/pom.toml init "$@"
        # The checkout's own data folder, in whatever environment it is used later.
        sed 's/^# \(data_dir = "[^"]*"\).*/\1/' .pom/pom.toml >.pom/.pom.toml && mv .pom/.pom.toml .pom/pom.toml
    fi
    "$pom" --config .pom/pom.toml config check
    say "try it: export POM_CONFIG=$PWD/.pom/pom.toml; $pom check; $pom status; $pom serve"
}

# ---- on the host, as root ---------------------------------------------------

pom_of() { # RELEASE COMMAND...: as the timers run it
    local release=$1; shift
    runuser -u pom -- env HOME=/var/lib/pom STATE_DIRECTORY=/var/lib/pom POM_CONFIG=/etc/pom/pom.toml \
        "$OPT/releases/$release/bin/pom" "$@"
}

python_of() { # RELEASE ARGUMENT...
    local release=$1; shift
    runuser -u pom -- env -C / "$OPT/releases/$release/bin/python" "$@"
}

current() { basename "$(readlink "$OPT/current" 2>/dev/null)" 2>/dev/null || true; }

make_place() { # user and folders, where they are missing
    local group=--user-group
    if ! getent passwd pom >/dev/null; then
        ! getent group pom >/dev/null || group=--gid=pom
        useradd --system "$group" --home-dir /var/lib/pom --no-create-home --shell /usr/sbin/nologin pom
    fi
    [ -d /etc/pom ] || install -d -o root -g pom -m 0750 /etc/pom
    [ -d /var/lib/pom ] || install -d -o pom -g pom -m 0750 /var/lib/pom
}

# The first config and env, where there is none. A config that this release does not take leaves nothing behind.
make_config() { # RELEASE
    local file fresh=()
    for file in env pom.toml; do
        if [ ! -e "/etc/pom/$file" ]; then
            install -o root -g pom -m 0640 "$IN/etc/$file" "/etc/pom/$file"
            fresh+=("/etc/pom/$file")
            say "wrote a first /etc/pom/$file"
        fi
    done
    if ! pom_of "$1" config check; then
        [ ${#fresh[@]} = 0 ] || rm -f "${fresh[@]}"
        die "$1 does not take /etc/pom/pom.toml: nothing was switched"
    fi
}

make_release() { # RELEASE: a venv of its own, from the uploaded wheels alone
    local folder=$OPT/releases/$1 wheels=$IN/wheels
    [ ! -e "$folder/complete" ] || return 0
    say "installing $1"
    rm -rf "$folder"
    mkdir -p "$OPT/releases"
    /usr/bin/python3 -m venv --without-pip "$folder"
    # pip's own wheel runs as it is: Debian's bare python3 has none. No setting of this host's may lead it elsewhere.
    env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 PIP_CONFIG_FILE=/dev/null \
        "$folder/bin/python" "$(echo "$wheels"/pip-*.whl)/pip" install -q --no-index --no-cache-dir --no-input \
        --disable-pip-version-check --root-user-action=ignore --require-hashes --find-links "$wheels" \
        -r "$IN/requirements.lock"
    cp -r "$IN/timers" "$folder/timers"
    # All that a run may load, loaded once by the user that runs it: a wheel that does not fit this host shows here.
    python_of "$1" -c 'import click, cryptography.x509, dns.resolver, requests, rich, sqlite_utils, tomli, waitress, whois'
    python_of "$1" -m pom_cli --version >/dev/null
    sync -f "$OPT"
    touch "$folder/complete"
}

# The release's units, where they differ; what only the old release had goes. CHANGED says whether anything was to do.
put_units() { # RELEASE [OLD]
    local new=$OPT/releases/$1/timers old=${2:+$OPT/releases/$2/timers} etc=/etc/systemd/system unit
    CHANGED=no
    for unit in "$new"/*; do
        unit=${unit##*/}
        if ! cmp -s "$new/$unit" "$etc/$unit"; then
            install -m 0644 "$new/$unit" "$etc/.$unit" && mv "$etc/.$unit" "$etc/$unit" || return 1
            CHANGED=yes
        fi
    done
    for unit in ${old:+"$old"/*}; do
        unit=${unit##*/}
        if [ ! -e "$new/$unit" ] && [ -e "$etc/$unit" ]; then
            case $unit in *@.*) ;; *) systemctl -q disable --now "$unit" || true ;; esac
            rm -f "$etc/$unit"
            CHANGED=yes
        fi
    done
}

point() { # NAME TARGET: a link, replaced in one step
    ln -sfn "$2" "$OPT/.$1" && mv -T "$OPT/.$1" "$OPT/$1"
}

put_on_path() {
    local name=/usr/local/bin/pom
    if [ -e $name ] && [ ! -L $name ]; then mv $name $name.before; fi # what another PoM left there
    ln -sfn "$OPT/current/bin/pom" $name
}

database() { # RELEASE: where its config says that the database is
    pom_of "$1" config show --json | python_of "$1" -c \
        'import json, sys; print(json.load(sys.stdin)["instance"]["data_dir"] + "/pom.db")'
}

# Before a schema changes a copy is taken; the last three are kept.
back_up() { # DATABASE RELEASE
    local db=$1 release=$2 have want folder=/var/lib/pom/backups
    [ -s "$db" ] || return 0
    have=$(python_of "$release" -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version").fetchone()[0])' "$db") || return 1
    want=$(python_of "$release" -c 'from pom_cli import store; print(store.VERSION)') || return 1
    if [ "$have" -ge "$want" ] || [ -e "$folder/before-$release.db" ]; then return 0; fi
    install -d -o pom -g pom -m 0700 "$folder" && pom_of "$release" backup "$folder/before-$release.db" || return 1
    find "$folder" -name 'before-*.db' -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2- |
        xargs -r -d '\n' rm -f --
}

migrate() { # DATABASE RELEASE
    [ ! -e "$1" ] || python_of "$2" -c 'import pathlib, sys
from pom_cli import store
store.open_(pathlib.Path(sys.argv[1])).close()' "$1"
}

failed_units() { systemctl list-units --failed --plain --no-legend 'pom*' | cut -d' ' -f1; }

health() { # RELEASE: status and body of /api/health
    pom_of "$1" config show --json | python_of "$1" -c '
import json, sys, urllib.error, urllib.request
host, _, port = json.load(sys.stdin)["serve"]["listen"].rpartition(":")
host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    with opener.open(f"http://{host}:{port}/api/health", timeout=5) as answer:
        print(answer.status, answer.read(2000).decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read(2000).decode())
except OSError as error:
    print(0, error)'
}

start() { # restart the whole and look at everything that is due, so that there is something to be well about
    systemctl daemon-reload
    systemctl -q enable pom
    systemctl restart pom || WAIT=10
    [ "$WAIT" = 10 ] || systemctl start pom-check.service pom-heartbeat.service || true
}

well() { # RELEASE BEFORE: does it answer 200, and is no unit failed that was not failed before
    local answer='' end=$((SECONDS + WAIT)) unit
    # Only PoM's own answer counts, not what else may listen there.
    until answer=$(health "$1" 2>&1) && [[ $answer == 200\ *'"overdue"'* ]]; do
        if [ "$SECONDS" -ge "$end" ]; then
            warn "not well: /api/health: $answer"
            journalctl -u pom -n 15 --no-pager -o cat >&2 || true
            return 1
        fi
        sleep 2 # the API answers a client sixty times a minute
    done
    for unit in $(failed_units); do
        if [[ " ${2//$'\n'/ } " != *" $unit "* ]]; then
            warn "not well: $unit failed"
            journalctl -u "$unit" -n 15 --no-pager -o cat >&2 || true
            return 1
        fi
    done
    say "well: /api/health: $answer"
}

# From here to there and, where that is not well, back. `unfinished` tells a later deployment of one that was cut short.
switch() { # NEW OLD
    local new=$1 old=$2 before db
    before=$(failed_units)
    if ! db=$(database "$new") || ! back_up "$db" "$new"; then
        warn "nothing was switched"
        return 1
    fi
    echo "$old" >"$OPT/unfinished"
    if put_units "$new" "$old" && point current "releases/$new" && put_on_path &&
        migrate "$db" "$new" && start && well "$new" "$before"; then
        if [ -n "$old" ] && [ "$old" != "$new" ]; then point previous "releases/$old"; fi
        rm -f "$OPT/unfinished"
        return 0
    fi
    if [ -z "$old" ] || [ "$old" = "$new" ]; then
        warn "there is no release to go back to"
        return 1
    fi
    go_back "$new" "$old" "$before"
    return 1
}

go_back() { # NEW OLD BEFORE
    warn "going back to $2"
    WAIT=60
    if put_units "$2" "$1" && point current "releases/$2" && start && well "$2" "$3"; then
        rm -f "$OPT/unfinished"
        warn "$2 runs again"
    else
        warn "$2 is not well either: see journalctl -u 'pom*'"
    fi
}

tidy() { # all but the newest few releases go, never the current and the previous one
    local folder
    find "$OPT/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %f\n' | sort -rn | tail -n "+$((KEEP + 1))" |
        cut -d' ' -f2- | while IFS= read -r folder; do
            case $folder in "$(current)" | "$(basename "$(readlink "$OPT/previous")")") ;; *) rm -rf "$OPT/releases/$folder" ;; esac
        done
}

install_release() { # RELEASE
    local new=$1 old
    make_place
    make_release "$new"
    make_config "$new"
    old=$(current)
    if [ -e "$OPT/unfinished" ]; then
        old=$(cat "$OPT/unfinished")
    elif [ "$old" = "$new" ]; then
        put_units "$new"
        if [ "$CHANGED" = no ]; then
            say "$new is installed already"
            well "$new" "$(failed_units)"
            return
        fi
    fi
    switch "$new" "$old" || return 1
    tidy
}

roll_back() {
    local old now
    now=$(current)
    old=$(basename "$(readlink "$OPT/previous")")
    [ -e "$OPT/releases/$old/complete" ] || die "there is no release before this one"
    pom_of "$old" config check || die "$old does not take /etc/pom/pom.toml: nothing was switched"
    switch "$old" "$now" || return 1
    say "rolled back from $now to $old"
}

show_status() {
    local release timers failed answer
    release=$(current)
    [ -n "$release" ] || { say "PoM is not installed"; return 1; }
    timers=$(systemctl list-units --plain --no-legend --state=active 'pom-*.timer' | wc -l)
    failed=$(failed_units)
    answer=$(health "$release" 2>&1)
    say "release: $release, before it: $(basename "$(readlink "$OPT/previous" 2>/dev/null)" 2>/dev/null || echo none)"
    say "pom.service: $(systemctl is-active pom), active timers: $timers, failed: ${failed:-none}"
    say "/api/health: $answer"
    [ -z "$failed" ] && [ "${answer%% *}" = 200 ]
}

on_host() { # VERB [RELEASE INCOMING]
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    IN=${3:-}
    cd /
    if [ "$1" = status ]; then
        show_status
        return
    fi
    trap 'rm -rf "$IN"' EXIT
    mkdir -p "$OPT"
    exec 9>"$OPT/.lock"
    flock -n 9 || die "another deployment runs on this host"
    case $1 in
        install) install_release "$2" ;;
        rollback) roll_back ;;
    esac
}

# ---- which of it ------------------------------------------------------------

if [ "${1:-}" = on-host ]; then
    shift
    on_host "$@" </dev/null
    exit
fi

GO_ON=no CONFIG_FILE='' ENV_FILE='' VERB=deploy ARGUMENTS=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --all) GO_ON=yes ;;
        --config | --env)
            if [ ! -f "${2:-}" ] || [ ! -r "$2" ]; then wrong "$1: '${2:-}' is no file that can be read"; fi
            case $2 in /*) FILE=$2 ;; *) FILE=$PWD/$2 ;; esac
            if [ "$1" = --config ]; then CONFIG_FILE=$FILE; else ENV_FILE=$FILE; fi
            shift ;;
        -*) wrong "$1 is not an option" ;;
        local | rollback | status) if [ ${#ARGUMENTS[@]} = 0 ] && [ "$VERB" = deploy ]; then VERB=$1; else ARGUMENTS+=("$1"); fi ;;
        *) ARGUMENTS+=("$1") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")"
if [ "$VERB" = local ]; then try_out "${ARGUMENTS[@]:-https://example.com}"; exit; fi

PIP=()
WORK=$(mktemp -d /tmp/pom-deploy.XXXXXX) # not below $TMPDIR: a socket's path must be short
mkdir "$WORK/facts"
read -r -a SSH <<<"${POM_SSH:-ssh}"
# One connection a host, shared by all that is done there; a host that is gone is noticed.
SSH+=(-o ControlMaster=auto -o "ControlPath=$WORK/%C" -o ControlPersist=60 -o ConnectTimeout=10 -o ServerAliveInterval=15)
ALL=(${ARGUMENTS[@]+"${ARGUMENTS[@]}"})

clean_up() {
    local host
    for host in ${ALL[@]+"${ALL[@]}"}; do "${SSH[@]}" -O exit "$host" >/dev/null 2>&1 || true; done
    rm -rf "$WORK"
}
trap clean_up EXIT

case $VERB in
    deploy) [ ${#ALL[@]} -gt 0 ] || ALL=("${HOSTS[@]}"); deploy ;;
    status) [ ${#ALL[@]} -gt 0 ] || ALL=("${HOSTS[@]}"); ask_hosts status "${ALL[@]}" ;;
    rollback) [ ${#ALL[@]} = 1 ] || wrong "rollback takes one HOST"; ask_hosts rollback "${ALL[@]}" ;;
esac
