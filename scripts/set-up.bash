# What scripts/try and scripts/test do to get a Debian machine ready. To be sourced, in the project's directory.
# Every function may be called again: it does what is still missing and says so.
# shellcheck shell=bash

say() {
  printf '\n==> %s\n' "$*"
}

fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

is_root() {
  [[ $EUID -eq 0 ]]
}

# Runs a command with root's rights.
as_root() {
  if is_root; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "root's rights are needed, and there is no sudo, for: $*"
  fi
}

# Runs a command as another user, with an environment of that user's own. Only for root.
as_user() {
  local user=$1 home
  shift
  home=$(getent passwd "$user" | cut -d: -f6)
  # Nothing may be told to a directory or a terminal that the other user has no part in.
  (cd / && exec setpriv --reuid="$user" --regid="$user" --init-groups \
    env -i HOME="$home" USER="$user" LOGNAME="$user" PATH="$PATH" TERM="${TERM:-dumb}" LANG="${LANG:-C.UTF-8}" "$@")
}

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Installs those of the named Debian packages that are missing.
install_packages() {
  local package missing=()
  command -v apt-get >/dev/null || fail "this script installs packages with apt-get; install by other means: $*"
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} -eq 0 ]] && return
  say "Installing ${missing[*]}"
  as_root apt-get update --quiet
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
}

# Installs Bun and the other npm packages as the lock file names them, unless that was done already.
install_node_packages() {
  [[ node_modules/.package-lock.json -nt package-lock.json ]] && return
  command -v npm >/dev/null || fail "Node.js 20 or later with npm is needed"
  say "Installing Bun and the npm packages"
  npm ci
}

bun() {
  node_modules/.bin/bun "$@"
}

# Makes sure that a user has subordinate ids, behind those that others have.
give_subordinate_ids() {
  local user=$1 first
  grep -q "^$user:" /etc/subuid && grep -q "^$user:" /etc/subgid && return
  say "Giving subordinate ids to $user"
  first=$(cat /etc/subuid /etc/subgid 2>/dev/null |
    awk -F: 'BEGIN { first = 100000 } $2 + $3 > first { first = $2 + $3 } END { print first }')
  as_root sed -i "/^$user:/d" /etc/subuid /etc/subgid
  as_root usermod --add-subuids "$first-$((first + 65535))" --add-subgids "$first-$((first + 65535))" "$user"
}

# Makes an ordinary user, unless there is one of that name.
make_user() {
  id "$1" >/dev/null 2>&1 && return
  say "Making the user $1"
  as_root useradd --create-home --shell /bin/bash "$1"
}
