#!/usr/bin/env bash
# Installs PoM on its hosts and updates it: builds once, installs a new release beside the old one, switches, checks its
# health, and rolls back by itself if it is not healthy.
#
#   ./deploy.sh                            to both instances of the runbook
#   ./deploy.sh [--all] HOST...            to these hosts (what ssh takes: root@192.0.2.7, or a Host of ~/.ssh/config)
#   ./deploy.sh rollback HOST              to the previous release
#   ./deploy.sh status [HOST...]           which release runs, and is it healthy
#   ./deploy.sh local [URL...]             a trial in this checkout: .venv and .pom
#
#   --all           continue with the next host after a failure; without it, the remaining hosts are left untouched
#   --config FILE   pom.toml for hosts that have none. With several hosts, each one's [serve] and [peers] are added
#                   unless FILE has them. Default: a commented first config
#   --env FILE      /etc/pom/env for hosts that have none; a token for the API is added unless FILE has one
#
# Hosts need systemd, Python 3.11 or newer, CA certificates, and ssh as root or as a user with sudo without a password;
# no package registry. An existing host's pom.toml, env and database are never changed; a backup is taken before a
# migration. Here: Python with venv and pip, ssh, tar. POM_SSH replaces `ssh` (POM_SSH="ssh -F FILE"). Exit code: 0 all
# healthy, 1 a host failed, 2 wrong use.
set -euo pipefail
umask 022

HOSTS=(root@100.120.174.96 max@100.106.221.39) # hetzner, astra
PORT=9100
OPT=/opt/pom
KEEP=4  # releases on a host
WAIT=60 # seconds for a release to become healthy
# What builds the wheel runs on this machine, so it is pinned as the wheels are.
BACKEND='setuptools==84.2.1 --hash=sha256:ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2'

