import { expect, test } from "bun:test";
import { hiddenFields } from "../../../../src/cli/format/hidden-fields.ts";
import { NIL_MAP } from "../../../../src/cli/format/template/value.ts";
import { executeInspection, readTemplate } from "../../../../src/cli/format/user-template.ts";

const thing = {
  Id: "sha256:1",
  Config: hiddenFields({ Cmd: ["sh"], Labels: NIL_MAP }, { Healthcheck: null }),
  Created: new Date(0),
};
const shown = (template: string) => executeInspection(readTemplate(template), thing);

test.each([
  // What a struct can do is done with it.
  ["{{.Created}}", "1970-01-01 00:00:00 +0000 UTC"],
  ["{{.Config.Labels.missing}}", "<no value>"],
  ["{{.Config.Healthcheck}}", "<nil>"],
  ["{{if .Config.Healthcheck}}yes{{else}}no{{end}}", "no"],
  ["{{json .Config}}", '{"Cmd":["sh"],"Labels":null}'],
  // The rest with its JSON.
  ['{{index .Config "Cmd"}}', "[sh]"],
  ["{{range $name, $value := .Config}}{{$name}} {{end}}", "Cmd Labels "],
  ['{{index .Config "Labels"}}{{index . "Id"}}', "<no value>sha256:1"],
])("%s", (template, text) => {
  expect(shown(template)).toBe(text);
});

test.each([
  ["{{.Config.Nope}}", /can't evaluate field Nope in type struct$/],
  ['{{index .Config "Cmd"}}{{.Nope}}', /can't index item of type struct$/],
  ["{{.Id.Nope}}", /can't evaluate field Nope in type string$/],
])("%s is a mistake, told in the words for structs", (template, message) => {
  expect(() => shown(template)).toThrow(message);
});
