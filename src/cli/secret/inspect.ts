import { dataDirectory } from "../../engine/data-directory.ts";
import { readSecret, secretsDirectory } from "../../engine/secrets/secret-data.ts";
import { findSecret, openSecrets, type Secret } from "../../engine/state/secrets.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption } from "../format/format-option.ts";
import { mapOrNil, type Structure } from "../format/template/value.ts";
import { printInspections } from "../inspect-output.ts";
import { flag } from "../option.ts";

const PRETTY = `ID:              {{.ID}}
Name:            {{.Spec.Name}}
Labels:          {{range $key, $value := .Spec.Labels}}
 - {{$key}}={{$value}}{{end}}
Driver:          {{.Spec.Driver.Name}}
Created at:      {{.CreatedAt}}
Updated at:      {{.UpdatedAt}}`;

/** `bunker secret inspect`. */
export const inspect = defineCommand(
  {
    options: {
      format: inspectFormatOption,
      pretty: flag({ name: "pretty", description: "Show it for people" }),
      showSecret: flag({ name: "showsecret", description: "Show the data, too" }),
    },
    required: ["SECRET"],
    optional: "[SECRET...]",
    failureStatus: 1,
  },
  async ({ options: { format, pretty, showSecret }, operands }) => {
    if (pretty && format !== undefined) {
      const operation = "conflicting options: --format and --pretty";
      throw new BunkerError({ code: "conflicting_options", operation, exitStatus: 1 });
    }
    const data = dataDirectory();
    using database = openSecrets(data);
    const template = pretty ? `${PRETTY}${showSecret ? "\nSecret:          {{.SecretData}}" : ""}` : format;
    return await printInspections(operands, template, (reference) => ({
      ...inspectSecret(data, findSecret(database, reference)),
      ...(showSecret ? { SecretData: readSecret(database, data, reference).content.toString("utf8") } : {}),
    }));
  },
);

/** What `podman secret inspect` shows. */
function inspectSecret(data: string, { id, name, created, updated, labels }: Secret): Structure {
  return {
    ID: id,
    CreatedAt: new Date(created).toISOString(),
    UpdatedAt: new Date(updated).toISOString(),
    Spec: {
      Name: name,
      Driver: { Name: "file", Options: mapOrNil({ path: secretsDirectory(data) }) },
      Labels: mapOrNil(labels),
    },
  };
}
