/* Sockets that systemd opens for a service, and that its container gets. */
import { describe, expect, test } from "bun:test";
import { askFromHost } from "../network/host-side.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/** Opens a socket as systemd does, at a port that it prints, and becomes Bunker. */
const ACTIVATE = `
import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(16)
print(s.getsockname()[1], flush=True)
count = int(sys.argv[1])
for number in range(3, 3 + count):
    os.dup2(s.fileno(), number)
    os.set_inheritable(number, True)
pid = os.getpid() + int(sys.argv[2])
environment = {**os.environ, "LISTEN_FDS": str(count), "LISTEN_PID": str(pid), "LISTEN_FDNAMES": ":".join(["web", "db"][:count])}
os.execve(sys.argv[3], sys.argv[3:], environment)
`;

/** Takes one connection of the socket that is descriptor 3. */
const SERVE = `
import os, socket
s = socket.socket(fileno=3)
while True:
    c, _ = s.accept()
    c.sendall(" ".join([os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"], os.environ["LISTEN_FDNAMES"]]).encode())
    c.close()
`;

function activated(count: number, wrongPid: 0 | 1, words: readonly string[]) {
  const { user } = suite;
  return user.execute(["python3", "-c", ACTIVATE, String(count), String(wrongPid), user.bunkerPath, ...words]);
}

describe("sockets of a unit", () => {
  test("are served by the container, and by nobody else when it has ended", async () => {
    const { user } = suite;
    const run = ["run", "-d", "--name", "web", "--rootfs", "/:O", "python3", "-c", SERVE];
    const { output, errors } = await activated(1, 0, run);
    expect(errors).toBe("");
    const port = Number(output.split("\n")[0]);
    expect(await askFromHost("127.0.0.1", port)).toBe("1 1 web");
    await user.bunker(["rm", "-f", "web"]);
    await expect(Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } })).rejects.toThrow(
      "Failed to connect",
    );
  });

  test("of which there are several keep their numbers, also with an init", async () => {
    const script =
      "ls /proc/self/fd; [ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES; ls -l /proc/$$/fd/[34] | grep -c socket:";
    for (const more of [[], ["--init"]]) {
      const { output, errors } = await activated(2, 0, ["run", "--rm", ...more, suite.image, "sh", "-c", script]);
      expect(errors).toBe("");
      // The directory itself is one more.
      expect(output.split("\n").slice(1)).toEqual(["0", "1", "2", "3", "4", "5", "2 web:db", "2", ""]);
    }
  });

  test("are for the process that they are given to, also among those of the host", async () => {
    const script = "[ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES";
    const run = ["run", "--rm", "--pid", "host"];
    for (const more of [[], ["--init"]]) {
      const { output, errors } = await activated(1, 0, [...run, ...more, suite.image, "sh", "-c", script]);
      expect(errors).toBe("");
      expect(output.split("\n").slice(1)).toEqual(["1 web", ""]);
    }
  });

  test("that are for another process are not passed on", async () => {
    const script = "ls /proc/self/fd; echo $LISTEN_FDS";
    const { output } = await activated(1, 1, ["run", "--rm", suite.image, "sh", "-c", script]);
    expect(output.split("\n").slice(1)).toEqual(["0", "1", "2", "3", "", ""]);
  });

  test("that are not there are missed", async () => {
    const { user } = suite;
    const program =
      'import os, sys; os.execve(sys.argv[1], sys.argv[1:], {**os.environ, "LISTEN_FDS": "900", "LISTEN_PID": str(os.getpid())})';
    const words = [user.bunkerPath, "run", "--rm", suite.image, "true"];
    expect(await user.execute(["python3", "-c", program, ...words])).toMatchObject({
      status: 125,
      errors: expect.stringMatching(/^bunker: pass sockets on descriptor \d+: EBADF\n/),
    });
  });
});
