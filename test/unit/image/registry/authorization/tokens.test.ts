import { expect, test } from "bun:test";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { failureOf, openReader, readWhole } from "../reading.ts";
import { refuse, type ScriptedServer, smallImage, startScriptedServer } from "../scripted-server.ts";

const image = smallImage();
const ALICE = { kind: "password", user: "alice", password: "secret" } as const;

/** A registry that wants tokens of a server; only `accepts` says which. */
async function startRegistry(realm: () => string, accepts: (token: string, request: IncomingMessage) => boolean) {
  return startScriptedServer((request, response) => {
    const token = request.headers.authorization?.replace("Bearer ", "");
    if (token === undefined || !accepts(token, request)) {
      const challenge = `Bearer realm="${realm()}",service="the registry",scope="repository:image:pull"`;
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
    } else if (request.url?.includes("/blobs/")) response.end(image.blob);
    else response.end(image.manifest);
  });
}

function answer(response: ServerResponse, content: object): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(content));
}

function realmOf(server: ScriptedServer): string {
  return `http://${server.host}/token`;
}

test("a token is fetched once and used for all that it is good for", async () => {
  await using tokens = await startScriptedServer((_request, response) => answer(response, { token: "t1" }));
  await using registry = await startRegistry(
    () => realmOf(tokens),
    (token) => token === "t1",
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  await Promise.all([reader.readManifest(), reader.readManifest(), readWhole(reader, image.layer)]);
  await reader.readManifest();
  expect(tokens.requests).toEqual(["GET /token?service=the+registry&account=alice&scope=repository%3Aimage%3Apull"]);
  expect(tokens.authorizations).toEqual(["Basic YWxpY2U6c2VjcmV0"]);
  expect(registry.authorizations.at(-1)).toBe("Bearer t1");
});

test("without a login, nobody's name is sent for a token", async () => {
  await using tokens = await startScriptedServer((_request, response) => answer(response, { access_token: "t1" }));
  await using registry = await startRegistry(
    () => realmOf(tokens),
    () => true,
  );
  await using reader = openReader(`${registry.host}/image:1`, { authFile: "/dev/null" });
  await reader.readManifest();
  expect(tokens.requests).toEqual(["GET /token?service=the+registry&scope=repository%3Aimage%3Apull"]);
  expect(tokens.authorizations).toEqual([undefined]);
});

test.each([
  ["a token that is refused in the middle is fetched anew", 1],
  ["requests whose token is refused at once share the next one", 5],
])("%s", async (_name, requests) => {
  let issued = 0;
  let valid = "t1";
  await using tokens = await startScriptedServer((_request, response) => answer(response, { token: `t${++issued}` }));
  await using registry = await startRegistry(
    () => realmOf(tokens),
    (token) => token === valid,
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  await reader.readManifest();
  valid = "t2";
  const blobs = await Promise.all(Array.from({ length: requests }, () => readWhole(reader, image.layer)));
  for (const blob of blobs) expect(blob.equals(image.blob)).toBe(true);
  expect(issued).toBe(2);
});

test("a token server that has moved is followed, with the password only at its own host", async () => {
  await using elsewhere = await startScriptedServer((_request, response) => answer(response, { token: "t1" }));
  await using tokens = await startScriptedServer((request, response) => {
    const next = request.url?.startsWith("/token/") ? `http://${elsewhere.host}/` : "/token/";
    response.writeHead(307, { location: next }).end();
  });
  await using registry = await startRegistry(
    () => realmOf(tokens),
    (token) => token === "t1",
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  await reader.readManifest();
  expect(tokens.authorizations).toEqual(["Basic YWxpY2U6c2VjcmV0", "Basic YWxpY2U6c2VjcmV0"]);
  expect(elsewhere.authorizations).toEqual([undefined]);
});

test("an identity token does not follow a redirect", async () => {
  await using elsewhere = await startScriptedServer((_request, response) => answer(response, { token: "t1" }));
  await using tokens = await startScriptedServer((_request, response) => {
    response.writeHead(307, { location: `http://${elsewhere.host}/` }).end();
  });
  await using registry = await startRegistry(
    () => realmOf(tokens),
    () => true,
  );
  const credentials = { kind: "identity-token", token: "from login" } as const;
  await using reader = openReader(`${registry.host}/image:1`, { credentials });
  expect((await failureOf(reader.readManifest())).message).toEndWith("the token server answers 307");
  expect(elsewhere.requests).toEqual([]);
});

test("an empty token beside another is none", async () => {
  await using tokens = await startScriptedServer((_request, response) =>
    answer(response, { token: "", access_token: "t1" }),
  );
  await using registry = await startRegistry(
    () => realmOf(tokens),
    (token) => token === "t1",
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  expect((await reader.readManifest()).digest).toBe(image.manifestDigest);
});

test("an identity token is exchanged as OAuth 2 says", async () => {
  const forms: string[] = [];
  await using tokens = await startScriptedServer(async (request, response) => {
    forms.push(await text(request));
    answer(response, { access_token: "t1", expires_in: 300 });
  });
  await using registry = await startRegistry(
    () => realmOf(tokens),
    (token) => token === "t1",
  );
  const credentials = { kind: "identity-token", token: "from login" } as const;
  await using reader = openReader(`${registry.host}/image:1`, { credentials });
  await reader.readManifest();
  expect(tokens.requests).toEqual(["POST /token"]);
  expect(Object.fromEntries(new URLSearchParams(forms[0]))).toEqual({
    grant_type: "refresh_token",
    service: "the registry",
    client_id: "bunker",
    refresh_token: "from login",
    scope: "repository:image:pull",
  });
});

test("a token that is never good enough ends in an error", async () => {
  await using tokens = await startScriptedServer((_request, response) => answer(response, { token: "t1" }));
  await using registry = await startRegistry(
    () => realmOf(tokens),
    () => false,
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  expect(await failureOf(reader.readManifest())).toMatchObject({ code: "registry_unauthorized" });
  expect(registry.requests.length).toBeLessThan(4);
});

test("a token server's fault passes, its refusal does not", async () => {
  let asked = 0;
  await using tokens = await startScriptedServer((_request, response) => {
    asked += 1;
    if (asked === 1) refuse(response, 503, "UNAVAILABLE");
    else refuse(response, 401, "UNAUTHORIZED");
  });
  await using registry = await startRegistry(
    () => realmOf(tokens),
    () => true,
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  expect(await failureOf(reader.readManifest())).toMatchObject({
    code: "registry_unauthorized",
    message: expect.stringContaining(`${registry.host} does not accept the user name or password`),
    hint: `Log in with: bunker login ${registry.host}`,
  });
  expect(asked).toBe(2);
});

test.each([
  [{}, "has no token"],
  [{ token: "two\r\nlines" }, "has no token"],
  [[], "has no token"],
])("an answer %j of the token server is refused", async (content, reason) => {
  await using tokens = await startScriptedServer((_request, response) => answer(response, content));
  await using registry = await startRegistry(
    () => realmOf(tokens),
    () => true,
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  expect((await failureOf(reader.readManifest())).message).toContain(reason);
});

test("a realm that is no URL is refused", async () => {
  await using registry = await startRegistry(
    () => "nowhere",
    () => true,
  );
  await using reader = openReader(`${registry.host}/image:1`, { credentials: ALICE });
  expect(await failureOf(reader.readManifest())).toMatchObject({ code: "registry_failed" });
});
