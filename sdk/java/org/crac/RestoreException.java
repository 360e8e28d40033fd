// SPDX-License-Identifier: MIT
package org.crac;

/** Says that a resource failed when the program went on. What the resources threw is suppressed by it ({@link Throwable#getSuppressed}). */
public class RestoreException extends Exception {
    private static final long serialVersionUID = 1L;

    public RestoreException() {
    }

    public RestoreException(String message) {
        super(message);
    }
}
