/*
 * Which of a container's networks leads outside: that of the highest gateway priority, and of several with the same one
 * the device that comes first. The kernel takes the default route with the lowest metric, and the next one when that goes
 * with its device. A route is never changed once it is there, since it may be the container's own by then; so metrics do
 * not follow from each other but from a device's priority and position alone, and whatever priority comes later has room.
 */

/** The largest gateway priority; the smallest is as far below zero. */
export const LARGEST_GATEWAY_PRIORITY = 9_999;

const METRIC_WITHOUT_PRIORITY = 1_000_000;
const METRICS_OF_A_PRIORITY = 100;

/**
 * The metric of a device's default routes.
 * @param position the number of the device: 1 for `eth1`
 */
export function routeMetric(gatewayPriority: number, position: number): number {
  const within = Math.min(position, METRICS_OF_A_PRIORITY - 1);
  return METRIC_WITHOUT_PRIORITY - gatewayPriority * METRICS_OF_A_PRIORITY + within;
}

/** Devices in the order in which they lead outside. */
export function inRouteOrder<Link extends { readonly metric: number }>(links: readonly Link[]): Link[] {
  return links.toSorted((one, other) => one.metric - other.metric);
}
