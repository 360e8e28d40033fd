// SPDX-License-Identifier: MIT
package org.crac;

import warm.Hook;

/** The coordination of snapshots. */
public class Core {
    private Core() {
    }

    /** The context that is notified. */
    public static Context<Resource> getGlobalContext() {
        return GlobalContext.INSTANCE;
    }

    /**
     * Asks for a snapshot. Started by {@code warm exec}, the call returns twice: in the original, which runs on, and in
     * each copy. Where no snapshot is wanted - without a daemon, not started by {@code warm exec}, or by a launch
     * that is not the one to be snapshotted - it returns at once and notifies nobody. A second call does nothing,
     * but for throwing the same CheckpointException again.
     *
     * <p>In a copy whose resources fail it does not return: that process ends with exit status 125.
     *
     * @throws CheckpointException a resource failed, or the snapshot was refused; the message says why. The program
     *         runs on, and its resources have been told so. And: called by a resource, while it is told
     * @throws RestoreException in the original: a resource failed when it went on
     * @throws UnsupportedOperationException the native library is not there; nobody was notified
     */
    public static void checkpointRestore() throws CheckpointException, RestoreException {
        if (!Hook.isAvailable()) {
            throw new UnsupportedOperationException(Hook.whyUnavailable());
        }
        Hook.checkpointRestore();
    }
}
