// SPDX-License-Identifier: MIT
package org.crac;

/** Says that the snapshot was not taken, and the program runs on. What the resources threw is suppressed by it ({@link Throwable#getSuppressed}). */
public class CheckpointException extends Exception {
    private static final long serialVersionUID = 1L;

    public CheckpointException() {
    }

    public CheckpointException(String message) {
        super(message);
    }
}