say() { printf '%s\n' "$*"; }
warn() { printf 'deploy: %s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }
wrong() { warn "$* (./deploy.sh --help says more)"; exit 2; }
# Runs a function with errexit on, which `if` and `||` would switch off; its exit code is then in CODE.
try() { set +e; (set -e; "$@"); CODE=$?; set -e; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

# ---- here: what is deployed -------------------------------------------------

# This half must run on a Mac too: bash 3.2, and no option that only GNU's tools know.

# Copies what goes into a release, without what an earlier build left in the checkout. Prints the release's name:
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

tools() { # pip: this machine's, or that of a venv made here
    if python3 -m pip --version >/dev/null 2>&1; then
        PIP=(python3 -m pip)
    else
        [ -d "$WORK/tools" ] || python3 -m venv "$WORK/tools" || die "this machine's Python has neither pip nor venv"
        PIP=("$WORK/tools/bin/python" -m pip)
    fi
}

build_wheel() { # one for every host
    [ ! -d "$WORK/wheel" ] || return 0
    tools
    say "building the wheel of $RELEASE"
    echo "$BACKEND" >"$WORK/backend.lock"
    "${PIP[@]}" install -qq --no-deps --only-binary=:all: --require-hashes --target "$WORK/backend" \
        -r "$WORK/backend.lock" || die "${BACKEND%% *} cannot be installed: the wheel cannot be built"
    PYTHONPATH=$WORK/backend "${PIP[@]}" wheel -qq --no-deps --no-build-isolation -w "$WORK/wheel.part" \
        "$WORK/source" || die "the wheel cannot be built"
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
        -r "$WORK/source/requirements.lock" -d "$folder.part"
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

# Nothing that a host prints reaches the terminal as it is: what could control that becomes a question mark.
printable() {
    python3 -c 'import sys
for line in iter(lambda: sys.stdin.buffer.readline(4096), b""):
    text = line.decode("utf-8", "replace")
    shown = "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)
    sys.stdout.buffer.write(shown.encode())
    sys.stdout.flush()'
}

tame() { # COMMAND...: run it, with both of its outputs made printable
    { "$@" 2>&1 >&3 3>&- | printable >&2 3>&-; } 3>&1 | printable
}

# A host's facts, NAME=VALUE a line. The first line of each name counts, and only if all of it has one of these forms:
# they are written into other hosts' files, file names and command lines.
FORMS='(root|systemd|certificates|done|surveyed|has-(release|config|env))=yes
uid=[0-9]{1,10}
name=[A-Za-z0-9_][A-Za-z0-9_-]{0,62}
machine=[a-z0-9_]{1,20}
address=([0-9]{1,3}\.){3}[0-9]{1,3}
address=[0-9a-f]{0,4}:[0-9a-f:.]{1,40}
python=3\.[0-9]{1,2}
libc=[1-9][0-9]'

ask() { # HOST HOW: run a script from standard input there, `remote` or `as_root`, and keep the facts that it prints
    "$2" "$1" sh 2>"$WORK/complaints" | head -c 65536 | LC_ALL=C tr -d '\000' | LC_ALL=C awk -F= '!seen[$1]++' |
        LC_ALL=C grep -aEx "$FORMS" >>"$WORK/facts/$(number "$1")" || true
    printable <"$WORK/complaints" >&2
}

number() { # HOST: its place in ALL, as a file name: ssh://192.0.2.7:2222 is not one
    local i
    for i in "${!ALL[@]}"; do
        if [ "${ALL[i]}" = "$1" ]; then printf %s "$i"; return; fi
    done
}

fact() { sed -n "/^$2=/{s///p;q;}" "$WORK/facts/$(number "$1")"; } # HOST NAME

is() { [ "$(fact "$1" "$2")" = yes ]; } # HOST NAME

facts() { # run on the host, before anything else
    cat <<'FACTS'
echo "uid=$(id -u)"
if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then echo root=yes; fi
echo "name=$(uname -n | cut -d. -f1)"
echo "machine=$(uname -m)"
set -- $SSH_CONNECTION
echo "address=$3" # where it was reached: its peers can reach it there too
if [ -d /run/systemd/system ]; then echo systemd=yes; fi
/usr/bin/python3 -c 'import os, sys
print("python=%d.%d" % sys.version_info[:2])
print("libc=" + os.confstr("CS_GNU_LIBC_VERSION").split(".")[1])
import ssl
paths = ssl.get_default_verify_paths()
if paths.cafile or paths.capath and any(name.endswith(".0") for name in os.listdir(paths.capath)):
    print("certificates=yes")' 2>/dev/null
echo done=yes
FACTS
}

state() { # run there as root
    cat <<STATE
test ! -e $OPT/releases/$1/complete || echo has-release=yes
test ! -e /etc/pom/pom.toml || echo has-config=yes
test ! -e /etc/pom/env || echo has-env=yes
echo surveyed=yes
STATE
}

survey() { # HOST: gathers its facts, or says why it cannot be used
    local host=$1 name python
    facts | ask "$host" remote
    is "$host" "done" || die "$host: cannot be reached"
    is "$host" root || die "$host: sudo without a password is needed"
    is "$host" systemd || die "$host: it is not run by systemd"
    python=$(fact "$host" python)
    case $python in
        3.1[1-9] | 3.[2-9][0-9]) ;;
        *) die "$host: /usr/bin/python3 is ${python:-missing}; 3.11 or newer is needed" ;;
    esac
    is "$host" certificates || die "$host: it has no CA certificates, so no TLS can be checked: install ca-certificates"
    for name in uid name machine address libc; do
        [ -n "$(fact "$host" $name)" ] || die "$host: its $name is missing or malformed"
    done
    state "$(release_for "$host")" | ask "$host" as_root
    is "$host" surveyed || die "$host: root cannot be asked"
}

release_for() { printf %s "$RELEASE-py$(fact "$1" python)"; } # HOST: one release per Python

url_host() { case $1 in *:*) say "[$1]" ;; *) say "$1" ;; esac; }

# ---- here: a new host's first files -----------------------------------------

# One for all hosts of this deployment: the one that a host has already, or a random one. It goes into other hosts' files,
# so it has no quotes, no backslash, and is one line.
api_token() {
    local host
    for host in "$@"; do
        is "$host" has-env || continue
        TOKEN=$(as_root "$host" "sed -n 's/^POM_API_TOKEN=//p' /etc/pom/env" </dev/null 2>/dev/null |
            head -c 4096 | LC_ALL=C tr -d '\000' | tail -1) || die "$host: /etc/pom/env cannot be read"
        case $TOKEN in \"*\" | \'*\') TOKEN=${TOKEN#?} TOKEN=${TOKEN%?} ;; esac
        [ -n "$TOKEN" ] || continue
        LC_ALL=C grep -Eqx '[]!#-&(-[^-~]+' <<<"$TOKEN" ||
            die "$host: its POM_API_TOKEN has characters that no other host's env can take"
        return 0
    done
    TOKEN=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')
}

