import type { Filters } from "./filter-option.ts";

/** Whether labels are as `--filter label=…` wants and as `--filter label!=…` does not. */
export function fitsLabels(labels: Readonly<Record<string, string>>, filters: Filters<"label" | "label!">): boolean {
  return hasLabels(labels, filters("label")) && filters("label!").every((label) => !hasLabels(labels, [label]));
}

/**
 * Whether labels are as all filters want: `NAME`, or `NAME=VALUE`.
 * @param filters the values of `--filter label=…`
 */
export function hasLabels(labels: Readonly<Record<string, string>>, filters: readonly string[]): boolean {
  return filters.every((filter) => {
    const equals = filter.indexOf("=");
    const name = equals < 0 ? filter : filter.slice(0, equals);
    return Object.hasOwn(labels, name) && (equals < 0 || labels[name] === filter.slice(equals + 1));
  });
}
