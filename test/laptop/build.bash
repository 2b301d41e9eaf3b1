#!/bin/bash
# Makes what the laptop boots from (see laptop.ts) in a directory:
#
#   usr/             User Mode Linux with the C library that it was linked with; the directory is to be entered by chroot(2)
#   disk/disk.img    Debian bookworm on ext4: systemd with an agent that takes the tests' jobs, two users, Podman, and in
#                    /home/dev/machine another Debian, whose files belong to the ids that dev's containers have
#
# The kernel is of the newest Debian: 6.1 and 6.12 abort while they boot on some of today's processors, 6.16 and later do
# not. Those processors have AMX, whose registers need much room, so a buffer for registers that is too small in the older
# kernels may be the cause; that has not been proven.
#
# Usage: build.bash DIRECTORY
set -euo pipefail
place=$1
guest=$(dirname "$(realpath "$0")")/guest

# What is put together lies in memory until it is complete.
work=$(mktemp --directory --tmpdir=/dev/shm bunker-laptop-build-XXXXXX)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work

build_kernel() {
  local suite
  # What is in testing may be taken out of it for a while; stable has an older one.
  for suite in forky trixie; do
    # A mirror that is not updated any more is as good as another.
    if mmdebstrap --quiet --mode=root --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
      --include=user-mode-linux,libc6,libgcc-s1 "$suite" "$work/kernel.tar"; then
      tar -C "$place" -xf "$work/kernel.tar" ./usr/bin/linux.uml ./usr/lib/uml ./usr/lib64 \
        --wildcards './usr/lib/x86_64-linux-gnu/*.so*'
      rm "$work/kernel.tar"
      mkdir "$place"/{dev,disk,host,proc,tmp}
      ln -s usr/lib usr/lib64 "$place/"
      return
    fi
  done
  return 1
}

build_root() {
  mmdebstrap --quiet --mode=root --variant=apt --format=tar \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,uidmap,fuse3,iproute2,kmod,procps,busybox-static,podman \
    bookworm "$work/root.tar"
  mkdir "$work/root"
  tar -C "$work/root" -xf "$work/root.tar"
  rm "$work/root.tar"
}

# A root file system with systemd for a container of dev's: 0 in it is dev, 1 and up are dev's subordinate ids.
make_machine() {
  local machine=$1 ids owner group
  mkdir -p "$machine"
  tar -C "$work/root" -cf - --exclude='*podman*' --exclude=./home . | tar -C "$machine" -xf -
  find "$machine" -printf '%U:%G\n' | sort -u >"$work/ids"
  shift_id() { (($1 == 0)) && echo 1000 || echo $((99999 + $1)); }
  while IFS=: read -r owner group; do
    ids=$(shift_id "$owner"):$(shift_id "$group")
    find "$machine" -uid "$owner" -gid "$group" -print0 >"$work/files"
    xargs -0 chown --no-dereference "$ids" <"$work/files"
  done <"$work/ids"
}

# As a desktop has it: whoever is logged in may divide all that the machine has.
configure_root() {
  local root=$work/root unit
  make_machine "$work/machine"
  chroot "$root" useradd --create-home --shell /bin/bash dev
  chroot "$root" useradd --create-home --shell /bin/bash bare
  echo 'dev:100000:65536' | tee "$root/etc/subuid" >"$root/etc/subgid"
  mkdir -p "$root/var/lib/systemd/linger" "$root/etc/systemd/system/user@.service.d" "$root/host"
  touch "$root/var/lib/systemd/linger/dev"
  printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >"$root/etc/systemd/system/user@.service.d/delegate.conf"
  printf '%s\n' tun fuse overlay >"$root/etc/modules-load.d/laptop.conf"
  printf 'z /dev/fuse 0666\nz /dev/net/tun 0666\n' >"$root/etc/tmpfiles.d/laptop.conf"
  echo laptop >"$root/etc/hostname"
  printf '127.0.0.1 localhost laptop\n::1 localhost\n' >"$root/etc/hosts"
  mv "$work/machine" "$root/home/dev/machine"
  mkdir -p "$root/lib/modules"
  cp -a "$place"/usr/lib/uml/modules/. "$root/lib/modules/"
  install --mode=755 "$guest/agent.bash" "$root/usr/local/sbin/laptop-agent"
  install --mode=644 "$guest/laptop-agent.service" "$root/etc/systemd/system/"
  chroot "$root" systemctl enable --quiet laptop-agent.service
  for unit in getty.target getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-update-utmp.service systemd-timesyncd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
}

build_root &
root=$!
build_kernel
wait "$root"
configure_root
mkfs.ext4 -q -F -d "$work/root" "$place/disk/disk.img" 6G
rm -rf "$place/usr/lib/uml"