first_env() {
    if [ -n "$ENV_FILE" ]; then
        cat "$ENV_FILE"
        say ''
        ! grep -q '^POM_API_TOKEN=' "$ENV_FILE" || return 0
    else
        say '# Secrets, KEY=value: read by systemd for the timers, and by pom itself if its user may read this file.'
        say '#POM_POSTMARK_TOKEN='
        say '#POM_SMTP_PASSWORD='
    fi
    say '# For the API of this host and of its peers; during a change the new and the old one, separated by a comma.'
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
# to = ["ops@example.com"]            # recipients; by Postmark once POM_POSTMARK_TOKEN is set in env
# from = "pom@example.com"            # a sender signature at Postmark
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
        if [ "$other" = "$1" ] || [ -z "$address" ]; then continue; fi # itself, or it could not be used
        name=$(fact "$other" name)
        case $taken in *" $name "*) name=$name-$(printf %s "$address" | tr -c 'A-Za-z0-9' -) ;; esac
        taken="$taken$name "
        printf '\n[peers.%s]\nurl = "http://%s:%s"\n' "$name" "$(url_host "$address")" "$PORT"
        case $other in */*) ;; *) printf 'ssh = "%s"\n' "$other" ;; esac # the config takes no ssh://
    done
}

# ---- here: one host after the other -----------------------------------------

upload() { # HOST: the bundle, into a folder of root's
    local host=$1 bundle=$WORK/bundle kind
    rm -rf "$bundle"
    mkdir -p "$bundle/etc"
    cp -R "$WORK/source/deploy.sh" "$WORK/source/requirements.lock" "$WORK/source/timers" "$bundle/"
    chmod 700 "$bundle/etc"
    is "$host" has-config || first_config "$host" >"$bundle/etc/pom.toml"
    is "$host" has-env || first_env >"$bundle/etc/env"
    if ! is "$host" has-release; then
        kind=$(fact "$host" python)-$(fact "$host" machine)-$(fact "$host" libc)
        build_wheel
        gather_wheels "$(fact "$host" python)" "$(fact "$host" machine)" "$(fact "$host" libc)"
        cp -R "$WORK/wheels-$kind" "$bundle/wheels"
        cp "$WORK"/wheel/*.whl "$bundle/wheels/"
        own_requirement "$WORK"/wheel/*.whl >>"$bundle/requirements.lock"
    fi
    COPYFILE_DISABLE=1 tar -C "$bundle" -cf - . |
        tame as_root "$host" "sh -c 'mkdir -p $OPT && mkdir -m 0700 $INCOMING && tar -xf - --no-same-owner -C $INCOMING'"
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
    upload "$1"
    tame as_root "$1" "bash $INCOMING/deploy.sh on-host install $(release_for "$1") $INCOMING" </dev/null
}

examine() { # HOST...: once all are installed, so that they see each other
    local host
    for host in "$@"; do
        say "== $host: pom doctor"
        tame as_root "$host" "bash -s on-host examine" <deploy.sh || true
    done
}

deploy() {
    local host failed=() usable=() deployed=()
    RELEASE=$(take_source "$WORK/source")
    INCOMING=$OPT/incoming-$$-$RANDOM
    for host in "${ALL[@]}"; do
        try survey "$host"
        if [ "$CODE" = 0 ]; then usable+=("$host"); else failed+=("$host"); fi
    done
    [ ${#failed[@]} = 0 ] || [ "$GO_ON" = yes ] || die "nothing was changed; --all continues with the hosts that can be used"
    [ ${#usable[@]} = 0 ] || api_token "${usable[@]}"
    for host in ${usable[@]+"${usable[@]}"}; do
        try deploy_to "$host"
        if [ "$CODE" = 0 ]; then
            deployed+=("$host")
        else
            failed+=("$host")
            warn "$host: failed"
            [ "$GO_ON" = yes ] || break
        fi
    done
    examine ${deployed[@]+"${deployed[@]}"}
    [ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}; deployed: ${deployed[*]:-none}; all others are unchanged"
    say "deployed $RELEASE to ${deployed[*]}"
}

ask_hosts() { # VERB HOST...: run one of the host's verbs on each
    local verb=$1 host code=0; shift
    for host in "$@"; do
        say "== $host"
        facts | ask "$host" remote
        if is "$host" "done"; then
            tame as_root "$host" "bash -s on-host $verb" <deploy.sh || code=1
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
        # Written out, so that it does not depend on the environment of a later run.
        sed 's/^# \(data_dir = "[^"]*"\).*/\1/' .pom/pom.toml >.pom/.pom.toml && mv .pom/.pom.toml .pom/pom.toml
    fi
    "$pom" --config .pom/pom.toml config check
    say "try it: export POM_CONFIG=$PWD/.pom/pom.toml; $pom check; $pom status; $pom serve"
}

