# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by the scripts beside it; run from anywhere, they work at the top of the checkout.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=ci/$(basename "$0")

# Git refuses a checkout that belongs to another user, which is the usual case for root in a container.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$top"

say() { printf '%s: %s\n' "$me" "$*"; }

warn() { say "$@" >&2; }

# die STATUS MESSAGE...
die() {
    warn "${@:2}"
    exit "$1"
}

is_root() { ((EUID == 0)); }

# Runs a command, printing it before and its time after; the status is the command's.
step() {
    local name=$1 start=$SECONDS status=0
    shift
    say "$name: $*"
    "$@" || status=$?
    if ((status == 0)); then
        say "$name: done in $((SECONDS - start)) s"
    else
        say "$name: FAILED with status $status after $((SECONDS - start)) s"
    fi
    return "$status"
}

# Under sudo, what root wrote into the checkout belongs to the user who asked for it.
give_back() {
    local path
    is_root && ((${SUDO_UID:-0} != 0)) || return 0
    for path in "$@"; do
        if [[ -e $path ]]; then
            chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$path"
        fi
    done
}

# A variable of os-release, empty where there is none.
os_release() {
    # shellcheck source=/dev/null
    [[ ! -r /etc/os-release ]] || (. /etc/os-release && printf '%s' "${!1-}")
}

# debian_site LABEL [APT OPTION...]: where the configured sources find that archive (Debian or
# Debian-Security), as "URI|suite as written", or nothing. The labels are known once lists have been
# fetched; before that the name of the suite has to do.
debian_site() {
    local label=$1 release known
    release=$(os_release VERSION_CODENAME)
    if [[ $label == Debian-Security ]]; then
        release+=-security
    fi
    for known in --release-info --no-release-info; do
        # The fields are for apt-get to fill in.
        # shellcheck disable=SC2016
        apt-get indextargets "${@:2}" "$known" \
            --format '$(CREATED_BY)|$(COMPONENT)|$(LABEL)|$(CODENAME)|$(RELEASE)|$(SITE)'
    done | awk -F'|' -v label="$label" -v want="$release" '
        $1 != "Packages" || $2 != "main" { next }
        ($3 == label && $4 == want) || (index($3, "$") && $5 == want) { if (!found++) print $6 "|" $5 }'
}
