#!/bin/bash
# Takes jobs from the tests outside, over the serial line: lines `USER JOB`, answered by `JOB STATUS`. A job is the
# directory /host/jobs/JOB with a script `job`, and gets its `stdout` and `stderr` there. Jobs run side by side.
#
#   dev    in a login session, as somebody who sits before the machine
#   bare   without a session, as a service of another user's would
#   root
set -u
line=/dev/ttyS0

# Runs the jobs that come in on standard input.
run_jobs() {
  local job
  while read -r job; do
    (
      cd || exit
      bash "/host/jobs/$job/job" >"/host/jobs/$job/stdout" 2>"/host/jobs/$job/stderr" </dev/null
      status=$?
      # What is written here is to be seen on the other side.
      sync "/host/jobs/$job/stdout" "/host/jobs/$job/stderr"
      echo "$job $status" >"$line"
    ) &
  done
}

if [[ ${1:-} == jobs ]]; then
  run_jobs
  exit
fi

chmod 666 "$line"
# Stays open: what comes in while nobody has the line is lost.
exec {control}<>"$line"
stty raw -echo <&"$control"
mount -t hostfs none /host -o /host
install --mode=755 /host/bunker /usr/local/bin/bunker
ln -s bunker /usr/local/bin/bunker-runtime
for user in dev bare root; do
  mkfifo -m 644 "/run/jobs-$user"
done
# The session's environment is what pam_systemd gives; PATH has the administrator's programs as well.
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
su --login dev --command "export PATH=$path DBUS_SESSION_BUS_ADDRESS=unix:path=\$XDG_RUNTIME_DIR/bus
  exec /usr/local/sbin/laptop-agent jobs" </run/jobs-dev &
setpriv --reuid=bare --regid=bare --init-groups env -i HOME=/home/bare USER=bare PATH=$path \
  /usr/local/sbin/laptop-agent jobs </run/jobs-bare &
HOME=/root PATH=$path /usr/local/sbin/laptop-agent jobs </run/jobs-root &
exec {dev}>/run/jobs-dev {bare}>/run/jobs-bare {root}>/run/jobs-root
for _ in {1..100}; do
  [[ -S /run/user/1000/bus ]] && break
  sleep 0.1
done
echo ready >&"$control"
while read -r user job; do
  echo "$job" >&"${!user}"
done <&"$control"
# The line was hung up.
systemctl poweroff --force --force
