// SPDX-License-Identifier: MIT

/** It is no program. */
public class NoMain {
}
