// Compiled, never run, in an installed copy: the types that a user meets first.
import { type Observation, Planner, WamFlowError } from 'wam-flow';

export async function firstPose(observation: Observation): Promise<readonly number[]> {
  const planner = await Planner.load('mini');
  try {
    const plan = await planner.plan(observation, { steps: 5, seed: 7 });
    const trajectory: Float32Array = plan.trajectory;
    return [trajectory[0]!, trajectory[1]!, trajectory[2]!];
  } catch (error) {
    if (error instanceof WamFlowError && error.code === 'ERR_CLOSED') return [];
    throw error;
  } finally {
    await planner.close();
  }
}

// @ts-expect-error an observation is not a string
export const wrong: Promise<readonly number[]> = firstPose('observation');