# ---- on the host, as root ---------------------------------------------------

# User pom can replace anything below /var/lib/pom at any moment, so root opens, creates, renames and removes nothing
# there: pom does, by this.
as_pom() { # COMMAND...: with the environment of a timer's run, and without this deployment's lock
    setpriv --reuid=pom --regid=pom --init-groups env -i PATH="$PATH" LC_ALL="$LC_ALL" HOME=/var/lib/pom \
        STATE_DIRECTORY=/var/lib/pom POM_CONFIG=/etc/pom/pom.toml "$@" 9>&-
}

pom_of() { # RELEASE COMMAND...
    local release=$1; shift
    as_pom "$OPT/releases/$release/bin/pom" "$@"
}

python_of() { # RELEASE ARGUMENT...
    local release=$1; shift
    as_pom "$OPT/releases/$release/bin/python" "$@"
}

current() { basename "$(readlink "$OPT/current" 2>/dev/null)" 2>/dev/null || true; }

make_place() { # user and folders, if they are missing
    local group=--user-group
    if ! getent passwd pom >/dev/null; then
        ! getent group pom >/dev/null || group=--gid=pom
        useradd --system "$group" --home-dir /var/lib/pom --no-create-home --shell /usr/sbin/nologin pom
    fi
    [ -d /etc/pom ] || install -d -o root -g pom -m 0750 /etc/pom
    [ -d /var/lib/pom ] || install -d -o pom -g pom -m 0750 /var/lib/pom
}

# The first config and env, if missing. A config that this release rejects leaves nothing behind.
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
        die "$1 does not accept /etc/pom/pom.toml: nothing was switched"
    fi
}

make_release() { # RELEASE: a venv, made from the uploaded wheels alone
    local folder=$OPT/releases/$1 wheels=$IN/wheels
    [ ! -e "$folder/complete" ] || return 0
    say "installing $1"
    rm -rf "$folder"
    mkdir -p "$OPT/releases"
    /usr/bin/python3 -m venv --without-pip "$folder"
    # pip runs from its wheel: Debian's bare python3 has no pip. No setting of this host may lead it elsewhere.
    env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 PIP_CONFIG_FILE=/dev/null \
        "$folder/bin/python" "$(echo "$wheels"/pip-*.whl)/pip" install -q --no-index --no-cache-dir --no-input \
        --disable-pip-version-check --root-user-action=ignore --require-hashes --find-links "$wheels" \
        -r "$IN/requirements.lock"
    cp -r "$IN/timers" "$folder/timers"
    # All that a run may load, loaded once by the user that runs it: a wheel that does not fit this host fails here.
    python_of "$1" -c 'import click, cryptography.x509, dns.resolver, requests, rich, sqlite_utils, tomli, waitress, whois'
    python_of "$1" -m pom_cli --version >/dev/null
    sync -f "$OPT"
    touch "$folder/complete"
}

# Installs the release's units if they differ, and removes those that only the old release had. Sets CHANGED.
put_units() { # RELEASE [OLD]
    local new=$OPT/releases/$1/timers old=${2:+$OPT/releases/$2/timers} etc=/etc/systemd/system unit
    CHANGED=no
    for unit in "$new"/*; do
        unit=${unit##*/}
        if ! cmp -s "$new/$unit" "$etc/$unit"; then
            install -m 0644 "$new/$unit" "$etc/.$unit"
            mv "$etc/.$unit" "$etc/$unit"
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
    ln -sfn "$2" "$OPT/.$1"
    mv -T "$OPT/.$1" "$OPT/$1"
}

put_on_path() {
    local name=/usr/local/bin/pom
    if [ -e $name ] && [ ! -L $name ]; then mv $name $name.before; fi # what another PoM left there
    ln -sfn "$OPT/current/bin/pom" $name
}

