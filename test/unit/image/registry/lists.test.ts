import { expect, test } from "bun:test";
import { parseReference } from "../../../../src/image/reference.ts";
import { listRepositories, listTags } from "../../../../src/image/registry/lists.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";
import { failureOf, NEVER, SHORT_PATIENCE } from "./reading.ts";
import { type Handler, startScriptedServer } from "./scripted-server.ts";

async function tagsFrom(handler: Handler) {
  await using server = await startScriptedServer(handler);
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  const repository = registries.forPush(parseReference(`${server.host}/image`));
  const tags = await Array.fromAsync(listTags(repository, "image", NEVER)).catch((error) =>
    failureOf(Promise.reject(error)),
  );
  return { tags, requests: server.requests };
}

test("a list goes on where its pages say", async () => {
  const { tags, requests } = await tagsFrom((request, response) => {
    const last = new URL(request.url ?? "", "http://x").searchParams.get("last");
    if (last === null) response.setHeader("link", '</v2/image/tags/list?n=2&last=b>; rel="next"');
    response.end(JSON.stringify({ name: "image", tags: last === null ? ["a", "b"] : ["c"] }));
  });
  expect(tags).toEqual(["a", "b", "c"]);
  expect(requests).toEqual(["GET /v2/image/tags/list?n=1000", "GET /v2/image/tags/list?n=2&last=b"]);
});

test.each([
  ["to itself", "</v2/image/tags/list?n=1000>; rel=next"],
  ["to no URL", '<http://[/tags>; rel="next"'],
  ["to what is not the next page", '</v2/other>; rel="first"'],
])("a link %s is not followed", async (_name, link) => {
  const { tags, requests } = await tagsFrom((_request, response) => {
    response.setHeader("link", link);
    response.end('{"tags":["a"]}');
  });
  expect(tags).toEqual(["a"]);
  expect(requests.length).toBe(1);
});

test("links in a circle are followed once", async () => {
  const { tags, requests } = await tagsFrom((request, response) => {
    const tag = request.url?.includes("last=a") === true ? "b" : "a";
    response.setHeader("link", `</v2/image/tags/list?last=${tag}>; rel="next"`);
    response.end(JSON.stringify({ tags: [tag] }));
  });
  expect(requests.slice(0, 3)).toEqual([
    "GET /v2/image/tags/list?n=1000",
    "GET /v2/image/tags/list?last=a",
    "GET /v2/image/tags/list?last=b",
  ]);
  expect({ tags, requests: requests.length }).toEqual({ tags: ["a", "b", "a"], requests: 3 });
});

test("a link to another host is followed at the registry that was asked", async () => {
  const { tags, requests } = await tagsFrom((request, response) => {
    const isFirst = !request.url?.includes("last=");
    if (isFirst) response.setHeader("link", '<https://internal:5000/v2/image/tags/list?n=1&last=a>; rel="next"');
    response.end(JSON.stringify({ tags: isFirst ? ["a"] : ["b"] }));
  });
  expect(tags).toEqual(["a", "b"]);
  expect(requests.at(-1)).toBe("GET /v2/image/tags/list?n=1&last=a");
});

test("null is an empty list, as Go writes it; another form is refused", async () => {
  expect((await tagsFrom((_request, response) => void response.end('{"tags":null}'))).tags).toEqual([]);
  expect((await tagsFrom((_request, response) => void response.end('{"tags":"a"}'))).tags).toMatchObject({
    code: "image_invalid",
  });
});

test("what is no tag is not listed: what registries have put there by mistake is left out, the rest refused", async () => {
  const list = async (...tags: readonly unknown[]) =>
    (await tagsFrom((_request, response) => void response.end(JSON.stringify({ tags })))).tags;
  expect(await list(null, "a", "", `sha256:${"0".repeat(64)}`)).toEqual(["a"]);
  for (const tag of ["../../other/manifests/1", "a b", "\x1b[31m", "a/b", ".."]) {
    expect(await list("a", tag)).toEqual({
      code: "image_invalid",
      message: `read the tags of image: ${JSON.stringify(tag)} is no tag`,
    });
  }
});

test("what is no repository is not listed", async () => {
  const body = JSON.stringify({ repositories: ["a/b", null, "A", "a\x1b[31m", "../a", "a:1"] });
  await using server = await startScriptedServer((_request, response) => void response.end(body));
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  expect(await Array.fromAsync(listRepositories(registries.registry(server.host), NEVER))).toEqual(["a/b"]);
});

test("the repositories of a registry are listed", async () => {
  await using server = await startScriptedServer((_request, response) => void response.end('{"repositories":["a/b"]}'));
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  expect(await Array.fromAsync(listRepositories(registries.registry(server.host), NEVER))).toEqual(["a/b"]);
});
