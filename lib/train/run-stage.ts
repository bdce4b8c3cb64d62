// The loop that all stages share: updates in chunks on the engine's threads, events, checkpoints, stopping.

import { type NativeTokenizerTrainer, type NativeTrainer, native } from '../native.js';
import type {
  CheckpointEvent,
  EvalEvent,
  ProbeEvent,
  StartEvent,
  StepEvent,
  StopRule,
  TrainEvent,
} from './events.js';
import { TrainLog } from './log.js';
import type { RunSettings } from './options.js';

/** What makes the updates of a run. */
export interface StageTrainer {
  /** Makes up to `updates` updates, fewer once stopped. A row of statistics for each. */
  run(updates: number): Promise<Float64Array>;
  /** Ends a run after its present update. */
  stop(): void;
  close(): Promise<void>;
}

/** A trainer of the engine that draws its batches itself. */
export function engineTrainer(trainer: NativeTrainer | NativeTokenizerTrainer): StageTrainer {
  const addon = native();
  return {
    run: (updates) => addon.trainerRun(trainer, updates),
    stop: () => addon.trainerStop(trainer),
    close: () => addon.closeTrainer(trainer),
  };
}

/** A run that is ready to go. */
export interface StageRun {
  start: StartEvent;
  trainer: StageTrainer;
  /** Values a row of statistics. */
  rowLength: number;
  /** False when the run goes on from a checkpoint. */
  fresh: boolean;
  /** Seconds that the updates before took. */
  seconds: number;
  /** Means over rows of statistics. */
  summarize(rows: Float64Array, seconds: number): StepFigures;
  /** Events of a fresh run before its first update. */
  first?: readonly ProbeEvent[];
  /** Probes that were made in rows of statistics. */
  probes?(rows: Float64Array): ProbeEvent[];
  /** The rule that has ended the run, once `summarize` was given its last row. */
  stopRule?(): StopRule | undefined;
  /** Writes a checkpoint of the trainer as it is. */
  save(step: number, seconds: number): Promise<void>;
  /** Tries the weights as they are; undefined when the signal is aborted meanwhile. */
  evaluate?(step: number): Promise<EvalEvent | undefined>;
}

/** The figures of a step event that depend on the stage. */
export type StepFigures = Omit<
  StepEvent,
  'type' | 'step' | 'steps' | 'updatesPerSecond' | 'secondsLeft'
>;

/** Runs to the last update or until the signal; always closes the trainer. */
export async function* runStage(
  run: StageRun,
  settings: RunSettings,
): AsyncGenerator<TrainEvent, void, undefined> {
  const { trainer, start } = run;
  const { steps } = start;
  const { signal } = settings;
  const stop = () => trainer.stop();
  let { step } = start;
  let { seconds } = run;
  let saved = run.fresh ? -1 : step;
  let log: TrainLog | undefined;
  const save = async (): Promise<CheckpointEvent> => {
    await run.save(step, seconds);
    saved = step;
    return { type: 'checkpoint', step };
  };
  signal?.addEventListener('abort', stop);
  try {
    if (run.fresh) {
      // Before hours of work: shows that the folder can be written, and makes every later moment resumable.
      await save();
    }
    const open = await TrainLog.open(start.output, run.fresh ? -1 : step, settings.tensorboard);
    log = open;
    const emit = async <Event extends TrainEvent>(event: Event): Promise<Event> => {
      await open.write(event);
      return event;
    };
    yield await emit(start);
    if (run.fresh) {
      for (const probe of run.first ?? []) yield await emit(probe);
    }
    const ended = () => run.stopRule?.() !== undefined;
    while (step < steps && !signal?.aborted && !ended()) {
      const before = step;
      const began = performance.now();
      const rows = await trainer.run(nextStop(step, steps, settings) - step);
      const elapsed = (performance.now() - began) / 1000;
      step += rows.length / run.rowLength;
      seconds += elapsed;
      if (step > before) {
        const updatesPerSecond = (step - before) / elapsed;
        yield await emit({
          type: 'step',
          step,
          steps,
          ...run.summarize(rows, elapsed),
          updatesPerSecond,
          secondsLeft: (steps - step) / updatesPerSecond,
        });
        for (const probe of run.probes?.(rows) ?? []) yield await emit(probe);
      }
      if (saved < step && (step % settings.checkpointEvery === 0 || step === steps)) {
        yield await emit(await save());
      }
      const isDue = step === steps || step % settings.evalEvery === 0 || ended();
      const trial = isDue && !signal?.aborted ? await run.evaluate?.(step) : undefined;
      if (trial) yield await emit(trial);
    }
    if (saved < step) yield await emit(await save());
    const stopRule = run.stopRule?.();
    yield await emit({
      type: 'done',
      step,
      steps,
      stopped: step < steps && !stopRule,
      ...(stopRule && { stopRule }),
      seconds,
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    await log?.close();
    await trainer.close();
  }
}

/** The next update after which something is due. */
function nextStop(step: number, steps: number, settings: RunSettings): number {
  const { logEvery, checkpointEvery, evalEvery } = settings;
  const due = [logEvery, checkpointEvery, evalEvery || steps].map(
    (every) => (Math.floor(step / every) + 1) * every,
  );
  return Math.min(steps, ...due);
}