database() { # RELEASE: the database's path, from the config
    pom_of "$1" config show --json | python_of "$1" -c \
        'import json, sys; print(json.load(sys.stdin)["instance"]["data_dir"] + "/pom.db")'
}

# Before a schema changes a copy is taken; the last three are kept.
back_up() { # RELEASE DATABASE
    local folder=/var/lib/pom/backups old
    old=$(python_of "$1" -c 'import os, sqlite3, sys
from pom_cli import store
if os.path.exists(sys.argv[1]) and os.path.getsize(sys.argv[1]):
    [version] = sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version").fetchone()
    print("yes" if version < store.VERSION else "")' "$2")
    [ "$old" = yes ] || return 0
    as_pom mkdir -p -m 0700 "$folder"
    as_pom test -e "$folder/before-$1.db" || pom_of "$1" backup "$folder/before-$1.db"
    as_pom find "$folder" -name 'before-*.db' -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2- |
        as_pom xargs -r -d '\n' rm -f --
}

migrate() { # RELEASE DATABASE
    python_of "$1" -c 'import pathlib, sys
from pom_cli import store
path = pathlib.Path(sys.argv[1])
if path.exists():
    store.open_(path).close()' "$2"
}

prepare() { # RELEASE: the database
    local db
    db=$(database "$1")
    back_up "$1" "$db"
    migrate "$1" "$db"
}

# systemd starts timers after time-sync.target, which waits for the right time only if one of these is enabled. The wait
# is bounded: a host without a time server must be monitored too.
wait_for_clock() {
    local pair waiter bound=/etc/systemd/system/systemd-time-wait-sync.service.d/pom.conf
    for pair in chrony:chrony-wait chronyd:chrony-wait systemd-timesyncd:systemd-time-wait-sync; do
        waiter=${pair#*:}
        if ! systemctl -q is-active "${pair%:*}" || ! systemctl cat "$waiter" >/dev/null 2>&1 ||
            systemctl -q is-enabled "$waiter"; then continue; fi
        if [ "$waiter" = systemd-time-wait-sync ]; then # chrony-wait has a limit already
            mkdir -p "${bound%/*}"
            printf '[Service]\nTimeoutStartSec=3min\n' >"$bound"
        fi
        systemctl -q enable "$waiter" || warn "$waiter cannot be enabled: checks may run before the clock is right"
    done
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

start() { # restart everything and run what is due, so that there are results to judge
    systemctl daemon-reload
    systemctl -q enable pom
    systemctl restart pom || WAIT=10
    [ "$WAIT" = 10 ] || systemctl start pom-check.service pom-heartbeat.service || true
}

healthy() { # RELEASE BEFORE: does it answer 200, and has no unit failed that had not failed before
    local answer='' end=$((SECONDS + WAIT)) unit
    # Another program may listen there: only an answer of PoM's counts.
    until answer=$(health "$1" 2>&1) && [[ $answer == 200\ *'"overdue"'* ]]; do
        if [ "$SECONDS" -ge "$end" ]; then
            warn "not healthy: /api/health: $answer"
            journalctl -u pom -n 15 --no-pager -o cat >&2 || true
            return 1
        fi
        sleep 2 # the API answers a client sixty times a minute
    done
    for unit in $(failed_units); do
        if [[ " ${2//$'\n'/ } " != *" $unit "* ]]; then
            warn "not healthy: $unit failed"
            journalctl -u "$unit" -n 15 --no-pager -o cat >&2 || true
            return 1
        fi
    done
    say "healthy: /api/health: $answer"
}

run() { # NEW OLD BEFORE
    put_units "$1" "$2"
    point current "releases/$1"
    put_on_path
    start
    healthy "$1" "$3"
}

# To the new release and, if that is not healthy, back. `unfinished` shows a later deployment that this one was cut short.
switch() { # NEW OLD
    local new=$1 old=$2 before
    before=$(failed_units)
    try prepare "$new"
    [ "$CODE" = 0 ] || die "the database cannot be prepared: nothing was switched"
    echo "$old" >"$OPT/unfinished"
    try run "$new" "$old" "$before"
    if [ "$CODE" = 0 ]; then
        if [ -n "$old" ] && [ "$old" != "$new" ]; then point previous "releases/$old"; fi
        rm -f "$OPT/unfinished"
        return
    fi
    if [ -z "$old" ] || [ "$old" = "$new" ]; then die "no earlier release to go back to"; fi
    warn "going back to $old"
    try run "$old" "$new" "$before"
    [ "$CODE" = 0 ] || die "$old is not healthy either: see journalctl -u 'pom*'"
    rm -f "$OPT/unfinished"
    die "$old runs again"
}

tidy() { # removes all but the newest few releases, never the current and the previous one
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
    wait_for_clock
    old=$(current)
    if [ -e "$OPT/unfinished" ]; then
        old=$(cat "$OPT/unfinished")
    elif [ "$old" = "$new" ]; then
        put_units "$new"
        if [ "$CHANGED" = no ]; then
            say "$new is already installed"
            healthy "$new" "$(failed_units)"
            return
        fi
    fi
    switch "$new" "$old"
    tidy
}

roll_back() {
    local old now
    now=$(current)
    old=$(basename "$(readlink "$OPT/previous")")
    [ -e "$OPT/releases/$old/complete" ] || die "no earlier release to roll back to"
    pom_of "$old" config check || die "$old does not accept /etc/pom/pom.toml: nothing was switched"
    switch "$old" "$now"
    say "rolled back from $now to $old"
}

show_status() {
    local release timers failed answer
    release=$(current)
    [ -n "$release" ] || { say "PoM is not installed"; return 1; }
    timers=$(systemctl list-units --plain --no-legend --state=active 'pom-*.timer' | wc -l)
    failed=$(failed_units)
    answer=$(health "$release" 2>&1)
    say "release: $release, previous: $(basename "$(readlink "$OPT/previous" 2>/dev/null)" 2>/dev/null || echo none)"
    say "pom.service: $(systemctl is-active pom), active timers: $timers, failed: ${failed:-none}"
    say "/api/health: $answer"
    [ -z "$failed" ] && [ "${answer%% *}" = 200 ]
}

on_host() { # VERB [RELEASE INCOMING]
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    IN=${3:-}
    cd /
    case $1 in
        status) show_status; return ;;
        examine) systemctl start pom-heartbeat.service || true; pom_of "$(current)" doctor; return ;;
    esac
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

near() { # WORD CANDIDATE...: the candidate that was probably meant
    python3 -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1, 0.75))' "$@"
}

