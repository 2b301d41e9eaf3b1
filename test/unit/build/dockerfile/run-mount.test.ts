// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import { runMounts } from "../../../../src/build/dockerfile/run-mount.ts";
import { mistakeIn, parseOne } from "./parse.ts";

function mount(text: string, values: Readonly<Record<string, string>> = {}) {
  const run = parseOne("RUN", `RUN --mount=${text} true`);
  return runMounts(run, { lookUp: (name) => values[name], escape: "\\" }, "/work")[0];
}

const owned = { uid: 0, gid: 0 };

describe("a mount of RUN", () => {
  test.each<[string, object]>([
    ["target=/x", { type: "bind", from: undefined, source: "/", target: "/x", isReadOnly: true }],
    [
      "type=bind,from=a,src=b,dst=c,rw",
      { type: "bind", from: "a", source: "/b", target: "/work/c", isReadOnly: false },
    ],
    [
      "source=../../etc,target=/x,readonly=false",
      { type: "bind", from: undefined, source: "/etc", target: "/x", isReadOnly: false },
    ],
    [
      "type=cache,target=/root//.cache/",
      {
        type: "cache",
        id: "/root/.cache/",
        from: undefined,
        source: "/",
        target: "/root/.cache",
        isReadOnly: false,
        sharing: "shared",
        mode: 0o755,
        ...owned,
      },
    ],
    [
      "type=CACHE,id=a,target=/x,sharing=locked,ro,mode=0700,uid=1,gid=2,from=b,source=/c",
      {
        type: "cache",
        id: "a",
        from: "b",
        source: "/c",
        target: "/x",
        isReadOnly: true,
        sharing: "locked",
        mode: 0o700,
        uid: 1,
        gid: 2,
      },
    ],
    ["type=tmpfs,target=/x", { type: "tmpfs", target: "/x", size: undefined }],
    ["type=tmpfs,target=/x,size=1.5m", { type: "tmpfs", target: "/x", size: 1.5 * 2 ** 20 }],
    [
      "type=secret,id=a",
      {
        type: "secret",
        id: "a",
        target: "/run/secrets/a",
        environmentVariable: undefined,
        isRequired: false,
        mode: 0o400,
        ...owned,
      },
    ],
    ["type=secret,target=/x/key,required", { type: "secret", id: "key", target: "/x/key", isRequired: true }],
    ["type=secret,id=a,env=KEY", { id: "a", target: undefined, environmentVariable: "KEY" }],
    ["type=secret,id=a,env=", { id: "a", target: undefined, environmentVariable: "a" }],
    ["type=secret,id=a,env=KEY,target=k", { target: "/work/k", environmentVariable: "KEY" }],
    ["type=ssh", { type: "ssh", id: "default", target: undefined, isRequired: false, mode: 0o600, ...owned }],
    ["type=ssh,id=a,target=/s,required=true,mode=666", { id: "a", target: "/s", isRequired: true, mode: 0o666 }],
    ['\\"target=/a,b\\",rw', { target: "/a,b", isReadOnly: false }],
  ])("%s", (text, expected) => {
    expect(mount(text)).toMatchObject(expected);
  });

  test("gets values of variables", () => {
    expect(mount("type=$T,target=$D/x,size=$S", { T: "tmpfs", D: "/d", S: "1k" })).toEqual({
      type: "tmpfs",
      target: "/d/x",
      size: 1024,
    });
    expect(mistakeIn(() => mount("type=$T,target=/x", { T: "wrong" }))).toStartWith(
      '2: unsupported mount type "wrong"',
    );
  });

  test.each([
    ["type=cahce,target=/x", `unsupported mount type "cahce" (did you mean cache?)`],
    ["targt=/x", "unexpected key 'targt' in 'targt=/x' (did you mean target?)"],
    ["target", "invalid field 'target' must be a key=value pair"],
    ["type=bind,size=1m,target=/x", "unexpected key 'size' for mount type 'bind'"],
    ["type=bind,required,target=/x", "unexpected key 'required' for mount type 'bind'"],
    ["type=bind,uid=1,target=/x", "unexpected key 'uid' for mount type 'bind'"],
    ["type=secret,from=a,id=b", "unexpected key 'from' for mount type 'secret'"],
    ["type=secret", "invalid secret mount. one of source, target required"],
    ["type=secret,id=a,src=b", "both source and id can't be set"],
    ["type=cache,target=/x,sharing=lokced", `unsupported sharing value "lokced" (did you mean locked?)`],
    ["type=cache,target=/x,mode=9", "invalid value 9 for mode"],
    ["type=cache,target=/x,uid=-1", "invalid value -1 for uid"],
    ["type=cache,target=/", `invalid mount target "/"`],
    ["target=/x,ro=perhaps", "invalid value for readonly: perhaps"],
    ["type=tmpfs,target=/x,size=much", "invalid value for size: much"],
    ["from=$A,target=/x", "'from' doesn't support variable expansion, define alias stage instead"],
    ['\\"target=/x', '--mount: a field that begins with " must end with "'],
  ])("%s is refused: %s", (text, mistake) => {
    expect(mistakeIn(() => parseOne("RUN", `RUN --mount=${text} true`))).toBe(`2: ${mistake}`);
  });
});
