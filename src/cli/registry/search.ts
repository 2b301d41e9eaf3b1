import { familiarReference, fullRepository, parseReference } from "../../image/reference.ts";
import { searchHub } from "../../image/registry/hub-search.ts";
import { listRepositories, listTags } from "../../image/registry/lists.ts";
import { Registries } from "../../image/registry/registries.ts";
import type { RegistryClient } from "../../image/registry/registry-client.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { type Filters, filterOption } from "../filters/filter-option.ts";
import { readFilter } from "../filters/filter-value.ts";
import { listFormatOption } from "../format/format-option.ts";
import { hiddenFields } from "../format/hidden-fields.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { printText } from "../format/print-text.ts";
import { shorten } from "../format/shorten.ts";
import { warning } from "../messages.ts";
import { flag, parseBoolean, single } from "../option.ts";
import { integerBetween } from "../values/numbers.ts";
import { registryOptions, registrySettings } from "./registry-options.ts";

const DOCKER_HUB = "docker.io";
const USUAL_LIMIT = 25;
const LONGEST_DESCRIPTION = 45;

const repositoryList: ListDescription = {
  titles: {
    Description: "DESCRIPTION",
    IsAutomated: "AUTOMATED",
    IsOfficial: "OFFICIAL",
    Name: "NAME",
    StarCount: "STARS",
    // Podman's.
    Automated: "AUTOMATED",
    Index: "INDEX",
    Official: "OFFICIAL",
    Stars: "STARS",
  },
  columns: ["Name", "Description", "StarCount", "IsOfficial"],
};

const tagList: ListDescription = { titles: { Name: "NAME", Tag: "TAG" }, columns: ["Name", "Tag"] };

/** A repository that was found; only Docker Hub tells more than the name. */
interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

type FilterKey = "is-official" | "is-automated" | "stars";

/** `bunker search`. */
export const search = defineCommand(
  {
    options: {
      ...registryOptions,
      isCompatible: flag({
        name: "compatible",
        description: "Show stars and what is official as Docker does, which is always so",
      }),
      filter: filterOption(["is-official", "is-automated", "stars"], "f"),
      format: listFormatOption,
      limit: single({
        name: "limit",
        valueName: "N",
        description: "The most results to show",
        parse: integerBetween(1, 100),
        initial: undefined,
        initialText: `${USUAL_LIMIT}; all with --list-tags`,
      }),
      listTags: flag({ name: "list-tags", description: "List the tags of a repository" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten descriptions" }),
    },
    required: ["TERM"],
    failureStatus: 1,
  },
  async ({ options, operands: [term] }) => {
    const { format, limit, whole } = options;
    const signal = new AbortController().signal;
    using registries = new Registries(registrySettings(options), warning);
    if (options.listTags) {
      const rows = await findTags(registries, term, limit ?? Number.POSITIVE_INFINITY, signal);
      printText(await formatList(tagList, format, rows));
      return 0;
    }
    const fits = readFilters(options.filter);
    const { registry, words } = splitTerm(term);
    const client = registries.registry(registry);
    const most = limit ?? USUAL_LIMIT;
    const found =
      registry === DOCKER_HUB
        ? await findInHub(client, words, most, signal)
        : await findInCatalog(client, words, most, signal);
    const rows = found.filter(fits).map(({ name, description, stars, isOfficial, isAutomated }) => {
      const [automated, official] = [mark(isAutomated), mark(isOfficial)];
      const fields = {
        Description: whole ? description : shorten(description, LONGEST_DESCRIPTION),
        IsAutomated: automated,
        IsOfficial: official,
        Name: name,
        StarCount: stars,
      };
      return hiddenFields(fields, { Automated: automated, Index: registry, Official: official, Stars: stars });
    });
    printText(await formatList(repositoryList, format, rows));
    return 0;
  },
);

/** The registry that a term names, as a name's would; the whole of it is a term for Docker Hub otherwise. */
function splitTerm(term: string): { readonly registry: string; readonly words: string } {
  const slash = term.indexOf("/");
  const first = slash < 0 ? term : term.slice(0, slash);
  const isHost = slash < 0 ? /:\d+$/.test(first) : /[.:]/.test(first) || first === "localhost";
  if (!isHost) return { registry: DOCKER_HUB, words: term };
  const registry = /^(?:index\.)?docker\.io$/.test(first) ? DOCKER_HUB : first;
  // What is no host's name is told by the name's own rules.
  parseReference(`${registry}/x`);
  return { registry, words: slash < 0 ? "" : term.slice(slash + 1) };
}

async function findInHub(client: RegistryClient, words: string, limit: number, signal: AbortSignal) {
  const found = await searchHub(client, words, limit, signal);
  return found.map(
    (each): FoundRepository => ({
      name: each.name,
      description: each.description,
      stars: each.star_count,
      isOfficial: each.is_official,
      isAutomated: each.is_automated,
    }),
  );
}

async function findInCatalog(client: RegistryClient, words: string, limit: number, signal: AbortSignal) {
  const found: FoundRepository[] = [];
  for await (const repository of listRepositories(client, signal)) {
    if (!repository.includes(words)) continue;
    const name = `${client.registry}/${repository}`;
    found.push({ name, description: "", stars: 0, isOfficial: false, isAutomated: false });
    if (found.length === limit) break;
  }
  return found;
}

async function findTags(registries: Registries, term: string, limit: number, signal: AbortSignal) {
  const [reference] = registries.resolveName(term);
  if (reference === undefined || reference.tag !== undefined || reference.digest !== undefined) {
    const reason = "--list-tags takes the name of a repository, without a tag";
    throw new BunkerError({ code: "invalid_reference", operation: "list the tags of", object: term, reason });
  }
  const rows: { Name: string; Tag: string }[] = [];
  const name = fullRepository(reference);
  for await (const tag of listTags(registries.forPush(reference), familiarReference(reference), signal)) {
    rows.push({ Name: name, Tag: tag });
    if (rows.length === limit) break;
  }
  return rows;
}

function readFilters(filters: Filters<FilterKey>): (repository: FoundRepository) => boolean {
  const official = readFilter("is-official", filters("is-official"), parseBoolean);
  const automated = readFilter("is-automated", filters("is-automated"), parseBoolean);
  const stars = readFilter("stars", filters("stars"), integerBetween(0, Number.MAX_SAFE_INTEGER));
  return (repository) =>
    (official.length === 0 || official.includes(repository.isOfficial)) &&
    (automated.length === 0 || automated.includes(repository.isAutomated)) &&
    stars.every((least) => repository.stars >= least);
}

function mark(holds: boolean): string {
  return holds ? "[OK]" : "";
}
