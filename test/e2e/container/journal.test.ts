import { expect, test } from "bun:test";
import { finish } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

/**
 * A journal: prints what it is sent. Like journald it does nothing with an empty datagram. When its input ends, it ends
 * after what had been sent by then, which comes before what it sends itself.
 */
const JOURNAL = `
import os, socket, sys, threading
path = "/run/systemd/journal/socket"
os.makedirs(os.path.dirname(path))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
os.chmod(path, 0o666)
open("/run/ready", "w").close()
def end():
    sys.stdin.read()
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"end", path)
threading.Thread(target=end).start()
while (entry := s.recv(1 << 20)) != b"end":
    if entry: print(entry.decode("latin1").replace("\\n", " ").replace("\\0", ""))
`;

test("the log driver journald gives the output to the journal, where there is one", async () => {
  const refused = await suite.user.run(["--log-driver", "journald", suite.image, "true"]);
  expect(refused.errors).toMatch(/^bunker: use the log driver journald: there is no journal of systemd's on this host/);
  expect(refused.status).toBe(125);

  const commands = `
    "$1" run -d --name web --log-driver journald --log-opt tag=my-{{.Name}} "$2" sh -c 'echo hello; echo wrong >&2' >/dev/null
    "$1" wait web
    "$1" logs web
    mkdir -p /var/log/journal/$(cat /etc/machine-id)
    (umask 777; echo >/var/log/journal/$(cat /etc/machine-id)/system.journal)
    "$1" logs web
    "$1" inspect --format '{{.HostConfig.LogConfig.Type}} [{{.LogPath}}]' web
    "$1" rm web`;
  const host = `
    set -e
    mount -t tmpfs tmpfs /run
    mount -t tmpfs -o mode=777 tmpfs /var/log
    printf %032d 7 >/run/machine-id
    mount --bind /run/machine-id /etc/machine-id
    mkfifo /run/ready /run/end
    python3 -c "$1" </run/end >/run/entries &
    exec 3>/run/end
    cat /run/ready
    shift
    "$@" 3>&-
    exec 3>&-
    wait
    cat /run/entries`;
  const words = suite.user.as(["sh", "-c", commands, "sh", suite.user.bunkerPath, suite.image]);
  const { output, errors } = await finish(
    suite.user.startAsRoot(["unshare", "-m", "sh", "-c", host, "sh", JOURNAL, ...words]),
  );
  expect(errors.split("\n")).toEqual([
    "bunker: read the log of container web: it is in systemd's journal, and there is none in /var/log/journal or /run/log/journal",
    `bunker: read the log of container web: it is in systemd's journal, which this user may not read: /var/log/journal/${"7".padStart(32, "0")}/system.journal: EACCES`,
    "hint: An administrator lets you: usermod --append --groups systemd-journal $USER; it holds after the next login.",
    "",
  ]);
  const [status, inspected, removed, ...entries] = output.trimEnd().split("\n");
  expect([status, inspected, removed]).toEqual(["0", "journald []", "web"]);
  expect(entries.toSorted().map((entry) => /PRIORITY=(\d) MESSAGE +\S(\S+)/.exec(entry)?.slice(1))).toEqual(
    expect.arrayContaining([
      ["6", "hello"],
      ["3", "wrong"],
    ]),
  );
  for (const entry of entries) expect(entry).toContain("CONTAINER_NAME=web CONTAINER_TAG=my-web IMAGE_NAME=oci:");
});
