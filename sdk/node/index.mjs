// SPDX-License-Identifier: MIT
import warm from "./index.js";

export const { ready, beforeSnapshot, afterRestore, generation } = warm;
export default warm;
