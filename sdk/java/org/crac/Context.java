// SPDX-License-Identifier: MIT
package org.crac;

import warm.Hook;

/** A resource with which others are registered, and which passes on what it is told. */
public abstract class Context<R extends Resource> implements Resource {
    protected Context() {
    }

    /** The context that {@link Core#checkpointRestore} and {@code Warm.ready} notify. */
    public static Context<Resource> getGlobalContext() {
        return GlobalContext.INSTANCE;
    }

    /** Whether this process can be snapshotted at all: the native library is there. */
    public static boolean isImplemented() {
        return Hook.isAvailable();
    }

    @Override
    public abstract void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException;

    @Override
    public abstract void afterRestore(Context<? extends Resource> context) throws RestoreException;

    /**
     * Registers a resource.
     *
     * @throws NullPointerException if it is null
     */
    public abstract void register(R resource);
}
