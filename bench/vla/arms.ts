// Which models the study of vision-language models compares, and what each is shown.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const kRules = z.enum(['renoise', 'integrated', 'released']);
const steps = z.int().min(1).max(4096);

const kPlan = z.strictObject({
  steps,
  decode: z.enum(['argmax', 'median', 'sample', 'sample-median']),
  rule: kRules,
  samples: z.int().min(1).optional(),
  reduce: z.enum(['first', 'medoid', 'mean']).optional(),
  temperature: z.number().positive().optional(),
});

const kArm = z.strictObject({
  key: z.string().min(1),
  title: z.string(),
  /** Directory, from the root of the repository. */
  path: z.string(),
  /** Whether it plans, and whether it is asked questions. */
  plans: z.boolean().default(true),
  questions: z.boolean().default(true),
  /** What it plans from; a row each. */
  shown: z.array(z.enum(['picture', 'blank', 'shuffled'])).default(['picture']),
  plan: kPlan.partial().optional(),
  /** Key of the arm that it is compared with; default the reference. */
  against: z.string().optional(),
});

const kArms = z.strictObject({
  reference: z.string(),
  plan: kPlan,
  answer: z.strictObject({ steps, decode: z.enum(['argmax', 'sample']), rule: kRules }),
  /** Of the pictures that the models were trained with, beside their size; see `CameraOptions`. */
  camera: z.record(z.string(), z.union([z.number(), z.boolean()])).default({}),
  arms: z.array(kArm).min(1),
});

/** A model of the study. */
export type Arm = z.infer<typeof kArm>;
/** The study: `bench/vla/arms.json`. */
export type Arms = z.infer<typeof kArms>;

/** @throws Error for what is no list of arms, or names one that is not there. */
export function parseArms(value: unknown): Arms {
  const study = kArms.parse(value);
  const keys = study.arms.map(({ key }) => key);
  if (new Set(keys).size < keys.length) throw new Error(`arms: a key comes twice: ${keys}`);
  const named = [study.reference, ...study.arms.flatMap(({ against }) => against ?? [])];
  const unknown = named.filter((key) => !keys.includes(key));
  if (unknown.length > 0) throw new Error(`arms: no arm is called ${unknown.join(', ')}`);
  return study;
}

export async function readArms(path: string): Promise<Arms> {
  return parseArms(JSON.parse(await readFile(path, 'utf8')));
}
