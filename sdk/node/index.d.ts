// SPDX-License-Identifier: MIT

/** What is the launch's from the hook on. To declare something is the program's word that it was not used before; what
 *  is not declared must be equal, or the launch starts cold. */
export interface ReadyOptions {
  /** The arguments after the script: `process.argv`. */
  argv?: boolean;
  /** Names of environment variables, NAME or PREFIX*: `process.env`. */
  env?: readonly string[];
  /** The working directory: `process.cwd()`. */
  cwd?: boolean;
  /** Files and directories that the program's state came from, besides its code. When one of them changes the snapshot
   *  is not used any more. A path that does not exist must stay so. */
  depends?: readonly string[];
}

/** "resumed" in the original, "restored" in each copy, "cold" where no snapshot is taken. */
export type Outcome = "cold" | "resumed" | "restored";

/** The hook: call it once, in the main thread, when what is the same for every launch is done, and await it. A second
 *  call returns what the first did. */
export function ready(options?: ReadyOptions): Promise<Outcome>;

/** `fn` runs in `ready()` before the snapshot, the latest registered first. If one throws or rejects, no snapshot is
 *  taken and the program goes on. */
export function beforeSnapshot(fn: () => unknown): void;

/** `fn` runs in each copy before `ready()` resolves, in the order of registration. If one throws or rejects, the copy
 *  ends with exit status 125. */
export function afterRestore(fn: () => unknown): void;

/** The number of this copy, never 0 and never the same twice; 0 in the original. */
export function generation(): bigint;

declare const warm: {
  ready: typeof ready;
  beforeSnapshot: typeof beforeSnapshot;
  afterRestore: typeof afterRestore;
  generation: typeof generation;
};
export default warm;
