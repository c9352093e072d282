/** How long the model tests run, and how a failure of theirs is repeated. */

const {
  MILLRACE_MODEL_RUNS = '10',
  MILLRACE_MODEL_STEPS = '100000',
  MILLRACE_MODEL_SEED = String(Date.now() % 0x7fff_ffff),
  MILLRACE_MODEL_PATH,
  MILLRACE_MODEL_REPLAY,
  MILLRACE_MODEL_KEEP,
  CI,
} = process.env

/** Of the test with crashes. */
export const RUNS = Number(MILLRACE_MODEL_RUNS)
/** Of the test of the rules. */
export const STEPS = Number(MILLRACE_MODEL_STEPS)
export const SEED = Number(MILLRACE_MODEL_SEED)
/** Which run of a seed, and for the test with crashes which of its shrunk ones, is to be repeated alone. */
export const PATH = MILLRACE_MODEL_PATH
/** Which commands of that run; for the test with crashes. */
export const REPLAY_PATH = MILLRACE_MODEL_REPLAY
/** Which steps of that run, by their positions; for the test of the rules. */
export const KEPT = MILLRACE_MODEL_KEEP?.split(',').map(Number)
export const isContinuousIntegration = CI !== undefined