check_host() { # what ssh takes, and not a mistyped verb
    case $1 in
        '' | *[!][A-Za-z0-9._@:%/-]*) wrong "'$1' is not a host" ;;
        *[@.:]*) return ;;
    esac
    MEANT=$(near "$1" local rollback status)
    [ -z "$MEANT" ] || wrong "'$1' is not a verb; did you mean $MEANT? For a host of that name: USER@$1"
}

GO_ON=no CONFIG_FILE='' ENV_FILE='' VERB=deploy ARGUMENTS=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help | help) usage; exit 0 ;;
        --all) GO_ON=yes ;;
        --config | --env)
            if [ ! -f "${2:-}" ] || [ ! -r "$2" ]; then wrong "$1: '${2:-}' is not a readable file"; fi
            case $2 in /*) FILE=$2 ;; *) FILE=$PWD/$2 ;; esac
            if [ "$1" = --config ]; then CONFIG_FILE=$FILE; else ENV_FILE=$FILE; fi
            shift ;;
        -*)
            MEANT=$(near "$1" --all --config --env --help)
            wrong "$1 is not an option${MEANT:+; did you mean $MEANT?}" ;;
        local | rollback | status)
            if [ "$VERB" != deploy ] || [ ${#ARGUMENTS[@]} -gt 0 ]; then wrong "$1 must come first"; fi
            VERB=$1 ;;
        *) ARGUMENTS+=("$1") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")"
if [ "$VERB" = local ]; then try_out "${ARGUMENTS[@]:-https://example.com}"; exit; fi
for HOST in ${ARGUMENTS[@]+"${ARGUMENTS[@]}"}; do check_host "$HOST"; done

PIP=()
WORK=$(mktemp -d /tmp/pom-deploy.XXXXXX) # not below $TMPDIR: a socket's path must be short
mkdir "$WORK/facts"
read -r -a SSH <<<"${POM_SSH:-ssh}"
# One shared connection per host; one that no longer answers is given up.
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
