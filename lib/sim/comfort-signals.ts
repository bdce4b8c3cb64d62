/** Signals of comfort by native code, with what a value must lie between. */
export const kComfortSignals = [
  { name: 'longitudinal acceleration', lower: -4.05, upper: 2.4, unit: 'm/s^2' },
  { name: 'lateral acceleration', lower: -4.89, upper: 4.89, unit: 'm/s^2' },
  { name: 'jerk', lower: -8.37, upper: 8.37, unit: 'm/s^3' },
  { name: 'longitudinal jerk', lower: -4.13, upper: 4.13, unit: 'm/s^3' },
  { name: 'yaw acceleration', lower: -1.93, upper: 1.93, unit: 'rad/s^2' },
  { name: 'yaw rate', lower: -0.95, upper: 0.95, unit: 'rad/s' },
] as const;
