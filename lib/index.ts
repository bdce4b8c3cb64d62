/** The public API. */

export type { AnswerShare } from './camera/answer-balance.js';
export { kCameraIds } from './camera/bodies.js';
export {
  type CameraFrames,
  type CameraMoment,
  CameraRenderer,
  type RenderOptions,
  renderCamera,
  type SeenObject,
} from './camera/camera.js';
export type { CameraOptions } from './camera/options.js';
export { kPatchLabels, patchLabelsOf } from './camera/patch-labels.js';
export {
  kPlanWording,
  type PlanConversation,
  type PlanFields,
  planConversation,
} from './camera/plan-conversation.js';
export {
  kQuestionKinds,
  type Question,
  type QuestionKind,
  type QuestionOptions,
  questionsAbout,
} from './camera/questions.js';
export { type SceneTruth, sceneTruth } from './camera/scene-truth.js';
export { type CameraSummary, type WriteCameraOptions, writeCameraData } from './camera/write.js';
export {
  type BatchRequest,
  ConversationMix,
  type ConversationSummary,
  type EncodedConversation,
  openConversations,
} from './conversation/conversation-mix.js';
export type { EncodedRow, SkipReason } from './conversation/encode-row.js';
export type {
  ConversationOptions,
  ConversationProgress,
  ConversationSource,
} from './conversation/options.js';
export { WamFlowError, type WamFlowErrorCode } from './errors.js';
export {
  type ClosedLoopEvaluation,
  type ClosedLoopOptions,
  type ClosedLoopPlanner,
  type ClosedLoopRow,
  evaluateClosedLoop,
} from './eval/closed-loop.js';
export {
  type ClosedLoopDrive,
  type DriveOptions,
  driveWindow,
  type Moment,
  type Policy,
} from './eval/closed-loop-drive.js';
export type { DriveFigures, ScoredFigures } from './eval/closed-loop-judge.js';
export {
  type EvaluateOptions,
  type Evaluation,
  type EvaluationRow,
  evaluate,
} from './eval/evaluate.js';
export {
  explainHuman,
  type HumanCause,
  type HumanFailure,
  type HumanReport,
} from './eval/explain-human.js';
export type { PlanMetrics } from './eval/metrics.js';
export type { FailedWindow } from './eval/pdm-pass.js';
export type { PdmGroup, PdmRow, PdmSummary } from './eval/pdm-summary.js';
export type { PdmTable } from './eval/pdm-table.js';
export type {
  EvaluateDecode,
  EvaluatedPlan,
  EvaluatedPlanner,
  EvaluatedPlanOptions,
} from './eval/planner-runs.js';
export type { Difference, GroupMeans, MetricMeans } from './eval/summary.js';
export { generateScenarios, generateScenes } from './generate/generate.js';
export type { GenerateOptions } from './generate/options.js';
export type { GeneratedScene } from './generate/scene.js';
export {
  type Rule,
  type Violation,
  validateMap,
  validateScene,
} from './generate/validate/validate.js';
export { kRoadKinds, type RoadKind } from './generate/world.js';
export {
  type GenerateSummary,
  type WriteGeneratedOptions,
  writeGeneratedScenarios,
} from './generate/write.js';
export * as kernels from './kernels.js';
export { kBundledModels, kBundledVlaModels } from './model/bundled.js';
export {
  type Checkpoint,
  loadCheckpoint,
  saveCheckpoint,
} from './model/checkpoint.js';
export { type ModelConfig, parseModelConfig } from './model/config.js';
export { averageModels } from './model/average.js';
export { loadTable, type NumericTable } from './model/table-checkpoint.js';
export type {
  AgentObservation,
  Command,
  EgoObservation,
  Lane,
  LightColor,
  MotionState,
  Observation,
  RoadMap,
} from './observation.js';
export {
  type DecodeRule,
  kPlanDefaults,
  type PlanOptions,
  type Reduce,
  type StepRule,
} from './plan-options.js';
export type { PlanCandidate } from './plan-candidates.js';
export type { Plan, PlanTiming } from './plan-result.js';
export { Planner, type PlannerMemory, type Refinement } from './planner.js';
export type { DeviceOptions, Precision } from './device.js';
export { kPlannerDefaults, type PlannerOptions } from './planner-options.js';
export {
  type Future,
  futureFromWindow,
  type ObserveOptions,
  observationAt,
  observationFromWindow,
} from './scenario/observe.js';
export { type ReadScenariosOptions, readScenarios } from './scenario/read.js';
export type {
  Recording,
  ScenarioData,
  ScenarioLane,
  ScenarioMap,
  ScenarioWindow,
  Signal,
  Track,
} from './scenario/types.js';
export { writeScenarioBundle, writeScenarios } from './scenario/write.js';
export { withoutGhosts } from './sim/brief-objects.js';
export {
  type Comfort,
  checkComfort,
  type Drive,
  type ExtendedComfort,
  extendedComfort,
  simulateTrajectory,
} from './sim/drive.js';
export {
  aggregateTwoStage,
  epdms,
  type FrameScores,
  type TwoStageFrame,
  type TwoStageMapping,
  type TwoStageResult,
  type TwoStageRow,
} from './sim/epdms.js';
export type { Explanation } from './sim/explanation.js';
export { type SceneFromWindowOptions, sceneFromWindow } from './sim/from-window.js';
export { type ParsedScene, parseScene, type SceneTrajectory } from './sim/parse-scene.js';
export type { OwnSubScores, PdmClosed, PdmReference } from './sim/pdm-reference.js';
export {
  PdmScorer,
  type PdmScorerOptions,
  type PdmVersion,
  type ReactiveTrack,
  type ScoreOptions,
} from './sim/pdm-scorer.js';
export type { FilteredScores, PdmScores, SubScores } from './sim/pdm-scores.js';
export { type Predictions, readPredictions } from './sim/read-predictions.js';
export { type ReadSceneOptions, readSceneFile } from './sim/read-scene.js';
export type {
  PdmScene,
  Ring,
  SceneAgent,
  SceneAgentType,
  SceneArea,
  SceneEgo,
  SceneLane,
  SceneLights,
  SceneMap,
  ScenePose,
  SceneRoadblock,
  SceneSample,
} from './sim/scene.js';
export { sceneToJson } from './sim/scene-json.js';
export { type ScoreFlags, type SubScore, stepsOf } from './sim/score-rows.js';
export type { Trajectories, Trajectory } from './sim/trajectories.js';
export { fillTemplate, type PromptFields } from './prompt/fill-template.js';
export {
  type AnswerMask,
  buildModelInput,
  type ModelInput,
  type ModelInputOptions,
  type Padding,
} from './prompt/model-input.js';
export {
  type ParseAnswerOptions,
  type ParsedAnswer,
  parseAnswer,
  parseAnswerIds,
} from './prompt/parse-answer.js';
export { type MakeTokenizerOptions, makeTokenizer } from './tokens/byte-level-bpe.js';
export {
  CompandedTokenizer,
  type CompandedTokenizerOptions,
} from './tokens/companded-tokenizer.js';
export {
  answerMarker,
  type ConversationTemplate,
  kFudokiTemplate,
  parseConversationTemplate,
} from './tokens/conversation-template.js';
export {
  type EncodeOptions,
  NumericTokenizer,
  type NumericTokenizerOptions,
} from './tokens/numeric-tokenizer.js';
export { assemblePrompt, type PromptParts, type PromptTurn } from './tokens/prompt.js';
export {
  formatNumberList,
  type ParsedNumberList,
  parseNumberList,
} from './tokens/text-form.js';
export type { SpecialTokenName } from './tokens/special-tokens.js';
export {
  type SpecialToken,
  TextTokenizer,
  type TextTokenizerOptions,
} from './tokens/text-tokenizer.js';
export {
  readTokenizerFiles,
  type TokenizerFiles,
  writeTokenizerFiles,
} from './tokens/tokenizer-files.js';
export type {
  CheckpointEvent,
  ConversationData,
  DoneEvent,
  EvalEvent,
  GroupFigures,
  ProbeEvent,
  SetupEvent,
  StartEvent,
  StepEvent,
  StopRule,
  TrainEvent,
  TrainStage,
} from './train/events.js';
export {
  type AlignParameters,
  alignRecipe,
  type DistillParameters,
  distillRecipe,
} from './train/align-recipe.js';
export type {
  AlignOptions,
  DistillOptions,
  SftOptions,
  TokenizerOptions,
  TrainOptions,
} from './train/options.js';
export {
  type ModelOverrides,
  miniRecipe,
  type Recipe,
  type SftParameters,
  type TokenizerParameters,
} from './train/recipe.js';
export { train } from './train/train.js';
export { caseFromWindow, posesOf } from './viewer/build-case.js';
export { type ScoreCaseOptions, scoreCaseFromScene } from './viewer/build-score-case.js';
export type { CasePlan, PageInfo, PlanCase, Pose } from './viewer/case.js';
export { renderPlansPage } from './viewer/page.js';
export { type SeenCaseOptions, seenCase } from './viewer/build-seen-case.js';
export type { ScoreCase } from './viewer/score-case.js';
export type { SeenCamera, SeenCase } from './viewer/seen-case.js';
export { renderSeenPage } from './viewer/seen-page.js';
export { renderScorePage } from './viewer/score-page.js';
export { encodePng, encodePpm, writeImage } from './vision/encode-image.js';
export {
  type Letterboxed,
  type LetterboxOptions,
  letterbox,
  letterboxSync,
} from './vision/letterbox.js';
export type { Pixels } from './vision/pixels.js';
export { type ReadImageOptions, readImage } from './vision/read-image.js';
export {
  type CheckpointInspection,
  type InspectOptions,
  inspectCheckpoint,
  readCheckpointValues,
  type TensorTotals,
} from './vla/inspect-checkpoint.js';
export type { CheckpointPart, CheckpointTensor } from './native-checkpoint.js';
export {
  type JanusAlignerConfig,
  type JanusConfig,
  type JanusLanguageConfig,
  type JanusVisionConfig,
  parseJanusConfig,
} from './vla/janus-config.js';
export {
  type CreatedVla,
  type CreateVlaOptions,
  createVla,
} from './vla-train/create-vla.js';
export { type ExportVlaOptions, exportVla } from './vla-train/export-vla.js';
export { type AlignVlaOptions, alignVla } from './vla-train/align-vla.js';
export { type AlignVlaParameters, alignVlaRecipe } from './vla-train/align-vla-recipe.js';
export { trainVla } from './vla-train/train-vla.js';
export type { VlaTrainOptions } from './vla-train/vla-options.js';
export {
  kVlaStages,
  type VlaStage,
  type VlaTrainParameters,
  vlaRecipe,
} from './vla-train/vla-recipe.js';
export type { VlaSizes } from './vla-train/vla-sizes.js';
export { type OpenedVla, openVla } from './vla/open-vla.js';
export { readVlaSettings, type VlaSettings } from './vla/vla-settings.js';
export type { WarmStart } from './warm-start.js';
export { loadModel, VlaModel } from './vla/vla-model.js';
export { kVlaDefaults, type TokenRange, type VlaOptions } from './vla/vla-options.js';
export type {
  VlaForward,
  VlaInput,
  VlaLogits,
  VlaMask,
  VlaPathSchedule,
  VlaSample,
  VlaTokens,
} from './vla/vla-requests.js';
export {
  type VlaExample,
  type TripletOptions,
  type VlaChains,
  type LoraOptions,
  type VlaTrainerStep,
  type VlaTrainingMemory,
  vlaTrainingMemory,
  VlaTrainer,
  type VlaTrainerOptions,
} from './vla/vla-trainer.js';
export {
  type AnswerForm,
  type VlaPlan,
  type VlaPlanDefaults,
  VlaPlanner,
  type VlaPlannerOptions,
  type VlaPlanOptions,
  type VlaPrompt,
} from './vla/vla-planner.js';
export { type AnswerSettings, answerText, type AnswerTextOptions } from './vla/answer-text.js';
export { HeadingNetwork } from './vla/heading-network.js';
export { headingsOfPath, type PathHeadingOptions, posesOfPath } from './vla/path-heading.js';
export type { VlaReduce } from './vla/reduce-plans.js';
export {
  publishedAnswer,
  scenePrompt,
  type SceneView,
  type SceneWording,
} from './vla/scene-prompt.js';
