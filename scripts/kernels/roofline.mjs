// A model of how fast a kernel could be at best: nothing here was measured.

/** Published peaks: dense bf16 on tensor cores and fp32 FMA in flop/s, memory in bytes/s. */
export const DEVICES = [
  { name: 'Jetson AGX Orin', arch: 87, tensor: 42.5e12, fp32: 5.3e12, bandwidth: 204.8e9 },
  { name: 'RTX 4090', arch: 89, tensor: 165e12, fp32: 82e12, bandwidth: 1008e9 },
  { name: 'H100 SXM', arch: 90, tensor: 989e12, fp32: 67e12, bandwidth: 3350e9 },
];

/**
 * Microseconds that `flops` and `bytes` take at full speed, and which of the two takes longer.
 *
 * @param {{ tensor: number, fp32: number, bandwidth: number }} device
 * @param {{ flops: number, bytes: number, tensorCores: boolean }} work
 */
export function roofline(device, { flops, bytes, tensorCores }) {
  const compute = (flops / (tensorCores ? device.tensor : device.fp32)) * 1e6;
  const memory = (bytes / device.bandwidth) * 1e6;
  return {
    microseconds: Math.max(compute, memory),
    bound: compute > memory ? 'compute' : 'memory',
  };
}
