declare const kKind: unique symbol;

/** A checkpoint directory with a thread that opens and reads it. */
export type NativeCheckpointReader = { readonly [kKind]: 'checkpoint reader' };

/** The sizes that decide names and shapes of the tensors of a Janus model (native/vla/manifest.h). */
export interface NativeJanusShape {
  vocab: number;
  hidden: number;
  mlpHidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  attentionBias: boolean;
  mlpBias: boolean;
  tiedHead: boolean;
  visionWidth: number;
  visionMlpHidden: number;
  visionLayers: number;
  patch: number;
  imageTokens: number;
  alignerDepth: number;
}

/** Which part of a Janus model a tensor belongs to, by its name. */
export type CheckpointPart = 'language' | 'vision' | 'aligner' | 'generation' | 'other';

/** One stored tensor. */
export interface CheckpointTensor {
  name: string;
  /** As the header says: `F32`, `BF16`, `F16`, `I64`, `U8` or `BOOL`. */
  dtype: string;
  shape: number[];
  bytes: number;
  /** Name of the file that holds it. */
  file: string;
  part: CheckpointPart;
  /** Whether planning reads it. */
  used: boolean;
}

/** What the addon says of a checkpoint that fits its configuration. */
export interface NativeInspection {
  /** Rows of the embedding table. */
  vocab: number;
  /** Sorted by name. */
  tensors: CheckpointTensor[];
  files: { name: string; bytes: number; tensors: number }[];
  /** Names that are neither needed nor known to be unused. */
  unknown: string[];
  warnings: string[];
}

/** Functions of the addon that read foreign checkpoints. */
export interface CheckpointAddon {
  /** Touches no file yet. The directory is opened by the first call that reads and stays open until the reader is closed. */
  createCheckpointReader(directory: string): NativeCheckpointReader;
  /**
   * Opens the directory and compares names and shapes with the manifest; with `checkValues` reads every weight that
   * planning uses. Resolves to undefined when stopped. Rejects with `ERR_CHECKPOINT_NOT_FOUND`,
   * `ERR_CHECKPOINT_CORRUPT`, `ERR_CONFIG`, `ERR_IO`, `ERR_OUT_OF_MEMORY`.
   */
  inspectCheckpoint(
    reader: NativeCheckpointReader,
    shape: NativeJanusShape,
    checkValues: boolean,
  ): Promise<NativeInspection | undefined>;
  /**
   * Values [begin, begin + count) of a float tensor as float32, 2^29 at most; `count` -1: all from `begin` on. Resolves
   * to undefined when stopped. Rejects as {@link inspectCheckpoint} and with `ERR_ARGUMENT` for an unknown name,
   * `ERR_RANGE`.
   */
  checkpointValues(
    reader: NativeCheckpointReader,
    name: string,
    begin: number,
    count: number,
  ): Promise<ArrayBuffer | undefined>;
  /** Ends calls that wait or run. */
  stopCheckpointReader(reader: NativeCheckpointReader): void;
  closeCheckpointReader(reader: NativeCheckpointReader): Promise<void>;
}
