const kOthers = [
  'pedestrian',
  'bicycle',
  'traffic_cone',
  'barrier',
  'czone_sign',
  'generic_object',
] as const;

/** What a track is, by its free-text type. */
export type TrackKind = 'vehicle' | (typeof kOthers)[number];

const kKinds: ReadonlyMap<string, TrackKind> = new Map(kOthers.map((kind) => [kind, kind]));

/** The kind of a track of this type: one of the names above, and a vehicle by any other name. */
export function trackKind(type: string): TrackKind {
  return kKinds.get(type) ?? 'vehicle';
}
