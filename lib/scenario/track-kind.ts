/** What a track is; of the last four nothing ever moves. */
export const kTrackKinds = [
  'vehicle',
  'pedestrian',
  'bicycle',
  'traffic_cone',
  'barrier',
  'czone_sign',
  'generic_object',
] as const;

export type TrackKind = (typeof kTrackKinds)[number];

const kKinds: ReadonlyMap<string, TrackKind> = new Map(kTrackKinds.map((kind) => [kind, kind]));

/** The kind of a track by its free-text type: one of the names above, and a vehicle by any other name. */
export function trackKind(type: string): TrackKind {
  return kKinds.get(type) ?? 'vehicle';
}
